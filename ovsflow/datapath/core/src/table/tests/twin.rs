//! Everything that a step leaves is compared: the answer, the notices, all rules, lookups.

use std::borrow::Cow;

use proptest::prelude::*;

use super::generate;
use crate::flow::{FlowKey, FlowMask, SparseMask};
use crate::openflow::action::{GroupId, MeterId, TableId};
use crate::openflow::modify::{
    FlowMod, GroupKind, GroupMod, GroupModCommand, Match, MeterMod, MeterModCommand, Selection,
};
use crate::openflow::tell::FlowFilter;
use crate::packet::PortNo;
use crate::table::naive::NaiveTables;
use crate::table::{
    ALL_TABLES, Change, Compat, Dependence, FlowCursor, FlowSnapshot, Notice, Pipeline, RuleId,
    RuleRef,
};
use crate::time::Now;

/// Rules of one table in these tests.
const LIMIT: usize = 12;

#[derive(Clone, Debug)]
enum Step {
    FlowMod(Box<FlowMod>),
    Bundle(Vec<FlowMod>),
    /// Packets with this key are looked up and counted.
    Packet(Box<FlowKey>, Vec<u64>),
    Wait(u64),
    Shorten(Box<FlowKey>, u16, u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => generate::flow_mod().prop_map(|request| Step::FlowMod(Box::new(request))),
        1 => prop::collection::vec(generate::flow_mod(), 0..6).prop_map(Step::Bundle),
        3 => (generate::key(), prop::collection::vec(any::<u64>(), 1..5))
            .prop_map(|(key, flips)| Step::Packet(Box::new(key), flips)),
        2 => (0u64..3_000_000_000).prop_map(Step::Wait),
        1 => (generate::key(), 0u16..4, 0u16..4).prop_map(|(key, idle, hard)| Step::Shorten(Box::new(key), idle, hard)),
    ]
}

/// A snapshot in a form that does not depend on where the rule lies.
type Row = (u8, u16, Match, String);

fn row(flow: &FlowSnapshot) -> Row {
    let mut flow = flow.clone();
    let table = flow.table().0;
    flow.id = RuleId {
        table: TableId(table),
        slot: 0,
        sequence: 0,
    };
    (
        table,
        flow.priority,
        flow.matching.clone(),
        format!("{flow:?}"),
    )
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| a.3.cmp(&b.3));
    rows
}

fn notice_rows(notices: &[Notice]) -> Vec<String> {
    let mut rows: Vec<String> = notices
        .iter()
        .map(|notice| match notice {
            Notice::FlowRemoved { reason, flow } => format!("removed {reason:?} {:?}", row(flow)),
            Notice::FlowChanged { event, flow } => format!("changed {event:?} {:?}", row(flow)),
            other => format!("{other:?}"),
        })
        .collect();
    rows.sort();
    rows
}

pub(super) fn everything(table: u8) -> FlowFilter {
    FlowFilter {
        table: TableId(table),
        out_port: PortNo::ANY,
        out_group: None,
        cookie: 0,
        cookie_mask: 0,
        matching: Match::default(),
    }
}

/// All flows, dumped a few slots at a time.
pub(super) fn dump(pipeline: &Pipeline, filter: &FlowFilter, now: Now) -> Vec<FlowSnapshot> {
    let mut flows = Vec::new();
    let mut cursor = Some(FlowCursor::default());
    while let Some(from) = cursor {
        let mut ids = Vec::new();
        cursor = pipeline.flows(filter, from, 3, now, &mut |id, _| ids.push(id));
        assert!(ids.len() <= 3);
        flows.extend(ids.iter().filter_map(|&id| pipeline.flow(id, now)));
    }
    flows
}

fn pipeline() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.set_compat(Compat::Ovs);
    pipeline.set_monitored(true);
    pipeline.set_table_limit(None, LIMIT as u32);
    for id in 1..3 {
        let group = GroupMod {
            command: GroupModCommand::Add,
            kind: GroupKind::All,
            group: GroupId(id),
            command_bucket: 0,
            buckets: Vec::new(),
            selection: Selection::default(),
        };
        let meter = MeterMod {
            command: MeterModCommand::Add,
            flags: 1,
            meter: MeterId(id),
            bands: Vec::new(),
        };
        pipeline.group_mod(&group, Now(0), &mut Vec::new()).unwrap();
        pipeline.meter_mod(&meter, Now(0), &mut Vec::new()).unwrap();
    }
    pipeline
}

/// A lookup from earlier, with what it found then.
struct Memory {
    generation: u64,
    table: TableId,
    key: FlowKey,
    found: Option<RuleRef<'static>>,
}

struct Twins {
    real: Pipeline,
    naive: NaiveTables,
    now: Now,
    memories: Vec<Memory>,
}

impl Twins {
    fn flow_mod(&mut self, request: &FlowMod) {
        let (mut told, mut expected) = (Vec::new(), Vec::new());
        let answer = self.real.flow_mod(request, self.now, &mut told);
        // Table numbers are checked before rules are touched.
        let wanted = match request.table.0 {
            254 => answer,
            ALL_TABLES if request.command == crate::openflow::modify::FlowModCommand::Add => answer,
            _ => self.naive.flow_mod(request, self.now, &mut expected),
        };
        assert_eq!(answer, wanted, "{request:?}");
        assert_eq!(notice_rows(&told), notice_rows(&expected), "{request:?}");
    }

    fn bundle(&mut self, requests: &[FlowMod]) {
        let before = self.rows();
        let changes: Vec<Change> = requests.iter().cloned().map(Change::Flow).collect();
        let (mut told, mut expected) = (Vec::new(), Vec::new());
        let answer = generate::apply_atomic(&mut self.real, &changes, self.now, &mut told);
        let mut trial = self.naive.clone();
        let refused = requests.iter().position(|request| {
            let reserved = request.table.0 == 254
                || request.table.0 == ALL_TABLES
                    && request.command == crate::openflow::modify::FlowModCommand::Add;
            reserved || trial.flow_mod(request, self.now, &mut expected).is_err()
        });
        assert_eq!(answer.err().map(|(index, _)| index), refused);
        if refused.is_none() {
            self.naive = trial;
            assert_eq!(notice_rows(&told), notice_rows(&expected));
        } else {
            assert!(told.is_empty());
            assert_eq!(self.rows(), before);
        }
    }

    fn packet(&mut self, key: &FlowKey, flips: &[u64]) {
        for table in [TableId(0), TableId(1)] {
            let (mut mask, mut all) = (FlowMask::default(), FlowMask::default());
            let found = self.real.lookup(table, key, &mut mask);
            self.naive.lookup(table, key, &mut all);
            self.check_answer(table, key, found.as_ref());
            assert!(&mask & &all == mask, "the mask holds bits of rules only");
            let other = generate::flipped(key, &mask, flips);
            let again = self.real.lookup(table, &other, &mut FlowMask::default());
            let id = found.as_ref().map(|rule| rule.id);
            assert_eq!(again.map(|rule| rule.id), id, "mask {mask:?}");
            self.memories.push(Memory {
                generation: self.real.generation(),
                table,
                key: key.clone(),
                found: found.map(|rule| RuleRef {
                    instructions: Cow::Owned(rule.instructions.into_owned()),
                    ..rule
                }),
            });
            if let Some(id) = id {
                self.credit(id);
            }
        }
    }

    fn credit(&mut self, id: RuleId) {
        let flow = self.real.flow(id, self.now).unwrap();
        let twin = self.naive_id(&flow);
        self.real.credit(id, 2, 200, self.now);
        self.naive.credit(twin, 2, 200, self.now);
    }

    fn naive_id(&self, flow: &FlowSnapshot) -> RuleId {
        let flows = self.naive.flows(&everything(flow.table().0), self.now);
        let is_twin = |other: &&FlowSnapshot| {
            other.priority == flow.priority && other.matching == flow.matching
        };
        flows.iter().find(is_twin).unwrap().id
    }

    fn wait(&mut self, nanos: u64) {
        self.now.0 += nanos;
        let (mut told, mut expected) = (Vec::new(), Vec::new());
        let next = self.real.expire(self.now, &mut told);
        let deadline = self.naive.expire(self.now, &mut expected);
        assert_eq!(notice_rows(&told), notice_rows(&expected));
        assert_eq!(next.is_some(), deadline.is_some());
        assert!(next <= deadline);
    }

    fn shorten(&mut self, key: &FlowKey, idle: u16, hard: u16) {
        let found = self.real.lookup(TableId(0), key, &mut FlowMask::default());
        if let Some(id) = found.map(|rule| rule.id) {
            let twin = self.naive_id(&self.real.flow(id, self.now).unwrap());
            self.real.shorten_timeouts(id, idle, hard);
            self.naive.shorten(twin, idle, hard);
        }
    }

    fn rows(&self) -> Vec<Row> {
        let flows = dump(&self.real, &everything(ALL_TABLES), self.now);
        sorted(flows.iter().map(row).collect())
    }

    /// What a lookup found is a rule that lives and matches, as it is now, and none that matches has
    /// a higher priority; where one rule alone is such, it is that one.
    fn check_answer(&self, table: TableId, key: &FlowKey, found: Option<&RuleRef<'_>>) {
        let answers = self.naive.lookup(table, key, &mut FlowMask::default());
        let Some(found) = found else {
            return assert!(answers.is_empty(), "table {table:?}, key {key:?}");
        };
        let flow = self.real.flow(found.id, self.now).expect("it lives");
        let is_found = |answer: &&FlowMod| {
            (answer.priority, &answer.matching) == (flow.priority, &flow.matching)
        };
        let answer = answers.into_iter().find(is_found);
        let answer = answer.unwrap_or_else(|| panic!("{flow:?} for {key:?} in {table:?}"));
        assert_eq!(found.id.table, table);
        assert_eq!(found.priority, answer.priority);
        assert_eq!(found.cookie, answer.cookie);
        let takes_all = answer.priority == 0 && answer.matching.mask.is_zero();
        assert_eq!(found.is_table_miss, takes_all);
        assert_eq!(*found.instructions, answer.instructions);
    }

    fn compare(&mut self) {
        let flows = self.naive.flows(&everything(ALL_TABLES), self.now);
        assert_eq!(self.rows(), sorted(flows.iter().map(row).collect()));
        let masks = self.naive.masks();
        assert!(&masks & self.real.active_mask() == masks);
        for memory in &self.memories {
            let dependence = Dependence {
                key: &memory.key,
                overwritten: &SparseMask::default(),
                uses_fdb: false,
            };
            let may_differ = self
                .real
                .may_affect(memory.generation, &dependence, |t| t == memory.table);
            if !may_differ {
                let (table, key) = (memory.table, &memory.key);
                let found = self.real.lookup(table, key, &mut FlowMask::default());
                self.check_answer(table, key, found.as_ref());
                // What was found then no change touched: it would be as right now.
                self.check_answer(table, key, memory.found.as_ref());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_pipeline_agrees_with_its_naive_twin(steps in prop::collection::vec(step(), 1..40)) {
        let mut twins = Twins {
            real: pipeline(),
            naive: NaiveTables::new(LIMIT),
            now: Now(123_456_789),
            memories: Vec::new(),
        };
        for step in &steps {
            match step {
                Step::FlowMod(request) => twins.flow_mod(request),
                Step::Bundle(requests) => twins.bundle(requests),
                Step::Packet(key, flips) => twins.packet(key, flips),
                Step::Wait(nanos) => twins.wait(*nanos),
                Step::Shorten(key, idle, hard) => twins.shorten(key, *idle, *hard),
            }
            twins.compare();
        }
        let fresh = pipeline();
        let clear = FlowMod {
            command: crate::openflow::modify::FlowModCommand::Delete,
            table: TableId(ALL_TABLES),
            ..generate::add(0, Match::default(), Vec::new())
        };
        twins.real.flow_mod(&clear, twins.now, &mut Vec::new()).unwrap();
        prop_assert_eq!(twins.real.active_mask(), fresh.active_mask());
        prop_assert_eq!(twins.real.expire(Now(u64::MAX), &mut Vec::new()), None);
    }
}
