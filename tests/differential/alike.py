"""How far two answers to one packet are alike: what an explanation has to show before it counts.

A packet-in is taken for a frame that went to the controller, with what it says of the frame.
"""

from collections.abc import Callable
from itertools import zip_longest

from tests.differential.compare import packet_in_parts
from tests.differential.outcome import Emitted
from tests.differential.underlay import WIRES, inside, without_lengths

TAGS = (b"\x81\x00", b"\x88\xa8")
MPLS = (b"\x88\x47", b"\x88\x48")
CONTROLLER = -1

Piece = tuple[str, bytes]
"""What is told of a frame, and the frame without a tunnel."""


def pieces(emitted: Emitted) -> dict[int, list[Piece]]:
    """All that was sent and told, by port."""
    found: dict[int, list[Piece]] = {}
    for port, frames in emitted.sent.items():
        is_tunnel = port in WIRES
        found[port] = [_opened(frame) if is_tunnel else ("", frame) for frame in frames]
    if emitted.packet_ins:
        found[CONTROLLER] = [packet_in_parts(body) for body in emitted.packet_ins]
    return found


def _opened(frame: bytes) -> Piece:
    inner = inside(frame)
    return without_lengths(frame[: len(frame) - len(inner)]).hex(), inner


def is_beginning(one: Emitted, other: Emitted) -> bool:
    """Whether all that `one` did, to each port, is what `other` did first."""
    whole = pieces(other)
    return all(whole.get(port, [])[: len(found)] == found for port, found in pieces(one).items())


def are_among(some: Emitted, all_: Emitted) -> bool:
    """Whether `some` has sent nothing to any port that `all_` has not sent there, however often."""
    whole = pieces(all_)
    return all(set(found) <= set(whole.get(port, [])) for port, found in pieces(some).items())


def is_same_but(ours: Emitted, theirs: Emitted, explained: Callable[[bytes, bytes], bool]) -> bool:
    """Whether both sent as many frames to each port, and each pair that differs is explained."""
    mine, other = pieces(ours), pieces(theirs)
    return all(
        a is not None and b is not None and (a == b or (a[0] == b[0] and explained(a[1], b[1])))
        for port in mine.keys() | other.keys()
        for a, b in zip_longest(mine.get(port, []), other.get(port, []))
    )


def payload_at(frame: bytes) -> int:
    """Where the EtherType behind all tags is."""
    at = 12
    while frame[at : at + 2] in TAGS:
        at += 4
    return at


def differing(ours: bytes, theirs: bytes) -> set[int]:
    """Where two frames of one length differ, counted from the EtherType behind the tags."""
    at = payload_at(ours)
    return {place - at for place, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b}


def transport_fields(frame: bytes) -> tuple[range, range]:
    """Where the transport ports and checksum are, counted as in `differing`; or nowhere.

    They are looked for behind labels too, and in fragments, where none should be.
    """
    at = payload_at(frame)
    start = at + 2
    if frame[at : at + 2] in MPLS:
        while frame[start + 2 : start + 3] and not frame[start + 2] & 1:
            start += 4
        start += 4
    version = frame[start] >> 4 if frame[start:] else 0
    if version == 4 and len(frame) >= start + 20:
        protocol, start = frame[start + 9], start + 4 * (frame[start] & 0xF)
    elif version == 6 and len(frame) >= start + 40:
        protocol, start = frame[start + 6], start + 40
    else:
        return range(0), range(0)
    place = {6: 16, 17: 6, 1: 2, 58: 2}.get(protocol)
    if place is None:
        return range(0), range(0)
    start -= at
    return range(start, start + 4), range(start + place, start + place + 2)
