"""A frame in words: the fields that a switch would see in it, then its checksum.

Owns a small dissector for what packet-ins carry; it stops at the first header it cannot read.
"""

import struct

from ovsflow.openflow.match import Match
from ovsflow.openflow.text.keys import (
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    ETH_MPLS,
    ETH_MPLS_MULTICAST,
    ETH_RARP,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    Keys,
)
from ovsflow.openflow.text.match_text import match_words
from ovsflow.openflow.text.values import show_ethernet, show_ipv4, show_ipv6

_VLAN = (0x8100, 0x88A8)
_NOT_IEEE = 0x05FF
_LEAST_ETHERTYPE = 0x0600
_EXTENSIONS = (0, 43, 60, 135)
_FRAGMENT = 44
_AUTHENTICATION = 51
_CHECKSUMS = {
    TCP: ("tcp_csum", 20, "!16xH"),
    UDP: ("udp_csum", 8, "!6xH"),
    SCTP: ("sctp_csum", 12, "!8xI"),
    ICMP: ("icmp_csum", 8, "!2xH"),
    ICMPV6: ("icmp6_csum", 4, "!2xH"),
}


class Frame:
    """What can be read in a frame.

    Attributes:
        words: Fields and values in the order of the line.
        protocol: IP protocol, 0 if unknown.
        payload: What follows the network header; empty for later fragments.
    """

    def __init__(self, data: bytes) -> None:
        self.words: list[str] = []
        self.protocol = 0
        self.payload = b""
        self.keyword = ""
        self._layer3: list[str] = []
        self._layer4: list[str] = []
        if len(data) >= 14:
            self._ethernet(data)

    def text(self) -> str:
        """The line."""
        first = [self.keyword] if self.keyword else []
        return ",".join([*first, *self.words, *self._layer3, *self._layer4])

    def _ethernet(self, data: bytes) -> None:
        addresses = [show_ethernet(int.from_bytes(data[at : at + 6], "big")) for at in (6, 0)]
        at, tags = 12, 0
        eth_type = int.from_bytes(data[12:14], "big")
        while eth_type in _VLAN and tags < 2 and len(data) >= at + 6:
            tci = int.from_bytes(data[at + 2 : at + 4], "big")
            suffix = str(tags) if tags else ""
            self.words.append(f"dl_vlan{suffix}={tci & 0xFFF}")
            self.words.append(f"dl_vlan_pcp{suffix}={tci >> 13}")
            at, tags = at + 4, tags + 1
            eth_type = int.from_bytes(data[at : at + 2], "big")
        if tags < 2:
            self.words.append(f"vlan_tci{tags or ''}=0x0000")
        self.words += [f"dl_src={addresses[0]}", f"dl_dst={addresses[1]}"]
        body = data[at + 2 :]
        if eth_type < _LEAST_ETHERTYPE:
            eth_type = _snap(body)
            body = body[8:]
        self._network(eth_type, body)

    def _network(self, eth_type: int, body: bytes) -> None:
        if eth_type == ETH_IP:
            self.keyword = "ip"
            self._ipv4(body)
        elif eth_type == ETH_IPV6:
            self.keyword = "ipv6"
            self._ipv6(body)
        elif eth_type in (ETH_ARP, ETH_RARP):
            self.keyword = "arp" if eth_type == ETH_ARP else "rarp"
            self._arp(body)
        elif eth_type in (ETH_MPLS, ETH_MPLS_MULTICAST):
            self.keyword = "mpls" if eth_type == ETH_MPLS else "mplsm"
            self._mpls(body)
        else:
            self.words.append(f"dl_type=0x{eth_type:04x}")

    def _ipv4(self, body: bytes) -> None:
        if len(body) < 20 or body[0] >> 4 != 4 or body[0] & 0xF < 5:
            self._addresses(("nw_src=0.0.0.0", "nw_dst=0.0.0.0"), 0, 0, "no")
            return
        source, target = (show_ipv4(int.from_bytes(body[at : at + 4], "big")) for at in (12, 16))
        flags = int.from_bytes(body[6:8], "big")
        fragment = "later" if flags & 0x1FFF else "first" if flags & 0x2000 else "no"
        self.protocol = body[9]
        names = {ICMP: "icmp", TCP: "tcp", UDP: "udp", SCTP: "sctp"}
        self._addresses((f"nw_src={source}", f"nw_dst={target}"), body[1], body[8], fragment, names)
        length = max(int.from_bytes(body[2:4], "big"), (body[0] & 0xF) * 4)
        self._transport(body[(body[0] & 0xF) * 4 : length], fragment)

    def _ipv6(self, body: bytes) -> None:
        if len(body) < 40 or body[0] >> 4 != 6:
            self._addresses(("ipv6_src=::", "ipv6_dst=::", "ipv6_label=0x00000"), 0, 0, "no")
            return
        first = int.from_bytes(body[:4], "big")
        source, target = (show_ipv6(int.from_bytes(body[at : at + 16], "big")) for at in (8, 24))
        self.protocol, rest, fragment = _skip_extensions(body[6], body[40:])
        names = {ICMPV6: "icmp6", TCP: "tcp6", UDP: "udp6", SCTP: "sctp6"}
        label = f"ipv6_label=0x{first & 0xFFFFF:05x}"
        addresses = (f"ipv6_src={source}", f"ipv6_dst={target}", label)
        self._addresses(addresses, first >> 20 & 0xFF, body[7], fragment, names)
        self._transport(rest, fragment)

    def _addresses(
        self,
        addresses: tuple[str, ...],
        tos: int,
        ttl: int,
        fragment: str,
        names: dict[int, str] | None = None,
    ) -> None:
        self._layer3 += addresses
        if names and self.protocol in names:
            self.keyword = names[self.protocol]
        else:
            self._layer3.append(f"nw_proto={self.protocol}")
        self._layer3 += [f"nw_tos={tos & 0xFC}", f"nw_ecn={tos & 3}", f"nw_ttl={ttl}"]
        self._layer3.append(f"nw_frag={fragment}")

    def _transport(self, payload: bytes, fragment: str) -> None:
        if fragment == "later":
            payload = b""
        self.payload = payload
        icmp = self.keyword in ("icmp", "icmp6")
        if icmp:
            kind, code = (payload[0], payload[1]) if len(payload) >= 2 else (0, 0)
            self._layer4 = [f"icmp_type={kind}", f"icmp_code={code}"]
            if self.keyword == "icmp6":
                self._discovery(kind, payload)
            return
        known = self.protocol in (TCP, UDP, SCTP) and len(payload) >= 4
        source, target = struct.unpack_from("!HH", payload) if known else (0, 0)
        self._layer4 = [f"tp_src={source}", f"tp_dst={target}"]
        if self.protocol == TCP:
            flags = int.from_bytes(payload[12:14], "big") & 0xFFF if len(payload) >= 20 else 0
            keys = Keys()
            keys.put("eth_type", ETH_IP)
            keys.put("nw_proto", TCP)
            keys.put("tcp_flags", flags)
            self._layer4.append(match_words(keys.match()).split("tcp,")[-1])

    def _discovery(self, kind: int, payload: bytes) -> None:
        if kind not in (135, 136) or len(payload) < 24:
            return
        self._layer4.append(f"nd_target={show_ipv6(int.from_bytes(payload[8:24], 'big'))}")
        options = {1: "00:00:00:00:00:00", 2: "00:00:00:00:00:00"}
        at = 24
        while len(payload) >= at + 8 and payload[at + 1]:
            if payload[at] in options:
                address = int.from_bytes(payload[at + 2 : at + 8], "big")
                options[payload[at]] = show_ethernet(address)
            at += 8 * payload[at + 1]
        self._layer4 += [f"nd_sll={options[1]}", f"nd_tll={options[2]}"]

    def _arp(self, body: bytes) -> None:
        if len(body) < 28:
            body = body.ljust(28, b"\0")
        address = [int.from_bytes(body[at : at + 4], "big") for at in (14, 24)]
        macs = [show_ethernet(int.from_bytes(body[at : at + 6], "big")) for at in (8, 18)]
        self._layer3 = [
            f"arp_spa={show_ipv4(address[0])}",
            f"arp_tpa={show_ipv4(address[1])}",
            f"arp_op={int.from_bytes(body[6:8], 'big') & 0xFF}",
            f"arp_sha={macs[0]}",
            f"arp_tha={macs[1]}",
        ]

    def _mpls(self, body: bytes) -> None:
        labels = []
        for at in range(0, min(len(body) // 4, 3) * 4, 4):
            labels.append(int.from_bytes(body[at : at + 4], "big"))
            if labels[-1] & 0x100:
                break
        first = labels[0] if labels else 0
        self._layer3 = [
            f"mpls_label={first >> 12}",
            f"mpls_tc={first >> 9 & 7}",
            f"mpls_ttl={first & 0xFF}",
            f"mpls_bos={first >> 8 & 1}",
            *(f"mpls_lse{at}={labels[at]}" for at in range(1, len(labels))),
        ]


def _snap(body: bytes) -> int:
    """The Ethernet type behind an 802.2 header; what has none is 0x05ff."""
    if len(body) >= 8 and body[:6] == b"\xaa\xaa\x03\0\0\0":
        eth_type = int.from_bytes(body[6:8], "big")
        if eth_type >= _LEAST_ETHERTYPE:
            return eth_type
    return _NOT_IEEE


def _skip_extensions(protocol: int, rest: bytes) -> tuple[int, bytes, str]:
    """Goes past IPv6's extension headers; tells the protocol, the rest and the kind of fragment."""
    fragment = "no"
    while len(rest) >= 8:
        if protocol in _EXTENSIONS:
            protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
        elif protocol == _AUTHENTICATION:
            protocol, rest = rest[0], rest[(rest[1] + 2) * 4 :]
        elif protocol == _FRAGMENT:
            offset = int.from_bytes(rest[2:4], "big")
            fragment = "later" if offset & 0xFFF8 else "first" if offset & 1 else fragment
            protocol, rest = rest[0], rest[8:]
            if fragment == "later":
                break
        else:
            break
    return protocol, rest, fragment


def frame_text(data: bytes) -> str:
    """A frame as one line without its end."""
    frame = Frame(data)
    text = frame.text()
    if frame.protocol in _CHECKSUMS and frame.keyword:
        name, least, layout = _CHECKSUMS[frame.protocol]
        if len(frame.payload) >= least:
            text += f" {name}:{struct.unpack_from(layout, frame.payload)[0]:x}"
    return text


def metadata_text(match: Match) -> str:
    """The metadata that comes with a packet."""
    return match_words(match)
