//! What one packet's outer header shall say, worked out from the flow, the port's configuration
//! and the packet inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::inner::{Cut, Inner};
use super::sockets::PORTS;
use crate::error::DropReason;
use crate::packet::vxlan::{HEADER_LEN, Header, Policy};
use crate::packet::{DEFAULT_TTL, Inherit, Packet, Tunnel, TunnelAddress, TunnelConfig};
use crate::port::sys::{Address, Control};

/// The DSCP bits of a TOS.
pub(super) const DSCP: u8 = 0xfc;

/// How one packet is to go out.
pub(super) struct Plan {
    pub(super) to: Address,
    pub(super) destination: IpAddr,
    /// Source, TOS and TTL where they are not what the socket has.
    pub(super) control: Control,
    pub(super) header: [u8; HEADER_LEN],
    pub(super) is_v6: bool,
    /// Whether the packet is a super-frame by now.
    pub(super) is_train: bool,
    /// The source address that the flow asks for.
    pub(super) source: Option<IpAddr>,
    pub(super) tos: u8,
    pub(super) ttl: u8,
    /// Which source port, by the inner flow.
    pub(super) port: usize,
}

impl Plan {
    /// A number for the socket that sends it.
    pub(super) fn socket(&self) -> u8 {
        (usize::from(self.is_v6) * PORTS + self.port) as u8
    }

    /// Whether two packets' outer headers are the same but for what their lengths decide.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        self.destination == other.destination
            && self.header == other.header
            && self.source == other.source
            && (self.tos, self.ttl) == (other.tos, other.ttl)
    }

    /// Plans for a packet whose tunnel metadata is already the port's.
    pub(super) fn new(packet: &Packet, config: &TunnelConfig) -> Result<Self, DropReason> {
        let tunnel = packet.tunnel.ok_or(DropReason::TunnelNoDestination)?;
        let destination = match tunnel.dst {
            TunnelAddress::V4(bits) if bits != 0 => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            TunnelAddress::V6(bits) if bits != 0 => IpAddr::V6(Ipv6Addr::from_bits(bits)),
            _ => return Err(DropReason::TunnelNoDestination),
        };
        let inner = Inner::new(packet, Cut::new(&tunnel));
        let mut control = Control::default();
        let source = push_source(&mut control, &tunnel);
        let tos = inner.outer_tos(outer_dscp(config));
        let ttl = inner.outer_ttl(outer_ttl(config));
        push_tos_and_ttl(&mut control, destination.is_ipv6(), tos, ttl);
        Ok(Self {
            to: Address::new(destination, config.dst_port),
            destination,
            is_train: false,
            control,
            header: header(&tunnel, config.gbp),
            is_v6: destination.is_ipv6(),
            source,
            tos,
            ttl,
            port: ((u64::from(inner.hash) * PORTS as u64) >> 32) as usize,
        })
    }
}

/// The VXLAN header.
pub(super) fn header(tunnel: &Tunnel, gbp: bool) -> [u8; HEADER_LEN] {
    let policy = Policy {
        id: tunnel.gbp_id,
        flags: tunnel.gbp_flags,
    };
    let header = Header {
        vni: tunnel.id as u32,
        policy: (gbp && policy != Policy::default()).then_some(policy),
    };
    header.build()
}

/// Names the source address, if the flow gives one of the destination's family.
fn push_source(control: &mut Control, tunnel: &Tunnel) -> Option<IpAddr> {
    match (tunnel.src, tunnel.dst) {
        (TunnelAddress::V4(source), TunnelAddress::V4(_)) if source != 0 => {
            // struct in_pktinfo: interface, source address, unused.
            let mut info = [0; 12];
            info[4..8].copy_from_slice(&source.to_be_bytes());
            control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            Some(Ipv4Addr::from_bits(source).into())
        }
        (TunnelAddress::V6(source), TunnelAddress::V6(_)) if source != 0 => {
            // struct in6_pktinfo: source address, interface.
            let mut info = [0; 20];
            info[..16].copy_from_slice(&source.to_be_bytes());
            control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            Some(Ipv6Addr::from_bits(source).into())
        }
        _ => None,
    }
}

/// DSCP of the outer header; `None` for the inner packet's.
pub(super) fn outer_dscp(config: &TunnelConfig) -> Option<u8> {
    match config.tos {
        Inherit::Fixed(tos) => Some(tos),
        Inherit::Inner => None,
    }
}

/// TTL of the outer header; `None` for the inner packet's.
pub(super) fn outer_ttl(config: &TunnelConfig) -> Option<u8> {
    match config.ttl {
        Inherit::Fixed(ttl) => Some(ttl),
        Inherit::Inner => None,
    }
}

/// Says TOS and TTL where they differ from the sockets' own, 0 and [`DEFAULT_TTL`].
fn push_tos_and_ttl(control: &mut Control, is_v6: bool, tos: u8, ttl: u8) {
    let (level, tos_kind, ttl_kind) = match is_v6 {
        false => (libc::IPPROTO_IP, libc::IP_TOS, libc::IP_TTL),
        true => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, libc::IPV6_HOPLIMIT),
    };
    if tos != 0 {
        control.push(level, tos_kind, &i32::from(tos).to_ne_bytes());
    }
    if ttl != DEFAULT_TTL {
        control.push(level, ttl_kind, &i32::from(ttl).to_ne_bytes());
    }
}
