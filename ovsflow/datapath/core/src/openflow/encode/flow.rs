//! Flows in replies: flow stats of each version, flow descriptions of 1.5, aggregates.
//!
//! Sources: OpenFlow 1.0.1 §5.3.5, 1.3.5 §7.3.5.2, 1.5.1 §7.3.5.2; Nicira's NXST_FLOW.

use super::matching::{match_10, match_tlvs, ofp_match};
use super::{instructions, put_counter, put_duration};
use crate::flow::field::VLAN_PRESENT;
use crate::flow::slot;
use crate::openflow::Version;
use crate::openflow::action::Instructions;
use crate::openflow::codec::{pad8, patch_len, put_zeros, put16, put32, put64};
use crate::openflow::tell::{AggregateStats, FlowStats};
use std::time::Duration;

/// Appends one entry of a flow stats reply; for OpenFlow 1.5 one of OFPMP_FLOW_STATS, which has
/// no instructions ([`flow_description`] has).
pub fn flow_stats(version: Version, flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    match version {
        Version::Of10 => entry(flow, out, stats_10),
        Version::Of13 => entry(flow, out, |flow, out| stats_13(Version::Of13, flow, out)),
        Version::Of14 => entry(flow, out, |flow, out| stats_13(Version::Of14, flow, out)),
        Version::Of15 => entry(flow, out, stats_15),
    }
}

/// Appends one entry of OFPMP_FLOW_DESC.
pub fn flow_description(flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    entry(flow, out, description_15);
}

/// Appends one entry of NXST_FLOW.
pub fn nicira_flow(flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    entry(flow, out, nicira);
}

/// Appends the body of an aggregate reply.
pub fn aggregate(version: Version, sum: &AggregateStats, out: &mut Vec<u8>) {
    if version == Version::Of15 {
        let mut fields = Vec::new();
        oxs(3, &sum.flows.to_be_bytes(), &mut fields);
        oxs_counters(sum.packets, sum.bytes, &mut fields);
        put_stats(&fields, out);
        return;
    }
    put_counter(out, sum.packets);
    put_counter(out, sum.bytes);
    put32(out, sum.flows);
    put_zeros(out, 4);
}

/// Whether the flow's packets are known to carry a tag.
fn has_vlan(flow: &FlowStats<'_>) -> bool {
    flow.matching.value.value(slot::VLAN_TCI) & VLAN_PRESENT != 0
}

/// Writes an entry and its length.  Other versions' words may be longer than those the flow came
/// in; should an entry outgrow its length field it is told without instructions.
fn entry(flow: &FlowStats<'_>, out: &mut Vec<u8>, write: impl Fn(&FlowStats<'_>, &mut Vec<u8>)) {
    let start = out.len();
    put16(out, 0);
    write(flow, out);
    if out.len() - start > MAX_ENTRY {
        out.truncate(start + 2);
        let instructions = Instructions::default();
        let bare = FlowStats {
            instructions: &instructions,
            ..*flow
        };
        write(&bare, out);
    }
    patch_len(out, start, start);
}

/// Longest entry that fits in a reply behind its headers.
const MAX_ENTRY: usize = 0xffff - 24;

fn stats_10(flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[flow.table.0, 0]);
    match_10(flow.matching, out);
    put_duration(out, flow.duration);
    put_timeouts(flow, out);
    put_zeros(out, 6);
    put64(out, flow.cookie);
    put_counter(out, flow.packets);
    put_counter(out, flow.bytes);
    instructions(Version::Of10, flow.instructions, has_vlan(flow), out);
}

fn put_timeouts(flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    put16(out, flow.priority);
    put16(out, flow.idle_timeout);
    put16(out, flow.hard_timeout);
}

fn nicira(flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[flow.table.0, 0]);
    put_duration(out, flow.duration);
    put_timeouts(flow, out);
    let match_len_at = out.len();
    put16(out, 0);
    put16(out, age(flow.idle));
    put16(out, age(flow.unmodified));
    put64(out, flow.cookie);
    put_counter(out, flow.packets);
    put_counter(out, flow.bytes);
    let start = out.len();
    match_tlvs(Version::Of10, flow.matching, out);
    patch_len(out, match_len_at, start);
    pad8(out, start);
    instructions(Version::Of10, flow.instructions, has_vlan(flow), out);
}

/// Seconds plus one, as NXST_FLOW has them; 0 would mean unknown.
fn age(duration: Duration) -> u16 {
    u16::try_from(duration.as_secs() + 1).unwrap_or(u16::MAX)
}

fn stats_13(version: Version, flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[flow.table.0, 0]);
    put_duration(out, flow.duration);
    put_timeouts(flow, out);
    put16(out, flow.flags);
    put16(
        out,
        if version == Version::Of13 {
            0
        } else {
            flow.importance
        },
    );
    put_zeros(out, 2);
    put64(out, flow.cookie);
    put_counter(out, flow.packets);
    put_counter(out, flow.bytes);
    ofp_match(version, flow.matching, out);
    instructions(version, flow.instructions, has_vlan(flow), out);
}

fn description_15(flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    put_zeros(out, 2);
    out.extend_from_slice(&[flow.table.0, 0]);
    put_timeouts(flow, out);
    put16(out, flow.flags);
    put16(out, flow.importance);
    put64(out, flow.cookie);
    ofp_match(Version::Of15, flow.matching, out);
    put_flow_stats(flow, out);
    instructions(Version::Of15, flow.instructions, has_vlan(flow), out);
}

fn stats_15(flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    const REQUESTED: u8 = 0;
    put_zeros(out, 2);
    out.extend_from_slice(&[flow.table.0, REQUESTED]);
    put16(out, flow.priority);
    ofp_match(Version::Of15, flow.matching, out);
    put_flow_stats(flow, out);
}

/// The ofp_stats of a flow.
fn put_flow_stats(flow: &FlowStats<'_>, out: &mut Vec<u8>) {
    let mut fields = Vec::with_capacity(48);
    oxs_times(flow.duration, flow.idle, &mut fields);
    oxs_counters(flow.packets, flow.bytes, &mut fields);
    put_stats(&fields, out);
}

/// OXS_OF_DURATION and OXS_OF_IDLE_TIME.
pub(super) fn oxs_times(duration: Duration, idle: Duration, fields: &mut Vec<u8>) {
    for (number, time) in [(0, duration), (1, idle)] {
        let mut value = Vec::with_capacity(8);
        put_duration(&mut value, time);
        oxs(number, &value, fields);
    }
}

/// OXS_OF_PACKET_COUNT and OXS_OF_BYTE_COUNT.
pub(super) fn oxs_counters(packets: Option<u64>, bytes: Option<u64>, fields: &mut Vec<u8>) {
    for (number, count) in [(4, packets), (5, bytes)] {
        if let Some(count) = count {
            oxs(number, &count.to_be_bytes(), fields);
        }
    }
}

/// One OXS TLV of class OFPXSC_OPENFLOW_BASIC.
fn oxs(number: u8, value: &[u8], out: &mut Vec<u8>) {
    put16(out, 0x8002);
    out.extend_from_slice(&[number << 1, value.len() as u8]);
    out.extend_from_slice(value);
}

/// An ofp_stats with its padding.
pub(super) fn put_stats(fields: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    put16(out, 0);
    put16(out, 4 + fields.len() as u16);
    out.extend_from_slice(fields);
    pad8(out, start);
}
