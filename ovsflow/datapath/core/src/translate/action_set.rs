//! The action set: what write-actions collects and the end of the pipeline runs in fixed order.

use super::Observer;
use super::walk::Walk;
use crate::action::PacketInReason;
use crate::openflow::action::Action;
use crate::packet::PortNo;
use crate::table::Compat;

/// Most writes of fields that a set holds; later ones replace the oldest.
const MAX_WRITES: usize = 1024;

/// Actions waiting for the end of the pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ActionSet {
    /// One place for each kind that stands at most once, in the order of execution; none before the
    /// first is written.
    single: Vec<Option<Action>>,
    /// Writes of fields, in the order in which they were written.
    writes: Vec<Action>,
}

const PLACES: usize = 15;
/// Places before this run before the writes of fields.
const FIRST_AFTER_WRITES: usize = 11;
const RESUBMIT: usize = 12;
const GROUP: usize = 13;
const OUTPUT: usize = 14;

/// The place of an action, `None` for those that are kept in order.
///
/// Source: OpenFlow 1.3.5 §5.10; within a step in the order of Open vSwitch.
const fn place(action: &Action) -> Option<usize> {
    Some(match action {
        Action::CopyTtlIn => 0,
        Action::PopVlan => 1,
        Action::PopMpls(_) => 2,
        Action::PopPbb => 3,
        Action::PushMpls(_) => 4,
        Action::PushPbb(_) => 5,
        Action::PushVlan(_) => 6,
        Action::CopyTtlOut => 7,
        Action::DecNwTtl { .. } => 8,
        Action::DecMplsTtl => 9,
        Action::Meter(_) => 10,
        Action::SetQueue(_) => 11,
        Action::Resubmit { .. } => RESUBMIT,
        Action::Group(_) => GROUP,
        Action::Output { .. }
        | Action::OutputField { .. }
        | Action::OutputTruncated { .. }
        | Action::Controller(_) => OUTPUT,
        _ => return None,
    })
}

impl ActionSet {
    /// Adds an action; one of the same kind gives way.
    pub(super) fn write(&mut self, action: &Action) {
        if let Some(place) = place(action) {
            self.single.resize(PLACES, None);
            self.single[place] = Some(action.clone());
            return;
        }
        if let Action::SetField(new) = action {
            self.writes.retain(
                |old| !matches!(old, Action::SetField(old) if old.field == new.field && old.mask == new.mask),
            );
        }
        if self.writes.len() >= MAX_WRITES {
            self.writes.remove(0);
        }
        self.writes.push(action.clone());
    }

    /// Empties the set.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.single.iter().all(Option::is_none)
    }

    /// The port that the set outputs to: UNSET when it does not, or runs a group.
    pub(super) fn output_port(&self) -> PortNo {
        match (self.at(GROUP), self.at(OUTPUT)) {
            (None, Some(Action::Output { port, .. })) => *port,
            _ => PortNo::UNSET,
        }
    }

    fn at(&self, place: usize) -> Option<&Action> {
        self.single.get(place).and_then(Option::as_ref)
    }

    /// All that the set holds; written to an empty set again, in this order, they make it anew.
    pub(super) fn actions(&self) -> Vec<Action> {
        let single = self.single.iter().flatten();
        single.chain(&self.writes).cloned().collect()
    }

    /// The set as a list; empty when nothing in it forwards the packet.
    fn into_list(self) -> Vec<Action> {
        // A group beats an output, an output a resubmit.
        let mut ends = [GROUP, OUTPUT, RESUBMIT].into_iter();
        let Some(chosen) = ends.find(|&place| self.at(place).is_some()) else {
            return Vec::new();
        };
        let Self { single, writes } = self;
        let mut list = Vec::with_capacity(writes.len() + PLACES);
        let mut writes = Some(writes);
        for (place, action) in single.into_iter().enumerate() {
            if place == FIRST_AFTER_WRITES {
                list.extend(writes.take().unwrap_or_default());
            }
            if place <= FIRST_AFTER_WRITES || place == chosen {
                list.extend(action);
            }
        }
        list
    }
}

impl<O: Observer> Walk<'_, O> {
    /// Runs the action set, at the end of the pipeline.
    pub(super) fn run_action_set(&mut self) {
        if self.failure.is_some() || self.frozen.is_some() || self.set.is_empty() {
            return;
        }
        if self.exit && self.context.pipeline.compat() == Compat::Ovs {
            // Its manual has exit leave the action set alone; what it does is this.
            return;
        }
        self.exit = false;
        self.source.reason = PacketInReason::ActionSet;
        let list = std::mem::take(&mut self.set).into_list();
        if list.is_empty() {
            self.observer
                .note(format_args!("the action set sends the packet nowhere"));
        } else {
            self.observer.note(format_args!("action set:"));
        }
        self.observer.enter();
        self.run_list(&list, None);
        self.observer.leave();
    }

    /// Runs a bucket's actions, which are a set of their own.
    pub(super) fn run_bucket_set(&mut self, actions: &[Action]) {
        let mut set = ActionSet::default();
        for action in actions {
            set.write(action);
        }
        self.run_list(&set.into_list(), None);
        self.exit = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openflow::action::GroupId;

    fn set(actions: &[Action]) -> ActionSet {
        let mut set = ActionSet::default();
        for action in actions {
            set.write(action);
        }
        set
    }

    #[test]
    fn a_set_runs_in_the_order_of_the_specification() {
        let output = Action::Output {
            port: PortNo(1),
            max_len: 0,
        };
        let set = set(&[
            output.clone(),
            Action::SetNwTtl(9),
            Action::DecMplsTtl,
            Action::PushVlan(0x8100),
            Action::PushMpls(0x8847),
            Action::PopVlan,
            Action::SetQueue(4),
        ]);
        assert_eq!(set.output_port(), PortNo(1));
        let expected = [
            Action::PopVlan,
            Action::PushMpls(0x8847),
            Action::PushVlan(0x8100),
            Action::DecMplsTtl,
            Action::SetNwTtl(9),
            Action::SetQueue(4),
            output,
        ];
        assert_eq!(set.into_list(), expected);
    }

    #[test]
    fn a_group_beats_an_output_and_no_end_means_no_effect() {
        let group = Action::Group(GroupId(7));
        let output = Action::Output {
            port: PortNo(1),
            max_len: 0,
        };
        let both = set(&[group.clone(), output]);
        assert_eq!(both.output_port(), PortNo::UNSET);
        assert_eq!(both.into_list(), [group]);
        assert!(set(&[Action::PopVlan]).into_list().is_empty());
    }
}
