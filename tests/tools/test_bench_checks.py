"""The benchmark's checks: each of them must notice a switch that does the wrong thing.

A fake switch stands for the measured one, right at first and then broken in one way at a time.
"""

import functools
import ipaddress
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from ovsflow.errors import HostError
from tools.benchmarks import control, core, dpdk, overlay, rehearsal, traces
from tools.benchmarks.core_peers import IN_FLIGHT, Shape, Window
from tools.benchmarks.datagrams import PAYLOAD, Conversation, Received, Tally, Words, payloads
from tools.benchmarks.datagrams import Frames as Numbered
from tools.benchmarks.losses import Losses
from tools.benchmarks.rehearsal import Sent, compare

FRAMES = 20
NEAR = 0xAC1F0101

Break = Callable[[list[bytes]], list[bytes]]


def encapsulate(frame: bytes, remote: str, vni: int) -> bytes:
    """What a switch puts around a frame."""
    vxlan = struct.pack("!II", 0x08000000, vni << 8) + frame
    udp = struct.pack("!HHHH", 50000, 4789, 8 + len(vxlan), 0) + vxlan
    target = int(ipaddress.IPv4Address(remote))
    return bytes(12) + b"\x08\0" + traces.ipv4(NEAR, target, udp)


def outside(sent: Sent) -> bytes:
    """A frame as it leaves."""
    return encapsulate(sent.frame, *sent.tunnel) if sent.tunnel else sent.frame


def flip(at: int) -> Break:
    """Changes one bit of the last frame."""

    def changed(frames: list[bytes]) -> list[bytes]:
        last = bytearray(frames[-1])
        last[at] ^= 1
        return [*frames[:-1], bytes(last)]

    return changed


BREAKS: dict[str, Break] = {
    "a frame is lost": lambda frames: frames[1:],
    "a frame comes twice": lambda frames: [*frames, frames[0]],
    "a frame takes another's place": lambda frames: [*frames[:-1], frames[0]],
    "the last byte differs": flip(-1),
    "the destination differs": flip(0),
    "an address inside differs": flip(-30),
    "a frame is cut": lambda frames: [*frames[:-1], frames[-1][:-1]],
    "nothing leaves": lambda _: [],
}
OUTER_BREAKS: dict[str, Break] = {
    "another endpoint": flip(33),
    "another VNI": flip(48),
    "another UDP port": flip(37),
    "another UDP length": flip(39),
    "no VXLAN flag": flip(42),
    "an IPv4 header's checksum": flip(25),
}


def cases() -> Iterator[tuple[str, str]]:
    for name, scenario in core.SCENARIOS.items():
        breaks = {**BREAKS, **(OUTER_BREAKS if scenario.shape is Shape.ENCAP else {})}
        # A tunnel's Ethernet addresses are its own business; with one flow all frames are equal.
        skipped = {"the destination differs"} if scenario.shape is Shape.ENCAP else set()
        if name == "core-prefix-1":
            skipped = {"a frame takes another's place"}
        yield from ((name, way) for way in breaks if way not in skipped)


@functools.cache
def right(name: str) -> tuple[list[bytes], list[Sent]]:
    """What leaves in a scenario, and what should."""
    scenario = core.SCENARIOS[name]
    sent = [
        scenario.sent(number, frame)
        for number, frame in enumerate(islice(scenario.frames(), FRAMES))
    ]
    return [outside(one) for one in sent], sent


@pytest.mark.parametrize("name", core.SCENARIOS)
def test_a_right_switch_passes_the_rehearsal(name: str) -> None:
    left, sent = right(name)
    compare(left, sent)
    compare(left[::-1], sent)


@pytest.mark.parametrize(("name", "way"), list(cases()))
def test_a_wrong_switch_fails_the_rehearsal(name: str, way: str) -> None:
    left, sent = right(name)
    with pytest.raises(HostError):
        compare({**BREAKS, **OUTER_BREAKS}[way](left), sent)


def test_what_should_leave_is_worked_out_without_a_switch() -> None:
    frame = traces.udp_frame(0x0A000001, 0x0A800001, 1234, 80)
    sent = core.SCENARIOS["core-rewrite-1k"].sent(0, frame)
    assert sent.frame[:6] == bytes.fromhex("020000000099")
    assert (sent.frame[22], traces.checksum(sent.frame[14:34])) == (63, 0)
    assert sent.frame[6:14] + sent.frame[34:] == frame[6:14] + frame[34:]
    assert core.SCENARIOS["core-remotes-100k"].sent(70_000, frame).tunnel == ("20.1.17.112", 10)
    (outer,) = traces.vxlan_frames(1)
    (inner,) = traces.flow_frames(1)
    assert core.SCENARIOS["core-decap-1k"].sent(0, outer).frame == inner


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({"a": 2}, {"a": 1}), ({"a": 1}, {}), ({}, {"a": 1}), ({"a": 1, "b": 2}, {"a": 2, "b": 1})],
)
def test_packets_credited_to_another_rule_are_noticed(
    ours: dict[str, int], theirs: dict[str, int]
) -> None:
    rehearsal.same_hits(ours, dict(ours))
    with pytest.raises(HostError, match="counts"):
        rehearsal.same_hits(ours, theirs)


GOOD_WINDOW = Window(1.0, 10_000_000, 10_001_000, 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(GOOD_WINDOW, left=10_000_000 - IN_FLIGHT - 1), "without account"),
        (replace(GOOD_WINDOW, left=9_000_000, dropped=1_000_000), "only 9000000"),
        (replace(GOOD_WINDOW, left=10_200_000), "left: the run is void"),
        (replace(GOOD_WINDOW, left=0), "without account"),
    ],
    ids=["silent loss", "drops", "duplicates", "nothing leaves"],
)
def test_a_round_in_which_packets_vanish_or_multiply_is_void(wrong: Window, said: str) -> None:
    GOOD_WINDOW.check()
    replace(GOOD_WINDOW, left=9_990_000, dropped=10_000).check()
    with pytest.raises(HostError, match=said):
        wrong.check()


NO_LOSS = Losses(0, 0, 0, complete=True)


@pytest.mark.parametrize(
    ("received", "lost"),
    [
        (Received(900, 0, 0), NO_LOSS),
        (Received(1000, 1, 0), NO_LOSS),
        (Received(999, 0, 1), NO_LOSS),
        (Received(400, 0, 0), Losses(2, 1, 1, complete=True)),
    ],
    ids=["lost in silence", "one twice", "one changed", "too little accounted"],
)
def test_datagrams_lost_in_silence_or_changed_make_a_round_void(
    received: Received, lost: Losses
) -> None:
    overlay.check_datagrams(1000, Received(1000, 0, 0), NO_LOSS)
    overlay.check_datagrams(1000, Received(400, 0, 0), Losses(3, 1, 1, complete=True))
    overlay.check_datagrams(1000, Received(400, 0, 0), Losses(0, 0, 0, complete=False))
    with pytest.raises(HostError):
        overlay.check_datagrams(1000, received, lost)


def tally(rows: Words, lengths: Sequence[int]) -> Received:
    looked = Tally()
    looked.look(rows, np.array(lengths, "u4"))
    return looked.count(1.0)


def test_the_receiver_looks_at_every_byte() -> None:
    rows = payloads(np.arange(5, dtype="u8") * 977)
    assert tally(rows, [PAYLOAD] * 5) == Received(5, 0, 0, 1.0)
    assert tally(np.vstack((rows, rows[2])), [PAYLOAD] * 6) == Received(5, 1, 0, 1.0)
    assert tally(rows, [PAYLOAD, PAYLOAD - 1, PAYLOAD, PAYLOAD + 1, PAYLOAD]).damaged == 2
    for at in range(PAYLOAD):
        broken = rows.copy()
        broken.view("u1")[3, at] ^= 0x10
        assert tally(broken, [PAYLOAD] * 5) == Received(4, 0, 1, 1.0), at


def test_the_sender_makes_what_a_host_would() -> None:
    macs = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
    source, target = ipaddress.IPv4Address("10.0.0.1"), ipaddress.IPv4Address("10.0.0.2")
    frames = Numbered(Conversation(macs, source, target, (40000, 5777)))
    first = 0xFFF0  # Identifications begin again within.
    frames.number(first)
    for place, row in enumerate(frames.rows):
        sent = row.tobytes()[Numbered.SKIP :]
        offload, ethernet, ip, udp = sent[:10], sent[10:24], sent[24:44], sent[44:52]
        flags, _, _, _, start, offset = struct.unpack("=BBHHHH", offload)
        assert (flags, start, offset) == (1, 34, 6), "the device adds up from UDP on"
        assert ethernet == b"".join(macs) + b"\x08\0"
        assert traces.checksum(ip) == 0
        length, number = struct.unpack("!HH", ip[2:6])
        assert (length, number) == (len(sent) - 24, (first + place) & 0xFFFF)
        assert (ip[9], ip[12:]) == (17, source.packed + target.packed)
        pseudo = ip[12:] + struct.pack("!HH", 17, 8 + PAYLOAD)
        open_sum = 0xFFFF ^ traces.checksum(pseudo)
        assert struct.unpack("!HHHH", udp) == (40000, 5777, 8 + PAYLOAD, open_sum)
    rows = np.ascontiguousarray(frames.rows[:, -PAYLOAD // 8 :])
    assert tally(rows, [PAYLOAD] * len(rows)) == Received(len(rows), 0, 0, 1.0)


@pytest.mark.parametrize("found", [0, 9, 11])
def test_a_switch_with_another_number_of_flows_has_no_figure(found: int) -> None:
    class Fake:
        def flows(self) -> int:
            return found

    with pytest.raises(HostError, match=f"has {found} flows of 10"):
        control.checked(Fake(), 10)


def test_captures_are_read_as_they_were_written(tmp_path: Path) -> None:
    path, frames = tmp_path / "a.pcap", list(traces.flow_frames(3))
    traces.write_pcap(path, iter(frames))
    assert list(traces.read_pcap(path)) == frames
    cut = bytearray(path.read_bytes())
    cut[24 + 12] += 1
    path.write_bytes(cut)
    with pytest.raises(HostError, match="was cut"):
        list(traces.read_pcap(path))


def test_a_peer_that_still_learns_has_no_figure() -> None:
    dpdk.check_settled(dpdk.SETTLED_MISSES)
    with pytest.raises(HostError, match="had not settled"):
        dpdk.check_settled(dpdk.SETTLED_MISSES + 1)
