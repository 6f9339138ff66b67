"""A look at what a switch really does, before its speed is measured.

Some frames arrive once, with a file to keep all that leaves.  Every byte of it must be what the
flows say, worked out here without either switch; and where several rules match, both switches
must have credited the same packets to the same rules.  A fast switch that does the wrong thing
has no figure.
"""

import ipaddress
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovsflow.errors import HostError
from tools.benchmarks import traces
from tools.benchmarks.core_peers import Core

VXLAN_PORT = 4789
#: How long all frames may take, in seconds; a slow path may take a millisecond for each.
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Sent:
    """A frame that left.

    Attributes:
        frame: Its bytes, without a tunnel's headers.
        tunnel: The tunnel's far end and its VNI, if it left through one.
    """

    frame: bytes
    tunnel: tuple[str, int] | None = None


def unchanged(_: int, frame: bytes) -> Sent:
    """What goes out as it came in."""
    return Sent(frame)


def rewritten(target: str) -> Callable[[int, bytes], Sent]:
    """A new destination address, and a hop less."""
    mac = bytes.fromhex(target.replace(":", ""))

    def sent(_: int, frame: bytes) -> Sent:
        head = frame[14:22] + bytes([frame[22] - 1]) + frame[23:24] + bytes(2) + frame[26:34]
        head = head[:10] + struct.pack("!H", traces.checksum(head)) + head[12:]
        return Sent(mac + frame[6:14] + head + frame[34:])

    return sent


def encapsulated(vni: int, remote: Callable[[int], str]) -> Callable[[int, bytes], Sent]:
    """The frame as it was, in a tunnel; where to depends on its number."""
    return lambda number, frame: Sent(frame, (remote(number), vni))


def decapsulated(_: int, frame: bytes) -> Sent:
    """What was in the tunnel."""
    return Sent(_outer(frame).frame)


def _outer(frame: bytes) -> Sent:
    """What is in a VXLAN frame over IPv4 without options.

    Raises:
        HostError: It is none, or its IPv4 header is damaged.
    """
    if len(frame) < 50 or frame[12:15] != b"\x08\0\x45" or frame[23] != 17:
        raise HostError(f"no UDP over IPv4 left: {frame[:60].hex()}")
    port, length = struct.unpack_from("!HH", frame, 36)
    flags, vni = struct.unpack_from("!II", frame, 42)
    if traces.checksum(frame[14:34]) or port != VXLAN_PORT or flags != 0x08000000:
        raise HostError(f"no sound VXLAN header left: {frame[:60].hex()}")
    if 34 + length != len(frame):
        raise HostError(f"an outer length of {length} bytes left around {len(frame) - 42}")
    return Sent(frame[50:], (str(ipaddress.IPv4Address(frame[30:34])), vni >> 8))


def rehearse(
    core: Core, frames: Sequence[bytes], sent: Sequence[Sent], directory: Path, *, ranked: bool
) -> dict[str, int]:
    """Lets frames arrive once and looks at all that leaves.

    Returns what each flow took, if `ranked`: flows of one table, each packet takes one.

    Raises:
        HostError: Anything is missing, changed, or too much.
    """
    capture, record = directory / "rehearsal.pcap", directory / "sent.pcap"
    traces.write_pcap(capture, iter(frames))
    core.open(capture, record)

    def told() -> str:
        arrived, left, dropped = core.counters()
        return f"{arrived} of {len(frames)} packets arrived, {left} left, {dropped} were dropped"

    _await(lambda: core.counters()[:2] == (len(frames), len(sent)), told)
    hits: dict[str, int] = {}

    def counted() -> bool:
        hits.clear()
        hits.update(core.hits())
        return sum(hits.values()) == len(frames)

    if ranked:
        _await(counted, lambda: f"flows took {sum(hits.values())} of {len(frames)} packets")
    core.close()
    compare(list(traces.read_pcap(record)), sent)
    return hits


def _await(condition: Callable[[], bool], told: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise HostError(told())
        time.sleep(0.05)


def compare(found: Sequence[bytes], expected: Sequence[Sent]) -> None:
    """Compares what left with what should have, in any order.

    Raises:
        HostError: They differ; with the first differences.
    """
    tunnelled = bool(expected) and expected[0].tunnel is not None
    left = Counter(_outer(frame) if tunnelled else Sent(frame) for frame in found)
    wanted = Counter(expected)
    missing, extra = wanted - left, left - wanted
    if missing or extra:
        raise HostError(
            f"{missing.total()} frames did not leave as they should, such as "
            f"{_told(missing)}; {extra.total()} others did, such as {_told(extra)}"
        )


def _told(frames: Counter[Sent]) -> str:
    for sent in frames:
        return f"{sent.frame.hex()} to {sent.tunnel}" if sent.tunnel else sent.frame.hex()
    return "none"


def same_hits(ours: dict[str, int], theirs: dict[str, int]) -> None:
    """Makes sure that both switches credited the same packets to the same rules.

    Raises:
        HostError: They differ; with the first rule.
    """
    for flow in sorted(ours.keys() | theirs.keys()):
        mine, its = ours.get(flow, 0), theirs.get(flow, 0)
        if mine != its:
            raise HostError(f"ovsflow counts {mine} packets, its peer {its}: {flow}")
