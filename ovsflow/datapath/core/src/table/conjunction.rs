//! Conjunctive matches: rules that stand for one clause each, and match together.
//!
//! A rule with `conjunction(id, k/n)` matches like any other but never wins by itself.  When a
//! packet matches clauses 1 to n of `id`, all at one priority, the lookup is done again with
//! conj_id set to `id`; what that finds has the priority of the clauses.

use super::classifier::Classifier;
use super::store::RuleStore;
use super::template::Templates;
use crate::flow::{FlowKey, FlowMask, slot};
use crate::openflow::action::{Action, Instructions};

/// Where to look.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) classifier: &'a Classifier,
    pub(super) store: &'a RuleStore,
}

/// Whether a rule with these instructions is a clause.
pub(super) fn is_clause(instructions: &Instructions) -> bool {
    clauses(instructions).next().is_some()
}

/// The clauses that a rule stands for: (id, clause from 1, number of clauses).
pub(super) fn clauses(instructions: &Instructions) -> impl Iterator<Item = (u32, u8, u8)> {
    instructions.apply.iter().filter_map(|action| match action {
        Action::Conjunction {
            id,
            clause,
            clauses,
        } => Some((*id, *clause, *clauses)),
        _ => None,
    })
}

/// The ids whose clauses are all in `matched`, lowest first.
pub(super) fn satisfied(matched: impl Iterator<Item = (u32, u8, u8)>) -> Vec<u32> {
    let mut seen: std::collections::BTreeMap<(u32, u8), std::collections::BTreeSet<u8>> =
        std::collections::BTreeMap::new();
    for (id, clause, clauses) in matched {
        seen.entry((id, clauses)).or_default().insert(clause);
    }
    let complete = seen
        .iter()
        .filter(|((_, clauses), found)| found.len() == usize::from(*clauses));
    complete.map(|((id, _), _)| *id).collect()
}

/// Finds the winner, given the best rule that is no clause.
pub(super) fn lookup(
    search: Search<'_>,
    templates: &Templates,
    hard: Option<u32>,
    key: &FlowKey,
    mask: &mut FlowMask,
) -> Option<u32> {
    let Search { classifier, store } = search;
    let floor = hard.map(|slot| store.rule(slot).priority);
    let mut soft: Vec<(u16, u32)> = Vec::new();
    classifier.soft_matches(store, key, floor, mask, &mut |slot| {
        let rule = store.rule(slot);
        soft.push((rule.priority, rule.template));
    });
    soft.sort_unstable_by_key(|&(priority, _)| std::cmp::Reverse(priority));
    for group in soft.chunk_by(|a, b| a.0 == b.0) {
        let matched = group
            .iter()
            .flat_map(|&(_, template)| clauses(&templates.template(template).instructions));
        for id in satisfied(matched) {
            let mut key = key.clone();
            key.set(slot::CONJ_ID, u128::from(id));
            if let Some(slot) = classifier.lookup(store, &key, mask) {
                return Some(slot);
            }
        }
    }
    hard
}
