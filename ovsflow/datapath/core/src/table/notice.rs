//! What changes of the tables cause beyond their answers.

use super::rule::FlowSnapshot;
use crate::openflow::action::TableId;

pub use crate::openflow::tell::FlowRemovedReason as RemovedReason;

/// What a flow monitor is told of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowEvent {
    Added,
    Modified,
    Deleted(RemovedReason),
}

/// One thing to tell controllers, in the order in which things happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A rule with SEND_FLOW_REM is gone; counters are final.
    FlowRemoved {
        reason: RemovedReason,
        flow: Box<FlowSnapshot>,
    },
    /// A rule changed; only told while [`Pipeline::set_monitored`](super::Pipeline::set_monitored) is on.
    FlowChanged {
        event: FlowEvent,
        flow: Box<FlowSnapshot>,
    },
    /// A table's vacancy crossed a threshold (OpenFlow 1.4): OFPTR_VACANCY_DOWN if `down`.
    Vacancy { table: TableId, down: bool },
}
