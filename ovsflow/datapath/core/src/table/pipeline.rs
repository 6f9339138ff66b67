//! All OpenFlow state of one switch, behind one door.
//!
//! One writer changes it; every change raises [`Pipeline::generation`].  Readers hold a shared
//! reference (the caller's lock) and never see half of a change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::fdb::Fdb;
use super::group::{Group, GroupCounters};
use super::meter::{Meter, MeterCounters};
use super::naive::NaiveTables;
use super::notice::{Notice, RemovedReason};
use super::port_table::{Port, PortTable};
use super::rule::{FlowSnapshot, RuleId, RuleRef};
use super::{ALL_TABLES, TABLES, uses};
use crate::error::{OfError, OfResult};
use crate::flow::{FlowKey, FlowMask};
use crate::openflow::action::{GroupId, Instructions, MeterId, TableId};
use crate::openflow::modify::{
    FlowMod, FlowModCommand, GroupMod, GroupModCommand, Match, MeterMod, MeterModCommand,
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

/// One change, for lists that are applied all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Flow(FlowMod),
    Group(GroupMod),
    Meter(MeterMod),
}

/// Which rules a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowFilter {
    /// `None`: all tables.
    pub table: Option<TableId>,
    pub cookie: u64,
    pub cookie_mask: u64,
    pub out_port: Option<PortNo>,
    pub out_group: Option<GroupId>,
    /// Rules that match no packet outside of this.
    pub matching: Match,
}

/// Where a dump goes on; the default is its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCursor {
    pub table: u8,
    pub slot: u32,
}

/// Numbers of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
    pub active: u32,
    pub lookups: u64,
    pub matches: u64,
    pub max_entries: u32,
}

/// All OpenFlow state of one switch.
#[derive(Debug)]
pub struct Pipeline {
    tables: NaiveTables,
    groups: BTreeMap<GroupId, Group>,
    meters: BTreeMap<MeterId, Arc<Meter>>,
    ports: PortTable,
    fdb: Fdb,
    lookups: Vec<(u64, u64)>,
    active_mask: FlowMask,
    generation: u64,
    compat: Compat,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Pipeline {
    /// A switch with no rules, groups, meters and ports.
    pub fn new() -> Self {
        Self {
            tables: NaiveTables::default(),
            groups: BTreeMap::new(),
            meters: BTreeMap::new(),
            ports: PortTable::default(),
            fdb: Fdb::default(),
            lookups: vec![(0, 0); TABLES],
            active_mask: FlowMask::default(),
            generation: 1,
            compat: Compat::default(),
        }
    }

    /// A number that rises with every change that could alter a translation.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Every bit that a rule matches on, or that an action or group may read.
    pub const fn active_mask(&self) -> &FlowMask {
        &self.active_mask
    }

    /// Whose word counts.
    pub const fn compat(&self) -> Compat {
        self.compat
    }

    /// Chooses whose word counts.
    pub const fn set_compat(&mut self, compat: Compat) {
        self.compat = compat;
        self.generation += 1;
    }

    /// Whether to leave a [`Notice::FlowChanged`] for every change of a rule.
    pub const fn set_monitored(&mut self, monitored: bool) {
        self.tables.monitored = monitored;
    }

    /// Finds the highest-priority rule of `table` that matches `key`.
    ///
    /// Sets in `mask` each bit of `key` the search relied on: a key that differs only in clear
    /// bits gets the same answer.
    pub fn lookup(
        &self,
        table: TableId,
        key: &FlowKey,
        mask: &mut FlowMask,
    ) -> Option<RuleRef<'_>> {
        self.tables.lookup(table, key, mask)
    }

    /// Applies a FLOW_MOD.
    pub fn flow_mod(
        &mut self,
        request: &FlowMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        self.check_flow_mod(request)?;
        self.tables.flow_mod(request, now, notices)?;
        self.changed();
        Ok(())
    }

    fn check_flow_mod(&self, request: &FlowMod) -> OfResult<()> {
        let deletes = matches!(
            request.command,
            FlowModCommand::Delete | FlowModCommand::DeleteStrict
        );
        if request.table.0 == ALL_TABLES {
            if request.command == FlowModCommand::Add {
                return Err(OfError::new(5, 2));
            }
        } else if usize::from(request.table.0) >= TABLES {
            return Err(OfError::new(1, 5));
        }
        if deletes {
            return Ok(());
        }
        self.check_instructions(request.table, &request.instructions)
    }

    fn check_instructions(&self, table: TableId, instructions: &Instructions) -> OfResult<()> {
        if let Some(goto) = instructions.goto
            && (table.0 != ALL_TABLES && goto <= table || usize::from(goto.0) >= TABLES)
        {
            return Err(OfError::new(3, 2));
        }
        let mut error = None;
        uses::any_of(instructions, &mut |action| {
            if uses::group_of(action).is_some_and(|group| !self.groups.contains_key(&group)) {
                error = Some(OfError::new(2, 9));
            } else if uses::meter_of(action).is_some_and(|meter| !self.meters.contains_key(&meter))
            {
                error = Some(OfError::new(12, 2));
            }
            error.is_some()
        });
        if instructions
            .meter
            .is_some_and(|meter| !self.meters.contains_key(&meter))
        {
            error = error.or(Some(OfError::new(12, 2)));
        }
        error.map_or(Ok(()), Err)
    }

    /// Applies a GROUP_MOD.
    pub fn group_mod(
        &mut self,
        request: &GroupMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        match request.command {
            GroupModCommand::Add if self.groups.contains_key(&request.group) => {
                return Err(OfError::new(6, 0));
            }
            GroupModCommand::Modify if !self.groups.contains_key(&request.group) => {
                return Err(OfError::new(6, 8));
            }
            GroupModCommand::Add | GroupModCommand::AddOrModify | GroupModCommand::Modify => {
                let created = self.groups.get(&request.group).map_or(now, |g| g.created);
                let mut group = Group::new(request, created);
                group.deal_slots(&vec![true; group.buckets.len()]);
                self.groups.insert(request.group, group);
            }
            GroupModCommand::Delete => {
                let all = request.group.0 == 0xffff_fffc;
                self.groups.retain(|id, _| !all && *id != request.group);
                self.tables.remove_where(
                    |instructions| {
                        uses::any_of(instructions, &mut |action| {
                            uses::group_of(action)
                                .is_some_and(|group| all || group == request.group)
                        })
                    },
                    RemovedReason::GroupDelete,
                    now,
                    notices,
                );
            }
            GroupModCommand::InsertBucket | GroupModCommand::RemoveBucket => {
                return Err(OfError::new(6, 11));
            }
        }
        self.changed();
        Ok(())
    }

    /// Applies a METER_MOD.
    pub fn meter_mod(
        &mut self,
        request: &MeterMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        match request.command {
            MeterModCommand::Add if self.meters.contains_key(&request.meter) => {
                return Err(OfError::new(12, 1));
            }
            MeterModCommand::Modify if !self.meters.contains_key(&request.meter) => {
                return Err(OfError::new(12, 3));
            }
            MeterModCommand::Add | MeterModCommand::Modify => {
                self.meters
                    .insert(request.meter, Arc::new(Meter::new(request, now)));
            }
            MeterModCommand::Delete => {
                let all = request.meter.0 == 0xffff_ffff;
                self.meters.retain(|id, _| !all && *id != request.meter);
                self.tables.remove_where(
                    |instructions| {
                        instructions
                            .meter
                            .is_some_and(|meter| all || meter == request.meter)
                            || uses::any_of(instructions, &mut |action| {
                                uses::meter_of(action)
                                    .is_some_and(|meter| all || meter == request.meter)
                            })
                    },
                    RemovedReason::MeterDelete,
                    now,
                    notices,
                );
            }
        }
        self.changed();
        Ok(())
    }

    /// Applies a list of changes, all or nothing.
    ///
    /// On error nothing has changed and nothing is noticed; the error comes with the index of
    /// the change that it is about.
    pub fn apply_atomic(
        &mut self,
        changes: &[Change],
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> Result<(), (usize, OfError)> {
        let saved = (
            self.tables.clone(),
            self.groups.clone(),
            self.meters.clone(),
        );
        let noticed = notices.len();
        for (index, change) in changes.iter().enumerate() {
            let result = match change {
                Change::Flow(request) => self.flow_mod(request, now, notices),
                Change::Group(request) => self.group_mod(request, now, notices),
                Change::Meter(request) => self.meter_mod(request, now, notices),
            };
            if let Err(error) = result {
                (self.tables, self.groups, self.meters) = saved;
                notices.truncate(noticed);
                self.changed();
                return Err((index, error));
            }
        }
        Ok(())
    }

    /// Counts packets that a rule has handled; a rule that is gone takes nothing.
    pub fn credit(&mut self, id: RuleId, packets: u64, bytes: u64, last_used: Now) {
        self.tables.credit(id, packets, bytes, last_used);
    }

    /// Counts packets looked up in a table.
    pub fn credit_table(&mut self, table: TableId, lookups: u64, matches: u64) {
        if let Some(counts) = self.lookups.get_mut(usize::from(table.0)) {
            counts.0 += lookups;
            counts.1 += matches;
        }
    }

    /// Counts packets that went through a group.
    pub fn credit_group(&mut self, id: GroupId, packets: u64, bytes: u64) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.packets += packets;
            group.bytes += bytes;
        }
    }

    /// Counts packets that went through a bucket, by its position.
    pub fn credit_bucket(&mut self, id: GroupId, bucket: usize, packets: u64, bytes: u64) {
        let group = self.groups.get_mut(&id);
        if let Some(counts) = group.and_then(|group| group.bucket_counts.get_mut(bucket)) {
            counts.0 += packets;
            counts.1 += bytes;
        }
    }

    /// Makes a rule's timeouts no longer than these (seconds; 0 leaves one alone).
    pub fn shorten_timeouts(&mut self, id: RuleId, idle: u16, hard: u16) {
        self.tables.shorten(id, idle, hard);
    }

    /// Removes rules and addresses whose time has come; returns when to call again.
    ///
    /// Credits up to `now` must have been given before.
    pub fn expire(&mut self, now: Now, notices: &mut Vec<Notice>) -> Option<Now> {
        let before = notices.len();
        let rules = self.tables.expire(now, notices);
        let (forgotten, addresses) = self.fdb.expire(now);
        if notices.len() != before || forgotten != 0 {
            self.changed();
        }
        rules.into_iter().chain(addresses).min()
    }

    /// Calls `visit` for up to `limit` rules that `filter` picks, from `cursor` on; returns where to go on.
    ///
    /// Between steps rules may come and go: those that stay are visited once.
    pub fn flows(
        &self,
        filter: &FlowFilter,
        cursor: FlowCursor,
        limit: usize,
        now: Now,
        visit: &mut dyn FnMut(FlowSnapshot),
    ) -> Option<FlowCursor> {
        let all = self.tables.flows(filter, now);
        let start = cursor.slot as usize;
        let mut end = start;
        for flow in all.iter().skip(start).take(limit) {
            visit(flow.clone());
            end += 1;
        }
        (end < all.len()).then_some(FlowCursor {
            table: 0,
            slot: end as u32,
        })
    }

    /// All that is known of a rule.
    pub fn flow(&self, id: RuleId, now: Now) -> Option<FlowSnapshot> {
        self.tables.snapshot(id, now)
    }

    /// Numbers of one table.
    pub fn table_counters(&self, table: TableId) -> TableCounters {
        let (lookups, matches) = self
            .lookups
            .get(usize::from(table.0))
            .copied()
            .unwrap_or_default();
        TableCounters {
            active: self.tables.count(table) as u32,
            lookups,
            matches,
            max_entries: 1_000_000,
        }
    }

    /// The group with this number.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    /// All groups, by number.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Numbers of one group.
    pub fn group_counters(&self, id: GroupId, now: Now) -> Option<GroupCounters> {
        let group = self.groups.get(&id)?;
        Some(GroupCounters {
            references: 0,
            packets: group.packets,
            bytes: group.bytes,
            duration: now.since(group.created),
            buckets: group.bucket_counts.to_vec(),
        })
    }

    /// Whether bucket number `bucket` of a group may be chosen: what it watches is live.
    pub fn is_bucket_live(&self, group: &Group, bucket: usize) -> bool {
        self.bucket_live(group, bucket, 8)
    }

    fn bucket_live(&self, group: &Group, bucket: usize, depth: u32) -> bool {
        let Some(bucket) = group.buckets.get(bucket) else {
            return false;
        };
        if !super::group::has_watch(bucket) {
            return true;
        }
        self.ports.is_live(bucket.watch_port)
            || bucket
                .watch_group
                .and_then(|id| self.groups.get(&id))
                .is_some_and(|group| {
                    depth > 0
                        && (0..group.buckets.len())
                            .any(|index| self.bucket_live(group, index, depth - 1))
                })
    }

    /// The meter with this number, to keep: it works as long as it is held.
    pub fn meter(&self, id: MeterId) -> Option<&Arc<Meter>> {
        self.meters.get(&id)
    }

    /// All meters, by number.
    pub fn meters(&self) -> impl Iterator<Item = &Arc<Meter>> {
        self.meters.values()
    }

    /// Numbers of one meter.
    pub fn meter_counters(&self, id: MeterId, now: Now) -> Option<MeterCounters> {
        Some(self.meters.get(&id)?.counters(0, now))
    }

    /// The ports.
    pub const fn ports(&self) -> &PortTable {
        &self.ports
    }

    /// Adds a port, or replaces what is known of one; returns what was.
    pub fn set_port(&mut self, port: Port) -> Option<Port> {
        let old = self.ports.set(port);
        self.changed();
        old
    }

    /// Takes a port out, and the addresses learned there.
    pub fn remove_port(&mut self, number: PortNo) -> Option<Port> {
        let old = self.ports.remove(number);
        self.fdb.flush(Some(number));
        self.changed();
        old
    }

    /// The addresses that NORMAL has learned.
    pub const fn fdb(&self) -> &Fdb {
        &self.fdb
    }

    /// Notes that a packet from `mac` came in at `port`; returns whether that is news.
    pub fn learn_mac(&mut self, vlan: u16, mac: u64, port: PortNo, now: Now) -> bool {
        let news = self.fdb.learn(vlan, mac, port, now);
        if news {
            self.changed();
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
        self.changed();
    }

    /// Forgets all learned addresses.
    pub fn flush_macs(&mut self) {
        self.fdb.flush(None);
        self.changed();
    }

    fn changed(&mut self) {
        self.generation += 1;
        self.active_mask = self.tables.masks();
    }
}
