//! The growing list of datapath actions, and the header writes that wait to join it.
//!
//! Writes are collected as bits of the key ([`Emitter::pend`]) and become `Set` actions when an
//! output, a copy or a change of the headers' order makes them visible.  A `Set` that follows
//! the push of the same header melts into it.

use crate::action::{DpAction, SetArp, SetHeader, SetIpv4, SetIpv6, SetNd};
use crate::error::DropReason;
use crate::flow::{FlowKey, FlowMask, Slot, slot};

/// EtherTypes whose headers can be written.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const RARP: u16 = 0x8035;
pub(super) const IPV6: u16 = 0x86dd;
const ICMPV4: u8 = 1;
const ICMPV6: u8 = 58;

/// Actions so far, and what waits.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    actions: Vec<DpAction>,
    /// Header bits of the key that the packet does not have yet.
    pending: FlowMask,
}

impl Emitter {
    /// An emitter that writes to `actions`.
    pub(super) fn new(actions: Vec<DpAction>) -> Self {
        Self {
            actions,
            pending: FlowMask::default(),
        }
    }

    /// Notes that the packet is to have the key's bits of `mask` in `slot`.
    pub(super) fn pend(&mut self, slot: Slot, mask: u128) {
        let pending = self.pending.value(slot) | mask;
        self.pending.set(slot, pending);
    }

    /// The writes that wait.
    pub(super) fn pending(&self) -> FlowMask {
        self.pending.clone()
    }

    /// Puts back the writes that waited when a copy was made.
    pub(super) fn set_pending(&mut self, pending: FlowMask) {
        self.pending = pending;
    }

    /// Appends an action.
    pub(super) fn push(&mut self, action: DpAction) {
        self.actions.push(action);
    }

    /// Starts a list of its own for a copy; [`Self::end_nested`] takes it.
    pub(super) fn begin_nested(&mut self) -> Vec<DpAction> {
        std::mem::take(&mut self.actions)
    }

    /// Ends the nested list and returns it; goes on with `outer`.
    pub(super) fn end_nested(&mut self, outer: Vec<DpAction>) -> Vec<DpAction> {
        std::mem::replace(&mut self.actions, outer)
    }

    /// Forgets what waits for `slot`: its header is about to go.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.take(slot);
    }

    /// Appends a list that ran on a copy: in place if it leaves the packet as it is.
    pub(super) fn append_copy(&mut self, list: Vec<DpAction>) {
        if list.iter().all(leaves_packet) {
            self.actions.extend(list);
        } else {
            self.actions.push(DpAction::Clone(list.into()));
        }
    }

    /// The whole list.  A packet that goes nowhere is lost for `lost`.
    pub(super) fn finish(mut self, lost: Option<DropReason>) -> Vec<DpAction> {
        self.trim();
        // The last copy may have the packet itself.
        while let Some(DpAction::Clone(last)) = self.actions.last() {
            let last = last.clone();
            self.actions.pop();
            let offset = self.actions.len();
            let moved = last.iter().map(|action| moved_by(action, offset));
            self.actions.extend(moved);
        }
        self.settle_losses();
        if !self.actions.iter().any(delivers) {
            self.actions
                .push(DpAction::Drop(lost.unwrap_or(DropReason::NoOutput)));
        }
        self.actions
    }

    /// Sees to it that a lost copy is not the last: the packet itself goes to somebody who takes it,
    /// or it is what is lost.
    fn settle_losses(&mut self) {
        let taken = |action: &DpAction| delivers(action) && !is_loss(action);
        let Some(last) = self.actions.iter().rposition(taken) else {
            if let Some(DpAction::Lost(reason)) = self.actions.last() {
                let dropped = DpAction::Drop(*reason);
                self.actions.pop();
                self.actions.push(dropped);
            }
            return;
        };
        if last + 1 < self.actions.len() && self.actions[last + 1..].iter().all(is_loss) {
            self.actions[last..].rotate_left(1);
        }
    }

    /// Drops header changes at the end, which nobody can see.
    pub(super) fn trim(&mut self) {
        while self.actions.last().is_some_and(only_changes_packet) {
            self.actions.pop();
        }
    }

    /// Writes all that waits.
    pub(super) fn flush_all(&mut self, flow: &FlowKey) {
        if self.pending.is_zero() {
            return;
        }
        self.flush_ethernet(flow);
        self.flush_vlan(flow);
        self.flush_mpls(flow);
        self.flush_network(flow);
        self.flush_transport(flow);
        self.pending = FlowMask::default();
    }

    /// Writes what waits for the outer VLAN tag.
    pub(super) fn flush_vlan(&mut self, flow: &FlowKey) {
        let mask = self.take(slot::VLAN_TCI) as u16 & !0x1000;
        if mask == 0 {
            return;
        }
        let tci = flow.value(slot::VLAN_TCI) as u16 & mask;
        if let Some(DpAction::PushVlan { tci: pushed, .. }) = self.actions.last_mut() {
            *pushed = *pushed & !mask | tci;
        } else {
            self.actions
                .push(DpAction::Set(SetHeader::Vlan { tci, mask }));
        }
    }

    fn flush_ethernet(&mut self, flow: &FlowKey) {
        let dst_mask = self.take(slot::ETH_DST) as u64;
        let src_mask = self.take(slot::ETH_SRC) as u64;
        if dst_mask | src_mask != 0 {
            self.actions.push(DpAction::Set(SetHeader::Ethernet {
                dst: flow.value(slot::ETH_DST) as u64 & dst_mask,
                dst_mask,
                src: flow.value(slot::ETH_SRC) as u64 & src_mask,
                src_mask,
            }));
        }
        if self.take(slot::ETH_TYPE) != 0 {
            let ethertype = flow.value(slot::ETH_TYPE) as u16;
            self.push(DpAction::Set(SetHeader::EtherType(ethertype)));
        }
    }

    fn flush_mpls(&mut self, flow: &FlowKey) {
        let mask = self.take(slot::MPLS_LSE0) as u32;
        if mask != 0 {
            let lse = flow.value(slot::MPLS_LSE0) as u32 & mask;
            if let Some(DpAction::PushMpls { lse: pushed, .. }) = self.actions.last_mut() {
                *pushed = *pushed & !mask | lse;
            } else {
                self.actions
                    .push(DpAction::Set(SetHeader::Mpls { lse, mask }));
            }
        }
        let mask = self.take(slot::PBB_ITAG) as u32;
        if mask != 0 {
            let itag = flow.value(slot::PBB_ITAG) as u32 & mask;
            if let Some(DpAction::PushPbb { itag: pushed, .. }) = self.actions.last_mut() {
                *pushed = *pushed & !mask | itag;
            } else {
                self.actions
                    .push(DpAction::Set(SetHeader::Pbb { itag, mask }));
            }
        }
    }

    fn flush_network(&mut self, flow: &FlowKey) {
        match flow.value(slot::ETH_TYPE) as u16 {
            IPV4 => self.flush_ipv4(flow),
            IPV6 => self.flush_ipv6(flow),
            ARP | RARP => self.flush_arp(flow),
            _ => {}
        }
    }

    fn flush_ipv4(&mut self, flow: &FlowKey) {
        let src_mask = self.take(slot::IPV4_SRC) as u32;
        let dst_mask = self.take(slot::IPV4_DST) as u32;
        let tos_mask = self.take(slot::IP_TOS) as u8;
        let ttl = (self.take(slot::IP_TTL) != 0).then(|| flow.value(slot::IP_TTL) as u8);
        let proto = (self.take(slot::IP_PROTO) != 0).then(|| flow.value(slot::IP_PROTO) as u8);
        if src_mask | dst_mask != 0 || tos_mask != 0 || ttl.is_some() || proto.is_some() {
            self.actions.push(DpAction::Set(SetHeader::Ipv4(SetIpv4 {
                src: flow.value(slot::IPV4_SRC) as u32 & src_mask,
                src_mask,
                dst: flow.value(slot::IPV4_DST) as u32 & dst_mask,
                dst_mask,
                tos: flow.value(slot::IP_TOS) as u8 & tos_mask,
                tos_mask,
                ttl,
                proto,
            })));
        }
    }

    fn flush_ipv6(&mut self, flow: &FlowKey) {
        let (src_mask, dst_mask) = (self.take(slot::IPV6_SRC), self.take(slot::IPV6_DST));
        let label_mask = self.take(slot::IPV6_LABEL) as u32;
        let traffic_class_mask = self.take(slot::IP_TOS) as u8;
        let ttl = self.take(slot::IP_TTL) != 0;
        let proto = self.take(slot::IP_PROTO) != 0;
        let set = SetIpv6 {
            src: flow.value(slot::IPV6_SRC) & src_mask,
            src_mask,
            dst: flow.value(slot::IPV6_DST) & dst_mask,
            dst_mask,
            traffic_class: flow.value(slot::IP_TOS) as u8 & traffic_class_mask,
            traffic_class_mask,
            label: flow.value(slot::IPV6_LABEL) as u32 & label_mask,
            label_mask,
            hop_limit: ttl.then(|| flow.value(slot::IP_TTL) as u8),
            proto: proto.then(|| flow.value(slot::IP_PROTO) as u8),
        };
        if set != SetIpv6::default() || src_mask | dst_mask != 0 {
            self.push(DpAction::Set(SetHeader::Ipv6(Box::new(set))));
        }
    }

    fn flush_arp(&mut self, flow: &FlowKey) {
        let (spa_mask, tpa_mask) = (self.take(slot::IPV4_SRC), self.take(slot::IPV4_DST));
        let (sha_mask, tha_mask) = (self.take(slot::ARP_SHA), self.take(slot::ARP_THA));
        let op = self.take(slot::IP_PROTO) != 0;
        if !op && spa_mask | tpa_mask | sha_mask | tha_mask == 0 {
            return;
        }
        self.push(DpAction::Set(SetHeader::Arp(Box::new(SetArp {
            op: op.then(|| flow.value(slot::IP_PROTO) as u16),
            spa: (flow.value(slot::IPV4_SRC) & spa_mask) as u32,
            spa_mask: spa_mask as u32,
            tpa: (flow.value(slot::IPV4_DST) & tpa_mask) as u32,
            tpa_mask: tpa_mask as u32,
            sha: (flow.value(slot::ARP_SHA) & sha_mask) as u64,
            sha_mask: sha_mask as u64,
            tha: (flow.value(slot::ARP_THA) & tha_mask) as u64,
            tha_mask: tha_mask as u64,
        }))));
    }

    fn flush_transport(&mut self, flow: &FlowKey) {
        let ethertype = flow.value(slot::ETH_TYPE) as u16;
        let proto = flow.value(slot::IP_PROTO) as u8;
        let icmp = matches!((ethertype, proto), (IPV4, ICMPV4) | (IPV6, ICMPV6));
        let (src_mask, dst_mask) = (self.take(slot::TP_SRC), self.take(slot::TP_DST));
        if src_mask | dst_mask != 0 && icmp {
            self.push(DpAction::Set(SetHeader::Icmp {
                kind: (src_mask != 0).then(|| flow.value(slot::TP_SRC) as u8),
                code: (dst_mask != 0).then(|| flow.value(slot::TP_DST) as u8),
            }));
        } else if src_mask | dst_mask != 0 {
            self.push(DpAction::Set(SetHeader::Transport {
                src: (flow.value(slot::TP_SRC) & src_mask) as u16,
                src_mask: src_mask as u16,
                dst: (flow.value(slot::TP_DST) & dst_mask) as u16,
                dst_mask: dst_mask as u16,
            }));
        }
        if (ethertype, proto) == (IPV6, ICMPV6) {
            self.flush_nd(flow);
        }
    }

    fn flush_nd(&mut self, flow: &FlowKey) {
        let target_mask = self.take(slot::ND_TARGET);
        let (sll_mask, tll_mask) = (self.take(slot::ARP_SHA), self.take(slot::ARP_THA));
        let reserved = self.take(slot::ND_RESERVED) != 0;
        let option_type = self.take(slot::ND_OPTION_TYPE) != 0;
        if target_mask | sll_mask | tll_mask == 0 && !reserved && !option_type {
            return;
        }
        self.push(DpAction::Set(SetHeader::NeighbourDiscovery(Box::new(
            SetNd {
                target: flow.value(slot::ND_TARGET) & target_mask,
                target_mask,
                sll: (flow.value(slot::ARP_SHA) & sll_mask) as u64,
                sll_mask: sll_mask as u64,
                tll: (flow.value(slot::ARP_THA) & tll_mask) as u64,
                tll_mask: tll_mask as u64,
                reserved: reserved.then(|| flow.value(slot::ND_RESERVED) as u32),
                option_type: option_type.then(|| flow.value(slot::ND_OPTION_TYPE) as u8),
            },
        ))));
    }

    /// The bits that wait in `slot`, which then wait no longer.
    fn take(&mut self, slot: Slot) -> u128 {
        let mask = self.pending.value(slot);
        self.pending.set(slot, 0);
        mask
    }
}

const fn is_loss(action: &DpAction) -> bool {
    matches!(action, DpAction::Lost(_))
}

/// Whether an action hands the packet, or a copy, to somebody.
fn delivers(action: &DpAction) -> bool {
    match action {
        DpAction::Output(_)
        | DpAction::OutputTunnel { .. }
        | DpAction::OutputTruncated { .. }
        | DpAction::Controller(_)
        | DpAction::Drop(_)
        | DpAction::Lost(_)
        | DpAction::Select(_)
        | DpAction::Recirculate(_) => true,
        DpAction::Clone(list) => list.iter().any(delivers),
        DpAction::IfLarger {
            larger, otherwise, ..
        } => larger.iter().chain(otherwise.iter()).any(delivers),
        _ => false,
    }
}

/// Whether the packet after an action is as it was before.
fn leaves_packet(action: &DpAction) -> bool {
    matches!(
        action,
        DpAction::Output(_)
            | DpAction::OutputTunnel { .. }
            | DpAction::OutputTruncated { .. }
            | DpAction::Controller(_)
            | DpAction::Lost(_)
            | DpAction::Clone(_)
            | DpAction::Select(_)
            | DpAction::IfLarger { .. }
    )
}

/// Whether an action does nothing but change the packet.
fn only_changes_packet(action: &DpAction) -> bool {
    matches!(
        action,
        DpAction::Set(_)
            | DpAction::PushVlan { .. }
            | DpAction::PopVlan { .. }
            | DpAction::PushMpls { .. }
            | DpAction::PopMpls { .. }
            | DpAction::PushPbb { .. }
            | DpAction::PopPbb { .. }
            | DpAction::CopyTtlOut
            | DpAction::CopyTtlIn
            | DpAction::SetQueue(_)
    )
}

/// `action`, standing `offset` places later in its list.
fn moved_by(action: &DpAction, offset: usize) -> DpAction {
    let mut action = action.clone();
    match &mut action {
        DpAction::DecTtl { skip_to, .. } | DpAction::DecMplsTtl { skip_to, .. } => {
            *skip_to = skip_to.saturating_add(offset as u16);
        }
        _ => {}
    }
    action
}
