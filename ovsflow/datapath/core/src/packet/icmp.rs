//! ICMP and ICMPv6 headers.  Source: RFC 792, RFC 4443.

/// Type, code and checksum, which every message has.
pub const HEADER_LEN: usize = 4;
/// Where the checksum stands.
pub const CHECKSUM_AT: usize = 2;
