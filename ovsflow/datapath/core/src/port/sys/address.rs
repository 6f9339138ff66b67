//! Socket addresses as the bytes that the kernel reads and writes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest address kept: sockaddr_in6.
const MAX: usize = 28;

/// An IPv4 or IPv6 socket address: `sockaddr_in` or `sockaddr_in6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::port) struct Address {
    bytes: [u8; MAX],
    len: u8,
}

impl Address {
    /// Room for an address that a call will write.
    pub(super) const EMPTY: Self = Self {
        bytes: [0; MAX],
        len: MAX as u8,
    };

    pub(in crate::port) fn new(ip: IpAddr, port: u16) -> Self {
        let mut bytes = [0; MAX];
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        let len = match ip {
            IpAddr::V4(ip) => {
                bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
                bytes[4..8].copy_from_slice(&ip.octets());
                16
            }
            IpAddr::V6(ip) => {
                bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
                bytes[8..24].copy_from_slice(&ip.octets());
                28
            }
        };
        Self { bytes, len }
    }

    /// The IP address; `None` for any other family.
    pub(in crate::port) fn ip(&self) -> Option<IpAddr> {
        match i32::from(u16::from_ne_bytes([self.bytes[0], self.bytes[1]])) {
            libc::AF_INET => {
                let octets: [u8; 4] = self.bytes[4..8].try_into().ok()?;
                Some(Ipv4Addr::from(octets).into())
            }
            libc::AF_INET6 => {
                let octets: [u8; 16] = self.bytes[8..24].try_into().ok()?;
                Some(Ipv6Addr::from(octets).into())
            }
            _ => None,
        }
    }

    /// Whether a packet socket says of a frame that it went out: a `sockaddr_ll` has one byte of
    /// kind behind family, protocol, device and hardware type.
    pub(in crate::port) fn is_outgoing(&self) -> bool {
        let family = i32::from(u16::from_ne_bytes([self.bytes[0], self.bytes[1]]));
        family == libc::AF_PACKET && self.bytes[10] == libc::PACKET_OUTGOING
    }

    /// The port number.
    pub(in crate::port) fn port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }

    pub(in crate::port) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len).min(MAX)]
    }

    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

/// A `sockaddr_ll`: all protocols of one device.
pub(in crate::port) struct LinkAddress([u8; 20]);

impl LinkAddress {
    pub(in crate::port) fn all_protocols(index: u32) -> Self {
        let mut bytes = [0; 20];
        bytes[..2].copy_from_slice(&(libc::AF_PACKET as u16).to_ne_bytes());
        bytes[2..4].copy_from_slice(&(libc::ETH_P_ALL as u16).to_be_bytes());
        bytes[4..8].copy_from_slice(&index.to_ne_bytes());
        Self(bytes)
    }

    pub(in crate::port) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
