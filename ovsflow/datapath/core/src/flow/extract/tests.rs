//! Frames as bytes and the fields that must come out; depth and damage as properties.

use super::*;
use crate::flow::field::by_name;
use crate::packet::{PortNo, Tunnel};
use proptest::prelude::*;

/// Bytes of hexadecimal text; blanks are ignored.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

const MACS: &str = "020000000001 020000000002";
const IPV4_TCP: &str = "45 b9 0028 0000 4000 40 06 0000 0a000001 0a000002";
const TCP: &str = "1388 0050 00000001 00000002 5 912 ffff 0000 0000";
const IPV6_HEAD: &str = "6 1e abcde";
const V6_PAIR: &str = "20010db8000000000000000000000001 20010db8000000000000000000000002";

fn key_of(frame: &[u8], depth: Depth, fragments: Fragments) -> FlowKey {
    let mut packet = Packet::from_frame(frame);
    packet.in_port = PortNo(7);
    let mut key = FlowKey::default();
    key.words[3] = u64::MAX;
    extract(&packet, depth, fragments, &mut key);
    key
}

/// Names a frame, its text, and `field=value` pairs in hexadecimal.
type Case = (&'static str, String, &'static str);

fn cases() -> Vec<Case> {
    let v6 = |len: &str, next: &str, rest: &str| {
        format!("{MACS} 86dd {IPV6_HEAD} {len} {next} 3f {V6_PAIR} {rest}")
    };
    vec![
        (
            "tcp over ipv4",
            format!("{MACS} 0800 {IPV4_TCP} {TCP}"),
            "in_port=7 eth_dst=020000000001 eth_src=020000000002 eth_type=800 vlan_tci=0 \
             ip_src=a000001 ip_dst=a000002 nw_proto=6 ip_dscp=2e nw_ecn=1 nw_tos=b8 nw_ttl=40 \
             tcp_src=1388 tcp_dst=50 tcp_flags=912 ip_frag=0",
        ),
        (
            "two tags",
            format!("{MACS} 88a8 6064 8100 00c8 0800 {IPV4_TCP} {TCP}"),
            "vlan_vid=1064 vlan_pcp=3 eth_type=800 tcp_dst=50",
        ),
        (
            "priority tag",
            format!("{MACS} 8100 0000 0806"),
            "vlan_tci=1000 eth_type=806",
        ),
        (
            "tag cut short",
            format!("{MACS} 8100 00"),
            "vlan_tci=0 eth_type=8100",
        ),
        (
            "802.3 without SNAP",
            format!("{MACS} 0026 42420300"),
            "eth_type=5ff",
        ),
        (
            "802.3 with SNAP",
            format!("{MACS} 0026 aaaa03 000000 86dd"),
            "eth_type=86dd ipv6_src=0",
        ),
        (
            "first fragment",
            format!("{MACS} 0800 45000028 0000 2000 4006 0000 0a000001 0a000002 {TCP}"),
            "ip_frag=1 nw_proto=6 tcp_dst=0 tcp_flags=0",
        ),
        (
            "later fragment",
            format!("{MACS} 0800 45000028 0000 0003 4006 0000 0a000001 0a000002 {TCP}"),
            "ip_frag=3 nw_proto=6 tcp_dst=0",
        ),
        (
            "ipv4 with options, padded",
            format!(
                "{MACS} 0800 46000020 0000 0000 4011 0000 0a000001 0a000002 01010101 03e8 07d0 0008 0000 ffffffff"
            ),
            "nw_proto=11 udp_src=3e8 udp_dst=7d0",
        ),
        (
            "total length beyond the frame",
            format!(
                "{MACS} 0800 45000100 0000 0000 4011 0000 0a000001 0a000002 03e8 07d0 0008 0000"
            ),
            "eth_type=800 nw_proto=0 ip_src=0",
        ),
        (
            "tcp header in the padding",
            format!("{MACS} 0800 45000018 0000 0000 4006 0000 0a000001 0a000002 {TCP}"),
            "nw_proto=6 tcp_src=0",
        ),
        (
            "tcp options beyond the packet",
            format!("{MACS} 0800 {IPV4_TCP} 1388 0050 00000001 00000002 6 912 ffff 0000 0000"),
            "nw_proto=6 tcp_src=0 tcp_flags=0",
        ),
        (
            "icmp",
            format!(
                "{MACS} 0800 4500001c 0000 0000 4001 0000 0a000001 0a000002 0301 0000 00000000"
            ),
            "icmp_type=3 icmp_code=1",
        ),
        (
            "arp",
            format!("{MACS} 0806 0001 0800 06 04 0002 020000000002 0a000001 020000000001 0a000002"),
            "arp_op=2 arp_spa=a000001 arp_tpa=a000002 arp_sha=020000000002 arp_tha=020000000001",
        ),
        (
            "arp with a wide opcode",
            format!("{MACS} 0806 0001 0800 06 04 0102 020000000002 0a000001 020000000001 0a000002"),
            "arp_op=0 arp_spa=a000001",
        ),
        (
            "mpls, two labels",
            format!("{MACS} 8847 00064040 000c8130 {IPV4_TCP}"),
            "eth_type=8847 mpls_label=64 mpls_tc=0 mpls_bos=0 mpls_ttl=40 ip_src=0",
        ),
        (
            "pbb behind a B-tag",
            format!("{MACS} 88a8 000a 88e7 08000064 {MACS} 0800"),
            "vlan_vid=100a eth_type=88e7 pbb_isid=64 pbb_uca=1",
        ),
        (
            "udp over ipv6",
            v6("0008", "11", "03e8 07d0 0008 0000"),
            "ipv6_src=20010db8000000000000000000000001 ipv6_dst=20010db8000000000000000000000002 \
             ipv6_label=abcde nw_tos=1c nw_ttl=3f nw_proto=11 udp_src=3e8 udp_dst=7d0 ipv6_exthdr=0",
        ),
        (
            "hop-by-hop, destination options, routing, tcp",
            v6(
                "002c",
                "00",
                &format!("3c00000000000000 2b00000000000000 0600000000000000 {TCP}"),
            ),
            "nw_proto=6 tcp_dst=50 ipv6_exthdr=68",
        ),
        (
            "routing twice, hop-by-hop last",
            v6(
                "0020",
                "2b",
                "2b00000000000000 0000000000000000 1100000000000000 03e8 07d0 0008 0000",
            ),
            "nw_proto=11 udp_src=3e8 ipv6_exthdr=1e0",
        ),
        (
            "later ipv6 fragment",
            v6("0010", "2c", "1100 0008 00000000 03e8 07d0 0008 0000"),
            "nw_proto=2c ip_frag=3 udp_src=0 ipv6_exthdr=10",
        ),
        (
            "atomic ipv6 fragment",
            v6("0010", "2c", "1100 0000 00000000 03e8 07d0 0008 0000"),
            "nw_proto=11 ip_frag=0 udp_src=3e8 ipv6_exthdr=10",
        ),
        (
            "no next header",
            v6("0008", "3c", "3b00000000000000"),
            "nw_proto=3b ipv6_exthdr=9",
        ),
        (
            "extension header beyond the payload",
            v6("0008", "00", "0601000000000000"),
            "nw_proto=0 nw_ttl=3f ipv6_exthdr=0",
        ),
        (
            "neighbour solicitation",
            v6(
                "0020",
                "3a",
                "8700 0000 00000005 20010db8000000000000000000000009 0101 020000000002",
            ),
            "icmpv6_type=87 icmpv6_code=0 nd_target=20010db8000000000000000000000009 \
             nd_sll=020000000002 nd_tll=0 nd_options_type=1 nd_reserved=5",
        ),
        (
            "neighbour option of length zero",
            v6(
                "0020",
                "3a",
                "8700 0000 00000005 20010db8000000000000000000000009 0100 020000000002",
            ),
            "icmpv6_type=87 nd_target=20010db8000000000000000000000009 nd_sll=0 nd_reserved=5",
        ),
    ]
}

#[test]
fn test_frames_give_their_fields() {
    for (name, text, expected) in cases() {
        let key = key_of(&hex(&text), Depth::All, Fragments::Normal);
        for pair in expected.split_whitespace() {
            let (field, value) = pair.split_once('=').unwrap();
            let value = u128::from_str_radix(value, 16).unwrap();
            let got = by_name(field).unwrap().read(&key);
            assert_eq!(got, value, "{name}: {field} is {got:x}, not {value:x}");
        }
    }
}

#[test]
fn test_first_fragment_has_ports_when_asked() {
    let (_, text, _) = &cases()[6];
    let key = key_of(&hex(text), Depth::All, Fragments::NxMatch);
    assert_eq!(key.value(slot::TP_DST), 80);
    let (_, text, _) = &cases()[7];
    let key = key_of(&hex(text), Depth::All, Fragments::NxMatch);
    assert_eq!(key.value(slot::TP_DST), 0);
}

#[test]
fn test_short_frame_has_no_layer_but_its_port() {
    let mut packet = Packet::from_frame(&[0xff; 13]);
    packet.in_port = PortNo(9);
    let mut key = FlowKey::default();
    assert!(!extract(&packet, Depth::All, Fragments::Normal, &mut key));
    assert_eq!(key.value(slot::IN_PORT), 9);
    assert_eq!(key.words[1..PACKET_WORDS - 1], [0; PACKET_WORDS - 2]);
}

#[test]
fn test_tunnel_metadata_is_in_the_key() {
    let mut packet = Packet::from_frame(&[0; 60]);
    packet.tunnel = Some(Tunnel {
        id: 0x1234,
        src: TunnelAddress::V4(0xac1f_0101),
        dst: TunnelAddress::V6(7 << 64 | 9),
        flags: 1,
        gbp_id: 0x55aa,
        gbp_flags: 0x48,
        tos: 4,
        ttl: 64,
    });
    let mut key = FlowKey::default();
    extract(&packet, Depth::Metadata, Fragments::Normal, &mut key);
    let expected = [
        (slot::TUN_ID, 0x1234),
        (slot::TUN_SRC, 0xac1f_0101),
        (slot::TUN_DST, 0),
        (slot::TUN_IPV6_DST, 7 << 64 | 9),
        (slot::TUN_FLAGS, 1),
        (slot::TUN_GBP_ID, 0x55aa),
        (slot::TUN_GBP_FLAGS, 0x48),
        (slot::TUN_TOS, 4),
        (slot::TUN_TTL, 64),
    ];
    for (slot, value) in expected {
        assert_eq!(key.value(slot), value, "{slot:?}");
    }
}

/// A frame of the table, some of its bytes changed, cut somewhere.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let frames: Vec<Vec<u8>> = cases().iter().map(|case| hex(&case.1)).collect();
    let changes = prop::collection::vec((0..200usize, any::<u8>()), 0..4);
    (prop::sample::select(frames), changes, 0..200usize).prop_map(|(mut frame, changes, cut)| {
        for (at, value) in changes {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        frame.truncate(cut.max(1));
        frame
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn test_less_depth_gives_the_same_bits(frame in damaged(), word in 0..PACKET_WORDS, bit in 0..64u32) {
        let mut mask = FlowMask::default();
        mask.words[word] = 1 << bit;
        let depth = Depth::of(&mask);
        for fragments in [Fragments::Normal, Fragments::NxMatch] {
            let all = key_of(&frame, Depth::All, fragments);
            let less = key_of(&frame, depth, fragments);
            prop_assert!(all.equals_under(&less, &mask), "word {word} bit {bit} at {depth:?}");
        }
    }

    #[test]
    fn test_random_bytes_are_read_without_panic(frame in prop::collection::vec(any::<u8>(), 0..300)) {
        key_of(&frame, Depth::All, Fragments::NxMatch);
    }

    #[test]
    fn test_short_way_reads_what_the_long_one_reads(
        mut frame in prop::collection::vec(any::<u8>(), 34..90),
        start in prop_oneof![Just(0x45_u8), any::<u8>()],
        length in prop_oneof![Just(20_u16), 0_u16..90],
        fragment in prop_oneof![Just(0_u16), Just(0x4000), any::<u16>()],
        proto in prop_oneof![Just(1_u8), Just(6), Just(17), Just(132), any::<u8>()],
        depth in prop_oneof![Just(Depth::L3), Just(Depth::L4)],
    ) {
        let headers = [(12, vec![8, 0, start]), (16, length.to_be_bytes().to_vec()),
            (20, fragment.to_be_bytes().to_vec()), (23, vec![proto])];
        for (at, bytes) in headers {
            frame[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        let (mut long, mut short): (Words, Words) = ([0; PACKET_WORDS], [0; PACKET_WORDS]);
        long[IN_PORT_WORD] = 0x0800 << slot::ETH_TYPE.shift;
        long[ETH_DST_WORD] = u64::from_be_bytes(*frame.first_chunk().unwrap()) & !0xffff;
        long[ETH_SRC_WORD] = u64::from_be_bytes(*frame[6..].first_chunk().unwrap()) & !0xffff;
        ipv4(&frame[14..], depth, Fragments::Normal, false, &mut long);
        let mut packet = Packet::from_frame(&frame);
        packet.in_port = PortNo(7);
        long[IN_PORT_WORD] |= 7 << slot::IN_PORT.shift;
        if let Some(front) = extract_plain(&packet, depth) {
            short[..FRONT_WORDS].copy_from_slice(&front);
            prop_assert_eq!(short, long);
        }
    }
}
