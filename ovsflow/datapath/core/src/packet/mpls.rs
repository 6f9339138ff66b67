//! MPLS label stack entries: label 20 bits, TC 3, bottom of stack 1, TTL 8.
//!
//! A label stack does not say what it carries; below it the datagram's first bits tell IPv4 from IPv6.
//!
//! Source: RFC 3032; copying TTLs: RFC 3443 §3.

use super::layers::{L3, Layers};
use super::number::{be32, merge, put_be16, put_be32};
use super::{Packet, ipv4, ipv6};

/// Length of an entry.
pub const ENTRY_LEN: usize = 4;
/// The bottom-of-stack bit.
pub const BOTTOM: u32 = 0x100;
/// Entries that are looked behind.
pub const MAX_ENTRIES: usize = 16;

/// The entry at `at`, if whole.
#[inline]
pub fn entry(frame: &[u8], at: usize) -> Option<u32> {
    be32(frame, at)
}

/// Pushes an entry in front of the payload whose EtherType stands at `type_at`, which becomes `ethertype`.
/// `false`, and no change, without headroom or EtherType.
pub fn push(packet: &mut Packet, type_at: usize, ethertype: u16, entry: u32) -> bool {
    if type_at == 0 {
        return false;
    }
    let Some(gap) = packet.insert(type_at + 2, ENTRY_LEN) else {
        return false;
    };
    put_be32(gap, 0, entry);
    put_be16(packet.bytes_mut(), type_at, ethertype);
    true
}

/// Drops the outer entry, which stands behind the EtherType at `type_at`.
pub fn pop(packet: &mut Packet, type_at: usize, ethertype: u16) {
    if packet.remove(type_at + 2, ENTRY_LEN) {
        put_be16(packet.bytes_mut(), type_at, ethertype);
    }
}

/// Writes bits of the entry at `at`.
pub fn set(frame: &mut [u8], at: usize, value: u32, mask: u32) {
    if let Some(old) = entry(frame, at) {
        put_be32(frame, at, merge(old, value, mask));
    }
}

/// Decrements the TTL of the entry at `at`; `false`, and no change, if it is 0 or 1.
pub fn dec_ttl(frame: &mut [u8], at: usize) -> bool {
    match entry(frame, at) {
        Some(entry) if entry & 0xff <= 1 => false,
        Some(entry) => {
            put_be32(frame, at, entry - 1);
            true
        }
        None => true,
    }
}

/// Copies the TTL of what follows the entry at `at` (another entry, or IP) into it.
pub fn copy_ttl_out(frame: &mut [u8], at: usize) {
    let Some(outer) = entry(frame, at) else {
        return;
    };
    let ttl = if outer & BOTTOM == 0 {
        entry(frame, at + ENTRY_LEN).map(|inner| inner as u8)
    } else {
        let below = Layers::parse_network(frame, at + ENTRY_LEN);
        let l3 = usize::from(below.l3);
        match below.l3_kind {
            L3::Ipv4 => frame.get(l3 + ipv4::TTL_AT).copied(),
            L3::Ipv6 => frame.get(l3 + ipv6::HOP_LIMIT_AT).copied(),
            L3::None | L3::Arp => None,
        }
    };
    if let Some(ttl) = ttl {
        set(frame, at, u32::from(ttl), 0xff);
    }
}

/// Copies the TTL of the entry at `at` into what follows: another entry, or IP.
pub fn copy_ttl_in(frame: &mut [u8], at: usize) {
    let Some(outer) = entry(frame, at) else {
        return;
    };
    if outer & BOTTOM == 0 {
        return set(frame, at + ENTRY_LEN, outer, 0xff);
    }
    let below = Layers::parse_network(frame, at + ENTRY_LEN);
    let l3 = usize::from(below.l3);
    match below.l3_kind {
        L3::Ipv4 => ipv4::set_ttl(frame, l3, outer as u8),
        L3::Ipv6 => ipv6::set_hop_limit(frame, l3, outer as u8),
        L3::None | L3::Arp => {}
    }
}

/// Where the datagram below the whole stack starts; `None` if the stack has no bottom.
pub fn payload(frame: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..MAX_ENTRIES {
        let bottom = entry(frame, at)? & BOTTOM != 0;
        at += ENTRY_LEN;
        if bottom {
            return Some(at);
        }
    }
    None
}
