//! Where a frame's headers are.
//!
//! One walk from the first byte inwards.  A layer is only reported when its fixed header is
//! whole and sane, so whoever holds an offset may read and write that header.  The walk stops at
//! the first header that is not; the outer ones stay usable.

use super::ethernet::{self, ADDRESSES_LEN, HEADER_LEN, TYPE_MIN, TYPE_NONE, VLAN_LEN};
use super::number::{be16, be32, view};
use super::{Packet, arp, ipv4, ipv6, mpls};

/// VLAN tags that are looked behind.
pub const MAX_VLAN_TAGS: u8 = 2;

/// The network layer found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum L3 {
    /// None, or one that is not read.
    #[default]
    None,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// ARP or RARP for IPv4 over Ethernet.
    Arp,
}

/// The transport layer found; never in a later fragment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum L4 {
    /// None, or one that is not read.
    #[default]
    None,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// ICMP.
    Icmp,
    /// ICMPv6.
    Icmpv6,
}

/// Offsets, in bytes from the frame's start, of the headers found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// EtherType behind VLAN tags and SNAP; [`TYPE_NONE`] if the frame has none.
    pub ethertype: u16,
    /// Where that EtherType stands; 0 for a frame too short to have one.
    pub type_at: u16,
    /// VLAN tags in front of it, at most [`MAX_VLAN_TAGS`].
    pub vlan_tags: u8,
    /// Network layer.
    pub l3_kind: L3,
    /// Transport layer.
    pub l4_kind: L4,
    /// IP protocol: behind IPv6's extension headers.
    pub ip_proto: u8,
    /// A fragment, whichever.
    pub fragment: bool,
    /// A fragment other than the first: `l4_kind` is `None`.
    pub later_fragment: bool,
    /// An IPv6 routing header with segments left: the header's destination is not the final one.
    pub source_routed: bool,
    /// Outermost label stack entry or PBB I-TAG; 0 if there is none.
    pub tag: u16,
    /// Network header, valid unless `l3_kind` is `None`.
    pub l3: u16,
    /// First byte behind the IP header and its extensions; 0 if not reached.
    pub l4: u16,
    /// First byte behind the IP datagram: the frame may be padded.
    pub end: u32,
}

impl Layers {
    /// Finds the headers of `packet`.
    #[inline]
    pub fn parse(packet: &Packet) -> Self {
        Self::parse_frame(packet.bytes())
    }

    /// Finds the headers of an Ethernet frame.
    #[inline]
    pub fn parse_frame(frame: &[u8]) -> Self {
        let mut layers = Self::default();
        layers.read(frame);
        layers
    }

    /// Finds the headers of an Ethernet frame, in place: a copy of fields just written one by one
    /// would have to wait for each of them.
    #[inline]
    pub fn read(&mut self, frame: &[u8]) {
        if self.read_plain(frame) {
            return;
        }
        *self = Self::default();
        if let Some(at) = self.parse_link(frame) {
            self.parse_payload(frame, self.ethertype, at);
        }
    }

    /// The usual case in a few loads: TCP or UDP in IPv4 without tags and options, and no fragment.
    /// `false`, and no change, for anything else.
    #[inline]
    fn read_plain(&mut self, frame: &[u8]) -> bool {
        const L3_AT: u16 = HEADER_LEN as u16;
        const L4_AT: u16 = L3_AT + ipv4::HEADER_LEN as u16;
        let Some(head) = frame.first_chunk::<{ L4_AT as usize }>() else {
            return false;
        };
        let (l4_kind, len) = match head[23] {
            super::PROTO_TCP => (L4::Tcp, super::tcp::HEADER_LEN),
            super::PROTO_UDP => (L4::Udp, super::udp::HEADER_LEN),
            _ => return false,
        };
        let be16 = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let end = HEADER_LEN + usize::from(be16(16));
        let whole = be16(20) & (ipv4::MORE_FRAGMENTS | ipv4::FRAGMENT_OFFSET) == 0;
        let fits = usize::from(L4_AT) + len <= end && end <= frame.len();
        if head[12..15] != [0x08, 0x00, 0x45] || !whole || !fits {
            return false;
        }
        *self = Self {
            ethertype: ethernet::TYPE_IPV4,
            type_at: ADDRESSES_LEN as u16,
            vlan_tags: 0,
            l3_kind: L3::Ipv4,
            l4_kind,
            ip_proto: head[23],
            fragment: false,
            later_fragment: false,
            source_routed: false,
            tag: 0,
            l3: L3_AT,
            l4: L4_AT,
            end: end as u32,
        };
        true
    }

    /// Finds the headers of an Ethernet frame that starts at `start` of `bytes`; offsets count from
    /// the first of `bytes`.
    pub fn parse_frame_at(bytes: &[u8], start: usize) -> Self {
        let mut layers = Self::parse_frame(bytes.get(start..).unwrap_or(&[]));
        let Ok(by) = u16::try_from(start) else {
            return Self::default();
        };
        layers.end += u32::from(by);
        for offset in [
            &mut layers.type_at,
            &mut layers.tag,
            &mut layers.l3,
            &mut layers.l4,
        ] {
            if *offset != 0 {
                *offset = offset.saturating_add(by);
            }
        }
        layers
    }

    /// Finds the headers of an IP datagram that starts at `at`, its version read from its first bits.
    /// Used below a label stack, which does not tell what it carries.
    pub fn parse_network(frame: &[u8], at: usize) -> Self {
        let mut layers = Self::default();
        match frame.get(at).map(|byte| byte >> 4) {
            Some(4) => layers.parse_payload(frame, ethernet::TYPE_IPV4, at),
            Some(6) => layers.parse_payload(frame, ethernet::TYPE_IPV6, at),
            _ => {}
        }
        layers
    }

    /// Reads addresses, tags and type; tells where the payload starts.
    #[inline]
    fn parse_link(&mut self, frame: &[u8]) -> Option<usize> {
        let mut at = ADDRESSES_LEN;
        let mut ethertype = be16(frame, at)?;
        while ethernet::is_vlan(ethertype) && self.vlan_tags < MAX_VLAN_TAGS {
            let Some(inner) = be16(frame, at + VLAN_LEN) else {
                break;
            };
            ethertype = inner;
            at += VLAN_LEN;
            self.vlan_tags += 1;
        }
        if ethertype < TYPE_MIN {
            return self.parse_snap(frame, at);
        }
        self.ethertype = ethertype;
        self.type_at = at as u16;
        Some(at + 2)
    }

    /// An 802.3 frame: its type, if any, follows LLC and SNAP headers.
    #[cold]
    fn parse_snap(&mut self, frame: &[u8], length_at: usize) -> Option<usize> {
        self.ethertype = TYPE_NONE;
        self.type_at = length_at as u16;
        let snap = view::<8>(frame, length_at + 2)?;
        let ethertype = u16::from_be_bytes([snap[6], snap[7]]);
        if snap[..6] != [0xaa, 0xaa, 0x03, 0, 0, 0] || ethertype < TYPE_MIN {
            return None;
        }
        self.ethertype = ethertype;
        self.type_at = (length_at + HEADER_LEN - 6) as u16;
        Some(length_at + HEADER_LEN - 4)
    }

    #[inline]
    fn parse_payload(&mut self, frame: &[u8], ethertype: u16, at: usize) {
        match ethertype {
            ethernet::TYPE_IPV4 => ipv4::parse(self, frame, at),
            ethernet::TYPE_IPV6 => ipv6::parse(self, frame, at),
            ethernet::TYPE_ARP | ethernet::TYPE_RARP if arp::is_ipv4(frame, at) => {
                self.l3_kind = L3::Arp;
                self.l3 = at as u16;
                self.end = frame.len() as u32;
            }
            ethernet::TYPE_PBB if be32(frame, at).is_some() => self.tag = at as u16,
            _ if ethernet::is_mpls(ethertype) && mpls::entry(frame, at).is_some() => {
                self.tag = at as u16;
            }
            _ => {}
        }
    }

    /// Whether the outermost tag is a label stack entry.
    #[inline]
    pub fn has_mpls(&self) -> bool {
        self.tag != 0 && ethernet::is_mpls(self.ethertype)
    }

    /// Whether the outermost tag is a PBB I-TAG.
    #[inline]
    pub fn has_pbb(&self) -> bool {
        self.tag != 0 && self.ethertype == ethernet::TYPE_PBB
    }

    /// Notes a transport header at `at` if its fixed part is whole.
    #[inline]
    pub(super) fn parse_transport(&mut self, at: usize, proto: u8, end: usize) {
        self.ip_proto = proto;
        self.l4 = at as u16;
        if self.later_fragment {
            return;
        }
        let (kind, len) = match proto {
            super::PROTO_TCP => (L4::Tcp, super::tcp::HEADER_LEN),
            super::PROTO_UDP => (L4::Udp, super::udp::HEADER_LEN),
            super::PROTO_SCTP => (L4::Sctp, super::sctp::HEADER_LEN),
            super::PROTO_ICMP if self.l3_kind == L3::Ipv4 => (L4::Icmp, super::icmp::HEADER_LEN),
            super::PROTO_ICMPV6 if self.l3_kind == L3::Ipv6 => {
                (L4::Icmpv6, super::icmp::HEADER_LEN)
            }
            _ => return,
        };
        if at + len <= end {
            self.l4_kind = kind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses, then what follows.
    fn frame(rest: &[&[u8]]) -> Vec<u8> {
        [&[0x02; 12][..], &rest.concat()].concat()
    }

    const UDP_V4: [u8; 28] = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 7, 0, 8, 0, 0,
    ];

    #[test]
    fn test_headers_are_found_behind_what_stands_in_front() {
        let snap = [0, 36, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
        // What is in front of IPv4 and UDP, then the expected tags, type_at and l3.
        let cases: [(&str, &[u8], u8, u16, u16); 5] = [
            ("nothing", &[8, 0], 0, 12, 14),
            ("a tag", &[0x81, 0, 0, 5, 8, 0], 1, 16, 18),
            (
                "two tags",
                &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0],
                2,
                20,
                22,
            ),
            ("SNAP", &snap, 0, 20, 22),
            (
                "a tag and SNAP",
                &[&[0x81, 0, 0, 5][..], &snap].concat(),
                1,
                24,
                26,
            ),
        ];
        for (name, front, vlan_tags, type_at, l3) in cases {
            let layers = Layers::parse_frame(&frame(&[front, &UDP_V4]));
            let expected = Layers {
                ethertype: 0x0800,
                type_at,
                vlan_tags,
                l3_kind: L3::Ipv4,
                l4_kind: L4::Udp,
                ip_proto: 17,
                l3,
                l4: l3 + 20,
                end: u32::from(l3) + 28,
                ..Layers::default()
            };
            assert_eq!(layers, expected, "{name}");
        }
    }

    #[test]
    fn test_a_header_that_lies_or_is_cut_ends_the_walk() {
        let mut long = UDP_V4;
        long[3] = 29;
        let mut short = UDP_V4;
        short[0] = 0x44;
        let mut later = UDP_V4;
        later[7] = 1;
        let three_tags = [0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0];
        let cases: [(&str, &[&[u8]], L3, L4); 6] = [
            (
                "total length past the end",
                &[&[8, 0], &long],
                L3::None,
                L4::None,
            ),
            (
                "header shorter than the fixed part",
                &[&[8, 0], &short],
                L3::None,
                L4::None,
            ),
            ("later fragment", &[&[8, 0], &later], L3::Ipv4, L4::None),
            ("three tags", &[&three_tags, &UDP_V4], L3::None, L4::None),
            (
                "802.3 without SNAP",
                &[&[0, 28], &UDP_V4],
                L3::None,
                L4::None,
            ),
            ("addresses only", &[], L3::None, L4::None),
        ];
        for (name, rest, l3, l4) in cases {
            let layers = Layers::parse_frame(&frame(rest));
            assert_eq!((layers.l3_kind, layers.l4_kind), (l3, l4), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn test_short_way_finds_what_the_long_one_finds(
            mut frame in proptest::collection::vec(proptest::prelude::any::<u8>(), 34..90),
            length in 0_u16..90,
            fragment in proptest::sample::select(vec![0_u16, 0x4000, 0x2000, 1]),
            proto in proptest::sample::select(vec![1_u8, 6, 17, 132]),
        ) {
            frame[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
            frame[16..18].copy_from_slice(&length.to_be_bytes());
            frame[20..22].copy_from_slice(&fragment.to_be_bytes());
            frame[23] = proto;
            let (mut short, mut long) = (Layers::default(), Layers::default());
            if short.read_plain(&frame) {
                let at = long.parse_link(&frame).unwrap();
                long.parse_payload(&frame, long.ethertype, at);
                proptest::prop_assert_eq!(short, long);
            } else {
                proptest::prop_assert_eq!(short, Layers::default());
            }
        }
    }

    #[test]
    fn test_ipv6_extension_headers_are_walked() {
        // Next header and bytes of the chain, then transport, fragment, later, routed.
        let udp = [0, 7, 0, 7, 0, 8, 0, 0];
        let hop = [17, 0, 1, 4, 0, 0, 0, 0];
        let routing = [17, 0, 4, 1, 0, 0, 0, 0];
        let first = [17, 0, 0, 1, 0, 0, 0, 9];
        let later = [17, 0, 0, 8, 0, 0, 0, 9];
        let authentication = [17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
        let beyond = [17, 9, 0, 0, 0, 0, 0, 0];
        type Case<'a> = (&'a str, u8, &'a [u8], L4, [bool; 3]);
        let cases: [Case; 6] = [
            ("hop by hop", 0, &hop, L4::Udp, [false, false, false]),
            ("source route", 43, &routing, L4::Udp, [false, false, true]),
            ("first fragment", 44, &first, L4::Udp, [true, false, false]),
            ("later fragment", 44, &later, L4::None, [true, true, false]),
            ("authentication", 51, &authentication, L4::Udp, [false; 3]),
            ("options past the end", 60, &beyond, L4::None, [false; 3]),
        ];
        for (name, next, chain, l4, flags) in cases {
            let len = (chain.len() + udp.len()) as u8;
            let fixed = [0x60, 0, 0, 0, 0, len, next, 64];
            let layers =
                Layers::parse_frame(&frame(&[&[0x86, 0xdd], &fixed, &[1; 32], chain, &udp]));
            assert_eq!(layers.l4_kind, l4, "{name}");
            let found = [layers.fragment, layers.later_fragment, layers.source_routed];
            assert_eq!(found, flags, "{name}");
        }
    }
}
