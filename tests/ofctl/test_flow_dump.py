"""The short way from bytes to text prints what the long way prints, whatever the flow."""

import random
from collections.abc import Iterator

import pytest

from ofctl.jsonform import flow_form
from ovsflow.errors import DecodeError, ParseError
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_stats_entry import FlowStats, decode_flows, encode_flow
from ovsflow.openflow.text.flow_dump import FlowDump, split_flows
from ovsflow.openflow.text.flow_forms import Form, number_form, text_form
from ovsflow.openflow.text.flow_places import places_of
from ovsflow.openflow.text.flow_text import flow_stats_words
from ovsflow.openflow.text.keys import field_value
from ovsflow.openflow.text.names import NUMBERS, Names
from ovsflow.openflow.text.paint import COLOURED, PLAIN
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


def texts(dump: FlowDump, data: bytes) -> list[str]:
    """What flows back to back read as."""
    return [dump.text(record) for record in split_flows(data)]


@pytest.mark.parametrize("version", [Version.OF13, Version.OF14, Version.OF15])
@pytest.mark.parametrize("names", [NUMBERS, Names({1: "p1", 2: "a port"}, {0: "first", 3: "x{}"})])
@pytest.mark.parametrize("stats", [True, False])
def test_bytes_print_as_the_flow_they_mean(version: int, names: Names, stats: bool) -> None:
    dump = FlowDump(version, text_form(version, names, PLAIN, stats))
    compared = 0
    for seed in range(FLOWS):
        data = flow_bytes(seed, version)
        if data is None:
            continue
        (flow,) = decode_flows(data, version)
        expected = flow_stats_words(flow, version, names, PLAIN, stats)
        # The second time its mold is made, and the third time used.
        assert [*texts(dump, data), *texts(dump, data + data)] == [expected] * 3
        compared += 1
    assert compared > FLOWS * 0.8


NAMES = Names({1: "p1", 2: 'a "port"'}, {0: "first", 3: "x{}%s"})
NUMBERS_OF = ("in_port", "nw_src", "tun_id", "reg1", "dl_vlan", "tp_dst", "dl_src", "ipv6_dst")


def forms(version: int) -> Iterator[Form]:
    """Every kind of text that is made of flows."""
    yield text_form(version)
    yield text_form(version, NAMES, COLOURED)
    yield text_form(version, NAMES, stats=False)
    yield flow_form(version)
    yield flow_form(version, NAMES)
    yield number_form(lambda flow: flow.priority)
    for name in NUMBERS_OF:
        yield number_form(lambda flow, name=name: field_value(flow.match, name))  # type: ignore[misc]


def varied(record: bytes, version: int, chance: random.Random) -> bytes:
    """A flow of the same shape, or nearly, with other values: usual ones and borders."""
    changed = bytearray(record)
    places = places_of(record, version)
    assert places is not None
    for place in places:
        whole = 8 * place.size
        choices = [0, 1, 1 << (whole - 1), (1 << whole) - 1, chance.getrandbits(whole)]
        value = chance.choice([*choices, 0xFFFFFFFD & ((1 << whole) - 1), chance.getrandbits(8)])
        changed[place.at : place.at + place.size] = value.to_bytes(place.size, "big")
    return bytes(changed)


@pytest.mark.parametrize("version", [Version.OF13, Version.OF14, Version.OF15])
def test_flows_of_one_shape_print_as_each_by_itself(version: int) -> None:
    chance = random.Random(version)
    dumps = [FlowDump(version, form) for form in forms(version)]
    for seed in range(FLOWS // 4):
        data = flow_bytes(seed, version)
        if data is None:
            continue
        for record in (data, *(varied(data, version, chance) for _ in range(6))):
            try:
                (flow,) = decode_flows(record, version)
            except DecodeError:
                continue  # A value that its field cannot have.
            for dump in dumps:
                assert dump.text(record) == dump.form.render(flow), record.hex()


@pytest.mark.parametrize("version", [Version.OF13, Version.OF15])
def test_bytes_that_no_flow_can_have_are_refused_as_ever(version: int) -> None:
    dump = FlowDump(version, text_form(version))
    for seed in range(100):
        data = flow_bytes(seed, version)
        if data is None:
            continue
        texts(dump, data)
        for at in range(0, len(data), 3):
            broken = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
            try:
                flows = decode_flows(broken, version)
                expected = [flow_stats_words(flow, version) for flow in flows]
            except DecodeError:
                continue  # What is cut short may also be found out later, or not at all.
            try:
                assert texts(dump, broken) == expected
            except DecodeError as error:
                pytest.fail(f"{broken.hex()}: {error}")
