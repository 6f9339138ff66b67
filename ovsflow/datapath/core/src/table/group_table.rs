//! All groups: what a GROUP_MOD means, and which buckets are live.
//!
//! A bucket is live while the port or group that it watches is.  Groups may run groups: a chain
//! that closes on itself is refused where the specification is followed, and accepted, to lose
//! packets later, where Open vSwitch is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Compat;
use super::group::{Group, has_watch};
use super::port_table::PortTable;
use super::uses;
use crate::error::OfResult;
use crate::openflow::action::GroupId;
use crate::openflow::encode;
use crate::openflow::error::{
    BAD_OUT_GROUP, BUCKET_EXISTS, CHAINED_GROUP, GROUP_EXISTS, GROUP_LOOP, INVALID_GROUP,
    OUT_OF_BUCKETS, OUT_OF_GROUPS, UNKNOWN_BUCKET, UNKNOWN_GROUP,
};
use crate::openflow::modify::{Bucket, GroupKind, GroupMod, GroupModCommand};
use crate::openflow::tell::GroupStats;
use crate::time::Now;

/// Most groups.
pub const MAX_GROUPS: usize = 1 << 20;

/// Most buckets of one group: group stats tell of all in one message.
pub const MAX_BUCKETS: usize = 4000;

/// OFPG_ALL.
const ALL_GROUPS: GroupId = GroupId(0xffff_fffc);

/// OFPG_BUCKET_*.  Source: OpenFlow 1.5.1 §7.3.4.3.
mod position {
    pub(super) const FIRST: u32 = 0xffff_fffd;
    pub(super) const LAST: u32 = 0xffff_fffe;
    pub(super) const ALL: u32 = 0xffff_ffff;
}

/// The groups, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupTable {
    groups: BTreeMap<GroupId, Group>,
}

/// What a GROUP_MOD does to the table.
#[derive(Debug)]
pub(super) enum GroupChange {
    /// This group is to be there.
    Set(Box<Group>),
    /// These groups are to be gone.
    Delete(Vec<GroupId>),
}

impl GroupTable {
    pub(super) fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(&id)
    }

    pub(super) fn group_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The groups from `first` on.
    pub(super) fn iter_from(&self, first: GroupId) -> impl Iterator<Item = &Group> {
        self.groups.range(first..).map(|(_, group)| group)
    }

    /// How many groups refer to each group.
    pub(super) fn all_references(&self) -> HashMap<GroupId, u32> {
        let mut references = HashMap::new();
        for group in self.iter() {
            let runs: BTreeSet<GroupId> = runs(group).collect();
            for id in runs {
                *references.entry(id).or_default() += 1;
            }
        }
        references
    }

    pub(super) fn contains(&self, id: GroupId) -> bool {
        self.groups.contains_key(&id)
    }

    /// Puts a group in, or takes it out; returns what was there.
    pub(super) fn set(&mut self, id: GroupId, group: Option<Group>) -> Option<Group> {
        match group {
            Some(group) => self.groups.insert(id, group),
            None => self.groups.remove(&id),
        }
    }

    /// Works out what a GROUP_MOD asks for, without doing it.
    pub(super) fn plan(
        &self,
        request: &GroupMod,
        compat: Compat,
        now: Now,
    ) -> OfResult<GroupChange> {
        let old = self.group(request.group);
        let mut group = match (request.command, old) {
            (GroupModCommand::Delete, _) => return self.plan_delete(request, compat),
            (GroupModCommand::Add, Some(_)) => return Err(GROUP_EXISTS),
            (GroupModCommand::Add | GroupModCommand::AddOrModify, None) => {
                if self.groups.len() >= MAX_GROUPS {
                    return Err(OUT_OF_GROUPS);
                }
                Group::new(request, now)
            }
            (GroupModCommand::Modify | GroupModCommand::AddOrModify, Some(old)) => {
                Group::new(request, old.created)
            }
            (GroupModCommand::InsertBucket, Some(old)) => insert_buckets(old, request)?,
            (GroupModCommand::RemoveBucket, Some(old)) => remove_buckets(old, request)?,
            (_, None) => return Err(UNKNOWN_GROUP),
        };
        if group.buckets.len() > MAX_BUCKETS || !encode::group_fits(&group.describe()) {
            return Err(OUT_OF_BUCKETS);
        }
        if compat == Compat::Spec {
            self.check_chain(&group)?;
        }
        group.settle(old);
        Ok(GroupChange::Set(Box::new(group)))
    }

    fn plan_delete(&self, request: &GroupMod, compat: Compat) -> OfResult<GroupChange> {
        if request.group == ALL_GROUPS {
            return Ok(GroupChange::Delete(self.groups.keys().copied().collect()));
        }
        if !self.contains(request.group) {
            return Ok(GroupChange::Delete(Vec::new()));
        }
        let is_chained = self
            .iter()
            .any(|group| group.id != request.group && runs(group).any(|id| id == request.group));
        if is_chained && compat == Compat::Spec {
            return Err(CHAINED_GROUP);
        }
        Ok(GroupChange::Delete(vec![request.group]))
    }

    /// Whether the groups that `group` would run are there and none leads back to it.
    fn check_chain(&self, group: &Group) -> OfResult<()> {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<GroupId> = runs(group).collect();
        while let Some(id) = waiting.pop() {
            if id == group.id {
                return Err(GROUP_LOOP);
            }
            if seen.insert(id) {
                let next = self.group(id).ok_or(BAD_OUT_GROUP)?;
                waiting.extend(runs(next));
            }
        }
        Ok(())
    }

    /// Whether a bucket may be chosen: it watches nothing, or a port that lives, or a group of which
    /// a bucket may be chosen.  Groups that watch each other in a circle do not keep each other alive.
    pub(super) fn is_live(&self, ports: &PortTable, bucket: &Bucket) -> bool {
        let is_rooted = |bucket: &Bucket| !has_watch(bucket) || ports.is_live(bucket.watch_port);
        if is_rooted(bucket) {
            return true;
        }
        let mut waiting: Vec<GroupId> = bucket.watch_group.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            let buckets = self.group(id).map_or(&[][..], |group| &group.buckets);
            if buckets.iter().any(is_rooted) {
                return true;
            }
            waiting.extend(buckets.iter().filter_map(|bucket| bucket.watch_group));
        }
        false
    }

    /// Deals the slots of select groups anew: of one, or of all that watch something.
    pub(super) fn deal_slots(&mut self, ports: &PortTable, only: Option<GroupId>) {
        let wanted: Vec<(GroupId, Vec<bool>)> = self
            .iter()
            .filter(|group| group.kind == GroupKind::Select)
            .filter(|group| only == Some(group.id) || group.watches())
            .map(|group| {
                let live = group.buckets.iter().map(|b| self.is_live(ports, b));
                (group.id, live.collect())
            })
            .collect();
        for (id, live) in wanted {
            if let Some(group) = self.groups.get_mut(&id) {
                group.deal_slots(&live);
            }
        }
    }

    /// Groups that run `id`.
    pub(super) fn references(&self, id: GroupId) -> u32 {
        let referring = self.iter().filter(|group| runs(group).any(|run| run == id));
        referring.count() as u32
    }

    /// Numbers of one group, that `references` rules and groups refer to.
    pub(super) fn stats(&self, id: GroupId, references: u32, now: Now) -> Option<GroupStats> {
        let group = self.group(id)?;
        Some(GroupStats {
            group: id,
            ref_count: references,
            packets: group.packets,
            bytes: group.bytes,
            duration: now.since(group.created),
            buckets: group.bucket_counts.to_vec(),
        })
    }
}

/// The groups that a group's buckets run.
fn runs(group: &Group) -> impl Iterator<Item = GroupId> {
    let actions = group
        .buckets
        .iter()
        .flat_map(|bucket| bucket.actions.iter());
    actions.filter_map(uses::group_of)
}

fn insert_buckets(old: &Group, request: &GroupMod) -> OfResult<Group> {
    let at = match request.command_bucket {
        position::FIRST => 0,
        position::LAST => old.buckets.len(),
        id => find_bucket(old, id)? + 1,
    };
    let taken = |bucket: &Bucket| old.buckets.iter().any(|other| other.id == bucket.id);
    if request.buckets.iter().any(taken) {
        return Err(BUCKET_EXISTS);
    }
    if old.kind == GroupKind::Indirect && old.buckets.len() + request.buckets.len() > 1 {
        return Err(INVALID_GROUP);
    }
    let mut group = old.clone();
    let mut buckets = old.buckets.to_vec();
    buckets.splice(at..at, request.buckets.iter().cloned());
    let mut counts = old.bucket_counts.to_vec();
    counts.splice(at..at, request.buckets.iter().map(|_| (0, 0)));
    (group.buckets, group.bucket_counts) = (buckets.into(), counts.into());
    Ok(group)
}

fn remove_buckets(old: &Group, request: &GroupMod) -> OfResult<Group> {
    let len = old.buckets.len();
    let range = match request.command_bucket {
        position::ALL => 0..len,
        // Of an empty group these remove nothing.
        position::FIRST => 0..len.min(1),
        position::LAST => len.saturating_sub(1)..len,
        id => {
            let at = find_bucket(old, id)?;
            at..at + 1
        }
    };
    let mut group = old.clone();
    let mut buckets = old.buckets.to_vec();
    buckets.drain(range.clone());
    let mut counts = old.bucket_counts.to_vec();
    counts.drain(range);
    (group.buckets, group.bucket_counts) = (buckets.into(), counts.into());
    Ok(group)
}

fn find_bucket(group: &Group, id: u32) -> OfResult<usize> {
    let mut buckets = group.buckets.iter();
    buckets
        .position(|bucket| bucket.id == id)
        .ok_or(UNKNOWN_BUCKET)
}
