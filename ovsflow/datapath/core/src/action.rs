//! Datapath actions: the flat, decided list that a translation leaves and `execute` carries out.
//!
//! A list is run from first to last on one packet.  Nothing here refers to an OpenFlow table;
//! what still depends on the single packet (its TTL, its length, a meter, a hash) is an action
//! that looks at it, so that it never narrows what a cached list applies to.

use std::sync::Arc;

use crate::openflow::action::{GroupId, MeterId, TableId};
use crate::packet::{PortNo, Tunnel, TunnelOut};

pub use crate::packet::arp::Change as SetArp;
pub use crate::packet::icmp::NeighbourChange as SetNd;
pub use crate::packet::ipv4::Change as SetIpv4;
pub use crate::packet::ipv6::Change as SetIpv6;

/// One datapath action.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpAction {
    /// Sends a copy (the packet itself, if it is the last action that needs it).
    Output(PortNo),
    /// Sends a copy through a tunnel port, with this metadata.
    OutputTunnel { port: PortNo, tunnel: TunnelOut },
    /// Sends a copy cut to a number of bytes, through a tunnel if there is metadata for one.
    OutputTruncated {
        port: PortNo,
        max_len: u32,
        tunnel: Option<Arc<Tunnel>>,
    },
    /// Hands a copy to the control plane.
    Controller(Arc<ControllerOut>),
    /// Counts a copy that is lost, and goes on.
    Lost(crate::error::DropReason),
    /// Counts a lost packet and ends the list.
    Drop(crate::error::DropReason),
    /// Writes header bits.
    Set(SetHeader),
    /// Pushes a VLAN tag.
    PushVlan { tpid: u16, tci: u16 },
    /// Drops the outer VLAN tag.  `fills` as for all that shorten a frame: one that is then too short
    /// to be legal is filled up.
    PopVlan { fills: bool },
    /// Pushes a label stack entry (host order), making `ethertype` the frame's.
    PushMpls { ethertype: u16, lse: u32 },
    /// Drops the outer label stack entry, making `ethertype` the frame's.
    PopMpls { ethertype: u16, fills: bool },
    /// Pushes a PBB I-TAG and a copy of the addresses.
    PushPbb { ethertype: u16, itag: u32 },
    /// Drops the PBB I-TAG and its outer addresses.
    PopPbb { fills: bool },
    /// Decrements the IP TTL; if it is 0 or 1 hands the packet to `expired`, then goes on at
    /// index `skip_to` of this list (its length to end it).
    DecTtl {
        skip_to: u16,
        expired: Option<Arc<ControllerOut>>,
    },
    /// Same for the TTL of the outer label stack entry.
    DecMplsTtl {
        skip_to: u16,
        expired: Option<Arc<ControllerOut>>,
    },
    /// Copies the TTL of the next header to the outermost.
    CopyTtlOut,
    /// Copies the TTL of the outermost header to the next.
    CopyTtlIn,
    /// Runs one packet past a meter; a packet over the rate ends the list.
    Meter(MeterId),
    /// Runs a list on a copy.
    Clone(Arc<[Self]>),
    /// Picks one list by a hash of the packet.
    Select(Arc<SelectOut>),
    /// Counts a packet for a bucket that its hash picked.
    CountBucket { group: GroupId, bucket: u16 },
    /// Runs one of two lists by the packet's length.
    IfLarger {
        len: u16,
        larger: Arc<[Self]>,
        otherwise: Arc<[Self]>,
    },
    /// Queue for the outputs that follow; 0 is the default queue.
    SetQueue(u32),
    /// Reads the packet's headers again and walks the tables from a frozen state.
    Recirculate(u32),
}

/// Header bits to write, as words of a flow key: only header fields, never pipeline metadata.
///
/// `groups` says which headers are concerned so that execution touches no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetHeader {
    /// Ethernet addresses; a set mask bit means write.
    Ethernet {
        dst: u64,
        dst_mask: u64,
        src: u64,
        src_mask: u64,
    },
    /// EtherType of the frame (behind VLAN tags).
    EtherType(u16),
    /// Outer VLAN TCI without the present bit.
    Vlan { tci: u16, mask: u16 },
    /// Outer MPLS label stack entry.
    Mpls { lse: u32, mask: u32 },
    /// PBB I-TAG.
    Pbb { itag: u32, mask: u32 },
    /// IPv4 header.
    Ipv4(SetIpv4),
    /// IPv6 header.
    Ipv6(Box<SetIpv6>),
    /// TCP, UDP or SCTP ports.
    Transport {
        src: u16,
        src_mask: u16,
        dst: u16,
        dst_mask: u16,
    },
    /// ICMP or ICMPv6 type and code.
    Icmp { kind: Option<u8>, code: Option<u8> },
    /// ARP.
    Arp(Box<SetArp>),
    /// IPv6 neighbour discovery.
    NeighbourDiscovery(Box<SetNd>),
}

/// Why a packet goes to the control plane: OFPR_* of OpenFlow 1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketInReason {
    /// OFPR_TABLE_MISS.
    TableMiss = 0,
    /// OFPR_APPLY_ACTION.
    ApplyAction = 1,
    /// OFPR_INVALID_TTL.
    InvalidTtl = 2,
    /// OFPR_ACTION_SET.
    ActionSet = 3,
    /// OFPR_GROUP.
    Group = 4,
    /// OFPR_PACKET_OUT.
    PacketOut = 5,
}

impl PacketInReason {
    /// The reason of a number; OFPR_APPLY_ACTION for one that there is not.
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::TableMiss,
            2 => Self::InvalidTtl,
            3 => Self::ActionSet,
            4 => Self::Group,
            5 => Self::PacketOut,
            _ => Self::ApplyAction,
        }
    }
}

/// A packet-in to be: all that does not depend on the packet's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerOut {
    pub reason: PacketInReason,
    /// Whether the packet goes there because no flow matched it: an action may give that reason
    /// for a packet too.
    pub is_miss: bool,
    pub table: TableId,
    pub cookie: u64,
    /// Bytes of the packet wanted; 0xffff for all.
    pub max_len: u16,
    /// Connections with this controller id.
    pub controller: u16,
    /// Pipeline metadata at this point (in_port, tunnel, metadata, registers): bits outside of
    /// `written` are 0 here and the packet's own.
    pub metadata: Box<crate::flow::FlowKey>,
    /// Bits of `metadata` that the walk decided.
    pub written: Box<crate::flow::FlowMask>,
    pub userdata: Box<[u8]>,
    pub meter: Option<MeterId>,
    /// What a pausing controller action leaves to be done, in its wire form.
    pub continuation: Option<Box<[u8]>>,
}

/// Lists to pick from by hash, with the slots that their weights earned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectOut {
    pub group: GroupId,
    /// Which packet fields the hash reads, as a mask over the key's packet words.
    pub fields: Box<crate::flow::FlowMask>,
    pub basis: u32,
    /// For each hash slot (a power of two of them) the index of a bucket.
    pub slots: Box<[u16]>,
    pub buckets: Box<[Arc<[DpAction]>]>,
}
