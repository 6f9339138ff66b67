"""OpenFlow 1.0's match of 40 bytes.

Reading keeps what means something (a port of TCP, an address of ARP) and drops what cannot (a TCP
port with no protocol named), as the specification tells a switch to do. Writing says plainly what
does not fit, so that the caller can take NXM instead.

Source: OpenFlow 1.0.2 §5.2.3.
"""

import struct

from ovsflow.errors import EncodeError
from ovsflow.openflow.match import Match, MatchField
from ovsflow.openflow.match_codec import port_from_16, port_to_16

MATCH = struct.Struct("!IH6s6sHBxHBB2xIIHH")

IN_PORT = 1 << 0
DL_VLAN = 1 << 1
DL_SRC = 1 << 2
DL_DST = 1 << 3
DL_TYPE = 1 << 4
NW_PROTO = 1 << 5
TP_SRC = 1 << 6
TP_DST = 1 << 7
NW_SRC_SHIFT = 8
NW_DST_SHIFT = 14
DL_VLAN_PCP = 1 << 20
NW_TOS = 1 << 21
ALL = (1 << 22) - 1 & ~(0x1F << NW_SRC_SHIFT) & ~(0x1F << NW_DST_SHIFT)
"""Everything wildcarded; an address has 32 bits to ignore, though its counter goes to 63."""

NO_VLAN = 0xFFFF
"""OFP_VLAN_NONE."""

_ARP = (0x0806, 0x8035)
_TRANSPORT = {
    (0x0800, 1): ("icmp_type", "icmp_code"),
    (0x0800, 6): ("tcp_src", "tcp_dst"),
    (0x0800, 17): ("udp_src", "udp_dst"),
    (0x0800, 132): ("sctp_src", "sctp_dst"),
}


def decode_match10(data: bytes) -> Match:
    """Reads the 40 bytes."""
    (
        wildcards,
        in_port,
        dl_src,
        dl_dst,
        dl_vlan,
        dl_vlan_pcp,
        dl_type,
        nw_tos,
        nw_proto,
        nw_src,
        nw_dst,
        tp_src,
        tp_dst,
    ) = MATCH.unpack(data)
    found: list[MatchField] = []
    if not wildcards & IN_PORT:
        found.append(MatchField("in_port", port_from_16(in_port)))
    if not wildcards & DL_SRC:
        found.append(MatchField("eth_src", int.from_bytes(dl_src, "big")))
    if not wildcards & DL_DST:
        found.append(MatchField("eth_dst", int.from_bytes(dl_dst, "big")))
    found += _vlan(wildcards, dl_vlan, dl_vlan_pcp)
    if not wildcards & DL_TYPE:
        found.append(MatchField("eth_type", dl_type))
        found += _network(wildcards, dl_type, nw_tos, nw_proto, nw_src, nw_dst)
        if not wildcards & NW_PROTO:
            names = _TRANSPORT.get((dl_type, nw_proto), ())
            values = ((TP_SRC, tp_src), (TP_DST, tp_dst))
            for name, (wildcard, value) in zip(names, values, strict=False):
                if not wildcards & wildcard:
                    found.append(MatchField(name, value & 0xFF if "icmp" in name else value))
    return Match(tuple(found), idle_wildcards=wildcards & _idle(wildcards))


def _idle(wildcards: int) -> int:
    """The bits that say nothing: of a counter of ignored bits that says 32, which are all."""
    shifts = (NW_SRC_SHIFT, NW_DST_SHIFT)
    return sum(0x1F << shift for shift in shifts if wildcards >> shift & 0x20)


def _vlan(wildcards: int, dl_vlan: int, pcp: int) -> list[MatchField]:
    vid = not wildcards & DL_VLAN
    if vid and dl_vlan == NO_VLAN:
        return [MatchField("vlan_vid", 0)]
    found = []
    if vid:
        found.append(MatchField("vlan_vid", 0x1000 | dl_vlan & 0xFFF))
    if not wildcards & DL_VLAN_PCP:
        if not vid:
            found.append(MatchField("vlan_vid", 0x1000, 0x1000))
        found.append(MatchField("vlan_pcp", pcp & 7))
    return found


def _network(
    wildcards: int, dl_type: int, nw_tos: int, nw_proto: int, nw_src: int, nw_dst: int
) -> list[MatchField]:
    arp = dl_type in _ARP
    if not arp and dl_type != 0x0800:
        return []
    found = []
    for name, shift, address in (
        ("arp_spa" if arp else "ip_src", NW_SRC_SHIFT, nw_src),
        ("arp_tpa" if arp else "ip_dst", NW_DST_SHIFT, nw_dst),
    ):
        ignored = min((wildcards >> shift) & 0x3F, 32)
        if ignored < 32:
            mask = 0xFFFFFFFF << ignored & 0xFFFFFFFF
            found.append(MatchField(name, address & mask, mask if ignored else None))
    if not wildcards & NW_TOS and not arp:
        found.append(MatchField("nw_tos", nw_tos & 0xFC))
    if not wildcards & NW_PROTO:
        found.append(MatchField("arp_op" if arp else "nw_proto", nw_proto))
    return found


_PLACES = {
    "in_port": (IN_PORT, "in_port"),
    "eth_src": (DL_SRC, "dl_src"),
    "eth_dst": (DL_DST, "dl_dst"),
    "eth_type": (DL_TYPE, "dl_type"),
    "nw_tos": (NW_TOS, "nw_tos"),
    "ip_dscp": (NW_TOS, "nw_tos"),
    "nw_proto": (NW_PROTO, "nw_proto"),
    "arp_op": (NW_PROTO, "nw_proto"),
    "tcp_src": (TP_SRC, "tp_src"),
    "udp_src": (TP_SRC, "tp_src"),
    "sctp_src": (TP_SRC, "tp_src"),
    "icmp_type": (TP_SRC, "tp_src"),
    "tcp_dst": (TP_DST, "tp_dst"),
    "udp_dst": (TP_DST, "tp_dst"),
    "sctp_dst": (TP_DST, "tp_dst"),
    "icmp_code": (TP_DST, "tp_dst"),
}
_LAYER3 = ("nw_tos", "nw_proto", "tp_src", "tp_dst")
_IPV6 = 0x86DD
_ADDRESSES = {
    "ip_src": (NW_SRC_SHIFT, "nw_src"),
    "arp_spa": (NW_SRC_SHIFT, "nw_src"),
    "ip_dst": (NW_DST_SHIFT, "nw_dst"),
    "arp_tpa": (NW_DST_SHIFT, "nw_dst"),
}


def encode_match10(match: Match) -> bytes:
    """Writes the 40 bytes.

    Raises:
        EncodeError: The match says more than they can hold; the text names the field.
    """
    wildcards = ALL
    values: dict[str, int] = {}
    for item in match:
        if item.name in _PLACES:
            wildcard, place = _PLACES[item.name]
            # What stands inside IPv6 is only looked at through NXM.
            hidden = place in _LAYER3 and match.value("eth_type") == _IPV6
            if item.mask is not None or hidden:
                raise _too_much(item)
            wildcards &= ~wildcard
            values[place] = item.value << 2 if item.name == "ip_dscp" else item.value
        elif item.name in _ADDRESSES:
            shift, place = _ADDRESSES[item.name]
            wildcards &= ~(0x3F << shift)
            wildcards |= _ignored_bits(item) << shift
            values[place] = item.value
        elif item.name == "vlan_vid" and (item.value, item.mask) == (0x1000, 0x1000):
            # That there is a tag can only be said together with its priority.
            if "vlan_pcp" not in match:
                raise _too_much(item)
        elif item.name in ("vlan_vid", "vlan_pcp", "vlan_tci", "dl_vlan", "dl_vlan_pcp"):
            wildcards &= ~_put_vlan(item, values)
        else:
            raise _too_much(item)
    return _pack(wildcards | match.idle_wildcards & _idle(wildcards), values)


def _too_much(item: MatchField) -> EncodeError:
    masked = " with a mask" if item.mask is not None else ""
    return EncodeError(f"OpenFlow10 cannot match {item.name}{masked}")


def _ignored_bits(item: MatchField) -> int:
    """How many low bits an address mask leaves out."""
    if item.mask is None:
        return 0
    ignored = (item.mask ^ 0xFFFFFFFF).bit_length()
    if item.mask != 0xFFFFFFFF << ignored & 0xFFFFFFFF:
        raise _too_much(item)
    return ignored


def _put_vlan(item: MatchField, values: dict[str, int]) -> int:
    """Puts one VLAN field in place; returns the wildcards that it clears."""
    if item.name in ("vlan_pcp", "dl_vlan_pcp"):
        values["dl_vlan_pcp"] = item.value
        return DL_VLAN_PCP
    if item.name == "dl_vlan":
        values["dl_vlan"] = item.value
        return DL_VLAN
    mask = 0xFFFF if item.mask is None else item.mask
    if item.name == "vlan_vid":
        mask &= 0x1FFF
        if mask == 0x1FFF and (item.value & 0x1000 or item.value == 0):
            values["dl_vlan"] = item.value & 0xFFF if item.value else NO_VLAN
            return DL_VLAN
        raise _too_much(item)
    if item.value & 0x1000 and mask & 0x1000:
        cleared = 0
        if mask & 0xFFF == 0xFFF:
            values["dl_vlan"] = item.value & 0xFFF
            cleared |= DL_VLAN
        if mask >> 13 == 7:
            values["dl_vlan_pcp"] = item.value >> 13
            cleared |= DL_VLAN_PCP
        if cleared and mask & 0xFFF in (0, 0xFFF) and mask >> 13 in (0, 7):
            return cleared
    if item.value == 0 and mask & 0x1000:
        values["dl_vlan"] = NO_VLAN
        return DL_VLAN
    raise _too_much(item)


def _pack(wildcards: int, values: dict[str, int]) -> bytes:
    place = values.get
    try:
        return MATCH.pack(
            wildcards,
            port_to_16(place("in_port", 0), "in_port"),
            place("dl_src", 0).to_bytes(6, "big"),
            place("dl_dst", 0).to_bytes(6, "big"),
            place("dl_vlan", 0),
            place("dl_vlan_pcp", 0),
            place("dl_type", 0),
            place("nw_tos", 0),
            place("nw_proto", 0),
            place("nw_src", 0),
            place("nw_dst", 0),
            place("tp_src", 0),
            place("tp_dst", 0),
        )
    except (struct.error, OverflowError) as error:
        raise EncodeError(f"match: {error}") from None
