//! Who listens to a walk: nobody when packets are forwarded, a teller when they are traced.

use std::fmt;

use crate::openflow::action::{Action, TableId};
use crate::openflow::modify::FlowMod;
use crate::table::RuleRef;

/// Is told each step of a walk, in order.
pub trait Observer {
    /// A table was looked at; `rule` is what it had for the packet.
    fn table(&mut self, table: TableId, rule: Option<&RuleRef<'_>>) {
        let _ = (table, rule);
    }

    /// An action is about to run.
    fn action(&mut self, action: &Action) {
        let _ = action;
    }

    /// Actions join the action set.
    fn writes(&mut self, actions: &[Action]) {
        let _ = actions;
    }

    /// Another instruction runs, in the words of the flow language.
    fn instruction(&mut self, words: fmt::Arguments<'_>) {
        let _ = words;
    }

    /// A flow would be learned.
    fn learns(&mut self, flow: &FlowMod) {
        let _ = flow;
    }

    /// What follows happens inside the last action, until [`leave`](Self::leave).
    fn enter(&mut self) {}

    /// The nested part is over.
    fn leave(&mut self) {}

    /// Something worth a sentence happened.
    fn note(&mut self, note: fmt::Arguments<'_>) {
        let _ = note;
    }
}

/// Listens to nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
