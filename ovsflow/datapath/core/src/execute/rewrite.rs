//! Header writes.

use crate::action::{DpAction, SetHeader};
use crate::error::DropReason;
use crate::packet::layers::{L3, Layers};
use crate::packet::{Packet, checksum, ethernet, number};

/// Carries out an action that changes the packet and nothing else.
#[inline]
pub(super) fn rewrite(action: &DpAction, packet: &mut Packet) -> Result<(), DropReason> {
    match action {
        DpAction::Set(SetHeader::Ethernet {
            dst,
            dst_mask,
            src,
            src_mask,
        }) => ethernet::set_addresses(packet.bytes_mut(), *dst, *dst_mask, *src, *src_mask),
        DpAction::Set(SetHeader::Vlan { tci, mask }) => {
            ethernet::set_vlan(packet.bytes_mut(), *tci, *mask);
        }
        DpAction::PushVlan { tpid, tci } if !ethernet::push_vlan(packet, *tpid, *tci) => {
            return Err(DropReason::NoHeadroom);
        }
        DpAction::PopVlan => {
            ethernet::pop_vlan(packet);
        }
        _ => {}
    }
    Ok(())
}

/// Decrements the IP TTL; `false`, and no change, if it is 0 or 1.  A frame without IP header passes.
#[inline]
pub(super) fn dec_ttl(packet: &mut Packet) -> bool {
    let layers = Layers::parse(packet);
    let at = usize::from(layers.l3);
    match layers.l3_kind {
        L3::Ipv4 => {
            let Some(raw) = number::view_mut::<20>(packet.bytes_mut(), at) else {
                return true;
            };
            if raw[8] <= 1 {
                return false;
            }
            let old = u16::from_be_bytes([raw[8], raw[9]]);
            let sum = u16::from_be_bytes([raw[10], raw[11]]);
            raw[8] -= 1;
            let sum = checksum::update16(sum, old, old - 0x100);
            [raw[10], raw[11]] = sum.to_be_bytes();
            true
        }
        L3::Ipv6 => match packet.bytes_mut().get_mut(at + 7) {
            Some(0 | 1) => false,
            Some(hop_limit) => {
                *hop_limit -= 1;
                true
            }
            None => true,
        },
        L3::None | L3::Arp => true,
    }
}
