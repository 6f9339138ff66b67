"""Thousands of random flows: what we print is what ovs-ofctl prints, and reads back the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from ovsflow.errors import DecodeError, ParseError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.text.flow_text import flow_mod_words
from ovsflow.openflow.text.keys import canonical
from ovsflow.openflow.text.parse import parse_flow
from ovsflow.openflow.text.render import render_flow
from tests.ofctl.flow_maker import FlowMaker
from tests.ofctl.oracle import VERSIONS, printed_flows

FLOWS = 5000
"""Flows for each of the four versions."""


def ours(flow: str, version: int) -> str:
    try:
        return flow_mod_words(parse_flow(flow, version=version), version)
    except ParseError as error:
        return f"error: {error}"


@pytest.mark.system
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", VERSIONS)
def test_random_flows_print_as_ovs_ofctl_prints_them(version: int, tmp_path: Path) -> None:
    flows = [FlowMaker(seed, version).flow() for seed in range(FLOWS)]
    different = []
    compared = 0
    for flow, theirs in zip(flows, printed_flows(version, flows, tmp_path), strict=True):
        # ovs-ofctl cannot read back some messages that it makes itself.
        if theirs is None or "decode error" in theirs:
            continue
        compared += 1
        if ours(flow, version) != theirs:
            different.append(f"{flow}\n  ours   {ours(flow, version)}\n  theirs {theirs}")
    assert not different, "\n".join(different[:5])
    assert compared > FLOWS * 0.9


@pytest.mark.parametrize("version", VERSIONS)
def test_random_flows_are_read_back_from_what_is_printed(version: int) -> None:
    read = 0
    for seed in range(1000):
        line = FlowMaker(seed, version).flow()
        try:
            flow = parse_flow(line, version=version)
        except ParseError:
            continue
        read += 1
        assert parse_flow(render_flow(flow, version), version=version) == flow, line
    assert read > 900


@pytest.mark.parametrize("version", VERSIONS)
def test_random_flows_print_the_same_after_the_wire(version: int) -> None:
    compared = 0
    for seed in range(1000):
        line = FlowMaker(seed, version).flow()
        try:
            flow = parse_flow(line, version=version)
        except ParseError:
            continue
        try:
            # OpenFlow 1.0's own match has no masks for VLANs; Nicira's says everything.
            old = version == Version.OF10
            sent = replace(flow, table_in_command=old, nicira=old)
            there = codec.decode(codec.encode(sent, version)).body
        except DecodeError:
            # A match that says too little for one of its fields (ports of later fragments) is
            # sent all the same: the switch is to answer, as with ovs-ofctl.
            continue
        compared += 1
        assert isinstance(there, FlowMod)
        assert flow_mod_words(there, version) == flow_mod_words(flow, version), line
        assert canonical(there.match, Version(version)) == flow.match, line
    assert compared > 900
