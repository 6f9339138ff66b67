//! The virtio-net header that packet sockets and TAP devices put before each frame.
//!
//! Ten bytes in host order: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset.
//! Source: Virtual I/O Device (VIRTIO) 1.2 §5.1.6; the legacy, shorter form.

use super::sys::VNET_HEADER;
use crate::packet::{Checksum, Gso, GsoKind, Offload, Packet};

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
pub(super) const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// Bytes of a UDP header.
const UDP_HEADER: u16 = 8;

/// What a header says is left to do; `None` for a kind of super-frame that nobody asked for.
pub(super) fn decode(header: &[u8; VNET_HEADER]) -> Option<Offload> {
    let [flags, kind, _, _, s0, s1, c0, c1, o0, o1] = *header;
    let checksum = (flags & NEEDS_CSUM != 0).then(|| Checksum {
        start: u16::from_ne_bytes([c0, c1]),
        offset: u16::from_ne_bytes([o0, o1]),
    });
    let gso = |gso_kind| {
        Some(Gso {
            kind: gso_kind,
            size: u16::from_ne_bytes([s0, s1]),
            ecn: kind & GSO_ECN != 0,
        })
    };
    let gso = match kind & !GSO_ECN {
        GSO_NONE => None,
        GSO_TCPV4 => gso(GsoKind::Tcp4),
        GSO_TCPV6 => gso(GsoKind::Tcp6),
        GSO_UDP_L4 => gso(GsoKind::Udp),
        _ => return None,
    };
    if gso.is_some_and(|gso| gso.size == 0 || checksum.is_none()) {
        return None;
    }
    Some(Offload {
        checksum,
        gso,
        verified: flags & DATA_VALID != 0,
    })
}

/// The header to send `packet` with.
pub(super) fn encode(packet: &Packet) -> [u8; VNET_HEADER] {
    let Offload { checksum, gso, .. } = packet.offload;
    let mut header = [0; VNET_HEADER];
    if let Some(checksum) = checksum {
        header[0] = NEEDS_CSUM;
        header[6..8].copy_from_slice(&checksum.start.to_ne_bytes());
        header[8..10].copy_from_slice(&checksum.offset.to_ne_bytes());
    }
    if let (Some(gso), Some(checksum)) = (gso, checksum) {
        let (kind, transport_header) = match gso.kind {
            GsoKind::Tcp4 => (GSO_TCPV4, tcp_header_len(packet, checksum.start)),
            GsoKind::Tcp6 => (GSO_TCPV6, tcp_header_len(packet, checksum.start)),
            GsoKind::Udp => (GSO_UDP_L4, UDP_HEADER),
        };
        header[1] = kind | if gso.ecn { GSO_ECN } else { 0 };
        let headers = checksum.start.saturating_add(transport_header);
        header[2..4].copy_from_slice(&headers.to_ne_bytes());
        header[4..6].copy_from_slice(&gso.size.to_ne_bytes());
    }
    header
}

/// Bytes of the header that also describes UDP tunnels.
pub(super) const TUNNEL_HEADER: usize = 24;

const GSO_TUNNEL_IPV4: u8 = 0x20;

/// The longer header to send a super-frame with when `outer` bytes of a UDP tunnel over IPv4 go
/// before it, their UDP header at `outer_transport`; `inner_network` is where the super-frame's own
/// IP header stands.  `None` for a packet that is no super-frame.
///
/// Behind the short header stand a count of buffers, a hash and its kind (none), then the two
/// offsets.  Source: VIRTIO 1.2 §5.1.6 and its successor's VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO.
pub(super) fn encode_tunnel(
    packet: &Packet,
    outer: usize,
    outer_transport: usize,
    inner_network: usize,
) -> Option<[u8; TUNNEL_HEADER]> {
    let checksum = packet.offload.checksum?;
    packet.offload.gso?;
    let short = encode(packet);
    let shifted = |at: usize| {
        let value = u16::from_ne_bytes([short[at], short[at + 1]]);
        u16::try_from(usize::from(value) + outer)
            .map(u16::to_ne_bytes)
            .ok()
    };
    let mut header = [0; TUNNEL_HEADER];
    header[..VNET_HEADER].copy_from_slice(&short);
    header[1] |= GSO_TUNNEL_IPV4;
    header[2..4].copy_from_slice(&shifted(2)?);
    header[6..8].copy_from_slice(&shifted(6)?);
    header[8..10].copy_from_slice(&checksum.offset.to_ne_bytes());
    header[20..22].copy_from_slice(&u16::try_from(outer_transport).ok()?.to_le_bytes());
    header[22..24].copy_from_slice(&u16::try_from(outer + inner_network).ok()?.to_le_bytes());
    Some(header)
}

/// Bytes of the TCP header at `start`; the least there is when the packet ends before.
fn tcp_header_len(packet: &Packet, start: u16) -> u16 {
    let data_offset = packet.bytes().get(usize::from(start) + 12);
    data_offset.map_or(20, |byte| u16::from(byte >> 4) * 4)
}
