"""Every golden prints and fails as it does with ovs-ofctl, in every version."""

import json
from typing import cast

import pytest

from ovsflow.errors import ParseError
from ovsflow.openflow.constants import Version
from ovsflow.openflow.text.flow_text import flow_mod_words
from ovsflow.openflow.text.group_text import group_mod_words
from ovsflow.openflow.text.parse import parse_flow, parse_group
from ovsflow.openflow.text.render import render_flow, render_group
from tests.ofctl.goldens import FLOWS, GROUPS
from tests.ofctl.oracle import VERSIONS

Golden = dict[str, dict[str, str]]

# Where we differ on purpose, by a part of the line.
DIFFERENT = {
    "write_actions(": "OpenFlow 1.0 has no instructions; ovs-ofctl drops them without a word",
    "clear_actions": "OpenFlow 1.0 has no instructions; ovs-ofctl drops them without a word",
    "selection_method": "ovs-ofctl drops it without a word before OpenFlow 1.5",
    "table=5,actions=goto_table:5": "OpenFlow 1.0: it is a resubmit, which may go anywhere",
    "actions=set_field:5->tcp_dst": "OpenFlow 1.0: a no-op where the packet has no such port",
}


def load(path: object) -> Golden:
    with open(str(path)) as file:
        return cast(Golden, json.load(file))


def cases(golden: Golden) -> list[tuple[str, Version, str]]:
    return [
        (line, version, printed[name])
        for line, printed in golden.items()
        for version, name in VERSIONS.items()
        if name in printed
    ]


def differs(line: str) -> bool:
    return any(part in line for part in DIFFERENT)


def printed_flow(line: str, version: Version) -> str:
    """What we print, if it is read back the same; or the error."""
    try:
        flow = parse_flow(line, version=version)
    except ParseError as error:
        return f"error: {error}"
    again = parse_flow(render_flow(flow, version), version=version)
    return flow_mod_words(flow, version) if again == flow else f"read back as {again}"


def printed_group(line: str, version: Version) -> str:
    """What we print, if it is read back the same; or the error."""
    try:
        group = parse_group(line, version=version)
    except ParseError as error:
        return f"error: {error}"
    again = parse_group(render_group(group, version), version=version)
    return group_mod_words(group, version) if again == group else f"read back as {again}"


@pytest.mark.parametrize(("line", "version", "expected"), cases(load(FLOWS)))
def test_flow_is_what_ovs_ofctl_prints(line: str, version: Version, expected: str) -> None:
    printed = printed_flow(line, version)
    if printed.startswith("error: ") and expected == "error: no usable protocol":
        return  # It tells what a version lacks in these words; we say what it lacks.
    assert printed == expected or differs(line)


@pytest.mark.parametrize(("line", "version", "expected"), cases(load(GROUPS)))
def test_group_is_what_ovs_ofctl_prints(line: str, version: Version, expected: str) -> None:
    assert printed_group(line, version) == expected or differs(line)
