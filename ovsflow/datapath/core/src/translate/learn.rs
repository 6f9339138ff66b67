//! The learn action: a FLOW_MOD made from the packet.
//!
//! The fields that it copies have decided something, so one translation always learns one flow;
//! that flow is added when the translation is made and refreshed as its packets are counted.

use std::sync::{Arc, Mutex, PoisonError};

use super::Effect;
use super::Observer;
use super::fields::{port_in_field, subfield_mask};
use super::walk::Walk;
use crate::flow::field::field;
use crate::openflow::action::{
    Action, FieldValue, Instructions, Learn, LearnSource, LearnTarget, Subfield,
};
use crate::openflow::modify::{FlowMod, FlowModCommand, Match, flow_flags};
use crate::openflow::tell::FlowFilter;
use crate::packet::PortNo;
use crate::table::{FlowCursor, Pipeline, RuleId};
use crate::time::Now;

/// learn flag: the learned flow reports its removal.
const SEND_FLOW_REM: u16 = 1;
/// learn flag: whether the flow was learned is written to a field.
const WRITE_RESULT: u16 = 4;
/// OFP_NO_BUFFER.
const NO_BUFFER: u32 = 0xffff_ffff;

/// A flow as a learn action makes it.
#[derive(Debug)]
pub struct LearnedFlow {
    pub request: FlowMod,
    /// Most flows that this cookie may have in the table, 0 for no limit.
    pub limit: u32,
    /// The rule that it became, once it did.
    rule: Mutex<Option<RuleId>>,
}

impl PartialEq for LearnedFlow {
    fn eq(&self, other: &Self) -> bool {
        self.request == other.request && self.limit == other.limit
    }
}

impl Eq for LearnedFlow {}

impl LearnedFlow {
    /// The rule that this became, if it is still what was learned.
    pub fn rule(&self, pipeline: &Pipeline) -> Option<RuleId> {
        let known = *self.rule.lock().unwrap_or_else(PoisonError::into_inner);
        let flow = pipeline.flow(known?, Now(0))?;
        (flow.instructions == self.request.instructions).then_some(flow.id)
    }

    /// Whether the flow is in its table.
    pub fn is_known(&self, pipeline: &Pipeline) -> bool {
        self.rule(pipeline).is_some()
    }

    /// Whether the flow in the table is the very one that would be learned.
    fn is_same(&self, pipeline: &Pipeline) -> bool {
        let flow = self.rule(pipeline).and_then(|id| pipeline.flow(id, Now(0)));
        let request = &self.request;
        flow.is_some_and(|flow| {
            (flow.cookie, flow.idle_timeout, flow.hard_timeout)
                == (request.cookie, request.idle_timeout, request.hard_timeout)
        })
    }

    /// Whether the limit allows one more flow.
    pub fn has_room(&self, pipeline: &Pipeline) -> bool {
        if self.limit == 0 {
            return true;
        }
        let filter = FlowFilter {
            cookie: self.request.cookie,
            cookie_mask: u64::MAX,
            matching: Match::default(),
            ..self.filter()
        };
        let flows = pipeline.aggregate(&filter, Now(0)).flows;
        flows < self.limit
    }

    /// Flows of the table that match no packet outside of the learned match.
    fn filter(&self) -> FlowFilter {
        FlowFilter {
            table: self.request.table,
            out_port: PortNo::ANY,
            out_group: None,
            cookie: 0,
            cookie_mask: 0,
            matching: self.request.matching.clone(),
        }
    }

    /// Looks for the rule that the request made, to find it faster the next time.
    pub fn find(&self, pipeline: &Pipeline) {
        let (filter, start) = (self.filter(), FlowCursor::default());
        let mut found = None;
        pipeline.flows(&filter, start, usize::MAX, Now(0), &mut |id, flow| {
            let request = &self.request;
            if flow.priority == request.priority && *flow.matching == request.matching {
                found = Some(id);
            }
        });
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

impl<O: Observer> Walk<'_, O> {
    pub(super) fn learn(&mut self, learn: &Learn) {
        let mut matching = Match::default();
        let mut actions = Vec::new();
        if learn.fin_idle_timeout != 0 || learn.fin_hard_timeout != 0 {
            actions.push(Action::FinTimeout {
                idle: learn.fin_idle_timeout,
                hard: learn.fin_hard_timeout,
            });
        }
        for spec in &learn.specs {
            let value = match &spec.source {
                LearnSource::Field(source) => {
                    if !self.meets(field(source.field).prerequisite) {
                        // A flow that matched on a field the packet lacks would be a wrong one.
                        return;
                    }
                    self.read(*source)
                }
                LearnSource::Immediate { value, .. } => *value,
            };
            match &spec.target {
                LearnTarget::Match(target) => add_match(&mut matching, *target, value),
                LearnTarget::Load(target) => actions.push(load(*target, value)),
                LearnTarget::Output => actions.extend(output(value)),
            }
        }
        let request = learned(learn, matching, actions);
        self.observer.learns(&request);
        let limit = learn.limit;
        let rule = Mutex::new(None);
        let flow = LearnedFlow {
            request,
            limit,
            rule,
        };
        if let Some(result) = learn.result.filter(|_| learn.flags & WRITE_RESULT != 0) {
            let learns = self.will_learn(&flow);
            self.write(result, u128::from(learns));
        }
        self.effects.push(Effect::LearnFlow(Arc::new(flow)));
    }

    /// Whether the flow is there as it is, or will be: the limit forbids a change of one as well.
    fn will_learn(&mut self, flow: &LearnedFlow) -> bool {
        if flow.limit == 0 {
            return true;
        }
        // Any flow of the table counts, whatever packets it is for.
        self.depend_on_all_flows(flow.request.table);
        let pipeline = self.context.pipeline;
        flow.find(pipeline);
        flow.is_same(pipeline) || flow.has_room(pipeline)
    }
}

/// The load of a value, which may be too wide for the action of that name.
fn load(target: Subfield, value: u128) -> Action {
    match u64::try_from(value) {
        Ok(value) if target.len <= 64 => Action::Load { target, value },
        _ => Action::SetField(FieldValue {
            field: target.field,
            value: value << target.start & subfield_mask(target),
            mask: subfield_mask(target),
        }),
    }
}

/// The output to a port whose number was read from a field: 16 bits of it mean OpenFlow 1.0's
/// numbers.  Numbers that stand for no place of their own are left out.
fn output(number: u128) -> Option<Action> {
    let port = port_in_field(number);
    let is_place = port.0 < 0xff00
        || matches!(
            port,
            PortNo::IN_PORT | PortNo::FLOOD | PortNo::ALL | PortNo::LOCAL
        );
    is_place.then_some(Action::Output {
        port,
        max_len: 0xffff,
    })
}

fn add_match(matching: &mut Match, target: Subfield, value: u128) {
    let row = field(target.field);
    let mask = subfield_mask(target);
    row.write(&mut matching.value, value << target.start & mask, mask);
    let bits = matching.mask.value(row.slot) | row.key_mask(mask);
    matching.mask.set(row.slot, bits);
    matching.value = &matching.value & &matching.mask;
}

fn learned(learn: &Learn, matching: Match, actions: Vec<Action>) -> FlowMod {
    let report = if learn.flags & SEND_FLOW_REM != 0 {
        flow_flags::SEND_FLOW_REM
    } else {
        0
    };
    FlowMod {
        command: FlowModCommand::ModifyStrict,
        table: learn.table,
        priority: learn.priority,
        matching,
        cookie: learn.cookie,
        cookie_mask: 0,
        new_cookie: Some(learn.cookie),
        modify_adds: true,
        idle_timeout: learn.idle_timeout,
        hard_timeout: learn.hard_timeout,
        importance: 0,
        flags: report,
        out_port: PortNo::ANY,
        out_group: None,
        buffer_id: NO_BUFFER,
        instructions: Instructions {
            apply: actions.into(),
            ..Instructions::default()
        },
    }
}
