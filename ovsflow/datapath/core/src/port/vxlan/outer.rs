//! Outer headers, whole, as they are on a wire: Ethernet, IPv4 or IPv6, UDP, VXLAN; untagged and
//! unfragmented.
//!
//! Reading: the usual case in a few loads, and the long way for all others.  Writing: a template
//! for each tunnel has all that its packets share, the checksum's share of it included; what is left
//! for each packet is a copy, its lengths, TOS, TTL and source port.

use super::inner::{Cut, Inner};
use super::plan::{header, outer_dscp, outer_ttl};
use crate::error::DropReason;
use crate::packet::layers::{L3, L4, Layers};
use crate::packet::number::{be16, be32, put_be16, view};
use crate::packet::vxlan::HEADER_LEN;
use crate::packet::{PROTO_UDP, Packet, Tunnel, TunnelAddress, TunnelConfig, checksum, transport};

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;

/// Length of all outer headers over IPv4.
pub(super) const OVER_IPV4: usize = ETHERNET + IPV4 + UDP + HEADER_LEN;
/// Length of all outer headers over IPv6.
pub(super) const OVER_IPV6: usize = ETHERNET + IPV6 + UDP + HEADER_LEN;

/// Addresses of the outer Ethernet header, destination first.
const ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// What outer headers said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outer {
    pub(super) src: TunnelAddress,
    pub(super) dst: TunnelAddress,
    pub(super) tos: u8,
    pub(super) ttl: u8,
    /// Where the UDP payload starts and ends.
    pub(super) payload: usize,
    pub(super) end: usize,
}

impl Outer {
    /// Reads the headers of a whole, untagged UDP datagram to `port`; `None` for anything else, and
    /// where a checksum is wrong.
    #[inline]
    pub(super) fn read(frame: &[u8], port: u16) -> Option<Self> {
        match Self::plain_ipv4(frame, port) {
            Some(outer) => Some(outer),
            None => Self::any(frame, port),
        }
    }

    /// The usual case: what [`Self::any`] says of IPv4 without options and a UDP checksum.
    #[inline]
    fn plain_ipv4(frame: &[u8], port: u16) -> Option<Self> {
        let head = view::<{ ETHERNET + IPV4 + UDP }>(frame, 0)?;
        let words: [u32; IPV4 / 4] = std::array::from_fn(|word| {
            let at = ETHERNET + 4 * word;
            u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
        });
        // The order of bytes makes no difference to whether a sum is all ones.
        let sum = words.iter().map(|&word| u64::from(word)).sum();
        let be16 = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let fixed = head[12..15] == [0x08, 0x00, 0x45] && head[23] == PROTO_UDP;
        let whole = be16(20) & 0x3fff == 0 && be16(40) == 0;
        let length = usize::from(be16(38));
        let end = ETHERNET + IPV4 + length;
        let fits = length >= UDP && end <= frame.len() && be16(36) == port;
        if !(fixed && whole && fits && checksum::fold(sum) == 0xffff) {
            return None;
        }
        Some(Self {
            src: TunnelAddress::V4(u32::from_be(words[3])),
            dst: TunnelAddress::V4(u32::from_be(words[4])),
            tos: head[15],
            ttl: head[22],
            payload: ETHERNET + IPV4 + UDP,
            end,
        })
    }

    #[inline(never)]
    fn any(frame: &[u8], port: u16) -> Option<Self> {
        let udp = match be16(frame, 12)? {
            0x0800 => ETHERNET + IPV4,
            0x86dd => ETHERNET + IPV6,
            _ => return None,
        };
        let ports_and_rest = view::<UDP>(frame, udp)?;
        let [_, _, p0, p1, l0, l1, c0, c1] = *ports_and_rest;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if u16::from_be_bytes([p0, p1]) != port || length < UDP || udp + length > frame.len() {
            return None;
        }
        let tunnel = match udp - ETHERNET {
            IPV4 => read_ipv4(view(frame, ETHERNET)?)?,
            _ => read_ipv6(view(frame, ETHERNET)?)?,
        };
        if [c0, c1] != [0, 0] {
            let layers = Layers::parse_frame(frame);
            let whole = layers.l4_kind == L4::Udp && layers.l3_kind != L3::None;
            if !whole || !transport::verify(frame, &layers) {
                return None;
            }
        }
        Some(Self {
            src: tunnel.src,
            dst: tunnel.dst,
            tos: tunnel.tos,
            ttl: tunnel.ttl,
            payload: udp + UDP,
            end: udp + length,
        })
    }
}

fn read_ipv4(header: &[u8; IPV4]) -> Option<Tunnel> {
    let fragment = be16(header, 6)? & 0x3fff != 0;
    if header[0] != 0x45 || header[9] != PROTO_UDP || fragment || checksum::sum(header) != 0xffff {
        return None;
    }
    Some(Tunnel {
        src: TunnelAddress::V4(be32(header, 12)?),
        dst: TunnelAddress::V4(be32(header, 16)?),
        tos: header[1],
        ttl: header[8],
        ..Tunnel::default()
    })
}

fn read_ipv6(header: &[u8; IPV6]) -> Option<Tunnel> {
    let address =
        |at| view::<16>(header, at).map(|raw| TunnelAddress::V6(u128::from_be_bytes(*raw)));
    if header[0] >> 4 != 6 || header[6] != PROTO_UDP {
        return None;
    }
    Some(Tunnel {
        src: address(8)?,
        dst: address(24)?,
        tos: (be16(header, 0)? >> 4) as u8,
        ttl: header[7],
        ..Tunnel::default()
    })
}

/// Outer headers, but for what each packet has of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    bytes: [u8; OVER_IPV6],
    pub(super) is_v6: bool,
    /// Sum of what stays the same in an IPv4 header.
    partial: u32,
    /// DSCP and TTL; `None` for the inner packet's.
    dscp: Option<u8>,
    ttl: Option<u8>,
    cut: Cut,
}

impl Template {
    /// `None` for a tunnel without destination.
    pub(super) fn new(tunnel: &Tunnel, config: &TunnelConfig) -> Option<Self> {
        let mut bytes = [0; OVER_IPV6];
        bytes[..12].copy_from_slice(&ADDRESSES);
        let mut partial = 0;
        let is_v6 = match (tunnel.src, tunnel.dst) {
            (_, TunnelAddress::Unset) => return None,
            (source, TunnelAddress::V4(destination)) => {
                let source = match source {
                    TunnelAddress::V4(source) => source,
                    _ => 0,
                };
                let fragment: u16 = if config.df { 0x4000 } else { 0 };
                bytes[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
                bytes[20..22].copy_from_slice(&fragment.to_be_bytes());
                bytes[23] = PROTO_UDP;
                bytes[26..30].copy_from_slice(&source.to_be_bytes());
                bytes[30..34].copy_from_slice(&destination.to_be_bytes());
                partial = u32::from(fragment)
                    + u32::from(0x4500 | u16::from(PROTO_UDP))
                    + halves(source)
                    + halves(destination);
                false
            }
            (source, TunnelAddress::V6(destination)) => {
                let source = match source {
                    TunnelAddress::V6(source) => source,
                    _ => 0,
                };
                bytes[12..15].copy_from_slice(&[0x86, 0xdd, 0x60]);
                bytes[20] = PROTO_UDP;
                bytes[22..38].copy_from_slice(&source.to_be_bytes());
                bytes[38..54].copy_from_slice(&destination.to_be_bytes());
                true
            }
        };
        let len = if is_v6 { OVER_IPV6 } else { OVER_IPV4 };
        let vxlan = len - HEADER_LEN;
        let udp = vxlan - UDP;
        bytes[udp + 2..udp + 4].copy_from_slice(&config.dst_port.to_be_bytes());
        bytes[vxlan..len].copy_from_slice(&header(tunnel, config.gbp));
        Some(Self {
            bytes,
            is_v6,
            partial,
            dscp: outer_dscp(config),
            ttl: outer_ttl(config),
            cut: Cut::new(tunnel),
        })
    }

    /// Puts the headers before a packet, with no checksum in the outer UDP header.
    #[inline(always)]
    pub(super) fn push(&self, packet: &mut Packet) -> Result<(), DropReason> {
        match self.is_v6 {
            false => self.push_v4(packet),
            true => self.push_v6(packet),
        }
    }

    #[inline(always)]
    fn push_v4(&self, packet: &mut Packet) -> Result<(), DropReason> {
        // Two calls: what is known of the usual packet is known to the first.
        match Inner::plain_ipv4(packet.bytes()) {
            Some(inner) => self.put_v4(&inner, packet),
            None => self.push_v4_any(packet),
        }
    }

    #[inline(never)]
    fn push_v4_any(&self, packet: &mut Packet) -> Result<(), DropReason> {
        self.put_v4(&Inner::any(packet.bytes(), self.cut), packet)
    }

    #[inline(always)]
    fn put_v4(&self, inner: &Inner, packet: &mut Packet) -> Result<(), DropReason> {
        let (tos, ttl) = (inner.outer_tos(self.dscp), inner.outer_ttl(self.ttl));
        // IPv4 counts its own header.
        let total = packet.len() + IPV4 + UDP + HEADER_LEN;
        if total > usize::from(u16::MAX) {
            return Err(DropReason::TunnelOversize);
        }
        let head = packet.push_front(OVER_IPV4).ok_or(DropReason::NoHeadroom)?;
        if let Some(head) = head.first_chunk_mut::<OVER_IPV4>()
            && let Some(bytes) = self.bytes.first_chunk::<OVER_IPV4>()
        {
            *head = *bytes;
            let sum = self.partial + u32::from(tos) + total as u32 + (u32::from(ttl) << 8);
            (head[15], head[22]) = (tos, ttl);
            put_be16(head, 16, total as u16);
            put_be16(head, 24, checksum::finish(checksum::fold32(sum)));
            put_udp(
                head,
                ETHERNET + IPV4,
                inner.source_port(),
                (total - IPV4) as u16,
            );
        }
        Ok(())
    }

    #[inline(never)]
    fn push_v6(&self, packet: &mut Packet) -> Result<(), DropReason> {
        let inner = Inner::new(packet, self.cut);
        let (tos, ttl) = (inner.outer_tos(self.dscp), inner.outer_ttl(self.ttl));
        let len = packet.len() + UDP + HEADER_LEN;
        if len > usize::from(u16::MAX) {
            return Err(DropReason::TunnelOversize);
        }
        let head = packet.push_front(OVER_IPV6).ok_or(DropReason::NoHeadroom)?;
        if let Some(head) = head.first_chunk_mut::<OVER_IPV6>() {
            *head = self.bytes;
            put_be16(head, 14, 0x6000 | u16::from(tos) << 4);
            put_be16(head, 18, len as u16);
            head[21] = ttl;
            put_udp(head, ETHERNET + IPV6, inner.source_port(), len as u16);
        }
        Ok(())
    }

    /// Fills in the outer UDP checksum; a super-frame's segments get their own where they are cut, which
    /// only a checksum that is not 0 asks for.
    pub(super) fn fill_checksum(&self, packet: &mut Packet) {
        let (udp, addresses) = if self.is_v6 {
            (ETHERNET + IPV6, &self.bytes[22..54])
        } else {
            (ETHERNET + IPV4, &self.bytes[26..34])
        };
        let frame = packet.bytes_mut();
        let datagram = frame.get(udp..).unwrap_or(&[]);
        let pseudo = u64::from(PROTO_UDP) + datagram.len() as u64;
        let sum = checksum::add(checksum::sum(addresses), checksum::fold(pseudo));
        let sum = checksum::finish(checksum::add(sum, checksum::sum(datagram)));
        put_be16(frame, udp + 6, if sum == 0 { 0xffff } else { sum });
    }
}

/// Both 16-bit halves, added.
const fn halves(word: u32) -> u32 {
    (word >> 16) + (word & 0xffff)
}

/// Source port and length of the UDP header at `at`.
#[inline]
fn put_udp(head: &mut [u8], at: usize, port: u16, len: u16) {
    put_be16(head, at, port);
    put_be16(head, at + 4, len);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::Inherit;

    proptest! {
        #[test]
        fn test_short_way_reads_what_the_long_one_reads(
            inner in prop::collection::vec(any::<u8>(), 0..80),
            damage in prop::option::of((0_usize..60, any::<u8>())),
            tos in any::<u8>(),
            cut in 0_usize..10,
        ) {
            let tunnel = Tunnel {
                dst: TunnelAddress::V4(0xac1f_0102),
                tos,
                ttl: 9,
                ..Tunnel::default()
            };
            let config = TunnelConfig {
                tos: Inherit::Inner,
                ..TunnelConfig::default()
            };
            let mut packet = Packet::from_frame(&inner);
            let template = Template::new(&tunnel, &config).unwrap();
            prop_assert_eq!(template.push(&mut packet), Ok(()));
            if let Some((at, value)) = damage
                && let Some(byte) = packet.bytes_mut().get_mut(at)
            {
                *byte = value;
            }
            packet.truncate(packet.len() - cut.min(packet.len()));
            let short = Outer::plain_ipv4(packet.bytes(), config.dst_port);
            if short.is_some() || damage.is_none() {
                prop_assert_eq!(short, Outer::any(packet.bytes(), config.dst_port));
            }
            if damage.is_none() && cut == 0 {
                prop_assert!(short.is_some());
            }
        }
    }
}
