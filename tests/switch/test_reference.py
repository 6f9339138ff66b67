"""The real switch against the naive one: random flows, random packets, the same outcome."""

import random
from collections import defaultdict
from collections.abc import Iterator

import pytest

from ovsflow.datapath import Datapath
from ovsflow.openflow import actions as act
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import PortNumber
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match, MatchField
from ovsflow.openflow.modify import FlowMod
from tests.switch.frames import HOSTS, IPV4, IPV6, PORTS, random_frame
from tests.switch.reference import ReferenceSwitch

OF13 = 4
PORT_NUMBERS = (1, 2, 3, 4)
TABLES = 3
PIPELINES = 150
FLOWS = 14
PACKETS = 60


def random_match(chance: random.Random) -> Match:
    """A match with its prerequisites in front."""
    fields: list[MatchField] = []
    if chance.random() < 0.3:
        fields.append(MatchField("in_port_oxm", chance.choice(PORT_NUMBERS)))
    if chance.random() < 0.2:
        fields.append(masked(chance, "metadata", chance.randrange(4), 64))
    if chance.random() < 0.15:
        fields.append(masked(chance, "reg0", chance.randrange(4), 32))
    if chance.random() < 0.25:
        fields.append(masked(chance, "eth_dst", chance.choice(HOSTS), 48))
    if chance.random() < 0.25:
        fields.append(masked(chance, "eth_src", chance.choice(HOSTS), 48))
    fields += network(chance, chance.choice((0, 0, 0x0800, 0x0800, 0x0806, 0x86DD)))
    if chance.random() < 0.25:
        fields += vlan(chance)
    return Match(tuple(fields))


def masked(chance: random.Random, name: str, value: int, bits: int) -> MatchField:
    """A field matched whole, by prefix, or by random bits."""
    ones = (1 << bits) - 1
    kind = chance.random()
    if kind < 0.6:
        return MatchField(name, value)
    if kind < 0.8:
        mask = ones >> chance.randrange(1, bits) << chance.randrange(1, bits) & ones or ones
    else:
        mask = chance.getrandbits(bits) | 1
    if mask == ones:
        return MatchField(name, value)
    return MatchField(name, value & mask, mask)


def vlan(chance: random.Random) -> list[MatchField]:
    """A match on the outer tag, or its absence."""
    vid = MatchField("vlan_vid", 0x1000 | chance.choice((0, 1, 100)))
    return chance.choice(
        (
            [MatchField("vlan_vid", 0)],
            [MatchField("vlan_vid", 0x1000, 0x1000)],
            [vid],
            [vid, MatchField("vlan_pcp", chance.randrange(8))],
        )
    )


def network(chance: random.Random, eth_type: int) -> list[MatchField]:
    """A match on the EtherType and what lies behind it."""
    if not eth_type:
        return []
    fields = [MatchField("eth_type", eth_type)]
    if eth_type == 0x0806:
        if chance.random() < 0.5:
            fields.append(MatchField("arp_op", chance.choice((1, 2))))
        if chance.random() < 0.5:
            fields.append(masked(chance, "arp_tpa", chance.choice(IPV4), 32))
        return fields
    v4 = eth_type == 0x0800
    if chance.random() < 0.3:
        fields.append(MatchField("ip_dscp", chance.choice((0, 10))))
    if chance.random() < 0.4:
        addresses, bits = (IPV4, 32) if v4 else (IPV6, 128)
        name = ("ip_src", "ip_dst") if v4 else ("ipv6_src", "ipv6_dst")
        fields.append(masked(chance, chance.choice(name), chance.choice(addresses), bits))
    if chance.random() < 0.5:
        proto = chance.choice((6, 17, 1 if v4 else 58))
        fields.append(MatchField("nw_proto", proto))
        prefix = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6"}[proto]
        if prefix.startswith("icmp"):
            fields.append(MatchField(f"{prefix}_type", chance.choice((8, 128, 3, 1))))
        else:
            name = f"{prefix}_{chance.choice(('src', 'dst'))}"
            fields.append(masked(chance, name, chance.choice(PORTS), 16))
    return fields


def random_actions(chance: random.Random, match: Match) -> tuple[act.Action, ...]:
    """Actions that the match allows."""
    eth_type = match.exact("eth_type")
    vid = match.find("vlan_vid")
    tags = 1 if vid is not None and vid.value & 0x1000 else 0
    actions: list[act.Action] = []
    for _ in range(chance.randrange(4)):
        choices: list[act.Action] = [
            act.SetField("eth_dst", chance.choice(HOSTS)),
            act.SetField("eth_src", chance.choice(HOSTS[:3])),
            act.SetField("metadata", chance.randrange(4)),
            act.SetField("reg0", chance.randrange(4)),
        ]
        if tags:
            choices += [
                act.SetField("vlan_vid", 0x1000 | chance.choice((1, 7))),
                act.SetField("vlan_pcp", chance.randrange(8)),
                act.PopVlan(),
            ]
        elif vid is not None:
            choices.append(act.PushVlan(0x8100))
        if eth_type in (0x0800, 0x86DD):
            address = (
                act.SetField(chance.choice(("ip_src", "ip_dst")), chance.choice(IPV4))
                if eth_type == 0x0800
                else act.SetField(chance.choice(("ipv6_src", "ipv6_dst")), chance.choice(IPV6))
            )
            choices += [address, address, act.DecNwTtl(), act.SetNwTtl(33)]
            choices.append(act.SetField("ip_dscp", chance.choice((0, 34))))
        proto = match.exact("nw_proto")
        if proto in (6, 17):
            prefix = "tcp" if proto == 6 else "udp"
            choices.append(act.SetField(f"{prefix}_dst", chance.choice(PORTS)))
        action = chance.choice(choices)
        if isinstance(action, act.PopVlan):
            tags -= 1
        elif isinstance(action, act.PushVlan):
            tags += 1
        actions.append(action)
        if chance.random() < 0.3:
            actions.append(random_output(chance))
    if chance.random() < 0.6:
        actions.append(random_output(chance))
    return tuple(actions)


def random_output(chance: random.Random) -> act.Output:
    """An output to a port, there or not, or to a reserved one."""
    reserved = (PortNumber.ALL, PortNumber.FLOOD, PortNumber.IN_PORT, PortNumber.CONTROLLER)
    return act.Output(int(chance.choice((*PORT_NUMBERS, *PORT_NUMBERS, 77, *reserved))), 0xFFFF)


def random_flow(chance: random.Random) -> FlowMod:
    """A flow of any table."""
    table = chance.randrange(TABLES)
    match = random_match(chance)
    write: tuple[act.Action, ...] = ()
    if chance.random() < 0.3:
        write = (random_output(chance),)
        if match.exact("eth_type") in (0x0800, 0x86DD):
            write += (act.DecNwTtl(), act.SetField("eth_dst", chance.choice(HOSTS)))
    mask = chance.choice((1, 3, 2**64 - 1))
    metadata = (chance.randrange(4) & mask, mask) if chance.random() < 0.3 else None
    goto = table + 1 if table + 1 < TABLES and chance.random() < 0.7 else None
    instructions = Instructions(
        apply=random_actions(chance, match),
        clear=chance.random() < 0.1,
        write=write,
        metadata=metadata,
        goto=goto,
    )
    # Distinct priorities: which of two equal ones wins is nobody's promise.
    return FlowMod(
        match=match,
        instructions=instructions,
        table_id=table,
        priority=chance.randrange(1, 60000),
        cookie=chance.getrandbits(32),
    )


@pytest.fixture
def datapath() -> Iterator[Datapath]:
    """A switch without threads, with four memory ports."""
    made = Datapath("reference", workers=0)
    for number in PORT_NUMBERS:
        made.add_port(number, f"m{number}", "memory", {}, 0)
    made.configure({"packet_in_rate": 0, "controllers_connected": True})
    yield made
    made.close()


def outcome(datapath: Datapath) -> dict[int, list[bytes]]:
    """What left, by port; packet-ins under CONTROLLER."""
    left = {number: datapath.receive(number) for number in PORT_NUMBERS}
    packet_ins = []
    while events := datapath.events(64):
        for event in events:
            if event.kind == "packet_in" and event.reason != 2:
                packet_ins.append(decode(event.encode(OF13)).body.data)  # type: ignore[attr-defined]
    left[int(PortNumber.CONTROLLER)] = packet_ins
    return {port: frames for port, frames in left.items() if frames}


@pytest.mark.parametrize("seed", range(PIPELINES))
def test_real_and_naive_switch_agree(datapath: Datapath, seed: int) -> None:
    chance = random.Random(seed)
    naive = ReferenceSwitch(PORT_NUMBERS)
    flows = {flow.priority: flow for flow in (random_flow(chance) for _ in range(FLOWS))}
    for xid, flow in enumerate(flows.values()):
        naive.add(flow)
        errors = datapath.apply(OF13, encode(flow, OF13, xid), 0)
        assert errors == b"", (flow, decode(errors))
    for number in range(PACKETS):
        in_port, frame = chance.choice(PORT_NUMBERS), random_frame(chance)
        expected: dict[int, list[bytes]] = defaultdict(list)
        for port, data in naive.receive(in_port, frame):
            expected[port].append(data)
        datapath.execute(in_port, frame.build(), number)
        assert outcome(datapath) == dict(expected), (seed, number, in_port, frame, flows)
    assert counters(datapath) == {
        (flow.mod.table_id, flow.mod.priority): (flow.packets, flow.bytes)
        for table in naive.tables.values()
        for flow in table
    }


def counters(datapath: Datapath) -> dict[tuple[int, int], tuple[int, int]]:
    """Packets and bytes of every flow, by table and priority."""
    from ovsflow.openflow.flow_stats import FlowStatsRequest

    request = encode(FlowStatsRequest(), OF13, 1)
    found = {}
    cursor: int | None = 0
    framer = Framer()
    while cursor is not None:
        reply, cursor = datapath.query(OF13, request, 0, cursor)
        for message in framer.feed(reply):
            for entry in decode(message).body.flows:  # type: ignore[attr-defined]
                found[entry.table_id, entry.priority] = (entry.packet_count, entry.byte_count)
    return found
