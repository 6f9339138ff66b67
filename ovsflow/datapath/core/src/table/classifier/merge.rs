//! Which mask a tuple gets: a rule's own, or one with fewer bits that many rules share.
//!
//! A lookup probes every tuple, so a table with hundreds of masks is slow however few rules it has.
//! Past [`MERGE_FROM`] tuples, a new mask joins a tuple that keeps of the addresses only the whole
//! bytes, and of the rest only what addresses do not already tell apart.  Rules of several
//! masks then share a chain.  When a chain grows past [`MAX_CHAIN`], the mask with the most rules
//! in it moves to a tuple of its own.

use crate::flow::{FlowMask, Slot, slot};

/// Tuples of one mask each, before masks are merged.
pub(super) const MERGE_FROM: usize = small_in_tests(12, 2);

/// Rules of a chain, before a mask moves out.
pub(super) const MAX_CHAIN: usize = small_in_tests(12, 2);

/// Tuples, before none moves out any more.
pub(super) const MAX_TUPLES: usize = small_in_tests(256, 8);

/// Tests reach every limit with a handful of rules.
const fn small_in_tests(usual: usize, in_tests: usize) -> usize {
    if cfg!(test) { in_tests } else { usual }
}

/// Addresses: where they are, and the prefix lengths that are kept.
const ADDRESSES: [(Slot, &[u32]); 8] = [
    (slot::IPV4_SRC, &[24, 16, 8]),
    (slot::IPV4_DST, &[24, 16, 8]),
    (slot::TUN_SRC, &[24, 16, 8]),
    (slot::TUN_DST, &[24, 16, 8]),
    (slot::IPV6_SRC, &[64, 48, 32, 16]),
    (slot::IPV6_DST, &[64, 48, 32, 16]),
    (slot::TUN_IPV6_SRC, &[64, 48, 32, 16]),
    (slot::TUN_IPV6_DST, &[64, 48, 32, 16]),
];

/// Fields that tell little apart once addresses do.
const DETAILS: [Slot; 7] = [
    slot::TP_SRC,
    slot::TP_DST,
    slot::IP_PROTO,
    slot::IP_FRAG,
    slot::IP_TOS,
    slot::IP_TTL,
    slot::TCP_FLAGS,
];

/// Bits of addresses that make the details dispensable.
const ENOUGH: u32 = 16;

/// The bits of `mask` that rules of similar masks have too.
pub(super) fn shared_part(mask: &FlowMask) -> FlowMask {
    let mut shared = mask.clone();
    let mut kept = 0;
    for (place, lengths) in ADDRESSES {
        let given = mask.value(place);
        let width = u32::from(place.width);
        let length = (given << (128 - width)).leading_ones();
        let length = lengths.iter().copied().find(|&kept| kept <= length);
        let length = length.unwrap_or(0);
        kept += length;
        let ones = place.ones();
        shared.set(place, ones & !ones.checked_shr(length).unwrap_or(0));
    }
    for place in DETAILS {
        let given = mask.value(place);
        if kept >= ENOUGH || given != place.ones() {
            shared.set(place, 0);
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_part_of_the_mask() {
        let mut mask = FlowMask::default();
        mask.set(slot::IN_PORT, 0xffff_ffff);
        mask.set(slot::IPV4_SRC, 0xffff_fc00);
        mask.set(slot::IPV4_DST, 0xff00_00ff);
        mask.set(slot::TP_DST, 0xffff);
        mask.set(slot::TP_SRC, 0xff00);
        mask.set(slot::IPV6_DST, u128::MAX << 70);
        let shared = shared_part(&mask);
        assert_eq!(&shared & &mask, shared);
        assert_eq!(shared.value(slot::IN_PORT), 0xffff_ffff);
        assert_eq!(shared.value(slot::IPV4_SRC), 0xffff_0000);
        assert_eq!(shared.value(slot::IPV4_DST), 0xff00_0000);
        assert_eq!(shared.value(slot::IPV6_DST), u128::MAX << 80);
        assert_eq!(shared.value(slot::TP_DST), 0);
        let mut ports = FlowMask::default();
        ports.set(slot::TP_DST, 0xffff);
        ports.set(slot::TP_SRC, 0xff00);
        let shared = shared_part(&ports);
        assert_eq!(shared.value(slot::TP_DST), 0xffff);
        assert_eq!(shared.value(slot::TP_SRC), 0);
    }
}
