//! SCTP common headers.  Source: RFC 9260.

/// Length of the common header.
pub const HEADER_LEN: usize = 12;
/// Where the CRC32c stands.
pub const CHECKSUM_AT: usize = 8;
