"""OFPT_ERROR: what was wrong with a request.

The message carries the numbers of the session's version.  Inside, errors are named by the numbers
of OpenFlow 1.3 (`DecodeError`); `error_names.py` knows what each is called and how other versions
number it.

Source: OpenFlow 1.0.2 §5.4.4, 1.3.5 §7.4.4; Open vSwitch for Nicira's form on OpenFlow 1.0.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.errors import DecodeError
from ovsflow.openflow.constants import ErrorType, MessageType, Version
from ovsflow.openflow.error_names import ErrorNumber, name_of, to_version
from ovsflow.openflow.wire import Body, Reader, pack

_ERROR = struct.Struct("!HH")
_NICIRA_TYPE = 0xB0C2
"""NXET_VENDOR: in OpenFlow 1.0, an error with an experimenter id, type and code in its data."""
_NICIRA_ERROR = struct.Struct("!HHIHH")


@dataclass(frozen=True, slots=True)
class ErrorMessage(Body):
    """ERROR.

    Attributes:
        type: OFPET_* in the numbers of the session's version; 0xffff for experimenter errors,
            except that in OpenFlow 1.0 it is the experimenter's own type.
        code: The code within `type`.
        data: The request, or its start; text for HELLO_FAILED.
        experimenter: Experimenter id, else 0.
    """

    KIND: ClassVar[MessageType] = MessageType.ERROR
    type: int
    code: int
    data: bytes = b""
    experimenter: int = 0

    def encode_body(self, version: int) -> bytes:
        """Type, code and data, in the form that an experimenter's error has in `version`."""
        if not self.experimenter:
            return pack(_ERROR, "error", self.type, self.code) + self.data
        if version < Version.OF12:
            numbers = (_NICIRA_TYPE, 0, self.experimenter, self.type, self.code)
            return pack(_NICIRA_ERROR, "error", *numbers) + self.data
        head = pack(_ERROR, "error", int(ErrorType.EXPERIMENTER), self.code)
        return head + pack(struct.Struct("!I"), "error", self.experimenter) + self.data

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads type, code and data."""
        reader = Reader(data, "error")
        kind, code = reader.read(_ERROR)
        if kind == _NICIRA_TYPE and version < Version.OF12 and reader.left >= 8:
            experimenter, kind, code = reader.read(struct.Struct("!IHH"))
            return cls(kind, code, reader.rest(), experimenter)
        if kind == ErrorType.EXPERIMENTER and version >= Version.OF12 and reader.left >= 4:
            experimenter = int.from_bytes(reader.take(4), "big")
            return cls(kind, code, reader.rest(), experimenter)
        return cls(kind, code, reader.rest())

    def name(self, version: int) -> str:
        """What the error is called (`OFPBMC_BAD_FIELD`); the numbers where it has no name."""
        known = name_of(version, ErrorNumber(self.type, self.code, self.experimenter))
        if known is not None:
            return known
        if self.experimenter:
            return f"experimenter {self.experimenter:#x} error {self.type}:{self.code}"
        return f"error {self.type}:{self.code}"


def error_for(error: DecodeError, version: int, request: bytes) -> ErrorMessage:
    """The message that answers a request which could not be decoded.

    Args:
        error: What was wrong, in the numbers of OpenFlow 1.3.
        version: Wire version of the session.
        request: The whole request, which the error echoes.
    """
    number = to_version(version, ErrorNumber(error.kind, error.code, error.experimenter))
    return ErrorMessage(number.type, number.code, request, number.experimenter)
