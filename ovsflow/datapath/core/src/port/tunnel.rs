//! A tunnel port's configuration: which properties are fixed and which the flow decides.
//!
//! Owns the option language of tunnel ports and the rule by which configuration overrides
//! what a flow has set.  Which port a received packet belongs to is decided in `vxlan/demux`.

use std::net::IpAddr;

use super::OpenError;
use super::options::{Options, parse_number};
use crate::packet::{Inherit, Key, Local, Remote, TunnelConfig, VXLAN_PORT};
use crate::packet::{TunnelAddress, VNI_MAX};

impl TunnelConfig {
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
