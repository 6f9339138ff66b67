//! The walk itself: tables, rules, goto and resubmit, with the limits that end it.

use super::action_set::ActionSet;
use super::emit::Emitter;
use super::freeze::{Hidden, Step};
use super::provenance::Provenance;
use super::{Context, Credit, Draft, Effect, Observer, TableSet};
use crate::action::{ControllerOut, DpAction, PacketInReason};
use crate::error::DropReason;
use crate::flow::{FlowKey, FlowMask, Slot, slot};
use crate::openflow::action::{Action, Instructions, TableId};
use crate::packet::PortNo;
use crate::table::{Compat, RuleId, RuleRef, port_config};

/// Levels of resubmit and groups that may be open at once.
pub(super) const MAX_DEPTH: u32 = 64;

/// Nested runs of any kind that may be open at once: bounds this thread's stack.
const MAX_FRAMES: u32 = 400;

/// Resubmits, clones and buckets for one packet.
const MAX_RUNS: u32 = 4096;

/// Whether a list of actions goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListEnd {
    /// To the next action.
    Next,
    /// No further in this list; whoever called it goes on.
    EndList,
}

/// The rule whose actions are being run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) table: TableId,
    pub(super) cookie: u64,
    pub(super) rule: Option<RuleId>,
    /// The reason that a packet-in from here tells.
    pub(super) reason: PacketInReason,
}

/// One walk's state.
pub(super) struct Walk<'a, O> {
    pub(super) context: &'a Context<'a>,
    /// The key as the packet arrived.
    pub(super) original: &'a FlowKey,
    /// The key as the actions so far have made it.
    pub(super) flow: FlowKey,
    pub(super) provenance: Provenance,
    pub(super) emitter: Emitter,
    pub(super) set: ActionSet,
    pub(super) source: Source,
    /// Bits on the stack, the top last.
    pub(super) stack: Vec<(u128, u8)>,
    /// Lists that go on when the present one ends: what follows an expired TTL must not leak to them.
    pub(super) callers: u32,
    /// Whether others would count the packet, or learn from it, after the present action.
    pub(super) followed: bool,
    pub(super) credits: Vec<Credit>,
    pub(super) effects: Vec<Effect>,
    pub(super) uses_fdb: bool,
    /// Whether flows were counted that are not this packet's.
    counts_flows: bool,
    /// The exit action ran: only the action set is left.
    pub(super) exit: bool,
    /// Why the whole translation failed.
    pub(super) failure: Option<DropReason>,
    /// Why a copy was lost, told if the packet goes nowhere at all.
    pub(super) lost: Option<DropReason>,
    pub(super) observer: &'a mut O,
    /// Headers that the key does not show.
    pub(super) hidden: Hidden,
    /// What is left to do, once the walk stopped for lack of headers or to ask the controller.
    pub(super) frozen: Option<Vec<Step>>,
    /// The walk stopped to ask the controller: what to tell it, if it is to be told at all.
    pub(super) paused: Option<Option<ControllerOut>>,
    tables: TableSet,
    /// Levels that count towards [`MAX_DEPTH`].
    pub(super) depth: u32,
    frames: u32,
    runs: u32,
    /// Resubmits that are open.
    resubmitted: u32,
}

impl<'a, O: Observer> Walk<'a, O> {
    pub(super) fn new(
        context: &'a Context<'a>,
        original: &'a FlowKey,
        observer: &'a mut O,
        buffers: &mut Draft,
    ) -> Self {
        buffers.actions.clear();
        buffers.credits.clear();
        buffers.effects.clear();
        let mut flow = original.clone();
        flow.set(slot::ACTSET_OUTPUT, u128::from(PortNo::UNSET.0));
        let mut provenance = Provenance::new();
        provenance.overwrite(slot::ACTSET_OUTPUT, slot::ACTSET_OUTPUT.ones());
        // Skipping the ingress port, and its configuration, depend on it in every walk.
        provenance.consult_slot(slot::IN_PORT, slot::IN_PORT.ones());
        Self {
            context,
            original,
            flow,
            provenance,
            emitter: Emitter::new(std::mem::take(&mut buffers.actions)),
            set: ActionSet::default(),
            source: Source {
                table: TableId(0),
                cookie: u64::MAX,
                rule: None,
                reason: PacketInReason::ApplyAction,
            },
            stack: Vec::new(),
            callers: 0,
            followed: false,
            credits: std::mem::take(&mut buffers.credits),
            effects: std::mem::take(&mut buffers.effects),
            uses_fdb: false,
            counts_flows: false,
            exit: false,
            failure: None,
            lost: None,
            observer,
            hidden: Hidden::Nothing,
            frozen: None,
            paused: None,
            tables: TableSet::default(),
            depth: 0,
            frames: 0,
            runs: 0,
            resubmitted: 0,
        }
    }

    /// Walks from table 0, as for a packet from a port.
    pub(super) fn receive(&mut self) {
        if let Some(reason) = self.refused_at_ingress() {
            self.observer.note(format_args!("{}", reason.describe()));
            self.lost = Some(reason);
            return;
        }
        self.tables_from(TableId(0), None, None);
        self.run_action_set();
        self.recirculate(true);
    }

    /// Runs the list of a packet-out.
    pub(super) fn packet_out(&mut self, actions: &[Action]) {
        self.source.reason = PacketInReason::PacketOut;
        self.run_list(actions, None);
        self.run_action_set();
        self.recirculate(true);
    }

    /// Leaves what the walk has decided in `draft`, whose buffers it took.
    pub(super) fn finish(self, draft: &mut Draft) {
        draft.actions = self.emitter.finish(self.lost);
        draft.effects = self.effects;
        if let Some(reason) = self.failure {
            self.observer
                .note(format_args!("dropped: {}", reason.describe()));
            draft.actions.clear();
            draft.actions.push(DpAction::Drop(reason));
        }
        draft
            .overwritten
            .clone_from(self.provenance.ever_overwritten());
        if self.counts_flows {
            // No bit of the packet shows that a change of the tables does not touch it.
            draft.overwritten.words.fill(u64::MAX);
        }
        draft.mask = self.provenance.mask();
        draft.credits = self.credits;
        draft.tables = self.tables;
        draft.uses_fdb = self.uses_fdb;
    }

    /// Notes that any change in `table` may change this walk's outcome.
    pub(super) fn depend_on_all_flows(&mut self, table: TableId) {
        self.tables.insert(table);
        self.counts_flows = true;
    }

    /// Why the ingress port, or the handling of fragments, lets nothing in.
    fn refused_at_ingress(&mut self) -> Option<DropReason> {
        let in_port = PortNo(self.flow.value(slot::IN_PORT) as u32);
        if let Some(port) = self.context.pipeline.ports().port(in_port) {
            if port.config & port_config::PORT_DOWN != 0 {
                return Some(DropReason::PortDown);
            }
            if port.config & port_config::NO_RECV != 0 {
                return Some(DropReason::PortNoReceive);
            }
        }
        if self.context.settings.fragments == super::Fragments::Drop {
            self.provenance.consult_slot(slot::IP_FRAG, 1);
            if self.flow.value(slot::IP_FRAG) & 1 != 0 {
                return Some(DropReason::Fragment);
            }
        }
        None
    }

    /// Goes on in `table`, unless a limit is reached.
    pub(super) fn goto(&mut self, table: TableId) {
        if self.depth >= MAX_DEPTH {
            return self.fail(DropReason::RecursionTooDeep);
        }
        self.tables_from(table, None, None);
    }

    /// Looks at `table`, as if the packet came from `in_port`, then at those that goto names, and
    /// runs their rules' instructions.  `first` is the source in the first table, if that is behind
    /// the walk.
    pub(super) fn tables_from(
        &mut self,
        table: TableId,
        in_port: Option<PortNo>,
        mut first: Option<Source>,
    ) {
        let mut next = Some((table, in_port));
        while let Some((table, in_port)) = next {
            if self.hides_from_tables() {
                self.freeze(Step::Table {
                    table,
                    in_port,
                    first,
                });
                return;
            }
            next = self.one_table(table, in_port).map(|table| (table, None));
            if next.is_some() && self.depth >= MAX_DEPTH {
                return self.fail(DropReason::RecursionTooDeep);
            }
            first.get_or_insert(self.source);
        }
        // To Open vSwitch a goto is a call: what follows comes from the first table again.
        if let Some(first) = first
            && self.context.pipeline.compat() == Compat::Ovs
        {
            self.source = first;
        }
    }

    /// Whether lookups are to see no ports.  Fragments have none, to Open vSwitch even if they were
    /// written, unless the first ones are told apart.
    fn hides_ports(&mut self) -> bool {
        let written = self.flow.value(slot::TP_SRC) | self.flow.value(slot::TP_DST) != 0;
        let asks = written
            && self.context.settings.fragments == super::Fragments::Normal
            && self.context.pipeline.compat() == Compat::Ovs;
        if asks {
            self.provenance.consult_slot(slot::IP_FRAG, 1);
        }
        asks && self.flow.value(slot::IP_FRAG) & 1 != 0
    }

    /// Looks a packet up in one table and runs what it finds; returns the table to go to.
    fn one_table(&mut self, table: TableId, in_port: Option<PortNo>) -> Option<TableId> {
        self.source.table = table;
        self.tables.insert(table);
        let pipeline = self.context.pipeline;
        let mut looked_at = FlowMask::default();
        let rule = if in_port.is_none() && !self.hides_ports() {
            pipeline.lookup(table, &self.flow, &mut looked_at)
        } else {
            let mut key = self.flow.clone();
            if self.hides_ports() {
                key.set(slot::TP_SRC, 0);
                key.set(slot::TP_DST, 0);
            }
            if let Some(port) = in_port {
                // The lookup alone sees the other port.
                self.provenance.disguise(slot::IN_PORT);
                key.set(slot::IN_PORT, u128::from(port.0));
            }
            let rule = pipeline.lookup(table, &key, &mut looked_at);
            if in_port.is_some() {
                looked_at.set(slot::IN_PORT, 0);
            }
            rule
        };
        self.provenance.consult(&looked_at);
        self.observer.table(table, rule.as_ref());
        let Some(rule) = rule else {
            self.miss(table);
            return None;
        };
        self.credits.push(Credit::Rule(rule.id));
        self.source.cookie = rule.cookie;
        self.source.rule = Some(rule.id);
        self.source.reason = reason_of(&rule);
        self.instructions(&rule.instructions)
    }

    /// Runs a rule's instructions in the specification's order.  Source: OpenFlow 1.3.5 §5.9.
    fn instructions(&mut self, instructions: &Instructions) -> Option<TableId> {
        if let Some(meter) = instructions.meter {
            self.observer.instruction(format_args!("meter:{}", meter.0));
            self.meter(meter);
        }
        if self.run_list(&instructions.apply, Some(instructions)) == ListEnd::EndList {
            return None;
        }
        self.tail(instructions)
    }

    /// The instructions behind apply-actions; returns the table to go to.
    pub(super) fn tail(&mut self, instructions: &Instructions) -> Option<TableId> {
        if instructions.clear {
            self.observer.instruction(format_args!("clear_actions"));
            self.set.clear();
        }
        if !instructions.write.is_empty() {
            self.observer.writes(&instructions.write);
        }
        for action in &instructions.write {
            self.set.write(action);
        }
        if instructions.clear || !instructions.write.is_empty() {
            let output = self.set.output_port();
            self.write_own(slot::ACTSET_OUTPUT, u128::from(output.0));
        }
        if let Some((value, mask)) = instructions.metadata {
            self.observer
                .instruction(format_args!("write_metadata:{value:#x}/{mask:#x}"));
            let (value, mask) = (u128::from(value), u128::from(mask));
            self.flow.set_masked(slot::METADATA, value & mask, mask);
            self.provenance.overwrite(slot::METADATA, mask);
        }
        if self.exit || self.failure.is_some() {
            return None;
        }
        if let Some(table) = instructions.goto {
            self.observer
                .instruction(format_args!("goto_table:{}", table.0));
        }
        instructions.goto
    }

    /// No rule matched: the packet is dropped, and what the action set has collected with it;
    /// Open vSwitch runs the action set all the same.  Source: OpenFlow 1.3.5 §5.4.
    fn miss(&mut self, table: TableId) {
        self.credits.push(Credit::Miss(table));
        if self.resubmitted > 0 {
            // A resubmit that finds nothing has no effect.
            return;
        }
        if self.context.pipeline.compat() == Compat::Spec {
            self.set.clear();
        }
        if self.context.settings.miss_to_controller {
            self.source.cookie = u64::MAX;
            self.source.rule = None;
            self.source.reason = PacketInReason::TableMiss;
            self.tell_miss();
        } else {
            self.lost.get_or_insert(DropReason::TableMiss);
        }
    }

    /// Looks the packet up in `table` as if it came from `in_port`, and comes back.
    pub(super) fn resubmit(&mut self, in_port: Option<PortNo>, table: TableId) {
        if self.depth >= MAX_DEPTH {
            return self.fail(DropReason::RecursionTooDeep);
        }
        let deeper = table <= self.source.table;
        let source = self.source;
        self.nested(deeper, |walk| {
            walk.resubmitted += 1;
            walk.callers += 1;
            walk.tables_from(table, in_port, None);
            walk.callers -= 1;
            walk.resubmitted -= 1;
        });
        self.source = source;
    }

    /// Runs something nested unless a limit is crossed; what goes `deeper` counts towards the
    /// limit on depth, a resubmit to a later table does not.
    pub(super) fn nested(&mut self, deeper: bool, run: impl FnOnce(&mut Self)) {
        self.runs += 1;
        let depth = self.depth + u32::from(deeper);
        if self.runs > MAX_RUNS {
            return self.fail(DropReason::TooManyResubmits);
        }
        if depth > MAX_DEPTH || self.frames >= MAX_FRAMES {
            return self.fail(DropReason::RecursionTooDeep);
        }
        self.depth = depth;
        self.frames += 1;
        self.observer.enter();
        run(self);
        self.observer.leave();
        self.frames -= 1;
        self.depth -= u32::from(deeper);
    }

    /// Ends the whole translation.
    pub(super) fn fail(&mut self, reason: DropReason) {
        self.failure.get_or_insert(reason);
    }

    /// Writes a field of the walk's own, which is in no header.
    pub(super) fn write_own(&mut self, slot: Slot, value: u128) {
        self.flow.set(slot, value);
        self.provenance.overwrite(slot, slot.ones());
    }
}

fn reason_of(rule: &RuleRef<'_>) -> PacketInReason {
    if rule.is_table_miss {
        PacketInReason::TableMiss
    } else {
        PacketInReason::ApplyAction
    }
}
