"""The switch under test: one `Datapath` without threads, with memory ports."""

import json
import struct
from types import TracebackType
from typing import Self

from ovsflow.datapath import Datapath
from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import (
    ALL_TABLES,
    FlowModCommand,
    GroupModCommand,
    MeterModCommand,
    Version,
)
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.flow_stats import FlowStatsRequest
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.group_mod import GroupMod
from ovsflow.openflow.group_stats import GroupStatsRequest
from ovsflow.openflow.meter_stats import MeterStatsRequest
from ovsflow.openflow.modify import MeterMod
from ovsflow.openflow.multipart import StatsRequest
from tests.differential.outcome import COMMIT, Happened, Outcome, read_errors
from tests.differential.pipeline import Arrival, Change, Pipeline, Step, runs
from tests.differential.story import Story, read_story

LOCAL = 0xFFFFFFFE
PORTS = (1, 2, 3, 4, LOCAL)
ALL_GROUPS = 0xFFFFFFFC
ALL_METERS = 0xFFFFFFFF
FORGETTING_NS = 400 * 10**9
IN_PORT = 0x80000004
"""Header of OXM_OF_IN_PORT."""

CLEAN = tuple(
    encode(body, Version.OF13)
    for body in (
        FlowMod(command=FlowModCommand.DELETE, table_id=ALL_TABLES),
        GroupMod(command=GroupModCommand.DELETE, group_id=ALL_GROUPS),
        MeterMod(MeterModCommand.DELETE, meter_id=ALL_METERS),
    )
)
"""Messages that leave a switch without flows, groups and meters."""


class Subject:
    """Runs pipelines on the switch under test."""

    def __init__(self, compat: str = "ovs") -> None:
        self.datapath = Datapath("subject", workers=0)
        for number in PORTS:
            self.datapath.add_port(number, f"m{number}", "memory", {}, 0)
        self.datapath.configure(
            {
                "packet_in_rate": 0,
                "controllers_connected": True,
                "invalid_ttl_to_controller": True,
                "compat": compat,
            }
        )
        self.now = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.datapath.close()

    def run(self, pipeline: Pipeline, closely: bool = False) -> Outcome:
        """What the switch does with a pipeline, from empty tables.

        With `closely` it is traced which packets had a label popped.
        """
        self._clean()
        steps = [self._step(step, closely) for step in pipeline.steps]
        requests = FlowStatsRequest(), GroupStatsRequest(), MeterStatsRequest(ALL_METERS)
        return Outcome(steps, *map(self._query, requests))

    def _clean(self) -> None:
        """Empties the tables and forgets the addresses that NORMAL has learned, by their age."""
        self.datapath.apply(Version.OF13, b"".join(CLEAN), self.now)
        self.now += FORGETTING_NS
        self.datapath.tick(self.now)

    def fates(self, pipeline: Pipeline) -> list[list[tuple[Story, set[str]]]]:
        """For each packet of each step its story, and why it or a copy of it was dropped."""
        self._clean()
        found = []
        for step in pipeline.steps:
            self._change(step.changes)
            found.append([self._fate(arrival) for arrival in step.arrivals])
            for number in PORTS:
                self.datapath.receive(number)
        return found

    def _story(self, arrival: Arrival) -> Story:
        in_port = struct.pack("!II", IN_PORT, arrival.port)
        return read_story(arrival, self.datapath.trace(in_port, arrival.frame, self.now))

    def _fate(self, arrival: Arrival) -> tuple[Story, set[str]]:
        story = self._story(arrival)
        before = self._drops()
        self.now += 1000
        self.datapath.execute(arrival.port, arrival.frame, self.now)
        self._packet_ins()
        after = self._drops()
        dropped = {reason for reason, count in after.items() if count != before.get(reason, 0)}
        return story, dropped

    def _drops(self) -> dict[str, int]:
        drops = json.loads(self.datapath.statistics())["drops"]
        assert isinstance(drops, dict)
        return drops

    def _step(self, step: Step, closely: bool) -> Happened:
        happened = Happened(self._change(step.changes))
        for arrival in step.arrivals:
            pops = closely and self._story(arrival).pops_label()
            self.now += 1000
            self.datapath.execute(arrival.port, arrival.frame, self.now)
            packet_ins = self._packet_ins()
            happened.packet_ins += packet_ins
            happened.popped += [pops] * len(packet_ins)
        sent = {number: self.datapath.receive(number) for number in PORTS}
        happened.sent = {number: frames for number, frames in sent.items() if frames}
        return happened

    def _change(self, changes: list[Change]) -> dict[int, str]:
        errors: dict[int, str] = {}
        for version, bundle, run in runs(changes):
            messages = [change.message(xid) for xid, change in run]
            if bundle:
                errors |= self._bundle(version, bundle, messages)
                continue
            reply = self.datapath.apply(version, b"".join(messages), self.now, table_ids=True)
            errors |= read_errors(Framer().feed(reply), version)
        return errors

    def _bundle(self, version: int, bundle: int, messages: list[bytes]) -> dict[int, str]:
        """Commits messages together, as a session does; those that make no sense are not taken."""
        refused = {one: self.datapath.check(version, one) for one in messages}
        taken = b"".join(one for one in messages if not refused[one])
        failed = self.datapath.apply(version, taken, self.now, atomic=True)
        errors = b"".join(refused.values()) + failed
        found = read_errors(Framer().feed(errors), version)
        return found | ({COMMIT + bundle: "OFPBFC_MSG_FAILED"} if failed else {})

    def _packet_ins(self) -> list[bytes]:
        found = []
        while events := self.datapath.events(64):
            for event in events:
                if event.kind == "packet_in" and event.controller_id == 0:
                    found.append(event.encode(Version.OF13, format="nxt_packet_in2")[16:])
        return found

    def _query(self, body: StatsRequest) -> list[bytes]:
        request = encode(body, Version.OF13, 1)
        messages: list[bytes] = []
        cursor: int | None = 0
        while cursor is not None:
            reply, cursor = self.datapath.query(Version.OF13, request, self.now, cursor)
            messages += Framer().feed(reply)
        return messages
