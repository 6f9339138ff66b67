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

use std::collections::{BTreeMap, HashMap};

use hashbrown::HashTable;

use super::merge;
use super::shape::{NO_INDEX, Seed, Shape, Shapes};
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

    /// Puts the rule in `slot` where lookups find it.  Its shape is interned already.
    pub(super) fn insert(&mut self, store: &mut RuleStore, slot: u32) {
        let rule = *store.rule(slot);
        self.soft += u32::from(rule.flags & rule_flags::SOFT != 0);
        let index = self.tuple_for(store, rule.shape);
        let first = self.put(store, index, slot);
        let mut chain = Chain { store, next: first };
        if chain.nth(merge::MAX_CHAIN).is_some() {
            self.limit_chain(store, index, first);
        }
    }

    /// Puts a rule into a tuple; returns the first of its chain.
    fn put(&mut self, store: &mut RuleStore, index: u16, slot: u32) -> u32 {
        let rule = *store.rule(slot);
        let shape = self.shapes.shape(rule.shape);
        let tuple = &mut self.tuples[usize::from(index)];
        let packed = store.body(&rule);
        let short = tuple.shape.hash_packed(self.seed, shape, packed) as u32;
        let head = tuple.heads.find_mut(spread(short), |head| {
            head.hash == short && same_key(&self.shapes, store, &tuple.shape, head.slot, slot)
        });
        let mut first = slot;
        match head {
            None => {
                let head = Head { slot, hash: short };
                let hasher = |head: &Head| spread(head.hash);
                tuple.heads.insert_unique(spread(short), head, hasher);
            }
            Some(head) if store.rule(head.slot).priority < rule.priority => {
                store.rule_mut(slot).next = head.slot;
                head.slot = slot;
            }
            Some(head) => {
                first = head.slot;
                let mut before = head.slot;
                loop {
                    let next = store.rule(before).next;
                    if next == NONE || store.rule(next).priority < rule.priority {
                        store.rule_mut(before).next = slot;
                        store.rule_mut(slot).next = next;
                        break;
                    }
                    before = next;
                }
            }
        }
        tuple.rules += 1;
        *tuple.priorities.entry(rule.priority).or_default() += 1;
        if rule.priority > tuple.max_priority || tuple.rules == 1 {
            tuple.max_priority = rule.priority;
            self.reorder(index);
        }
        first
    }

    /// Lets the mask with the most rules in an overlong chain move to a tuple of its own.
    fn limit_chain(&mut self, store: &mut RuleStore, index: u16, first: u32) {
        if self.order.len() >= merge::MAX_TUPLES {
            return;
        }
        let tuple = &self.tuples[usize::from(index)];
        let chain = Chain { store, next: first };
        let shapes: Vec<u16> = chain.map(|slot| store.rule(slot).shape).collect();
        let rules_of = |shape: u16| shapes.iter().filter(|&&other| other == shape).count();
        let crowd = shapes
            .iter()
            .copied()
            .filter(|&shape| *self.shapes.shape(shape) != tuple.shape);
        if let Some(shape) = crowd.max_by_key(|&shape| rules_of(shape)) {
            let mask = self.shapes.shape(shape).mask();
            self.move_to(store, shape, &mask);
            let own = self.shapes.entry(shape).tuple;
            self.tuples[usize::from(own)].has_moved_out = true;
        }
    }

    /// Moves all rules of a shape to the tuple of a mask.
    fn move_to(&mut self, store: &mut RuleStore, shape: u16, mask: &FlowMask) {
        let from = self.shapes.entry(shape).tuple;
        let mut moving = Vec::new();
        for head in &self.tuples[usize::from(from)].heads {
            let chain = Chain {
                store,
                next: head.slot,
            };
            moving.extend(chain.filter(|&slot| store.rule(slot).shape == shape));
        }
        for &slot in &moving {
            self.take(store, from, slot);
        }
        self.leave_tuple(shape);
        let to = self.join_tuple(shape, mask);
        for slot in moving {
            self.put(store, to, slot);
        }
    }

    /// Takes all rules out of sight.
    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.soft = 0;
        for tuple in &mut self.tuples {
            tuple.heads = HashTable::new();
            tuple.priorities.clear();
            tuple.rules = 0;
        }
    }

    /// Takes the rule in `slot` out of sight.
    pub(super) fn remove(&mut self, store: &mut RuleStore, slot: u32) {
        let rule = *store.rule(slot);
        self.soft -= u32::from(rule.flags & rule_flags::SOFT != 0);
        let index = self.shapes.entry(rule.shape).tuple;
        self.take(store, index, slot);
    }

    /// Takes a rule out of its tuple.
    fn take(&mut self, store: &mut RuleStore, index: u16, slot: u32) {
        let rule = *store.rule(slot);
        let shape = self.shapes.shape(rule.shape);
        let tuple = &mut self.tuples[usize::from(index)];
        let short = tuple.shape.hash_packed(self.seed, shape, store.body(&rule)) as u32;
        let found = tuple.heads.find_entry(spread(short), |head| {
            head.hash == short && same_key(&self.shapes, store, &tuple.shape, head.slot, slot)
        });
        let Ok(mut found) = found else {
            debug_assert!(false, "a rule is in the chain of its key");
            return;
        };
        if found.get().slot == slot {
            if rule.next == NONE {
                found.remove();
            } else {
                found.get_mut().slot = rule.next;
            }
        } else {
            let mut before = found.get().slot;
            while store.rule(before).next != slot {
                before = store.rule(before).next;
            }
            store.rule_mut(before).next = rule.next;
        }
        store.rule_mut(slot).next = NONE;
        self.forget_priority(index, rule.priority);
    }

    fn forget_priority(&mut self, index: u16, priority: u16) {
        let tuple = &mut self.tuples[usize::from(index)];
        tuple.rules -= 1;
        if let Some(count) = tuple.priorities.get_mut(&priority) {
            *count -= 1;
            if *count == 0 {
                tuple.priorities.remove(&priority);
            }
        }
        let highest = tuple
            .priorities
            .last_key_value()
            .map(|(&priority, _)| priority);
        match highest {
            Some(highest) if highest == tuple.max_priority => {}
            Some(highest) => {
                tuple.max_priority = highest;
                self.reorder(index);
            }
            None => self.order.retain(|&other| other != index),
        }
    }

    /// A shape's last rule is being let go: its tuple goes too, if no other needs it.
    pub(super) fn forget_shape(&mut self, shape: u16) {
        if self.shapes.entry(shape).tuple != NO_INDEX {
            self.leave_tuple(shape);
        }
    }

    fn leave_tuple(&mut self, shape: u16) {
        let entry = self.shapes.entry_mut(shape);
        let index = std::mem::replace(&mut entry.tuple, NO_INDEX);
        let tuple = &mut self.tuples[usize::from(index)];
        tuple.shapes -= 1;
        if tuple.shapes == 0 {
            debug_assert_eq!(tuple.rules, 0);
            tuple.heads = HashTable::new();
            self.by_mask.remove(tuple.shape.mask().words.as_slice());
            self.free.push(index);
        }
    }

    /// A rule's flags change in place.
    pub(super) fn reclassify(&mut self, old: u8, new: u8) {
        self.soft += u32::from(new & rule_flags::SOFT != 0);
        self.soft -= u32::from(old & rule_flags::SOFT != 0);
    }

    /// The tuple that rules of a shape are in, chosen if need be.
    fn tuple_for(&mut self, store: &mut RuleStore, shape: u16) -> u16 {
        let entry = self.shapes.entry(shape);
        if entry.tuple != NO_INDEX {
            return entry.tuple;
        }
        let mask = entry.shape.mask();
        let has_own = self.by_mask.contains_key(mask.words.as_slice());
        if has_own || self.by_mask.len() < merge::MERGE_FROM {
            return self.join_tuple(shape, &mask);
        }
        let mask = merge::shared_part(&mask);
        let is_new = !self.by_mask.contains_key(mask.words.as_slice());
        let index = self.join_tuple(shape, &mask);
        if is_new {
            self.gather(store, index);
        }
        index
    }

    /// Moves masks that have had a tuple of their own into one that they can share.
    fn gather(&mut self, store: &mut RuleStore, index: u16) {
        let shared = self.tuples[usize::from(index)].shape.clone();
        let joins = |tuple: &Tuple| {
            let mask = tuple.shape.mask();
            tuple.shapes == 1 && !tuple.has_moved_out && shared.is_of(&merge::shared_part(&mask))
        };
        let masks = self.tuples.iter().enumerate();
        let joining: Vec<FlowMask> = masks
            .filter(|&(other, tuple)| other != usize::from(index) && joins(tuple))
            .map(|(_, tuple)| tuple.shape.mask())
            .collect();
        for mask in joining {
            let own = self.shapes.find(&mask).filter(|&shape| {
                let tuple = self.tuples.get(usize::from(self.shapes.entry(shape).tuple));
                tuple.is_some_and(|tuple| tuple.shape.is_of(&mask))
            });
            if let Some(shape) = own {
                self.move_to(store, shape, &shared.mask());
            }
        }
    }

    /// Makes the tuple of `mask`, which need not be there yet, the home of a shape.
    fn join_tuple(&mut self, shape: u16, mask: &FlowMask) -> u16 {
        let index = match self.by_mask.get(mask.words.as_slice()) {
            Some(&index) => index,
            None => self.add_tuple(mask),
        };
        self.tuples[usize::from(index)].shapes += 1;
        self.shapes.entry_mut(shape).tuple = index;
        index
    }

    fn add_tuple(&mut self, mask: &FlowMask) -> u16 {
        let tuple = Tuple {
            shape: Shape::new(mask),
            heads: HashTable::new(),
            priorities: BTreeMap::new(),
            max_priority: 0,
            rules: 0,
            shapes: 0,
            has_moved_out: false,
        };
        let index = if let Some(index) = self.free.pop() {
            self.tuples[usize::from(index)] = tuple;
            index
        } else {
            self.tuples.push(tuple);
            (self.tuples.len() - 1) as u16
        };
        self.by_mask.insert(mask.words.as_slice().into(), index);
        index
    }

    /// Moves a tuple to where its highest priority belongs.
    fn reorder(&mut self, index: u16) {
        self.order.retain(|&other| other != index);
        let priority = self.tuples[usize::from(index)].max_priority;
        let tuples = &self.tuples;
        let place = self
            .order
            .partition_point(|&other| tuples[usize::from(other)].max_priority >= priority);
        self.order.insert(place, index);
    }

    /// Whether another rule of `priority` matches some packet that `matching` matches.
    pub(super) fn overlaps(&self, store: &RuleStore, matching: &Match, priority: u16) -> bool {
        let mut found = false;
        for &index in &self.order {
            let tuple = &self.tuples[usize::from(index)];
            if !tuple.priorities.contains_key(&priority) {
                continue;
            }
            self.near(store, tuple, matching, &mut |slot| {
                let rule = store.rule(slot);
                if rule.priority == priority {
                    let shape = self.shapes.shape(rule.shape);
                    let packed = store.body(rule);
                    let same =
                        shape.is_of(&matching.mask) && shape.matches(packed, &matching.value);
                    found |= !same && shape.overlaps(packed, matching);
                }
                found
            });
            if found {
                break;
            }
        }
        found
    }

    /// Calls `visit` for each rule whose match is equal to `matching` or more specific.
    pub(super) fn within(&self, store: &RuleStore, matching: &Match, visit: &mut impl FnMut(u32)) {
        for &index in &self.order {
            let tuple = &self.tuples[usize::from(index)];
            self.near(store, tuple, matching, &mut |slot| {
                let rule = store.rule(slot);
                let shape = self.shapes.shape(rule.shape);
                if shape.is_within(store.body(rule), matching) {
                    visit(slot);
                }
                false
            });
        }
    }

    /// Calls `visit` for the rules of `tuple` that may have packets in common with `matching`,
    /// until it returns true: one chain when the match fixes the tuple's whole key, else all.
    fn near(
        &self,
        store: &RuleStore,
        tuple: &Tuple,
        matching: &Match,
        visit: &mut impl FnMut(u32) -> bool,
    ) {
        let mut walk = |mut slot: u32| {
            while slot != NONE {
                if visit(slot) {
                    return true;
                }
                slot = store.rule(slot).next;
            }
            false
        };
        if tuple.shape.is_subset_of(&matching.mask) {
            walk(self.probe(store, tuple, &matching.value));
        } else {
            for head in &tuple.heads {
                if walk(head.slot) {
                    break;
                }
            }
        }
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

/// Whether two rules have the same key under a tuple's mask.
fn same_key(shapes: &Shapes, store: &RuleStore, under: &Shape, a: u32, b: u32) -> bool {
    let (a, b) = (store.rule(a), store.rule(b));
    let (of_a, of_b) = (shapes.shape(a.shape), shapes.shape(b.shape));
    let (packed_a, packed_b) = (store.body(a), store.body(b));
    if a.shape == b.shape && of_a.words.len() == under.words.len() && of_a == under {
        return packed_a[..under.words.len()] == packed_b[..under.words.len()];
    }
    under.same_part(of_a, packed_a, of_b, packed_b)
}
