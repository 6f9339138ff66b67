//! How a select group spreads hash slots over its buckets.
//!
//! The idea: every slot has a *home*, dealt by Webster's method in proportion to the weights.
//! A change of the buckets moves as few homes as the new proportions need, so that the flows of
//! buckets that stayed as they were stay where they are.  While a bucket is dead its slots are
//! lent to the living ones, again by weight, and fall back to it when it lives again.
//!
//! The number of slots is a power of two, and a hash picks by its high bits: twice as many slots
//! cut each in two and move nothing.

use std::collections::BinaryHeap;

/// Bounds of the number of slots.
const MIN_SLOTS: usize = 256;
const MAX_SLOTS: usize = 4096;

/// Slots for each bucket at least, and for the one of the least weight.
const SLOTS_PER_BUCKET: usize = 64;
const SLOTS_OF_LEAST: u64 = 16;

/// The homes of all slots in proportion to `weights`; empty when all weights are zero.
///
/// `before` says whose each slot was (`None`: nobody's any more), or is empty.
pub(super) fn homes(weights: &[u32], before: &[Option<u16>]) -> Box<[u16]> {
    let count = slot_count(weights).max(before.len().min(MAX_SLOTS));
    let mut claims = Claims::new(weights, |_| 0);
    let mut quotas = vec![0_usize; weights.len()];
    let mut dealt: Vec<u16> = Vec::with_capacity(count);
    while dealt.len() < count {
        let Some(bucket) = claims.next() else {
            return Box::default();
        };
        quotas[usize::from(bucket)] += 1;
        dealt.push(bucket);
    }
    if before.is_empty() {
        return dealt.into();
    }
    // Each keeps what it has, up to its quota; the rest goes to those that lack some.
    let mut slots = vec![None; count];
    for (at, slot) in slots.iter_mut().enumerate() {
        let owner = before.get(at * before.len() / count).copied().flatten();
        let quota = owner.and_then(|owner| quotas.get_mut(usize::from(owner)));
        if let Some(quota) = quota.filter(|quota| **quota > 0) {
            *quota -= 1;
            *slot = owner;
        }
    }
    let mut wanting = dealt.into_iter().filter(|&bucket| {
        let quota = &mut quotas[usize::from(bucket)];
        let wants = *quota > 0;
        *quota = quota.saturating_sub(1);
        wants
    });
    let fill = |slot: Option<u16>| slot.or_else(|| wanting.next()).unwrap_or(0);
    slots.into_iter().map(fill).collect()
}

/// The slots while only some buckets are `live`; empty when none of them has a weight.
pub(super) fn lent(homes: &[u16], weights: &[u32], live: &[bool]) -> Box<[u16]> {
    let is_live = |bucket: usize| live.get(bucket).copied().unwrap_or(false);
    if homes.iter().all(|&home| is_live(usize::from(home))) {
        return homes.into();
    }
    let mut held = vec![0_u64; weights.len()];
    for &home in homes {
        if let Some(held) = held.get_mut(usize::from(home)) {
            *held += 1;
        }
    }
    let left: Vec<u32> = weights
        .iter()
        .enumerate()
        .map(|(bucket, &weight)| if is_live(bucket) { weight } else { 0 })
        .collect();
    let mut claims = Claims::new(&left, |bucket| held[bucket]);
    let slots = homes.iter().map(|&home| {
        if is_live(usize::from(home)) {
            Some(home)
        } else {
            claims.next()
        }
    });
    slots.collect::<Option<Box<[u16]>>>().unwrap_or_default()
}

/// As many slots as the weights need to come out right.
fn slot_count(weights: &[u32]) -> usize {
    let positive = || weights.iter().copied().filter(|&weight| weight > 0);
    let buckets = positive().count();
    let (Some(least), Some(most)) = (positive().min(), positive().max()) else {
        return 0;
    };
    if least == most && buckets.is_power_of_two() {
        return buckets;
    }
    let total: u64 = positive().map(u64::from).sum();
    let for_least = (total * SLOTS_OF_LEAST).div_ceil(u64::from(least));
    let wanted = (buckets * SLOTS_PER_BUCKET).max(for_least.min(MAX_SLOTS as u64) as usize);
    wanted.next_power_of_two().clamp(MIN_SLOTS, MAX_SLOTS)
}

/// Deals slots by Webster's method: each goes to the bucket whose share is furthest behind.
struct Claims(BinaryHeap<Claim>);

impl Claims {
    /// `held` is how many slots a bucket has already.
    fn new(weights: &[u32], held: impl Fn(usize) -> u64) -> Self {
        let claim = |(index, &weight): (usize, &u32)| Claim {
            weight: u64::from(weight),
            divisor: 2 * held(index) + 1,
            index,
        };
        let positive = weights
            .iter()
            .enumerate()
            .filter(|&(_, &weight)| weight > 0);
        Self(positive.map(claim).collect())
    }

    /// The bucket that the next slot goes to; `None` when there is none.
    fn next(&mut self) -> Option<u16> {
        let mut claim = self.0.peek_mut()?;
        // A bucket with s slots has the quotient weight / (2 s + 1); the greatest is next.
        claim.divisor += 2;
        Some(claim.index as u16)
    }
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
    use proptest::prelude::*;

    use super::*;

    fn shares(slots: &[u16], buckets: usize) -> Vec<usize> {
        let share = |bucket| slots.iter().filter(|&&s| usize::from(s) == bucket).count();
        (0..buckets).map(share).collect()
    }

    fn assert_in_proportion(slots: &[u16], weights: &[u32]) {
        let total: u32 = weights.iter().sum();
        for (share, &weight) in shares(slots, weights.len()).into_iter().zip(weights) {
            let wanted = f64::from(weight) / f64::from(total) * slots.len() as f64;
            assert!((share as f64 - wanted).abs() <= 1.5, "{weights:?}: {share}");
        }
    }

    fn kept(slots: &[u16]) -> Vec<Option<u16>> {
        slots.iter().copied().map(Some).collect()
    }

    #[test]
    fn homes_follow_the_weights() {
        for weights in [
            vec![1, 1],
            vec![1, 2],
            vec![7, 0, 3],
            vec![100, 1, 50, 9],
            vec![1, 200],
        ] {
            let slots = homes(&weights, &[]);
            assert!(slots.len().is_power_of_two());
            assert_in_proportion(&slots, &weights);
        }
        assert!(homes(&[0, 0], &[]).is_empty());
        assert!(homes(&[], &[]).is_empty());
        assert!(homes(&[], &kept(&[0, 1])).is_empty());
    }

    proptest! {
        #[test]
        fn a_change_moves_no_more_than_the_proportions_ask_for(
            weights in prop::collection::vec(0_u32..20, 1..8),
            at in any::<prop::sample::Index>(),
            weight in 0_u32..20,
        ) {
            let old = homes(&weights, &[]);
            let mut after = weights.clone();
            after[at.index(weights.len())] = weight;
            let new = homes(&after, &kept(&old));
            if new.is_empty() || old.is_empty() {
                return Ok(());
            }
            assert_in_proportion(&new, &after);
            let cut: Vec<u16> = (0..new.len()).map(|i| old[i * old.len() / new.len()]).collect();
            let moved = cut.iter().zip(&new).filter(|(a, b)| a != b).count();
            let gained = shares(&cut, weights.len()).into_iter().zip(shares(&new, weights.len()));
            prop_assert_eq!(moved, gained.map(|(a, b)| b.saturating_sub(a)).sum::<usize>());
        }

        #[test]
        fn only_the_slots_of_the_dead_are_lent(
            buckets in prop::collection::vec((1_u32..20, any::<bool>()), 1..8),
        ) {
            let (weights, live): (Vec<u32>, Vec<bool>) = buckets.into_iter().unzip();
            let home = homes(&weights, &[]);
            let slots = lent(&home, &weights, &live);
            if !live.contains(&true) {
                prop_assert!(slots.is_empty());
                return Ok(());
            }
            for (&home, &slot) in home.iter().zip(&slots) {
                prop_assert!(live[usize::from(slot)]);
                prop_assert!(home == slot || !live[usize::from(home)]);
            }
        }
    }
}
