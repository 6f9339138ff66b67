//! UDP headers.  Source: RFC 768.

/// Length of the header.
pub const HEADER_LEN: usize = 8;
/// Where the checksum stands.
pub const CHECKSUM_AT: usize = 6;
/// Where the length of header and payload stands.
pub const LENGTH_AT: usize = 4;

/// A computed checksum as it is sent: zero would say that there is none.
#[inline]
pub const fn non_zero(checksum: u16) -> u16 {
    if checksum == 0 { 0xffff } else { checksum }
}
