//! Groups in replies.  Sources: OpenFlow 1.3.5 §7.3.5.9 to 11, 1.5.1 §7.3.5.10 to 12.

use super::{actions, put_duration};
use crate::openflow::Version;
use crate::openflow::codec::{pad8, patch_len, put_zeros, put16, put32, put64};
use crate::openflow::modify::{Bucket, GroupKind, Selection};
use crate::openflow::tell::{GroupDesc, GroupFeatures, GroupStats};
use crate::packet::PortNo;

/// Appends one entry of a group stats reply.
pub fn group_stats(stats: &GroupStats, out: &mut Vec<u8>) {
    let start = out.len();
    put_zeros(out, 4);
    put32(out, stats.group.0);
    put32(out, stats.ref_count);
    put_zeros(out, 4);
    put64(out, stats.packets);
    put64(out, stats.bytes);
    put_duration(out, stats.duration);
    for &(packets, bytes) in &stats.buckets {
        put64(out, packets);
        put64(out, bytes);
    }
    patch_len(out, start, start);
}

/// Appends one entry of a group description reply.
pub fn group_desc(version: Version, desc: &GroupDesc, out: &mut Vec<u8>) {
    let start = out.len();
    put16(out, 0);
    let kind = match desc.kind {
        GroupKind::All => 0,
        GroupKind::Select => 1,
        GroupKind::Indirect => 2,
        GroupKind::FastFailover => 3,
    };
    out.extend_from_slice(&[kind, 0]);
    put32(out, desc.group.0);
    if matches!(version, Version::Of10 | Version::Of15) {
        let len_at = out.len();
        put_zeros(out, 8);
        let buckets = out.len();
        for bucket in &desc.buckets {
            bucket_15(version, desc.kind, bucket, out);
        }
        patch_len(out, len_at, buckets);
        selection(version, &desc.selection, out);
    } else {
        for bucket in &desc.buckets {
            bucket_11(version, bucket, out);
        }
    }
    patch_len(out, start, start);
}

fn bucket_11(version: Version, bucket: &Bucket, out: &mut Vec<u8>) {
    let start = out.len();
    put16(out, 0);
    put16(out, bucket.weight);
    put32(out, bucket.watch_port.0);
    put32(
        out,
        bucket.watch_group.map_or(PortNo::ANY.0, |group| group.0),
    );
    put_zeros(out, 4);
    actions(version, &bucket.actions, false, out);
    patch_len(out, start, start);
}

fn bucket_15(version: Version, kind: GroupKind, bucket: &Bucket, out: &mut Vec<u8>) {
    let start = out.len();
    put_zeros(out, 4);
    put32(out, bucket.id);
    let list = out.len();
    actions(version, &bucket.actions, false, out);
    patch_len(out, start + 2, list);
    if kind == GroupKind::Select {
        property(0, u32::from(bucket.weight) << 16, out);
    }
    if bucket.watch_port != PortNo::ANY {
        property(1, bucket.watch_port.0, out);
    }
    if let Some(group) = bucket.watch_group {
        property(2, group.0, out);
    }
    patch_len(out, start, start);
}

/// A bucket property of 8 bytes.
fn property(kind: u16, value: u32, out: &mut Vec<u8>) {
    put16(out, kind);
    put16(out, 8);
    put32(out, value);
}

/// Netronome's selection_method property, if a method is chosen.
fn selection(version: Version, selection: &Selection, out: &mut Vec<u8>) {
    if selection.method.is_empty() {
        return;
    }
    let start = out.len();
    put16(out, 0xffff);
    put16(out, 0);
    put32(out, 0x0000_154d);
    put32(out, 1);
    put_zeros(out, 4);
    super::put_name(out, &selection.method, 16);
    put64(out, selection.parameter);
    super::matching::field_set(version, &selection.fields, out);
    patch_len(out, start + 2, start);
    pad8(out, start);
}

/// Appends the body of a group features reply.
pub fn group_features(version: Version, features: &GroupFeatures, out: &mut Vec<u8>) {
    const ALL_KINDS: u32 = 0xf;
    const WEIGHT_LIVENESS_CHAINING: u32 = 0x7;
    /// Output to enqueue, all twelve.
    const ACTIONS_OF10: u32 = 0xfff;
    put32(out, ALL_KINDS);
    put32(out, WEIGHT_LIVENESS_CHAINING);
    for _ in 0..4 {
        put32(out, features.max_groups);
    }
    let actions = match version {
        Version::Of10 => ACTIONS_OF10,
        _ => super::table::ACTION_BITS,
    };
    for _ in 0..4 {
        put32(out, actions);
    }
}
