//! An observer that writes a walk down, for people.

use std::fmt;

use super::Observer;
use crate::openflow::action::{Action, Instructions, TableId};
use crate::openflow::modify::{FlowMod, Match};
use crate::table::{Pipeline, RuleRef};
use crate::time::Now;

/// One thing that happened on a walk, and how deep inside of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    pub depth: usize,
    pub told: Told,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A look at a table, and what its rule was.
    Table(TableId, Option<Box<TracedRule>>),
    /// An action ran.
    Action(Box<Action>),
    /// Actions joined the action set.
    Writes(Box<[Action]>),
    /// Another instruction ran, in the words of the flow language.
    Instruction(String),
    /// A flow would be learned.
    Learns(Box<FlowMod>),
    /// A sentence.
    Note(String),
}

/// A rule as it stood when the walk came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedRule {
    pub cookie: u64,
    pub priority: u16,
    pub matching: Match,
    pub instructions: Instructions,
}

/// Collects what happens on walks.
pub struct Teller<'a> {
    pipeline: &'a Pipeline,
    depth: usize,
    happenings: Vec<Happening>,
}

/// Most that is told of one walk: resubmits may run into the thousands.
const LIMIT: usize = 20_000;

impl<'a> Teller<'a> {
    /// Tells walks through `pipeline`.
    pub const fn new(pipeline: &'a Pipeline) -> Self {
        Self {
            pipeline,
            depth: 0,
            happenings: Vec::new(),
        }
    }

    /// What happened, in order.
    pub fn into_happenings(self) -> Vec<Happening> {
        self.happenings
    }

    fn tell(&mut self, told: Told) {
        if self.happenings.len() < LIMIT {
            let depth = self.depth;
            self.happenings.push(Happening { depth, told });
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
        self.tell(Told::Table(table, rule.map(Box::new)));
    }

    fn action(&mut self, action: &Action) {
        self.tell(Told::Action(Box::new(action.clone())));
    }

    fn writes(&mut self, actions: &[Action]) {
        self.tell(Told::Writes(actions.into()));
    }

    fn instruction(&mut self, words: fmt::Arguments<'_>) {
        self.tell(Told::Instruction(words.to_string()));
    }

    fn learns(&mut self, flow: &FlowMod) {
        self.tell(Told::Learns(Box::new(flow.clone())));
    }

    fn enter(&mut self) {
        self.depth += 1;
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn note(&mut self, note: fmt::Arguments<'_>) {
        self.tell(Told::Note(note.to_string()));
    }
}
