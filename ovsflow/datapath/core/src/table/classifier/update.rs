//! Rules come to, and go from, the chains of their tuples.

use hashbrown::HashTable;

use super::super::shape::{Shape, Shapes};
use super::super::store::{NONE, RuleStore, rule_flags};
use super::{Chain, Classifier, Head, merge, spread};

impl Classifier {
    /// Puts the rule in `slot` where lookups find it.  Its shape is interned already.
    pub(in crate::table) fn insert(&mut self, store: &mut RuleStore, slot: u32) {
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
    pub(super) fn put(&mut self, store: &mut RuleStore, index: u16, slot: u32) -> u32 {
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

    /// Takes all rules out of sight.
    pub(in crate::table) fn clear(&mut self) {
        self.order.clear();
        self.soft = 0;
        for tuple in &mut self.tuples {
            tuple.heads = HashTable::new();
            tuple.priorities.clear();
            tuple.rules = 0;
        }
    }

    /// Takes the rule in `slot` out of sight.
    pub(in crate::table) fn remove(&mut self, store: &mut RuleStore, slot: u32) {
        let rule = *store.rule(slot);
        self.soft -= u32::from(rule.flags & rule_flags::SOFT != 0);
        let index = self.shapes.entry(rule.shape).tuple;
        self.take(store, index, slot);
    }

    /// Takes a rule out of its tuple.
    pub(super) fn take(&mut self, store: &mut RuleStore, index: u16, slot: u32) {
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

    /// A rule's flags change in place.
    pub(in crate::table) fn reclassify(&mut self, old: u8, new: u8) {
        self.soft += u32::from(new & rule_flags::SOFT != 0);
        self.soft -= u32::from(old & rule_flags::SOFT != 0);
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
