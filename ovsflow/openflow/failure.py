"""OFPT_ERROR: what was wrong with a request."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import MessageType
from ovsflow.openflow.wire import Body


@dataclass(frozen=True, slots=True)
class ErrorMessage(Body):
    """ERROR.

    Attributes:
        type: OFPET_* in the numbers of the session's version; 0xffff for experimenter errors.
        code: The code within `type` (the experimenter's type, if there is one).
        data: The request, or its start; text for HELLO_FAILED.
        experimenter: Experimenter id, else 0.
    """

    KIND: ClassVar[MessageType] = MessageType.ERROR
    type: int
    code: int
    data: bytes = b""
    experimenter: int = 0
