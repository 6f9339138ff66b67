//! The Internet checksum: sums of big-endian 16-bit words in ones' complement.
//!
//! A *sum* is folded to 16 bits and not inverted; a *checksum* is an inverted sum, as it stands in
//! a header.  Source: RFC 1071, RFC 1624.

/// Adds two sums.
#[inline]
pub const fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u16
}

/// The checksum for a sum.
#[inline]
pub const fn finish(sum: u16) -> u16 {
    !sum
}

/// A checksum after one 16-bit word under it changed (RFC 1624, equation 3).
#[inline]
pub const fn update16(checksum: u16, old: u16, new: u16) -> u16 {
    !add(add(!checksum, !old), new)
}

/// A checksum after one 32-bit number under it changed.
#[inline]
pub const fn update32(checksum: u16, old: u32, new: u32) -> u16 {
    update_sum(checksum, delta32(old, new))
}

/// A checksum after the sum of what it covers grew by `delta`.
#[inline]
pub const fn update_sum(checksum: u16, delta: u16) -> u16 {
    !add(!checksum, delta)
}

/// What the sum grows by when a 32-bit number changes.
#[inline]
pub const fn delta32(old: u32, new: u32) -> u16 {
    add(fold(!old as u64), fold(new as u64))
}

/// Folds a wide sum of 16-bit words to 16 bits.
#[inline]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}
