"""What the switch under test does with one packet, told by its own trace."""

import json
from dataclasses import dataclass

from ovsflow.openflow.action_codec import decode_actions
from ovsflow.openflow.actions import (
    Action,
    CheckPacketLarger,
    Clone,
    Load,
    Move,
    Output,
    OutputTruncated,
    PopMpls,
    PushVlan,
    SetField,
    SetVlanPcp,
    SetVlanVid,
    StackPop,
    Subfield,
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
        frame: The same without the tunnel that it came through.
        actions: OpenFlow actions in the order in which they ran, with how deep they were nested;
            `None` stands for instructions that wrote to the action set.
        done: What was decided: datapath actions as words.
        drops: Why the packet or a copy of it was dropped.
        first: The rule of the first table.
        mark_decides: Whether that would be another one, had the tunnel not met congestion.
    """

    arrival: Arrival
    frame: bytes
    actions: tuple[tuple[int, Action | None], ...]
    done: str
    drops: frozenset[str]
    first: str | None
    mark_decides: bool = False

    def forks_with_set(self, written_again: bool = False) -> bool:
        """Whether check_pkt_larger ran between two writes to the action set, or behind one."""
        forks = [isinstance(action, CheckPacketLarger) for _, action in self.actions]
        writes = [at for at, (_, action) in enumerate(self.actions) if action is None]
        end = writes[-1] if written_again and writes else len(forks)
        return any(forks[writes[0] : end]) if writes else False

    def writes(self, name: str) -> bool:
        """Whether an action wrote a field, and not 0."""
        for _, action in self.actions:
            match action:
                case (
                    SetField(field=written, value=value)
                    | Load(target=Subfield(field=written), value=value)
                ):
                    if written == name and value:
                        return True
                case (
                    Move(target=Subfield(field=written)) | StackPop(target=Subfield(field=written))
                ):
                    if written == name:
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

    def pushes_tag(self) -> bool:
        """Whether a VLAN tag was pushed, or was asked for where there may be none."""
        return any(map(self.runs, (PushVlan, SetVlanVid, SetVlanPcp)))

    def pops_label(self) -> bool:
        """Whether pop_mpls ran."""
        return self.runs(PopMpls)

    def runs_normal(self) -> bool:
        """Whether NORMAL ran."""
        return any(
            isinstance(action, Output) and action.port == PortNumber.NORMAL
            for _, action in self.actions
        )

    def cuts_for(self, port: int) -> bool:
        """Whether a packet was to be cut for a port."""
        return any(
            isinstance(action, OutputTruncated) and action.port == port
            for _, action in self.actions
        )

    def tags(self) -> int:
        """VLAN tags of the packet as it came."""
        frame, count = self.frame, 0
        while frame[12 + 4 * count : 14 + 4 * count] in ETH_TYPES_OF_TAGS:
            count += 1
        return count

    def payload(self) -> bytes:
        """EtherType behind the tags that a switch reads, and what follows."""
        return self.frame[12 + 4 * min(self.tags(), TAGS_READ) :]


def read_story(arrival: Arrival, frame: bytes, trace: str) -> Story:
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
    drops = {told["drop"]} | {leaf.get("drop") for leaf in told["leaves"]}
    return Story(
        arrival,
        frame,
        tuple(actions),
        ";".join(done),
        frozenset(one for one in drops if one),
        told["steps"][0]["rule"],
    )
