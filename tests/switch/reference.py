"""A naive OpenFlow switch: linear search, plain Python, one packet at a time.

It does what the specification says in the most obvious way and keeps no cache, no mask and
no compiled form, so that it can serve as the oracle for the real switch.
"""

from dataclasses import dataclass, field

from ovsflow.openflow import actions as act
from ovsflow.openflow.constants import PortNumber
from ovsflow.openflow.modify import FlowMod
from tests.switch.frames import Frame

# The action set runs in this order (OpenFlow 1.3.5, 5.10), whatever order it was written in.
SET_ORDER = (act.PopVlan, act.PushVlan, act.DecNwTtl, act.SetNwTtl, act.SetField)


@dataclass
class Flow:
    """An installed flow and its counters."""

    mod: FlowMod
    packets: int = 0
    bytes: int = 0


class ExpiredError(Exception):
    """dec_ttl found a TTL of 0 or 1: the packet goes no further on this list."""


@dataclass
class Walk:
    """One packet on its way through the tables."""

    frame: Frame
    in_port: int
    metadata: int = 0
    registers: dict[str, int] = field(default_factory=dict)
    outputs: list[tuple[int, bytes]] = field(default_factory=list)
    written: list[act.Action] = field(default_factory=list)

    def value(self, name: str) -> int | None:
        """A field's value now; `None` when the packet has no such header."""
        f = self.frame.fields
        if name == "in_port_oxm":
            return self.in_port
        if name == "metadata":
            return self.metadata
        if name.startswith("reg"):
            return self.registers.get(name, 0)
        if name == "vlan_vid":
            return self.frame.vlans[0][1] & 0xFFF | 0x1000 if self.frame.vlans else 0
        if name == "vlan_pcp":
            return self.frame.vlans[0][1] >> 13 if self.frame.vlans else 0
        return f.get(REAL_NAMES.get(name, name))


# Fields that the frame keeps under one name for several protocols.
REAL_NAMES = {
    "tcp_src": "tp_src",
    "tcp_dst": "tp_dst",
    "udp_src": "tp_src",
    "udp_dst": "tp_dst",
    "icmpv6_type": "icmp_type",
    "icmpv6_code": "icmp_code",
    "ip_src": "ipv4_src",
    "ip_dst": "ipv4_dst",
    "nw_proto": "ip_proto",
    "nw_ecn": "ip_ecn",
    "ipv6_label": "ipv6_flabel",
    "nw_ttl": "ttl",
}


class ReferenceSwitch:
    """The switch: flows by table, ports by number."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        self.ports = ports
        self.tables: dict[int, list[Flow]] = {}

    def add(self, mod: FlowMod) -> None:
        """Installs a flow; replaces one of the same match and priority."""
        table = self.tables.setdefault(mod.table_id, [])
        same = [
            flow
            for flow in table
            if flow.mod.priority == mod.priority
            and sorted(flow.mod.match, key=str) == sorted(mod.match, key=str)
        ]
        for flow in same:
            table.remove(flow)
        table.append(Flow(mod))

    def receive(self, in_port: int, frame: Frame) -> list[tuple[int, bytes]]:
        """The frames that leave, as (port, bytes), in order; CONTROLLER is a port here."""
        walk = Walk(frame.copy(), in_port)
        length = len(frame.build())
        table: int | None = 0
        while table is not None:
            flow = self.lookup(table, walk)
            if flow is None:
                # Without a table-miss flow the packet is dropped, action set and all (5.4).
                return walk.outputs
            flow.packets += 1
            flow.bytes += length
            table = self.execute(flow, walk)
        self.execute_set(walk)
        return walk.outputs

    def lookup(self, table: int, walk: Walk) -> Flow | None:
        """The flow of the highest priority that matches."""
        best = None
        for flow in self.tables.get(table, []):
            if best is not None and flow.mod.priority <= best.mod.priority:
                continue
            if all(self.matches(walk, one.name, one.value, one.mask) for one in flow.mod.match):
                best = flow
        return best

    def matches(self, walk: Walk, name: str, value: int, mask: int | None) -> bool:
        """Whether one field agrees."""
        actual = walk.value(name)
        if actual is None:
            return False
        return actual == value if mask is None else actual & mask == value

    def execute(self, flow: Flow, walk: Walk) -> int | None:
        """Runs a flow's instructions; returns the next table."""
        instructions = flow.mod.instructions
        if not self.execute_list(instructions.apply, walk):
            return None
        if instructions.clear:
            walk.written.clear()
        for action in instructions.write:
            self.write(action, walk)
        if instructions.metadata is not None:
            value, mask = instructions.metadata
            walk.metadata = walk.metadata & ~mask | value & mask
        return instructions.goto

    def write(self, action: act.Action, walk: Walk) -> None:
        """Puts an action in the action set, in place of one of its kind."""

        def kind(one: act.Action) -> object:
            return (type(one), one.field) if isinstance(one, act.SetField) else type(one)

        walk.written = [one for one in walk.written if kind(one) != kind(action)]
        walk.written.append(action)

    def execute_list(self, actions: tuple[act.Action, ...], walk: Walk) -> bool:
        """Runs a list; an expired TTL ends it, and the rule's other instructions with it."""
        for action in actions:
            try:
                self.apply(action, walk)
            except ExpiredError:
                return False
        return True

    def execute_set(self, walk: Walk) -> None:
        """Runs the action set at the end of the pipeline."""
        ordered: list[act.Action] = [
            one for kind in SET_ORDER for one in walk.written if isinstance(one, kind)
        ]
        ordered += [one for one in walk.written if isinstance(one, act.Output)]
        if ordered and isinstance(ordered[-1], act.Output):
            self.execute_list(tuple(ordered), walk)

    def apply(self, action: act.Action, walk: Walk) -> None:
        """Runs one action."""
        frame, f = walk.frame, walk.frame.fields
        if isinstance(action, act.Output):
            self.output(action.port, walk)
        elif isinstance(action, act.SetField):
            self.set_field(action, walk)
        elif isinstance(action, act.PushVlan):
            # A new tag copies the outer one (OpenFlow 1.3.5, 5.12.1).
            tci = frame.vlans[0][1] if frame.vlans else 0
            frame.vlans.insert(0, (action.ethertype, tci))
        elif isinstance(action, act.PopVlan):
            if frame.vlans:
                before = len(frame.build())
                frame.vlans.pop(0)
                # What was long enough for a wire is so again (IEEE 802.3, 3.2.8).
                if before >= 60:
                    frame.padding += max(0, 60 - len(frame.build()))
        elif isinstance(action, act.SetNwTtl):
            if "ttl" in f:
                f["ttl"] = action.ttl
        elif isinstance(action, act.DecNwTtl):
            if "ttl" in f:
                if f["ttl"] <= 1:
                    raise ExpiredError
                f["ttl"] -= 1
        else:
            raise AssertionError(f"the reference switch does not know {action}")

    def set_field(self, action: act.SetField, walk: Walk) -> None:
        """Writes a field if the packet has it."""
        name, value = action.field, action.value
        frame = walk.frame
        if name == "metadata":
            walk.metadata = value
        elif name.startswith("reg"):
            walk.registers[name] = value
        elif name in ("vlan_vid", "vlan_pcp"):
            if frame.vlans:
                tpid, tci = frame.vlans[0]
                new = (
                    tci & 0xF000 | value & 0xFFF
                    if name == "vlan_vid"
                    else tci & 0x1FFF | value << 13
                )
                frame.vlans[0] = (tpid, new)
        else:
            real = REAL_NAMES.get(name, name)
            if real in frame.fields:
                frame.fields[real] = value

    def output(self, port: int, walk: Walk) -> None:
        """Sends a copy of the packet as it is now."""
        data = walk.frame.build()
        if port in (PortNumber.ALL, PortNumber.FLOOD):
            walk.outputs += [(other, data) for other in self.ports if other != walk.in_port]
        elif port == PortNumber.IN_PORT:
            walk.outputs.append((walk.in_port, data))
        elif port == PortNumber.CONTROLLER or (port in self.ports and port != walk.in_port):
            walk.outputs.append((port, data))
