//! The last changes, so that a cached translation can be proved again without a walk.
//!
//! Every change has a generation, one higher than the last.  A translation made at generation
//! `g` still holds for a packet if no change since then could have touched that packet.  Two
//! records answer this, and "perhaps" counts as yes:
//!
//! - *Stamps*, for any number of changes: for each mask whose rules have changed lately, the
//!   packet's key under it leads to the generation of the last change of a rule with that key.
//!   Keys share stamps; a stamp can only be too young.
//! - A *log* of the last [`LOG_SIZE`] changes, bit by bit, for packets that actions have changed
//!   on their way, of whom some bits are not known.

use super::TABLES;
use super::shape::{MaskWord, Seed, Shape};
use crate::flow::{FlowKey, SparseMask, slot};
use crate::openflow::action::TableId;

/// Changes remembered one by one.
const LOG_SIZE: usize = if cfg!(test) { 4 } else { 64 };

/// Number of stamps: a power of two.
const STAMPS: usize = 1 << 16;

/// Masks of one table whose changes are told apart.
const MAX_MASKS: usize = if cfg!(test) { 3 } else { 64 };

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

/// A mask whose rules have changed, and when the last of them did.
#[derive(Clone, Debug)]
struct Changed {
    shape: Shape,
    /// One bit for the place of each of its words.
    places: u64,
    generation: u64,
}

/// What changed in one table.
#[derive(Clone, Debug, Default)]
struct TableChanges {
    masks: Vec<Changed>,
    /// The mask that changed last: in a burst mostly the next as well.
    last: usize,
    generation: u64,
    /// Changes up to this generation are not told apart.
    floor: u64,
}

/// The generation and the last changes.
#[derive(Clone, Debug)]
pub(super) struct ChangeLog {
    generation: u64,
    entries: Vec<Entry>,
    tables: Vec<TableChanges>,
    /// The tables that have ever changed.
    changed: Vec<TableId>,
    stamps: Vec<u64>,
    seed: Seed,
    /// When something changed that is not described.
    anything: u64,
    /// When what NORMAL has learned changed.
    addresses: u64,
}

/// What a cached translation depends on.
#[derive(Clone, Copy, Debug)]
pub struct Dependence<'a> {
    /// The packet's key as it arrived.
    pub key: &'a FlowKey,
    /// Bits that the walk wrote or moved before or between lookups.
    pub overwritten: &'a SparseMask,
    /// Whether NORMAL was part of it.
    pub uses_fdb: bool,
}

impl ChangeLog {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            generation: 1,
            entries: vec![Entry::default(); LOG_SIZE],
            tables: vec![TableChanges::default(); TABLES],
            changed: Vec::new(),
            stamps: vec![0; STAMPS],
            seed,
            anything: 0,
            addresses: 0,
        }
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Something changed that the log does not describe.
    pub(super) fn anything(&mut self) {
        self.next(What::Anything);
        self.anything = self.generation;
    }

    /// What NORMAL has learned changed.
    pub(super) fn addresses(&mut self) {
        self.next(What::Addresses);
        self.addresses = self.generation;
    }

    /// A rule with this match came, went or changed.
    pub(super) fn rule(&mut self, table: TableId, shape: &Shape, packed: &[u64]) {
        let entry = self.next(What::Rule(table));
        let words = shape.words.iter().zip(packed);
        let words = words.map(|(&word, &value)| (word.index, own_bits(word), value));
        entry.words.extend(words);
        let generation = self.generation;
        let seed = self.seed;
        let Some(changes) = self.tables.get_mut(usize::from(table.0)) else {
            return;
        };
        if changes.generation == 0 {
            self.changed.push(table);
        }
        changes.generation = generation;
        if let Some(mask) = changes.note(shape, generation) {
            let values = mask.words.iter().zip(packed);
            let hash = seed.hash(values.map(|(word, value)| value & word.bits));
            self.stamps[stamp_of(table, hash)] = generation;
        }
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
        if self.anything > since || dependence.uses_fdb && self.addresses > since {
            return true;
        }
        let is_suspect = self.changed.iter().any(|&table| {
            let changes = &self.tables[usize::from(table.0)];
            changes.generation > since
                && visited(table)
                && (changes.floor > since
                    || self.is_stamped(since, table, &changes.masks, dependence))
        });
        is_suspect
            && (self.generation.saturating_sub(since) > LOG_SIZE as u64
                || self.is_logged(since, dependence, visited))
    }

    /// Whether a rule that may match the packet has changed in a table, by the stamps.
    fn is_stamped(
        &self,
        since: u64,
        table: TableId,
        masks: &[Changed],
        dependence: &Dependence<'_>,
    ) -> bool {
        let mut masks = masks.iter().filter(|mask| mask.generation > since);
        let written = dependence.overwritten.places();
        masks.any(|Changed { shape, places, .. }| {
            let is_written =
                |word: &MaskWord| dependence.overwritten.word(word.index) & word.bits != 0;
            let is_disguised = places & written != 0 && shape.words.iter().any(is_written);
            let hash = shape.hash_key(self.seed, dependence.key);
            is_disguised || self.stamps[stamp_of(table, hash)] > since
        })
    }

    /// Whether a rule that may match the packet has changed in a visited table, by the log.
    fn is_logged(
        &self,
        since: u64,
        dependence: &Dependence<'_>,
        visited: impl Fn(TableId) -> bool,
    ) -> bool {
        (since + 1..=self.generation).any(|generation| {
            let entry = &self.entries[(generation % LOG_SIZE as u64) as usize];
            match entry.what {
                What::Anything => true,
                What::Addresses => dependence.uses_fdb,
                What::Rule(table) => {
                    visited(table)
                        && entry.words.iter().all(|&(index, mask, value)| {
                            let known = mask & !dependence.overwritten.word(index);
                            (dependence.key.words[usize::from(index)] ^ value) & known == 0
                        })
                }
            }
        })
    }
}

impl TableChanges {
    /// Notes that a rule of this shape has changed; returns the mask to stamp by, unless there
    /// are too many.
    fn note(&mut self, shape: &Shape, generation: u64) -> Option<&Shape> {
        let is_same = |mask: &Changed| {
            let words = mask.shape.words.iter().zip(&shape.words);
            mask.shape.words.len() == shape.words.len()
                && words
                    .into_iter()
                    .all(|(a, &b)| a.index == b.index && a.bits == own_bits(b))
        };
        if !self.masks.get(self.last).is_some_and(is_same) {
            self.last = match self.masks.iter().position(is_same) {
                Some(index) => index,
                None if self.masks.len() < MAX_MASKS => {
                    let words = shape.words.iter().map(|&word| MaskWord {
                        bits: own_bits(word),
                        ..word
                    });
                    self.masks.push(Changed {
                        places: shape
                            .words
                            .iter()
                            .fold(0, |all, word| all | 1 << word.index),
                        shape: Shape {
                            words: words.collect(),
                        },
                        generation,
                    });
                    self.masks.len() - 1
                }
                None => {
                    self.masks.clear();
                    self.floor = generation;
                    return None;
                }
            };
        }
        let mask = self.masks.get_mut(self.last)?;
        mask.generation = generation;
        Some(&mask.shape)
    }
}

/// The bits of a mask's word without conj_id: a lookup that completes a conjunction sets it itself.
const fn own_bits(word: MaskWord) -> u64 {
    if word.index == slot::CONJ_ID.word {
        word.bits & !(slot::CONJ_ID.ones() as u64)
    } else {
        word.bits
    }
}

/// The place of the stamp for a hashed key of a table.
const fn stamp_of(table: TableId, hash: u64) -> usize {
    let hash = hash ^ (table.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash as usize % STAMPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::FlowMask;

    fn key(dst: u128) -> FlowKey {
        let mut key = FlowKey::default();
        key.set(slot::IPV4_DST, dst);
        key
    }

    fn shape(mask: u128) -> Shape {
        let mut bits = FlowMask::default();
        bits.set(slot::IPV4_DST, mask);
        Shape::new(&bits)
    }

    fn affects(log: &ChangeLog, since: u64, dst: u128, overwritten: u128, table: u8) -> bool {
        let mut bits = FlowMask::default();
        bits.set(slot::IPV4_DST, overwritten);
        let dependence = Dependence {
            key: &key(dst),
            overwritten: &SparseMask::new(&bits),
            uses_fdb: false,
        };
        log.may_affect(since, &dependence, |visited| visited.0 == table)
    }

    #[test]
    fn only_changes_that_overlap_the_packet_affect_it() {
        let mut log = ChangeLog::new(Seed::new(5));
        let start = log.generation();
        log.rule(TableId(3), &shape(0xffff_ff00), &[0x0a00_0100]);
        assert!(affects(&log, start, 0x0a00_0107, 0, 3));
        assert!(!affects(&log, start, 0x0a00_0107, 0, 2));
        assert!(!affects(&log, start, 0x0a00_0207, 0, 3));
        // Of an address that an action wrote only the other bits are known.
        assert!(affects(&log, start, 0x0a00_0207, 0xffff, 3));
        assert!(!affects(&log, start, 0x0b00_0207, 0xffff, 3));
        log.addresses();
        assert!(!affects(&log, start, 0x0a00_0207, 0, 3));
        log.anything();
        assert!(affects(&log, start, 0x0a00_0207, 0, 3));
    }

    #[test]
    fn many_changes_of_other_keys_leave_most_packets_alone() {
        let mut log = ChangeLog::new(Seed::new(5));
        let start = log.generation();
        let shape = shape(0xffff_ffff);
        for host in 0..1000 {
            log.rule(TableId(0), &shape, &[0x0a00_0000 + host]);
        }
        let suspects = (0..1000).filter(|dst| affects(&log, start, 0x0b00_0000 + dst, 0, 0));
        assert!(suspects.count() < 50);
        assert!((0..1000).all(|dst| affects(&log, start, 0x0a00_0000 + dst, 0, 0)));
        assert!(!affects(&log, log.generation(), 0x0a00_0000, 0, 0));
    }
}
