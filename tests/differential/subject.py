"""The switch under test: one `Datapath` without threads, with memory ports."""

from dataclasses import replace

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
from ovsflow.openflow.match_codec import encode_tlvs
from ovsflow.openflow.meter_stats import MeterStatsRequest
from ovsflow.openflow.modify import MeterMod
from ovsflow.openflow.multipart import StatsRequest
from ovsflow.openflow.text.parse import parse_match
from tests.differential.outcome import COMMIT, Emitted, Happened, Outcome, Sent, read_errors
from tests.differential.pipeline import Arrival, Change, Pipeline, Step, runs
from tests.differential.story import Story, read_story
from tests.differential.underlay import (
    CONGESTED,
    TUNNEL,
    WIRES,
    is_carried,
    is_second,
    marked,
    read_outer,
    told,
)

LOCAL = 0xFFFFFFFE
PORTS = (1, 2, 3, 4, LOCAL)
ALL_GROUPS = 0xFFFFFFFC
ALL_METERS = 0xFFFFFFFF
FORGETTING_NS = 400 * 10**9

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
        flow_based = dict.fromkeys(("local_ip", "remote_ip", "key"), "flow")
        self.datapath.add_port(TUNNEL, "vx", "vxlan", flow_based | {"backend": "memory"}, 0)
        self.datapath.configure(
            {
                "packet_in_rate": 0,
                "controllers_connected": True,
                "invalid_ttl_to_controller": True,
                "compat": compat,
            }
        )
        self.now = 0

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

    def stories(self, pipeline: Pipeline) -> list[list[Story]]:
        """The story of each packet of each step."""
        self._clean()
        found = []
        for step in pipeline.steps:
            self._change(step.changes)
            stories = []
            for arrival in step.arrivals:
                stories.append(self._story(arrival))
                self._arrive(arrival)
            found.append(stories)
        return found

    def _story(self, arrival: Arrival) -> Story:
        """The story of a packet; it does not tell whether a port takes it."""
        text, frame = f"in_port={arrival.port}", arrival.frame
        if arrival.port == TUNNEL:
            outer = read_outer(frame)
            text, frame = f"{text},{outer.metadata()}", outer.inner
            if outer.ecn == CONGESTED:
                story = self._told(arrival, text, marked(frame))
                plain = self._told(arrival, text, frame)
                return replace(story, frame=frame, mark_decides=story.first != plain.first)
        return self._told(arrival, text, frame)

    def _told(self, arrival: Arrival, text: str, frame: bytes) -> Story:
        match = encode_tlvs(parse_match(text), Version.OF13)
        return read_story(arrival, frame, self.datapath.trace(match, frame, self.now))

    def _step(self, step: Step, closely: bool) -> Happened:
        happened = Happened(self._change(step.changes))
        for arrival in step.arrivals:
            pops = closely and self._story(arrival).pops_label()
            happened.emitted.append(self._arrive(arrival, pops))
        return happened

    def _arrive(self, arrival: Arrival, pops: bool = False) -> Emitted:
        self.now += 1000
        self.datapath.execute(arrival.port, arrival.frame, self.now)
        return Emitted(self._sent(), self._packet_ins(), pops)

    def _sent(self) -> Sent:
        """Frames by port since the last time; those of the tunnel as the underlay carries them."""
        sent = {number: self.datapath.receive(number) for number in PORTS}
        for frame in filter(is_carried, self.datapath.receive(TUNNEL)):
            sent.setdefault(WIRES[is_second(frame)], []).append(told(frame, ours=True))
        return {number: frames for number, frames in sent.items() if frames}

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
