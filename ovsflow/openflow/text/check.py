"""Whether actions make sense on the packets that a match lets through.

Owns the client's own check, which tells a person before the switch does: an action that reads or
writes a header needs a match, or an earlier action of the same list, that proves the header.
OpenFlow 1.0 accepts most such actions and lets them do nothing.
"""

from collections.abc import Iterable
from copy import copy

from ovsflow.openflow import actions as model
from ovsflow.openflow import fields
from ovsflow.openflow.actions import Action, Subfield
from ovsflow.openflow.constants import Version
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.text.keys import (
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    ETH_MPLS,
    ETH_MPLS_MULTICAST,
    ETH_NSH,
    ETH_PBB,
    ETH_RARP,
    ICMP,
    ICMPV6,
    ND_ADVERT,
    ND_SOLICIT,
    SCTP,
    TCP,
    UDP,
    VLAN_CFI,
    Keys,
)
from ovsflow.openflow.text.scan import Piece, bad

_IP = (ETH_IP, ETH_IPV6)
_LATER_FRAGMENT = 0b10

# Prerequisite -> Ethernet types, IP protocol (`None`: any).
_LAYERS: dict[str, tuple[tuple[int, ...], int | None]] = {
    "mpls": ((ETH_MPLS, ETH_MPLS_MULTICAST), None),
    "pbb": ((ETH_PBB,), None),
    "arp": ((ETH_ARP, ETH_RARP), None),
    "ipv4": ((ETH_IP,), None),
    "ipv6": ((ETH_IPV6,), None),
    "ip": (_IP, None),
    "tcp": (_IP, TCP),
    "udp": (_IP, UDP),
    "sctp": (_IP, SCTP),
    "icmpv4": ((ETH_IP,), ICMP),
    "icmpv6": ((ETH_IPV6,), ICMPV6),
    "nd": ((ETH_IPV6,), ICMPV6),
    "nd_solicit": ((ETH_IPV6,), ICMPV6),
    "nd_advert": ((ETH_IPV6,), ICMPV6),
    "nsh": ((ETH_NSH,), None),
}
_ND_TYPES = {
    "nd": (ND_SOLICIT, ND_ADVERT),
    "nd_solicit": (ND_SOLICIT,),
    "nd_advert": (ND_ADVERT,),
}
# Actions of OpenFlow 1.0 that the same action of later versions replaces with set_field.
_OLD_WRITES = frozenset(
    [
        "eth_src",
        "eth_dst",
        "ip_src",
        "ip_dst",
        "nw_tos",
        "ip_dscp",
        "tcp_src",
        "tcp_dst",
        "vlan_vid",
        "vlan_pcp",
        "mpls_label",
        "mpls_tc",
    ]
)


class _Packet:
    """What is known of a packet while a list is walked."""

    def __init__(self, keys: Keys, version: int) -> None:
        self.version = version
        self.eth_type = keys.eth_type()
        self.protocol = keys.value("nw_proto")
        self.tagged = bool(keys.value("vlan_tci") & VLAN_CFI)
        self.tagged_twice = False
        self.fragment = keys.value("ip_frag")
        self.icmp_type = keys.value("tp_src")
        self.ethernet = keys.value("packet_type") == 0

    def has(self, prerequisite: str) -> bool:
        """Whether the packet is known to have what a field needs."""
        if prerequisite == "vlan":
            return self.tagged
        if prerequisite == "ethernet":
            return self.ethernet
        if prerequisite not in _LAYERS:
            return True
        eth_types, protocol = _LAYERS[prerequisite]
        if self.eth_type not in eth_types or protocol not in (None, self.protocol):
            return False
        if protocol in (TCP, UDP, SCTP) and self.fragment & _LATER_FRAGMENT:
            return False
        return self.icmp_type in _ND_TYPES.get(prerequisite, (self.icmp_type,))


def check_flow(keys: Keys, instructions: Instructions, version: int, place: Piece) -> None:
    """Checks a flow's instructions against its match; `place` is what an error points at."""
    packet = _Packet(keys, version)
    _check(packet, instructions.apply, place)
    _check(packet, instructions.write, place)


def invalid(place: Piece, code: str = "OFPBAC_MATCH_INCONSISTENT") -> Exception:
    """The error, with the name of the code that a switch would answer with."""
    return bad(place, f"actions are invalid with specified match ({code})")


def _check(packet: _Packet, actions: Iterable[Action], place: Piece) -> None:
    for action in actions:
        if isinstance(action, model.PushVlan) and packet.tagged_twice:
            raise invalid(place, "OFPBAC_BAD_TAG")
        if not _suits(packet, action):
            raise invalid(place)
        for bits in _written(action):
            known = fields.by_name(bits.field)
            if known is not None and not known.writable:
                raise invalid(place, "OFPBAC_BAD_SET_ARGUMENT")
        if isinstance(action, model.Clone | model.Ct):
            _check(copy(packet), _inside(action), place)


def _inside(action: model.Clone | model.Ct) -> tuple[Action, ...]:
    """What is checked inside an action; Open vSwitch looks no further when the zone is a field."""
    if isinstance(action, model.Ct) and isinstance(action.zone, Subfield):
        return ()
    return action.actions


def _suits(packet: _Packet, action: Action) -> bool:
    lenient = packet.version == Version.OF10
    if isinstance(action, model.Ct):
        helper = {21: TCP, 69: UDP}.get(action.alg)
        return packet.eth_type in _IP and helper in (None, packet.protocol)
    if isinstance(action, model.Nat):
        family = {4: ETH_IP, 16: ETH_IPV6}
        return all(family.get(len(end)) == packet.eth_type for end in action.addresses)
    if isinstance(action, model.Resubmit):
        return not action.ct or packet.eth_type in _IP
    if isinstance(action, model.Learn):
        return _suits_learn(packet, action)
    if isinstance(action, model.SetField) and not (lenient and action.field in _OLD_WRITES):
        return _suits_set_field(packet, action)
    if not all(_known(packet, bits.field) for bits in (*_read(action), *_written(action))):
        return False
    match action:
        case model.PopVlan():
            found = packet.tagged
            packet.tagged, packet.tagged_twice = packet.tagged_twice, False
            return found or lenient
        case model.Load(target=Subfield(field="vlan_tci", start=start), value=value):
            packet.tagged = bool(value << start & VLAN_CFI)
        case model.PushVlan():
            packet.tagged, packet.tagged_twice = True, packet.tagged
        case model.SetVlanVid() | model.SetVlanPcp():
            packet.tagged = True
        case model.PushMpls():
            packet.eth_type, packet.protocol = action.ethertype, 0
        case model.PopMpls():
            found = packet.has("mpls")
            packet.eth_type = action.ethertype
            return found or lenient
        case model.PushPbb():
            packet.eth_type, packet.protocol = action.ethertype, 0
            packet.tagged = packet.tagged_twice = False
        case model.PopPbb():
            found = packet.has("pbb")
            packet.eth_type = packet.protocol = 0
            return found
        case model.SetNwTtl() | model.DecNwTtl():
            return lenient or packet.has("ip")
        case model.SetMplsTtl() | model.DecMplsTtl():
            return lenient or packet.has("mpls")
        case model.Encap() | model.Decap():
            _change_type(packet, action.packet_type)
    return True


def _suits_set_field(packet: _Packet, action: model.SetField) -> bool:
    if action.field == "vlan_vid" and not packet.tagged:
        return False
    found = _known(packet, action.field)
    if action.field == "vlan_tci":
        packet.tagged = bool(action.value & VLAN_CFI)
    return found


def _suits_learn(packet: _Packet, action: model.Learn) -> bool:
    """A learned flow takes from this packet, and must make sense by itself."""
    learned = Keys()
    for spec in action.specs:
        if isinstance(spec.source, Subfield) and not _known(packet, spec.source.field):
            return False
        if isinstance(spec.target, model.LearnOutput):
            continue
        bits = spec.target.target
        if not _known(_Packet(learned, packet.version), bits.field):
            return False
        if isinstance(spec.target, model.LearnMatch) and isinstance(spec.source, model.Immediate):
            mask = ((1 << bits.len) - 1) << bits.start
            learned.put(bits.field, spec.source.value << bits.start, mask)
    return True


def _known(packet: _Packet, name: str) -> bool:
    known = fields.by_name(name)
    return known is None or packet.has(known.prerequisite)


def _change_type(packet: _Packet, packet_type: int) -> None:
    """Encapsulation leaves only the new type known."""
    packet.ethernet = packet_type == 0
    packet.eth_type = packet_type & 0xFFFF if packet_type >> 16 == 1 else 0
    packet.protocol = 0


def _read(action: Action) -> tuple[Subfield, ...]:
    match action:
        case model.OutputField() | model.Move() | model.StackPush():
            return (action.source,)
    return ()


def _written(action: Action) -> tuple[Subfield, ...]:
    match action:
        case model.Load() | model.Move() | model.StackPop() | model.Multipath():
            return (action.target,)
        case model.CheckPacketLarger():
            return (action.target,)
        case model.Bundle():
            return () if action.target is None else (action.target,)
    return ()
