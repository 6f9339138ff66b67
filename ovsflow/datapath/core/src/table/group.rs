//! One group: its buckets, their counters, and the slots by which a select group picks.

use super::spread;
use crate::openflow::action::GroupId;
use crate::openflow::modify::{Bucket, GroupKind, GroupMod, Selection};
use crate::openflow::tell::GroupDesc;
use crate::time::Now;

/// A group as it stands.
#[derive(Clone, Debug)]
pub struct Group {
    pub id: GroupId,
    pub kind: GroupKind,
    pub buckets: Box<[Bucket]>,
    pub selection: Selection,
    /// Select groups: for each hash slot (a power of two of them) the index of a live bucket,
    /// in proportion to the weights.  Empty when no bucket is live.
    pub slots: Box<[u16]>,
    /// The same while every bucket is live.
    homes: Box<[u16]>,
    pub created: Now,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) bucket_counts: Box<[(u64, u64)]>,
}

impl Group {
    pub(super) fn new(request: &GroupMod, created: Now) -> Self {
        Self {
            id: request.group,
            kind: request.kind,
            bucket_counts: vec![(0, 0); request.buckets.len()].into(),
            buckets: request.buckets.clone().into(),
            selection: request.selection.clone(),
            slots: Box::default(),
            homes: Box::default(),
            created,
            packets: 0,
            bytes: 0,
        }
    }

    /// What a description tells of it.
    pub fn describe(&self) -> GroupDesc {
        GroupDesc {
            group: self.id,
            kind: self.kind,
            buckets: self.buckets.to_vec(),
            selection: self.selection.clone(),
        }
    }

    /// Whether some bucket watches a port or group.
    pub(super) fn watches(&self) -> bool {
        self.buckets.iter().any(has_watch)
    }

    /// Gives each hash slot of a select group a home, near to what `old` had.
    pub(super) fn settle(&mut self, old: Option<&Self>) {
        if self.kind != GroupKind::Select {
            return;
        }
        let old = old.filter(|old| old.kind == GroupKind::Select);
        let now_at = |index: &u16| {
            let id = old?.buckets.get(usize::from(*index))?.id;
            let at = self.buckets.iter().position(|bucket| bucket.id == id)?;
            Some(at as u16)
        };
        let before: Vec<Option<u16>> =
            old.map_or_else(Vec::new, |old| old.homes.iter().map(now_at).collect());
        self.homes = spread::homes(&self.weights(), &before);
    }

    /// Deals the hash slots to the live buckets of a select group.
    pub(super) fn deal_slots(&mut self, live: &[bool]) {
        self.slots = spread::lent(&self.homes, &self.weights(), live);
    }

    fn weights(&self) -> Vec<u32> {
        let weights = self.buckets.iter().map(|bucket| u32::from(bucket.weight));
        weights.collect()
    }
}

/// Whether `bucket` is live only while something else is.
pub(super) fn has_watch(bucket: &Bucket) -> bool {
    bucket.watch_port != crate::packet::PortNo::ANY || bucket.watch_group.is_some()
}
