//! Who listens to a walk: nobody when packets are forwarded, a teller when they are traced.

use std::fmt;

use crate::openflow::action::TableId;
use crate::table::RuleRef;

/// Is told each step of a walk, in order.
pub trait Observer {
    /// A table was looked at; `rule` is what it had for the packet.
    fn table(&mut self, table: TableId, rule: Option<&RuleRef<'_>>) {
        let _ = (table, rule);
    }

    /// Something worth a sentence happened.
    fn note(&mut self, note: fmt::Arguments<'_>) {
        let _ = note;
    }
}

/// Listens to nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
