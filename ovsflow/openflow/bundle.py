"""Bundles: messages that are applied together (OpenFlow 1.4, and ONF's extension to 1.3)."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import MessageType
from ovsflow.openflow.wire import Body, Property


@dataclass(frozen=True, slots=True)
class BundleControl(Body):
    """BUNDLE_CONTROL: a `BundleControlType`, request and reply alike.

    Attributes:
        bundle_id: The session's number for the bundle.
        type: A `BundleControlType`.
        flags: `BundleFlag` bits.
        properties: Properties (experimenter, or a time in OpenFlow 1.5).
    """

    KIND: ClassVar[MessageType] = MessageType.BUNDLE_CONTROL
    bundle_id: int
    type: int
    flags: int = 0
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class BundleAdd(Body):
    """BUNDLE_ADD_MESSAGE: `message` is a whole message with its own header and the same xid."""

    KIND: ClassVar[MessageType] = MessageType.BUNDLE_ADD_MESSAGE
    bundle_id: int
    flags: int
    message: bytes
    properties: tuple[Property, ...] = ()
