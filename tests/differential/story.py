"""What the switch under test does with one packet, told by its own trace."""

import json
from dataclasses import dataclass

from ovsflow.openflow.action_codec import decode_actions
from ovsflow.openflow.actions import (
    Action,
    CheckPacketLarger,
    Clone,
    Output,
    PopMpls,
)
from ovsflow.openflow.constants import PortNumber, Version
from tests.differential.pipeline import Arrival

TAGS_READ = 2
ETH_TYPES_OF_TAGS = (b"\x81\x00", b"\x88\xa8")


@dataclass(frozen=True, slots=True)
class Story:
    """A packet's walk through the tables.

    Attributes:
        arrival: The packet as it came.
        actions: OpenFlow actions in the order in which they ran, with how deep they were nested;
            `None` stands for instructions that wrote to the action set.
        done: What was decided: datapath actions as words.
    """

    arrival: Arrival
    actions: tuple[tuple[int, Action | None], ...]
    done: str

    def forks_with_set(self) -> bool:
        """Whether check_pkt_larger ran when something had been written to the action set."""
        written = False
        for _, action in self.actions:
            written |= action is None
            if written and isinstance(action, CheckPacketLarger):
                return True
        return False

    def runs_in_clone(self, kind: type[Action]) -> bool:
        """Whether an action of that kind ran inside a clone."""
        clones: list[int] = []
        for depth, action in self.actions:
            clones = [one for one in clones if one < depth]
            if isinstance(action, kind) and clones:
                return True
            if isinstance(action, Clone):
                clones.append(depth)
        return False

    def runs(self, kind: type[Action]) -> bool:
        """Whether an action of that kind ran."""
        return any(isinstance(action, kind) for _, action in self.actions)

    def pops_label(self) -> bool:
        """Whether pop_mpls ran."""
        return self.runs(PopMpls)

    def runs_normal(self) -> bool:
        """Whether NORMAL ran."""
        return any(
            isinstance(action, Output) and action.port == PortNumber.NORMAL
            for _, action in self.actions
        )

    def tags(self) -> int:
        """VLAN tags of the packet as it came."""
        frame, count = self.arrival.frame, 0
        while frame[12 + 4 * count : 14 + 4 * count] in ETH_TYPES_OF_TAGS:
            count += 1
        return count

    def payload(self) -> bytes:
        """EtherType behind the tags that a switch reads, and what follows."""
        return self.arrival.frame[12 + 4 * min(self.tags(), TAGS_READ) :]


def read_story(arrival: Arrival, trace: str) -> Story:
    """The story that a trace (JSON) tells."""
    told = json.loads(trace)
    actions: list[tuple[int, Action | None]] = []
    done = []
    for walk in (told, *told["more"]):
        for event in walk["events"]:
            if "action" in event:
                run = decode_actions(bytes.fromhex(event["action"]), Version.OF15)
                actions += [(event["depth"], action) for action in run]
            elif "write_actions" in event:
                actions.append((event["depth"], None))
        done.append(",".join(walk["datapath_actions"]))
    return Story(arrival, tuple(actions), ";".join(done))
