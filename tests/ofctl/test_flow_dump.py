"""The short way from bytes to text prints what the long way prints, whatever the flow."""

import pytest

from ovsflow.errors import DecodeError, ParseError
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_stats_entry import FlowStats, decode_flows, encode_flow
from ovsflow.openflow.text.flow_dump import FlowDump
from ovsflow.openflow.text.flow_text import flow_stats_words
from ovsflow.openflow.text.names import NUMBERS, Names
from ovsflow.openflow.text.paint import PLAIN
from ovsflow.openflow.text.parse import parse_flow
from tests.ofctl.flow_maker import FlowMaker

FLOWS = 600


def flow_bytes(seed: int, version: int) -> bytes | None:
    """A random flow in a reply; `None` where the line cannot be said in the version."""
    try:
        flow = parse_flow(FlowMaker(seed, version).flow(), version=version)
    except ParseError:
        return None
    return encode_flow(
        FlowStats(
            flow.match,
            flow.instructions,
            flow.table_id,
            flow.priority,
            flow.cookie,
            seed,
            seed * 1_000_000,
            flow.idle_timeout,
            flow.hard_timeout,
            idle_age=seed * 3 if version >= Version.OF15 and seed % 5 else None,
            flags=flow.flags,
            importance=flow.importance,
            packet_count=seed if seed % 7 else None,
            byte_count=seed * 60,
        ),
        version,
    )


@pytest.mark.parametrize("version", [Version.OF13, Version.OF14, Version.OF15])
@pytest.mark.parametrize("names", [NUMBERS, Names({1: "p1", 2: "a port"}, {0: "first", 3: "x{}"})])
@pytest.mark.parametrize("stats", [True, False])
def test_bytes_print_as_the_flow_they_mean(version: int, names: Names, stats: bool) -> None:
    dump = FlowDump(version, names, stats)
    compared = 0
    for seed in range(FLOWS):
        data = flow_bytes(seed, version)
        if data is None:
            continue
        (flow,) = decode_flows(data, version)
        expected = flow_stats_words(flow, version, names, PLAIN, stats)
        # The second time everything is remembered.
        assert [*dump.lines(data), *dump.lines(data + data)] == [expected] * 3
        compared += 1
    assert compared > FLOWS * 0.8


@pytest.mark.parametrize("version", [Version.OF13, Version.OF15])
def test_bytes_that_no_flow_can_have_are_refused_as_ever(version: int) -> None:
    dump = FlowDump(version)
    for seed in range(100):
        data = flow_bytes(seed, version)
        if data is None:
            continue
        list(dump.lines(data))
        for at in range(0, len(data), 3):
            broken = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
            try:
                flows = decode_flows(broken, version)
                expected = [flow_stats_words(flow, version) for flow in flows]
            except DecodeError:
                continue  # What is cut short may also be found out later, or not at all.
            try:
                assert list(dump.lines(broken)) == expected
            except DecodeError as error:
                pytest.fail(f"{broken.hex()}: {error}")
