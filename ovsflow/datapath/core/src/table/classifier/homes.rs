//! Which tuple is the home of a mask: chosen, shared, moved out of, given up.

use std::collections::BTreeMap;

use hashbrown::HashTable;

use super::super::shape::{NO_INDEX, Shape};
use super::super::store::RuleStore;
use super::{Chain, Classifier, Tuple, merge};
use crate::flow::FlowMask;

impl Classifier {
    /// The tuple that rules of a shape are in, chosen if need be.
    pub(super) fn tuple_for(&mut self, store: &mut RuleStore, shape: u16) -> u16 {
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

    /// Lets the mask with the most rules in an overlong chain move to a tuple of its own.
    pub(super) fn limit_chain(&mut self, store: &mut RuleStore, index: u16, first: u32) {
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

    /// A shape's last rule is being let go: its tuple goes too, if no other needs it.
    pub(in crate::table) fn forget_shape(&mut self, shape: u16) {
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
}
