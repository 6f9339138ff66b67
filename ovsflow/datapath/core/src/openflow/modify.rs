//! Messages that change the tables, decoded: one form for all versions.

use crate::flow::FlowKey;
use crate::flow::FlowMask;
use crate::flow::field::FieldId;
use crate::openflow::action::{Action, GroupId, Instructions, MeterId, TableId};
use crate::packet::PortNo;

/// What a rule looks for: a packet matches when it agrees with `value` in every bit of `mask`.
/// `value` has no bit outside `mask`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Match {
    pub value: FlowKey,
    pub mask: FlowMask,
}

/// OFPFC_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowModCommand {
    Add,
    Modify,
    ModifyStrict,
    Delete,
    DeleteStrict,
}

/// OFPFF_* as one set for all versions, in the bits of OpenFlow 1.3.
pub mod flow_flags {
    /// Send FLOW_REMOVED.
    pub const SEND_FLOW_REM: u16 = 1;
    /// Refuse when another rule of the same priority overlaps.
    pub const CHECK_OVERLAP: u16 = 2;
    /// Set counters to zero.
    pub const RESET_COUNTS: u16 = 4;
    /// Do not count packets.
    pub const NO_PKT_COUNTS: u16 = 8;
    /// Do not count bytes.
    pub const NO_BYT_COUNTS: u16 = 16;
    /// Every flag there is.
    pub const ALL: u16 =
        SEND_FLOW_REM | CHECK_OVERLAP | RESET_COUNTS | NO_PKT_COUNTS | NO_BYT_COUNTS;
}

/// A FLOW_MOD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowMod {
    pub command: FlowModCommand,
    /// 0xff means all tables (modify and delete).
    pub table: TableId,
    pub priority: u16,
    pub matching: Match,
    pub cookie: u64,
    /// Bits of `cookie` that select rules, for modify and delete.
    pub cookie_mask: u64,
    /// The cookie that a modify writes, where the version's modify does (1.0 and NXM).
    pub new_cookie: Option<u64>,
    /// MODIFY with nothing to modify adds the rule (1.0).
    pub modify_adds: bool,
    pub idle_timeout: u16,
    pub hard_timeout: u16,
    pub importance: u16,
    pub flags: u16,
    /// Deletes only rules that output here; ANY for no restriction.
    pub out_port: PortNo,
    /// Deletes only rules that use this group; `None` for no restriction.
    pub out_group: Option<GroupId>,
    /// OFP_NO_BUFFER or a buffer to release, which this switch never hands out.
    pub buffer_id: u32,
    pub instructions: Instructions,
}

impl FlowMod {
    /// A FLOW_MOD that adds a rule: no timeouts, no flags, cookie 0.
    #[must_use]
    pub fn add(table: TableId, priority: u16, matching: Match, instructions: Instructions) -> Self {
        Self {
            command: FlowModCommand::Add,
            table,
            priority,
            matching,
            cookie: 0,
            cookie_mask: 0,
            new_cookie: None,
            modify_adds: false,
            idle_timeout: 0,
            hard_timeout: 0,
            importance: 0,
            flags: 0,
            out_port: PortNo::ANY,
            out_group: None,
            buffer_id: u32::MAX,
            instructions,
        }
    }
}

/// OFPGC_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupModCommand {
    Add,
    Modify,
    AddOrModify,
    Delete,
    InsertBucket,
    RemoveBucket,
}

/// OFPGT_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupKind {
    All,
    Select,
    Indirect,
    FastFailover,
}

impl GroupKind {
    /// The name in the flow language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Select => "select",
            Self::Indirect => "indirect",
            Self::FastFailover => "fast_failover",
        }
    }
}

/// One bucket of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// OpenFlow 1.5's bucket id; numbered by position where a version has none.
    pub id: u32,
    pub weight: u16,
    pub watch_port: PortNo,
    pub watch_group: Option<GroupId>,
    pub actions: Box<[Action]>,
}

/// How a select group picks: Netronome's selection_method property.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// "hash", "dp_hash" or empty for the default.
    pub method: String,
    pub parameter: u64,
    /// Fields that the hash reads, by their names in the message, and the bits of each that it reads.
    pub fields: Vec<(FieldId, u128)>,
}

/// A GROUP_MOD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMod {
    pub command: GroupModCommand,
    pub kind: GroupKind,
    pub group: GroupId,
    /// Position for insert and removal: OFPG_BUCKET_FIRST, _LAST, _ALL or an id.
    pub command_bucket: u32,
    pub buckets: Vec<Bucket>,
    pub selection: Selection,
}

/// OFPMC_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeterModCommand {
    Add,
    Modify,
    Delete,
}

/// One band of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterBand {
    /// Kilobits or packets a second.
    pub rate: u32,
    /// Kilobits or packets; 0 for the default.
    pub burst: u32,
    pub kind: MeterBandKind,
}

/// OFPMBT_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterBandKind {
    Drop,
    DscpRemark { precedence: u8 },
}

/// A METER_MOD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterMod {
    pub command: MeterModCommand,
    /// OFPMF_*: 1 kbps, 2 pktps, 4 burst, 8 stats.
    pub flags: u16,
    pub meter: MeterId,
    pub bands: Vec<MeterBand>,
}

/// A PACKET_OUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketOut {
    pub buffer_id: u32,
    pub in_port: PortNo,
    /// Pipeline fields to start with (OpenFlow 1.5); empty in other versions.
    pub metadata: Match,
    pub actions: Box<[Action]>,
    pub data: Vec<u8>,
}

/// An NXT_RESUME: a paused packet goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The pipeline's fields; those that are not told are 0.
    pub metadata: Match,
    /// What the packet-in carried.
    pub continuation: Vec<u8>,
    pub data: Vec<u8>,
}

/// A TABLE_MOD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableMod {
    /// 0xff means all tables.
    pub table: TableId,
    /// OFPTC_*: 4 eviction, 8 vacancy events; older bits mean nothing any more.
    pub config: u32,
    /// OFPTMPEF_* of the eviction property (OpenFlow 1.4).
    pub eviction: Option<u32>,
    /// Vacancy down and up, in per cent (OpenFlow 1.4).
    pub vacancy: Option<(u8, u8)>,
}
