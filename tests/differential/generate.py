"""Random pipelines: tables, groups, changes to them, and packets that hit them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ovsflow.errors import EncodeError, ParseError
from ovsflow.openflow.constants import Version
from tests.differential.actions import METERS, TABLES, ActionMaker
from tests.differential.conjunctions import conjunctive_flows
from tests.differential.frames import random_frame
from tests.differential.groups import GroupMaker
from tests.differential.matches import KINDS, Known, random_match
from tests.differential.pipeline import Arrival, Change, Pipeline, Step
from tests.differential.subject import LOCAL
from tests.differential.underlay import TUNNEL, random_outer
from tests.differential.values import Chance

NO_TABLE = -1
VERSION_MIX = (Version.OF13,) * 6 + (Version.OF10,) * 2 + (Version.OF14, Version.OF15)


def random_pipeline(seed: int | str, *, tunnels: bool = False) -> Pipeline:
    """The pipeline of a seed; with `tunnels` it is about them for certain."""
    return _Maker(Chance(seed), tunnels).pipeline()


class _Maker:
    """Makes one pipeline."""

    def __init__(self, chance: Chance, tunnels: bool) -> None:
        self.chance = chance
        self.kinds = [chance.pick(KINDS) for _ in range(1 + chance.below(4))]
        self.learns = chance.often(0.1)
        self.truncates = chance.often(0.2)
        # Three tags are more than either switch knows what to do with: seldom, and on purpose.
        self.deep = chance.often(0.04)
        self.pushing_table = chance.pick((0, 0, 1, 2, 3, NO_TABLE, NO_TABLE))
        self.most_tags = 3 if self.deep else 2 if self.pushing_table == NO_TABLE else 1
        self.groups = GroupMaker(chance, self.truncates, self.deep)
        self.metered = False
        self.priorities: dict[tuple[object, ...], int] = {}
        # Open vSwitch spoils 802.2 frames when it pushes a label.
        self.snap = chance.often(0.3)
        self.short = chance.often(0.3)
        # NORMAL takes tags off, which Open vSwitch does not do before it truncates.
        self.normal = chance.often(0.1) and not self.truncates
        self.meters = METERS if chance.often(0.1) else ()
        self.conjunctions = chance.often(0.12)
        self.bundles = chance.often(0.12)
        self.tunnels = chance.often(0.2) or tunnels

    def pipeline(self) -> Pipeline:
        """Some steps."""
        chance = self.chance
        steps = []
        for number in range(1 + chance.below(3)):
            changes = self.meter_changes() if self.meters else []
            if chance.often(0.4 if number else 0.5):
                changes += self.groups.changes(self.sendable)
            count = 4 + chance.below(4) if number else 8 + chance.below(16)
            changes += [self.sendable(partial(self.flow_change, number)) for _ in range(count)]
            if self.conjunctions:
                changes += self.conjunction()
            if self.bundles:
                changes = self.bundled(changes)
            steps.append(Step(changes, self.arrivals(20 + chance.below(20))))
        # What Open vSwitch keeps for one packet of MPLS gives others its label.
        singly = self.learns or not {"any", "mpls", "mplsm"}.isdisjoint(self.kinds)
        singly |= self.normal or bool(self.meters)
        return Pipeline(steps, singly)

    def arrivals(self, count: int) -> list[Arrival]:
        """Packets, those of a port together."""
        chance = self.chance
        found = [self.arrival() for _ in range(count)]
        # The same packet again is what a cache is for.
        found += [chance.pick(found) for _ in range(count // 4)]
        return sorted(found, key=lambda one: one.port)

    def arrival(self) -> Arrival:
        """A packet, at times in a tunnel."""
        chance = self.chance
        # Open vSwitch takes the ECN of broken headers for 0.
        congested = self.tunnels and chance.often(0.03)
        short = self.short and not congested
        frame = random_frame(chance, self.kind(), self.snap, short, self.most_tags)
        if congested or (self.tunnels and chance.often(0.4)):
            return Arrival(TUNNEL, random_outer(chance, frame, congested))
        return Arrival(chance.pick((1, 1, 2, 2, 3, 4, LOCAL)), frame)

    def kind(self) -> str:
        """A kind of packet that this pipeline is about."""
        return self.chance.pick(self.kinds)

    def sendable(self, make: Callable[[], Change]) -> Change:
        """A message that the flow language and its version can say."""
        while True:
            change = make()
            try:
                change.message(0)
            except (ParseError, EncodeError):
                continue
            return change

    def flow_change(self, number: int) -> Change:
        """A FLOW_MOD; in later steps also changes of what is there."""
        chance = self.chance
        version = chance.pick(VERSION_MIX)
        table = chance.pick((0, 0, 0, *range(TABLES)))
        kind = chance.pick((self.kind(), self.kind(), "any"))
        words, known = random_match(chance, kind, table, self.tunnels)
        command = "add"
        if chance.often(0.5 if number else 0.05):
            command = chance.pick(("modify", "modify_strict", "delete", "delete_strict"))
            words = words[: chance.below(len(words) + 1)] if chance.often(0.7) else words
            known = known if words and version != Version.OF10 else Known()
        strict = command in ("add", "modify_strict", "delete_strict")
        head = [f"table={table}"] if table or chance.often(0.5) else []
        if strict:
            # What this word says differs between versions, and so does the match.
            apart = ["1.0"] if version == Version.OF10 and "vlan_tci=0x0000" in words else []
            head.append(f"priority={self.priority(table, [*words, *apart])}")
        if command.startswith("delete"):
            return Change(version, "flow", f"{command} {','.join([*head, *words])}".strip())
        head += self.keys(version, command)
        maker = ActionMaker(
            chance,
            version,
            table,
            known,
            self.groups.alive,
            self.learns,
            pushes_mpls=not self.snap,
            pushes_tags=table == self.pushing_table and command != "modify",
            deep=self.deep,
            truncates=self.truncates,
            short=self.short,
            normal=self.normal,
            meters=self.meters,
            tunnels=self.tunnels,
        )
        line = ",".join([*head, *words, f"actions={maker.instructions()}"])
        if command == "modify" and version == Version.OF10 and "mod_vlan" in line:
            return self.flow_change(number)
        return Change(version, "flow", f"{command} {line}")

    def priority(self, table: int, words: list[str]) -> int:
        """The priority of a match: no two have the same, since it is nobody's promise which wins.

        Even numbers are for flows, odd ones for what learn makes.
        """
        match = (table, *sorted(words))
        while match not in self.priorities:
            number = self.chance.below(32768) * 2
            if number not in self.priorities.values():
                self.priorities[match] = number
        return self.priorities[match]

    def keys(self, version: int, command: str) -> list[str]:
        """Cookie, timeouts and flags."""
        chance = self.chance
        words = chance.some(
            0.2,
            lambda: f"cookie={chance.below(9):#x}",
            lambda: f"idle_timeout={3000 + chance.below(9)}",
            lambda: f"hard_timeout={3000 + chance.below(9)}",
        )
        if command == "add":
            words += chance.some(0.05, lambda: "check_overlap")
        if version >= Version.OF13:
            words += chance.some(0.1, lambda: "reset_counts")
        return words

    def conjunction(self) -> list[Change]:
        """The flows of one conjunction, and where they lead."""
        chance = self.chance
        table, number = chance.pick((0, 0, *range(TABLES))), 1 + chance.below(9)
        version = chance.pick((Version.OF10, Version.OF13, Version.OF14, Version.OF15))
        priority = self.priority(table, ["conjunction", str(number)])
        lines = conjunctive_flows(chance, table, priority, number)
        maker = ActionMaker(chance, version, table, Known("ip"), self.groups.alive)
        target = self.priority(table, [f"conj_id={number}"])
        lines.append(
            f"add table={table},priority={target},conj_id={number},ip,"
            f"actions={maker.instructions()}"
        )
        return [self.sendable(partial(Change, version, "flow", line)) for line in lines]

    def meter_changes(self) -> list[Change]:
        """METER_MODs; what they let through does not depend on the time that passes."""
        changes = []
        for meter in self.meters:
            if self.metered:
                changes.append(Change(Version.OF13, "meter", f"delete meter={meter}"))
            changes.append(self.meter("add", meter))
            if self.chance.often(0.2):
                changes.append(self.meter("modify", meter))
        self.metered = True
        return changes

    def meter(self, command: str, meter: int) -> Change:
        """A meter that passes so many packets and no more, or any number."""
        chance = self.chance
        rates = [f"type=drop,rate=1,burst_size={1 + chance.below(12)}"]
        if chance.often(0.3):
            rates.append(f"type=drop,rate=2,burst_size={1 + chance.below(12)}")
        kind = "pktps,burst"
        if chance.often(0.3):
            kind, rates = "kbps,burst", ["type=drop,rate=1000,burst_size=1000000"]
        text = f"{command} meter={meter},{kind},stats,bands={' '.join(rates)}"
        return Change(Version.OF13, "meter", text)

    def bundled(self, changes: list[Change]) -> list[Change]:
        """The changes, some runs of one version in a bundle."""
        number, bundled = 0, []
        before = None
        for change in changes:
            fits = change.version >= Version.OF13 and change.kind != "meter"
            if not fits:
                before = None
            elif change.version != before or change.is_loose() or self.chance.often(0.2):
                number, before = number + 1, change.version
            bundled.append(replace(change, bundle=number if fits else 0))
        return bundled
