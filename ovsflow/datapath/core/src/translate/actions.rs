//! Lists of actions, run from first to last on the walk's key.

use std::sync::Arc;

use super::Observer;
use super::emit::IPV6;
use super::fields::port_in_field;
use super::freeze::{Hidden, Step};
use super::hash;
use super::walk::{ListEnd, Walk};
use crate::action::DpAction;
use crate::error::DropReason;
use crate::flow::field::{Prerequisite, VLAN_PRESENT, port_to_16};
use crate::flow::{FlowKey, Slot, slot};
use crate::openflow::action::{
    Action, Bundle, Instructions, MeterId, Multipath, Subfield, TableId,
};
use crate::packet::PortNo;
use crate::table::{Compat, Meter};

/// The bottom-of-stack bit of a label stack entry.
pub(super) const BOTTOM: u32 = 0x100;

impl<O: Observer> Walk<'_, O> {
    /// Runs `actions` until one ends the list, the walk exits or it fails.
    ///
    /// `tail` is the rule whose instructions follow: a fork of the walk takes them along.
    pub(super) fn run_list(&mut self, actions: &[Action], tail: Option<&Instructions>) -> ListEnd {
        let mut rest = actions;
        if self.failure.is_some() {
            return ListEnd::EndList;
        }
        while let Some((action, after)) = rest.split_first() {
            if self.lacks_headers_for(action) {
                return self.freeze(Step::list(self.source, rest, tail));
            }
            rest = after;
            self.observer.action(action);
            let goes_on = |tail: &Instructions| {
                tail.goto.is_some() || tail.write.iter().any(counts_elsewhere)
            };
            self.followed = tail.is_some_and(goes_on) || after.iter().any(counts_elsewhere);
            if let Action::CheckPacketLarger { len, target } = action {
                self.fork_by_length(*len, *target, rest, tail);
                return ListEnd::EndList;
            }
            if let Action::Controller(options) = action
                && options.pause
            {
                return self.pause(options, rest, tail);
            }
            let source = self.source;
            let end = self.run_action(action);
            self.freeze_rest(rest, tail, source);
            let stops = self.failure.is_some() || self.exit || self.frozen.is_some();
            if end == ListEnd::EndList || stops {
                return ListEnd::EndList;
            }
        }
        ListEnd::Next
    }

    fn run_action(&mut self, action: &Action) -> ListEnd {
        match action {
            Action::Output { port, max_len } => self.output(*port, *max_len),
            Action::OutputField { source, max_len } => {
                let port = port_in_field(self.read(*source));
                self.output(port, *max_len);
            }
            Action::OutputTruncated { port, max_len } => self.output_truncated(*port, *max_len),
            Action::Controller(options) => self.output_controller_with(options),
            Action::Enqueue { port, queue } => {
                self.emitter.push(DpAction::SetQueue(*queue));
                self.output(*port, 0xffff);
                self.emitter.push(DpAction::SetQueue(0));
            }
            Action::SetQueue(queue) => self.emitter.push(DpAction::SetQueue(*queue)),
            Action::PopQueue => self.emitter.push(DpAction::SetQueue(0)),
            Action::Group(group) => self.group(*group),
            Action::Meter(meter) => self.meter(*meter),
            Action::SetField(write) => self.write_field(write),
            Action::Load { target, value } => self.write(*target, u128::from(*value)),
            Action::Move { source, target } => self.move_bits(*source, *target),
            Action::StackPush(source) => self.stack_push(*source),
            Action::StackPop(target) => self.stack_pop(*target),
            Action::Resubmit { in_port, table } => {
                self.resubmit(*in_port, table.unwrap_or(self.source.table));
            }
            Action::Exit => self.exit = true,
            Action::Clone(nested) => self.clone_list(nested),
            Action::Learn(learn) => self.learn(learn),
            Action::FinTimeout { idle, hard } => self.fin_timeout(*idle, *hard),
            Action::Multipath(multipath) => self.multipath(multipath),
            Action::Bundle(bundle) => self.bundle(bundle),
            // Conjunctions are clauses for the classifier; notes and samples have no effect here.
            Action::Conjunction { .. } | Action::Note(_) | Action::Sample(_) => {}
            _ => return self.run_header_action(action),
        }
        ListEnd::Next
    }

    /// Actions that push, pop and count down.
    fn run_header_action(&mut self, action: &Action) -> ListEnd {
        match action {
            Action::SetVlanVid(vid) => self.set_legacy_tag(u128::from(*vid), 0x0fff),
            Action::SetVlanPcp(pcp) => self.set_legacy_tag(u128::from(*pcp) << 13, 0xe000),
            Action::PushVlan(tpid) => self.push_copied_vlan(*tpid),
            Action::PopVlan => self.pop_vlan(),
            Action::PushMpls(ethertype) => self.push_mpls(*ethertype),
            Action::PopMpls(ethertype) => self.pop_mpls(*ethertype),
            Action::PushPbb(ethertype) => self.push_pbb(*ethertype),
            Action::PopPbb => self.pop_pbb(),
            Action::SetMplsTtl(ttl) => {
                if self.meets(Prerequisite::Mpls) {
                    self.set_header(slot::MPLS_LSE0, u128::from(*ttl), 0xff);
                }
            }
            Action::SetNwTtl(ttl) => {
                if self.meets(Prerequisite::Ip) {
                    self.set_header(slot::IP_TTL, u128::from(*ttl), 0xff);
                }
            }
            Action::DecNwTtl { controllers } => return self.dec_ttl(controllers),
            Action::DecMplsTtl => return self.dec_mpls_ttl(),
            Action::CopyTtlOut => self.copy_ttl_out(),
            Action::CopyTtlIn => self.copy_ttl_in(),
            _ => self.observer.note(format_args!("has no effect")),
        }
        ListEnd::Next
    }

    /// Writes bits of a header that the packet is known to have.
    pub(super) fn set_header(&mut self, place: Slot, value: u128, mask: u128) {
        self.flow.set_masked(place, value, mask);
        self.provenance.overwrite(place, mask);
        self.emitter.pend(place, mask);
    }

    /// OpenFlow 1.0's VLAN actions: add a tag when there is none.
    fn set_legacy_tag(&mut self, value: u128, mask: u128) {
        if !self.meets(Prerequisite::Vlan) {
            self.push_vlan(0x8100, 0);
        }
        self.set_header(slot::VLAN_TCI, value, mask);
    }

    /// Pushes a tag; by the specification it starts as a copy of the outer one.
    fn push_copied_vlan(&mut self, tpid: u16) {
        let mut tci = 0;
        if self.context.pipeline.compat() == Compat::Spec && self.meets(Prerequisite::Vlan) {
            let all = slot::VLAN_TCI.ones();
            self.provenance.consult_slot(slot::VLAN_TCI, all);
            tci = self.flow.value(slot::VLAN_TCI) as u16 & !0x1000;
        }
        self.push_vlan(tpid, tci);
    }

    pub(super) fn push_vlan(&mut self, tpid: u16, tci: u16) {
        self.emitter.flush_vlan(&self.flow);
        if self.meets(Prerequisite::Vlan) {
            self.provenance.consult_slot(slot::VLAN_TCI2, VLAN_PRESENT);
            if self.flow.value(slot::VLAN_TCI2) & VLAN_PRESENT != 0 {
                return self.fail(DropReason::TooManyLabels);
            }
        }
        self.emitter.push(DpAction::PushVlan { tpid, tci });
        self.shift(slot::VLAN_TCI, slot::VLAN_TCI2);
        self.shift(slot::VLAN_TPID, slot::VLAN_TPID2);
        self.write_own(slot::VLAN_TCI, u128::from(tci) | VLAN_PRESENT);
        self.write_own(slot::VLAN_TPID, u128::from(tpid));
    }

    pub(super) fn pop_vlan(&mut self) {
        if !self.meets(Prerequisite::Vlan) {
            return;
        }
        self.emitter.forget(slot::VLAN_TCI);
        let fills = self.fills();
        self.emitter.push(DpAction::PopVlan { fills });
        self.shift(slot::VLAN_TCI2, slot::VLAN_TCI);
        self.shift(slot::VLAN_TPID2, slot::VLAN_TPID);
        self.write_own(slot::VLAN_TCI2, 0);
        self.write_own(slot::VLAN_TPID2, 0);
    }

    fn push_mpls(&mut self, ethertype: u16) {
        self.emitter.flush_all(&self.flow);
        let lse = if self.meets(Prerequisite::Mpls) {
            for deeper in [slot::MPLS_LSE1, slot::MPLS_LSE2] {
                self.provenance.consult_slot(deeper, u128::from(BOTTOM));
            }
            self.provenance
                .consult_slot(slot::MPLS_LSE0, slot::MPLS_LSE0.ones());
            if labels(&self.flow) >= 3 {
                return self.fail(DropReason::TooManyLabels);
            }
            self.flow.value(slot::MPLS_LSE0) as u32 & !BOTTOM
        } else {
            self.first_label()
        };
        self.emitter.push(DpAction::PushMpls { ethertype, lse });
        self.shift(slot::MPLS_LSE1, slot::MPLS_LSE2);
        self.shift(slot::MPLS_LSE0, slot::MPLS_LSE1);
        self.write_own(slot::MPLS_LSE0, u128::from(lse));
        self.write_own(slot::ETH_TYPE, u128::from(ethertype));
        self.provenance.reset_mpls_ttl();
    }

    /// The label stack entry that the first push makes.
    ///
    /// By the specification the TTL is IP's, and what has no field to be copied from is zero.  Open
    /// vSwitch makes an explicit null of IP's version, copies the class too, and falls back on 64.
    /// Source: OpenFlow 1.3.5 §5.12.1.
    fn first_label(&mut self) -> u32 {
        let by_spec = self.context.pipeline.compat() == Compat::Spec;
        if !self.meets(Prerequisite::Ip) {
            return BOTTOM | if by_spec { 0 } else { 64 };
        }
        self.provenance.consult_slot(slot::IP_TTL, 0xff);
        let ttl = self.flow.value(slot::IP_TTL) as u32;
        if by_spec {
            return BOTTOM | ttl;
        }
        self.provenance.consult_slot(slot::IP_TOS, 0xff);
        let label = match self.flow.value(slot::ETH_TYPE) as u16 {
            IPV6 => 2,
            _ => 0,
        };
        let class = self.flow.value(slot::IP_TOS) as u32 >> 2 & 7;
        // A label never starts without hops.
        let ttl = if ttl == 0 { 64 } else { ttl };
        label << 12 | class << 9 | BOTTOM | ttl
    }

    fn pop_mpls(&mut self, ethertype: u16) {
        if !self.meets(Prerequisite::Mpls) {
            return;
        }
        self.emitter.forget(slot::MPLS_LSE0);
        self.emitter.flush_all(&self.flow);
        let fills = self.fills();
        self.emitter.push(DpAction::PopMpls { ethertype, fills });
        self.shift(slot::MPLS_LSE1, slot::MPLS_LSE0);
        self.shift(slot::MPLS_LSE2, slot::MPLS_LSE1);
        self.write_own(slot::MPLS_LSE2, 0);
        self.write_own(slot::ETH_TYPE, u128::from(ethertype));
        self.provenance.reset_mpls_ttl();
        if !matches!(ethertype, 0x8847 | 0x8848) {
            self.hidden = self.hidden.max(Hidden::Network);
        }
    }

    fn push_pbb(&mut self, ethertype: u16) {
        self.emitter.flush_all(&self.flow);
        let mut itag = 0;
        if self.meets(Prerequisite::Pbb) {
            self.provenance
                .consult_slot(slot::PBB_ITAG, slot::PBB_ITAG.ones());
            itag = self.flow.value(slot::PBB_ITAG) as u32;
        }
        self.emitter.push(DpAction::PushPbb { ethertype, itag });
        self.write_own(slot::PBB_ITAG, u128::from(itag));
        self.write_own(slot::ETH_TYPE, u128::from(ethertype));
        for tag in [
            slot::VLAN_TCI,
            slot::VLAN_TCI2,
            slot::VLAN_TPID,
            slot::VLAN_TPID2,
        ] {
            self.write_own(tag, 0);
        }
    }

    fn pop_pbb(&mut self) {
        if !self.meets(Prerequisite::Pbb) {
            return;
        }
        self.emitter.forget(slot::PBB_ITAG);
        self.emitter.flush_all(&self.flow);
        let fills = self.fills();
        self.emitter.push(DpAction::PopPbb { fills });
        self.write_own(slot::PBB_ITAG, 0);
        self.hidden = Hidden::Frame;
    }

    /// Whether frames that a pop shortens are filled up, which Open vSwitch does not do.
    fn fills(&self) -> bool {
        self.context.pipeline.compat() == Compat::Spec
    }

    /// Moves what stands at one place of the key to another.
    fn shift(&mut self, from: Slot, to: Slot) {
        let value = self.flow.value(from);
        self.flow.set(to, value);
        self.provenance.shift(from, to);
    }

    /// Sends the packet past a meter.  One that may write the DSCP hides it from what follows.
    pub(super) fn meter(&mut self, id: MeterId) {
        self.emitter.flush_all(&self.flow);
        self.emitter.push(DpAction::Meter(id));
        let remarks = |meter: &Arc<Meter>| meter.remarks();
        if self.context.pipeline.meter(id).is_some_and(remarks) && self.meets(Prerequisite::Ip) {
            self.provenance.disguise(slot::IP_TOS);
            self.hidden = self.hidden.max(Hidden::TrafficClass);
        }
    }

    /// Runs a list and puts everything back.  In Open vSwitch the copy has the action set run on
    /// it as well.
    fn clone_list(&mut self, nested: &[Action]) {
        self.emitter.flush_all(&self.flow);
        let inherits = self.context.pipeline.compat() == Compat::Ovs;
        let set = if inherits {
            self.set.clone()
        } else {
            std::mem::take(&mut self.set)
        };
        self.copied(|walk| {
            walk.run_list(nested, None);
            if inherits {
                walk.run_action_set();
            }
        });
        self.set = set;
    }

    /// Runs something on a copy of the packet: its changes of packet and metadata do not leak.
    pub(super) fn copied(&mut self, run: impl FnOnce(&mut Self)) {
        let list = self.on_copy(false, run);
        self.emitter.append_copy(list);
    }

    /// The list of what `run` does to a copy of the packet; `deeper` as for `nested`.
    pub(super) fn on_copy(&mut self, deeper: bool, run: impl FnOnce(&mut Self)) -> Vec<DpAction> {
        let flow = self.flow.clone();
        let provenance = self.provenance.save();
        let pending = self.emitter.pending();
        let (stack, exit, callers) = (self.stack.clone(), self.exit, self.callers);
        let (source, outer) = (self.source, self.emitter.begin_nested());
        self.callers = 0;
        let hidden = self.hidden;
        self.nested(deeper, run);
        self.recirculate(false);
        self.emitter.trim();
        self.hidden = hidden;
        let list = self.emitter.end_nested(outer);
        (self.stack, self.exit, self.callers) = (stack, exit, callers);
        self.source = source;
        self.emitter.set_pending(pending);
        self.provenance.restore(provenance);
        self.flow = flow;
        list
    }

    /// Shortens the rule's timeouts when a FIN or RST passes.
    fn fin_timeout(&mut self, idle: u16, hard: u16) {
        if !self.meets(Prerequisite::Tcp) {
            return;
        }
        self.provenance.consult_slot(slot::TCP_FLAGS, 0x005);
        if self.flow.value(slot::TCP_FLAGS) & 0x005 != 0
            && let Some(rule) = self.source.rule
        {
            self.effects
                .push(super::Effect::FinTimeout { rule, idle, hard });
        }
    }

    /// Picks a link by hash and writes its number.
    fn multipath(&mut self, multipath: &Multipath) {
        let hash = self.hash(multipath.fields, multipath.basis);
        let links = u32::from(multipath.max_link) + 1;
        let link = hash::pick_link(multipath.algorithm, hash, links, multipath.argument);
        self.write(multipath.target, u128::from(link));
    }

    /// Picks a live port; outputs to it or writes its number.
    fn bundle(&mut self, bundle: &Bundle) {
        let ports = self.context.pipeline.ports();
        let live = |port: &PortNo| ports.is_live(*port);
        let picked = match bundle.algorithm {
            0 => bundle.members.iter().copied().find(live),
            _ => {
                let hash = self.hash(bundle.fields, bundle.basis);
                let live: Vec<PortNo> = bundle.members.iter().copied().filter(live).collect();
                let seeds = bundle.members.iter().map(|port| port.0);
                let best =
                    hash::highest_random_weight(hash, seeds, |seed| live.contains(&PortNo(seed)));
                best.map(PortNo)
            }
        };
        match (bundle.target, picked) {
            (Some(target), port) => {
                let number = port.map_or(0xffff, port_to_16);
                self.write(target, u128::from(number));
            }
            (None, Some(port)) => self.output(port, 0xffff),
            (None, None) => {
                self.lost.get_or_insert(DropReason::NoSuchPort);
            }
        }
    }

    /// The hash of some of the packet's fields, all of which have then decided something.
    fn hash(&mut self, fields: u16, basis: u16) -> u32 {
        let kind = [slot::ETH_TYPE, slot::IP_PROTO].map(|place| {
            self.provenance.consult_slot(place, place.ones());
            self.flow.value(place)
        });
        let mask = hash::fields(fields, kind[0] as u16, kind[1] as u8);
        self.provenance.consult(&mask);
        hash::hash(fields, &(&self.flow & &mask), basis)
    }

    /// Goes on twice: once for packets longer than `len`, once for the others.
    fn fork_by_length(
        &mut self,
        len: u16,
        target: Subfield,
        rest: &[Action],
        tail: Option<&Instructions>,
    ) {
        self.emitter.flush_all(&self.flow);
        let outermost = self.callers == 0;
        let [larger, otherwise] = [1, 0].map(|bit| {
            let set = self.set.clone();
            let than = if bit == 1 { "longer" } else { "not longer" };
            self.observer
                .note(format_args!("if the packet is {than} than {len} bytes:"));
            let list = self.on_copy(false, |walk| {
                let source = walk.source;
                walk.write(target, bit);
                if walk.run_list(rest, tail) == ListEnd::Next
                    && let Some(tail) = tail
                    && let Some(table) = walk.tail(tail)
                {
                    walk.goto(table);
                }
                if walk.context.pipeline.compat() == Compat::Ovs {
                    // There what follows the goto is the forking rule's again.
                    walk.source = source;
                }
                if outermost {
                    walk.run_action_set();
                    walk.recirculate(true);
                }
            });
            self.set = set;
            list.into()
        });
        let fork = DpAction::IfLarger {
            len,
            larger,
            otherwise,
        };
        if outermost {
            self.set.clear();
        }
        // Each list runs on a copy: callers go on with the packet as it was.
        self.emitter.push(fork);
    }

    /// The packet-out's TABLE port: as if the packet had just arrived.
    pub(super) fn submit_to_tables(&mut self) {
        let source = self.source;
        self.nested(true, |walk| {
            walk.callers += 1;
            walk.tables_from(TableId(0), None, None);
            walk.callers -= 1;
        });
        self.source = source;
    }
}

/// Whether an action makes other rules or groups count the packet, or the switch learn from it.
const fn counts_elsewhere(action: &Action) -> bool {
    matches!(
        action,
        Action::Resubmit { .. }
            | Action::Group(_)
            | Action::Clone(_)
            | Action::Learn(_)
            | Action::FinTimeout { .. }
            | Action::Output {
                port: PortNo::TABLE | PortNo::NORMAL,
                ..
            }
            | Action::OutputField { .. }
    )
}

/// Number of label stack entries in `key`, at most 3.
fn labels(key: &FlowKey) -> u32 {
    let bottom = |place| key.value(place) as u32 & BOTTOM != 0;
    if bottom(slot::MPLS_LSE0) {
        1
    } else if bottom(slot::MPLS_LSE1) {
        2
    } else {
        3
    }
}
