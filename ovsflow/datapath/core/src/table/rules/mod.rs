//! All rules of all tables: what is there, found and counted.
//!
//! [`edit`] holds the few steps by which rules come, go and change, with their undoing;
//! [`modify`] holds what a FLOW_MOD means in terms of them.

mod edit;
mod expire;
mod modify;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use super::active::ActiveMask;
use super::changes::ChangeLog;
use super::classifier::Classifier;
use super::conjunction;
use super::rule::{FlowSnapshot, RuleId, RuleRef};
use super::shape::Seed;
use super::store::{NONE, Rule, RuleStore};
use super::template::Templates;
use super::wheel::Wheel;
use super::{ALL_TABLES, FlowCursor, TABLES, uses};
use crate::flow::{FlowKey, FlowMask};
use crate::openflow::action::{Instructions, TableId};
use crate::openflow::modify::flow_flags;
use crate::openflow::tell::{FlowFilter, FlowStats, TableDesc};
use crate::packet::PortNo;
use crate::time::Now;
use edit::Undo;

/// Rules that a table holds unless told otherwise.
const DEFAULT_LIMIT: u32 = 1_000_000;

/// Flags that a rule keeps.  Those that only say how to add it are told in dumps too.
const KEPT_FLAGS: u16 = flow_flags::ALL;

/// One table.
#[derive(Debug)]
pub(super) struct FlowTable {
    store: RuleStore,
    classifier: Classifier,
    /// Most rules.
    pub(super) limit: u32,
    /// With eviction on: the rules by rising importance, the oldest first.
    evictable: Option<BTreeSet<(u16, Now, u32)>>,
    /// Thresholds of vacancy events in per cent: (down, up).
    pub(super) vacancy: Option<(u8, u8)>,
    /// Whether the vacancy fell below the lower threshold, and has not risen above the upper.
    is_scarce: bool,
    pub(super) lookups: u64,
    pub(super) matches: u64,
}

impl FlowTable {
    fn new(seed: Seed) -> Self {
        Self {
            store: RuleStore::default(),
            classifier: Classifier::new(seed),
            limit: DEFAULT_LIMIT,
            evictable: None,
            vacancy: None,
            is_scarce: false,
            lookups: 0,
            matches: 0,
        }
    }

    /// Number of rules.
    pub(super) const fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether full tables make room by importance.
    pub(super) const fn evicts(&self) -> bool {
        self.evictable.is_some()
    }

    /// Room left, in per cent.
    pub(super) fn vacant_percent(&self) -> u8 {
        let limit = u64::from(self.limit).max(1);
        let room = limit.saturating_sub(self.len() as u64);
        (room * 100 / limit) as u8
    }
}

/// All rules.
#[derive(Debug)]
pub(super) struct Rules {
    tables: Vec<FlowTable>,
    templates: Templates,
    wheel: Wheel,
    pub(super) changes: ChangeLog,
    pub(super) active: ActiveMask,
    /// What was done since [`Rules::begin`], while it can be undone.
    journal: Option<Vec<Undo>>,
    /// Tables and cookies whose last learning rule went: what they learned goes too.
    orphans: Vec<(TableId, u64)>,
    /// Whether changes of rules are noticed.
    pub(super) monitored: bool,
    /// Whether a rule was ever added whose counters must be brought up to date before a change.
    pub(super) counts_must_be_prompt: bool,
    /// Whether a rule that replaces another is not checked for overlaps with others: they overlapped
    /// before, and Open vSwitch does not ask again.
    pub(super) replaces_unchecked: bool,
    /// Words on their way into a body.
    scratch: Vec<u64>,
}

impl Rules {
    pub(super) fn new(seed: u64) -> Self {
        let seed = Seed::new(seed);
        Self {
            tables: (0..TABLES).map(|_| FlowTable::new(seed)).collect(),
            templates: Templates::default(),
            wheel: Wheel::default(),
            changes: ChangeLog::new(seed),
            active: ActiveMask::default(),
            journal: None,
            orphans: Vec::new(),
            monitored: false,
            counts_must_be_prompt: false,
            replaces_unchecked: false,
            scratch: Vec::new(),
        }
    }

    pub(super) fn table(&self, id: TableId) -> Option<&FlowTable> {
        self.tables.get(usize::from(id.0))
    }

    pub(super) fn table_mut(&mut self, id: TableId) -> Option<&mut FlowTable> {
        self.tables.get_mut(usize::from(id.0))
    }

    pub(super) fn tables_mut(&mut self) -> impl Iterator<Item = &mut FlowTable> {
        self.tables.iter_mut()
    }

    /// Finds the highest-priority rule of `table` that matches `key`.
    #[inline]
    pub(super) fn lookup(
        &self,
        id: TableId,
        key: &FlowKey,
        mask: &mut FlowMask,
    ) -> Option<RuleRef<'_>> {
        let table = self.table(id)?;
        let slot = table.classifier.lookup(&table.store, key, mask);
        let slot = if table.classifier.has_soft() {
            conjunction::lookup(table.search(), &self.templates, slot, key, mask)?
        } else {
            slot?
        };
        let rule = table.store.rule(slot);
        Some(RuleRef {
            id: rule_id(id, slot, rule),
            cookie: rule.cookie,
            priority: rule.priority,
            is_table_miss: rule.priority == 0
                && table.classifier.shapes.shape(rule.shape).words.is_empty(),
            instructions: self.instructions(table, rule),
        })
    }

    /// Counts packets that a rule has handled.
    pub(super) fn credit(&mut self, id: RuleId, packets: u64, bytes: u64, used: Now) {
        let Some(table) = self.tables.get_mut(usize::from(id.table.0)) else {
            return;
        };
        if let Some(rule) = table.store.named(id.slot, id.sequence) {
            let flags = u16::from(rule.flags);
            let extra = table.store.extra_mut(id.slot);
            extra.packets += counted(flags & flow_flags::NO_PKT_COUNTS, packets).unwrap_or(0);
            extra.bytes += counted(flags & flow_flags::NO_BYT_COUNTS, bytes).unwrap_or(0);
            extra.used = extra.used.max(used);
        }
    }

    pub(super) fn snapshot(&self, id: RuleId, now: Now) -> Option<FlowSnapshot> {
        let table = self.table(id.table)?;
        table.store.named(id.slot, id.sequence)?;
        self.snapshot_slot(id.table, id.slot, now)
    }

    fn snapshot_slot(&self, id: TableId, slot: u32, now: Now) -> Option<FlowSnapshot> {
        let table = self.table(id)?;
        let rule = table.store.live(slot)?;
        Some(FlowSnapshot::new(
            rule_id(id, slot, rule),
            &self.stats(
                id,
                rule,
                now,
                &table.matching(rule),
                &self.instructions(table, rule),
            ),
        ))
    }

    fn stats<'a>(
        &self,
        id: TableId,
        rule: &Rule,
        now: Now,
        matching: &'a crate::openflow::modify::Match,
        instructions: &'a Instructions,
    ) -> FlowStats<'a> {
        let extra = self.table(id).and_then(|table| table.store.extra(rule));
        let (idle_timeout, hard_timeout) = self.timeouts(extra.map_or(NONE, |e| e.timer));
        let flags = u16::from(rule.flags) & KEPT_FLAGS;
        let (packets, bytes) = extra.map_or((0, 0), |extra| (extra.packets, extra.bytes));
        FlowStats {
            table: id,
            priority: rule.priority,
            matching,
            instructions,
            cookie: rule.cookie,
            duration: now.since(rule.created),
            idle: now.since(extra.map_or(rule.created, |extra| extra.used)),
            unmodified: now.since(extra.map_or(rule.created, |extra| extra.modified)),
            idle_timeout,
            hard_timeout,
            importance: rule.importance,
            flags,
            packets: counted(flags & flow_flags::NO_PKT_COUNTS, packets),
            bytes: counted(flags & flow_flags::NO_BYT_COUNTS, bytes),
        }
    }

    fn timeouts(&self, timer: u32) -> (u16, u16) {
        let timer = self.wheel.timer(timer);
        timer.map_or((0, 0), |timer| (timer.idle, timer.hard))
    }

    fn instructions<'a>(&'a self, table: &FlowTable, rule: &Rule) -> Cow<'a, Instructions> {
        let words = table.classifier.shapes.shape(rule.shape).words.len();
        let values = &table.store.body(rule)[words..];
        self.templates.instructions(rule.template, values)
    }

    /// Calls `visit` for the rules that `filter` picks among the next `limit` slots.
    pub(super) fn flows(
        &self,
        filter: &FlowFilter,
        cursor: FlowCursor,
        limit: usize,
        now: Now,
        visit: &mut dyn FnMut(RuleId, &FlowStats<'_>),
    ) -> Option<FlowCursor> {
        let (first, last) = match filter.table.0 {
            ALL_TABLES => (0, TABLES as u8 - 1),
            table => (table, table),
        };
        let mut left = limit as u64;
        let (mut table, mut slot) = (cursor.table.max(first), cursor.slot);
        while table <= last {
            let id = TableId(table);
            let Some(flows) = self.table(id) else { break };
            while slot < flows.store.slots() {
                if left == 0 {
                    return Some(FlowCursor { table, slot });
                }
                left -= 1;
                if let Some(rule) = flows.store.live(slot)
                    && self.is_picked(flows, rule, filter)
                {
                    let matching = flows.matching(rule);
                    let instructions = self.instructions(flows, rule);
                    let stats = self.stats(id, rule, now, &matching, &instructions);
                    visit(rule_id(id, slot, rule), &stats);
                }
                slot += 1;
            }
            (table, slot) = (table + 1, 0);
        }
        None
    }

    fn is_picked(&self, table: &FlowTable, rule: &Rule, filter: &FlowFilter) -> bool {
        let shape = table.classifier.shapes.shape(rule.shape);
        (rule.cookie ^ filter.cookie) & filter.cookie_mask == 0
            && shape.is_within(table.store.body(rule), &filter.matching)
            && self.goes_to(rule.template, filter.out_port, filter.out_group)
    }

    /// Whether a template outputs to the port and runs the group that a request names.
    fn goes_to(
        &self,
        template: u32,
        port: PortNo,
        group: Option<crate::openflow::action::GroupId>,
    ) -> bool {
        let instructions = &self.templates.template(template).instructions;
        (port == PortNo::ANY || uses::outputs_to(instructions, port))
            && group.is_none_or(|group| uses::uses_group(instructions, group))
    }

    /// Adds to `counts`, for all that `used` finds in instructions, the number of their rules.
    pub(super) fn count_each<T: Eq + Hash>(
        &self,
        used: impl Fn(&Instructions) -> BTreeSet<T>,
        counts: &mut HashMap<T, u32>,
    ) {
        for (_, template) in self.templates.iter() {
            for each in used(&template.instructions) {
                *counts.entry(each).or_default() += template.rules;
            }
        }
    }

    /// How many rules have instructions that `condition` picks.
    pub(super) fn count_where(&self, condition: impl Fn(&Instructions) -> bool) -> u32 {
        let templates = self.templates.iter().map(|(_, template)| template);
        templates
            .filter(|template| condition(&template.instructions))
            .map(|template| template.rules)
            .sum()
    }
}

impl FlowTable {
    /// Settings, as OpenFlow 1.4 tells them.
    pub(super) fn describe(&self, table: TableId) -> TableDesc {
        const EVICTION: u32 = 4;
        const VACANCY_EVENTS: u32 = 8;
        /// OFPTMPEF_IMPORTANCE.
        const BY_IMPORTANCE: u32 = 2;
        let eviction = if self.evicts() { EVICTION } else { 0 };
        let vacancy = self.vacancy.map_or(0, |_| VACANCY_EVENTS);
        TableDesc {
            table,
            config: eviction | vacancy,
            eviction: BY_IMPORTANCE,
            vacancy: self
                .vacancy
                .map(|(down, up)| (down, up, self.vacant_percent())),
        }
    }

    fn matching(&self, rule: &Rule) -> crate::openflow::modify::Match {
        let shape = self.classifier.shapes.shape(rule.shape);
        shape.unpack(self.store.body(rule))
    }

    fn search(&self) -> conjunction::Search<'_> {
        conjunction::Search {
            classifier: &self.classifier,
            store: &self.store,
        }
    }
}

const fn rule_id(table: TableId, slot: u32, rule: &Rule) -> RuleId {
    RuleId {
        table,
        slot,
        sequence: rule.sequence,
    }
}

/// A count, unless a flag says that it is not kept.
pub(super) fn counted(forbidden: u16, count: u64) -> Option<u64> {
    (forbidden == 0).then_some(count)
}
