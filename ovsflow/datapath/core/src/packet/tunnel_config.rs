//! A tunnel port's configuration: which properties are fixed and which the flow decides.
//!
//! Owns the rule by which configuration overrides what a flow has set.  Its text form belongs to
//! the ports; which port a received packet belongs to, to the tunnel's own port.

use super::{Tunnel, TunnelAddress};

/// The UDP port of VXLAN.  Source: RFC 7348 §5.
pub const VXLAN_PORT: u16 = 4789;

/// Largest VXLAN network identifier.
pub const VNI_MAX: u64 = 0xff_ffff;

/// TTL of the outer header when nothing else is said.
pub const DEFAULT_TTL: u8 = 64;

/// Where packets are sent, and from whom they are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remote {
    /// The flow's tun_dst; anybody.
    Flow,
    /// One end point.
    Fixed(TunnelAddress),
}

/// The outer address on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Local {
    /// The host picks the source, whatever the flow says; any destination is accepted.
    Any,
    /// The flow's tun_src; any destination is accepted.
    Flow,
    /// One address.
    Fixed(TunnelAddress),
}

/// A virtual network identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The flow's tun_id; any identifier.
    Flow,
    /// One identifier, 24 bits.
    Fixed(u32),
}

/// A number, or the inner packet's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inherit {
    /// Always this one.
    Fixed(u8),
    /// The inner packet's when it is IP.
    Inner,
}

/// One tunnel port's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelConfig {
    pub remote: Remote,
    pub local: Local,
    /// Identifiers accepted.
    pub in_key: Key,
    /// Identifier sent.
    pub out_key: Key,
    /// UDP port listened on and sent to.
    pub dst_port: u16,
    /// DSCP of the outer header (upper six bits); ECN follows its own rule.
    pub tos: Inherit,
    pub ttl: Inherit,
    /// DF bit of an outer IPv4 header.
    pub df: bool,
    /// Outer UDP checksum; `None` leaves it off over IPv4 and on over IPv6.
    pub csum: Option<bool>,
    /// Group based policy extension.
    pub gbp: bool,
}

impl Default for TunnelConfig {
    fn default() -> Self {
        Self {
            remote: Remote::Flow,
            local: Local::Flow,
            in_key: Key::Flow,
            out_key: Key::Flow,
            dst_port: VXLAN_PORT,
            tos: Inherit::Fixed(0),
            ttl: Inherit::Fixed(DEFAULT_TTL),
            df: true,
            csum: None,
            gbp: false,
        }
    }
}

impl TunnelConfig {
    /// The metadata to send with, given what the flow has set: configuration overrides it.
    ///
    /// `dst` stays unset when the flow names no destination.  Identifiers are cut to 24 bits.
    /// `tos` and `ttl` come out as 0: they depend on the packet and are worked out when it is sent.
    /// A second call changes nothing.
    pub fn outgoing(&self, flow: &Tunnel) -> Tunnel {
        Tunnel {
            id: match self.out_key {
                Key::Flow => flow.id & VNI_MAX,
                Key::Fixed(key) => u64::from(key),
            },
            src: match self.local {
                Local::Any => TunnelAddress::Unset,
                Local::Flow => flow.src,
                Local::Fixed(address) => address,
            },
            dst: match self.remote {
                Remote::Flow => flow.dst,
                Remote::Fixed(address) => address,
            },
            flags: flow.flags,
            gbp_id: if self.gbp { flow.gbp_id } else { 0 },
            gbp_flags: if self.gbp { flow.gbp_flags } else { 0 },
            tos: 0,
            ttl: 0,
        }
    }
}
