//! ICMP and ICMPv6 headers, and IPv6 neighbour discovery.
//!
//! Source: RFC 792, RFC 4443, RFC 4861.

use super::layers::{L4, Layers};
use super::number::{be16, merge, view};
use super::{Offload, checksum, transport};

/// Type, code and checksum, which every message has.
pub const HEADER_LEN: usize = 4;
/// The same and what depends on the type: the shortest message.
pub const MESSAGE_LEN: usize = 8;
/// Where the checksum stands.
pub const CHECKSUM_AT: usize = 2;

/// Neighbour solicitation.
pub const NEIGHBOUR_SOLICITATION: u8 = 135;
/// Neighbour advertisement.
pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Where the flags or reserved word of a neighbour message stands.
pub const ND_RESERVED_AT: usize = 4;
/// Where the target address of a neighbour message stands.
pub const ND_TARGET_AT: usize = 8;
/// Where the options of a neighbour message start.
pub const ND_OPTIONS_AT: usize = 24;
/// Length of a link-layer address option for Ethernet.
pub const ND_LINK_OPTION_LEN: usize = 8;
/// Source link-layer address option.
pub const ND_SOURCE_LINK: u8 = 1;
/// Target link-layer address option.
pub const ND_TARGET_LINK: u8 = 2;

/// Neighbour discovery fields to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeighbourChange {
    pub target: u128,
    pub target_mask: u128,
    /// Source link-layer address option.
    pub sll: u64,
    pub sll_mask: u64,
    /// Target link-layer address option.
    pub tll: u64,
    pub tll_mask: u64,
    pub reserved: Option<u32>,
    pub option_type: Option<u8>,
}

/// Writes type and code; a message that is cut short is left alone.
pub fn set(
    frame: &mut [u8],
    layers: &Layers,
    offload: &Offload,
    kind: Option<u8>,
    code: Option<u8>,
) {
    let l4 = usize::from(layers.l4);
    let (L4::Icmp | L4::Icmpv6) = layers.l4_kind else {
        return;
    };
    if l4 + MESSAGE_LEN > layers.end as usize {
        return;
    }
    if let Some([old_kind, old_code]) = view::<2>(frame, l4).copied() {
        let word = [kind.unwrap_or(old_kind), code.unwrap_or(old_code)];
        transport::set_word(frame, layers, offload, l4, u16::from_be_bytes(word));
    }
}

/// Writes fields of a neighbour solicitation or advertisement; link-layer addresses only where the
/// message has the option.
pub fn set_neighbour(
    frame: &mut [u8],
    layers: &Layers,
    offload: &Offload,
    change: &NeighbourChange,
) {
    let l4 = usize::from(layers.l4);
    let end = layers.end as usize;
    if !is_neighbour(frame, layers) {
        return;
    }
    if let Some(reserved) = change.reserved {
        set_bits(
            frame,
            layers,
            offload,
            l4 + ND_RESERVED_AT,
            &reserved.to_be_bytes(),
            &[0xff; 4],
        );
    }
    let target = change.target.to_be_bytes();
    let mask = change.target_mask.to_be_bytes();
    set_bits(frame, layers, offload, l4 + ND_TARGET_AT, &target, &mask);
    let options = l4 + ND_OPTIONS_AT;
    if let Some(kind) = change.option_type
        && options + 2 <= end
        && let Some(old) = be16(frame, options)
    {
        let word = u16::from(kind) << 8 | old & 0xff;
        transport::set_word(frame, layers, offload, options, word);
    }
    let mut at = options;
    while at + ND_LINK_OPTION_LEN <= end {
        let Some([kind, units]) = view::<2>(frame, at).copied() else {
            return;
        };
        let (address, mask) = match (kind, units) {
            (_, 0) => return,
            (ND_SOURCE_LINK, 1) => (change.sll, change.sll_mask),
            (ND_TARGET_LINK, 1) => (change.tll, change.tll_mask),
            _ => (0, 0),
        };
        if mask != 0 {
            let [_, _, address @ ..] = address.to_be_bytes();
            let [_, _, mask @ ..] = mask.to_be_bytes();
            set_bits(frame, layers, offload, at + 2, &address, &mask);
        }
        at += usize::from(units) * ND_LINK_OPTION_LEN;
    }
}

/// Whether the transport header is a whole neighbour solicitation or advertisement.
pub fn is_neighbour(frame: &[u8], layers: &Layers) -> bool {
    let l4 = usize::from(layers.l4);
    let kind = frame.get(l4).copied();
    layers.l4_kind == L4::Icmpv6
        && matches!(kind, Some(NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT))
        && l4 + ND_OPTIONS_AT <= layers.end as usize
}

/// Writes bits of an even number of bytes at an even distance from the transport header.
fn set_bits(
    frame: &mut [u8],
    layers: &Layers,
    offload: &Offload,
    at: usize,
    value: &[u8],
    mask: &[u8],
) {
    let Some(field) = frame.get_mut(at..at + value.len()) else {
        return;
    };
    let before = checksum::sum(field);
    for ((byte, value), mask) in field.iter_mut().zip(value).zip(mask) {
        *byte = merge(*byte, *value, *mask);
    }
    let delta = checksum::delta16(before, checksum::sum(field));
    transport::segment_changed(frame, layers, offload, delta);
}
