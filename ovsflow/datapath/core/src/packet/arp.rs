//! ARP and RARP for IPv4 over Ethernet.  Source: RFC 826, RFC 903.

use super::number::view;

/// Length of the message.
pub const LEN: usize = 28;

/// Whether a whole message that resolves IPv4 to Ethernet stands at `at`.
#[inline]
pub fn is_ipv4(frame: &[u8], at: usize) -> bool {
    // Hardware type 1, protocol type 0x0800, address lengths 6 and 4.
    view::<LEN>(frame, at).is_some_and(|raw| raw[..6] == [0x00, 0x01, 0x08, 0x00, 6, 4])
}
