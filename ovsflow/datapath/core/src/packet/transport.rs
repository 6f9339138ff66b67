//! What TCP, UDP, SCTP and ICMPv6 share: ports, the pseudo-header, and their checksums.
//!
//! A checksum field has one of three meanings: a checksum; nothing at all (UDP, zero); or, while a
//! device has yet to fill it in, the pseudo-header's sum.  All writes that a checksum covers come
//! here, so that each meaning is kept.  A wrong checksum stays wrong: it is only ever updated.

use super::checksum::{self, crc32c};
use super::layers::{L3, L4, Layers};
use super::number::{be16, be32, merge, put_be16, put_be32, view_mut};
use super::{Checksum, Offload, Packet, icmp, ipv4, sctp, tcp, udp};

/// Where the 16-bit checksum stands, counted from the transport header; `None` for SCTP.
#[inline]
pub fn checksum_at(kind: L4) -> Option<usize> {
    match kind {
        L4::Tcp => Some(tcp::CHECKSUM_AT),
        L4::Udp => Some(udp::CHECKSUM_AT),
        L4::Icmp | L4::Icmpv6 => Some(icmp::CHECKSUM_AT),
        L4::Sctp | L4::None => None,
    }
}

/// Whether the checksum of `layers`' transport header is left for a device to fill in.
///
/// In a super-frame that is a tunnel's, `offload` speaks of the inner header, and the outer
/// checksum is still to be filled in too.
#[inline]
pub fn is_partial(offload: &Offload, layers: &Layers) -> bool {
    let start_here = |left: Checksum| left.start == layers.l4 || offload.gso.is_some();
    offload.checksum.is_some_and(start_here)
}

/// The sum of the pseudo-header over `len` bytes of transport header and payload.
#[inline]
pub fn pseudo_sum(frame: &[u8], layers: &Layers, len: usize) -> u16 {
    let l3 = usize::from(layers.l3);
    let addresses = match layers.l3_kind {
        L3::Ipv4 => frame.get(l3 + ipv4::ADDRESSES_AT..l3 + ipv4::HEADER_LEN),
        L3::Ipv6 => frame.get(l3 + super::ipv6::ADDRESSES_AT..l3 + super::ipv6::HEADER_LEN),
        L3::None | L3::Arp => None,
    };
    let rest = checksum::fold(u64::from(layers.ip_proto) + len as u64);
    checksum::add(checksum::sum(addresses.unwrap_or(&[])), rest)
}

/// Whether the transport checksum of a whole datagram holds.
///
/// `false` also where that cannot be told: fragments, no checksum at all, other protocols.
pub fn verify(frame: &[u8], layers: &Layers) -> bool {
    if layers.fragment || layers.source_routed {
        return false;
    }
    let Some(segment) = frame.get(usize::from(layers.l4)..layers.end as usize) else {
        return false;
    };
    match layers.l4_kind {
        L4::Tcp | L4::Icmpv6 => covers(frame, layers, segment),
        L4::Udp => {
            be16(segment, udp::LENGTH_AT) == Some(segment.len() as u16)
                && be16(segment, udp::CHECKSUM_AT) != Some(0)
                && covers(frame, layers, segment)
        }
        L4::Icmp => checksum::sum(segment) == 0xffff,
        L4::Sctp => sctp::verify(segment),
        L4::None => false,
    }
}

#[inline]
fn covers(frame: &[u8], layers: &Layers, segment: &[u8]) -> bool {
    let pseudo = pseudo_sum(frame, layers, segment.len());
    checksum::add(checksum::sum(segment), pseudo) == 0xffff
}

/// Whether the checksum field of a TCP or UDP datagram holds just the pseudo-header's sum.
///
/// Kernels that hand a packet to a virtual device leave it so, and a tunnel's receiver is told nothing.
/// The chance that a filled-in checksum looks the same is 1 in 65,536, and then a device
/// merely computes it again.
pub fn looks_partial(frame: &[u8], layers: &Layers) -> bool {
    let (L4::Tcp | L4::Udp) = layers.l4_kind else {
        return false;
    };
    let l4 = usize::from(layers.l4);
    let field = checksum_at(layers.l4_kind).and_then(|at| be16(frame, l4 + at));
    let len = layers.end as usize - l4;
    !layers.fragment
        && !layers.source_routed
        && field.is_some_and(|field| field != 0 && field == pseudo_sum(frame, layers, len))
}

/// Marks a packet that [`looks_partial`] as one whose checksum is to be filled in; whether it was
/// one.  For frames that came out of a tunnel, where nothing else marks them.
pub fn mark_partial(packet: &mut Packet) -> bool {
    if packet.offload.checksum.is_some() {
        return true;
    }
    let layers = Layers::parse(packet);
    let partial = looks_partial(packet.bytes(), &layers);
    if partial && let Some(offset) = checksum_at(layers.l4_kind) {
        packet.offload.checksum = Some(Checksum {
            start: layers.l4,
            offset: offset as u16,
        });
    }
    partial
}

/// Updates the transport checksum for addresses or a protocol number that changed the sum of the
/// pseudo-header by `delta`.
#[inline]
pub(super) fn pseudo_changed(frame: &mut [u8], layers: &Layers, offload: &Offload, delta: u16) {
    if let L4::Tcp | L4::Udp | L4::Icmpv6 = layers.l4_kind {
        changed(frame, layers, is_partial(offload, layers), delta);
    }
}

/// Updates the transport checksum for bytes of header or payload that changed their sum by
/// `delta`; one that is still to be filled in does not depend on them.
#[inline]
pub(super) fn segment_changed(frame: &mut [u8], layers: &Layers, offload: &Offload, delta: u16) {
    if !is_partial(offload, layers) {
        changed(frame, layers, false, delta);
    }
}

#[inline]
fn changed(frame: &mut [u8], layers: &Layers, partial: bool, delta: u16) {
    let Some(at) = checksum_at(layers.l4_kind) else {
        return;
    };
    let Some(field) = view_mut::<2>(frame, usize::from(layers.l4) + at) else {
        return;
    };
    let old = u16::from_be_bytes(*field);
    let new = if partial {
        checksum::add(old, delta)
    } else if layers.l4_kind != L4::Udp {
        checksum::update(old, delta)
    } else if old == 0 {
        // The sender computed none.
        0
    } else {
        udp::non_zero(checksum::update(old, delta))
    };
    *field = new.to_be_bytes();
}

/// Writes bits of the ports of a TCP, UDP or SCTP header; TCP's must be whole with its options.
///
/// SCTP's checksum covers all fragments and cannot be updated from one: such a packet is left alone.
pub fn set_ports(frame: &mut [u8], layers: &Layers, offload: &Offload, value: u32, mask: u32) {
    let l4 = usize::from(layers.l4);
    let (L4::Tcp | L4::Udp | L4::Sctp) = layers.l4_kind else {
        return;
    };
    let end = layers.end as usize;
    if layers.l4_kind == L4::Tcp && tcp::header_len(frame, l4).is_none_or(|len| l4 + len > end) {
        return;
    }
    let Some(old) = be32(frame, l4) else {
        return;
    };
    let new = merge(old, value, mask);
    if layers.l4_kind != L4::Sctp {
        put_be32(frame, l4, new);
        segment_changed(frame, layers, offload, checksum::delta32(old, new));
    } else if !layers.fragment {
        put_be32(frame, l4, new);
        if !is_partial(offload, layers) {
            let behind = layers.end as usize - l4 - 4;
            let at = l4 + sctp::CHECKSUM_AT;
            sctp::update(frame, at, crc32c::delta(old ^ new, behind));
        }
    }
}

/// Writes a 16-bit word of the transport header or payload that its checksum covers.
pub(super) fn set_word(
    frame: &mut [u8],
    layers: &Layers,
    offload: &Offload,
    at: usize,
    value: u16,
) {
    if let Some(old) = be16(frame, at) {
        put_be16(frame, at, value);
        segment_changed(frame, layers, offload, checksum::delta16(old, value));
    }
}
