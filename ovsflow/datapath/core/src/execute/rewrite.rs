//! Actions that change one packet and nothing else.
//!
//! Where headers are is found out once and remembered until an action moves them.

use crate::action::{DpAction, SetHeader};
use crate::error::DropReason;
use crate::packet::ethernet::{TYPE_IPV4, TYPE_IPV6};
use crate::packet::layers::{L3, Layers};
use crate::packet::{Packet, arp, ethernet, icmp, ipv4, ipv6, mpls, number, transport, vxlan};

/// Where one packet's headers are, once somebody asked.
#[derive(Default)]
pub(super) struct Known {
    valid: bool,
    layers: Layers,
}

impl Known {
    /// The layers of `packet`, which must be the same packet each time.
    #[inline]
    fn of(&mut self, packet: &Packet) -> &Layers {
        if !self.valid {
            self.valid = true;
            self.layers.read(packet.bytes());
        }
        &self.layers
    }

    /// Headers may have moved.
    #[inline]
    fn forget(&mut self) {
        self.valid = false;
    }
}

/// Carries out an action that changes the packet and nothing else.
#[inline]
pub(super) fn rewrite(
    action: &DpAction,
    packet: &mut Packet,
    known: &mut Known,
) -> Result<(), DropReason> {
    if let DpAction::Set(SetHeader::Ethernet {
        dst,
        dst_mask,
        src,
        src_mask,
    }) = action
    {
        // The most usual one needs no headers found, and no call.
        ethernet::set_addresses(packet.bytes_mut(), *dst, *dst_mask, *src, *src_mask);
        return Ok(());
    }
    rewrite_found(action, packet, known)
}

fn rewrite_found(
    action: &DpAction,
    packet: &mut Packet,
    known: &mut Known,
) -> Result<(), DropReason> {
    match action {
        DpAction::Set(header) => {
            set(header, packet, known.of(packet));
            if changes_layers(header) {
                known.forget();
            }
        }
        DpAction::CopyTtlOut => with_mpls(packet, known, mpls::copy_ttl_out),
        DpAction::CopyTtlIn => with_mpls(packet, known, mpls::copy_ttl_in),
        _ => {
            let done = push_or_pop(action, packet, known);
            known.forget();
            return done;
        }
    }
    Ok(())
}

/// Pushes and pops; `Err` when there is no room for another header.
#[inline]
fn push_or_pop(
    action: &DpAction,
    packet: &mut Packet,
    known: &mut Known,
) -> Result<(), DropReason> {
    let before = packet.len();
    let pushed = match action {
        DpAction::PushVlan { tpid, tci } => {
            // A frame too short to be tagged is no reason to lose it here.
            packet.len() < ethernet::HEADER_LEN || ethernet::push_vlan(packet, *tpid, *tci)
        }
        DpAction::PopVlan { fills } => {
            ethernet::pop_vlan(packet);
            fill(packet, before, *fills)
        }
        DpAction::PushMpls { ethertype, lse } => {
            let type_at = known.of(packet).type_at;
            type_at == 0 || mpls::push(packet, usize::from(type_at), *ethertype, *lse)
        }
        DpAction::PopMpls { ethertype, fills } => {
            let layers = known.of(packet);
            if layers.has_mpls() {
                mpls::pop(packet, usize::from(layers.type_at), *ethertype);
            }
            fill(packet, before, *fills)
        }
        DpAction::PushPbb { ethertype, itag } => {
            packet.len() < ethernet::HEADER_LEN || ethernet::push_pbb(packet, *ethertype, *itag)
        }
        DpAction::PopPbb { fills } => {
            let layers = known.of(packet);
            if layers.has_pbb() {
                ethernet::pop_pbb(packet, usize::from(layers.tag));
            }
            fill(packet, before, *fills)
        }
        _ => true,
    };
    if pushed {
        Ok(())
    } else {
        Err(DropReason::NoHeadroom)
    }
}

/// Fills a frame up that was `before` bytes long, if it is to be; there is always room for that.
#[inline]
fn fill(packet: &mut Packet, before: usize, fills: bool) -> bool {
    if fills {
        ethernet::pad_shortened(packet, before);
    }
    true
}

fn with_mpls(packet: &mut Packet, known: &mut Known, change: fn(&mut [u8], usize)) {
    let layers = known.of(packet);
    if layers.has_mpls() {
        change(packet.bytes_mut(), usize::from(layers.tag));
    }
}

/// Writes the bits of `header` if the packet has that header.
#[inline]
fn set(header: &SetHeader, packet: &mut Packet, layers: &Layers) {
    let offload = packet.offload;
    let frame = packet.bytes_mut();
    match header {
        // Needs no layers, and was written before they were looked for.
        SetHeader::Ethernet { .. } => {}
        SetHeader::EtherType(ethertype) => {
            if layers.type_at != 0 {
                number::put_be16(frame, usize::from(layers.type_at), *ethertype);
            }
        }
        SetHeader::Vlan { tci, mask } => {
            if layers.vlan_tags != 0 {
                ethernet::set_vlan(frame, *tci, *mask);
            }
        }
        SetHeader::Mpls { lse, mask } => {
            if layers.has_mpls() {
                mpls::set(frame, usize::from(layers.tag), *lse, *mask);
            }
        }
        SetHeader::Pbb { itag, mask } => {
            if layers.has_pbb() {
                ethernet::set_pbb(frame, usize::from(layers.tag), *itag, *mask);
            }
        }
        SetHeader::Ipv4(change) => {
            if layers.l3_kind == L3::Ipv4 {
                ipv4::set(frame, layers, &offload, change);
            }
        }
        SetHeader::Ipv6(change) => {
            if layers.l3_kind == L3::Ipv6 {
                ipv6::set(frame, layers, &offload, change);
            }
        }
        SetHeader::Transport {
            src,
            src_mask,
            dst,
            dst_mask,
        } => {
            let value = u32::from(*src) << 16 | u32::from(*dst);
            let mask = u32::from(*src_mask) << 16 | u32::from(*dst_mask);
            transport::set_ports(frame, layers, &offload, value, mask);
        }
        SetHeader::Icmp { kind, code } => icmp::set(frame, layers, &offload, *kind, *code),
        SetHeader::Arp(change) => {
            if layers.l3_kind == L3::Arp {
                arp::set(frame, usize::from(layers.l3), change);
            }
        }
        SetHeader::NeighbourDiscovery(change) => {
            icmp::set_neighbour(frame, layers, &offload, change);
        }
    }
}

/// Whether writing `header` may change what follows it.
#[inline]
pub(super) fn changes_layers(header: &SetHeader) -> bool {
    match header {
        SetHeader::EtherType(_) => true,
        SetHeader::Ipv4(change) => change.proto.is_some(),
        SetHeader::Ipv6(change) => change.proto.is_some(),
        _ => false,
    }
}

/// Decrements the IP TTL; `false`, and no change, if it is 0 or 1, or if what calls itself IP has no
/// whole header, as in Open vSwitch.  Another frame passes.
#[inline(always)]
pub(super) fn dec_ttl(packet: &mut Packet, known: &mut Known) -> bool {
    match ipv4::dec_ttl_of_plain(packet.bytes_mut()) {
        Some(done) => done,
        None => dec_any_ttl(packet, known),
    }
}

/// The same, for packets of which it must be found out where they have it.
#[inline(never)]
fn dec_any_ttl(packet: &mut Packet, known: &mut Known) -> bool {
    let layers = known.of(packet);
    let at = usize::from(layers.l3);
    match layers.l3_kind {
        L3::Ipv4 => ipv4::dec_ttl(packet.bytes_mut(), at),
        L3::Ipv6 => ipv6::dec_hop_limit(packet.bytes_mut(), at),
        L3::None | L3::Arp => !matches!(layers.ethertype, TYPE_IPV4 | TYPE_IPV6),
    }
}

/// Decrements the TTL of the outer label; `false`, and no change, if it is 0 or 1.  A frame without
/// label passes.
#[inline]
pub(super) fn dec_mpls_ttl(packet: &mut Packet, known: &mut Known) -> bool {
    let layers = known.of(packet);
    !layers.has_mpls() || mpls::dec_ttl(packet.bytes_mut(), usize::from(layers.tag))
}

/// Raises the drop precedence of an assured-forwarding DSCP by `levels`, to the third at most;
/// other code points have no drop precedence.  Source: RFC 2597 §6, OpenFlow 1.3.5 §5.7.1.
pub(super) fn remark(packet: &mut Packet, known: &mut Known, levels: u8) {
    let layers = known.of(packet);
    let Some(tos) = vxlan::inner_tos(packet.bytes(), layers) else {
        return;
    };
    // DSCP is class (3 bits), precedence (2 bits), 0; two more bits are ECN.
    let (class, precedence) = (tos >> 5, tos >> 3 & 3);
    if !(1..=4).contains(&class) || precedence == 0 || tos & 0x04 != 0 {
        return;
    }
    let tos = class << 5 | precedence.saturating_add(levels).min(3) << 3;
    let offload = packet.offload;
    if layers.l3_kind == L3::Ipv4 {
        let change = ipv4::Change {
            tos,
            tos_mask: 0xfc,
            ..ipv4::Change::default()
        };
        ipv4::set(packet.bytes_mut(), layers, &offload, &change);
    } else {
        let change = ipv6::Change {
            traffic_class: tos,
            traffic_class_mask: 0xfc,
            ..ipv6::Change::default()
        };
        ipv6::set(packet.bytes_mut(), layers, &offload, &change);
    }
}
