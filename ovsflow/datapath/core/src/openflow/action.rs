//! OpenFlow actions and instructions as the tables keep them: one model for all versions.
//!
//! Each variant says what happens, not how a version spells it.  Where a version has two
//! spellings of one thing (mod_nw_src and set_field of ip_src), decoding picks the general
//! one and encoding the one that the version's users expect.

pub use crate::flow::FieldId;
use crate::packet::PortNo;

/// Identifier of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// Identifier of a meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterId(pub u32);

impl MeterId {
    /// OFPM_CONTROLLER: limits all that goes to controllers, and no flow can name it.
    pub const CONTROLLER: Self = Self(0xffff_fffe);
    /// OFPM_SLOWPATH: limits the packets that no cached translation serves; no flow can name it.
    pub const SLOWPATH: Self = Self(0xffff_fffd);

    /// Whether the switch itself runs packets past this meter, and no flow does.
    pub const fn is_virtual(self) -> bool {
        self.0 == Self::CONTROLLER.0 || self.0 == Self::SLOWPATH.0
    }
}

/// Number of a flow table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u8);

/// Some adjacent bits of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subfield {
    /// The field.
    pub field: FieldId,
    /// Lowest bit, 0 is the least significant.
    pub start: u8,
    /// Number of bits.
    pub len: u8,
}

/// A field and the bits to write into it.  `value` has no bit outside `mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldValue {
    /// The field.
    pub field: FieldId,
    /// Bits to write, right-aligned.
    pub value: u128,
    /// Which bits to write; all ones of the field's width for a whole field.
    pub mask: u128,
}

/// What one action does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Sends a copy now.  `max_len` only matters for CONTROLLER.
    Output { port: PortNo, max_len: u16 },
    /// Sends a copy to the port whose number is in a field.
    OutputField { source: Subfield, max_len: u16 },
    /// Sends a copy cut to `max_len` bytes.
    OutputTruncated { port: PortNo, max_len: u32 },
    /// Packet-in with Nicira's options.
    Controller(Box<ControllerAction>),
    /// OpenFlow 1.0: output through a queue.
    Enqueue { port: PortNo, queue: u32 },
    /// Queue for the outputs that follow.
    SetQueue(u32),
    /// Back to the default queue.
    PopQueue,
    /// Runs a group.
    Group(GroupId),
    /// Runs a meter (the action of OpenFlow 1.5).
    Meter(MeterId),
    /// Writes a field, whole or masked.
    SetField(FieldValue),
    /// Writes bits of a field, in Nicira's reg_load form.
    Load { target: Subfield, value: u64 },
    /// Copies bits from one field to another of the same width.
    Move { source: Subfield, target: Subfield },
    /// OpenFlow 1.0: sets the VLAN id, adding a tag when there is none.
    SetVlanVid(u16),
    /// OpenFlow 1.0: sets the VLAN priority, adding a tag when there is none.
    SetVlanPcp(u8),
    /// Pushes a VLAN tag with this TPID.
    PushVlan(u16),
    /// Drops the outer VLAN tag.
    PopVlan,
    /// Pushes an MPLS label stack entry with this EtherType.
    PushMpls(u16),
    /// Drops the outer label stack entry; the payload then has this EtherType.
    PopMpls(u16),
    /// Pushes a PBB service tag with this EtherType.
    PushPbb(u16),
    /// Drops the PBB service tag.
    PopPbb,
    /// Sets the TTL of the outer label stack entry.
    SetMplsTtl(u8),
    /// Decrements the TTL of the outer label stack entry.
    DecMplsTtl,
    /// Sets the IP TTL or hop limit.
    SetNwTtl(u8),
    /// Decrements the IP TTL; an expired packet goes to these controller ids (empty: id 0).
    DecNwTtl { controllers: Box<[u16]> },
    /// Copies the TTL of the next header to the outermost.
    CopyTtlOut,
    /// Copies the TTL of the outermost header to the next.
    CopyTtlIn,
    /// Looks the packet up again, as if from `in_port`, in `table` (None: the current one).
    Resubmit {
        in_port: Option<PortNo>,
        table: Option<TableId>,
    },
    /// Stops all but the action set.
    Exit,
    /// Runs a list and restores packet and metadata.
    Clone(Box<[Self]>),
    /// Pushes bits on the stack.
    StackPush(Subfield),
    /// Pops bits off the stack.
    StackPop(Subfield),
    /// Adds or changes a flow from this packet.
    Learn(Box<Learn>),
    /// One clause of a conjunctive match.
    Conjunction { id: u32, clause: u8, clauses: u8 },
    /// Shortens this rule's timeouts when a TCP FIN or RST passes.
    FinTimeout { idle: u16, hard: u16 },
    /// One bit: is the packet longer than `len`?
    CheckPacketLarger { len: u16, target: Subfield },
    /// Picks one of `links` by hash and writes its number.
    Multipath(Box<Multipath>),
    /// Picks a live port by hash; outputs to it, or writes its number.
    Bundle(Box<Bundle>),
    /// Annotation without effect.
    Note(Box<[u8]>),
    /// Accepted, kept and told, without effect here: sampling for IPFIX, in its wire form.
    Sample(Box<[u8]>),
}

/// Options of Nicira's controller actions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ControllerAction {
    /// Bytes of the packet wanted; 0xffff for all.
    pub max_len: u16,
    /// Connections with this controller id.
    pub controller: u16,
    /// OFPR_* reason to tell.
    pub reason: u8,
    /// Echoed in the packet-in; `None` differs from empty only on the wire.
    pub userdata: Box<[u8]>,
    /// Freezes the pipeline until NXT_RESUME.
    pub pause: bool,
    /// Meter to rate-limit with.
    pub meter: Option<MeterId>,
}

/// The learn action.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Learn {
    pub idle_timeout: u16,
    pub hard_timeout: u16,
    pub priority: u16,
    pub cookie: u64,
    pub table: TableId,
    /// Bit 0 send_flow_rem, bit 1 delete_learned, bit 2 write_result.
    pub flags: u16,
    pub fin_idle_timeout: u16,
    pub fin_hard_timeout: u16,
    /// Most flows to learn, 0 for no limit.
    pub limit: u32,
    /// Where to write whether the flow was learned.
    pub result: Option<Subfield>,
    pub specs: Box<[LearnSpec]>,
}

/// One part of a learned flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LearnSpec {
    pub source: LearnSource,
    pub target: LearnTarget,
}

/// Where a learned value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LearnSource {
    Field(Subfield),
    Immediate { value: u128, bits: u16 },
}

/// What a learned value is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LearnTarget {
    Match(Subfield),
    Load(Subfield),
    Output,
}

/// Nicira's multipath action.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Multipath {
    pub fields: u16,
    pub basis: u16,
    pub algorithm: u16,
    pub max_link: u16,
    pub argument: u32,
    pub target: Subfield,
}

/// Nicira's bundle and bundle_load actions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bundle {
    pub fields: u16,
    pub basis: u16,
    pub algorithm: u16,
    pub members: Box<[PortNo]>,
    /// `None`: output; else write the port number there.
    pub target: Option<Subfield>,
}

/// What a flow does with its packets, in the fixed order of execution.
///
/// Source: OpenFlow 1.3.5 §5.9.  Each instruction stands at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Instructions {
    /// The meter instruction of OpenFlow 1.3 and 1.4.
    pub meter: Option<MeterId>,
    /// Apply-actions.
    pub apply: Box<[Action]>,
    /// Clear-actions.
    pub clear: bool,
    /// Write-actions, in the order given.
    pub write: Box<[Action]>,
    /// Write-metadata: value, as it was sent, and mask.
    pub metadata: Option<(u64, u64)>,
    /// Goto-table.
    pub goto: Option<TableId>,
    /// The stat-trigger instruction of OpenFlow 1.5, in its wire form.
    pub stat_trigger: Option<Box<[u8]>>,
}
