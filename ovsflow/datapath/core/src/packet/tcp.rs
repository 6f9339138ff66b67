//! TCP headers.  Source: RFC 9293.

/// Length without options.
pub const HEADER_LEN: usize = 20;
/// Where the checksum stands.
pub const CHECKSUM_AT: usize = 16;
