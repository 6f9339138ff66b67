//! What an action list refers to: ports, groups and meters, nested lists included.

use std::collections::BTreeSet;

use crate::openflow::action::{Action, GroupId, Instructions, MeterId};
use crate::packet::PortNo;

/// Calls `visit` for every action of `actions`, nested ones included, until it returns true.
pub(super) fn any(actions: &[Action], visit: &mut (impl FnMut(&Action) -> bool + ?Sized)) -> bool {
    actions.iter().any(|action| {
        visit(action)
            || match action {
                Action::Clone(nested) => any(nested, visit),
                _ => false,
            }
    })
}

/// Like [`any`], over both lists of `instructions`.
pub(super) fn any_of(
    instructions: &Instructions,
    visit: &mut (impl FnMut(&Action) -> bool + ?Sized),
) -> bool {
    any(&instructions.apply, visit) || any(&instructions.write, visit)
}

/// Whether an output action names `port`.
pub(super) fn outputs_to(instructions: &Instructions, port: PortNo) -> bool {
    any_of(instructions, &mut |action| match action {
        Action::Output { port: p, .. }
        | Action::OutputTruncated { port: p, .. }
        | Action::Enqueue { port: p, .. } => *p == port,
        Action::Controller(_) => port == PortNo::CONTROLLER,
        Action::Bundle(bundle) => bundle.target.is_none() && bundle.members.contains(&port),
        _ => false,
    })
}

/// The group that `action` itself runs.
pub(super) fn group_of(action: &Action) -> Option<GroupId> {
    match action {
        Action::Group(group) => Some(*group),
        _ => None,
    }
}

/// The meter that `action` itself runs.  The one of a controller action is no part of the flow: it
/// may come later, or go, and packet-ins are not limited without it.
pub(super) fn meter_of(action: &Action) -> Option<MeterId> {
    match action {
        Action::Meter(meter) => Some(*meter),
        _ => None,
    }
}

/// The groups that `instructions` run, each once.
pub(super) fn groups_of(instructions: &Instructions) -> BTreeSet<GroupId> {
    let mut found = BTreeSet::new();
    any_of(instructions, &mut |action| {
        found.extend(group_of(action));
        false
    });
    found
}

/// The meters that `instructions` run, each once.
pub(super) fn meters_of(instructions: &Instructions) -> BTreeSet<MeterId> {
    let mut found = BTreeSet::from_iter(instructions.meter);
    any_of(instructions, &mut |action| {
        found.extend(meter_of(action));
        false
    });
    found
}

/// Whether `instructions` run `group`.
pub(super) fn uses_group(instructions: &Instructions, group: GroupId) -> bool {
    any_of(instructions, &mut |action| group_of(action) == Some(group))
}

/// Whether `instructions` run `meter`.
pub(super) fn uses_meter(instructions: &Instructions, meter: MeterId) -> bool {
    instructions.meter == Some(meter)
        || any_of(instructions, &mut |action| meter_of(action) == Some(meter))
}
