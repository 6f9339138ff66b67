//! IPv4 headers.  Source: RFC 791.

use super::layers::{L3, Layers};
use super::number::{merge, view, view_mut};
use super::{Offload, checksum, ethernet, transport};

/// Length without options.
pub const HEADER_LEN: usize = 20;
/// Where DSCP and ECN stand.
pub const TOS_AT: usize = 1;
/// Where the length of header and payload stands.
pub const LENGTH_AT: usize = 2;
/// Where the identification stands.
pub const ID_AT: usize = 4;
/// Where flags and fragment offset stand.
pub const FRAGMENT_AT: usize = 6;
/// Where the time to live stands.
pub const TTL_AT: usize = 8;
/// Where the header checksum stands.
pub const CHECKSUM_AT: usize = 10;
/// Where source and destination stand.
pub const ADDRESSES_AT: usize = 12;

/// The more-fragments flag in the 16-bit word of flags and fragment offset.
pub const MORE_FRAGMENTS: u16 = 0x2000;
/// The do-not-fragment flag in that word.
pub const DO_NOT_FRAGMENT: u16 = 0x4000;
/// The fragment offset in that word.
pub const FRAGMENT_OFFSET: u16 = 0x1fff;

/// Notes a sane header at `at` and what follows it.
#[inline]
pub(super) fn parse(layers: &mut Layers, frame: &[u8], at: usize) {
    let Some(raw) = view::<HEADER_LEN>(frame, at) else {
        return;
    };
    let header_len = usize::from(raw[0] & 0xf) * 4;
    let total = usize::from(u16::from_be_bytes([raw[2], raw[3]]));
    if raw[0] >> 4 != 4 || header_len < HEADER_LEN || total < header_len || at + total > frame.len()
    {
        return;
    }
    let fragment = u16::from_be_bytes([raw[6], raw[7]]);
    layers.l3_kind = L3::Ipv4;
    layers.l3 = at as u16;
    layers.end = (at + total) as u32;
    layers.fragment = fragment & (MORE_FRAGMENTS | FRAGMENT_OFFSET) != 0;
    layers.later_fragment = fragment & FRAGMENT_OFFSET != 0;
    layers.parse_transport(at + header_len, raw[9], at + total);
}

/// Header bits to write; a set mask bit means write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub src: u32,
    pub src_mask: u32,
    pub dst: u32,
    pub dst_mask: u32,
    pub tos: u8,
    pub tos_mask: u8,
    pub ttl: Option<u8>,
    pub proto: Option<u8>,
}

/// Writes header bits and keeps header and transport checksum in step.
#[inline]
pub fn set(frame: &mut [u8], layers: &Layers, offload: &Offload, change: &Change) {
    let Some(raw) = view_mut::<HEADER_LEN>(frame, usize::from(layers.l3)) else {
        return;
    };
    let word = |raw: &[u8; HEADER_LEN], at: usize| u16::from_be_bytes([raw[at], raw[at + 1]]);
    let long = |raw: &[u8; HEADER_LEN], at: usize| {
        u32::from_be_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])
    };
    let (old_tos, old_ttl) = (word(raw, 0), word(raw, TTL_AT));
    let (old_src, old_dst) = (long(raw, ADDRESSES_AT), long(raw, ADDRESSES_AT + 4));
    let old_proto = raw[TTL_AT + 1];

    let src = merge(old_src, change.src, change.src_mask);
    let dst = merge(old_dst, change.dst, change.dst_mask);
    raw[TOS_AT] = merge(raw[TOS_AT], change.tos, change.tos_mask);
    raw[TTL_AT] = change.ttl.unwrap_or(raw[TTL_AT]);
    raw[TTL_AT + 1] = change.proto.unwrap_or(old_proto);
    let [a, b, c, d] = src.to_be_bytes();
    let [e, f, g, h] = dst.to_be_bytes();
    if let Some(both) = raw.last_chunk_mut() {
        *both = [a, b, c, d, e, f, g, h];
    }

    let addresses = checksum::add(
        checksum::delta32(old_src, src),
        checksum::delta32(old_dst, dst),
    );
    let rest = checksum::add(
        checksum::delta16(old_tos, word(raw, 0)),
        checksum::delta16(old_ttl, word(raw, TTL_AT)),
    );
    let header = checksum::update(word(raw, CHECKSUM_AT), checksum::add(addresses, rest));
    [raw[10], raw[11]] = header.to_be_bytes();

    let proto = checksum::delta16(u16::from(old_proto), u16::from(raw[TTL_AT + 1]));
    let pseudo = checksum::add(addresses, proto);
    transport::pseudo_changed(frame, layers, offload, pseudo);
}

/// Writes the TTL of the header at `at`.
pub fn set_ttl(frame: &mut [u8], at: usize, ttl: u8) {
    if let Some(raw) = view_mut::<HEADER_LEN>(frame, at) {
        write_ttl(raw, ttl);
    }
}

/// Decrements the TTL of the usual packet, whose headers need no search: no tags, no options, all of
/// it there.  `Some(false)`, and no change, if it is 0 or 1; `None` for any other packet.
#[inline]
pub fn dec_ttl_of_plain(frame: &mut [u8]) -> Option<bool> {
    /// What the sum of a header grows by when its TTL falls by one.
    const ONE_LESS: u16 = checksum::delta16(0x0100, 0);
    let len = frame.len();
    let raw = frame.first_chunk_mut::<{ ethernet::HEADER_LEN + HEADER_LEN }>()?;
    let word = |at: usize| u16::from_be_bytes([raw[at], raw[at + 1]]);
    let total = usize::from(word(16));
    if raw[12..15] != [0x08, 0x00, 0x45] || total < HEADER_LEN || 14 + total > len {
        return None;
    }
    if raw[22] <= 1 {
        return Some(false);
    }
    let sum = checksum::update(word(24), ONE_LESS);
    raw[22] -= 1;
    [raw[24], raw[25]] = sum.to_be_bytes();
    Some(true)
}

/// Decrements the TTL of the header at `at`; `false`, and no change, if it is 0 or 1.
#[inline]
pub fn dec_ttl(frame: &mut [u8], at: usize) -> bool {
    let Some(raw) = view_mut::<HEADER_LEN>(frame, at) else {
        return true;
    };
    if raw[TTL_AT] <= 1 {
        return false;
    }
    write_ttl(raw, raw[TTL_AT] - 1);
    true
}

#[inline]
fn write_ttl(raw: &mut [u8; HEADER_LEN], ttl: u8) {
    let old = u16::from_be_bytes([raw[TTL_AT], raw[TTL_AT + 1]]);
    raw[TTL_AT] = ttl;
    let new = u16::from_be_bytes([raw[TTL_AT], raw[TTL_AT + 1]]);
    let field = u16::from_be_bytes([raw[CHECKSUM_AT], raw[CHECKSUM_AT + 1]]);
    let sum = checksum::update16(field, old, new);
    [raw[CHECKSUM_AT], raw[CHECKSUM_AT + 1]] = sum.to_be_bytes();
}

/// Computes the checksum of the header at `at` anew; for headers that this switch builds.
pub fn fill_checksum(frame: &mut [u8], at: usize) {
    let Some(len) = frame.get(at).map(|first| usize::from(first & 0xf) * 4) else {
        return;
    };
    let Some(header) = frame.get_mut(at..at + len) else {
        return;
    };
    super::number::put_be16(header, CHECKSUM_AT, 0);
    let sum = checksum::finish(checksum::sum(header));
    super::number::put_be16(header, CHECKSUM_AT, sum);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn test_short_way_decrements_what_the_long_one_decrements(
            mut frame in prop::collection::vec(any::<u8>(), 0..60),
            version in prop_oneof![Just(0x45_u8), any::<u8>()],
            total in prop_oneof![Just(40_u16), 0_u16..60],
            ttl in prop_oneof![0_u8..3, any::<u8>()],
            sum in prop_oneof![Just(0_u16), Just(0xffff), Just(0x0100), any::<u16>()],
        ) {
            let headers = [(12, vec![8, 0, version]), (16, total.to_be_bytes().to_vec()),
                (22, vec![ttl]), (24, sum.to_be_bytes().to_vec())];
            for (at, bytes) in headers {
                if let Some(place) = frame.get_mut(at..at + bytes.len()) {
                    place.copy_from_slice(&bytes);
                }
            }
            let (before, mut long) = (frame.clone(), frame.clone());
            let layers = Layers::parse_frame(&frame);
            match dec_ttl_of_plain(&mut frame) {
                None => prop_assert_eq!(frame, before),
                Some(done) => {
                    prop_assert_eq!(layers.l3_kind, L3::Ipv4);
                    prop_assert_eq!(dec_ttl(&mut long, usize::from(layers.l3)), done);
                    prop_assert_eq!(frame, long);
                }
            }
        }
    }
}
