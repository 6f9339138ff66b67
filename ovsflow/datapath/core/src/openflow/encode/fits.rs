//! Whether what is to be kept can be told: one entry of a reply must fit into one message.
//!
//! Lengths differ by version: what OpenFlow 1.0 says in a full message would take two in 1.3.  So
//! what is too long for any version is refused when it comes, or it could never be told.

use super::multipart::MAX_ENTRY;
use super::{flow_description, flow_stats, group_desc, nicira_flow};
use crate::openflow::Version;
use crate::openflow::modify::FlowMod;
use crate::openflow::tell::{FlowStats, GroupDesc};
use std::time::Duration;

/// Bytes kept free for the match of a rule that a modify gives other instructions.
const MATCH_BYTES: usize = 1024;

/// Whether a rule as `request` makes it can be told in every version.
pub fn flow_fits(request: &FlowMod) -> bool {
    let flow = FlowStats {
        table: request.table,
        priority: request.priority,
        matching: &request.matching,
        instructions: &request.instructions,
        cookie: request.cookie,
        duration: Duration::ZERO,
        idle: Duration::ZERO,
        unmodified: Duration::ZERO,
        idle_timeout: request.idle_timeout,
        hard_timeout: request.hard_timeout,
        importance: request.importance,
        flags: request.flags,
        packets: Some(0),
        bytes: Some(0),
    };
    let forms: [fn(&FlowStats<'_>, &mut Vec<u8>); 5] = [
        |flow, out| flow_stats(Version::Of10, flow, out),
        |flow, out| flow_stats(Version::Of13, flow, out),
        |flow, out| flow_stats(Version::Of14, flow, out),
        flow_description,
        nicira_flow,
    ];
    let mut out = Vec::new();
    forms.iter().all(|form| {
        out.clear();
        form(&flow, &mut out);
        out.len() + MATCH_BYTES <= MAX_ENTRY
    })
}

/// Whether a group can be described in every version.
pub fn group_fits(desc: &GroupDesc) -> bool {
    let versions = [Version::Of10, Version::Of13, Version::Of15];
    let mut out = Vec::new();
    versions.iter().all(|&version| {
        out.clear();
        group_desc(version, desc, &mut out);
        out.len() <= MAX_ENTRY
    })
}
