//! An observer that writes a walk down, for people.

use std::fmt;

use super::Observer;
use crate::openflow::action::{Instructions, TableId};
use crate::openflow::modify::Match;
use crate::table::{Pipeline, RuleRef};
use crate::time::Now;

/// One look at a table, and what its rule caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    pub table: TableId,
    /// `None`: nothing matched, or (in the first step) a list of actions given from outside.
    pub rule: Option<TracedRule>,
    pub notes: Vec<String>,
}

/// A rule as it stood when the walk came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRule {
    pub cookie: u64,
    pub priority: u16,
    pub matching: Match,
    pub instructions: Instructions,
}

/// Collects the steps of a walk.
pub struct Teller<'a> {
    pipeline: &'a Pipeline,
    pub steps: Vec<TraceStep>,
}

impl<'a> Teller<'a> {
    /// Tells walks through `pipeline`.
    pub const fn new(pipeline: &'a Pipeline) -> Self {
        Self {
            pipeline,
            steps: Vec::new(),
        }
    }
}

impl Observer for Teller<'_> {
    fn table(&mut self, table: TableId, rule: Option<&RuleRef<'_>>) {
        let rule = rule.map(|rule| TracedRule {
            cookie: rule.cookie,
            priority: rule.priority,
            matching: self
                .pipeline
                .flow(rule.id, Now(0))
                .map(|flow| flow.matching)
                .unwrap_or_default(),
            instructions: rule.instructions.clone().into_owned(),
        });
        self.steps.push(TraceStep {
            table,
            rule,
            notes: Vec::new(),
        });
    }

    fn note(&mut self, note: fmt::Arguments<'_>) {
        if self.steps.is_empty() {
            self.steps.push(TraceStep {
                table: TableId(0),
                rule: None,
                notes: Vec::new(),
            });
        }
        if let Some(step) = self.steps.last_mut() {
            step.notes.push(note.to_string());
        }
    }
}
