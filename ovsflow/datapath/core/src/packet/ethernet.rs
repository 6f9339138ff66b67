//! Ethernet headers: addresses, EtherType, VLAN tags and the PBB service tag.
//!
//! Source: IEEE 802.3, 802.1Q, 802.1ah.

use super::Packet;
use super::number::{be16, be32, merge, put_be16, put_be32, view_mut};

/// Length of an untagged header.
pub const HEADER_LEN: usize = 14;
/// Length of the two addresses.
pub const ADDRESSES_LEN: usize = 12;
/// Length of a VLAN tag.
pub const VLAN_LEN: usize = 4;
/// Length of what a PBB push adds: addresses, EtherType and I-TAG.
pub const PBB_LEN: usize = 18;

/// The shortest frame on a wire, without its check sequence.
pub const FRAME_MIN: usize = 60;

/// IPv4.
pub const TYPE_IPV4: u16 = 0x0800;
/// ARP.
pub const TYPE_ARP: u16 = 0x0806;
/// Reverse ARP, same format as ARP.
pub const TYPE_RARP: u16 = 0x8035;
/// Customer VLAN tag.
pub const TYPE_VLAN: u16 = 0x8100;
/// IPv6.
pub const TYPE_IPV6: u16 = 0x86dd;
/// MPLS, downstream assigned.
pub const TYPE_MPLS: u16 = 0x8847;
/// MPLS, upstream assigned.
pub const TYPE_MPLS_UPSTREAM: u16 = 0x8848;
/// Service VLAN tag.
pub const TYPE_SERVICE_VLAN: u16 = 0x88a8;
/// PBB I-TAG.
pub const TYPE_PBB: u16 = 0x88e7;
/// Stands for an 802.3 frame that carries no EtherType.
pub const TYPE_NONE: u16 = 0x05ff;
/// The lowest EtherType; smaller numbers are 802.3 lengths.
pub const TYPE_MIN: u16 = 0x0600;

/// Fills a frame that lost a header up to the shortest legal one, if it was legal when it was
/// `before` bytes long.  What is shortened on its way must be padded before it is sent, and where
/// it leaves nobody knows that it was; a runt of a virtual device stays as it is.
/// Source: IEEE 802.3 §3.2.8, 802.1Q §6.
#[inline]
pub fn pad_shortened(packet: &mut Packet, before: usize) {
    if before >= FRAME_MIN && packet.len() < FRAME_MIN {
        packet.pad(FRAME_MIN);
    }
}

/// Whether `ethertype` announces a VLAN tag.
#[inline]
pub fn is_vlan(ethertype: u16) -> bool {
    ethertype == TYPE_VLAN || ethertype == TYPE_SERVICE_VLAN
}

/// Whether `ethertype` announces a label stack.
#[inline]
pub fn is_mpls(ethertype: u16) -> bool {
    ethertype == TYPE_MPLS || ethertype == TYPE_MPLS_UPSTREAM
}

/// Writes address bits, 48-bit numbers; a frame too short is left alone.
#[inline]
pub fn set_addresses(frame: &mut [u8], dst: u64, dst_mask: u64, src: u64, src_mask: u64) {
    let Some(raw) = view_mut::<ADDRESSES_LEN>(frame, 0) else {
        return;
    };
    // Two halves of the twelve bytes, in words that overlap.
    let [front @ .., _, _, _, _] = *raw;
    let [_, _, _, _, back @ ..] = *raw;
    let (front, back) = (u64::from_be_bytes(front), u64::from_be_bytes(back));
    let front = merge(
        front,
        dst << 16 | src >> 32,
        dst_mask << 16 | src_mask >> 32,
    );
    let back = merge(back, dst << 48 | src, dst_mask << 48 | src_mask);
    if let Some(place) = raw.first_chunk_mut() {
        *place = front.to_be_bytes();
    }
    if let Some(place) = raw.last_chunk_mut() {
        *place = back.to_be_bytes();
    }
}

/// Pushes a VLAN tag in front of all others; `false`, and no change, without headroom.
#[inline]
pub fn push_vlan(packet: &mut Packet, tpid: u16, tci: u16) -> bool {
    let Some(gap) = packet.insert(ADDRESSES_LEN, VLAN_LEN) else {
        return false;
    };
    put_be16(gap, 0, tpid);
    put_be16(gap, 2, tci);
    true
}

/// Drops the outer VLAN tag; `false`, and no change, if there is none.
#[inline]
pub fn pop_vlan(packet: &mut Packet) -> bool {
    // The tag and the type behind it must be whole.
    let tagged = be16(packet.bytes(), ADDRESSES_LEN).is_some_and(is_vlan)
        && packet.len() >= HEADER_LEN + VLAN_LEN;
    tagged && packet.remove(ADDRESSES_LEN, VLAN_LEN)
}

/// Writes bits of the outer tag's TCI; nothing happens to an untagged frame.
#[inline]
pub fn set_vlan(frame: &mut [u8], tci: u16, mask: u16) {
    if be16(frame, ADDRESSES_LEN).is_some_and(is_vlan)
        && let Some(old) = be16(frame, HEADER_LEN)
    {
        put_be16(frame, HEADER_LEN, merge(old, tci, mask));
    }
}

/// Puts a service header in front: a copy of the addresses, `ethertype` and the I-TAG.
/// `false`, and no change, without headroom.
pub fn push_pbb(packet: &mut Packet, ethertype: u16, itag: u32) -> bool {
    let Some(addresses) = packet.bytes().first_chunk::<ADDRESSES_LEN>().copied() else {
        return false;
    };
    let Some(front) = packet.push_front(PBB_LEN) else {
        return false;
    };
    if let Some(raw) = view_mut(front, 0) {
        *raw = addresses;
    }
    put_be16(front, ADDRESSES_LEN, ethertype);
    put_be32(front, HEADER_LEN, itag);
    true
}

/// Drops the outer addresses and the I-TAG, which stands at `tag`; VLAN tags in front of it stay.
/// `false`, and no change, if the customer's addresses are not whole.
pub fn pop_pbb(packet: &mut Packet, tag: usize) -> bool {
    let customer = tag + 4;
    let Some(addresses) = super::number::view::<ADDRESSES_LEN>(packet.bytes(), customer).copied()
    else {
        return false;
    };
    if packet.len() < customer + HEADER_LEN || tag < HEADER_LEN {
        return false;
    }
    // Service type and I-TAG go, then the customer's addresses move to the front.
    if !packet.remove(tag - 2, PBB_LEN) {
        return false;
    }
    if let Some(raw) = view_mut(packet.bytes_mut(), 0) {
        *raw = addresses;
    }
    true
}

/// Writes bits of the I-TAG at `tag`.
pub fn set_pbb(frame: &mut [u8], tag: usize, itag: u32, mask: u32) {
    if let Some(old) = be32(frame, tag) {
        put_be32(frame, tag, merge(old, itag, mask));
    }
}
