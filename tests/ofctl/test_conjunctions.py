"""Conjunctions beside Open vSwitch: random clauses, and where each kind of packet leaves."""

import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovsflow import Switch
from tests.ofctl.open_vswitch import find, open_vswitch
from tests.switch.samples import V4, ethernet, ipv4

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PIPELINES = int(os.environ.get("OVSFLOW_PIPELINES", "12"))
SOURCES, DESTINATIONS, PORTS = (1, 2, 3), (1, 2, 3), (80, 81, 443)
OUTPUTS = (2, 3)
IDS = (7, 8)


def random_flows(chance: random.Random) -> list[str]:
    """Clauses of two conjunctions, flows for what they find, and others, over and under them."""
    # Which of two flows of one priority wins is nobody's promise: only clauses share theirs.
    others = chance.sample(range(10, 40), 20)
    flows: dict[str, dict[int, str]] = {}
    text = []
    # Nor is it which of two conjunctions of one priority.
    for number, priority in zip(IDS, chance.sample((15, 20, 25), len(IDS)), strict=True):
        clauses = chance.choice((2, 2, 3))
        others = [other for other in others if other != priority or chance.random() < 0.3]
        for _ in range(chance.randrange(2, 9)):
            clause = chance.randrange(clauses) + 1
            match = f"priority={priority},{random_match(chance, clause)}"
            flows.setdefault(match, {})[number] = f"conjunction({number},{clause}/{clauses})"
        # A flow for the conjunction has a higher priority than its clauses.
        above = chance.choice([other for other in others if other > priority])
        others.remove(above)
        text.append(f"priority={above},conj_id={number},udp,actions={out(chance)}")
    text += [f"{match},actions={','.join(words.values())}" for match, words in flows.items()]
    for _ in range(chance.randrange(5)):
        match = random_match(chance, chance.randrange(4))
        text.append(f"priority={others.pop()},{match},actions={out(chance)}")
    return text


def out(chance: random.Random) -> str:
    return chance.choice(("drop", *(f"output:{port}" for port in OUTPUTS)))


def random_match(chance: random.Random, clause: int) -> str:
    """A match on one dimension, at times on two."""
    dimensions = [
        f"nw_src=10.0.0.{chance.choice(SOURCES)}{chance.choice(('', '', '/31'))}",
        f"nw_dst=10.0.1.{chance.choice(DESTINATIONS)}",
        f"tp_dst={chance.choice(PORTS)}",
    ]
    words = {dimensions[clause % 3]}
    if chance.random() < 0.15:
        words.add(chance.choice(dimensions))
    return ",".join(["udp", *sorted(words)])


class Twin:
    """An Open vSwitch that is asked what it would do."""

    def __init__(self, rundir: Path, environment: dict[str, str]) -> None:
        self._rundir, self._environment = rundir, environment

    def _run(self, *words: str, given: str | None = None) -> str:
        command = [find(words[0]), *words[1:]]
        done = subprocess.run(
            command,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return done.stdout

    def replace(self, flows: list[str]) -> None:
        bridge = f"unix:{self._rundir}/br0.mgmt"
        self._run("ovs-ofctl", "-O", "OpenFlow13", "del-flows", bridge)
        self._run("ovs-ofctl", "-O", "OpenFlow13", "add-flows", bridge, "-", given="\n".join(flows))

    def outputs(self, flow: str) -> list[int]:
        """The ports that a packet leaves by."""
        told = self._run(
            "ovs-appctl", "-t", f"{self._rundir}/switch.ctl", "ofproto/trace", "br0", flow
        )
        (actions,) = re.findall(r"^Datapath actions: (.*)$", told, re.MULTILINE)
        return [] if actions == "drop" else [int(word) for word in actions.split(",")]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    rundir = tmp_path_factory.mktemp("c")
    with open_vswitch(rundir) as environment:
        yield Twin(rundir, environment)


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    with Switch("c9", ports=[f"p{n}={n}:memory" for n in (1, *OUTPUTS)], workers=0) as switch:
        yield switch


def frame(source: int, destination: int, port: int) -> bytes:
    packet = ipv4(17, bytes([0x12, 0x34]) + port.to_bytes(2, "big") + bytes([0, 8, 0, 0]))
    addresses = bytes([10, 0, 0, source, 10, 0, 1, destination])
    return ethernet(0x0800, packet.replace(V4, addresses))


@pytest.mark.parametrize("seed", range(PIPELINES))
def test_conjunctions_match_as_in_open_vswitch(switch: Switch, twin: Twin, seed: int) -> None:
    chance = random.Random(seed)
    flows = random_flows(chance)
    twin.replace(flows)
    switch.del_flows()
    for flow in flows:
        switch.add_flow(flow)
    for source in SOURCES:
        for destination in DESTINATIONS:
            for port in PORTS:
                flow = (
                    f"in_port=1,udp,nw_src=10.0.0.{source},nw_dst=10.0.1.{destination},"
                    f"udp_src=4660,udp_dst={port}"
                )
                switch.inject(1, frame(source, destination, port))
                left = [number for number in OUTPUTS if switch.receive(number)]
                assert left == twin.outputs(flow), "\n".join([flow, *flows])
