//! VXLAN headers, and what tunnels do to ECN.
//!
//! Source: RFC 7348; group policy extension: draft-smith-vxlan-group-policy; ECN: RFC 3168 §9.1.

use super::layers::{L3, Layers};
use super::{Packet, Tunnel, ethernet, ipv4, ipv6, number};
use crate::error::DropReason;

/// The UDP port that IANA assigned.
pub const PORT: u16 = 4789;
/// Length of the header.
pub const HEADER_LEN: usize = 8;

/// The I flag: the VNI is valid.
const FLAG_VNI: u8 = 0x08;
/// The G flag: the group policy fields are valid.
const FLAG_POLICY: u8 = 0x80;
/// Group policy flags that have a meaning: do not learn, policy applied.
const POLICY_FLAGS: u8 = 0x48;

/// Group policy of one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Group policy identifier.
    pub id: u16,
    /// 0x40 do not learn, 0x08 policy applied.
    pub flags: u8,
}

/// A VXLAN header's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// Group policy, on ports that speak it.
    pub policy: Option<Policy>,
}

impl Header {
    /// Reads the header in front of an inner Ethernet frame.
    ///
    /// Flags that the port does not speak and reserved bits that are set may change what the
    /// payload is, so such a datagram is refused, as Linux and Open vSwitch do.
    #[inline]
    pub fn parse(datagram: &[u8], speaks_policy: bool) -> Result<Self, DropReason> {
        if datagram.len() < HEADER_LEN + ethernet::HEADER_LEN {
            return Err(DropReason::VxlanTooShort);
        }
        // The usual header has but one flag.
        if let Some(&[FLAG_VNI, 0, 0, 0, a, b, c, 0]) = datagram.first_chunk() {
            return Ok(Self {
                vni: u32::from_be_bytes([0, a, b, c]),
                policy: None,
            });
        }
        Self::parse_any(datagram, speaks_policy)
    }

    #[inline(never)]
    fn parse_any(datagram: &[u8], speaks_policy: bool) -> Result<Self, DropReason> {
        let &[flags, policy_flags, id_high, id_low, vni @ .., reserved] =
            number::view::<HEADER_LEN>(datagram, 0).ok_or(DropReason::VxlanTooShort)?;
        let known = if speaks_policy {
            FLAG_VNI | FLAG_POLICY
        } else {
            FLAG_VNI
        };
        if flags & FLAG_VNI == 0 || flags & !known != 0 {
            return Err(DropReason::VxlanFlags);
        }
        let policy = Policy {
            id: u16::from_be_bytes([id_high, id_low]),
            flags: policy_flags,
        };
        let has_policy = flags & FLAG_POLICY != 0;
        let stray = if has_policy {
            policy.flags & !POLICY_FLAGS
        } else {
            policy.flags
        };
        if stray != 0 || reserved != 0 || !has_policy && policy.id != 0 {
            return Err(DropReason::VxlanReserved);
        }
        let [a, b, c] = vni;
        Ok(Self {
            vni: u32::from_be_bytes([0, a, b, c]),
            policy: has_policy.then_some(policy),
        })
    }

    /// The header's bytes; the VNI's upper 8 bits are cut off.
    pub fn build(self) -> [u8; HEADER_LEN] {
        let [_, a, b, c] = self.vni.to_be_bytes();
        match self.policy {
            None => [FLAG_VNI, 0, 0, 0, a, b, c, 0],
            Some(policy) => {
                let [high, low] = policy.id.to_be_bytes();
                let flags = policy.flags & POLICY_FLAGS;
                [FLAG_VNI | FLAG_POLICY, flags, high, low, a, b, c, 0]
            }
        }
    }
}

/// Congestion experienced.
const ECN_CE: u8 = 3;
/// ECN-capable transport (0).
const ECN_ECT0: u8 = 2;

/// DSCP and ECN of the IP header right behind Ethernet and VLAN tags; `None` without one.
pub fn inner_tos(frame: &[u8], layers: &Layers) -> Option<u8> {
    let l3 = usize::from(layers.l3);
    match layers.l3_kind {
        L3::Ipv4 => frame.get(l3 + ipv4::TOS_AT).copied(),
        L3::Ipv6 => number::be16(frame, l3).map(|word| (word >> 4) as u8),
        L3::None | L3::Arp => None,
    }
}

/// TTL or hop limit of the same header.
pub fn inner_ttl(frame: &[u8], layers: &Layers) -> Option<u8> {
    let l3 = usize::from(layers.l3);
    match layers.l3_kind {
        L3::Ipv4 => frame.get(l3 + ipv4::TTL_AT).copied(),
        L3::Ipv6 => frame.get(l3 + ipv6::HOP_LIMIT_AT).copied(),
        L3::None | L3::Arp => None,
    }
}

/// The metadata to send a packet with that is about to be cut: its headers will tell no more.
pub fn before_cut(packet: &Packet, tunnel: &Tunnel) -> Tunnel {
    let layers = Layers::parse(packet);
    let frame = packet.bytes();
    match (inner_tos(frame, &layers), inner_ttl(frame, &layers)) {
        (Some(tos), Some(ttl)) => Tunnel {
            tos,
            ttl: ttl.max(1),
            ..*tunnel
        },
        _ => *tunnel,
    }
}

/// ECN of the outer header for an inner TOS: copied, but congestion experienced becomes ECT(0),
/// for the outer path has not been congested yet.
pub const fn outer_ecn(inner_tos: u8) -> u8 {
    match inner_tos & 3 {
        ECN_CE => ECN_ECT0,
        ecn => ecn,
    }
}

/// Carries congestion that the outer header experienced into the inner one; `false` if the inner
/// packet's transport does not understand it, so that it must be dropped instead.
#[inline]
pub fn decapsulate_ecn(packet: &mut Packet, outer_tos: u8) -> bool {
    outer_tos & 3 != ECN_CE || mark_congestion(packet)
}

#[cold]
fn mark_congestion(packet: &mut Packet) -> bool {
    let layers = Layers::parse(packet);
    let offload = packet.offload;
    match inner_tos(packet.bytes(), &layers).map(|tos| tos & 3) {
        Some(0) => return false,
        Some(_) if layers.l3_kind == L3::Ipv4 => {
            let change = ipv4::Change {
                tos: ECN_CE,
                tos_mask: 3,
                ..ipv4::Change::default()
            };
            ipv4::set(packet.bytes_mut(), &layers, &offload, &change);
        }
        Some(_) => {
            let change = ipv6::Change {
                traffic_class: ECN_CE,
                traffic_class_mask: 3,
                ..ipv6::Change::default()
            };
            ipv6::set(packet.bytes_mut(), &layers, &offload, &change);
        }
        None => {}
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::sample::{self, Random, Shape};

    #[test]
    fn test_headers_are_read_and_built() {
        let policy = Policy {
            id: 0x0102,
            flags: 0x48,
        };
        // Bytes, VNI and policy; the second is from the group policy draft's figure.
        let cases = [
            ([0x08, 0, 0, 0, 0, 0, 7, 0], 7, None),
            ([0x08, 0, 0, 0, 0xff, 0xff, 0xff, 0], 0xff_ffff, None),
            ([0x88, 0x48, 1, 2, 0, 1, 0, 0], 0x100, Some(policy)),
        ];
        for (bytes, vni, policy) in cases {
            let datagram = [&bytes[..], &[0; 14]].concat();
            let header = Header { vni, policy };
            assert_eq!(Header::parse(&datagram, true), Ok(header));
            assert_eq!(header.build(), bytes);
        }
    }

    #[test]
    fn test_a_header_that_may_mean_something_else_is_refused() {
        use DropReason::{VxlanFlags, VxlanReserved, VxlanTooShort};
        let cases = [
            ("no I flag", [0x00, 0, 0, 0, 0, 0, 7, 0], VxlanFlags),
            ("another flag", [0x0c, 0, 0, 0, 0, 0, 7, 0], VxlanFlags),
            ("policy unasked", [0x88, 0, 0, 1, 0, 0, 7, 0], VxlanFlags),
            ("reserved byte", [0x08, 0, 0, 0, 0, 0, 7, 1], VxlanReserved),
            ("reserved word", [0x08, 0, 1, 0, 0, 0, 7, 0], VxlanReserved),
        ];
        for (name, bytes, reason) in cases {
            let datagram = [&bytes[..], &[0; 14]].concat();
            assert_eq!(Header::parse(&datagram, false), Err(reason), "{name}");
            let short = Header::parse(&datagram[..21], false);
            assert_eq!(short, Err(VxlanTooShort), "{name}");
        }
    }

    #[test]
    fn test_congestion_outside_reaches_the_inner_packet_or_loses_it() {
        // Outer ECN, inner ECN, what becomes of the inner one.
        let cases = [
            (0, 1, Some(1)),
            (1, 2, Some(2)),
            (3, 0, None),
            (3, 1, Some(3)),
            (3, 2, Some(3)),
            (3, 3, Some(3)),
        ];
        let mut random = Random::new(1);
        for (outer, inner, expected) in cases {
            for v6 in [false, true] {
                let mut frame = Shape::plain(v6, 6, vec![1, 2, 3]).build(&mut random);
                // The traffic class straddles bytes 0 and 1 of IPv6.
                let at = 15;
                let (shift, mask) = if v6 { (4, 0xcf) } else { (0, 0xfc) };
                frame[at] = frame[at] & mask | inner << shift;
                sample::fill(&mut frame);
                let mut packet = Packet::from_frame(&frame);
                assert_eq!(decapsulate_ecn(&mut packet, outer), expected.is_some());
                let after = packet.bytes()[at] >> shift & 3;
                assert_eq!(after, expected.unwrap_or(inner), "{outer} {inner} {v6}");
                assert_eq!(sample::check(packet.bytes()), Ok(()));
            }
        }
        let mut arp = Packet::from_frame(&[0xff; 60]);
        assert!(decapsulate_ecn(&mut arp, 3));
        assert_eq!([0, 1, 2, 3].map(outer_ecn), [0, 1, 2, 2]);
    }
}
