"""GROUP_MOD, and the buckets that group descriptions carry as well.

Two forms: OpenFlow 1.3's, and 1.5's with properties, which Nicira's NXT_GROUP_MOD of OpenFlow 1.0
has too, with actions of that version.

Source: OpenFlow 1.3.5 §7.3.4.2, 1.5.1 §7.3.4.3; Netronome's extension for how a group selects.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.action_codec import decode_actions, encode_actions
from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import (
    NICIRA,
    BucketNumber,
    ErrorType,
    GroupModCommand,
    GroupNumber,
    GroupType,
    MessageType,
    PortNumber,
    Version,
)
from ovsflow.openflow.fields import Field, by_name
from ovsflow.openflow.match import MATCH_ALL, Match, MatchField
from ovsflow.openflow.match_codec import read_tlv, tlv_bytes
from ovsflow.openflow.wire import (
    BAD_PROPERTY_LEN,
    Body,
    Property,
    Reader,
    decode_properties,
    encode_property,
    fault,
    missing,
    pack,
    records,
    text_field,
    text_of,
    unsigned,
)

_GROUP_MOD = struct.Struct("!HBxI")
_GROUP_MOD15 = struct.Struct("!HBxIH2xI")
_BUCKET = struct.Struct("!HHII4x")
_BUCKET15 = struct.Struct("!HHI")
_WEIGHT, _WATCH_PORT, _WATCH_GROUP = 0, 1, 2
_BUCKET_SIZES = {_WEIGHT: 4, _WATCH_PORT: 4, _WATCH_GROUP: 4}

_BAD_FIELD = (int(ErrorType.BAD_MATCH), 6)
_BAD_TYPE = (int(ErrorType.GROUP_MOD_FAILED), 10)
_BAD_COMMAND = (int(ErrorType.GROUP_MOD_FAILED), 11)
_BAD_BUCKET = (int(ErrorType.GROUP_MOD_FAILED), 12)

_EXPERIMENTER = 0xFFFF
_NETRONOME = 0x0000154D
_SELECTION = struct.Struct("!II4x16sQ")
_SELECTION_METHOD = 1

_NICIRA_HEAD = struct.Struct("!II")
NXT_GROUP_MOD = 31

_COMMANDS13 = frozenset((0, 1, 2, int(GroupModCommand.ADD_OR_MODIFY)))
_COMMANDS15 = _COMMANDS13 | {3, 5}


def has_properties(version: int) -> bool:
    """Whether groups of a version are told with properties."""
    return version >= Version.OF15 or version == Version.OF10


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of a group.

    Attributes:
        actions: An action set.
        weight: For select groups.
        watch_port: For fast failover.
        watch_group: For fast failover.
        id: OpenFlow 1.5's number; `None` where a version has none.
        properties: Experimenter properties (OpenFlow 1.5).
    """

    actions: tuple[Action, ...] = ()
    weight: int = 0
    watch_port: int = PortNumber.ANY
    watch_group: int = GroupNumber.ANY
    id: int | None = None
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """How a select group picks: Netronome's selection_method property.

    Attributes:
        method: `hash`, `dp_hash`, or empty for the default.
        parameter: 64 bits for the method.
        fields: Fields that the hash reads, with masks.
    """

    method: str = ""
    parameter: int = 0
    fields: Match = MATCH_ALL


@dataclass(frozen=True, slots=True)
class GroupMod(Body):
    """GROUP_MOD.

    Attributes:
        command: A `GroupModCommand`.
        type: A `GroupType`.
        group_id: The group; `GroupNumber.ALL` for delete.
        buckets: Its buckets.
        command_bucket_id: Place for insert and remove (OpenFlow 1.5).
        selection: How a select group picks (OpenFlow 1.5 form only).
        properties: Other properties (OpenFlow 1.5).
    """

    KIND: ClassVar[MessageType] = MessageType.GROUP_MOD
    command: int = GroupModCommand.ADD
    type: int = GroupType.ALL
    group_id: int = 0
    buckets: tuple[Bucket, ...] = ()
    command_bucket_id: int = BucketNumber.ALL
    selection: Selection | None = None
    properties: tuple[Property, ...] = ()

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """As ever; in OpenFlow 1.0 behind Nicira's header."""
        if version == Version.OF10:
            head = _NICIRA_HEAD.pack(NICIRA, NXT_GROUP_MOD)
            return int(MessageType.EXPERIMENTER), head + self.encode_body(version)
        return super(GroupMod, self).wire_form(version)

    def encode_body(self, version: int) -> bytes:
        """The group in the form of `version`.

        Raises:
            EncodeError: The version has no such command or property.
        """
        if has_properties(version):
            buckets = encode_buckets(self.buckets, self.type, version)
            numbers = (self.command, self.type, self.group_id, len(buckets))
            data = pack(_GROUP_MOD15, "group mod", *numbers, self.command_bucket_id)
            return (
                data + buckets + encode_group_properties(self.selection, self.properties, version)
            )
        if self.command not in _COMMANDS13:
            raise missing(version, f"group command {self.command}")
        if self.selection is not None or self.properties:
            raise missing(version, "group properties")
        data = pack(_GROUP_MOD, "group mod", self.command, self.type, self.group_id)
        return data + encode_buckets(self.buckets, self.type, version)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the group in the form of `version`."""
        reader = Reader(data, "group mod")
        if has_properties(version):
            command, kind, group, length, place = reader.read(_GROUP_MOD15)
            buckets = decode_buckets(reader.take(length), kind, version)
            selection, others = decode_group_properties(reader.rest())
        else:
            (command, kind, group), place = reader.read(_GROUP_MOD), int(BucketNumber.ALL)
            buckets = decode_buckets(reader.rest(), kind, version)
            selection, others = None, ()
        if command not in (_COMMANDS15 if has_properties(version) else _COMMANDS13):
            raise fault(_BAD_COMMAND, f"unknown group command {command}")
        if kind > GroupType.FAST_FAILOVER:
            raise fault(_BAD_TYPE, f"unknown group type {kind}")
        return cls(command, kind, group, buckets, place, selection, others)


def encode_buckets(buckets: Sequence[Bucket], group_type: int, version: int) -> bytes:
    """Buckets back to back, in the form of `version`."""
    if has_properties(version):
        return b"".join(
            _encode15(bucket, number, group_type, version) for number, bucket in enumerate(buckets)
        )
    return b"".join(_encode13(bucket, version) for bucket in buckets)


def _encode13(bucket: Bucket, version: int) -> bytes:
    if bucket.properties:
        raise missing(version, "bucket properties")
    actions = encode_actions(bucket.actions, version)
    length = _BUCKET.size + len(actions)
    numbers = (length, bucket.weight, bucket.watch_port, bucket.watch_group)
    return pack(_BUCKET, "bucket", *numbers) + actions


def _encode15(bucket: Bucket, number: int, group_type: int, version: int) -> bytes:
    actions = encode_actions(bucket.actions, version)
    data = b""
    if bucket.weight or group_type == GroupType.SELECT:
        data += encode_property(_WEIGHT, unsigned(bucket.weight, 2, "weight") + bytes(2))
    if bucket.watch_port != PortNumber.ANY:
        data += encode_property(_WATCH_PORT, unsigned(bucket.watch_port, 4, "watch_port"))
    if bucket.watch_group != GroupNumber.ANY:
        data += encode_property(_WATCH_GROUP, unsigned(bucket.watch_group, 4, "watch_group"))
    data += b"".join(encode_property(item.kind, item.data) for item in bucket.properties)
    length = _BUCKET15.size + len(actions) + len(data)
    bucket_id = number if bucket.id is None else bucket.id
    return pack(_BUCKET15, "bucket", length, len(actions), bucket_id) + actions + data


def decode_buckets(data: bytes, group_type: int, version: int) -> tuple[Bucket, ...]:
    """Reads buckets back to back, in the form of `version`.

    Raises:
        DecodeError: OFPGMFC_BAD_BUCKET, or what is wrong with an action.
    """
    if has_properties(version):
        cut = records(data, _BUCKET15.size, _BAD_BUCKET, "bucket", length_at=0, align=8)
        return tuple(_decode15(record, group_type, version) for record in cut)
    cut = records(data, _BUCKET.size, _BAD_BUCKET, "bucket", length_at=0, align=8)
    return tuple(_decode13(record, version) for record in cut)


def _decode13(record: bytes, version: int) -> Bucket:
    _, weight, port, group = _BUCKET.unpack_from(record)
    return Bucket(decode_actions(record[_BUCKET.size :], version), weight, port, group)


def _decode15(record: bytes, group_type: int, version: int) -> Bucket:
    reader = Reader(record, "bucket", _BAD_BUCKET)
    _, length, number = reader.read(_BUCKET15)
    actions = decode_actions(reader.take(length), version)
    values = {_WEIGHT: int(group_type == GroupType.SELECT)}
    others = []
    for item in decode_properties(reader.rest(), "bucket"):
        if item.kind not in _BUCKET_SIZES:
            others.append(item)
        elif len(item.data) != _BUCKET_SIZES[item.kind]:
            raise fault(BAD_PROPERTY_LEN, f"bucket property of {len(item.data)} bytes")
        else:
            size = 2 if item.kind == _WEIGHT else 4
            values[item.kind] = int.from_bytes(item.data[:size], "big")
    return Bucket(
        actions,
        values[_WEIGHT],
        values.get(_WATCH_PORT, PortNumber.ANY),
        values.get(_WATCH_GROUP, GroupNumber.ANY),
        number,
        tuple(others),
    )


def encode_group_properties(
    selection: Selection | None, others: Sequence[Property], version: int
) -> bytes:
    """A group's properties, in a version that has them."""
    data = b""
    if selection is not None:
        method = text_field(selection.method, 16, "selection method")
        numbers = (_NETRONOME, _SELECTION_METHOD, method, selection.parameter)
        fields = _encode_fields(selection.fields, version)
        data += encode_property(_EXPERIMENTER, pack(_SELECTION, "selection", *numbers) + fields)
    return data + b"".join(encode_property(item.kind, item.data) for item in others)


def decode_group_properties(data: bytes) -> tuple[Selection | None, tuple[Property, ...]]:
    """Reads a group's properties, in a version that has them."""
    selection = None
    others = []
    for item in decode_properties(data, "group"):
        known = item.kind == _EXPERIMENTER and len(item.data) >= _SELECTION.size
        if known:
            experimenter, kind, method, parameter = _SELECTION.unpack_from(item.data)
            if (experimenter, kind) == (_NETRONOME, _SELECTION_METHOD):
                fields = _decode_fields(item.data[_SELECTION.size :])
                selection = Selection(text_of(method), parameter, fields)
                continue
        others.append(item)
    return selection, tuple(others)


def _encode_fields(chosen: Match, version: int) -> bytes:
    """A set of fields: the value of each tells which bits count, in whole bytes where all do."""
    data = b""
    for item in chosen:
        field = by_name(item.name)
        header = None if field is None else field.header(version) or field.nxm_header()
        if field is None or header is None:
            raise missing(version, f"TLV for {item.name}")
        value = _whole(field) if item.value == field.full_mask else item.value
        data += tlv_bytes(field, header, value, size=item.size)
    return data


def _decode_fields(data: bytes) -> Match:
    reader = Reader(data, "fields", BAD_PROPERTY_LEN)
    items = []
    while reader.left:
        tlv = read_tlv(reader)
        if tlv.field is None:
            raise fault(_BAD_FIELD, f"unknown field {tlv.header:#x}")
        size = tlv.size if tlv.field.variable else 0
        value = tlv.field.full_mask if tlv.value == _whole(tlv.field) else tlv.value
        items.append(MatchField(tlv.field.name, value, size=size))
    return Match(tuple(items))


def _whole(field: Field) -> int:
    return int((1 << 8 * field.wire_bytes) - 1)
