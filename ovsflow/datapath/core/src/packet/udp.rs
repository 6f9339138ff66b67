//! UDP headers.  Source: RFC 768.

/// Length of the header.
pub const HEADER_LEN: usize = 8;
/// Where the checksum stands.
pub const CHECKSUM_AT: usize = 6;
