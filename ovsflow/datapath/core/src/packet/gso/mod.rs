//! Super-frames and checksums left to fill in, done in software.
//!
//! A device that knows segmentation or checksum offload takes a packet as it is.  For all others
//! [`complete_checksum`] and [`segment`] make plain frames of it.  The other way round,
//! [`coalesce`], [`merge_run`] and [`merge_train`] make one super-frame of a train of frames, so that the train
//! is classified and sent once.  `segment(coalesce(train))` is the train again.

use super::{Checksum, GsoKind, Packet, Pool, checksum, number, sctp, udp};

mod coalesce;
mod segment;

#[cfg(test)]
mod tests;

pub use coalesce::{coalesce, merge_run, merge_train};
pub use segment::{Segmenter, segment};

/// Most bytes of IP datagram in a super-frame: what is left of 64 KiB is for outer headers and for
/// devices that count the link header too.
pub const DATAGRAM_LIMIT: usize = 65_000;

/// Most UDP datagrams in a super-frame: what every kernel with UDP_SEGMENT takes.
pub const UDP_SEGMENT_LIMIT: usize = 64;

/// Fills in the transport checksum if that was left to do.  A super-frame stays as it is: its
/// segments get theirs when it is cut.
pub fn complete_checksum(packet: &mut Packet) {
    if packet.offload.gso.is_some() {
        return;
    }
    let Some(Checksum { start, offset }) = packet.offload.checksum.take() else {
        return;
    };
    let (start, offset) = (usize::from(start), usize::from(offset));
    let Some(segment) = packet.bytes_mut().get_mut(start..) else {
        return;
    };
    if offset == sctp::CHECKSUM_AT {
        // No other checksum stands here: a CRC32c, which virtio-net does not tell apart.
        if let Some(crc) = sctp::compute(segment)
            && let Some(field) = number::view_mut(segment, offset)
        {
            *field = crc.to_le_bytes();
        }
        return;
    }
    // The field holds the pseudo-header's sum, so it takes part as it is.
    let sum = checksum::finish(checksum::sum(segment));
    let is_udp = offset == udp::CHECKSUM_AT;
    number::put_be16(
        segment,
        offset,
        if is_udp { udp::non_zero(sum) } else { sum },
    );
}

/// Fills in the checksum if it is SCTP's.
///
/// virtio-net tells where a checksum is to be filled in, not of which kind: a device would put a sum
/// where a CRC32c belongs, so it must not be handed on.
#[inline]
pub fn complete_crc(packet: &mut Packet) {
    let at = packet.offload.checksum.map(|left| usize::from(left.offset));
    if at == Some(sctp::CHECKSUM_AT) {
        complete_checksum(packet);
    }
}

/// How many frames a packet stands for, and how many bytes they have together, headers and all.
pub fn plain_size(packet: &Packet) -> (u64, u64) {
    let len = packet.len() as u64;
    Segmenter::new(packet).map_or((1, len), |segmenter| {
        let count = segmenter.count() as u64;
        (count, len + (count - 1) * segmenter.header_len() as u64)
    })
}

/// Calls `each` with plain frames: the packet itself, its completed copy, or its segments.  A
/// super-frame that cannot be cut yields nothing.
pub fn for_each_plain(packet: &Packet, pool: &mut Pool, mut each: impl FnMut(&mut Packet)) {
    let mut frame = pool.take();
    if packet.offload.gso.is_none() {
        frame.copy_from(packet);
        complete_checksum(&mut frame);
        each(&mut frame);
    } else if let Some(segmenter) = Segmenter::new(packet) {
        for index in 0..segmenter.count() {
            segmenter.write(index, packet, &mut frame);
            each(&mut frame);
        }
    }
    pool.give(frame);
}

/// Whether a transport protocol's segments are TCP's.
#[inline]
const fn is_tcp(kind: GsoKind) -> bool {
    matches!(kind, GsoKind::Tcp4 | GsoKind::Tcp6)
}
