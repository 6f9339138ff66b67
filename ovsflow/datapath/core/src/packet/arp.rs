//! ARP and RARP for IPv4 over Ethernet.  Source: RFC 826, RFC 903.

use super::number::{be32, merge, put_be16, put_be32, view, view_mut};

/// Length of the message.
pub const LEN: usize = 28;
/// Where the operation stands.
pub const OPERATION_AT: usize = 6;
/// Where the sender's hardware address stands.
pub const SENDER_HARDWARE_AT: usize = 8;
/// Where the sender's protocol address stands.
pub const SENDER_PROTOCOL_AT: usize = 14;
/// Where the target's hardware address stands.
pub const TARGET_HARDWARE_AT: usize = 18;
/// Where the target's protocol address stands.
pub const TARGET_PROTOCOL_AT: usize = 24;

/// Whether a whole message that resolves IPv4 to Ethernet stands at `at`.
#[inline]
pub fn is_ipv4(frame: &[u8], at: usize) -> bool {
    // Hardware type 1, protocol type 0x0800, address lengths 6 and 4.
    view::<LEN>(frame, at).is_some_and(|raw| raw[..6] == [0x00, 0x01, 0x08, 0x00, 6, 4])
}

/// ARP fields to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub op: Option<u16>,
    pub spa: u32,
    pub spa_mask: u32,
    pub tpa: u32,
    pub tpa_mask: u32,
    pub sha: u64,
    pub sha_mask: u64,
    pub tha: u64,
    pub tha_mask: u64,
}

/// Writes fields of the message at `at`.
pub fn set(frame: &mut [u8], at: usize, change: &Change) {
    if let Some(operation) = change.op {
        put_be16(frame, at + OPERATION_AT, operation);
    }
    set_hardware(frame, at + SENDER_HARDWARE_AT, change.sha, change.sha_mask);
    set_protocol(frame, at + SENDER_PROTOCOL_AT, change.spa, change.spa_mask);
    set_hardware(frame, at + TARGET_HARDWARE_AT, change.tha, change.tha_mask);
    set_protocol(frame, at + TARGET_PROTOCOL_AT, change.tpa, change.tpa_mask);
}

fn set_protocol(frame: &mut [u8], at: usize, value: u32, mask: u32) {
    if let Some(old) = be32(frame, at) {
        put_be32(frame, at, merge(old, value, mask));
    }
}

fn set_hardware(frame: &mut [u8], at: usize, value: u64, mask: u64) {
    if let Some(raw) = view_mut::<6>(frame, at) {
        let [a, b, c, d, e, f] = *raw;
        let old = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let [_, _, new @ ..] = merge(old, value, mask).to_be_bytes();
        *raw = new;
    }
}
