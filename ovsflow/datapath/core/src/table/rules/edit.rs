//! The steps by which rules come, go and change, and their undoing.
//!
//! While a journal is open, what a step replaces is kept instead of given back; undoing the
//! steps in reverse order restores every slot, so handles of rules stay good.

use super::super::conjunction;
use super::super::notice::Notice;
use super::super::store::{Extra, NONE, Rule, rule_flags};
use super::{KEPT_FLAGS, Rules};
use crate::error::OfResult;
use crate::openflow::action::{Action, Instructions, TableId};
use crate::openflow::error::TABLE_FULL;
use crate::openflow::modify::{FlowMod, Match};
use crate::time::Now;

/// A step taken.
#[derive(Clone, Debug)]
pub(super) enum Undo {
    Added {
        table: u8,
        slot: u32,
    },
    Removed {
        table: u8,
        rule: Rule,
    },
    Changed {
        table: u8,
        slot: u32,
        saved: Box<Saved>,
    },
}

/// A rule as it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saved {
    rule: Rule,
    extra: Option<Extra>,
    timeouts: (u16, u16),
}

impl Saved {
    /// The idle and the hard timeout that were.
    pub(super) const fn timeouts(&self) -> (u16, u16) {
        self.timeouts
    }
}

impl Rules {
    /// Opens the journal.
    pub(in crate::table) fn begin(&mut self) {
        self.journal = Some(Vec::new());
    }

    /// Closes the journal: what was done stays.
    pub(in crate::table) fn commit(&mut self, now: Now, notices: &mut Vec<Notice>) {
        for step in self.journal.take().unwrap_or_default() {
            self.finish(step);
        }
        self.delete_orphans(now, notices);
    }

    /// Closes the journal and undoes what was done since it was opened.
    pub(in crate::table) fn roll_back(&mut self) {
        for step in self.journal.take().unwrap_or_default().into_iter().rev() {
            self.undo(step);
        }
        self.orphans.clear();
    }

    /// Adds a rule that is not there yet.
    pub(super) fn insert(&mut self, request: &FlowMod, now: Now) -> OfResult<u32> {
        let index = usize::from(request.table.0);
        let table = &mut self.tables[index];
        let mask = &request.matching.mask;
        let (shape, is_new) = table.classifier.shapes.intern(mask).ok_or(TABLE_FULL)?;
        if is_new {
            self.active.add(mask);
        }
        self.scratch.clear();
        let words = &table.classifier.shapes.entry(shape).shape;
        words.pack(&request.matching.value, &mut self.scratch);
        let (template, body, words) = self.add_body(index, &request.instructions);
        let table = &mut self.tables[index];
        let rule = Rule {
            cookie: request.cookie,
            created: now,
            body,
            template,
            next: NONE,
            extra: NONE,
            sequence: table.store.next_sequence(),
            shape,
            priority: request.priority,
            importance: request.importance,
            flags: flags_of(request.flags, &request.instructions),
            words,
        };
        let slot = table.store.attach(rule);
        self.link(index, slot);
        if request.idle_timeout != 0 || request.hard_timeout != 0 {
            self.set_timeouts(index, slot, request.idle_timeout, request.hard_timeout);
        }
        self.settle(Undo::Added {
            table: request.table.0,
            slot,
        });
        Ok(slot)
    }

    /// Keeps the words in `scratch` with the values of `instructions`: (template, start, size).
    fn add_body(&mut self, index: usize, instructions: &Instructions) -> (u32, u32, u8) {
        let template = self.templates.intern(instructions, &mut self.scratch);
        let (start, size) = self.tables[index].store.add_body(&self.scratch);
        (template, start, size)
    }

    /// Takes a rule out.
    pub(super) fn remove(&mut self, index: usize, slot: u32) {
        let table = &self.tables[index];
        let timer = table.store.extra(table.store.rule(slot)).map(|e| e.timer);
        if let Some(timer) = timer.filter(|&timer| timer != NONE) {
            self.wheel.stop(timer);
        }
        self.unlink(index, slot);
        let rule = self.tables[index].store.detach(slot);
        self.settle(Undo::Removed {
            table: index as u8,
            rule,
        });
    }

    /// Takes all rules of a table out, without looking for each in its hash table.
    pub(super) fn remove_all(&mut self, index: usize) {
        let table = &mut self.tables[index];
        table.classifier.clear();
        if let Some(evictable) = &mut table.evictable {
            evictable.clear();
        }
        self.changes.anything();
        for slot in 0..self.tables[index].store.slots() {
            let store = &mut self.tables[index].store;
            let Some(rule) = store.live(slot) else {
                continue;
            };
            let timer = store.extra(rule).map_or(NONE, |extra| extra.timer);
            let rule = store.detach(slot);
            if timer != NONE {
                self.wheel.stop(timer);
            }
            self.settle(Undo::Removed {
                table: index as u8,
                rule,
            });
        }
        if self.journal.is_none() {
            self.tables[index].store.shrink();
        }
    }

    /// A rule as it is, before it is changed.
    pub(super) fn save(&self, index: usize, slot: u32) -> Saved {
        let store = &self.tables[index].store;
        let rule = *store.rule(slot);
        let extra = store.extra(&rule).copied();
        Saved {
            rule,
            extra,
            timeouts: self.timeouts(extra.map_or(NONE, |extra| extra.timer)),
        }
    }

    /// Notes that the rule that was `saved` has been changed; its instructions were replaced.
    pub(super) fn changed(&mut self, index: usize, slot: u32, saved: Saved) {
        self.log(index, slot);
        self.settle(Undo::Changed {
            table: index as u8,
            slot,
            saved: Box::new(saved),
        });
    }

    /// Gives a rule other instructions.  The old ones' words and template stay with the caller's
    /// [`Saved`].
    pub(super) fn replace_instructions(
        &mut self,
        index: usize,
        slot: u32,
        flags: u16,
        instructions: &Instructions,
    ) {
        let table = &self.tables[index];
        let rule = *table.store.rule(slot);
        let words = table.classifier.shapes.shape(rule.shape).words.len();
        self.scratch.clear();
        self.scratch
            .extend_from_slice(&table.store.body(&rule)[..words]);
        let (template, body, words) = self.add_body(index, instructions);
        let flags = flags_of(flags, instructions) | rule_flags::LIVE;
        let table = &mut self.tables[index];
        table.classifier.reclassify(rule.flags, flags);
        let rule = table.store.rule_mut(slot);
        (rule.template, rule.body, rule.words, rule.flags) = (template, body, words, flags);
    }

    /// Changes what evicts a rule: its importance, and when it was added.
    pub(super) fn set_age(&mut self, index: usize, slot: u32, importance: u16, created: Now) {
        let table = &mut self.tables[index];
        let rule = table.store.rule_mut(slot);
        let old = (rule.importance, rule.created, slot);
        (rule.importance, rule.created) = (importance, created);
        if let Some(evictable) = &mut table.evictable {
            evictable.remove(&old);
            evictable.insert((importance, created, slot));
        }
    }

    /// Sets a rule's timeouts and lets them run.
    pub(super) fn set_timeouts(&mut self, index: usize, slot: u32, idle: u16, hard: u16) {
        let store = &mut self.tables[index].store;
        let timer = store.extra(store.rule(slot)).map_or(NONE, |e| e.timer);
        if idle == 0 && hard == 0 {
            if timer != NONE {
                store.extra_mut(slot).timer = NONE;
                self.wheel.remove(timer);
            }
            return;
        }
        let timer = if timer == NONE {
            let timer = self.wheel.add(TableId(index as u8), slot, idle, hard);
            store.extra_mut(slot).timer = timer;
            timer
        } else {
            let entry = self.wheel.timer_mut(timer);
            (entry.idle, entry.hard) = (idle, hard);
            timer
        };
        let extra = *store.extra_mut(slot);
        if let Some(deadline) = super::expire::deadline(&extra, idle, hard) {
            self.wheel.start(timer, deadline);
        }
    }

    /// Lets lookups, and those who watch for changes, see a rule.
    fn link(&mut self, index: usize, slot: u32) {
        let table = &mut self.tables[index];
        table.classifier.insert(&mut table.store, slot);
        if let Some(evictable) = &mut table.evictable {
            let rule = table.store.rule(slot);
            evictable.insert((rule.importance, rule.created, slot));
        }
        self.log(index, slot);
    }

    fn unlink(&mut self, index: usize, slot: u32) {
        self.log(index, slot);
        let table = &mut self.tables[index];
        table.classifier.remove(&mut table.store, slot);
        if let Some(evictable) = &mut table.evictable {
            let rule = table.store.rule(slot);
            evictable.remove(&(rule.importance, rule.created, slot));
        }
    }

    fn log(&mut self, index: usize, slot: u32) {
        let table = &self.tables[index];
        let rule = table.store.rule(slot);
        let shape = table.classifier.shapes.shape(rule.shape);
        let packed = table.store.body(rule);
        self.changes.rule(TableId(index as u8), shape, packed);
    }

    fn settle(&mut self, step: Undo) {
        match &mut self.journal {
            Some(journal) => journal.push(step),
            None => self.finish(step),
        }
    }

    /// Gives back what a step kept for its undoing.
    fn finish(&mut self, step: Undo) {
        match step {
            Undo::Added { .. } => {}
            Undo::Removed { table, rule } => self.let_go(usize::from(table), &rule),
            Undo::Changed { table, saved, .. } => {
                let store = &mut self.tables[usize::from(table)].store;
                store.free_body(saved.rule.body, saved.rule.words);
                self.release_template(saved.rule.template);
            }
        }
    }

    fn undo(&mut self, step: Undo) {
        match step {
            Undo::Added { table, slot } => {
                let index = usize::from(table);
                self.unlink(index, slot);
                let rule = self.tables[index].store.detach(slot);
                self.let_go(index, &rule);
            }
            Undo::Removed { table, rule } => {
                let index = usize::from(table);
                let slot = self.tables[index].store.attach(rule);
                self.link(index, slot);
                let extra = self.tables[index].store.extra(&rule);
                let (idle, hard) = self.timeouts(extra.map_or(NONE, |extra| extra.timer));
                self.set_timeouts(index, slot, idle, hard);
            }
            Undo::Changed { table, slot, saved } => self.restore(usize::from(table), slot, *saved),
        }
    }

    fn restore(&mut self, index: usize, slot: u32, saved: Saved) {
        let table = &mut self.tables[index];
        let current = *table.store.rule(slot);
        table.store.free_body(current.body, current.words);
        table.classifier.reclassify(current.flags, saved.rule.flags);
        let timer = table.store.extra(&current).map_or(NONE, |e| e.timer);
        match saved.extra {
            Some(extra) => *table.store.extra_mut(slot) = Extra { timer, ..extra },
            None => {
                self.wheel.remove(timer);
                table.store.free_extra(current.extra);
                table.store.rule_mut(slot).extra = NONE;
            }
        }
        let rule = table.store.rule_mut(slot);
        *rule = Rule {
            next: current.next,
            extra: rule.extra,
            importance: current.importance,
            created: current.created,
            ..saved.rule
        };
        self.release_template(current.template);
        self.set_age(index, slot, saved.rule.importance, saved.rule.created);
        let (idle, hard) = saved.timeouts;
        self.set_timeouts(index, slot, idle, hard);
        self.log(index, slot);
    }

    /// Gives back all that a rule held that is out of its slot.
    fn let_go(&mut self, index: usize, rule: &Rule) {
        let table = &mut self.tables[index];
        if let Some(extra) = table.store.extra(rule) {
            self.wheel.remove(extra.timer);
        }
        table.store.release(rule);
        let entry = table.classifier.shapes.entry(rule.shape);
        if entry.rules == 1 {
            let mask = entry.shape.mask();
            table.classifier.forget_shape(rule.shape);
            self.active.remove(&mask);
        }
        table.classifier.shapes.release(rule.shape);
        self.release_template(rule.template);
    }

    fn release_template(&mut self, id: u32) {
        let entry = self.templates.template(id);
        if entry.rules == 1 {
            let learned: Vec<_> = learned_by(&entry.instructions).collect();
            self.templates.release(id);
            for (table, cookie) in learned {
                let is_alive = self.templates.iter().any(|(_, other)| {
                    learned_by(&other.instructions).any(|pair| pair == (table, cookie))
                });
                if !is_alive {
                    self.orphans.push((table, cookie));
                }
            }
        } else {
            self.templates.release(id);
        }
    }

    /// The rule with exactly this match and priority.
    pub(super) fn find(&self, index: usize, matching: &Match, priority: u16) -> Option<u32> {
        let table = &self.tables[index];
        table.classifier.find(&table.store, matching, priority)
    }
}

/// The flags of a rule as they are kept.
fn flags_of(flags: u16, instructions: &Instructions) -> u8 {
    let soft = if conjunction::is_clause(instructions) {
        rule_flags::SOFT
    } else {
        0
    };
    (flags & KEPT_FLAGS) as u8 | soft
}

/// Tables and cookies of the flows that die with the last rule that learns them.
fn learned_by(instructions: &Instructions) -> impl Iterator<Item = (TableId, u64)> {
    const DELETE_LEARNED: u16 = 2;
    instructions.apply.iter().filter_map(|action| match action {
        Action::Learn(learn) if learn.flags & DELETE_LEARNED != 0 => {
            Some((learn.table, learn.cookie))
        }
        _ => None,
    })
}
