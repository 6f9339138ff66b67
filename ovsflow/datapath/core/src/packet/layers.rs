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
        let Some(at) = layers.parse_link(frame) else {
            return layers;
        };
        layers.parse_payload(frame, layers.ethertype, at);
        layers
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
