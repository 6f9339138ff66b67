//! Finds the highest-priority rule that matches a key.
//!
//! **Idea.**  Rules are grouped into *tuples*.  A tuple has a mask, and a hash table from keys under
//! that mask to a chain of rules, highest priority first.  A lookup probes the tuples in the order of
//! their highest priorities and stops at the first that cannot beat what was found.
//! A rule's own mask has all bits of its tuple's, and mostly no others: then a probe that
//! hits needs no further look.  A tuple with fewer bits than its rules (see `merge`) holds several masks in
//! one table at the price of comparing the rules of a chain.
//!
//! **Cost.**  A lookup takes at most one probe for each tuple and a bounded chain in each; both depend on
//! rules alone, never on traffic.  Adding and removing take one probe, and a step for each
//! rule of higher priority in the chain.
//!
//! **The mask.**  A lookup marks the masks of the tuples that it probed and of the rules that it compared.
//! Those bits decided everything that it did, so a key that differs only in other bits gets the
//! same rule.
//!
//! **Threads.**  Readers share it; a writer has it alone.

mod homes;
mod merge;
mod scan;
mod update;

use std::collections::{BTreeMap, HashMap};

use hashbrown::HashTable;

use super::shape::{Seed, Shape, Shapes};
use super::store::{NONE, Rule, RuleStore, rule_flags};
use crate::flow::{FlowKey, FlowMask};
use crate::openflow::modify::Match;

/// The first rule of a chain, and the hash that all of the chain have.
#[derive(Clone, Copy, Debug)]
struct Head {
    slot: u32,
    hash: u32,
}

/// Rules that share a mask, or the bits of one.
#[derive(Clone, Debug)]
struct Tuple {
    shape: Shape,
    heads: HashTable<Head>,
    /// Number of rules of each priority.
    priorities: BTreeMap<u16, u32>,
    max_priority: u16,
    rules: u32,
    /// Masks of rules whose home it is.
    shapes: u32,
    /// Its mask left a tuple where it made a chain too long.
    has_moved_out: bool,
}

/// The rules of one table, ordered for lookup.
#[derive(Clone, Debug)]
pub(super) struct Classifier {
    pub(super) shapes: Shapes,
    tuples: Vec<Tuple>,
    free: Vec<u16>,
    /// Tuples with rules, by falling highest priority.
    order: Vec<u16>,
    /// The tuple of each mask that has one.
    by_mask: HashMap<Box<[u64]>, u16>,
    /// Rules that are clauses of conjunctive matches.
    soft: u32,
    seed: Seed,
}

impl Classifier {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            shapes: Shapes::default(),
            tuples: Vec::new(),
            free: Vec::new(),
            order: Vec::new(),
            by_mask: HashMap::new(),
            soft: 0,
            seed,
        }
    }

    /// Whether some rule is a clause of a conjunctive match.
    #[inline]
    pub(super) const fn has_soft(&self) -> bool {
        self.soft != 0
    }

    /// The highest-priority rule that matches `key`, clauses of conjunctive matches left out.
    ///
    /// Sets in `mask` every bit that the answer depends on.
    #[inline]
    pub(super) fn lookup(
        &self,
        store: &RuleStore,
        key: &FlowKey,
        mask: &mut FlowMask,
    ) -> Option<u32> {
        let mut best = None;
        let mut beaten: Option<u16> = None;
        for &index in &self.order {
            let tuple = &self.tuples[usize::from(index)];
            if beaten.is_some_and(|priority| priority >= tuple.max_priority) {
                break;
            }
            tuple.shape.mark(mask);
            let mut slot = self.probe(store, tuple, key);
            while slot != NONE {
                let rule = store.rule(slot);
                if beaten.is_some_and(|priority| priority >= rule.priority) {
                    break;
                }
                if rule.flags & rule_flags::SOFT == 0 && self.matches(store, tuple, rule, key, mask)
                {
                    (best, beaten) = (Some(slot), Some(rule.priority));
                    break;
                }
                slot = rule.next;
            }
        }
        best
    }

    /// Calls `visit` for each clause of conjunctive matches that `key` matches, of a priority
    /// above `floor`.  Sets in `mask` every bit that the answer depends on.
    pub(super) fn soft_matches(
        &self,
        store: &RuleStore,
        key: &FlowKey,
        floor: Option<u16>,
        mask: &mut FlowMask,
        visit: &mut impl FnMut(u32),
    ) {
        let above = |priority: u16| floor.is_none_or(|floor| priority > floor);
        for &index in &self.order {
            let tuple = &self.tuples[usize::from(index)];
            if !above(tuple.max_priority) {
                break;
            }
            tuple.shape.mark(mask);
            let mut slot = self.probe(store, tuple, key);
            while slot != NONE && above(store.rule(slot).priority) {
                let rule = store.rule(slot);
                if rule.flags & rule_flags::SOFT != 0 && self.matches(store, tuple, rule, key, mask)
                {
                    visit(slot);
                }
                slot = rule.next;
            }
        }
    }

    /// The first rule of the chain for `key`, or [`NONE`].
    #[inline]
    fn probe(&self, store: &RuleStore, tuple: &Tuple, key: &FlowKey) -> u32 {
        let short = tuple.shape.hash_key(self.seed, key) as u32;
        let found = tuple.heads.find(spread(short), |head| {
            head.hash == short && {
                let rule = store.rule(head.slot);
                let shape = self.shapes.shape(rule.shape);
                let packed = store.body(rule);
                if shape.words.len() == tuple.shape.words.len() && shape == &tuple.shape {
                    shape.matches(packed, key)
                } else {
                    tuple.shape.matches_part(shape, packed, key)
                }
            }
        });
        found.map_or(NONE, |head| head.slot)
    }

    /// Whether `key`, which agrees with `rule` under the tuple's mask, agrees in all.
    #[inline]
    fn matches(
        &self,
        store: &RuleStore,
        tuple: &Tuple,
        rule: &Rule,
        key: &FlowKey,
        mask: &mut FlowMask,
    ) -> bool {
        let shape = self.shapes.shape(rule.shape);
        if shape == &tuple.shape {
            return true;
        }
        shape.mark(mask);
        shape.matches(store.body(rule), key)
    }

    /// The rule with exactly this match and priority.
    pub(super) fn find(&self, store: &RuleStore, matching: &Match, priority: u16) -> Option<u32> {
        let id = self.shapes.find(&matching.mask)?;
        self.find_shaped(store, id, &matching.value, priority)
    }

    /// Same, for a match whose shape is known.
    pub(super) fn find_shaped(
        &self,
        store: &RuleStore,
        shape: u16,
        value: &FlowKey,
        priority: u16,
    ) -> Option<u32> {
        let entry = self.shapes.entry(shape);
        let tuple = self.tuples.get(usize::from(entry.tuple))?;
        let mut slot = self.probe(store, tuple, value);
        while slot != NONE {
            let rule = store.rule(slot);
            if rule.priority < priority {
                return None;
            }
            if rule.priority == priority
                && rule.shape == shape
                && entry.shape.matches(store.body(rule), value)
            {
                return Some(slot);
            }
            slot = rule.next;
        }
        None
    }
}

/// The slots of a chain.
struct Chain<'a> {
    store: &'a RuleStore,
    next: u32,
}

impl Iterator for Chain<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let slot = self.next;
        if slot == NONE {
            return None;
        }
        self.next = self.store.rule(slot).next;
        Some(slot)
    }
}

/// A hash for the table from the 32 bits that are kept of it.
#[inline]
const fn spread(short: u32) -> u64 {
    (short as u64) << 32 | short as u64
}
