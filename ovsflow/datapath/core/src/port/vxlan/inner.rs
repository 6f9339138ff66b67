//! What a tunnel needs to know of the packet inside before it can send it: its TTL, and a hash
//! of its flow.

use crate::packet::layers::{L3, L4, Layers};
use crate::packet::number::be32;

/// TTL or hop limit of an inner IP packet.
pub(super) fn ttl(frame: &[u8], layers: &Layers) -> Option<u8> {
    let l3 = usize::from(layers.l3);
    match layers.l3_kind {
        L3::Ipv4 => frame.get(l3 + 8).copied(),
        L3::Ipv6 => frame.get(l3 + 7).copied(),
        L3::None | L3::Arp => None,
    }
}

/// A hash of the inner flow, the same for every packet of it, fragments of IP datagrams apart.
/// It spreads flows over a path's members; it resists nobody.
pub(super) fn flow_hash(frame: &[u8], layers: &Layers) -> u32 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = 0_u64;
    let mut mix = |word: u64| hash = (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    let l3 = usize::from(layers.l3);
    let addresses = match layers.l3_kind {
        L3::Ipv4 => frame.get(l3 + 12..l3 + 20),
        L3::Ipv6 => frame.get(l3 + 8..l3 + 40),
        L3::None | L3::Arp => frame.get(..14),
    };
    for chunk in addresses.unwrap_or(frame).chunks(8) {
        mix(chunk
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    if matches!(layers.l4_kind, L4::Tcp | L4::Udp | L4::Sctp) && !layers.fragment {
        let ports = be32(frame, usize::from(layers.l4)).unwrap_or(0);
        mix(u64::from(ports) << 8 | u64::from(layers.ip_proto));
    }
    ((hash ^ hash >> 32).wrapping_mul(ODD) >> 32) as u32
}
