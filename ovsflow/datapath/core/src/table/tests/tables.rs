//! Limits, eviction, vacancy events, what learning rules leave, and the checks of a FLOW_MOD.

use super::generate::{add, output, put};
use super::twin::{dump, everything};
use crate::error::{OfError, OfResult};
use crate::flow::{FlowKey, FlowMask, slot};
use crate::openflow::action::{Action, GroupId, Learn, MeterId, TableId};
use crate::openflow::error;
use crate::openflow::modify::{FlowMod, FlowModCommand, Match, TableMod, flow_flags};
use crate::table::{ALL_TABLES, Compat, Notice, Pipeline, RemovedReason};
use crate::time::Now;

fn host(address: u128) -> Match {
    let mut matching = Match::default();
    put(&mut matching, slot::IPV4_DST, address, 0xffff_ffff);
    matching
}

fn apply(pipeline: &mut Pipeline, request: &FlowMod) -> (OfResult<()>, Vec<Notice>) {
    let mut notices = Vec::new();
    let answer = pipeline.flow_mod(request, Now(1), &mut notices);
    (answer, notices)
}

#[test]
fn a_rule_that_replaces_another_overlaps_with_others_still() {
    let checked = |matching: Match| FlowMod {
        flags: flow_flags::CHECK_OVERLAP,
        ..add(1, matching, vec![output(2)])
    };
    for (compat, wanted) in [(Compat::Spec, Err(error::OVERLAP)), (Compat::Ovs, Ok(()))] {
        let mut pipeline = Pipeline::new();
        pipeline.set_compat(compat);
        // The same match is no overlap.
        for _ in 0..2 {
            let answer = apply(&mut pipeline, &checked(host(1))).0;
            assert_eq!(answer, Ok(()), "{compat:?}");
        }
        let wide = add(1, Match::default(), vec![output(1)]);
        assert_eq!(apply(&mut pipeline, &wide).0, Ok(()));
        let answer = apply(&mut pipeline, &checked(host(1))).0;
        assert_eq!(answer, wanted, "{compat:?}");
        let answer = apply(&mut pipeline, &checked(host(2))).0;
        assert_eq!(answer, Err(error::OVERLAP), "{compat:?}");
    }
}

#[test]
fn a_full_table_refuses_or_makes_room_by_importance() {
    let mut pipeline = Pipeline::new();
    pipeline.set_table_limit(Some(TableId(0)), 3);
    let rule = |address: u128, importance: u16| FlowMod {
        importance,
        flags: flow_flags::SEND_FLOW_REM,
        ..add(1, host(address), vec![output(1)])
    };
    for (address, importance) in [(1, 5), (2, 1), (3, 9)] {
        assert_eq!(apply(&mut pipeline, &rule(address, importance)).0, Ok(()));
    }
    assert_eq!(apply(&mut pipeline, &rule(4, 9)).0, Err(error::TABLE_FULL));
    // Replacing takes no room.
    assert_eq!(apply(&mut pipeline, &rule(3, 9)).0, Ok(()));
    let eviction = TableMod {
        table: TableId(ALL_TABLES),
        config: 4,
        ..TableMod::default()
    };
    assert_eq!(pipeline.table_mod(&eviction), Ok(()));
    assert_eq!(apply(&mut pipeline, &rule(4, 0)).0, Err(error::TABLE_FULL));
    for (new, victim) in [(4, 2), (5, 1)] {
        let (answer, notices) = apply(&mut pipeline, &rule(new, 7));
        assert_eq!(answer, Ok(()));
        let gone: Vec<(RemovedReason, u128)> = notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::FlowRemoved { reason, flow } => {
                    Some((*reason, flow.matching.value.value(slot::IPV4_DST)))
                }
                _ => None,
            })
            .collect();
        assert_eq!(gone, [(RemovedReason::Eviction, victim)]);
    }
    assert_eq!(pipeline.table_desc(TableId(0)).unwrap().config, 4);
    assert_eq!(pipeline.table_stats(TableId(0)).unwrap().active, 3);
}

#[test]
fn vacancy_events_come_once_for_each_crossing() {
    let mut pipeline = Pipeline::new();
    pipeline.set_table_limit(None, 10);
    let watch = TableMod {
        table: TableId(0),
        config: 8,
        eviction: None,
        vacancy: Some((30, 60)),
    };
    assert_eq!(pipeline.table_mod(&watch), Ok(()));
    let mut events = Vec::new();
    let mut note = |count: u128, notices: Vec<Notice>| {
        for notice in notices {
            if let Notice::Vacancy { down, .. } = notice {
                events.push((count, down));
            }
        }
    };
    for address in 1..=10 {
        let (_, notices) = apply(&mut pipeline, &add(1, host(address), Vec::new()));
        note(address, notices);
    }
    for address in (1..=10).rev() {
        let delete = FlowMod {
            command: FlowModCommand::DeleteStrict,
            ..add(1, host(address), Vec::new())
        };
        let (_, notices) = apply(&mut pipeline, &delete);
        note(address - 1, notices);
    }
    // 8 of 10 leave 20 %, 3 of 10 leave 70 %.
    assert_eq!(events, [(8, true), (3, false)]);
    assert_eq!(
        pipeline.table_desc(TableId(0)).unwrap().vacancy,
        Some((30, 60, 100))
    );
    let bad = TableMod {
        table: TableId(254),
        ..watch
    };
    assert_eq!(pipeline.table_mod(&bad), Err(error::TABLE_MOD_BAD_TABLE));
}

#[test]
fn what_was_learned_goes_with_the_last_rule_that_learns_it() {
    const DELETE_LEARNED: u16 = 2;
    let learn = Action::Learn(Box::new(Learn {
        idle_timeout: 0,
        hard_timeout: 0,
        priority: 1,
        cookie: 0x77,
        table: TableId(3),
        flags: DELETE_LEARNED,
        fin_idle_timeout: 0,
        fin_hard_timeout: 0,
        limit: 0,
        result: None,
        specs: Box::default(),
    }));
    let mut pipeline = Pipeline::new();
    let learned = |cookie: u64, address: u128| FlowMod {
        table: TableId(3),
        cookie,
        ..add(1, host(address), Vec::new())
    };
    let requests = [
        add(1, host(1), vec![learn.clone()]),
        add(1, host(2), vec![output(9), learn]),
        learned(0x77, 1),
        learned(0x77, 2),
        learned(0x78, 3),
    ];
    for request in &requests {
        assert_eq!(apply(&mut pipeline, request).0, Ok(()));
    }
    let delete = |address: u128| FlowMod {
        command: FlowModCommand::Delete,
        ..add(1, host(address), Vec::new())
    };
    let active = |pipeline: &Pipeline| pipeline.table_stats(TableId(3)).unwrap().active;
    apply(&mut pipeline, &delete(1)).0.unwrap();
    assert_eq!(active(&pipeline), 3);
    apply(&mut pipeline, &delete(2)).0.unwrap();
    assert_eq!(active(&pipeline), 1);
}

#[test]
fn requests_that_name_what_is_not_there_are_refused() {
    let to_table = |table: u8| FlowMod {
        table: TableId(table),
        ..add(1, Match::default(), Vec::new())
    };
    let goto = |from: u8, to: u8| {
        let mut request = to_table(from);
        request.instructions.goto = Some(TableId(to));
        request
    };
    let mut metered = to_table(0);
    metered.instructions.meter = Some(MeterId(7));
    let nested = Action::Clone(Box::new([Action::Group(GroupId(7))]));
    let cases: [(&str, FlowMod, OfError); 8] = [
        ("table 254", to_table(254), error::REQUEST_EPERM),
        ("all tables", to_table(255), error::BAD_TABLE_ID),
        ("goto itself", goto(4, 4), error::BAD_GOTO_TABLE),
        ("goto back", goto(4, 3), error::BAD_GOTO_TABLE),
        ("goto 254", goto(4, 254), error::BAD_GOTO_TABLE),
        ("meter", metered, error::INVALID_METER),
        (
            "group",
            add(1, Match::default(), vec![nested]),
            error::BAD_OUT_GROUP,
        ),
        (
            "meter action",
            add(1, Match::default(), vec![Action::Meter(MeterId(1))]),
            error::INVALID_METER,
        ),
    ];
    let mut pipeline = Pipeline::new();
    for (name, request, wanted) in cases {
        assert_eq!(apply(&mut pipeline, &request).0, Err(wanted), "{name}");
        assert!(dump(&pipeline, &everything(ALL_TABLES), Now(0)).is_empty());
    }
    assert_eq!(apply(&mut pipeline, &goto(4, 253)).0, Ok(()));
    // A modify of all tables would go back from table 4.
    let modify = FlowMod {
        command: FlowModCommand::Modify,
        table: TableId(ALL_TABLES),
        ..goto(0, 2)
    };
    assert_eq!(apply(&mut pipeline, &modify).0, Err(error::BAD_GOTO_TABLE));
}

#[test]
fn a_rule_with_no_match_and_priority_0_is_the_miss_rule() {
    let mut pipeline = Pipeline::new();
    for (priority, matching, is_miss) in [
        (0, Match::default(), true),
        (1, Match::default(), false),
        (0, host(0), false),
    ] {
        let request = add(priority, matching, Vec::new());
        assert_eq!(apply(&mut pipeline, &request).0, Ok(()));
        let found = pipeline.lookup(TableId(0), &FlowKey::default(), &mut FlowMask::default());
        assert_eq!(found.map(|rule| rule.is_table_miss), Some(is_miss));
        let delete = FlowMod {
            command: FlowModCommand::DeleteStrict,
            ..request
        };
        assert_eq!(apply(&mut pipeline, &delete).0, Ok(()));
    }
}
