//! Picks a bucket by a hash of packet fields.

use std::sync::Arc;

use crate::action::{DpAction, SelectOut};
use crate::flow::extract::{Depth, Fragments, extract};
use crate::flow::{FlowKey, FlowMask, PACKET_WORDS};
use crate::packet::Packet;

/// The list of the bucket that `packet` falls to; `None` if there is none.
///
/// Packets that agree in the fields go to the same bucket, and as long as the slots stay,
/// that bucket is the same.
pub(super) fn pick<'a>(select: &'a SelectOut, packet: &Packet) -> Option<&'a Arc<[DpAction]>> {
    let mut key = FlowKey::default();
    extract(
        packet,
        Depth::of(&select.fields),
        Fragments::default(),
        &mut key,
    );
    let hash = hash(&key, &select.fields, select.basis);
    // A power of two of slots: the high bits, which are mixed best, pick one.
    let slot = (u128::from(hash) * select.slots.len() as u128) >> 64;
    let bucket = select.slots.get(slot as usize)?;
    select.buckets.get(usize::from(*bucket))
}

/// A hash of the packet words under a mask: a multiply folded onto itself for each word that counts.
fn hash(key: &FlowKey, fields: &FlowMask, basis: u32) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let words = key.words.iter().zip(&fields.words).take(PACKET_WORDS);
    let seed = u64::from(basis) ^ 0x243f_6a88_85a3_08d3;
    words
        .filter(|(_, mask)| **mask != 0)
        .fold(seed, |hash, (word, mask)| {
            let product = u128::from(hash ^ (word & mask)) * u128::from(MULTIPLIER);
            (product >> 64) as u64 ^ (product as u64).rotate_left(23)
        })
}
