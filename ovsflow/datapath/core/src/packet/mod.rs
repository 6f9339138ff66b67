//! Bytes and headers: a packet with room in front, what its device said about it,
//! and one file for each protocol's header.
//!
//! Promise of this layer: no function here panics on any content of a packet.

mod buffer;
mod offload;
#[cfg(test)]
pub(crate) mod sample;
mod tunnel;
mod tunnel_config;

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod gso;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod layers;
pub mod mpls;
pub mod number;
pub mod sctp;
pub mod tcp;
pub mod transport;
pub mod udp;
pub mod vxlan;

pub use buffer::{BLOCK, HEADROOM, LARGE_FRAME, Packet, Pool, SMALL_FRAME};
pub use layers::Layers;
pub use offload::{Checksum, Gso, GsoKind, Offload};
pub use tunnel::{Tunnel, TunnelAddress, TunnelOut, TunnelV4};
pub use tunnel_config::{
    DEFAULT_TTL, Inherit, Key, Local, Remote, TunnelConfig, VNI_MAX, VXLAN_PORT,
};

/// Packets on their way through one worker.
///
/// Boxed: a batch is sorted, split and queued by moving pointers.
#[allow(clippy::vec_box, reason = "moving a packet must not move its fields")]
pub type Batch = Vec<Box<Packet>>;

/// IP protocol number of ICMP.
pub const PROTO_ICMP: u8 = 1;
/// IP protocol number of TCP.
pub const PROTO_TCP: u8 = 6;
/// IP protocol number of UDP.
pub const PROTO_UDP: u8 = 17;
/// IP protocol number of ICMPv6.
pub const PROTO_ICMPV6: u8 = 58;
/// IP protocol number of SCTP.
pub const PROTO_SCTP: u8 = 132;

/// An OpenFlow port number in the 32-bit space of OpenFlow 1.1+.
///
/// OpenFlow 1.0's 16-bit reserved numbers (0xfff8..) are mapped to 0xfffffff8.. at the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortNo(pub u32);

impl PortNo {
    /// Ports at and above this number are reserved.  Same bound as Open vSwitch's 16-bit space.
    pub const MAX: Self = Self(0xff00);
    /// OFPP_UNSET of OpenFlow 1.5.
    pub const UNSET: Self = Self(0xffff_fff7);
    /// Send back out of the ingress port.
    pub const IN_PORT: Self = Self(0xffff_fff8);
    /// Submit to the flow tables (packet-out only, by the specification).
    pub const TABLE: Self = Self(0xffff_fff9);
    /// Forward as a learning switch would.
    pub const NORMAL: Self = Self(0xffff_fffa);
    /// Every port but the ingress and those with NO_FLOOD.
    pub const FLOOD: Self = Self(0xffff_fffb);
    /// Every port but the ingress.
    pub const ALL: Self = Self(0xffff_fffc);
    /// A packet-in message.
    pub const CONTROLLER: Self = Self(0xffff_fffd);
    /// The switch's own network device.
    pub const LOCAL: Self = Self(0xffff_fffe);
    /// Wildcard in requests; no port.
    pub const ANY: Self = Self(0xffff_ffff);
}
