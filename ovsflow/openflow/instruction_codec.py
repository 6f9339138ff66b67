"""Instructions as bytes, and as OpenFlow 1.0's action lists.

Source: OpenFlow 1.3.5 §7.2.4, 1.5.1 §7.2.5; Open vSwitch for what 1.0 says with Nicira's actions.
"""

import struct

from ovsflow.errors import EncodeError
from ovsflow.openflow.action_codec import decode_actions, encode_actions
from ovsflow.openflow.actions import Action, Meter, Resubmit, SetField
from ovsflow.openflow.constants import NICIRA, ONF, ErrorType, Version
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.wire import fault, missing, pack, padding, records, unsigned, version_name

_BAD = int(ErrorType.BAD_INSTRUCTION)
UNKNOWN_INST = (_BAD, 0)
BAD_EXPERIMENTER = (_BAD, 5)
BAD_LEN = (_BAD, 7)
DUP_INST = (int(ErrorType.EXPERIMENTER), 2600)
"""OFPBIC_DUP_INST, which is ONF's before OpenFlow 1.4."""

_HEADER = struct.Struct("!HH")
_METADATA = struct.Struct("!4xQQ")
_GOTO, _WRITE_METADATA, _WRITE, _APPLY, _CLEAR, _METER, _STAT_TRIGGER = range(1, 8)
_EXPERIMENTER = 0xFFFF

_NX_WRITE_METADATA = struct.Struct("!HHIH6xQQ")
_NX_WRITE_METADATA_TYPE = 22

_EXACT = {_GOTO: 4, _WRITE_METADATA: 20, _METER: 4, _CLEAR: 4}


def decode_instructions(data: bytes, version: int) -> Instructions:
    """Reads the instructions of OpenFlow 1.1 and later.

    Args:
        data: The instructions back to back, each a multiple of 8 bytes.
        version: Wire version.

    Raises:
        DecodeError: OFPET_BAD_INSTRUCTION or OFPET_BAD_ACTION with the code that says why.
    """
    meter = goto = stat_trigger = metadata = None
    apply: tuple[Action, ...] = ()
    write: tuple[Action, ...] = ()
    seen: set[int] = set()
    for record in records(data, 8, BAD_LEN, "instruction", align=8):
        kind, _ = _HEADER.unpack_from(record)
        body = record[_HEADER.size :]
        _check(kind, len(body), version)
        if kind in seen:
            raise fault(DUP_INST, f"instruction {kind} twice", ONF)
        seen.add(kind)
        if kind == _GOTO:
            goto = body[0]
        elif kind == _WRITE_METADATA:
            value, mask = _METADATA.unpack(body)
            metadata = (value, mask)
        elif kind == _WRITE:
            write = decode_actions(body[4:], version)
        elif kind == _APPLY:
            apply = decode_actions(body[4:], version)
        elif kind == _METER:
            meter = int.from_bytes(body, "big")
        elif kind == _STAT_TRIGGER:
            stat_trigger = body
    return Instructions(meter, apply, _CLEAR in seen, write, metadata, goto, stat_trigger)


def _check(kind: int, size: int, version: int) -> None:
    if kind == _EXPERIMENTER:
        raise fault(BAD_EXPERIMENTER, "experimenter instruction")
    known = _GOTO <= kind <= _STAT_TRIGGER
    if kind == _METER and version >= Version.OF15:
        known = False
    if kind == _STAT_TRIGGER and version < Version.OF15:
        known = False
    if not known:
        raise fault(UNKNOWN_INST, f"unknown instruction {kind}")
    if size != _EXACT.get(kind, size):
        raise fault(BAD_LEN, f"instruction {kind} with {size} bytes")


def encode_instructions(instructions: Instructions, version: int) -> bytes:
    """Writes instructions, in the order of execution.

    Raises:
        EncodeError: The version has no such instruction, or no such action in it.
    """
    data = b""
    apply = instructions.apply
    if instructions.meter is not None:
        if version >= Version.OF15:
            apply = (Meter(instructions.meter), *apply)
        else:
            data += _record(_METER, unsigned(instructions.meter, 4, "meter"))
    if apply:
        data += _record(_APPLY, bytes(4) + encode_actions(apply, version))
    if instructions.clear:
        data += _record(_CLEAR, bytes(4))
    if instructions.write:
        data += _record(_WRITE, bytes(4) + encode_actions(instructions.write, version))
    if instructions.metadata is not None:
        data += _record(_WRITE_METADATA, pack(_METADATA, "metadata", *instructions.metadata))
    if instructions.stat_trigger is not None:
        if version < Version.OF15:
            raise missing(version, "instruction stat_trigger")
        data += _record(_STAT_TRIGGER, instructions.stat_trigger)
    if instructions.goto is not None:
        data += _record(_GOTO, unsigned(instructions.goto, 1, "table") + bytes(3))
    return data


def _record(kind: int, body: bytes) -> bytes:
    length = _HEADER.size + len(body)
    length += len(padding(length))
    return pack(_HEADER, "instruction", kind, length) + body.ljust(length - _HEADER.size, b"\0")


def decode_action_list(data: bytes) -> Instructions:
    """Reads the actions of an OpenFlow 1.0 flow, with Nicira's write_metadata for what it is.

    A trailing resubmit stays a resubmit: it does what goto_table would.
    """
    metadata = None
    plain = b""
    for record in records(data, 8, (int(ErrorType.BAD_ACTION), 1), "action", align=8):
        if len(record) == _NX_WRITE_METADATA.size:
            kind, _, experimenter, subtype, value, mask = _NX_WRITE_METADATA.unpack(record)
            if (kind, experimenter, subtype) == (_EXPERIMENTER, NICIRA, _NX_WRITE_METADATA_TYPE):
                metadata = (value, mask)
                continue
        plain += record
    return Instructions(apply=decode_actions(plain, Version.OF10), metadata=metadata)


def encode_action_list(instructions: Instructions) -> bytes:
    """Writes instructions as the actions of an OpenFlow 1.0 flow.

    Raises:
        EncodeError: OpenFlow 1.0 cannot say them: meter, clear_actions, write_actions.
    """
    for name in ("meter", "write", "clear", "stat_trigger"):
        if getattr(instructions, name):
            raise EncodeError(f"{version_name(Version.OF10)} has no instruction {name}")
    data = encode_actions(instructions.apply, Version.OF10)
    if instructions.metadata is not None and instructions.goto is not None:
        # Open vSwitch takes no action behind write_metadata: a masked load says the same.
        value, mask = instructions.metadata
        data += encode_actions((SetField("metadata", value & mask, mask),), Version.OF10)
    elif instructions.metadata is not None:
        data += pack(
            _NX_WRITE_METADATA,
            "metadata",
            _EXPERIMENTER,
            _NX_WRITE_METADATA.size,
            NICIRA,
            _NX_WRITE_METADATA_TYPE,
            *instructions.metadata,
        )
    if instructions.goto is not None:
        data += encode_actions((Resubmit(table=instructions.goto),), Version.OF10)
    return data
