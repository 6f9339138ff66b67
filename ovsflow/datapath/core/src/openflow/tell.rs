//! What the tables tell: the content of replies and notices, before a version spells it.
//!
//! Counters that are not kept are `None` and go out as all ones, as the specification wants.

use std::time::Duration;

use super::action::{GroupId, Instructions, MeterId, TableId};
use super::modify::{Bucket, GroupKind, Match, MeterBand, Selection};
use crate::flow::FlowKey;
use crate::packet::PortNo;

/// One flow, for flow stats, flow descriptions and flow monitors.
#[derive(Clone, Copy, Debug)]
pub struct FlowStats<'a> {
    pub table: TableId,
    pub priority: u16,
    pub matching: &'a Match,
    pub instructions: &'a Instructions,
    pub cookie: u64,
    /// Time since the flow was added.
    pub duration: Duration,
    /// Time since it was last used (since it was added, if never).
    pub idle: Duration,
    /// Time since it was added or last modified.
    pub unmodified: Duration,
    pub idle_timeout: u16,
    pub hard_timeout: u16,
    pub importance: u16,
    /// [`flow_flags`](super::modify::flow_flags).
    pub flags: u16,
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
}

/// The sum over some flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AggregateStats {
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    pub flows: u32,
}

/// Why a flow was removed: OFPRR_* of OpenFlow 1.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FlowRemovedReason {
    IdleTimeout = 0,
    HardTimeout = 1,
    Delete = 2,
    GroupDelete = 3,
    MeterDelete = 4,
    Eviction = 5,
}

/// A flow that is gone, with its final counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRemoved {
    pub reason: FlowRemovedReason,
    pub table: TableId,
    pub priority: u16,
    pub matching: Match,
    pub cookie: u64,
    pub duration: Duration,
    /// Time since it was last used.
    pub idle: Duration,
    pub idle_timeout: u16,
    pub hard_timeout: u16,
    pub importance: u16,
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
}

/// What happened to a flow: NXFME_* and OFPFME_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum FlowEvent {
    /// In the first reply to a monitor.
    Initial = 0,
    Added = 1,
    Removed = 2,
    Modified = 3,
}

/// Numbers of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    pub table: TableId,
    /// Most flows it holds.
    pub max_entries: u32,
    pub active: u32,
    pub lookups: u64,
    pub matched: u64,
}

/// What one table can do; all tables can do the same, so only numbers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFeatures {
    pub table: TableId,
    pub max_entries: u32,
    /// Tables that goto may name are those from here to `last_table`.
    pub last_table: TableId,
}

/// Settings of one table: OFPMP_TABLE_DESC of OpenFlow 1.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableDesc {
    pub table: TableId,
    /// OFPTC_*: 4 eviction, 8 vacancy events.
    pub config: u32,
    /// OFPTMPEF_* of the eviction property.
    pub eviction: u32,
    /// Vacancy thresholds in per cent: down, up, and the vacancy now.
    pub vacancy: Option<(u8, u8, u8)>,
}

/// Numbers of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupStats {
    pub group: GroupId,
    /// Flows and groups that name it.
    pub ref_count: u32,
    pub packets: u64,
    pub bytes: u64,
    pub duration: Duration,
    /// Packets and bytes of each bucket.
    pub buckets: Vec<(u64, u64)>,
}

/// One group as it was defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDesc {
    pub group: GroupId,
    pub kind: GroupKind,
    pub buckets: Vec<Bucket>,
    pub selection: Selection,
}

/// Numbers of one meter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeterStats {
    pub meter: MeterId,
    pub flow_count: u32,
    pub packets: u64,
    pub bytes: u64,
    pub duration: Duration,
    /// Packets and bytes of each band.
    pub bands: Vec<(u64, u64)>,
}

/// One meter as it was defined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeterConfig {
    pub meter: MeterId,
    /// OFPMF_*.
    pub flags: u16,
    pub bands: Vec<MeterBand>,
}

/// What meters can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterFeatures {
    pub max_meter: u32,
    /// One bit for each OFPMBT_*.
    pub band_types: u32,
    /// OFPMF_* that are understood.
    pub capabilities: u32,
    pub max_bands: u8,
    pub max_color: u8,
    /// OFPMFF_* of OpenFlow 1.5; `None` for the form without them.
    pub flags: Option<u32>,
}

/// What groups can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupFeatures {
    /// Most groups of each kind.
    pub max_groups: u32,
}

/// A packet for a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketIn<'a> {
    /// OFPR_* of OpenFlow 1.4.
    pub reason: u8,
    pub table: TableId,
    pub cookie: u64,
    /// Pipeline fields: in_port, tunnel, metadata, registers.  Fields that are 0 are not told.
    pub metadata: &'a FlowKey,
    /// As many bytes as the controller shall have.
    pub data: &'a [u8],
    /// Length of the whole packet.
    pub total_len: usize,
    /// What the controller action had to say.
    pub userdata: &'a [u8],
    /// A frozen pipeline, in its wire form.
    pub continuation: Option<&'a [u8]>,
}

/// The shape of a packet-in message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketInFormat {
    /// OFPT_PACKET_IN of the session's version.
    #[default]
    Standard,
    /// NXT_PACKET_IN.
    Nicira,
    /// NXT_PACKET_IN2.
    Nicira2,
}

/// Which flows a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowFilter {
    /// 0xff means all tables.
    pub table: TableId,
    /// Only flows that output here; ANY for no restriction.
    pub out_port: PortNo,
    /// Only flows that use this group; `None` for no restriction.
    pub out_group: Option<GroupId>,
    pub cookie: u64,
    pub cookie_mask: u64,
    /// Only flows whose match is equal or more specific.
    pub matching: Match,
}
