//! IPv4 headers.  Source: RFC 791.

use super::layers::{L3, Layers};
use super::number::view;

/// Length without options.
pub const HEADER_LEN: usize = 20;
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
