//! Questions about many rules at once: which overlap a match, which lie within it.

use super::super::store::{NONE, RuleStore};
use super::{Classifier, Tuple};
use crate::openflow::modify::Match;

impl Classifier {
    /// Whether another rule of `priority` matches some packet that `matching` matches.
    pub(in crate::table) fn overlaps(
        &self,
        store: &RuleStore,
        matching: &Match,
        priority: u16,
    ) -> bool {
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
    pub(in crate::table) fn within(
        &self,
        store: &RuleStore,
        matching: &Match,
        visit: &mut impl FnMut(u32),
    ) {
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
