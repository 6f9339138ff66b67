"""Random GROUP_MODs: new groups, later changes of groups and of their buckets."""

from collections.abc import Callable
from functools import partial

from ovsflow.openflow.constants import Version
from tests.differential.actions import GROUPS, ActionMaker
from tests.differential.matches import Known
from tests.differential.pipeline import Change
from tests.differential.values import Chance

Sendable = Callable[[Callable[[], Change]], Change]

BUCKETS = (1, 2, 3, 9)


class GroupMaker:
    """Makes the groups of one pipeline.

    Attributes:
        chance: Where choices come from.
        truncates: Whether truncating outputs are wanted.
        deep: Whether there may be more than two tags.
        alive: Numbers of the groups that there are.
        kinds: Their types.
    """

    def __init__(self, chance: Chance, truncates: bool, deep: bool) -> None:
        self.chance = chance
        self.truncates = truncates
        self.deep = deep
        self.alive: list[int] = []
        self.kinds: dict[int, str] = {}

    def changes(self, sendable: Sendable) -> list[Change]:
        """Some changes; `sendable` makes one until its version can say it."""
        chance = self.chance
        changes = []
        for number in chance.random.sample(GROUPS, 1 + chance.below(3)):
            known = number in self.alive
            if known and chance.often(0.3):
                self.alive.remove(number)
                changes.append(Change(Version.OF13, "group", f"delete group_id={number}"))
                continue
            changes.append(sendable(partial(self._whole, number, "modify" if known else "add")))
            if not known:
                self.alive.append(number)
            while self.kinds[number] in ("all", "select") and chance.often(0.3):
                changes.append(sendable(partial(self._bucket_change, number)))
        return changes

    def _whole(self, number: int, command: str) -> Change:
        """A group with all its buckets."""
        chance = self.chance
        version = chance.pick((Version.OF13, Version.OF13, Version.OF15))
        kind = chance.pick(("all", "all", "indirect", "ff", "select"))
        words = [f"{command} group_id={number},type={kind}"]
        if kind == "select":
            words[0] += ",selection_method=hash"
            words[0] += chance.pick(("", ",fields(eth_src)", ",fields(eth_dst,ip_dst)"))
            version = Version.OF15
        self.kinds[number] = kind
        count = 1 if kind == "indirect" else chance.below(4)
        ids = chance.random.sample(BUCKETS, count) if version == Version.OF15 else [None] * count
        for place, bucket in enumerate(ids):
            words.append(self._bucket(number, version, bucket, weight=int(place == 0)))
        return Change(version, "group", ",".join(words))

    def _bucket_change(self, number: int) -> Change:
        """One bucket more, or fewer, as OpenFlow 1.5 has it; at times one that cannot be."""
        chance = self.chance
        place = chance.pick(("first", "last", *BUCKETS))
        if chance.often(0.4):
            place = chance.pick((place, "all"))
            text = f"remove_bucket group_id={number},command_bucket_id={place}"
            return Change(Version.OF15, "group", text)
        bucket = self._bucket(number, Version.OF15, chance.pick(BUCKETS), weight=0)
        text = f"insert_bucket group_id={number},command_bucket_id={place},{bucket}"
        return Change(Version.OF15, "group", text)

    def _bucket(self, group: int, version: int, bucket: int | None, weight: int) -> str:
        chance, kind = self.chance, self.kinds[group]
        maker = ActionMaker(
            chance,
            version,
            0,
            Known("any"),
            [one for one in self.alive if one > group],
            truncates=self.truncates,
            deep=self.deep,
            in_bucket=True,
        )
        actions = [maker.set_field() for _ in range(chance.below(3))]
        actions += chance.some(0.2, maker.vlan)
        actions += chance.some(0.9, maker.output) or ["drop"][: not actions]
        number = "" if bucket is None else f"bucket_id:{bucket},"
        # More than one weight of a select group would leave the choice to a hash.
        share = f"weight:{weight}," if kind == "select" else ""
        watch = f"watch_port:{chance.pick((1, 2, 77))}," if kind == "ff" else ""
        return f"bucket={number}{share}{watch}actions={','.join(actions)}"
