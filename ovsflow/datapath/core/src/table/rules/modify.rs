//! What a FLOW_MOD means.  Source: OpenFlow 1.3.5 §6.4 and §7.3.4.1.

use super::super::notice::{FlowEvent, Notice, RemovedReason};
use super::super::{ALL_TABLES, TABLES};
use super::Rules;
use crate::error::OfResult;
use crate::openflow::action::{Instructions, TableId};
use crate::openflow::error::{BAD_GOTO_TABLE, OVERLAP, TABLE_FULL};
use crate::openflow::modify::{FlowMod, FlowModCommand, flow_flags};
use crate::time::Now;

/// Flags of rules whose counters must be true at the moment of the next change: told on removal, or
/// held back under flags that a replacement may not have.
const PROMPT_COUNTS: u16 =
    flow_flags::SEND_FLOW_REM | flow_flags::NO_PKT_COUNTS | flow_flags::NO_BYT_COUNTS;

impl Rules {
    /// Applies a FLOW_MOD whose references have been checked.
    pub(in crate::table) fn flow_mod(
        &mut self,
        request: &FlowMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        match request.command {
            FlowModCommand::Add => self.add(request, now, notices)?,
            FlowModCommand::Modify | FlowModCommand::ModifyStrict => {
                self.modify(request, now, notices)?;
            }
            FlowModCommand::Delete | FlowModCommand::DeleteStrict => {
                let mut selected = self.selected(request);
                selected.retain(|&(index, slot)| {
                    let template = self.tables[index].store.rule(slot).template;
                    self.goes_to(template, request.out_port, request.out_group)
                });
                for rules in selected.chunk_by(|a, b| a.0 == b.0) {
                    self.delete_some(rules, now, notices);
                }
            }
        }
        self.delete_orphans(now, notices);
        Ok(())
    }

    /// Deletes rules of one table; of all its rules at once when these are all.
    fn delete_some(&mut self, rules: &[(usize, u32)], now: Now, notices: &mut Vec<Notice>) {
        let reason = RemovedReason::Delete;
        match rules.first() {
            Some(&(index, _)) if rules.len() == self.tables[index].len() => {
                for slot in 0..self.tables[index].store.slots() {
                    if self.tables[index].store.live(slot).is_some() {
                        self.tell_deleted(index, slot, reason, now, notices);
                    }
                }
                self.remove_all(index);
                self.check_vacancy(index, notices);
            }
            _ => {
                for &(index, slot) in rules {
                    self.delete(index, slot, reason, now, notices);
                }
            }
        }
    }

    fn add(&mut self, request: &FlowMod, now: Now, notices: &mut Vec<Notice>) -> OfResult<()> {
        let index = usize::from(request.table.0);
        self.counts_must_be_prompt |= request.flags & PROMPT_COUNTS != 0;
        let old = self.find(index, &request.matching, request.priority);
        let table = &self.tables[index];
        if request.flags & flow_flags::CHECK_OVERLAP != 0
            && !(self.replaces_unchecked && old.is_some())
            && table
                .classifier
                .overlaps(&table.store, &request.matching, request.priority)
        {
            return Err(OVERLAP);
        }
        let slot = match old {
            Some(slot) => {
                self.replace(index, slot, request, now);
                slot
            }
            None => {
                if self.tables[index].len() >= self.tables[index].limit as usize {
                    self.evict(index, request.importance, now, notices)?;
                }
                let slot = self.insert(request, now)?;
                self.check_vacancy(index, notices);
                slot
            }
        };
        self.tell(index, slot, FlowEvent::Added, now, notices);
        Ok(())
    }

    /// Adds a rule in the place of one with the same match and priority, whose counters it keeps
    /// unless told otherwise.
    fn replace(&mut self, index: usize, slot: u32, request: &FlowMod, now: Now) {
        let saved = self.save(index, slot);
        self.replace_instructions(index, slot, request.flags, &request.instructions);
        self.set_age(index, slot, request.importance, now);
        let store = &mut self.tables[index].store;
        store.rule_mut(slot).cookie = request.cookie;
        let extra = store.extra_mut(slot);
        (extra.used, extra.modified) = (now, now);
        if request.flags & flow_flags::RESET_COUNTS != 0 {
            (extra.packets, extra.bytes) = (0, 0);
        }
        self.set_timeouts(index, slot, request.idle_timeout, request.hard_timeout);
        self.changed(index, slot, saved);
    }

    fn modify(&mut self, request: &FlowMod, now: Now, notices: &mut Vec<Notice>) -> OfResult<()> {
        let selected = self.selected(request);
        if selected.is_empty() && request.modify_adds {
            let mut add = request.clone();
            if add.table.0 == ALL_TABLES {
                add.table = TableId(0);
            }
            add.cookie = request.new_cookie.unwrap_or(request.cookie);
            return self.add(&add, now, notices);
        }
        if let Some(goto) = request.instructions.goto
            && selected
                .iter()
                .any(|&(index, _)| index >= usize::from(goto.0))
        {
            return Err(BAD_GOTO_TABLE);
        }
        for (index, slot) in selected {
            self.modify_one(index, slot, request, now, notices);
        }
        Ok(())
    }

    fn modify_one(
        &mut self,
        index: usize,
        slot: u32,
        request: &FlowMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) {
        let table = &self.tables[index];
        let rule = *table.store.rule(slot);
        let cookie = request.new_cookie.unwrap_or(rule.cookie);
        let is_news = cookie != rule.cookie
            || self.monitored && *self.instructions(table, &rule) != request.instructions;
        let saved = self.save(index, slot);
        let flags = u16::from(rule.flags);
        self.replace_instructions(index, slot, flags, &request.instructions);
        let store = &mut self.tables[index].store;
        store.rule_mut(slot).cookie = cookie;
        let extra = store.extra_mut(slot);
        extra.modified = now;
        if request.flags & flow_flags::RESET_COUNTS != 0 {
            (extra.packets, extra.bytes) = (0, 0);
        }
        let (idle, hard) = saved.timeouts();
        self.set_timeouts(index, slot, idle, hard);
        self.changed(index, slot, saved);
        if is_news {
            self.tell(index, slot, FlowEvent::Modified, now, notices);
        }
    }

    /// Whether a request that is no delete leaves every rule alone and adds none.
    pub(in crate::table) fn has_nothing_to_do(&self, request: &FlowMod) -> bool {
        request.command != FlowModCommand::Add
            && !request.modify_adds
            && self.selected(request).is_empty()
    }

    /// The rules that a modify or delete is about, before its output filters.
    fn selected(&self, request: &FlowMod) -> Vec<(usize, u32)> {
        let is_strict = matches!(
            request.command,
            FlowModCommand::ModifyStrict | FlowModCommand::DeleteStrict
        );
        let tables = match request.table.0 {
            ALL_TABLES => 0..TABLES,
            table => usize::from(table)..usize::from(table) + 1,
        };
        let mut selected = Vec::new();
        for index in tables {
            let table = &self.tables[index];
            let mut pick = |slot: u32| {
                let cookie = table.store.rule(slot).cookie;
                if (cookie ^ request.cookie) & request.cookie_mask == 0 {
                    selected.push((index, slot));
                }
            };
            if is_strict {
                self.find(index, &request.matching, request.priority)
                    .into_iter()
                    .for_each(&mut pick);
            } else {
                let classifier = &table.classifier;
                classifier.within(&table.store, &request.matching, &mut pick);
            }
        }
        selected
    }

    /// Removes every rule whose instructions `condition` picks.
    pub(in crate::table) fn remove_where(
        &mut self,
        condition: impl Fn(&Instructions) -> bool,
        reason: RemovedReason,
        now: Now,
        notices: &mut Vec<Notice>,
    ) {
        let templates: std::collections::BTreeSet<u32> = self
            .templates
            .iter()
            .filter(|(_, template)| condition(&template.instructions))
            .map(|(id, _)| id)
            .collect();
        if !templates.is_empty() {
            self.delete_where(0..TABLES, reason, now, notices, |rule| {
                templates.contains(&rule.template)
            });
        }
        self.delete_orphans(now, notices);
    }

    fn delete_where(
        &mut self,
        tables: std::ops::Range<usize>,
        reason: RemovedReason,
        now: Now,
        notices: &mut Vec<Notice>,
        condition: impl Fn(&super::Rule) -> bool,
    ) {
        for index in tables {
            for slot in 0..self.tables[index].store.slots() {
                if self.tables[index].store.live(slot).is_some_and(&condition) {
                    self.delete(index, slot, reason, now, notices);
                }
            }
        }
    }

    /// Deletes what learning rules that are gone have learned.
    pub(super) fn delete_orphans(&mut self, now: Now, notices: &mut Vec<Notice>) {
        while let Some((table, cookie)) = self.orphans.pop() {
            let index = usize::from(table.0);
            if index < TABLES {
                let reason = RemovedReason::Delete;
                self.delete_where(index..index + 1, reason, now, notices, |rule| {
                    rule.cookie == cookie
                });
            }
        }
    }

    /// Removes a rule and tells of it.
    pub(super) fn delete(
        &mut self,
        index: usize,
        slot: u32,
        reason: RemovedReason,
        now: Now,
        notices: &mut Vec<Notice>,
    ) {
        self.tell_deleted(index, slot, reason, now, notices);
        self.remove(index, slot);
        self.check_vacancy(index, notices);
    }

    /// Tells that a rule is about to be removed.
    fn tell_deleted(
        &self,
        index: usize,
        slot: u32,
        reason: RemovedReason,
        now: Now,
        notices: &mut Vec<Notice>,
    ) {
        self.tell(index, slot, FlowEvent::Deleted(reason), now, notices);
        let flags = u16::from(self.tables[index].store.rule(slot).flags);
        if flags & flow_flags::SEND_FLOW_REM != 0
            && let Some(flow) = self.snapshot_slot(TableId(index as u8), slot, now)
        {
            notices.push(Notice::FlowRemoved {
                reason,
                flow: Box::new(flow),
            });
        }
    }

    fn tell(&self, index: usize, slot: u32, event: FlowEvent, now: Now, notices: &mut Vec<Notice>) {
        if self.monitored
            && let Some(flow) = self.snapshot_slot(TableId(index as u8), slot, now)
        {
            notices.push(Notice::FlowChanged {
                event,
                flow: Box::new(flow),
            });
        }
    }

    /// Makes room for a rule of `importance`: the least important rule goes, of several the
    /// oldest, unless it is more important.
    fn evict(
        &mut self,
        index: usize,
        importance: u16,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        let first = self.tables[index]
            .evictable
            .as_ref()
            .and_then(|e| e.first());
        match first {
            Some(&(least, _, slot)) if least <= importance => {
                self.delete(index, slot, RemovedReason::Eviction, now, notices);
                Ok(())
            }
            _ => Err(TABLE_FULL),
        }
    }

    /// Tells when a table's vacancy has crossed a threshold.  Source: OpenFlow 1.4.1 §7.4.5.
    fn check_vacancy(&mut self, index: usize, notices: &mut Vec<Notice>) {
        let table = &mut self.tables[index];
        let Some((down, up)) = table.vacancy else {
            return;
        };
        let vacancy = table.vacant_percent();
        let crossed = if table.is_scarce {
            vacancy > up
        } else {
            vacancy < down
        };
        if crossed {
            table.is_scarce = !table.is_scarce;
            notices.push(Notice::Vacancy {
                table: TableId(index as u8),
                down: table.is_scarce,
            });
        }
    }

    /// Turns eviction of a table on or off.
    pub(in crate::table) fn set_eviction(&mut self, id: TableId, evicts: bool) {
        if let Some(table) = self.tables.get_mut(usize::from(id.0))
            && table.evicts() != evicts
        {
            table.evictable = evicts.then(|| {
                (0..table.store.slots())
                    .filter_map(|slot| {
                        let rule = table.store.live(slot)?;
                        Some((rule.importance, rule.created, slot))
                    })
                    .collect()
            });
        }
    }

    /// Sets a table's vacancy thresholds in per cent, (down, up).
    pub(in crate::table) fn set_vacancy(&mut self, id: TableId, thresholds: Option<(u8, u8)>) {
        if let Some(table) = self.tables.get_mut(usize::from(id.0)) {
            table.vacancy = thresholds;
            table.is_scarce = thresholds.is_some_and(|(down, _)| table.vacant_percent() < down);
        }
    }
}
