//! FLOW_REMOVED.  Sources: OpenFlow 1.0.1 §5.4.3, 1.3.5 §7.4.2, 1.5.1 §7.4.2; NXT_FLOW_REMOVED.

use super::flow::{oxs_counters, oxs_times, put_stats};
use super::matching::{match_10, match_tlvs, ofp_match};
use super::{begin_message, end_message, put_counter, put_duration};
use crate::openflow::Version;
use crate::openflow::codec::{pad8, patch_len, put_zeros, put16, put32, put64};
use crate::openflow::error::NICIRA;
use crate::openflow::tell::{FlowRemoved, FlowRemovedReason};

/// OFPT_FLOW_REMOVED, OFPT_EXPERIMENTER and NXT_FLOW_REMOVED.
const FLOW_REMOVED: u8 = 11;
const EXPERIMENTER: u8 = 4;
const NXT_FLOW_REMOVED: u32 = 14;

/// Appends the whole message.  `nicira` asks a session of OpenFlow 1.0 for NXT_FLOW_REMOVED.
pub fn flow_removed(
    version: Version,
    xid: u32,
    removed: &FlowRemoved,
    nicira: bool,
    out: &mut Vec<u8>,
) {
    let kind = if version == Version::Of10 && nicira {
        EXPERIMENTER
    } else {
        FLOW_REMOVED
    };
    let start = begin_message(version, kind, xid, out);
    match version {
        Version::Of10 if nicira => body_nicira(removed, out),
        Version::Of10 => body_10(removed, out),
        Version::Of13 | Version::Of14 => body_13(version, removed, out),
        Version::Of15 => body_15(removed, out),
    }
    end_message(out, start);
}

/// The reason's number; what a version does not know is a deletion.
fn reason(version: Version, removed: &FlowRemoved) -> u8 {
    let newest = match version {
        Version::Of10 => FlowRemovedReason::Delete,
        Version::Of13 => FlowRemovedReason::GroupDelete,
        _ => FlowRemovedReason::Eviction,
    };
    if removed.reason as u8 > newest as u8 {
        FlowRemovedReason::Delete as u8
    } else {
        removed.reason as u8
    }
}

fn body_10(removed: &FlowRemoved, out: &mut Vec<u8>) {
    match_10(&removed.matching, out);
    put64(out, removed.cookie);
    put16(out, removed.priority);
    out.extend_from_slice(&[reason(Version::Of10, removed), 0]);
    put_duration(out, removed.duration);
    put16(out, removed.idle_timeout);
    put_zeros(out, 2);
    put_counter(out, removed.packets);
    put_counter(out, removed.bytes);
}

fn body_nicira(removed: &FlowRemoved, out: &mut Vec<u8>) {
    put32(out, NICIRA);
    put32(out, NXT_FLOW_REMOVED);
    put64(out, removed.cookie);
    put16(out, removed.priority);
    out.extend_from_slice(&[
        reason(Version::Of10, removed),
        removed.table.0.wrapping_add(1),
    ]);
    put_duration(out, removed.duration);
    put16(out, removed.idle_timeout);
    let match_len_at = out.len();
    put16(out, 0);
    put_counter(out, removed.packets);
    put_counter(out, removed.bytes);
    let start = out.len();
    match_tlvs(Version::Of10, &removed.matching, out);
    patch_len(out, match_len_at, start);
    pad8(out, start);
}

fn body_13(version: Version, removed: &FlowRemoved, out: &mut Vec<u8>) {
    put64(out, removed.cookie);
    put16(out, removed.priority);
    out.extend_from_slice(&[reason(version, removed), removed.table.0]);
    put_duration(out, removed.duration);
    put16(out, removed.idle_timeout);
    put16(out, removed.hard_timeout);
    put_counter(out, removed.packets);
    put_counter(out, removed.bytes);
    ofp_match(version, &removed.matching, out);
}

fn body_15(removed: &FlowRemoved, out: &mut Vec<u8>) {
    out.extend_from_slice(&[removed.table.0, reason(Version::Of15, removed)]);
    put16(out, removed.priority);
    put16(out, removed.idle_timeout);
    put16(out, removed.hard_timeout);
    put64(out, removed.cookie);
    ofp_match(Version::Of15, &removed.matching, out);
    let mut fields = Vec::with_capacity(48);
    oxs_times(removed.duration, removed.idle, &mut fields);
    oxs_counters(removed.packets, removed.bytes, &mut fields);
    put_stats(&fields, out);
}
