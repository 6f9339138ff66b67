//! IPv6 headers and their extension headers.  Source: RFC 8200; AH: RFC 4302.

use super::layers::{L3, Layers};
use super::number::view;

/// Length of the fixed header.
pub const HEADER_LEN: usize = 40;
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
