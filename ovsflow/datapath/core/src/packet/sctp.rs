//! SCTP common headers.  Source: RFC 9260.

use super::checksum::crc32c;
use super::number::{view, view_mut};

/// Length of the common header.
pub const HEADER_LEN: usize = 12;
/// Where the CRC32c stands, lowest byte first.
pub const CHECKSUM_AT: usize = 8;

/// The CRC32c of a packet, its own field counted as zero.
pub fn compute(packet: &[u8]) -> Option<u32> {
    let head = packet.get(..CHECKSUM_AT)?;
    let rest = packet.get(HEADER_LEN..)?;
    Some(crc32c::crc(&[head, &[0; 4], rest]))
}

/// Whether a packet's CRC32c holds.
pub fn verify(packet: &[u8]) -> bool {
    let field = view(packet, CHECKSUM_AT).map(|raw| u32::from_le_bytes(*raw));
    field.is_some() && field == compute(packet)
}

/// Changes the CRC32c at `at` by `delta` (exclusive or).
pub(super) fn update(frame: &mut [u8], at: usize, delta: u32) {
    if let Some(raw) = view_mut::<4>(frame, at) {
        *raw = (u32::from_le_bytes(*raw) ^ delta).to_le_bytes();
    }
}
