//! IPv6: the fixed header, the walk along extension headers, and neighbour discovery.
//!
//! ip_proto becomes the last next-header value.  As in Open vSwitch a later fragment's is 44,
//! and a chain that is cut short, or longer than [`MAX_HEADERS`], has none and no ports.

use super::{
    Depth, Fragments, IN_PORT_WORD, IPV6_WORD, LABEL_WORD, ND_RESERVED_WORD, ND_WORD, SHA_WORD,
    THA_WORD, TRANSPORT_WORD, Words, has_ports, icmp, load16, load32, load48, load64, ports,
};
use crate::flow::key::slot;

/// Most extension headers that are walked.
const MAX_HEADERS: usize = 16;

/// Most neighbour discovery options that are looked at.
const MAX_OPTIONS: usize = 16;

/// OFPIEH_*.  Source: OpenFlow 1.3.5 §7.2.3.8.
mod exthdr {
    pub(super) const NO_NEXT: u16 = 1 << 0;
    pub(super) const ESP: u16 = 1 << 1;
    pub(super) const AUTH: u16 = 1 << 2;
    pub(super) const DEST: u16 = 1 << 3;
    pub(super) const FRAG: u16 = 1 << 4;
    pub(super) const ROUTER: u16 = 1 << 5;
    pub(super) const HOP: u16 = 1 << 6;
    pub(super) const REPEATED: u16 = 1 << 7;
    pub(super) const OUT_OF_ORDER: u16 = 1 << 8;
}

/// Reads an IPv6 header and what follows it.
#[inline]
pub(super) fn ipv6(rest: &[u8], depth: Depth, fragments: Fragments, gso: bool, words: &mut Words) {
    let Some((head, behind)) = rest.split_first_chunk::<40>() else {
        return;
    };
    let first = load32(head, 0);
    let mut payload_len = usize::from(load16(head, 4));
    if gso && payload_len == 0 {
        payload_len = behind.len();
    }
    let Some(payload) = behind.get(..payload_len) else {
        return;
    };
    if first >> 28 != 6 {
        return;
    }
    for i in 0..4 {
        words[IPV6_WORD + i] = load64(head, 8 + 8 * i);
    }
    let traffic_class = u64::from(first >> 20 & 0xff);
    words[TRANSPORT_WORD] = traffic_class << slot::IP_TOS.shift | u64::from(head[7]);
    words[LABEL_WORD] |= u64::from(first & 0xf_ffff) << slot::IPV6_LABEL.shift;
    let Some(chain) = walk(head[6], payload) else {
        return;
    };
    words[LABEL_WORD] |= u64::from(chain.seen) << slot::IPV6_EXTHDR.shift;
    words[IN_PORT_WORD] |= u64::from(chain.proto) << slot::IP_PROTO.shift | chain.fragment;
    if depth >= Depth::L4 && has_ports(chain.fragment, fragments) {
        match chain.proto {
            58 => icmpv6(chain.payload, depth, words),
            proto => words[TRANSPORT_WORD] |= ports(proto, chain.payload),
        }
    }
}

/// What stands at the end of a chain of extension headers.
struct Chain<'a> {
    proto: u8,
    /// ip_frag.
    fragment: u64,
    /// OFPIEH_* bits.
    seen: u16,
    payload: &'a [u8],
}

/// Walks the chain; `None` when it is cut short or too long.
#[inline]
fn walk(proto: u8, payload: &[u8]) -> Option<Chain<'_>> {
    let mut chain = Chain {
        proto,
        fragment: 0,
        seen: 0,
        payload,
    };
    let mut rank = 0;
    for _ in 0..MAX_HEADERS {
        let proto = chain.proto;
        if !matches!(proto, 0 | 43 | 44 | 50 | 51 | 59 | 60) {
            return Some(chain);
        }
        rank = note(proto, rank, &mut chain.seen);
        if matches!(proto, 50 | 59) {
            return Some(chain);
        }
        let head = chain.payload.first_chunk::<8>()?;
        let len = match proto {
            44 => 8,
            51 => (usize::from(head[1]) + 2) * 4,
            _ => (usize::from(head[1]) + 1) * 8,
        };
        if proto == 44 {
            let field = load16(head, 2);
            chain.fragment |= u64::from(field & 0xfff9 != 0);
            if field & 0xfff8 != 0 {
                chain.fragment |= 2;
                return Some(chain);
            }
        }
        chain.proto = head[0];
        chain.payload = chain.payload.get(len..)?;
    }
    None
}

/// Adds one extension header to `seen`, given the place in RFC 8200 §4.1's order of the one
/// before it; returns its own place.
fn note(proto: u8, before: u8, seen: &mut u16) -> u8 {
    let (bit, place) = match proto {
        0 => (exthdr::HOP, 1),
        60 if before < 3 && *seen & exthdr::DEST == 0 => (exthdr::DEST, 2),
        60 => (exthdr::DEST, 7),
        43 => (exthdr::ROUTER, 3),
        44 => (exthdr::FRAG, 4),
        51 => (exthdr::AUTH, 5),
        50 => (exthdr::ESP, 6),
        _ => (exthdr::NO_NEXT, 8),
    };
    // Destination options may stand twice: before the routing header and at the end.
    let repeated = *seen & bit != 0 && (bit != exthdr::DEST || before == 7);
    if repeated {
        *seen |= exthdr::REPEATED;
    }
    if place < before {
        *seen |= exthdr::OUT_OF_ORDER;
    }
    *seen |= bit;
    place
}

/// ICMPv6 type and code, and neighbour discovery at the greatest depth.
fn icmpv6(payload: &[u8], depth: Depth, words: &mut Words) {
    words[TRANSPORT_WORD] |= icmp::<4>(payload);
    if depth < Depth::All || !matches!(payload, [135 | 136, 0, ..]) {
        return;
    }
    let Some((head, options)) = payload.split_first_chunk::<24>() else {
        return;
    };
    words[ND_RESERVED_WORD] |= u64::from(load32(head, 4)) << slot::ND_RESERVED.shift;
    words[ND_WORD] = load64(head, 8);
    words[ND_WORD + 1] = load64(head, 16);
    if let Some((source, target, kind)) = link_layer_options(options) {
        words[SHA_WORD] |= source << 16;
        words[THA_WORD] = target << 16 | u64::from(kind);
    }
}

/// Source and target link-layer addresses and the type of the last such option; `None` when an
/// option is malformed or stands twice.
fn link_layer_options(mut options: &[u8]) -> Option<(u64, u64, u8)> {
    let (mut source, mut target, mut last) = (0, 0, 0);
    for _ in 0..MAX_OPTIONS {
        let Some(head) = options.first_chunk::<8>() else {
            break;
        };
        let len = usize::from(head[1]) * 8;
        if len == 0 || len > options.len() {
            return None;
        }
        let address = match (head[0], head[1]) {
            (1, 1) => &mut source,
            (2, 1) => &mut target,
            _ => {
                options = options.get(len..)?;
                continue;
            }
        };
        if *address != 0 {
            return None;
        }
        *address = load48(head, 2);
        last = head[0];
        options = options.get(len..)?;
    }
    Some((source, target, last))
}
