//! TCP headers.  Source: RFC 9293; CWR: RFC 3168.

use super::number::view;

/// Length without options.
pub const HEADER_LEN: usize = 20;
/// Where the sequence number stands.
pub const SEQUENCE_AT: usize = 4;
/// Where the header's length stands, in 32-bit words, in the high half of the byte.
pub const LENGTH_AT: usize = 12;
/// Where the low eight flags stand.
pub const FLAGS_AT: usize = 13;
/// Where the checksum stands.
pub const CHECKSUM_AT: usize = 16;

/// No more data from the sender.
pub const FIN: u8 = 0x01;
/// Deliver now.
pub const PSH: u8 = 0x08;
/// The acknowledgement number counts.
pub const ACK: u8 = 0x10;
/// ECN echo.
pub const ECE: u8 = 0x40;
/// Congestion window reduced.
pub const CWR: u8 = 0x80;

/// Length of the header at `at` with its options, if that is sane.
#[inline]
pub fn header_len(frame: &[u8], at: usize) -> Option<usize> {
    let raw = view::<HEADER_LEN>(frame, at)?;
    let len = usize::from(raw[LENGTH_AT] >> 4) * 4;
    (len >= HEADER_LEN && at + len <= frame.len()).then_some(len)
}
