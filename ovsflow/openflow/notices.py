"""What a switch tells unasked, other than packets."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import HEADER_BYTES, NICIRA, ONF, MessageType, Version
from ovsflow.openflow.flow_stats_entry import count_of
from ovsflow.openflow.match import Match
from ovsflow.openflow.match10 import MATCH as MATCH10
from ovsflow.openflow.match10 import decode_match10, encode_match10
from ovsflow.openflow.match_codec import (
    decode_match,
    decode_nxm,
    encode_match,
    encode_nxm,
    nxm_tlvs,
)
from ovsflow.openflow.oxs import NO_DURATION, counters_of, decode_counters, encode_counters
from ovsflow.openflow.port import PortDesc, decode_port
from ovsflow.openflow.wire import (
    BAD_PROPERTY_LEN,
    BAD_REQUEST_LEN,
    Body,
    Property,
    Reader,
    decode_properties,
    encode_property,
    fault,
    pack,
    padding,
    records,
    text_of,
    unsigned,
)

_REMOVED10 = struct.Struct("!QHBxIIH2xQQ")
_REMOVED13 = struct.Struct("!QHBBIIHHQQ")
_REMOVED15 = struct.Struct("!BBHHHQ")
_REMOVED_NICIRA = struct.Struct("!QHBBIIHHQQ")
_EXPERIMENTER_HEAD = struct.Struct("!II")
_NICIRA_FLOW_REMOVED = 14
_ROLE = struct.Struct("!IB3xQ")
_ONF_ROLE_STATUS = 1911
_TABLE = struct.Struct("!HBxI")
_EVICTION, _VACANCY = 2, 3
_CONTROLLER = struct.Struct("!HHIBB6x")
_URI = 0


@dataclass(frozen=True, slots=True)
class FlowRemoved(Body):
    """FLOW_REMOVED; on OpenFlow 1.0 also NXT_FLOW_REMOVED.

    Attributes:
        match: The flow's match.
        cookie: The flow's cookie.
        priority: The flow's priority.
        reason: A `FlowRemovedReason`.
        table_id: Its table; 0 in OpenFlow 1.0's own message.
        duration_sec: Seconds it lived.
        duration_nsec: Nanoseconds beyond; with the seconds `NO_DURATION` if it is not told.
        idle_timeout: The flow's timeout, seconds.
        hard_timeout: The flow's timeout, seconds; 0 where a version does not tell.
        packet_count: Packets it saw; `None` if it is not told.
        byte_count: Their bytes; `None` if it is not told.
        nicira: Carried as NXT_FLOW_REMOVED.
        flow_count: Flows that it stands for (OpenFlow 1.5); `None` if it is not told.
    """

    KIND: ClassVar[MessageType] = MessageType.FLOW_REMOVED
    match: Match
    cookie: int = 0
    priority: int = 0
    reason: int = 0
    table_id: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    packet_count: int | None = 0
    byte_count: int | None = 0
    nicira: bool = False
    flow_count: int | None = None

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """The standard's message, or NXT_FLOW_REMOVED."""
        if not self.nicira:
            return super(FlowRemoved, self).wire_form(version)
        tlvs = encode_nxm(self.match, Version.OF10)
        data = pack(
            _REMOVED_NICIRA,
            "flow removed",
            self.cookie,
            self.priority,
            self.reason,
            self.table_id + 1,
            self.duration_sec,
            self.duration_nsec,
            self.idle_timeout,
            len(tlvs),
            *self._counts(),
        )
        head = _EXPERIMENTER_HEAD.pack(NICIRA, _NICIRA_FLOW_REMOVED)
        return int(MessageType.EXPERIMENTER), head + data + tlvs + padding(len(tlvs))

    def encode_body(self, version: int) -> bytes:
        """The flow's numbers and its match."""
        if version >= Version.OF15:
            return self._encode15()
        life = (self.duration_sec, self.duration_nsec, self.idle_timeout)
        counts = self._counts()
        first = (self.cookie, self.priority, self.reason)
        if version == Version.OF10:
            match = encode_match10(self.match)
            return match + pack(_REMOVED10, "flow removed", *first, *life, *counts)
        numbers = (*first, self.table_id, *life, self.hard_timeout, *counts)
        return pack(_REMOVED13, "flow removed", *numbers) + encode_match(self.match, version)

    def _encode15(self) -> bytes:
        data = pack(
            _REMOVED15,
            "flow removed",
            self.table_id,
            self.reason,
            self.priority,
            self.idle_timeout,
            self.hard_timeout,
            self.cookie,
        )
        return data + encode_match(self.match, Version.OF15) + encode_counters(counters_of(self))

    def _counts(self) -> tuple[int, int]:
        return count_of(self.packet_count), count_of(self.byte_count)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the flow's numbers and its match."""
        reader = Reader(data, "flow removed")
        if version >= Version.OF15:
            return cls._decode15(reader)
        if version == Version.OF10:
            match = decode_match10(reader.take(MATCH10.size))
            cookie, priority, reason, sec, nsec, idle, packets, octets = reader.read(_REMOVED10)
            reader.end()
            return cls(match, cookie, priority, reason, 0, sec, nsec, idle, 0, packets, octets)
        cookie, priority, reason, table, sec, nsec, idle, hard, packets, octets = reader.read(
            _REMOVED13
        )
        match = decode_match(reader, strict=False)
        reader.end()
        return cls(match, cookie, priority, reason, table, sec, nsec, idle, hard, packets, octets)

    @classmethod
    def _decode15(cls, reader: Reader) -> Self:
        table, reason, priority, idle, hard, cookie = reader.read(_REMOVED15)
        match = decode_match(reader, strict=False)
        counters = decode_counters(reader)
        reader.end()
        sec, nsec = counters.duration or NO_DURATION
        return cls(
            match,
            cookie,
            priority,
            reason,
            table,
            sec,
            nsec,
            idle,
            hard,
            counters.packet_count,
            counters.byte_count,
            flow_count=counters.flow_count,
        )

    @classmethod
    def decode_nicira(cls, data: bytes) -> Self:
        """Reads what follows the subtype of NXT_FLOW_REMOVED."""
        reader = Reader(data, "flow removed")
        cookie, priority, reason, table, sec, nsec, idle, length, packets, octets = reader.read(
            _REMOVED_NICIRA
        )
        match, _, _ = decode_nxm(nxm_tlvs(reader, length), strict=False)
        reader.end()
        return cls(
            match,
            cookie,
            priority,
            reason,
            max(table - 1, 0),
            sec,
            nsec,
            idle,
            0,
            packets,
            octets,
            nicira=True,
        )


@dataclass(frozen=True, slots=True)
class PortStatus(Body):
    """PORT_STATUS: a `PortReason`, and the port as it is now."""

    KIND: ClassVar[MessageType] = MessageType.PORT_STATUS
    reason: int
    port: PortDesc

    def encode_body(self, version: int) -> bytes:
        """Reason and port."""
        return unsigned(self.reason, 1, "reason") + bytes(7) + self.port.encode(version)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads reason and port."""
        reader = Reader(data, "port status")
        reason = reader.take(8)[0]
        return cls(reason, decode_port(reader.rest(), version))


@dataclass(frozen=True, slots=True)
class RoleStatus(Body):
    """ROLE_STATUS: the session's new role, a `RoleReason`, and the generation id.

    OpenFlow 1.3 has it as ONF's extension 191.
    """

    KIND: ClassVar[MessageType] = MessageType.ROLE_STATUS
    role: int
    reason: int
    generation_id: int
    properties: tuple[Property, ...] = ()

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """Before OpenFlow 1.4 it is ONF's extension."""
        if version != Version.OF13:
            return super(RoleStatus, self).wire_form(version)
        head = pack(_EXPERIMENTER_HEAD, "role status", ONF, _ONF_ROLE_STATUS)
        return int(MessageType.EXPERIMENTER), head + self.encode_body(version)

    def encode_body(self, version: int) -> bytes:
        """Role, reason, generation id and properties."""
        data = pack(_ROLE, "role status", self.role, self.reason, self.generation_id)
        return data + b"".join(encode_property(item.kind, item.data) for item in self.properties)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads role, reason, generation id and properties."""
        reader = Reader(data, "role status")
        role, reason, generation_id = reader.read(_ROLE)
        found = decode_properties(reader.rest(), "role status")
        return cls(role, reason, generation_id, tuple(found))


@dataclass(frozen=True, slots=True)
class TableDesc:
    """A table's configuration (OpenFlow 1.4 and later).

    Attributes:
        table_id: The table.
        config: `TableConfig` bits.
        eviction: OFPTMPEF_* that decide which flow goes first; `None` if not told.
        vacancy: Low mark, high mark, current vacancy, in percent; `None` if not told.
        properties: Other properties.
    """

    table_id: int
    config: int = 0
    eviction: int | None = None
    vacancy: tuple[int, int, int] | None = None
    properties: tuple[Property, ...] = ()

    def encode(self) -> bytes:
        """The description with its length, as it stands in lists."""
        data = b""
        if self.eviction is not None:
            data += encode_property(_EVICTION, unsigned(self.eviction, 4, "eviction"))
        if self.vacancy is not None:
            data += encode_property(_VACANCY, bytes((*self.vacancy, 0)))
        data += b"".join(encode_property(item.kind, item.data) for item in self.properties)
        length = _TABLE.size + len(data)
        return pack(_TABLE, "table", length, self.table_id, self.config) + data

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads one description whose length was checked."""
        _, table_id, config = _TABLE.unpack_from(data)
        eviction, vacancy, others = read_table_properties(data[_TABLE.size :])
        return cls(table_id, config, eviction, vacancy, others)


@dataclass(frozen=True, slots=True)
class TableStatus(Body):
    """TABLE_STATUS: a `TableReason`, and the table as it is now."""

    KIND: ClassVar[MessageType] = MessageType.TABLE_STATUS
    reason: int
    table: TableDesc

    def encode_body(self, version: int) -> bytes:
        """Reason and table."""
        return unsigned(self.reason, 1, "reason") + bytes(7) + self.table.encode()

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads reason and table."""
        reader = Reader(data, "table status")
        reason = reader.take(8)[0]
        tables = decode_tables(reader.rest())
        if len(tables) != 1:
            raise fault(BAD_REQUEST_LEN, f"{len(tables)} tables where there must be one")
        return cls(reason, tables[0])


@dataclass(frozen=True, slots=True)
class RequestForward(Body):
    """REQUESTFORWARD: another controller's GROUP_MOD or METER_MOD, as a whole message."""

    KIND: ClassVar[MessageType] = MessageType.REQUESTFORWARD
    request: bytes

    def encode_body(self, version: int) -> bytes:
        """The request."""
        return self.request

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """The request, which must be whole."""
        if len(data) < HEADER_BYTES or int.from_bytes(data[2:4], "big") != len(data):
            raise fault(BAD_REQUEST_LEN, "forwarded request is cut short")
        return cls(data)


@dataclass(frozen=True, slots=True)
class ControllerDesc:
    """The state of one controller's connection (OpenFlow 1.5).

    Attributes:
        short_id: The controller's short id.
        role: A `Role`.
        reason: OFPCSR_*.
        channel_status: 0 up, 1 down.
        uris: Its connections.
        properties: Other properties.
    """

    short_id: int
    role: int
    reason: int
    channel_status: int
    uris: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()

    def encode(self) -> bytes:
        """The description with its length, as it stands in lists."""
        data = b"".join(
            encode_property(_URI, uri.encode("utf-8", "surrogateescape")) for uri in self.uris
        )
        data += b"".join(encode_property(item.kind, item.data) for item in self.properties)
        length = _CONTROLLER.size + len(data)
        numbers = (length, self.short_id, self.role, self.reason, self.channel_status)
        return pack(_CONTROLLER, "controller status", *numbers) + data

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads one description whose length was checked."""
        _, short_id, role, reason, channel = _CONTROLLER.unpack_from(data)
        found = decode_properties(data[_CONTROLLER.size :], "controller status")
        uris = tuple(text_of(item.data) for item in found if item.kind == _URI)
        others = tuple(item for item in found if item.kind != _URI)
        return cls(short_id, role, reason, channel, uris, others)


@dataclass(frozen=True, slots=True)
class ControllerStatus(Body):
    """CONTROLLER_STATUS (OpenFlow 1.5)."""

    KIND: ClassVar[MessageType] = MessageType.CONTROLLER_STATUS
    status: ControllerDesc

    def encode_body(self, version: int) -> bytes:
        """The description."""
        return self.status.encode()

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the description."""
        found = decode_controllers(data)
        if len(found) != 1:
            raise fault(BAD_REQUEST_LEN, f"{len(found)} controllers where there must be one")
        return cls(found[0])


def decode_tables(data: bytes) -> tuple[TableDesc, ...]:
    """Reads descriptions of tables back to back."""
    cut = records(data, _TABLE.size, BAD_REQUEST_LEN, "table", length_at=0, align=8)
    return tuple(TableDesc.decode(record) for record in cut)


def decode_controllers(data: bytes) -> tuple[ControllerDesc, ...]:
    """Reads descriptions of controllers back to back."""
    cut = records(data, _CONTROLLER.size, BAD_REQUEST_LEN, "controller", length_at=0, align=8)
    return tuple(ControllerDesc.decode(record) for record in cut)


def read_table_properties(
    data: bytes,
) -> tuple[int | None, tuple[int, int, int] | None, tuple[Property, ...]]:
    """Eviction flags, vacancy (low, high, now), and what else there is."""
    eviction = vacancy = None
    others = []
    for item in decode_properties(data, "table"):
        if item.kind in (_EVICTION, _VACANCY) and len(item.data) != 4:
            raise fault(BAD_PROPERTY_LEN, f"table property of {len(item.data)} bytes")
        if item.kind == _EVICTION:
            eviction = int.from_bytes(item.data, "big")
        elif item.kind == _VACANCY:
            vacancy = (item.data[0], item.data[1], item.data[2])
        else:
            others.append(item)
    return eviction, vacancy, tuple(others)
