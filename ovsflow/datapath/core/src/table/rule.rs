//! What the rest of the switch sees of a rule: a handle, an answer to a lookup, a snapshot.

use std::borrow::Cow;
use std::time::Duration;

use crate::openflow::action::{Instructions, TableId};
use crate::openflow::modify::Match;
use crate::openflow::tell::{FlowRemoved, FlowRemovedReason, FlowStats};

/// A rule's handle.  It never names another rule: once its rule is gone it names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId {
    /// The rule's table.
    pub table: TableId,
    pub(super) slot: u32,
    pub(super) sequence: u32,
}

/// The answer to a lookup.
#[derive(Clone, Debug)]
pub struct RuleRef<'a> {
    pub id: RuleId,
    pub cookie: u64,
    pub priority: u16,
    /// Priority 0 and no match field: a packet-in from it has the reason "table miss".
    pub is_table_miss: bool,
    pub instructions: Cow<'a, Instructions>,
}

/// All that can be told of a rule, as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSnapshot {
    pub id: RuleId,
    pub priority: u16,
    pub matching: Match,
    pub cookie: u64,
    /// Seconds; 0 for none.
    pub idle_timeout: u16,
    /// Seconds; 0 for none.
    pub hard_timeout: u16,
    pub importance: u16,
    /// Bits of `flow_flags`.
    pub flags: u16,
    pub instructions: Instructions,
    /// `None` where the rule's flags say that they are not counted.
    pub packets: Option<u64>,
    pub bytes: Option<u64>,
    /// Since the rule was added.
    pub duration: Duration,
    /// Since the last packet, or since the rule was added.
    pub idle_age: Duration,
    /// Since the rule was added or modified.
    pub hard_age: Duration,
}

impl FlowSnapshot {
    pub(super) fn new(id: RuleId, stats: &FlowStats<'_>) -> Self {
        Self {
            id,
            priority: stats.priority,
            matching: stats.matching.clone(),
            cookie: stats.cookie,
            idle_timeout: stats.idle_timeout,
            hard_timeout: stats.hard_timeout,
            importance: stats.importance,
            flags: stats.flags,
            instructions: stats.instructions.clone(),
            packets: stats.packets,
            bytes: stats.bytes,
            duration: stats.duration,
            idle_age: stats.idle,
            hard_age: stats.unmodified,
        }
    }

    /// The rule's table.
    pub const fn table(&self) -> TableId {
        self.id.table
    }

    /// What flow stats and flow monitors tell of it.
    pub const fn stats(&self) -> FlowStats<'_> {
        FlowStats {
            table: self.id.table,
            priority: self.priority,
            matching: &self.matching,
            instructions: &self.instructions,
            cookie: self.cookie,
            duration: self.duration,
            idle: self.idle_age,
            unmodified: self.hard_age,
            idle_timeout: self.idle_timeout,
            hard_timeout: self.hard_timeout,
            importance: self.importance,
            flags: self.flags,
            packets: self.packets,
            bytes: self.bytes,
        }
    }

    /// What FLOW_REMOVED tells of it.
    pub fn removed(&self, reason: FlowRemovedReason) -> FlowRemoved {
        FlowRemoved {
            reason,
            table: self.id.table,
            priority: self.priority,
            matching: self.matching.clone(),
            cookie: self.cookie,
            duration: self.duration,
            idle: self.idle_age,
            idle_timeout: self.idle_timeout,
            hard_timeout: self.hard_timeout,
            importance: self.importance,
            packets: self.packets,
            bytes: self.bytes,
        }
    }
}
