"""Recorded messages: tests/data/os_ken_frames.txt and flow_mods.txt."""

from functools import cache
from pathlib import Path

_DATA = Path(__file__).parent.parent / "data"


@cache
def frames() -> dict[str, bytes]:
    """Frames by name (`of13/4-2-ofp_flow_mod`)."""
    lines = (
        line.split()
        for line in (_DATA / "os_ken_frames.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    return {name: bytes.fromhex(data) for name, data in lines}


@cache
def flow_mods() -> tuple[tuple[str, bytes, str], ...]:
    """What `ovs-ofctl` sends: version (`13`), message, what was typed."""
    lines = (_DATA / "flow_mods.txt").read_text().splitlines()
    rows = (line.split(" ", 2) for line in lines if not line.startswith("#"))
    return tuple((version, bytes.fromhex(data), text) for version, data, text in rows)
