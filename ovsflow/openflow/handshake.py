"""Messages that open, keep and configure a session."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import MessageType, Role
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.wire import Body, Empty


@dataclass(frozen=True, slots=True)
class Hello(Body):
    """HELLO: the versions a side speaks, by wire number, rising."""

    KIND: ClassVar[MessageType] = MessageType.HELLO
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EchoRequest(Body):
    """ECHO_REQUEST: is the other side alive?"""

    KIND: ClassVar[MessageType] = MessageType.ECHO_REQUEST
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class EchoReply(Body):
    """ECHO_REPLY: the request's data, sent back."""

    KIND: ClassVar[MessageType] = MessageType.ECHO_REPLY
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Experimenter(Body):
    """EXPERIMENTER (1.0: VENDOR) that this codec does not know.

    `data` is all that follows the experimenter id, usually a 32-bit subtype first.
    """

    KIND: ClassVar[MessageType] = MessageType.EXPERIMENTER
    experimenter: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class FeaturesRequest(Empty):
    """FEATURES_REQUEST."""

    KIND: ClassVar[MessageType] = MessageType.FEATURES_REQUEST


@dataclass(frozen=True, slots=True)
class FeaturesReply(Body):
    """FEATURES_REPLY.

    Attributes:
        datapath_id: 64 bits.
        n_buffers: Packets the switch can hold.
        n_tables: Tables it has.
        auxiliary_id: Which connection this is; 0 in OpenFlow 1.0.
        capabilities: `Capability` bits.
        actions: Bitmap of actions, OpenFlow 1.0 only.
        ports: The ports, OpenFlow 1.0 only.
    """

    KIND: ClassVar[MessageType] = MessageType.FEATURES_REPLY
    datapath_id: int
    n_buffers: int = 0
    n_tables: int = 254
    auxiliary_id: int = 0
    capabilities: int = 0
    actions: int = 0
    ports: tuple[PortDesc, ...] = ()


@dataclass(frozen=True, slots=True)
class GetConfigRequest(Empty):
    """GET_CONFIG_REQUEST."""

    KIND: ClassVar[MessageType] = MessageType.GET_CONFIG_REQUEST


@dataclass(frozen=True, slots=True)
class GetConfigReply(Body):
    """GET_CONFIG_REPLY: fragment handling, and bytes of a packet sent on a table miss."""

    KIND: ClassVar[MessageType] = MessageType.GET_CONFIG_REPLY
    flags: int = 0
    miss_send_len: int = 128


@dataclass(frozen=True, slots=True)
class SetConfig(Body):
    """SET_CONFIG: as `GetConfigReply`."""

    KIND: ClassVar[MessageType] = MessageType.SET_CONFIG
    flags: int = 0
    miss_send_len: int = 128


@dataclass(frozen=True, slots=True)
class BarrierRequest(Empty):
    """BARRIER_REQUEST."""

    KIND: ClassVar[MessageType] = MessageType.BARRIER_REQUEST


@dataclass(frozen=True, slots=True)
class BarrierReply(Empty):
    """BARRIER_REPLY."""

    KIND: ClassVar[MessageType] = MessageType.BARRIER_REPLY


@dataclass(frozen=True, slots=True)
class RoleRequest(Body):
    """ROLE_REQUEST (1.0: NXT_ROLE_REQUEST, which has no generation id).

    Attributes:
        role: A `Role`, or an unknown number.
        generation_id: 64 bits; 0 where the version has none.
        short_id: OpenFlow 1.5's short id of the controller.
    """

    KIND: ClassVar[MessageType] = MessageType.ROLE_REQUEST
    role: int = Role.NOCHANGE
    generation_id: int = 0
    short_id: int = 0


@dataclass(frozen=True, slots=True)
class RoleReply(Body):
    """ROLE_REPLY: as `RoleRequest`."""

    KIND: ClassVar[MessageType] = MessageType.ROLE_REPLY
    role: int = Role.EQUAL
    generation_id: int = 0
    short_id: int = 0


@dataclass(frozen=True, slots=True)
class GetAsyncRequest(Empty):
    """GET_ASYNC_REQUEST."""

    KIND: ClassVar[MessageType] = MessageType.GET_ASYNC_REQUEST


@dataclass(frozen=True, slots=True)
class AsyncMask:
    """Which reasons a session wants to hear of.

    Attributes:
        kind: An `AsyncProperty`: the message, and the role in which the mask holds.
        mask: Bit N stands for reason N.
    """

    kind: int
    mask: int


@dataclass(frozen=True, slots=True)
class GetAsyncReply(Body):
    """GET_ASYNC_REPLY.  OpenFlow 1.3 has exactly the first six kinds."""

    KIND: ClassVar[MessageType] = MessageType.GET_ASYNC_REPLY
    masks: tuple[AsyncMask, ...]


@dataclass(frozen=True, slots=True)
class SetAsync(Body):
    """SET_ASYNC: kinds that are not in `masks` keep their mask."""

    KIND: ClassVar[MessageType] = MessageType.SET_ASYNC
    masks: tuple[AsyncMask, ...]
