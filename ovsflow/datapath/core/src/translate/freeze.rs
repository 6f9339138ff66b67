//! Freezing a walk in the middle, when it needs headers that the key does not have.
//!
//! Behind a popped MPLS label or PBB tag lies a header that extraction did not read; a written
//! EtherType or IP protocol makes another header of the bytes behind it; and only the packet itself
//! knows what a meter has made of its DSCP, or what TTL a label has got from IP.  As long as nobody
//! asks for it the walk goes on; the first lookup or action that does stops everything: each list that
//! is open leaves what it still had to do ([`Step`]), innermost first, and the packet is told to come back ([`DpAction::Recirculate`]).  Then its headers are read again, and
//! a walk thaws the steps.
//!
//! Frozen walks are kept by content: packets that freeze alike share a number, so that what comes
//! after is cached as well.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use super::Observer;
use super::action_set::ActionSet;
use super::output::METADATA_BITS;
use super::walk::{ListEnd, Source, Walk};
use crate::action::DpAction;
use crate::error::DropReason;
use crate::flow::field::{Prerequisite, field};
use crate::flow::{FlowKey, FlowMask, PACKET_WORDS, slot};
use crate::openflow::action::{Action, FieldId, Instructions, LearnSource, Subfield, TableId};
use crate::packet::PortNo;
use crate::table::Compat;

/// Frozen walks kept at most.
const LIMIT: usize = 65_536;

/// Which headers the walk's key does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hidden {
    #[default]
    Nothing,
    /// DSCP and ECN, which a meter may have written.
    TrafficClass,
    /// The TTL of the outer label, which may have been copied from IP's.
    LabelTtl,
    /// Network and transport headers.
    Network,
    /// Those of the frame as well.
    Frame,
}

/// Something that is still to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// The rest of a list, then the instructions that follow it.
    List {
        source: Source,
        actions: Box<[Action]>,
        tail: Option<Box<Instructions>>,
    },
    /// A lookup, as if from this port, and what the tables before it make the source of all that
    /// follows.
    Table {
        table: TableId,
        in_port: Option<PortNo>,
        first: Option<Source>,
    },
}

impl Step {
    /// The rest of a rule's list.
    pub(super) fn list(source: Source, rest: &[Action], tail: Option<&Instructions>) -> Self {
        Self::List {
            source,
            actions: rest.into(),
            tail: tail.map(|tail| Box::new(without_list(tail))),
        }
    }
}

/// All that a walk must remember while its packet comes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Frozen {
    /// Innermost first.
    pub(super) steps: Vec<Step>,
    /// Metadata of the packet that the walk wrote, and all pipeline fields.
    pub(super) values: Box<FlowKey>,
    pub(super) written: Box<FlowMask>,
    pub(super) stack: Vec<(u128, u8)>,
    pub(super) set: ActionSet,
    /// Whether the action set runs at the end.
    pub(super) is_outermost: bool,
}

/// The frozen walks of one switch.
#[derive(Debug, Default)]
pub struct FrozenWalks {
    kept: Mutex<Kept>,
    /// The key of what leaves the switch sealed.
    key: RandomState,
}

#[derive(Debug, Default)]
struct Kept {
    by_content: HashMap<Arc<Frozen>, u32>,
    by_number: HashMap<u32, Arc<Frozen>>,
    last: u32,
}

impl FrozenWalks {
    /// The number of a frozen walk; `None` when there are too many.
    fn number_of(&self, frozen: Frozen) -> Option<u32> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&number) = kept.by_content.get(&frozen) {
            return Some(number);
        }
        if kept.by_content.len() >= LIMIT {
            return None;
        }
        // 0 stands for a packet that was never frozen.
        kept.last = kept.last.checked_add(1).unwrap_or(1);
        let (number, frozen) = (kept.last, Arc::new(frozen));
        kept.by_content.insert(frozen.clone(), number);
        kept.by_number.insert(number, frozen);
        Some(number)
    }

    /// A number that nobody who has not the key can find for some bytes.
    pub(super) fn seal_of(&self, bytes: &[u8]) -> u64 {
        self.key.hash_one(bytes)
    }

    fn walk(&self, number: u32) -> Option<Arc<Frozen>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_number.get(&number).cloned()
    }

    /// Forgets all if there are many; returns whether it did, so that all translations must be
    /// made anew.
    pub fn trim(&self) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let full = kept.by_content.len() > LIMIT / 2;
        if full {
            kept.by_content.clear();
            kept.by_number.clear();
        }
        full
    }
}

impl<O: Observer> Walk<'_, O> {
    /// Whether an action asks for headers that are hidden.
    pub(super) fn lacks_headers_for(&self, action: &Action) -> bool {
        match self.hidden {
            Hidden::Nothing => false,
            Hidden::LabelTtl => reads_label_ttl(action),
            Hidden::Network if self.context.pipeline.compat() == Compat::Ovs => {
                !runs_without_headers(action)
            }
            hidden => reads(action) >= reach_of(hidden),
        }
    }

    /// Whether a lookup might see something that is hidden.
    pub(super) fn hides_from_tables(&self) -> bool {
        match self.hidden {
            Hidden::Nothing => false,
            Hidden::TrafficClass => {
                let active = self.context.pipeline.active_mask();
                active.value(slot::IP_TOS) != 0
            }
            Hidden::LabelTtl => {
                let active = self.context.pipeline.active_mask();
                active.value(slot::MPLS_LSE0) & 0xff != 0
            }
            Hidden::Network | Hidden::Frame => true,
        }
    }

    /// Stops here: `step` is the first thing to do when the packet is back.
    pub(super) fn freeze(&mut self, step: Step) -> ListEnd {
        self.observer.note(format_args!(
            "reads the packet's inner headers before it goes on"
        ));
        self.frozen = Some(vec![step]);
        ListEnd::EndList
    }

    /// Adds what an open list still has to do, if the walk stopped inside.
    pub(super) fn freeze_rest(
        &mut self,
        actions: &[Action],
        tail: Option<&Instructions>,
        source: Source,
    ) {
        if let Some(steps) = &mut self.frozen {
            steps.push(Step::list(source, actions, tail));
        }
    }

    /// Ends a list on whose way the walk stopped: the packet comes back.
    pub(super) fn recirculate(&mut self, is_outermost: bool) {
        let Some(steps) = self.frozen.take() else {
            return;
        };
        let written = self.provenance.overwritten();
        let mut mask = written.clone();
        for (index, bits) in METADATA_BITS.iter().enumerate() {
            mask.words[index] &= bits;
        }
        for word in &mut mask.words[PACKET_WORDS..] {
            *word = u64::MAX;
        }
        let frozen = Frozen {
            steps,
            values: Box::new(&self.flow & &mask),
            written: Box::new(mask),
            stack: self.stack.clone(),
            set: if is_outermost {
                std::mem::take(&mut self.set)
            } else {
                ActionSet::default()
            },
            is_outermost,
        };
        self.emitter.flush_all(&self.flow);
        if let Some(told) = self.paused.take() {
            if let Some(mut out) = told {
                out.continuation = Some(self.seal(&frozen));
                self.emitter.push(DpAction::Controller(Arc::new(out)));
            }
            return;
        }
        match self.context.frozen.number_of(frozen) {
            Some(number) => self.emitter.push(DpAction::Recirculate(number)),
            None => self.fail(DropReason::RecursionTooDeep),
        }
    }

    /// Does what the frozen walk that the packet's recirculation id names had left to do; the key was
    /// read anew.
    pub(super) fn thaw(&mut self) {
        let all = slot::RECIRC_ID.ones();
        self.provenance.consult_slot(slot::RECIRC_ID, all);
        let number = self.flow.value(slot::RECIRC_ID) as u32;
        let Some(frozen) = self.context.frozen.walk(number) else {
            // It was forgotten while this packet was on its way.
            return self.fail(DropReason::RecursionTooDeep);
        };
        self.flow.set(slot::RECIRC_ID, 0);
        self.provenance.overwrite(slot::RECIRC_ID, all);
        for index in 0..self.flow.words.len() {
            let (mask, value) = (frozen.written.words[index], frozen.values.words[index]);
            self.flow.words[index] = self.flow.words[index] & !mask | value;
        }
        self.provenance.overwrite_all(&frozen.written);
        self.go_on(&frozen);
    }

    /// Does the steps of a frozen walk, whose fields are in place.
    pub(super) fn go_on(&mut self, frozen: &Frozen) {
        self.stack.clone_from(&frozen.stack);
        self.set = frozen.set.clone();
        let mut left = frozen.steps.len() as u32;
        let mut steps = frozen.steps.iter();
        while let Some(step) = steps.next() {
            left -= 1;
            self.callers = left;
            self.thaw_step(step);
            if let Some(frozen) = &mut self.frozen {
                frozen.extend(steps.cloned());
                break;
            }
            if self.failure.is_some() || self.exit {
                break;
            }
        }
        self.callers = 0;
        if self.frozen.is_none() && frozen.is_outermost {
            self.run_action_set();
        }
        self.recirculate(frozen.is_outermost);
    }

    fn thaw_step(&mut self, step: &Step) {
        match step {
            Step::Table {
                table,
                in_port,
                first,
            } => self.tables_from(*table, *in_port, *first),
            Step::List {
                source,
                actions,
                tail,
            } => {
                self.source = *source;
                let tail = tail.as_deref();
                if self.run_list(actions, tail) == ListEnd::Next
                    && let Some(tail) = tail
                    && let Some(table) = self.tail(tail)
                {
                    self.goto(table);
                }
            }
        }
    }
}

/// The instructions behind the list.
pub(super) fn without_list(instructions: &Instructions) -> Instructions {
    Instructions {
        meter: None,
        apply: Box::default(),
        ..instructions.clone()
    }
}

/// How far into the packet an action looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Nothing,
    Frame,
    Network,
}

/// The least reach that meets something hidden.
const fn reach_of(hidden: Hidden) -> Reach {
    match hidden {
        Hidden::Frame => Reach::Frame,
        _ => Reach::Network,
    }
}

/// Whether Open vSwitch goes on with an action after a popped label before it reads the packet's
/// headers; what is counted from then on has the length that is left.
fn runs_without_headers(action: &Action) -> bool {
    match action {
        Action::SetField(write) => reach(write.field) < Reach::Network,
        Action::Load { target, .. } => reach(target.field) < Reach::Network,
        Action::Output { .. }
        | Action::OutputField { .. }
        | Action::OutputTruncated { .. }
        | Action::Enqueue { .. }
        | Action::SetQueue(_)
        | Action::SetVlanVid(_)
        | Action::SetVlanPcp(_)
        | Action::Group(_) => true,
        _ => false,
    }
}

fn reads(action: &Action) -> Reach {
    match action {
        Action::SetField(write) => reach(write.field),
        Action::Load { target: part, .. }
        | Action::StackPush(part)
        | Action::StackPop(part)
        | Action::OutputField { source: part, .. } => reach(part.field),
        Action::Move { source, target } => reach(source.field).max(reach(target.field)),
        Action::Learn(learn) => {
            let sources = learn.specs.iter().filter_map(|spec| match &spec.source {
                LearnSource::Field(source) => Some(reach(source.field)),
                LearnSource::Immediate { .. } => None,
            });
            sources.max().unwrap_or(Reach::Nothing)
        }
        Action::SetNwTtl(_)
        | Action::DecNwTtl { .. }
        | Action::PushMpls(_)
        | Action::FinTimeout { .. }
        | Action::Multipath(_)
        | Action::Bundle(_) => Reach::Network,
        Action::SetVlanVid(_)
        | Action::SetVlanPcp(_)
        | Action::PushVlan(_)
        | Action::PopVlan
        | Action::PopMpls(_)
        | Action::PushPbb(_)
        | Action::PopPbb
        | Action::SetMplsTtl(_)
        | Action::DecMplsTtl
        | Action::Output {
            port: PortNo::NORMAL,
            ..
        } => Reach::Frame,
        _ => Reach::Nothing,
    }
}

/// Whether an action depends on the TTL of the outer label.
fn reads_label_ttl(action: &Action) -> bool {
    let is_ttl = |part: &Subfield| field(part.field).prerequisite == Prerequisite::Mpls;
    match action {
        Action::DecMplsTtl | Action::CopyTtlIn | Action::PushMpls(_) => true,
        Action::StackPush(source)
        | Action::Move { source, .. }
        | Action::OutputField { source, .. } => is_ttl(source),
        Action::Learn(learn) => learn
            .specs
            .iter()
            .any(|spec| matches!(&spec.source, LearnSource::Field(source) if is_ttl(source))),
        _ => false,
    }
}

fn reach(id: FieldId) -> Reach {
    let row = field(id);
    match row.prerequisite {
        Prerequisite::Nothing | Prerequisite::InPort | Prerequisite::Ethernet => {
            // Ethernet addresses, type and TCI have no prerequisite worth the name.
            let is_frame = matches!(row.slot.word, 1 | 2) || row.slot == slot::ETH_TYPE;
            if is_frame {
                Reach::Frame
            } else {
                Reach::Nothing
            }
        }
        Prerequisite::Vlan | Prerequisite::Pbb | Prerequisite::Mpls => Reach::Frame,
        _ => Reach::Network,
    }
}
