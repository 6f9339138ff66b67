//! All OpenFlow state of one switch, behind one door.
//!
//! One writer changes it; every change raises [`Pipeline::generation`].  Readers hold a shared
//! reference (the caller's lock) and never see half of a change.  What changes mean is in
//! [`modify`](super::modify).

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use super::changes::Dependence;
use super::fdb::Fdb;
use super::group::Group;
use super::group_table::GroupTable;
use super::meter::Meter;
use super::modify::Undo;
use super::notice::Notice;
use super::port_table::{Port, PortTable};
use super::rule::{FlowSnapshot, RuleId, RuleRef};
use super::rules::Rules;
use super::uses;
use crate::flow::{FlowKey, FlowMask, slot};
use crate::openflow::action::{GroupId, MeterId, TableId};
use crate::openflow::tell::{
    AggregateStats, FlowFilter, FlowStats, GroupStats, MeterStats, TableDesc, TableStats,
};
use crate::packet::PortNo;
use crate::time::Now;

/// Whose word counts where the specification and Open vSwitch disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compat {
    #[default]
    Spec,
    Ovs,
}

/// Where a dump goes on; the default is its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCursor {
    pub table: u8,
    pub slot: u32,
}

/// All OpenFlow state of one switch.
#[derive(Debug)]
pub struct Pipeline {
    pub(super) rules: Rules,
    pub(super) groups: GroupTable,
    pub(super) meters: BTreeMap<MeterId, Arc<Meter>>,
    pub(super) ports: PortTable,
    fdb: Fdb,
    pub(super) compat: Compat,
    /// What was done to groups and meters, while it can be undone.
    pub(super) journal: Option<Vec<Undo>>,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Pipeline {
    /// A switch with no rules, groups, meters and ports.
    pub fn new() -> Self {
        let seed = std::hash::RandomState::new().hash_one(0);
        let mut rules = Rules::new(seed);
        let mut in_port = FlowMask::default();
        in_port.set(slot::IN_PORT, slot::IN_PORT.ones());
        rules.active.add(&in_port);
        Self {
            rules,
            groups: GroupTable::default(),
            meters: BTreeMap::new(),
            ports: PortTable::default(),
            fdb: Fdb::default(),
            compat: Compat::default(),
            journal: None,
        }
    }

    /// A number that rises with every change that could alter a translation.
    pub const fn generation(&self) -> u64 {
        self.rules.changes.generation()
    }

    /// Whether a translation made at generation `since` may be another now.  `visited` tells
    /// the tables that it looked at.  Cheap; "perhaps" counts as yes.
    pub fn may_affect(
        &self,
        since: u64,
        dependence: &Dependence<'_>,
        visited: impl Fn(TableId) -> bool,
    ) -> bool {
        self.rules.changes.may_affect(since, dependence, visited)
    }

    /// Every bit that a rule matches on, and in_port.
    ///
    /// What actions look at besides depends on the walk: each translation's own mask tells it.
    pub const fn active_mask(&self) -> &FlowMask {
        self.rules.active.mask()
    }

    /// Whose word counts.
    pub const fn compat(&self) -> Compat {
        self.compat
    }

    /// Chooses whose word counts.
    pub fn set_compat(&mut self, compat: Compat) {
        self.compat = compat;
        self.rules.replaces_unchecked = compat == Compat::Ovs;
        self.rules.changes.anything();
    }

    /// Something outside of the tables changed that every translation depends on.
    pub fn settings_changed(&mut self) {
        self.rules.changes.anything();
    }

    /// Whether to leave a [`Notice::FlowChanged`] for every change of a rule.
    pub const fn set_monitored(&mut self, monitored: bool) {
        self.rules.monitored = monitored;
    }

    /// Sets the most rules that a table may hold, for one table or all.  Rules over a new limit stay.
    pub fn set_table_limit(&mut self, table: Option<TableId>, limit: u32) {
        match table {
            None => self
                .rules
                .tables_mut()
                .for_each(|table| table.limit = limit),
            Some(id) => {
                if let Some(table) = self.rules.table_mut(id) {
                    table.limit = limit;
                }
            }
        }
    }

    /// Finds the highest-priority rule of `table` that matches `key`.
    ///
    /// Sets in `mask` each bit of `key` the search relied on: a key that differs only in clear
    /// bits gets the same answer.  One hash probe for each tuple whose highest priority can
    /// still win.
    #[inline]
    pub fn lookup(
        &self,
        table: TableId,
        key: &FlowKey,
        mask: &mut FlowMask,
    ) -> Option<RuleRef<'_>> {
        self.rules.lookup(table, key, mask)
    }

    /// Counts packets that a rule has handled; a rule that is gone takes nothing.
    pub fn credit(&mut self, id: RuleId, packets: u64, bytes: u64, last_used: Now) {
        self.rules.credit(id, packets, bytes, last_used);
    }

    /// Counts packets looked up in a table.
    pub fn credit_table(&mut self, table: TableId, lookups: u64, matches: u64) {
        if let Some(table) = self.rules.table_mut(table) {
            table.lookups += lookups;
            table.matches += matches;
        }
    }

    /// Counts packets that went through a group.
    pub fn credit_group(&mut self, id: GroupId, packets: u64, bytes: u64) {
        if let Some(group) = self.groups.group_mut(id) {
            group.packets += packets;
            group.bytes += bytes;
        }
    }

    /// Counts packets that went through a bucket, by its position.
    pub fn credit_bucket(&mut self, id: GroupId, bucket: usize, packets: u64, bytes: u64) {
        let group = self.groups.group_mut(id);
        if let Some(counts) = group.and_then(|group| group.bucket_counts.get_mut(bucket)) {
            counts.0 += packets;
            counts.1 += bytes;
        }
    }

    /// Makes a rule's timeouts no longer than these (seconds; 0 leaves one alone).
    pub fn shorten_timeouts(&mut self, id: RuleId, idle: u16, hard: u16) {
        self.rules.shorten(id, idle, hard);
    }

    /// Removes rules and addresses whose time has come; returns when to call again.
    ///
    /// Credits up to `now` must have been given before.
    pub fn expire(&mut self, now: Now, notices: &mut Vec<Notice>) -> Option<Now> {
        let rules = self.rules.expire(now, notices);
        let (forgotten, addresses) = self.fdb.expire(now);
        if forgotten != 0 {
            self.rules.changes.addresses();
        }
        rules.into_iter().chain(addresses).min()
    }

    /// When [`expire`](Self::expire) may have something to do; `None` for never.
    pub fn next_expiry(&self) -> Option<Now> {
        let rules = self.rules.next_expiry();
        rules.into_iter().chain(self.fdb.next_expiry()).min()
    }

    /// Whether a change may tell counters, or change how what was counted before is read.
    pub const fn counts_must_be_prompt(&self) -> bool {
        self.rules.counts_must_be_prompt
    }

    /// Calls `visit` for the rules that `filter` picks among the next `limit` slots from `cursor`
    /// on; returns where to go on.
    ///
    /// Between steps rules may come and go: those that stay are visited once, table by table.
    pub fn flows(
        &self,
        filter: &FlowFilter,
        cursor: FlowCursor,
        limit: usize,
        now: Now,
        visit: &mut dyn FnMut(RuleId, &FlowStats<'_>),
    ) -> Option<FlowCursor> {
        self.rules.flows(filter, cursor, limit, now, visit)
    }

    /// The sum over all rules that `filter` picks.
    pub fn aggregate(&self, filter: &FlowFilter, now: Now) -> AggregateStats {
        let (mut packets, mut bytes, mut flows) = (0u64, 0u64, 0);
        let start = FlowCursor::default();
        self.flows(filter, start, usize::MAX, now, &mut |_, stats| {
            packets = packets.wrapping_add(stats.packets.unwrap_or_default());
            bytes = bytes.wrapping_add(stats.bytes.unwrap_or_default());
            flows += 1;
        });
        AggregateStats {
            packets: Some(packets),
            bytes: Some(bytes),
            flows,
        }
    }

    /// All that is known of a rule.
    pub fn flow(&self, id: RuleId, now: Now) -> Option<FlowSnapshot> {
        self.rules.snapshot(id, now)
    }

    /// Numbers of one table.
    pub fn table_stats(&self, id: TableId) -> Option<TableStats> {
        let table = self.rules.table(id)?;
        Some(TableStats {
            table: id,
            max_entries: table.limit,
            active: table.len() as u32,
            lookups: table.lookups,
            matched: table.matches,
        })
    }

    /// Settings of one table.
    pub fn table_desc(&self, id: TableId) -> Option<TableDesc> {
        let table = self.rules.table(id)?;
        Some(table.describe(id))
    }

    /// The group with this number.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.group(id)
    }

    /// All groups, by number.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// The groups from `first` on, by number.
    pub fn groups_from(&self, first: GroupId) -> impl Iterator<Item = &Group> {
        self.groups.iter_from(first)
    }

    /// Numbers of one group.
    pub fn group_stats(&self, id: GroupId, now: Now) -> Option<GroupStats> {
        let rules = self.rules.count_where(|i| uses::uses_group(i, id));
        self.groups
            .stats(id, rules + self.groups.references(id), now)
    }

    /// How many rules and groups refer to each group: one walk for the numbers of many.
    pub fn group_references(&self) -> HashMap<GroupId, u32> {
        let mut references = self.groups.all_references();
        self.rules.count_each(uses::groups_of, &mut references);
        references
    }

    /// Numbers of one group, that `references` rules and groups refer to.
    pub fn group_numbers(&self, id: GroupId, references: u32, now: Now) -> Option<GroupStats> {
        self.groups.stats(id, references, now)
    }

    /// Whether bucket number `bucket` of a group may be chosen: what it watches is live.
    pub fn is_bucket_live(&self, group: &Group, bucket: usize) -> bool {
        let bucket = group.buckets.get(bucket);
        bucket.is_some_and(|bucket| self.groups.is_live(&self.ports, bucket))
    }

    /// The meter with this number, to keep: it works as long as it is held.
    pub fn meter(&self, id: MeterId) -> Option<&Arc<Meter>> {
        self.meters.get(&id)
    }

    /// All meters, by number.
    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        self.meters.values()
    }

    /// The meters from `first` on, by number.
    pub fn meters_from(&self, first: MeterId) -> impl Iterator<Item = &Arc<Meter>> {
        self.meters.range(first..).map(|(_, meter)| meter)
    }

    /// How many rules refer to each meter.
    pub fn meter_references(&self) -> HashMap<MeterId, u32> {
        let mut references = HashMap::new();
        self.rules.count_each(uses::meters_of, &mut references);
        references
    }

    /// Numbers of one meter.
    pub fn meter_stats(&self, id: MeterId, now: Now) -> Option<MeterStats> {
        let flows = self.rules.count_where(|i| uses::uses_meter(i, id));
        self.meter_numbers(id, flows, now)
    }

    /// Numbers of one meter, that `flows` rules refer to.
    pub fn meter_numbers(&self, id: MeterId, flows: u32, now: Now) -> Option<MeterStats> {
        Some(self.meters.get(&id)?.stats(flows, now))
    }

    /// The ports.
    pub const fn ports(&self) -> &PortTable {
        &self.ports
    }

    /// Adds a port, or replaces what is known of one; returns what was.
    pub fn set_port(&mut self, port: Port) -> Option<Port> {
        let old = self.ports.set(port);
        self.ports_changed();
        old
    }

    /// Takes a port out, and the addresses learned there.
    pub fn remove_port(&mut self, number: PortNo) -> Option<Port> {
        let old = self.ports.remove(number);
        self.fdb.flush(Some(number));
        self.ports_changed();
        old
    }

    fn ports_changed(&mut self) {
        self.groups.deal_slots(&self.ports, None);
        self.rules.changes.anything();
    }

    /// The addresses that NORMAL has learned.
    pub const fn fdb(&self) -> &Fdb {
        &self.fdb
    }

    /// Notes that a packet from `mac` came in at `port`; returns whether that is news.
    pub fn learn_mac(&mut self, vlan: u16, mac: u64, port: PortNo, now: Now) -> bool {
        let news = self.fdb.learn(vlan, mac, port, now);
        if news {
            self.rules.changes.addresses();
        }
        news
    }

    /// Sets the age at which addresses are forgotten.
    pub fn set_mac_aging(&mut self, aging: Duration) {
        self.fdb.set_aging(aging);
    }

    /// Sets how many addresses are remembered.
    pub fn set_mac_capacity(&mut self, capacity: usize) {
        self.fdb.set_capacity(capacity);
        self.rules.changes.addresses();
    }

    /// Forgets all learned addresses.
    pub fn flush_macs(&mut self) {
        self.fdb.flush(None);
        self.rules.changes.addresses();
    }
}
