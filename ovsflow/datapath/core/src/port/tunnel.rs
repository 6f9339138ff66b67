//! A tunnel port's configuration: which properties are fixed and which the flow decides.
//!
//! Owns the option language of tunnel ports and the rule by which configuration overrides
//! what a flow has set.  Which port a received packet belongs to is decided in `vxlan/demux`.

use std::net::IpAddr;

use super::OpenError;
use super::options::{Options, parse_number};
use crate::packet::{Tunnel, TunnelAddress};

/// The UDP port of VXLAN.  Source: RFC 7348 §5.
pub const VXLAN_PORT: u16 = 4789;

/// Largest VXLAN network identifier.
const VNI_MAX: u64 = 0xff_ffff;

/// TTL of the outer header when nothing else is said.
pub(super) const DEFAULT_TTL: u8 = 64;

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
    /// `tos` and `ttl` come out as 0, the port's default, which depends on the packet and is
    /// worked out when it is sent.  A second call changes nothing.
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

    /// Reads the options of a tunnel port.
    pub(super) fn parse(options: &mut Options<'_>) -> Result<Self, OpenError> {
        let mut config = Self::default();
        config.parse_addresses(options)?;
        config.parse_keys(options)?;
        let port = options.number("dst_port", "a UDP port, 1 to 65535")?;
        config.dst_port = port.unwrap_or(VXLAN_PORT);
        if config.dst_port == 0 {
            return Err(OpenError::invalid(
                "dst_port=0: expected a UDP port, 1 to 65535",
            ));
        }
        let inherit = |text: &str| match text {
            "inherit" => Some(Inherit::Inner),
            _ => u8::try_from(parse_number(text)?).ok().map(Inherit::Fixed),
        };
        let tos = options.parse(
            "tos",
            "inherit, or 0 to 252 with the two ECN bits 0",
            |text| inherit(text).filter(|tos| !matches!(tos, Inherit::Fixed(tos) if tos & 3 != 0)),
        )?;
        config.tos = tos.unwrap_or(config.tos);
        let ttl = options.parse("ttl", "inherit, or 1 to 255", |text| {
            inherit(text).filter(|ttl| *ttl != Inherit::Fixed(0))
        })?;
        config.ttl = ttl.unwrap_or(config.ttl);
        config.df = options.flag("df_default")?.unwrap_or(config.df);
        config.csum = options.flag("csum")?;
        let gbp = options.parse("exts", "gbp", |text| (text == "gbp").then_some(true))?;
        config.gbp = gbp.unwrap_or(false);
        Ok(config)
    }

    fn parse_addresses(&mut self, options: &mut Options<'_>) -> Result<(), OpenError> {
        let remote = options.parse("remote_ip", "flow, or a unicast address", |text| {
            if text == "flow" {
                return Some(Remote::Flow);
            }
            let address: IpAddr = text.parse().ok()?;
            let unicast = !address.is_multicast() && !address.is_unspecified();
            unicast.then_some(Remote::Fixed(address.into()))
        })?;
        self.remote = remote.unwrap_or(Remote::Flow);
        let local = options.parse("local_ip", "flow, or an address", |text| {
            if text == "flow" {
                return Some(Local::Flow);
            }
            let address: IpAddr = text.parse().ok()?;
            (!address.is_unspecified()).then_some(Local::Fixed(address.into()))
        })?;
        self.local = match (local, self.remote) {
            (Some(Local::Flow), Remote::Fixed(_)) => {
                return Err(OpenError::invalid(
                    "local_ip=flow: legal only with remote_ip=flow",
                ));
            }
            (Some(Local::Fixed(local)), Remote::Fixed(remote))
                if matches!(local, TunnelAddress::V4(_))
                    != matches!(remote, TunnelAddress::V4(_)) =>
            {
                return Err(OpenError::invalid(
                    "local_ip and remote_ip are of different families",
                ));
            }
            (Some(local), _) => local,
            (None, Remote::Flow) => Local::Flow,
            (None, Remote::Fixed(_)) => Local::Any,
        };
        Ok(())
    }

    fn parse_keys(&mut self, options: &mut Options<'_>) -> Result<(), OpenError> {
        let mut key = |name| {
            options.parse(name, "flow, or 0 to 16777215", |text| match text {
                "flow" => Some(Key::Flow),
                _ => parse_number(text)
                    .filter(|key| *key <= VNI_MAX)
                    .map(|key| Key::Fixed(key as u32)),
            })
        };
        let (both, incoming, outgoing) = (key("key")?, key("in_key")?, key("out_key")?);
        if both.is_some() && (incoming.is_some() || outgoing.is_some()) {
            return Err(OpenError::invalid(
                "key sets in_key and out_key; give it or them",
            ));
        }
        self.in_key = both.or(incoming).unwrap_or(Key::Flow);
        self.out_key = both.or(outgoing).unwrap_or(Key::Flow);
        Ok(())
    }
}

impl From<IpAddr> for TunnelAddress {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6(address.to_bits()),
        }
    }
}
