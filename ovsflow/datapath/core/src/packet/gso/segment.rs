//! Cuts super-frames.
//!
//! Every segment starts with a copy of the super-frame's headers, in which lengths, IPv4
//! identification, TCP sequence number and flags, and checksums are its own.  A super-frame may
//! itself be a tunnel's (VXLAN): then `offload` points at the inner transport header, and the outer
//! IP and UDP headers are each segment's own too.

use std::ops::Range;

use super::is_tcp;
use crate::packet::layers::{L3, L4, Layers};
use crate::packet::number::{be16, be32, put_be16, put_be32};
use crate::packet::{
    Batch, GsoKind, Offload, Packet, Pool, checksum, ipv4, ipv6, mpls, tcp, transport, udp, vxlan,
};

/// How one super-frame is to be cut.
#[derive(Clone, Copy, Debug)]
pub struct Segmenter {
    /// Headers of the segments' own protocol.
    inner: Layers,
    /// The tunnel's headers around them.
    outer: Option<Layers>,
    tcp: bool,
    /// First byte of payload: the length of the headers.
    header_len: usize,
    end: usize,
    size: usize,
}

impl Segmenter {
    /// `None` if `packet` is no super-frame, or its headers are not what `offload` says.
    pub fn new(packet: &Packet) -> Option<Self> {
        let gso = packet.offload.gso?;
        let frame = packet.bytes();
        let layers = Layers::parse_frame(frame);
        let start = packet.offload.checksum.map_or(layers.l4, |left| left.start);
        let (inner, outer) = find_transport(frame, layers, start)?;
        let l4 = usize::from(inner.l4);
        let header_len = match (gso.kind, inner.l3_kind, inner.l4_kind) {
            (GsoKind::Tcp4, L3::Ipv4, L4::Tcp) | (GsoKind::Tcp6, L3::Ipv6, L4::Tcp) => {
                l4 + tcp::header_len(frame, l4)?
            }
            (GsoKind::Udp, L3::Ipv4 | L3::Ipv6, L4::Udp) => l4 + udp::HEADER_LEN,
            _ => return None,
        };
        let end = inner.end as usize;
        (gso.size != 0 && header_len <= end && !inner.fragment).then_some(Self {
            inner,
            outer,
            tcp: is_tcp(gso.kind),
            header_len,
            end,
            size: usize::from(gso.size),
        })
    }

    /// Number of segments, at least 1.
    pub fn count(&self) -> usize {
        (self.end - self.header_len).div_ceil(self.size).max(1)
    }

    /// Length of each segment's headers, from the frame's first byte to the payload.
    pub fn header_len(&self) -> usize {
        self.header_len
    }

    /// Length of the longest segment, headers and all.
    pub fn longest(&self) -> usize {
        self.end.min(self.header_len + self.size)
    }

    /// Where in the super-frame the payload of segment `index` lies.
    pub fn payload(&self, index: usize) -> Range<usize> {
        let start = (self.header_len + index * self.size).min(self.end);
        start..(start + self.size).min(self.end)
    }

    /// Writes the headers of segment `index` of `frame` to the start of `out`; its length is
    /// [`Self::header_len`].  The payload is not copied, so a device that gathers can send it from
    /// where it lies.  `None` if `out` is too short.
    pub fn write_header<'a>(
        &self,
        index: usize,
        frame: &[u8],
        out: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let header = out.get_mut(..self.header_len)?;
        header.copy_from_slice(frame.get(..self.header_len)?);
        self.patch(index, header, frame.get(self.payload(index))?);
        Some(header)
    }

    /// Makes `out` segment `index` of `packet`: a plain frame, its checksums filled in.
    pub fn write(&self, index: usize, packet: &Packet, out: &mut Packet) {
        let frame = packet.bytes();
        let payload = self.payload(index);
        let (Some(header), Some(payload)) = (frame.get(..self.header_len), frame.get(payload))
        else {
            return;
        };
        out.set_parts(header, payload);
        out.in_port = packet.in_port;
        out.tunnel = packet.tunnel;
        out.queue = packet.queue;
        out.offload = Offload {
            verified: true,
            ..Offload::default()
        };
        if let Some(header) = out.bytes_mut().get_mut(..self.header_len) {
            self.patch(index, header, payload);
        }
    }

    /// Makes the super-frame's headers those of one segment.
    fn patch(&self, index: usize, header: &mut [u8], payload: &[u8]) {
        let l4 = usize::from(self.inner.l4);
        set_ip_length(header, &self.inner, index, payload.len());
        let at = if self.tcp {
            self.patch_tcp(index, header);
            l4 + tcp::CHECKSUM_AT
        } else {
            let len = (header.len() - l4 + payload.len()) as u16;
            put_be16(header, l4 + udp::LENGTH_AT, len);
            l4 + udp::CHECKSUM_AT
        };
        put_be16(header, at, 0);
        let pseudo = transport::pseudo_sum(header, &self.inner, header.len() - l4 + payload.len());
        let own = checksum::sum(header.get(l4..).unwrap_or(&[]));
        let sum = checksum::add(checksum::add(pseudo, own), checksum::sum(payload));
        let sum = checksum::finish(sum);
        put_be16(header, at, if self.tcp { sum } else { udp::non_zero(sum) });
        if let Some(outer) = &self.outer {
            set_outer(header, outer, &self.inner, index, payload.len(), pseudo);
        }
    }

    fn patch_tcp(&self, index: usize, header: &mut [u8]) {
        let l4 = usize::from(self.inner.l4);
        if let Some(first) = be32(header, l4 + tcp::SEQUENCE_AT) {
            let sequence = first.wrapping_add((index * self.size) as u32);
            put_be32(header, l4 + tcp::SEQUENCE_AT, sequence);
        }
        if let Some(flags) = header.get_mut(l4 + tcp::FLAGS_AT) {
            if index != 0 {
                *flags &= !tcp::CWR;
            }
            if index + 1 != self.count() {
                *flags &= !(tcp::FIN | tcp::PSH);
            }
        }
    }
}

/// Cuts `packet` into plain frames, which are appended to `out` in order.
///
/// A packet that is no super-frame is only completed.  `Err` gives back a packet whose headers are
/// not what its offload says.
pub fn segment(
    mut packet: Box<Packet>,
    pool: &mut Pool,
    out: &mut Batch,
) -> Result<(), Box<Packet>> {
    if packet.offload.gso.is_none() {
        super::complete_checksum(&mut packet);
        out.push(packet);
        return Ok(());
    }
    let Some(segmenter) = Segmenter::new(&packet) else {
        return Err(packet);
    };
    for index in 0..segmenter.count() {
        let mut segment = pool.take();
        segmenter.write(index, &packet, &mut segment);
        out.push(segment);
    }
    pool.give(packet);
    Ok(())
}

/// The layers whose transport header starts at `start`, and the tunnel's around them.
fn find_transport(frame: &[u8], layers: Layers, start: u16) -> Option<(Layers, Option<Layers>)> {
    let fits = |found: &Layers| found.l4 == start && found.l4_kind != L4::None;
    if fits(&layers) {
        return Some((layers, None));
    }
    if layers.has_mpls() {
        let below = mpls::payload(frame, usize::from(layers.tag))?;
        let found = Layers::parse_network(frame, below);
        return fits(&found).then_some((found, None));
    }
    if layers.l4_kind != L4::Udp {
        return None;
    }
    let tunnelled = usize::from(layers.l4) + udp::HEADER_LEN + vxlan::HEADER_LEN;
    let found = Layers::parse_frame_at(frame, tunnelled);
    fits(&found).then_some((found, Some(layers)))
}

/// Writes the lengths, identification and checksum of the IP header of segment `index`; the
/// headers end where `header` ends.
fn set_ip_length(header: &mut [u8], layers: &Layers, index: usize, payload: usize) {
    let l3 = usize::from(layers.l3);
    let len = header.len() - l3 + payload;
    match layers.l3_kind {
        L3::Ipv4 => {
            put_be16(header, l3 + ipv4::LENGTH_AT, len as u16);
            if let Some(id) = be16(header, l3 + ipv4::ID_AT) {
                put_be16(header, l3 + ipv4::ID_AT, id.wrapping_add(index as u16));
            }
            ipv4::fill_checksum(header, l3);
        }
        L3::Ipv6 => {
            let len = (len - ipv6::HEADER_LEN) as u16;
            put_be16(header, l3 + ipv6::LENGTH_AT, len);
        }
        L3::None | L3::Arp => {}
    }
}

/// Writes the tunnel's own headers of one segment.
///
/// What the inner checksum covers sums up to the inverse of the inner pseudo-header, so the outer
/// checksum needs no second pass over the payload.
fn set_outer(
    header: &mut [u8],
    outer: &Layers,
    inner: &Layers,
    index: usize,
    payload: usize,
    inner_pseudo: u16,
) {
    set_ip_length(header, outer, index, payload);
    let l4 = usize::from(outer.l4);
    let len = header.len() - l4 + payload;
    put_be16(header, l4 + udp::LENGTH_AT, len as u16);
    if be16(header, l4 + udp::CHECKSUM_AT) == Some(0) {
        return;
    }
    put_be16(header, l4 + udp::CHECKSUM_AT, 0);
    let headers = header.get(l4..usize::from(inner.l4)).unwrap_or(&[]);
    let sum = checksum::add(checksum::sum(headers), !inner_pseudo);
    let sum = checksum::add(sum, transport::pseudo_sum(header, outer, len));
    let sum = udp::non_zero(checksum::finish(sum));
    put_be16(header, l4 + udp::CHECKSUM_AT, sum);
}
