//! Flow tables as one list, searched from end to end: what the real ones are tested against.

use super::notice::{FlowEvent, Notice, RemovedReason};
use super::rule::{FlowSnapshot, RuleId};
use super::rules::counted;
use super::{ALL_TABLES, uses};
use crate::error::{OfError, OfResult};
use crate::flow::{FlowKey, FlowMask, slot};
use crate::openflow::action::{Action, TableId};
use crate::openflow::modify::{FlowMod, FlowModCommand, Match, flow_flags};
use crate::openflow::tell::FlowFilter;
use crate::packet::PortNo;
use crate::time::Now;

const SECOND: u64 = 1_000_000_000;

/// Flags that a rule keeps.  Those that only say how to add it are told in dumps too.
const KEPT_FLAGS: u16 = flow_flags::ALL;

#[derive(Clone, Debug)]
struct NaiveRule {
    id: RuleId,
    request: FlowMod,
    created: Now,
    modified: Now,
    used: Now,
    packets: u64,
    bytes: u64,
}

/// All rules of all tables.
#[derive(Clone, Debug, Default)]
pub(super) struct NaiveTables {
    /// Most rules of one table.
    pub(super) limit: usize,
    rules: Vec<NaiveRule>,
    sequence: u32,
    pub(super) monitored: bool,
}

impl NaiveTables {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            monitored: true,
            ..Self::default()
        }
    }

    /// All rules that may answer a lookup: which of several that overlap with one priority does,
    /// nobody promises.  `mask` becomes the bits of all rules.
    pub(super) fn lookup(
        &self,
        table: TableId,
        key: &FlowKey,
        mask: &mut FlowMask,
    ) -> Vec<&FlowMod> {
        let rules = || self.rules.iter().filter(|rule| rule.id.table == table);
        for rule in rules() {
            *mask = &*mask | &rule.request.matching.mask;
        }
        let hard = best_hard(rules(), key);
        let floor = hard.first().map(|rule| rule.request.priority);
        let mut soft: Vec<&NaiveRule> = rules()
            .filter(|rule| rule.is_clause() && rule.matches(key))
            .filter(|rule| floor.is_none_or(|floor| rule.request.priority > floor))
            .collect();
        soft.sort_by_key(|rule| std::cmp::Reverse(rule.request.priority));
        let best = soft
            .chunk_by(|a, b| a.request.priority == b.request.priority)
            .flat_map(|group| {
                let mut ids: Vec<u32> = (0..8)
                    .filter(|&id| {
                        let clauses = |rule: &&NaiveRule| conjunctions(rule, id);
                        let found: Vec<(u8, u8)> = group.iter().flat_map(clauses).collect();
                        let n = found.first().map_or(u8::MAX, |&(_, n)| n);
                        (1..=n).all(|clause| found.contains(&(clause, n)))
                    })
                    .collect();
                ids.sort_unstable();
                ids
            })
            .map(|id| {
                let mut key = key.clone();
                key.set(slot::CONJ_ID, u128::from(id));
                best_hard(rules(), &key)
            })
            .find(|answers| !answers.is_empty())
            .unwrap_or(hard);
        best.iter().map(|rule| &rule.request).collect()
    }

    pub(super) fn flow_mod(
        &mut self,
        request: &FlowMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        match request.command {
            FlowModCommand::Add => self.add(request, now, notices),
            FlowModCommand::Modify | FlowModCommand::ModifyStrict => {
                self.modify(request, now, notices)
            }
            FlowModCommand::Delete | FlowModCommand::DeleteStrict => {
                let victims: Vec<RuleId> = self
                    .selected(request)
                    .filter(|rule| {
                        let instructions = &rule.request.instructions;
                        (request.out_port == PortNo::ANY
                            || uses::outputs_to(instructions, request.out_port))
                            && request
                                .out_group
                                .is_none_or(|group| uses::uses_group(instructions, group))
                    })
                    .map(|rule| rule.id)
                    .collect();
                for id in victims {
                    self.remove(id, RemovedReason::Delete, now, notices);
                }
                Ok(())
            }
        }
    }

    fn add(&mut self, request: &FlowMod, now: Now, notices: &mut Vec<Notice>) -> OfResult<()> {
        let is_same = |rule: &NaiveRule| {
            rule.id.table == request.table
                && rule.request.priority == request.priority
                && rule.request.matching == request.matching
        };
        // As Open vSwitch has it, which asks for overlaps only where nothing is replaced.
        if request.flags & flow_flags::CHECK_OVERLAP != 0
            && !self.rules.iter().any(is_same)
            && self.rules.iter().any(|rule| {
                rule.id.table == request.table
                    && rule.request.priority == request.priority
                    && overlap(&rule.request.matching, &request.matching)
            })
        {
            return Err(OfError::new(5, 3));
        }
        let existing = self.rules.iter_mut().find(|rule| is_same(rule));
        let id = if let Some(rule) = existing {
            let (packets, bytes) = (rule.packets, rule.bytes);
            let reset = request.flags & flow_flags::RESET_COUNTS != 0;
            *rule = NaiveRule {
                packets: if reset { 0 } else { packets },
                bytes: if reset { 0 } else { bytes },
                ..new_rule(rule.id, request, now)
            };
            rule.id
        } else if self.count(request.table) >= self.limit {
            return Err(OfError::new(5, 1));
        } else {
            self.sequence += 1;
            let id = RuleId {
                table: request.table,
                slot: self.sequence,
                sequence: self.sequence,
            };
            self.rules.push(new_rule(id, request, now));
            id
        };
        self.tell(id, FlowEvent::Added, now, notices);
        Ok(())
    }

    fn modify(&mut self, request: &FlowMod, now: Now, notices: &mut Vec<Notice>) -> OfResult<()> {
        let ids: Vec<RuleId> = self.selected(request).map(|rule| rule.id).collect();
        if ids.is_empty() && request.modify_adds {
            let mut add = request.clone();
            add.table = TableId(if add.table.0 == ALL_TABLES {
                0
            } else {
                add.table.0
            });
            add.cookie = request.new_cookie.unwrap_or(request.cookie);
            return self.add(&add, now, notices);
        }
        for id in ids {
            let Some(rule) = self.rules.iter_mut().find(|rule| rule.id == id) else {
                continue;
            };
            let cookie = request.new_cookie.unwrap_or(rule.request.cookie);
            let changed =
                rule.request.instructions != request.instructions || rule.request.cookie != cookie;
            rule.request.instructions = request.instructions.clone();
            rule.request.cookie = cookie;
            rule.modified = now;
            if request.flags & flow_flags::RESET_COUNTS != 0 {
                (rule.packets, rule.bytes) = (0, 0);
            }
            if changed {
                self.tell(id, FlowEvent::Modified, now, notices);
            }
        }
        Ok(())
    }

    fn selected<'a>(&'a self, request: &'a FlowMod) -> impl Iterator<Item = &'a NaiveRule> {
        let strict = matches!(
            request.command,
            FlowModCommand::ModifyStrict | FlowModCommand::DeleteStrict
        );
        self.rules.iter().filter(move |rule| {
            (request.table.0 == ALL_TABLES || rule.id.table == request.table)
                && (rule.request.cookie ^ request.cookie) & request.cookie_mask == 0
                && if strict {
                    rule.request.priority == request.priority
                        && rule.request.matching == request.matching
                } else {
                    is_within(&rule.request.matching, &request.matching)
                }
        })
    }

    fn remove(&mut self, id: RuleId, reason: RemovedReason, now: Now, notices: &mut Vec<Notice>) {
        self.tell(id, FlowEvent::Deleted(reason), now, notices);
        if let Some(index) = self.rules.iter().position(|rule| rule.id == id) {
            let rule = self.rules.remove(index);
            if rule.request.flags & flow_flags::SEND_FLOW_REM != 0 {
                notices.push(Notice::FlowRemoved {
                    reason,
                    flow: Box::new(snapshot(&rule, now)),
                });
            }
        }
    }

    fn tell(&self, id: RuleId, event: FlowEvent, now: Now, notices: &mut Vec<Notice>) {
        if self.monitored
            && let Some(flow) = self.snapshot(id, now)
        {
            notices.push(Notice::FlowChanged {
                event,
                flow: Box::new(flow),
            });
        }
    }

    pub(super) fn credit(&mut self, id: RuleId, packets: u64, bytes: u64, used: Now) {
        if let Some(rule) = self.rules.iter_mut().find(|rule| rule.id == id) {
            let flags = rule.request.flags;
            rule.packets += counted(flags & flow_flags::NO_PKT_COUNTS, packets).unwrap_or(0);
            rule.bytes += counted(flags & flow_flags::NO_BYT_COUNTS, bytes).unwrap_or(0);
            rule.used = rule.used.max(used);
        }
    }

    pub(super) fn shorten(&mut self, id: RuleId, idle: u16, hard: u16) {
        if let Some(rule) = self.rules.iter_mut().find(|rule| rule.id == id) {
            let request = &mut rule.request;
            for (timeout, limit) in [
                (&mut request.idle_timeout, idle),
                (&mut request.hard_timeout, hard),
            ] {
                if limit != 0 && (*timeout == 0 || *timeout > limit) {
                    *timeout = limit;
                }
            }
        }
    }

    pub(super) fn expire(&mut self, now: Now, notices: &mut Vec<Notice>) -> Option<Now> {
        let due: Vec<(RuleId, RemovedReason)> = self
            .rules
            .iter()
            .filter_map(|rule| {
                let (hard, idle) = deadlines(rule);
                if hard.is_some_and(|hard| hard <= now) {
                    Some((rule.id, RemovedReason::HardTimeout))
                } else if idle.is_some_and(|idle| idle <= now) {
                    Some((rule.id, RemovedReason::IdleTimeout))
                } else {
                    None
                }
            })
            .collect();
        for (id, reason) in due {
            self.remove(id, reason, now, notices);
        }
        self.rules
            .iter()
            .flat_map(|rule| {
                let (hard, idle) = deadlines(rule);
                [hard, idle]
            })
            .flatten()
            .min()
    }

    pub(super) fn snapshot(&self, id: RuleId, now: Now) -> Option<FlowSnapshot> {
        let rule = self.rules.iter().find(|rule| rule.id == id)?;
        Some(snapshot(rule, now))
    }

    pub(super) fn flows(&self, filter: &FlowFilter, now: Now) -> Vec<FlowSnapshot> {
        self.rules
            .iter()
            .filter(|rule| {
                let instructions = &rule.request.instructions;
                (filter.table.0 == ALL_TABLES || rule.id.table == filter.table)
                    && (rule.request.cookie ^ filter.cookie) & filter.cookie_mask == 0
                    && is_within(&rule.request.matching, &filter.matching)
                    && (filter.out_port == PortNo::ANY
                        || uses::outputs_to(instructions, filter.out_port))
                    && filter
                        .out_group
                        .is_none_or(|group| uses::uses_group(instructions, group))
            })
            .map(|rule| snapshot(rule, now))
            .collect()
    }

    pub(super) fn count(&self, table: TableId) -> usize {
        self.rules
            .iter()
            .filter(|rule| rule.id.table == table)
            .count()
    }

    /// The union of all masks.
    pub(super) fn masks(&self) -> FlowMask {
        self.rules.iter().fold(FlowMask::default(), |all, rule| {
            &all | &rule.request.matching.mask
        })
    }
}

impl NaiveRule {
    fn matches(&self, key: &FlowKey) -> bool {
        let matching = &self.request.matching;
        key.equals_under(&matching.value, &matching.mask)
    }

    fn is_clause(&self) -> bool {
        let mut actions = self.request.instructions.apply.iter();
        actions.any(|action| matches!(action, Action::Conjunction { .. }))
    }
}

/// The clauses of conjunction `id` that a rule stands for: (clause, number of clauses).
fn conjunctions(rule: &NaiveRule, id: u32) -> Vec<(u8, u8)> {
    let actions = rule.request.instructions.apply.iter();
    actions
        .filter_map(|action| match action {
            Action::Conjunction {
                id: other,
                clause,
                clauses,
            } if *other == id => Some((*clause, *clauses)),
            _ => None,
        })
        .collect()
}

/// The rules of the highest priority that match, clauses apart.
fn best_hard<'a>(rules: impl Iterator<Item = &'a NaiveRule>, key: &FlowKey) -> Vec<&'a NaiveRule> {
    let matching = rules.filter(|rule| !rule.is_clause() && rule.matches(key));
    let mut matching: Vec<&NaiveRule> = matching.collect();
    let best = matching.iter().map(|rule| rule.request.priority).max();
    matching.retain(|rule| Some(rule.request.priority) == best);
    matching
}

fn new_rule(id: RuleId, request: &FlowMod, now: Now) -> NaiveRule {
    let mut request = request.clone();
    request.flags &= KEPT_FLAGS;
    NaiveRule {
        id,
        request,
        created: now,
        modified: now,
        used: now,
        packets: 0,
        bytes: 0,
    }
}

fn deadlines(rule: &NaiveRule) -> (Option<Now>, Option<Now>) {
    let deadline = |start: Now, seconds: u16| {
        (seconds != 0).then(|| Now(start.0.saturating_add(u64::from(seconds) * SECOND)))
    };
    (
        deadline(rule.modified, rule.request.hard_timeout),
        deadline(rule.used, rule.request.idle_timeout),
    )
}

fn snapshot(rule: &NaiveRule, now: Now) -> FlowSnapshot {
    let request = &rule.request;
    FlowSnapshot {
        id: rule.id,
        priority: request.priority,
        matching: request.matching.clone(),
        cookie: request.cookie,
        idle_timeout: request.idle_timeout,
        hard_timeout: request.hard_timeout,
        importance: request.importance,
        flags: request.flags,
        instructions: request.instructions.clone(),
        packets: counted(request.flags & flow_flags::NO_PKT_COUNTS, rule.packets),
        bytes: counted(request.flags & flow_flags::NO_BYT_COUNTS, rule.bytes),
        duration: now.since(rule.created),
        idle_age: now.since(rule.used),
        hard_age: now.since(rule.modified),
    }
}

/// Whether some packet matches both.
pub(super) fn overlap(a: &Match, b: &Match) -> bool {
    a.value.equals_under(&b.value, &(&a.mask & &b.mask))
}

/// Whether every packet that `narrow` matches is matched by `wide`.
pub(super) fn is_within(narrow: &Match, wide: &Match) -> bool {
    &narrow.mask & &wide.mask == wide.mask && narrow.value.equals_under(&wide.value, &wide.mask)
}
