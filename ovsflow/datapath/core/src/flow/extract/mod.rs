//! Bytes to key: reads a packet's headers once and writes the packet words of a key.
//!
//! The hottest function of the switch, so it runs straight: each header is taken from the front
//! of the bytes that are left as a fixed-size array, whole words are loaded from it, and a
//! header that is short or lies ends the walk.  What was not read stays zero; a malformed packet
//! therefore matches only what its good headers say, never more.
//!
//! Not seen: anything behind an MPLS label, a PBB tag, or ESP; those headers come into view when
//! the outer one is popped and the packet is looked at again.  Same limits as Open vSwitch: two
//! VLAN tags, three labels.  Lists that a sender can make long have named limits.

mod ipv6;
#[cfg(test)]
mod tests;

use super::key::{FlowKey, FlowMask, PACKET_WORDS, slot};
use crate::packet::{Packet, TunnelAddress};

/// How many layers to read: each includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// Ingress port and tunnel.
    Metadata,
    /// Ethernet, VLAN, MPLS, PBB.
    L2,
    /// IPv4, IPv6 with extension headers, ARP.
    L3,
    /// Ports, TCP flags, ICMP type and code.
    L4,
    /// Neighbour discovery as well.
    #[default]
    All,
}

/// Where fragments have their ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fragments {
    /// No fragment has any, not even the first (OFPC_FRAG_NORMAL).
    #[default]
    Normal,
    /// The first fragment has its ports (OFPC_FRAG_NX_MATCH).
    NxMatch,
}

const IN_PORT_WORD: usize = 0;
const ETH_DST_WORD: usize = 1;
const ETH_SRC_WORD: usize = 2;
const IPV4_WORD: usize = 3;
const TRANSPORT_WORD: usize = 4;
const TUNNEL_WORD: usize = 5;
const IPV6_WORD: usize = 12;
const LABEL_WORD: usize = 16;
const MPLS_WORD: usize = 17;
const ND_WORD: usize = 19;
const SHA_WORD: usize = 21;
const THA_WORD: usize = 22;
const ND_RESERVED_WORD: usize = 23;
const PHY_PORT_WORD: usize = 25;

/// The first words of a key: all that [`extract`] says of a packet without tags, labels and tunnel, but
/// for its `phy_port`, if it is IPv4.
pub const FRONT_WORDS: usize = TRANSPORT_WORD + 1;

/// Shortest frame that is a packet: an Ethernet header.
pub const MIN_FRAME: usize = 14;

/// The words under construction.
type Words = [u64; PACKET_WORDS];

/// EtherType in a key of an 802.3 frame without a SNAP type.
const NO_ETH_TYPE: u16 = 0x05ff;

impl Depth {
    /// The least depth that yields every bit of `mask`.
    pub fn of(mask: &FlowMask) -> Self {
        let w = &mask.words;
        let all = w[ND_WORD] | w[ND_WORD + 1] | (w[SHA_WORD] >> 16) | w[THA_WORD];
        let l3 = (w[IN_PORT_WORD] & 0xffff)
            | w[IPV4_WORD]
            | (w[TRANSPORT_WORD] & 0xffff)
            | (w[LABEL_WORD] >> 16)
            | w[IPV6_WORD..IPV6_WORD + 4].iter().fold(0, |a, b| a | b);
        let l2 = (w[IN_PORT_WORD] & 0xffff_0000)
            | w[ETH_DST_WORD]
            | w[ETH_SRC_WORD]
            | (w[LABEL_WORD] & 0xffff)
            | w[MPLS_WORD]
            | w[MPLS_WORD + 1]
            | (w[SHA_WORD] & 0xffff);
        if all | (w[ND_RESERVED_WORD] >> 32) != 0 {
            Self::All
        } else if w[TRANSPORT_WORD] >> 16 != 0 {
            Self::L4
        } else if l3 != 0 {
            Self::L3
        } else if l2 != 0 {
            Self::L2
        } else {
            Self::Metadata
        }
    }
}

/// Writes all packet words of `key` from `packet`, with headers down to `depth`.
///
/// Words of deeper layers become zero; words behind the packet words are left alone.  `false`
/// when the frame is shorter than an Ethernet header.  Never fails otherwise: see the module.
#[inline(always)]
pub fn extract(packet: &Packet, depth: Depth, fragments: Fragments, key: &mut FlowKey) -> bool {
    let Some(words) = key.words.first_chunk_mut::<PACKET_WORDS>() else {
        return false;
    };
    *words = [0; PACKET_WORDS];
    let in_port = u64::from(packet.in_port.0);
    words[IN_PORT_WORD] = in_port << 32;
    words[PHY_PORT_WORD] = in_port << 32;
    if packet.tunnel.is_some() {
        tunnel(packet, words);
    }
    let frame = packet.bytes();
    if depth == Depth::Metadata {
        return frame.len() >= MIN_FRAME;
    }
    if depth >= Depth::L3
        && let Some(front) = extract_plain(packet, depth)
    {
        words[..FRONT_WORDS].copy_from_slice(&front);
        return true;
    }
    ethernet(frame, depth, fragments, packet.offload.gso.is_some(), words)
}

/// The tunnel's words.
fn tunnel(packet: &Packet, words: &mut Words) {
    let Some(tunnel) = &packet.tunnel else { return };
    words[TUNNEL_WORD] = tunnel.id;
    words[TUNNEL_WORD + 2] = u64::from(tunnel.flags) << slot::TUN_FLAGS.shift
        | u64::from(tunnel.gbp_id) << slot::TUN_GBP_ID.shift
        | u64::from(tunnel.gbp_flags) << slot::TUN_GBP_FLAGS.shift
        | u64::from(tunnel.tos) << slot::TUN_TOS.shift
        | u64::from(tunnel.ttl);
    for (address, v4_shift, v6_word) in [(tunnel.src, 32, 8), (tunnel.dst, 0, 10)] {
        match address {
            TunnelAddress::Unset => {}
            TunnelAddress::V4(v4) => words[TUNNEL_WORD + 1] |= u64::from(v4) << v4_shift,
            TunnelAddress::V6(v6) => {
                words[v6_word] = (v6 >> 64) as u64;
                words[v6_word + 1] = v6 as u64;
            }
        }
    }
}

/// Ethernet and tags, then what the EtherType says.  Kept apart: the usual frame does not come here.
#[inline(never)]
fn ethernet(
    frame: &[u8],
    depth: Depth,
    fragments: Fragments,
    gso: bool,
    words: &mut Words,
) -> bool {
    let Some((head, mut rest)) = frame.split_first_chunk::<14>() else {
        return false;
    };
    words[ETH_DST_WORD] = load48(head, 0) << 16;
    words[ETH_SRC_WORD] = load48(head, 6) << 16;
    let mut eth_type = load16(head, 12);
    if matches!(eth_type, 0x8100 | 0x88a8) {
        (eth_type, rest) = vlan(eth_type, rest, words);
    }
    if eth_type < 0x0600 {
        (eth_type, rest) = llc(rest);
    }
    words[IN_PORT_WORD] |= u64::from(eth_type) << slot::ETH_TYPE.shift;
    match eth_type {
        0x0800 if depth >= Depth::L3 => ipv4(rest, depth, fragments, gso, words),
        0x86dd if depth >= Depth::L3 => ipv6::ipv6(rest, depth, fragments, gso, words),
        0x0806 | 0x8035 if depth >= Depth::L3 => arp(rest, words),
        0x8847 | 0x8848 => mpls(rest, words),
        0x88e7 => {
            if let Some(itag) = rest.first_chunk::<4>() {
                words[MPLS_WORD + 1] |= u64::from(u32::from_be_bytes(*itag));
            }
        }
        _ => {}
    }
    true
}

/// The usual case in a few loads, `depth` being [`Depth::L3`] at least: what [`extract`] says of the
/// first words of an IPv4 packet without tags and options, and no fragment.  `None` for anything else.
#[inline(always)]
pub fn extract_plain(packet: &Packet, depth: Depth) -> Option<[u64; FRONT_WORDS]> {
    let frame = packet.bytes();
    let head = frame.first_chunk::<34>()?;
    let total_len = usize::from(load16(head, 16));
    let is_plain = load32(head, 12) >> 8 == 0x0008_0045 && load16(head, 20) & 0x3fff == 0;
    if !is_plain || total_len < 20 {
        return None;
    }
    let payload = frame.get(34..14 + total_len)?;
    let proto = head[23];
    let in_front = u64::from(packet.in_port.0) << slot::IN_PORT.shift
        | 0x0800 << slot::ETH_TYPE.shift
        | u64::from(proto) << slot::IP_PROTO.shift;
    let behind = u64::from(head[15]) << slot::IP_TOS.shift | u64::from(head[22]);
    let ports = match depth >= Depth::L4 {
        true => transport(proto, payload),
        false => 0,
    };
    Some([
        in_front,
        load64(head, 0) & !0xffff,
        load64(head, 6) & !0xffff,
        load64(head, 26),
        behind | ports,
    ])
}

/// One or two tags; returns the EtherType behind them.
fn vlan<'a>(tpid: u16, rest: &'a [u8], words: &mut Words) -> (u16, &'a [u8]) {
    let Some((tag, rest)) = rest.split_first_chunk::<4>() else {
        return (tpid, rest);
    };
    words[ETH_DST_WORD] |= u64::from(load16(tag, 0) | 0x1000);
    words[LABEL_WORD] = u64::from(tpid);
    let inner = load16(tag, 2);
    if !matches!(inner, 0x8100 | 0x88a8) {
        return (inner, rest);
    }
    let Some((tag, rest)) = rest.split_first_chunk::<4>() else {
        return (inner, rest);
    };
    words[ETH_SRC_WORD] |= u64::from(load16(tag, 0) | 0x1000);
    words[SHA_WORD] = u64::from(inner);
    (load16(tag, 2), rest)
}

/// 802.2: the type that a SNAP header gives, if any.
fn llc(rest: &[u8]) -> (u16, &[u8]) {
    match rest.split_first_chunk::<8>() {
        Some(([0xaa, 0xaa, 0x03, 0, 0, 0, high, low], behind)) => {
            let eth_type = u16::from_be_bytes([*high, *low]);
            if eth_type >= 0x0600 {
                (eth_type, behind)
            } else {
                (NO_ETH_TYPE, behind)
            }
        }
        _ => (NO_ETH_TYPE, rest),
    }
}

/// Up to three label stack entries, to the bottom of the stack.
fn mpls(mut rest: &[u8], words: &mut Words) {
    for (word, shift) in [(MPLS_WORD, 32), (MPLS_WORD, 0), (MPLS_WORD + 1, 32)] {
        let Some((entry, behind)) = rest.split_first_chunk::<4>() else {
            return;
        };
        let entry = u32::from_be_bytes(*entry);
        words[word] |= u64::from(entry) << shift;
        if entry & 0x100 != 0 {
            return;
        }
        rest = behind;
    }
}

/// ARP or RARP for IPv4 over Ethernet.  An opcode over 255 reads as 0.
fn arp(rest: &[u8], words: &mut Words) {
    let Some(head) = rest.first_chunk::<28>() else {
        return;
    };
    if load48(head, 0) != 0x0001_0800_0604 {
        return;
    }
    let op = load16(head, 6);
    if op <= 0xff {
        words[IN_PORT_WORD] |= u64::from(op) << slot::IP_PROTO.shift;
    }
    words[SHA_WORD] |= load48(head, 8) << 16;
    words[THA_WORD] = load48(head, 18) << 16;
    words[IPV4_WORD] = u64::from(load32(head, 14)) << 32 | u64::from(load32(head, 24));
}

/// IPv4.  Bytes behind the total length are padding; a length beyond the frame is a lie.
#[inline]
fn ipv4(rest: &[u8], depth: Depth, fragments: Fragments, gso: bool, words: &mut Words) {
    let Some(head) = rest.first_chunk::<20>() else {
        return;
    };
    let header_len = usize::from(head[0] & 0x0f) * 4;
    let mut total_len = usize::from(load16(head, 2));
    if gso && total_len == 0 {
        total_len = rest.len();
    }
    if head[0] >> 4 != 4 || header_len < 20 || total_len < header_len {
        return;
    }
    let Some(payload) = rest.get(header_len..total_len) else {
        return;
    };
    let fragment = load16(head, 6);
    let kind = u64::from(fragment & 0x3fff != 0) | u64::from(fragment & 0x1fff != 0) << 1;
    let proto = head[9];
    words[IN_PORT_WORD] |= u64::from(proto) << slot::IP_PROTO.shift | kind;
    words[IPV4_WORD] = load64(head, 12);
    words[TRANSPORT_WORD] = u64::from(head[1]) << slot::IP_TOS.shift | u64::from(head[8]);
    if depth >= Depth::L4 && has_ports(kind, fragments) {
        words[TRANSPORT_WORD] |= transport(proto, payload);
    }
}

/// The transport word of what follows IPv4.
#[inline]
fn transport(proto: u8, payload: &[u8]) -> u64 {
    match proto {
        1 => icmp::<8>(payload),
        _ => ports(proto, payload),
    }
}

/// Whether a packet of this ip_frag has its transport header read.
#[inline]
fn has_ports(kind: u64, fragments: Fragments) -> bool {
    kind == 0 || (kind == 1 && fragments == Fragments::NxMatch)
}

/// TCP, UDP, SCTP: each only if its whole header, with TCP's options, is there.
#[inline]
fn ports(proto: u8, payload: &[u8]) -> u64 {
    let (ports, flags) = match proto {
        6 => match payload.first_chunk::<20>() {
            Some(head) if (20..=payload.len()).contains(&(usize::from(head[12] >> 4) * 4)) => {
                (load32(head, 0), load16(head, 12) & 0x0fff)
            }
            _ => (0, 0),
        },
        17 => (
            payload.first_chunk::<8>().map_or(0, |head| load32(head, 0)),
            0,
        ),
        132 => (
            payload
                .first_chunk::<12>()
                .map_or(0, |head| load32(head, 0)),
            0,
        ),
        _ => (0, 0),
    };
    u64::from(ports) << slot::TP_DST.shift | u64::from(flags) << slot::TCP_FLAGS.shift
}

/// Type and code of an ICMP message that has at least `N` bytes.
#[inline]
fn icmp<const N: usize>(payload: &[u8]) -> u64 {
    match payload.first_chunk::<N>().map(<[u8; N]>::as_slice) {
        Some([kind, code, ..]) => {
            u64::from(*kind) << slot::TP_SRC.shift | u64::from(*code) << slot::TP_DST.shift
        }
        _ => 0,
    }
}

/// Big-endian 16 bits; the offset is a constant within the array.
#[inline]
fn load16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Big-endian 32 bits.
#[inline]
fn load32<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]))
}

/// Big-endian 48 bits.
#[inline]
fn load48<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    u64::from(load32(bytes, at)) << 16 | u64::from(load16(bytes, at + 4))
}

/// Big-endian 64 bits.
#[inline]
fn load64<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]))
}
