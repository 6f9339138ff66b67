//! What a walk has decided, before anybody keeps it.
//!
//! Most packets that are the first of their kind get what other kinds have got already.  So a walk
//! writes to buffers that serve walk after walk, and only what nobody has yet is copied from them.

use super::{Credit, Effect, TableSet, Translation};
use crate::action::DpAction;
use crate::flow::{FlowMask, SparseMask};

/// A [`Translation`] in buffers that are used again.
#[derive(Debug, Default)]
pub struct Draft {
    pub(super) actions: Vec<DpAction>,
    pub(super) credits: Vec<Credit>,
    pub(super) effects: Vec<Effect>,
    pub(super) mask: FlowMask,
    pub(super) overwritten: FlowMask,
    pub(super) tables: TableSet,
    pub(super) uses_fdb: bool,
}

impl Draft {
    /// Bits of the key that decided it; only packet words.
    pub const fn mask(&self) -> &FlowMask {
        &self.mask
    }

    /// Whose counters each packet raises.
    pub fn credits(&self) -> &[Credit] {
        &self.credits
    }

    /// Whether `known` says the same.
    pub fn is(&self, known: &Translation) -> bool {
        self.credits == *known.credits
            && self.actions == *known.actions
            && self.effects == *known.effects
            && self.tables == known.tables
            && self.uses_fdb == known.uses_fdb
            && known.mask.is(&self.mask)
            && known.overwritten.is(&self.overwritten)
    }

    /// A copy to keep; what was decided leaves the draft.
    pub fn keep(&mut self) -> Translation {
        Translation {
            actions: self.actions.drain(..).collect(),
            mask: SparseMask::new(&self.mask),
            overwritten: SparseMask::new(&self.overwritten),
            credits: self.credits.drain(..).collect(),
            effects: self.effects.drain(..).collect(),
            tables: self.tables,
            uses_fdb: self.uses_fdb,
        }
    }
}
