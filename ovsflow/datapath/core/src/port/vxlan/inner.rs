//! What a tunnel needs to know of the packet inside before it can send it: its TOS and TTL, and a
//! hash of its flow.

use super::plan::DSCP;
use crate::packet::layers::{L3, L4, Layers};
use crate::packet::number::{be32, view};
use crate::packet::{DEFAULT_TTL, PROTO_SCTP, PROTO_TCP, PROTO_UDP, Packet, Tunnel, vxlan};

/// First source port, and how many bits of a flow's hash are added.  Source: RFC 7348 §5.
const SOURCE_PORT: u16 = 49_152;
const SOURCE_PORT_BITS: u16 = 0x3fff;

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Ethernet and IPv4 headers, without tags and options, and a transport's two ports.
const PLAIN_IPV4: usize = 14 + 20 + 4;

/// What the headers of a packet said before it was cut; `None` for one that was not, and unless it
/// was IP.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut {
    tos: Option<u8>,
    ttl: Option<u8>,
}

impl Cut {
    /// What the metadata to send with has kept of it.
    pub(super) fn new(tunnel: &Tunnel) -> Self {
        let is_known = tunnel.ttl != 0;
        Self {
            tos: is_known.then_some(tunnel.tos),
            ttl: is_known.then_some(tunnel.ttl),
        }
    }
}

/// Facts of an inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inner {
    /// TOS or traffic class; `None` unless it is IP.
    pub(super) tos: Option<u8>,
    /// TTL or hop limit; `None` unless it is IP.
    pub(super) ttl: Option<u8>,
    /// The same for every packet of a flow, fragments of IP datagrams apart.  It spreads flows over
    /// a path's members; it resists nobody.
    pub(super) hash: u32,
}

impl Inner {
    #[inline(always)]
    pub(super) fn new(packet: &Packet, cut: Cut) -> Self {
        match Self::plain_ipv4(packet.bytes()) {
            Some(inner) => inner,
            None => Self::any(packet.bytes(), cut),
        }
    }

    /// The outer TOS: a DSCP, or this packet's, and the packet's ECN.
    #[inline]
    pub(super) fn outer_tos(&self, dscp: Option<u8>) -> u8 {
        let tos = self.tos.unwrap_or(0);
        dscp.unwrap_or(tos & DSCP) | vxlan::outer_ecn(tos)
    }

    /// The outer TTL: one that is given, or this packet's.  A packet that must not be forwarded again
    /// must still reach the tunnel's end.
    #[inline]
    pub(super) fn outer_ttl(&self, ttl: Option<u8>) -> u8 {
        ttl.unwrap_or(self.ttl.unwrap_or(DEFAULT_TTL).max(1))
    }

    /// The outer UDP header's source port.
    #[inline]
    pub(super) const fn source_port(&self) -> u16 {
        SOURCE_PORT + (self.hash as u16 & SOURCE_PORT_BITS)
    }

    /// The usual case in a few loads: what [`Self::any`] says of an IPv4 packet with no tags,
    /// options or fragments, and with ports.
    #[inline(always)]
    pub(super) fn plain_ipv4(frame: &[u8]) -> Option<Self> {
        let head = view::<PLAIN_IPV4>(frame, 0)?;
        // EtherType, version and header length; the TOS follows.
        let is_plain = be32(head, 12)? & !0xff == 0x0800_4500;
        let whole = head[20] & 0x3f == 0 && head[21] == 0;
        let with_ports = matches!(head[23], PROTO_TCP | PROTO_UDP | PROTO_SCTP);
        let length = usize::from(u16::from_be_bytes([head[16], head[17]]));
        let fits = (40..=frame.len() - 14).contains(&length);
        if !is_plain || !whole || !with_ports || !fits {
            return None;
        }
        let addresses = u64::from_be_bytes(*view::<8>(head, 26)?);
        let ports = be32(head, 34)?;
        Some(Self {
            tos: Some(head[15]),
            ttl: Some(head[22]),
            hash: finish(mix(mix(0, addresses), with_proto(ports, head[23]))),
        })
    }

    #[inline(never)]
    pub(super) fn any(frame: &[u8], cut: Cut) -> Self {
        let layers = Layers::parse_frame(frame);
        let l3 = usize::from(layers.l3);
        let addresses = match layers.l3_kind {
            L3::Ipv4 => frame.get(l3 + 12..l3 + 20),
            L3::Ipv6 => frame.get(l3 + 8..l3 + 40),
            L3::None | L3::Arp => frame.get(..14),
        };
        let mut hash = 0;
        for chunk in addresses.unwrap_or(frame).chunks(8) {
            let word = chunk
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            hash = mix(hash, word);
        }
        if matches!(layers.l4_kind, L4::Tcp | L4::Udp | L4::Sctp) && !layers.fragment {
            let ports = be32(frame, usize::from(layers.l4)).unwrap_or(0);
            hash = mix(hash, with_proto(ports, layers.ip_proto));
        }
        Self {
            tos: vxlan::inner_tos(frame, &layers).or(cut.tos),
            ttl: vxlan::inner_ttl(frame, &layers).or(cut.ttl),
            hash: finish(hash),
        }
    }
}

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(ODD).rotate_left(29)
}

#[inline]
fn with_proto(ports: u32, proto: u8) -> u64 {
    u64::from(ports) << 8 | u64::from(proto)
}

#[inline]
fn finish(hash: u64) -> u32 {
    ((hash ^ hash >> 32).wrapping_mul(ODD) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn test_short_way_says_what_the_long_one_says(
            mut frame in prop::collection::vec(any::<u8>(), 0..80),
            proto in prop_oneof![Just(6_u8), Just(17), Just(132), any::<u8>()],
            fragment in prop_oneof![Just(0_u16), Just(0x4000), any::<u16>()],
            length in prop_oneof![Just(40_u16), any::<u8>().prop_map(u16::from)],
        ) {
            let headers = [(12, vec![8, 0, 0x45]), (16, length.to_be_bytes().to_vec()),
                (20, fragment.to_be_bytes().to_vec()), (23, vec![proto])];
            for (at, bytes) in headers {
                if let Some(place) = frame.get_mut(at..at + bytes.len()) {
                    place.copy_from_slice(&bytes);
                }
            }
            if let Some(short) = Inner::plain_ipv4(&frame) {
                prop_assert_eq!(short, Inner::any(&frame, Cut::default()));
            }
        }
    }
}
