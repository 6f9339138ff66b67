//! The last changes, so that a cached translation can be proved again without a walk.
//!
//! Every change has a generation, one higher than the last.  A translation made at generation
//! `g` still holds for a packet if no change since then could have touched that packet: the log
//! answers this for the last [`LOG_SIZE`] changes, and "perhaps" beyond.

use super::shape::Shape;
use crate::flow::{FlowKey, FlowMask, slot};
use crate::openflow::action::TableId;

/// Changes remembered.
const LOG_SIZE: usize = 128;

#[derive(Clone, Debug, Default)]
enum What {
    /// Anything may have changed.
    #[default]
    Anything,
    /// A rule of this table came, went or changed.
    Rule(TableId),
    /// What NORMAL has learned.
    Addresses,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    what: What,
    /// The rule's match: (word, mask, value).
    words: Vec<(u8, u64, u64)>,
}

/// The generation and the last changes.
#[derive(Clone, Debug)]
pub(super) struct ChangeLog {
    generation: u64,
    entries: Vec<Entry>,
}

/// What a cached translation depends on.
#[derive(Clone, Copy, Debug)]
pub struct Dependence<'a> {
    /// The packet's key as it arrived.
    pub key: &'a FlowKey,
    /// Bits that the walk wrote or moved before or between lookups.
    pub overwritten: &'a FlowMask,
    /// Whether NORMAL was part of it.
    pub uses_fdb: bool,
}

impl Default for ChangeLog {
    fn default() -> Self {
        Self {
            generation: 1,
            entries: vec![Entry::default(); LOG_SIZE],
        }
    }
}

impl ChangeLog {
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Something changed that the log does not describe.
    pub(super) fn anything(&mut self) {
        self.next(What::Anything);
    }

    /// What NORMAL has learned changed.
    pub(super) fn addresses(&mut self) {
        self.next(What::Addresses);
    }

    /// A rule with this match came, went or changed.
    pub(super) fn rule(&mut self, table: TableId, shape: &Shape, packed: &[u64]) {
        let words = shape.words.iter().zip(packed);
        let entry = self.next(What::Rule(table));
        // A lookup that completes a conjunction sets conj_id itself.
        let words = words.map(|(word, &value)| match word.index {
            index if index == slot::CONJ_ID.word => {
                (index, word.bits & !(slot::CONJ_ID.ones() as u64), value)
            }
            index => (index, word.bits, value),
        });
        entry.words.extend(words);
    }

    fn next(&mut self, what: What) -> &mut Entry {
        self.generation += 1;
        let index = (self.generation % LOG_SIZE as u64) as usize;
        let entry = &mut self.entries[index];
        entry.what = what;
        entry.words.clear();
        entry
    }

    /// Whether a change after generation `since` may alter a translation that looked at the
    /// tables that `visited` tells.
    pub(super) fn may_affect(
        &self,
        since: u64,
        dependence: &Dependence<'_>,
        visited: impl Fn(TableId) -> bool,
    ) -> bool {
        if self.generation.saturating_sub(since) > LOG_SIZE as u64 {
            return true;
        }
        (since + 1..=self.generation).any(|generation| {
            let entry = &self.entries[(generation % LOG_SIZE as u64) as usize];
            match entry.what {
                What::Anything => true,
                What::Addresses => dependence.uses_fdb,
                What::Rule(table) => {
                    visited(table)
                        && entry.words.iter().all(|&(index, mask, value)| {
                            let index = usize::from(index);
                            let known = mask & !dependence.overwritten.words[index];
                            (dependence.key.words[index] ^ value) & known == 0
                        })
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_that_overlap_the_packet_affect_it() {
        let mut log = ChangeLog::default();
        let mut mask = FlowMask::default();
        mask.set(slot::IPV4_DST, 0xffff_ff00);
        let shape = Shape::new(&mask);
        let start = log.generation();
        log.rule(TableId(3), &shape, &[0x0a00_0100]);
        let mut key = FlowKey::default();
        key.set(slot::IPV4_DST, 0x0a00_0107);
        let nothing = FlowMask::default();
        let affects = |log: &ChangeLog, key: &FlowKey, overwritten: &FlowMask, table: u8| {
            let dependence = Dependence {
                key,
                overwritten,
                uses_fdb: false,
            };
            log.may_affect(start, &dependence, |visited| visited.0 == table)
        };
        assert!(affects(&log, &key, &nothing, 3));
        assert!(!affects(&log, &key, &nothing, 2));
        key.set(slot::IPV4_DST, 0x0a00_0207);
        assert!(!affects(&log, &key, &nothing, 3));
        assert!(affects(&log, &key, &mask, 3));
        log.addresses();
        assert!(!affects(&log, &key, &nothing, 3));
        log.anything();
        assert!(affects(&log, &key, &nothing, 3));
        for _ in 0..LOG_SIZE {
            log.addresses();
        }
        assert!(affects(&log, &key, &nothing, 3));
    }
}
