"""Where two outcomes of one pipeline differ, told in words."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import TypeVar

from ovsflow.errors import DecodeError
from ovsflow.openflow.codec import decode
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_stats_entry import decode_flows
from ovsflow.openflow.group_stats import GroupStatsReply
from ovsflow.openflow.meter_stats import MeterStatsReply
from ovsflow.openflow.packet_in2 import decode_packet_in2
from ovsflow.openflow.text.render import render_flow_stats, render_match
from tests.differential.outcome import Happened, Outcome

T = TypeVar("T")

_MULTIPART_HEAD = 16
UNKNOWN_COOKIE = 0xFFFFFFFFFFFFFFFF
_DURATION = slice(4, 12)


def differences(ours: Outcome, theirs: Outcome) -> list[str]:
    """What differs, a line for each thing."""
    lines: list[str] = []
    for number, (mine, other) in enumerate(zip_longest(ours.steps, theirs.steps)):
        lines += [f"step {number}: {line}" for line in happened_differences(mine, other)]
    if _flow_records(ours.flows) != _flow_records(theirs.flows):
        lines += _set_difference(_flow_lines(ours.flows), _flow_lines(theirs.flows))
    lines += _set_difference(_group_lines(ours.groups), _group_lines(theirs.groups))
    return lines + _set_difference(_meter_lines(ours.meters), _meter_lines(theirs.meters))


def happened_differences(ours: Happened, theirs: Happened) -> Iterator[str]:
    """What differs of what followed a step."""
    for number in sorted(ours.errors.keys() | theirs.errors.keys()):
        pair = ours.errors.get(number, "no error"), theirs.errors.get(number, "no error")
        if pair[0] != pair[1]:
            yield f"change {number}: ours {pair[0]}, theirs {pair[1]}"
    sent, others_sent = ours.sent, theirs.sent
    for port in sorted(sent.keys() | others_sent.keys()):
        yield from _frames(f"port {port}", sent.get(port, []), others_sent.get(port, []))
    told, others_told = ours.packet_ins, theirs.packet_ins
    if told != others_told:
        mine = [packet_in_words(one) for one in told]
        other = [packet_in_words(one) for one in others_told]
        forgotten = map(_forgotten, mine, other, ours.popped)
        yield from _sequence("packet-in", [*forgotten, *mine[len(other) :]], other)


def _forgotten(mine: str, other: str, popped: bool) -> str:
    """Our packet-in, without the cookie if Open vSwitch has lost it, after a pop_mpls."""
    unknown = f"cookie={UNKNOWN_COOKIE:#x} "
    return re.sub(r"cookie=\S+ ", unknown, mine) if popped and unknown in other else mine


def _frames(where: str, ours: list[bytes], theirs: list[bytes]) -> Iterator[str]:
    if ours != theirs:
        yield from _sequence(where, [one.hex() for one in ours], [one.hex() for one in theirs])


def _sequence(what: str, ours: list[str], theirs: list[str]) -> Iterator[str]:
    if ours == theirs:
        return
    if sorted(ours) == sorted(theirs):
        yield f"{what}: same {len(ours)} in another order"
        return
    if len(ours) != len(theirs):
        yield f"{what}: ours {len(ours)}, theirs {len(theirs)}"
    for number, (mine, other) in enumerate(zip_longest(ours, theirs, fillvalue="nothing")):
        if mine != other:
            yield f"{what} number {number}: ours   {mine}"
            yield f"{what} number {number}: theirs {other}"
            return


def packet_in_words(body: bytes) -> str:
    """A packet-in as a line."""
    words, data = packet_in_parts(body)
    return f"{words} {data.hex()}"


def packet_in_parts(body: bytes) -> tuple[str, bytes]:
    """What a packet-in says of its packet, as a line, and the packet."""
    packet = decode_packet_in2(body)
    user = "" if packet.userdata is None else f" userdata={packet.userdata.hex()}"
    words = (
        f"table={packet.table_id} cookie={packet.cookie:#x} reason={packet.reason}"
        f" {render_match(packet.match)} total_len={packet.total_len}{user}"
    )
    return words, packet.data


def _flow_records(replies: list[bytes]) -> list[bytes]:
    """The records of flows, without their durations, sorted."""
    found = []
    for reply in replies:
        at = _MULTIPART_HEAD
        while at < len(reply):
            length = int.from_bytes(reply[at : at + 2], "big")
            record = bytearray(reply[at : at + length])
            record[_DURATION] = bytes(8)
            found.append(bytes(record))
            at += length
    return sorted(found)


def _flow_lines(replies: list[bytes]) -> list[str]:
    return [_flow_line(record) for record in _flow_records(replies)]


def _flow_line(record: bytes) -> str:
    try:
        (flow,) = decode_flows(record, Version.OF13)
    except DecodeError as error:
        return f"{error}: {record.hex()}"
    return render_flow_stats(flow, Version.OF13)


def _group_lines(replies: list[bytes]) -> list[str]:
    return [
        f"group {one.group_id} packets={one.packet_count}"
        f" bytes={one.byte_count} buckets={one.buckets}"
        for body in _bodies(replies, GroupStatsReply)
        for one in body.groups
    ]


def _meter_lines(replies: list[bytes]) -> list[str]:
    return [
        f"meter {one.meter_id} flows={one.flow_count} packets={one.packet_in_count}"
        f" bytes={one.byte_in_count} bands={one.bands}"
        for body in _bodies(replies, MeterStatsReply)
        for one in body.meters
    ]


def _bodies(replies: list[bytes], kind: type[T]) -> Iterator[T]:
    """The replies, all of which must be of that kind."""
    for reply in replies:
        body = decode(reply).body
        assert isinstance(body, kind)
        yield body


def _set_difference(ours: list[str], theirs: list[str]) -> list[str]:
    mine, other = sorted(ours), sorted(theirs)
    lines = [f"table: ours alone   {line}" for line in mine if line not in other]
    return lines + [f"table: theirs alone {line}" for line in other if line not in mine]
