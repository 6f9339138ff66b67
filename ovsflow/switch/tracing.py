"""Asks the datapath what would become of a packet, described by a flow's text."""

import json
import time
from typing import Protocol

from ovsflow.openflow.constants import Version
from ovsflow.openflow.match_codec import encode_tlvs
from ovsflow.openflow.text.names import Names
from ovsflow.openflow.text.parse import parse_match


class Tracer(Protocol):
    """The part of `ovsflow.datapath.Datapath` that traces."""

    def trace(self, match: bytes, frame: bytes | None, now_ns: int) -> str:
        """Walks the tables and tells the walk as JSON."""


def trace(datapath: Tracer, flow: str, frame: bytes | None, names: Names) -> dict[str, object]:
    """Walks the tables without touching anything.

    Args:
        datapath: Where.
        flow: The packet's fields as `ovs-ofctl` writes a match (`in_port=1,tcp,tp_dst=80`).
        frame: The packet itself, or `None` for one made up from the fields.
        names: Names of ports that the text may use.

    Raises:
        ParseError: The text is no match.
    """
    match = parse_match(flow, Version.OF13, names)
    told: dict[str, object] = json.loads(
        datapath.trace(encode_tlvs(match, Version.OF13), frame, time.monotonic_ns())
    )
    return told
