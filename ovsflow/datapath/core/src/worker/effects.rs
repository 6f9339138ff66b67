//! What packets cause beyond being forwarded: learning, shorter timeouts, credits.

use std::sync::Arc;

use super::events::{Event, EventBody};
use super::{Shared, State, Worker, Writing};
use crate::cache::Spent;
use crate::table::Notice;
use crate::time::Now;
use crate::translate::{Credit, Effect, LearnedFlow};

/// Translations with counters of vanished cache entries that are given to the tables without being
/// asked for.
pub(super) const MAX_WAITING: usize = 4096;

impl Worker {
    /// Carries out the side effects of the translations made for this batch.
    pub(super) fn apply_effects(&mut self) {
        let due = std::mem::take(&mut self.due);
        let now = self.outlet.now;
        if self.cache.waiting() + self.spent.len() > MAX_WAITING {
            let shared = self.shared.clone();
            self.collect(&mut shared.write());
        }
        let effects = || {
            due.iter()
                .flat_map(|translation| translation.effects.iter())
        };
        if effects().next().is_none() {
            return;
        }
        {
            let state = self.shared.read();
            if !effects().any(|effect| is_news(&state, effect)) {
                return;
            }
        }
        let mut notices = Vec::new();
        let mut state = self.shared.write();
        for effect in effects() {
            apply_effect(&mut state, effect, now, &mut notices);
        }
        drop(state);
        tell(&self.shared, notices, 0);
        // What was learned or shortened has a time of its own to go.
        self.shared.events.wake();
    }

    /// Gives the tables all counters that they do not have yet.
    pub fn collect(&mut self, state: &mut Writing<'_>) {
        let mut spent = std::mem::take(&mut self.spent);
        self.cache.collect(|more| spent.push(more));
        for spent in &spent {
            give_credit(state, spent);
        }
        for ((group, bucket), (packets, bytes)) in self.outlet.buckets.drain() {
            let pipeline = &mut state.pipeline;
            pipeline.credit_bucket(group, usize::from(bucket), packets, bytes);
        }
        spent.clear();
        self.spent = spent;
        if state.frozen.trim() {
            state.pipeline.settings_changed();
        }
    }
}

/// Hands notices of the tables to the control plane.
pub fn tell(shared: &Shared, notices: Vec<Notice>, origin: u64) {
    for notice in notices {
        shared.events.push(Event {
            origin,
            body: EventBody::Table(notice),
        });
    }
}

fn give_credit(state: &mut State, spent: &Spent) {
    let (packets, bytes, used) = (spent.packets, spent.bytes, spent.last_used);
    let pipeline = &mut state.pipeline;
    for credit in &spent.translation.credits {
        match *credit {
            Credit::Rule(rule) => {
                pipeline.credit(rule, packets, bytes, used);
                pipeline.credit_table(rule.table, packets, packets);
            }
            Credit::Miss(table) => pipeline.credit_table(table, packets, 0),
            Credit::Group(group) => pipeline.credit_group(group, packets, bytes),
            Credit::Bucket(group, bucket) => {
                pipeline.credit_bucket(group, usize::from(bucket), packets, bytes);
            }
        }
    }
    for effect in &spent.translation.effects {
        refresh(state, effect, used);
    }
}

/// Notes that what an effect made was used again.  It may be gone, or be another's by now: then
/// that was later than these packets, and it stays so.
fn refresh(state: &mut State, effect: &Effect, used: Now) {
    let pipeline = &mut state.pipeline;
    match effect {
        Effect::LearnMac { vlan, mac, port } => {
            if !pipeline.fdb().is_news(*vlan, *mac, *port) {
                pipeline.learn_mac(*vlan, *mac, *port, used);
            }
        }
        Effect::LearnFlow(learned) => {
            if let Some(rule) = learned.rule(pipeline) {
                pipeline.credit(rule, 0, 0, used);
            }
        }
        Effect::FinTimeout { .. } => {}
    }
}

/// Whether an effect would change more than when something was last used.
fn is_news(state: &State, effect: &Effect) -> bool {
    match effect {
        Effect::LearnMac { vlan, mac, port } => state.pipeline.fdb().is_news(*vlan, *mac, *port),
        Effect::LearnFlow(learned) => !learned.is_known(&state.pipeline),
        Effect::FinTimeout { .. } => true,
    }
}

fn apply_effect(state: &mut State, effect: &Effect, now: Now, notices: &mut Vec<Notice>) {
    let pipeline = &mut state.pipeline;
    match effect {
        Effect::LearnMac { vlan, mac, port } => {
            if pipeline.ports().port(*port).is_some() {
                pipeline.learn_mac(*vlan, *mac, *port, now);
            }
        }
        Effect::LearnFlow(learned) => learn_flow(state, learned, now, notices),
        Effect::FinTimeout { rule, idle, hard } => pipeline.shorten_timeouts(*rule, *idle, *hard),
    }
}

/// Adds a learned flow, or notes that it was seen again.
fn learn_flow(state: &mut State, learned: &Arc<LearnedFlow>, now: Now, notices: &mut Vec<Notice>) {
    let pipeline = &mut state.pipeline;
    if let Some(rule) = learned.rule(pipeline) {
        pipeline.credit(rule, 0, 0, now);
        return;
    }
    if !learned.has_room(pipeline) {
        return;
    }
    // A flow that the tables refuse is not learned; the packet goes on all the same.
    if pipeline.flow_mod(&learned.request, now, notices).is_ok() {
        learned.find(pipeline);
    }
}
