"""The frames in tests/data/os_ken_frames.txt."""

from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent.parent / "data" / "os_ken_frames.txt"


@cache
def frames() -> dict[str, bytes]:
    """Frames by name (`of13/4-2-ofp_flow_mod`)."""
    lines = (line.split() for line in _FILE.read_text().splitlines() if not line.startswith("#"))
    return {name: bytes.fromhex(data) for name, data in lines}
