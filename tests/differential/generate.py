"""Random pipelines: tables, groups, changes to them, and packets that hit them."""

from collections.abc import Callable
from functools import partial

from ovsflow.errors import EncodeError, ParseError
from ovsflow.openflow.constants import Version
from tests.differential.actions import GROUPS, TABLES, ActionMaker
from tests.differential.frames import random_frame
from tests.differential.matches import KINDS, Known, random_match
from tests.differential.pipeline import Arrival, Change, Pipeline, Step
from tests.differential.subject import LOCAL
from tests.differential.values import Chance

VERSION_MIX = (Version.OF13,) * 6 + (Version.OF10,) * 2 + (Version.OF14, Version.OF15)


def random_pipeline(seed: int | str) -> Pipeline:
    """The pipeline of a seed."""
    return _Maker(Chance(seed)).pipeline()


class _Maker:
    """Makes one pipeline."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.kinds = [chance.pick(KINDS) for _ in range(1 + chance.below(4))]
        self.learns = chance.often(0.1)
        self.groups: list[int] = []
        self.priorities: dict[tuple[object, ...], int] = {}
        # Open vSwitch spoils 802.2 frames when it pushes a label.
        self.snap = chance.often(0.3)
        self.truncates = chance.often(0.2)
        self.short = chance.often(0.3)

    def pipeline(self) -> Pipeline:
        """Some steps."""
        chance = self.chance
        steps = []
        for number in range(1 + chance.below(3)):
            changes = self.group_changes() if chance.often(0.4 if number else 0.5) else []
            count = 4 + chance.below(4) if number else 8 + chance.below(16)
            changes += [self.sendable(partial(self.flow_change, number)) for _ in range(count)]
            steps.append(Step(changes, self.arrivals(20 + chance.below(20))))
        # What Open vSwitch keeps for one packet of MPLS gives others its label.
        singly = self.learns or not {"any", "mpls", "mplsm"}.isdisjoint(self.kinds)
        return Pipeline(steps, singly)

    def arrivals(self, count: int) -> list[Arrival]:
        """Packets, those of a port together."""
        chance = self.chance
        found = [
            Arrival(
                chance.pick((1, 1, 2, 2, 3, 4, LOCAL)),
                random_frame(chance, self.kind(), self.snap, self.short),
            )
            for _ in range(count)
        ]
        # The same packet again is what a cache is for.
        found += [chance.pick(found) for _ in range(count // 4)]
        return sorted(found, key=lambda one: one.port)

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
        words, known = random_match(chance, kind, table)
        command = "add"
        if chance.often(0.5 if number else 0.05):
            command = chance.pick(("modify", "modify_strict", "delete", "delete_strict"))
            words = words[: chance.below(len(words) + 1)] if chance.often(0.7) else words
            known = known if words and version != Version.OF10 else Known()
        strict = command in ("add", "modify_strict", "delete_strict")
        head = [f"table={table}"] if table or chance.often(0.5) else []
        if strict:
            head.append(f"priority={self.priority(table, words)}")
        if command.startswith("delete"):
            return Change(version, "flow", f"{command} {','.join([*head, *words])}".strip())
        head += self.keys(version, command)
        maker = ActionMaker(
            chance,
            version,
            table,
            known,
            self.groups,
            self.learns,
            pushes_mpls=not self.snap,
            truncates=self.truncates,
            short=self.short,
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

    def group_changes(self) -> list[Change]:
        """GROUP_MODs: new groups, later changes of groups."""
        chance = self.chance
        changes = []
        for number in chance.random.sample(GROUPS, 1 + chance.below(3)):
            known = number in self.groups
            if known and chance.often(0.3):
                changes.append(Change(Version.OF13, "group", f"delete group_id={number}"))
                self.groups.remove(number)
                continue
            command = "modify" if known else "add"
            changes.append(self.sendable(partial(self.group_change, number, command)))
            if not known:
                self.groups.append(number)
        return changes

    def group_change(self, group: int, command: str) -> Change:
        """One group with its buckets."""
        chance = self.chance
        version = chance.pick((Version.OF13, Version.OF13, Version.OF15))
        kind = chance.pick(("all", "all", "indirect", "ff", "select"))
        words = [f"{command} group_id={group},type={kind}"]
        if kind == "select":
            words[0] += ",selection_method=hash"
            words[0] += chance.pick(("", ",fields(eth_src)", ",fields(eth_dst,ip_dst)"))
            version = Version.OF15
        chained = [one for one in self.groups if one > group]
        count = 1 if kind == "indirect" else chance.below(4)
        for number in range(count):
            maker = ActionMaker(
                chance,
                version,
                0,
                Known("any"),
                chained,
                truncates=self.truncates,
                in_bucket=True,
            )
            actions = [maker.set_field() for _ in range(chance.below(3))]
            actions += chance.some(0.2, maker.vlan)
            actions += chance.some(0.9, maker.output) or ["drop"][: not actions]
            watch = f"watch_port:{chance.pick((1, 2, 77))}," if kind == "ff" else ""
            weight = f"weight:{int(number == 0)}," if kind == "select" else ""
            words.append(f"bucket={watch}{weight}actions={','.join(actions)}")
        return Change(version, "group", ",".join(words))
