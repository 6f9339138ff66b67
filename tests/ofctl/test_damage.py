"""Text that is not the language: always an error with a place in the text, never another end."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsflow.errors import ParseError
from ovsflow.openflow.constants import (
    FlowModCommand,
    GroupModCommand,
    MeterModCommand,
    Version,
)
from ovsflow.openflow.text import parse
from ovsflow.openflow.text.flow_text import flow_mod_words
from ovsflow.openflow.text.render import render_actions, render_flow, render_match
from tests.ofctl.flow_maker import FlowMaker
from tests.ofctl.goldens import FLOW_LINES, GROUP_LINES, lines

VERSIONS = st.sampled_from((Version.OF10, Version.OF13, Version.OF14, Version.OF15))
PIECES = st.sampled_from(
    (*tuple("=:,()[]->./+|*#\"'\\ \t0x"), "->", "..", "actions=", "0x", "-1", "é", "\x00")
)
SEEDS = st.integers(0, 1 << 30)


def damaged(line: str, places: list[tuple[int, int, str]]) -> str:
    """A line with some of its letters replaced."""
    for start, length, instead in places:
        at = start % (len(line) + 1)
        line = line[:at] + instead + line[at + length :]
    return line


DAMAGE = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 8), st.one_of(PIECES, st.text(max_size=4))),
    max_size=4,
)


def reads_or_points(read: Callable[[], object], text: str) -> None:
    found: ParseError | None = None
    try:
        read()
    except ParseError as error:
        found = error
    if found is not None:
        assert found.text == text
        assert found.column is None or 0 <= found.column <= len(text)


@given(SEEDS, VERSIONS, DAMAGE)
def test_damaged_flow_is_read_or_its_place_told(
    seed: int, version: int, damage: list[tuple[int, int, str]]
) -> None:
    text = damaged(FlowMaker(seed, version).flow(), damage)
    reads_or_points(lambda: parse.parse_flow(text, None, version), text)
    reads_or_points(lambda: parse.parse_flow_filter(text, version), text)
    reads_or_points(lambda: parse.parse_packet_out(text, version), text)


@given(st.sampled_from(lines(FLOW_LINES)), VERSIONS, DAMAGE)
def test_damaged_golden_is_read_back_if_it_is_read(
    line: str, version: int, damage: list[tuple[int, int, str]]
) -> None:
    text = damaged(line, damage)
    with contextlib.suppress(ParseError):
        flow = parse.parse_flow(text, FlowModCommand.ADD, version)
        printed = render_flow(flow, version)
        assert parse.parse_flow(printed, FlowModCommand.ADD, version) == flow, printed
        assert flow_mod_words(flow, version)


@given(st.sampled_from(lines(GROUP_LINES)), VERSIONS, DAMAGE)
def test_damaged_group_is_read_or_its_place_told(
    line: str, version: int, damage: list[tuple[int, int, str]]
) -> None:
    text = damaged(line, damage)
    for command in (None, GroupModCommand.DELETE, GroupModCommand.INSERT_BUCKET):
        reads_or_points(lambda c=command: parse.parse_group(text, c, version), text)


METERS = (
    "meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100",
    "meter=all pktps bands=type=dscp_remark,rate=5,prec_level=2,type=drop,rate=7",
    "meter=controller",
)


@given(st.sampled_from(METERS), DAMAGE)
def test_damaged_meter_is_read_or_its_place_told(
    line: str, damage: list[tuple[int, int, str]]
) -> None:
    text = damaged(line, damage)
    for command in (None, MeterModCommand.ADD, MeterModCommand.DELETE):
        reads_or_points(lambda c=command: parse.parse_meter(text, c), text)


@given(st.text(max_size=60), VERSIONS)
def test_any_text_is_read_or_its_place_told(text: str, version: int) -> None:
    reads_or_points(lambda: parse.parse_match(text, version), text)
    reads_or_points(lambda: parse.parse_actions(text, version), text)
    reads_or_points(lambda: parse.parse_instructions(text, version), text)


@given(SEEDS, VERSIONS)
def test_parts_are_read_back_alone(seed: int, version: int) -> None:
    with contextlib.suppress(ParseError):
        flow = parse.parse_flow(FlowMaker(seed, version).flow(), version=version)
        assert parse.parse_match(render_match(flow.match), version) == flow.match
        # Alone, a list does not know the packet: writes to a tag or a port may read differently.
        text = render_actions(flow.instructions.apply, version)
        again = parse.parse_actions(text, version)
        assert render_actions(again, version) == text or "mod_tp_" in text or "vlan" in text


@pytest.mark.parametrize("line", METERS[:2])
def test_meter_is_read_back(line: str) -> None:
    from ovsflow.openflow.text.render import render_meter

    meter = parse.parse_meter(line)
    assert parse.parse_meter(render_meter(meter)) == meter
