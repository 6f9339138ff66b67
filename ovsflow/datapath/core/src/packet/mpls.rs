//! MPLS label stack entries: label 20 bits, TC 3, bottom of stack 1, TTL 8.  Source: RFC 3032.

use super::number::be32;

/// Length of an entry.
pub const ENTRY_LEN: usize = 4;
/// The bottom-of-stack bit.
pub const BOTTOM: u32 = 0x100;

/// The entry at `at`, if whole.
#[inline]
pub fn entry(frame: &[u8], at: usize) -> Option<u32> {
    be32(frame, at)
}
