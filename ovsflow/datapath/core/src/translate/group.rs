//! Groups: one copy for each bucket that runs.

use std::sync::Arc;

use super::Observer;
use super::walk::{MAX_DEPTH, Walk};
use super::{Credit, hash};
use crate::action::{DpAction, PacketInReason, SelectOut};
use crate::error::DropReason;
use crate::openflow::action::GroupId;
use crate::openflow::modify::GroupKind;
use crate::table::{Compat, Group};

impl<O: Observer> Walk<'_, O> {
    /// Runs a group.  Missing groups lose the packet.
    pub(super) fn group(&mut self, id: GroupId) {
        let Some(group) = self.context.pipeline.group(id) else {
            return self.fail(DropReason::NoSuchGroup);
        };
        if self.depth >= MAX_DEPTH {
            return self.fail(DropReason::RecursionTooDeep);
        }
        let live = self.live_buckets(group);
        // A group that picks a bucket and finds none has not run, to Open vSwitch.
        let picks = matches!(group.kind, GroupKind::FastFailover | GroupKind::Select);
        let has_run = !picks || !live.is_empty();
        if has_run || self.context.pipeline.compat() == Compat::Spec {
            self.credits.push(Credit::Group(id));
        }
        self.observer.note(format_args!(
            "group {} ({}): {} of {} buckets can be chosen",
            id.0,
            group.kind.name(),
            live.len(),
            group.buckets.len()
        ));
        if live.is_empty() {
            self.lost.get_or_insert(DropReason::NoSuchGroup);
            return;
        }
        match group.kind {
            GroupKind::All => {
                self.emitter.flush_all(&self.flow);
                for index in 0..group.buckets.len() {
                    self.bucket(group, index);
                }
            }
            GroupKind::Indirect => self.bucket(group, 0),
            GroupKind::FastFailover => self.bucket(group, live[0]),
            GroupKind::Select => match live.as_slice() {
                &[only] => self.bucket(group, only),
                _ => self.select(group),
            },
        }
    }

    fn live_buckets(&self, group: &Group) -> Vec<usize> {
        let pipeline = self.context.pipeline;
        match group.kind {
            GroupKind::All | GroupKind::Indirect => (0..group.buckets.len()).collect(),
            GroupKind::FastFailover => (0..group.buckets.len())
                .filter(|&bucket| pipeline.is_bucket_live(group, bucket))
                .collect(),
            GroupKind::Select => {
                let mut chosen: Vec<usize> = group.slots.iter().map(|&s| usize::from(s)).collect();
                chosen.sort_unstable();
                chosen.dedup();
                chosen
            }
        }
    }

    /// Runs one bucket on a copy.
    fn bucket(&mut self, group: &Group, index: usize) {
        self.credits.push(Credit::Bucket(group.id, index as u16));
        let list = self.bucket_list(group, index);
        self.emitter.append_copy(list);
    }

    fn bucket_list(&mut self, group: &Group, index: usize) -> Vec<DpAction> {
        let Some(bucket) = group.buckets.get(index) else {
            return Vec::new();
        };
        self.observer.note(format_args!("bucket {}", bucket.id));
        self.on_copy(true, |walk| {
            walk.source.reason = PacketInReason::Group;
            walk.run_bucket_set(&bucket.actions);
        })
    }

    /// Leaves the choice of a bucket to each packet's hash.
    fn select(&mut self, group: &Group) {
        self.emitter.flush_all(&self.flow);
        let buckets = (0..group.buckets.len()).map(|index| {
            let mut list = vec![DpAction::CountBucket {
                group: group.id,
                bucket: index as u16,
            }];
            list.extend(self.bucket_list(group, index));
            Arc::from(list)
        });
        let buckets: Box<[Arc<[DpAction]>]> = buckets.collect();
        let fields = hash::select_fields(&group.selection);
        let out = SelectOut {
            group: group.id,
            fields: Box::new(fields),
            basis: group.selection.parameter as u32 ^ (group.selection.parameter >> 32) as u32,
            slots: group.slots.clone(),
            buckets,
        };
        let select = DpAction::Select(Arc::new(out));
        // A bucket's changes stay with the copy.
        self.emitter.append_copy(vec![select]);
    }
}
