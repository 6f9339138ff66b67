"""Actions after which nobody knows what stands in the packet until it is read again.

A written EtherType or IP protocol, a popped label, and a meter that may write the DSCP: what
follows sees the packet as it is then.
"""

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import MeterModCommand
from ovsflow.openflow.text.parse import parse_flow
from tests.boundary.bench import OF13, SECOND, Bench

ETH = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b")
IP4 = IP(src="10.0.0.1", dst="10.0.0.2")
IP6 = IPv6(src="fd00::1", dst="fd00::2")
DATA = Raw(b"ovsflow" * 6)
SEGMENT = TCP(sport=1000, dport=80)


def with_protocol(frame: Packet, at: int, checksum_at: int, proto: int) -> bytes:
    """The frame with another protocol; the checksum of what is no longer read follows it."""
    built = Ether(bytes(frame))
    data = bytearray(bytes(built))
    difference = data[at] - proto
    data[at] = proto
    if IP in built:
        # TTL and protocol are one word of the header.
        data[24:26] = less(data[24:26], -difference)
    data[checksum_at : checksum_at + 2] = less(data[checksum_at : checksum_at + 2], -difference)
    return bytes(data)


def less(checksum: bytes | bytearray, by: int) -> bytes:
    """A checksum after a summed word grew by `by` (RFC 1624)."""
    total = (0xFFFF - int.from_bytes(checksum) + by) % 0xFFFF
    return (0xFFFF - total).to_bytes(2)


PROTOCOLS = [
    ("IPv4", ETH / IP4 / SEGMENT / DATA, 23, 50),
    ("IPv6", ETH / IP6 / SEGMENT / DATA, 20, 70),
    ("IPv6 with options", ETH / IP6 / IPv6ExtHdrHopByHop() / SEGMENT / DATA, 54, 78),
]


@pytest.mark.parametrize(
    ("frame", "at", "checksum_at"), [case[1:] for case in PROTOCOLS], ids=[c[0] for c in PROTOCOLS]
)
def test_a_written_protocol_is_what_later_tables_match(
    frame: Packet, at: int, checksum_at: int
) -> None:
    bench = Bench()
    kind = "ip" if IP in frame else "ipv6"
    bench.flows(
        f"table=0,{kind},nw_proto=6,actions=set_field:17->ip_proto,resubmit(,1)",
        f"table=1,priority=2,{kind},nw_proto=17,tp_dst=80,actions=2",
        "table=1,priority=1,actions=3",
    )
    expected = with_protocol(frame, at, checksum_at, 17)
    for _ in range(2):
        assert bench.send(1, bytes(frame)) == {2: [expected]}


def test_a_port_is_written_as_that_of_the_protocol_at_that_time() -> None:
    bench = Bench()
    bench.flows(
        "table=0,tcp,actions=set_field:81->tcp_dst,set_field:17->ip_proto,resubmit(,1)",
        "table=1,udp,actions=set_field:82->udp_dst,2",
    )
    # TCP's checksum takes the first port; where UDP's would be stands 0, which means none.
    first = ETH / IP4 / TCP(sport=1000, dport=81) / DATA
    expected = bytearray(with_protocol(first, 23, 50, 17))
    expected[36:38] = (82).to_bytes(2)
    assert bench.send(1, bytes(ETH / IP4 / SEGMENT / DATA)) == {2: [bytes(expected)]}


def test_a_written_type_is_what_later_tables_match() -> None:
    bench = Bench()
    bench.flows(
        "table=0,in_port=1,actions=set_field:0x8847->eth_type,resubmit(,1)",
        "table=0,in_port=2,actions=set_field:0x9000->eth_type,resubmit(,1)",
        "table=1,priority=2,mpls,mpls_label=17,actions=pop_mpls:0x0800,dec_ttl,3",
        "table=1,priority=2,dl_type=0x9000,actions=4",
        "table=1,priority=1,actions=in_port",
    )
    inner = IP4 / SEGMENT / DATA
    label = MPLS(label=17, s=1, ttl=9)
    hidden = bytearray(bytes(ETH / label / inner))
    hidden[12:14] = b"\x12\x34"
    shown = bytes(ETH / IP(src="10.0.0.1", dst="10.0.0.2", ttl=63) / SEGMENT / DATA)
    for _ in range(2):
        assert bench.send(1, bytes(hidden)) == {3: [shown]}
        (sent,) = bench.send(2, bytes(ETH / Dot1Q(vlan=3) / inner))[4]
        assert sent == bytes(ETH / Dot1Q(vlan=3, type=0x9000) / Raw(bytes(inner)))


def test_a_frame_without_a_type_keeps_its_length() -> None:
    bench = Bench()
    bench.flows("actions=set_field:0x0800->eth_type,2")
    frame = bytes.fromhex("02000000000b02000000000a0003424203") + bytes(43)
    assert bench.send(1, frame) == {2: [frame]}


def test_a_switch_that_is_compatible_with_open_vswitch_writes_neither() -> None:
    bench = Bench(compat="ovs")
    for text in ("ip,actions=set_field:17->ip_proto", "actions=set_field:0x9000->eth_type"):
        # OFPBAC_BAD_SET_ARGUMENT.
        (error,) = bench.apply(encode(parse_flow(text, version=OF13), OF13, 7))
        assert (error.type, error.code) == (2, 15)


def test_a_popped_frame_is_as_long_as_a_wire_needs() -> None:
    bench = Bench()
    bench.flows("mpls,actions=pop_mpls:0x0800,2", "dl_vlan=3,actions=pop_vlan,2")
    short = IP4 / ICMP()
    for front in (MPLS(label=17, s=1), Dot1Q(vlan=3)):
        frame = bytes(ETH / front / short)
        plain = bytes(ETH / short)
        # From a wire, padded; from a virtual device, as short as it comes.
        assert bench.send(1, frame.ljust(60, b"\0")) == {2: [plain.ljust(60, b"\0")]}
        assert bench.send(1, frame) == {2: [plain]}


def remarked(bench: Bench, frame: Packet) -> list[tuple[int, int]]:
    """Port and DSCP of three packets, the first of which is within the meter's burst."""
    seen = []
    for _ in range(3):
        for port, frames in bench.send(1, bytes(frame)).items():
            packet = Ether(frames[0])
            byte = packet[IP].tos if IP in packet else packet[IPv6].tc
            assert bytes(packet) == bytes(type(packet)(bytes(packet)))
            seen.append((port, byte >> 2))
    return seen


@pytest.mark.parametrize("kind", ["instruction", "in a list"])
@pytest.mark.parametrize("version", [4, 6])
def test_later_tables_match_the_dscp_that_a_meter_wrote(version: int, kind: str) -> None:
    bench = Bench()
    # One packet a second, one in the bucket; those above go from AF11 to AF12.
    bench.meter("meter=1,pktps,burst,bands=type=dscp_remark,rate=1,burst_size=1,prec_level=1")
    then = "goto_table:1" if kind == "instruction" else "resubmit(,1)"
    prefix = "ip" if version == 4 else "ipv6"
    bench.flows(
        f"table=0,in_port=1,actions=meter:1,{then}",
        f"table=1,priority=3,{prefix},ip_dscp=10,actions=2",
        f"table=1,priority=3,{prefix},ip_dscp=12,actions=3",
        "table=1,priority=1,actions=4",
    )
    header = (
        IP(src="10.0.0.1", dst="10.0.0.2", tos=40)
        if version == 4
        else IPv6(src="fd00::1", dst="fd00::2", tc=40)
    )
    assert remarked(bench, ETH / header / UDP() / DATA) == [(2, 10), (3, 12), (3, 12)]
    bench.now += SECOND
    assert remarked(bench, ETH / header / UDP() / DATA) == [(2, 10), (3, 12), (3, 12)]


def test_a_dscp_written_after_the_meter_is_the_one_that_counts() -> None:
    bench = Bench()
    bench.meter("meter=1,pktps,burst,bands=type=dscp_remark,rate=1,burst_size=1,prec_level=1")
    bench.flows(
        "table=0,ip,ip_dscp=10,actions=meter:1,set_field:10->ip_dscp,goto_table:1",
        "table=1,ip,ip_dscp=10,actions=2",
        "table=1,ip,ip_dscp=12,actions=3",
    )
    frame = ETH / IP(src="10.0.0.1", dst="10.0.0.2", tos=40) / UDP() / DATA
    assert remarked(bench, frame) == [(2, 10), (2, 10), (2, 10)]


def test_a_meter_that_begins_to_remark_is_seen_at_once() -> None:
    bench = Bench()
    bench.meter("meter=1,pktps,burst,bands=type=drop,rate=1,burst_size=1")
    bench.flows(
        "table=0,ip,actions=meter:1,goto_table:1",
        "table=1,ip,ip_dscp=10,actions=2",
        "table=1,ip,ip_dscp=12,actions=3",
    )
    frame = ETH / IP(src="10.0.0.1", dst="10.0.0.2", tos=40) / UDP() / DATA
    assert remarked(bench, frame) == [(2, 10)]
    bench.meter(
        "meter=1,pktps,burst,bands=type=dscp_remark,rate=1,burst_size=1,prec_level=1",
        MeterModCommand.MODIFY,
    )
    assert remarked(bench, frame) == [(2, 10), (3, 12), (3, 12)]
