//! One walk through the tables with one packet's key: what comes out is a flat list of datapath
//! actions, the mask of key bits that decided it, and who is to be credited for each packet.
//!
//! The idea: groups, resubmits, goto, the action set and NORMAL all dissolve here, once for each
//! *kind* of packet.  A packet that agrees with `key` in every bit of the mask gets the same list
//! (the *mask property*, proved by a property test).  Bits that the walk itself has written are
//! not the packet's any more and do not enter the mask.  What only the packet itself can decide
//! (a meter, a hash, a TTL) is left to a datapath action.
//!
//! Header writes are lazy: they are collected, and written out as few `Set` actions just before
//! something can see them.
//!
//! A translation that fails (too deep, too many resubmits, stack overflow) sends the packet nowhere:
//! outputs that stand before the fault do not happen either, and nothing runs after it.  What was
//! counted and learned until then stands.  Open vSwitch does the same.
//!
//! Nothing here touches packet bytes, and nothing changes a table: side effects are returned.

mod action_set;
mod actions;
mod context;
mod draft;
mod emit;
mod fields;
mod freeze;
mod group;
mod hash;
mod learn;
mod normal;
mod observer;
mod output;
mod pause;
mod provenance;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
mod trace;
mod ttl;
mod walk;

use std::sync::Arc;

pub use context::{Context, Fragments, Settings};
pub use draft::Draft;
pub use freeze::FrozenWalks;
pub use learn::LearnedFlow;
pub use observer::{Observer, Silent};
pub(crate) use output::METADATA_BITS;
pub use pause::resume;
pub use trace::{Happening, Teller, Told, TracedRule};

use crate::action::DpAction;
use crate::error::DropReason;
use crate::flow::{FlowKey, FlowMask, SparseMask, slot};
use crate::openflow::action::{Action, GroupId, TableId};
use crate::packet::PortNo;
use crate::table::RuleId;

/// What a walk decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// What to do with the packet.
    pub actions: Arc<[DpAction]>,
    /// Bits of the key that decided it; only packet words.
    pub mask: SparseMask,
    /// Bits that the walk wrote or moved: a lookup may have seen others there than the packet's.
    pub overwritten: SparseMask,
    /// Whose counters each packet raises.
    pub credits: Box<[Credit]>,
    /// What else the packet causes, now and whenever more packets of its kind were seen.
    pub effects: Box<[Effect]>,
    /// Tables that were looked at.
    pub tables: TableSet,
    /// Whether what NORMAL has learned was looked at.
    pub uses_fdb: bool,
}

impl Translation {
    /// Whether it learns flows.
    pub fn learns(&self) -> bool {
        let learns = |effect: &Effect| matches!(effect, Effect::LearnFlow(_));
        self.effects.iter().any(learns)
    }
}

/// Somebody whose counters rise with each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// A rule that matched, and by that its table.
    Rule(RuleId),
    /// A table in which nothing matched.
    Miss(TableId),
    /// A bucket of a group, by its index; the group itself counts by `Group`.
    Bucket(GroupId, u16),
    /// A group that was run.
    Group(GroupId),
}

/// A change of the switch's state that a packet causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// NORMAL has seen `mac` come in at `port`.
    LearnMac { vlan: u16, mac: u64, port: PortNo },
    /// A learn action adds, refreshes or deletes this flow.
    LearnFlow(Arc<LearnedFlow>),
    /// A rule's timeouts shrink because a TCP FIN or RST passed.
    FinTimeout { rule: RuleId, idle: u16, hard: u16 },
}

/// A set of table numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSet([u64; 4]);

impl TableSet {
    /// Adds a table.
    pub const fn insert(&mut self, table: TableId) {
        self.0[(table.0 / 64) as usize] |= 1 << (table.0 % 64);
    }

    /// Whether `table` is in the set.
    pub const fn contains(&self, table: TableId) -> bool {
        self.0[(table.0 / 64) as usize] >> (table.0 % 64) & 1 != 0
    }

    /// Whether some table is in both sets.
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }
}

/// Walks the tables with a packet that arrived at a port, or comes back with a frozen walk.
pub fn translate(context: &Context<'_>, key: &FlowKey) -> Translation {
    translate_observed(context, key, &mut Silent)
}

/// Like [`translate`], with buffers that have served before.
pub fn translate_into(context: &Context<'_>, key: &FlowKey, draft: &mut Draft) {
    walk_through(context, key, &mut Silent, draft);
}

/// Like [`translate`], telling `observer` each step.
pub fn translate_observed<O: Observer>(
    context: &Context<'_>,
    key: &FlowKey,
    observer: &mut O,
) -> Translation {
    let mut draft = Draft::default();
    walk_through(context, key, observer, &mut draft);
    draft.keep()
}

fn walk_through<O: Observer>(
    context: &Context<'_>,
    key: &FlowKey,
    observer: &mut O,
    draft: &mut Draft,
) {
    let mut walk = walk::Walk::new(context, key, observer, draft);
    if key.value(slot::RECIRC_ID) != 0 {
        walk.thaw();
    } else {
        walk.receive();
    }
    walk.finish(draft);
}

/// Runs the actions of a packet-out on a packet with `key`.
pub fn translate_actions<O: Observer>(
    context: &Context<'_>,
    key: &FlowKey,
    actions: &[Action],
    observer: &mut O,
) -> Translation {
    let mut draft = Draft::default();
    let mut walk = walk::Walk::new(context, key, observer, &mut draft);
    walk.packet_out(actions);
    walk.finish(&mut draft);
    draft.keep()
}

/// A translation that drops for `reason` and nothing else.
pub fn dropping(reason: DropReason, mask: &FlowMask) -> Translation {
    Translation {
        actions: Arc::new([DpAction::Drop(reason)]),
        mask: SparseMask::new(mask),
        overwritten: SparseMask::default(),
        credits: Box::default(),
        effects: Box::default(),
        tables: TableSet::default(),
        uses_fdb: false,
    }
}
