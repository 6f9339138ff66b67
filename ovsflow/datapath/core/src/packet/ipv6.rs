//! IPv6 headers and their extension headers.  Source: RFC 8200; AH: RFC 4302.

use super::layers::{L3, Layers};
use super::number::{merge, view, view_mut};
use super::{Offload, checksum, transport};

/// Length of the fixed header.
pub const HEADER_LEN: usize = 40;
/// Where the payload's length stands.
pub const LENGTH_AT: usize = 4;
/// Where the type of what follows stands.
pub const NEXT_HEADER_AT: usize = 6;
/// Where the hop limit stands.
pub const HOP_LIMIT_AT: usize = 7;
/// Where source and destination stand.
pub const ADDRESSES_AT: usize = 8;
/// Extension headers that are looked behind; a longer chain ends the walk.
pub const MAX_EXTENSIONS: usize = 16;

/// Hop-by-hop options.
pub const NEXT_HOP_BY_HOP: u8 = 0;
/// Routing header.
pub const NEXT_ROUTING: u8 = 43;
/// Fragment header.
pub const NEXT_FRAGMENT: u8 = 44;
/// Authentication header.
pub const NEXT_AUTHENTICATION: u8 = 51;
/// Destination options.
pub const NEXT_DESTINATION: u8 = 60;

/// Notes a sane header at `at` and what follows it.
#[inline]
pub(super) fn parse(layers: &mut Layers, frame: &[u8], at: usize) {
    let Some(raw) = view::<HEADER_LEN>(frame, at) else {
        return;
    };
    let payload = usize::from(u16::from_be_bytes([raw[4], raw[5]]));
    let end = at + HEADER_LEN + payload;
    if raw[0] >> 4 != 6 || end > frame.len() {
        return;
    }
    layers.l3_kind = L3::Ipv6;
    layers.l3 = at as u16;
    layers.end = end as u32;
    let next = raw[6];
    if !is_extension(next) {
        layers.parse_transport(at + HEADER_LEN, next, end);
        return;
    }
    if let Some((l4, proto)) = skip_extensions(layers, &frame[..end], at + HEADER_LEN, next) {
        layers.parse_transport(l4, proto, end);
    }
}

#[inline]
fn is_extension(next: u8) -> bool {
    matches!(
        next,
        NEXT_HOP_BY_HOP | NEXT_ROUTING | NEXT_FRAGMENT | NEXT_AUTHENTICATION | NEXT_DESTINATION
    )
}

/// Walks the extension headers; where and what the first other header is, `None` if the chain is
/// broken or too long.  Behind the header of a later fragment nothing is walked.
#[cold]
fn skip_extensions(
    layers: &mut Layers,
    datagram: &[u8],
    mut at: usize,
    mut next: u8,
) -> Option<(usize, u8)> {
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(next) || layers.later_fragment {
            // Offsets are 16 bits wide.
            return (at <= usize::from(u16::MAX)).then_some((at, next));
        }
        let raw = view::<8>(datagram, at)?;
        let units = usize::from(raw[1]);
        let len = match next {
            NEXT_FRAGMENT => {
                let word = u16::from_be_bytes([raw[2], raw[3]]);
                layers.fragment |= word & 0xfff9 != 0;
                layers.later_fragment |= word & 0xfff8 != 0;
                8
            }
            NEXT_AUTHENTICATION => (units + 2) * 4,
            _ => {
                layers.source_routed |= next == NEXT_ROUTING && raw[3] != 0;
                (units + 1) * 8
            }
        };
        next = raw[0];
        at += len;
        if at > datagram.len() {
            return None;
        }
    }
    None
}

/// IPv6 header bits to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub src: u128,
    pub src_mask: u128,
    pub dst: u128,
    pub dst_mask: u128,
    pub traffic_class: u8,
    pub traffic_class_mask: u8,
    pub label: u32,
    pub label_mask: u32,
    pub hop_limit: Option<u8>,
    pub proto: Option<u8>,
}

/// Writes header bits and keeps the transport checksum in step.
///
/// While a routing header has segments left the destination is not the one that the transport
/// checksum covers.  The protocol is the number of what stands behind all extension headers.
#[inline]
pub fn set(frame: &mut [u8], layers: &Layers, offload: &Offload, change: &Change) {
    let l3 = usize::from(layers.l3);
    let Some(raw) = view_mut::<HEADER_LEN>(frame, l3) else {
        return;
    };
    let word = u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]);
    let value = u32::from(change.traffic_class) << 20 | change.label & 0xf_ffff;
    let mask = u32::from(change.traffic_class_mask) << 20 | change.label_mask & 0xf_ffff;
    [raw[0], raw[1], raw[2], raw[3]] = merge(word, value, mask).to_be_bytes();
    raw[HOP_LIMIT_AT] = change.hop_limit.unwrap_or(raw[HOP_LIMIT_AT]);

    let mut pseudo = 0;
    if change.src_mask != 0 {
        pseudo = checksum::add(pseudo, set_address(raw, 8, change.src, change.src_mask));
    }
    if change.dst_mask != 0 {
        let delta = set_address(raw, 24, change.dst, change.dst_mask);
        if !layers.source_routed {
            pseudo = checksum::add(pseudo, delta);
        }
    }
    if let Some(proto) = change.proto
        && let Some(field) = last_next_header(frame, layers).and_then(|at| frame.get_mut(at))
    {
        let delta = checksum::delta16(u16::from(*field), u16::from(proto));
        *field = proto;
        pseudo = checksum::add(pseudo, delta);
    }
    transport::pseudo_changed(frame, layers, offload, pseudo);
}

/// Where the number of the protocol behind all extension headers stands.
fn last_next_header(frame: &[u8], layers: &Layers) -> Option<usize> {
    let l3 = usize::from(layers.l3);
    let (mut field, mut at) = (l3 + NEXT_HEADER_AT, l3 + HEADER_LEN);
    while at < usize::from(layers.l4) {
        let [_, units] = *view::<2>(frame, at)?;
        let len = match *frame.get(field)? {
            NEXT_FRAGMENT => 8,
            NEXT_AUTHENTICATION => (usize::from(units) + 2) * 4,
            _ => (usize::from(units) + 1) * 8,
        };
        field = at;
        at += len;
    }
    (at == usize::from(layers.l4)).then_some(field)
}

/// Writes bits of the address at `at` (8 or 24); what the sum grew by.
#[inline]
fn set_address(raw: &mut [u8; HEADER_LEN], at: usize, value: u128, mask: u128) -> u16 {
    let Some(field) = view_mut::<16>(raw, at) else {
        return 0;
    };
    let old = u128::from_be_bytes(*field);
    let new = merge(old, value, mask);
    *field = new.to_be_bytes();
    checksum::delta128(old, new)
}

/// Writes the hop limit of the header at `at`.
pub fn set_hop_limit(frame: &mut [u8], at: usize, hop_limit: u8) {
    if let Some(field) = frame.get_mut(at + HOP_LIMIT_AT) {
        *field = hop_limit;
    }
}

/// Decrements the hop limit of the header at `at`; `false`, and no change, if it is 0 or 1.
#[inline]
pub fn dec_hop_limit(frame: &mut [u8], at: usize) -> bool {
    match frame.get_mut(at + HOP_LIMIT_AT) {
        Some(0 | 1) => false,
        Some(hop_limit) => {
            *hop_limit -= 1;
            true
        }
        None => true,
    }
}
