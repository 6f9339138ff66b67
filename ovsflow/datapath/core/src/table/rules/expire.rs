//! Rules whose time has come.

use super::super::notice::{Notice, RemovedReason};
use super::super::rule::RuleId;
use super::super::store::Extra;
use super::Rules;
use crate::time::Now;

const SECOND: u64 = 1_000_000_000;

impl Rules {
    /// Removes the rules whose idle or hard timeout has passed; returns when to look again.
    ///
    /// Packets since a timer was set only show here: then the timer is set again.
    pub(in crate::table) fn expire(&mut self, now: Now, notices: &mut Vec<Notice>) -> Option<Now> {
        let mut due = Vec::new();
        self.wheel.advance(now, &mut due);
        for index in due {
            let Some(&timer) = self.wheel.timer(index) else {
                continue;
            };
            let table = usize::from(timer.table.0);
            let store = &self.tables[table].store;
            let Some(&extra) = store.live(timer.slot).and_then(|rule| store.extra(rule)) else {
                continue;
            };
            let reason = if passed(extra.modified, timer.hard, now) {
                RemovedReason::HardTimeout
            } else if passed(extra.used, timer.idle, now) {
                RemovedReason::IdleTimeout
            } else {
                if let Some(deadline) = deadline(&extra, timer.idle, timer.hard) {
                    self.wheel.start(index, deadline);
                }
                continue;
            };
            self.delete(table, timer.slot, reason, now, notices);
        }
        self.delete_orphans(now, notices);
        self.wheel.next()
    }

    /// When [`expire`](Self::expire) may have something to do.
    pub(in crate::table) fn next_expiry(&self) -> Option<Now> {
        self.wheel.next()
    }

    /// Makes a rule's timeouts no longer than these (seconds; 0 leaves one alone).
    pub(in crate::table) fn shorten(&mut self, id: RuleId, idle: u16, hard: u16) {
        let index = usize::from(id.table.0);
        let Some(table) = self.tables.get(index) else {
            return;
        };
        let Some(rule) = table.store.named(id.slot, id.sequence) else {
            return;
        };
        let timer = table.store.extra(rule).map_or(u32::MAX, |e| e.timer);
        let (old_idle, old_hard) = self.timeouts(timer);
        let shorter = |old: u16, new: u16| match (old, new) {
            (old, 0) => old,
            (0, new) => new,
            (old, new) => old.min(new),
        };
        let (idle, hard) = (shorter(old_idle, idle), shorter(old_hard, hard));
        if (idle, hard) != (old_idle, old_hard) {
            self.set_timeouts(index, id.slot, idle, hard);
        }
    }
}

fn passed(start: Now, seconds: u16, now: Now) -> bool {
    end(start, seconds).is_some_and(|end| end <= now)
}

/// When a timeout of `seconds` that began at `start` ends; `None` for 0 seconds.
fn end(start: Now, seconds: u16) -> Option<Now> {
    (seconds != 0).then(|| Now(start.0.saturating_add(u64::from(seconds) * SECOND)))
}

/// When the first of a rule's timeouts ends, if no packet comes.
pub(super) fn deadline(extra: &Extra, idle: u16, hard: u16) -> Option<Now> {
    let (hard, idle) = (end(extra.modified, hard), end(extra.used, idle));
    hard.into_iter().chain(idle).min()
}
