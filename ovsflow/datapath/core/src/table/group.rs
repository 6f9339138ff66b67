//! One group: its buckets, their counters, and the slots by which a select group picks.

use crate::openflow::action::GroupId;
use crate::openflow::modify::{Bucket, GroupKind, GroupMod, Selection};
use crate::time::Now;

/// Bounds of the number of slots of a select group.
const MIN_SLOTS: usize = 256;
const MAX_SLOTS: usize = 4096;

/// A group as it stands.
#[derive(Clone, Debug)]
pub struct Group {
    pub id: GroupId,
    pub kind: GroupKind,
    pub buckets: Box<[Bucket]>,
    pub selection: Selection,
    /// Select groups: for each hash slot (a power of two of them) the index of a live bucket,
    /// in proportion to the weights.  Empty when no bucket is live.
    pub slots: Box<[u16]>,
    pub created: Now,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) bucket_counts: Box<[(u64, u64)]>,
}

impl Group {
    pub(super) fn new(request: &GroupMod, created: Now) -> Self {
        Self {
            id: request.group,
            kind: request.kind,
            bucket_counts: vec![(0, 0); request.buckets.len()].into(),
            buckets: request.buckets.clone().into(),
            selection: request.selection.clone(),
            slots: Box::default(),
            created,
            packets: 0,
            bytes: 0,
        }
    }

    /// Whether some bucket watches a port or group.
    pub(super) fn watches(&self) -> bool {
        self.buckets.iter().any(has_watch)
    }

    /// Deals the hash slots to the live buckets of a select group.
    pub(super) fn deal_slots(&mut self, live: &[bool]) {
        if self.kind == GroupKind::Select {
            let weights: Vec<u32> = self
                .buckets
                .iter()
                .zip(live)
                .map(|(bucket, &live)| if live { u32::from(bucket.weight) } else { 0 })
                .collect();
            self.slots = slots_by_weight(&weights);
        }
    }
}

/// Whether `bucket` is live only while something else is.
pub(super) fn has_watch(bucket: &Bucket) -> bool {
    bucket.watch_port != crate::packet::PortNo::ANY || bucket.watch_group.is_some()
}

/// Slots in proportion to `weights`, by Webster's method: each slot goes to the bucket whose
/// share is furthest behind.  Empty when all weights are zero.
fn slots_by_weight(weights: &[u32]) -> Box<[u16]> {
    let positive = weights.iter().filter(|&&weight| weight > 0).count();
    if positive == 0 {
        return Box::default();
    }
    let smallest = weights.iter().copied().filter(|&w| w > 0).min();
    let largest = weights.iter().copied().max();
    let equal = smallest == largest && positive.is_power_of_two();
    let count = if equal {
        positive
    } else {
        (positive * 64)
            .next_power_of_two()
            .clamp(MIN_SLOTS, MAX_SLOTS)
    };
    // A bucket with s slots has the quotient weight / (2 s + 1); the greatest is next.
    let mut taken = vec![0u64; weights.len()];
    let mut heap: std::collections::BinaryHeap<Claim> = weights
        .iter()
        .enumerate()
        .filter(|&(_, &weight)| weight > 0)
        .map(|(index, &weight)| Claim {
            weight: u64::from(weight),
            divisor: 1,
            index,
        })
        .collect();
    let mut slots = Vec::with_capacity(count);
    while slots.len() < count {
        let Some(mut claim) = heap.pop() else { break };
        slots.push(claim.index as u16);
        taken[claim.index] += 1;
        claim.divisor = 2 * taken[claim.index] + 1;
        heap.push(claim);
    }
    slots.into()
}

/// A bucket's claim to the next slot.
#[derive(PartialEq, Eq)]
struct Claim {
    weight: u64,
    divisor: u64,
    index: usize,
}

impl Ord for Claim {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let left = self.weight * other.divisor;
        let right = other.weight * self.divisor;
        left.cmp(&right).then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_the_weights() {
        for weights in [vec![1, 1], vec![1, 2], vec![7, 0, 3], vec![100, 1, 50, 9]] {
            let slots = slots_by_weight(&weights);
            assert!(slots.len().is_power_of_two());
            let total: u32 = weights.iter().sum();
            for (index, &weight) in weights.iter().enumerate() {
                let share = slots.iter().filter(|&&s| s as usize == index).count() as f64;
                let wanted = f64::from(weight) / f64::from(total) * slots.len() as f64;
                assert!((share - wanted).abs() < 1.0, "{weights:?} {index}: {share}");
            }
        }
        assert!(slots_by_weight(&[0, 0]).is_empty());
        assert!(slots_by_weight(&[]).is_empty());
    }
}
