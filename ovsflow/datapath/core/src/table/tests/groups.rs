//! Groups and meters: what requests may do, what goes with them, and lists that fail half-way.

use super::generate::{add, apply_atomic, output};
use crate::error::{OfError, OfResult};
use crate::openflow::action::{Action, GroupId, MeterId};
use crate::openflow::error;
use crate::openflow::modify::{
    Bucket, FlowModCommand, GroupKind, GroupMod, GroupModCommand, Match, MeterMod, MeterModCommand,
    Selection, flow_flags,
};
use crate::packet::PortNo;
use crate::table::{Change, Compat, Notice, Pipeline, Port, RemovedReason, port_state};
use crate::time::Now;

const ALL: u32 = 0xffff_fffc;

fn bucket(id: u32, actions: Vec<Action>) -> Bucket {
    Bucket {
        id,
        weight: 0,
        watch_port: PortNo::ANY,
        watch_group: None,
        actions: actions.into(),
    }
}

fn group(command: GroupModCommand, id: u32, buckets: Vec<Bucket>) -> GroupMod {
    GroupMod {
        command,
        kind: GroupKind::All,
        group: GroupId(id),
        command_bucket: 0xffff_ffff,
        buckets,
        selection: Selection::default(),
    }
}

fn runs(id: u32) -> Vec<Bucket> {
    vec![bucket(0, vec![Action::Group(GroupId(id))])]
}

fn meter(command: MeterModCommand, id: u32) -> MeterMod {
    MeterMod {
        command,
        flags: 1,
        meter: MeterId(id),
        bands: Vec::new(),
    }
}

fn apply(pipeline: &mut Pipeline, request: &GroupMod) -> OfResult<()> {
    pipeline.group_mod(request, Now(5), &mut Vec::new())
}

/// Reasons of the FLOW_REMOVED notices.
fn reasons(notices: &[Notice]) -> Vec<RemovedReason> {
    let reason = |notice: &Notice| match notice {
        Notice::FlowRemoved { reason, .. } => Some(*reason),
        _ => None,
    };
    notices.iter().filter_map(reason).collect()
}

#[test]
fn requests_for_groups_are_checked() {
    use GroupModCommand as C;
    let steps: Vec<(&str, GroupMod, OfResult<()>)> = vec![
        (
            "add",
            group(C::Add, 1, vec![bucket(0, vec![output(1)])]),
            Ok(()),
        ),
        (
            "add again",
            group(C::Add, 1, Vec::new()),
            Err(error::GROUP_EXISTS),
        ),
        (
            "modify missing",
            group(C::Modify, 2, Vec::new()),
            Err(error::UNKNOWN_GROUP),
        ),
        (
            "add or modify",
            group(C::AddOrModify, 1, vec![bucket(4, Vec::new())]),
            Ok(()),
        ),
        (
            "missing chain",
            group(C::Add, 2, runs(9)),
            Err(error::BAD_OUT_GROUP),
        ),
        ("chain", group(C::Add, 2, runs(1)), Ok(())),
        (
            "loop of two",
            group(C::Modify, 1, runs(2)),
            Err(error::GROUP_LOOP),
        ),
        (
            "loop of one",
            group(C::Add, 3, runs(3)),
            Err(error::GROUP_LOOP),
        ),
        (
            "chained",
            group(C::Delete, 1, Vec::new()),
            Err(error::CHAINED_GROUP),
        ),
        ("delete missing", group(C::Delete, 77, Vec::new()), Ok(())),
        (
            "insert in missing",
            group(C::InsertBucket, 7, Vec::new()),
            Err(error::UNKNOWN_GROUP),
        ),
        ("delete all", group(C::Delete, ALL, Vec::new()), Ok(())),
        ("add once more", group(C::Add, 1, Vec::new()), Ok(())),
    ];
    let mut pipeline = Pipeline::new();
    for (name, request, wanted) in steps {
        assert_eq!(apply(&mut pipeline, &request), wanted, "{name}");
    }
    pipeline.set_compat(Compat::Ovs);
    assert_eq!(apply(&mut pipeline, &group(C::Add, 8, runs(8))), Ok(()));
    assert_eq!(apply(&mut pipeline, &group(C::Add, 9, runs(10))), Ok(()));
    assert_eq!(
        apply(&mut pipeline, &group(C::Delete, 8, Vec::new())),
        Ok(())
    );
}

#[test]
fn test_modify_of_nothing_with_a_missing_group() {
    let mut modify = add(5, Match::default(), vec![Action::Group(GroupId(1))]);
    modify.command = FlowModCommand::Modify;
    for (compat, wanted) in [
        (Compat::Spec, Err(error::BAD_OUT_GROUP)),
        (Compat::Ovs, Ok(())),
    ] {
        let mut pipeline = Pipeline::new();
        pipeline.set_compat(compat);
        let answer = pipeline.flow_mod(&modify, Now(1), &mut Vec::new());
        assert_eq!(answer, wanted, "{compat:?}");
        let rule = add(5, Match::default(), Vec::new());
        pipeline.flow_mod(&rule, Now(1), &mut Vec::new()).unwrap();
        let answer = pipeline.flow_mod(&modify, Now(1), &mut Vec::new());
        assert_eq!(answer, Err(error::BAD_OUT_GROUP), "{compat:?}");
    }
}

/// Command, position, ids to insert; ids afterwards.
type Step = (
    GroupModCommand,
    u32,
    &'static [u32],
    Result<&'static [u32], OfError>,
);

#[test]
fn buckets_come_and_go_by_position() {
    use GroupModCommand as C;
    let (first, last, all) = (0xffff_fffd, 0xffff_fffe, 0xffff_ffff);
    let steps: [Step; 11] = [
        (C::InsertBucket, first, &[1], Ok(&[1, 10, 20])),
        (C::InsertBucket, last, &[2], Ok(&[1, 10, 20, 2])),
        (C::InsertBucket, 10, &[3, 4], Ok(&[1, 10, 3, 4, 20, 2])),
        (C::InsertBucket, 99, &[5], Err(error::UNKNOWN_BUCKET)),
        (C::InsertBucket, first, &[20], Err(error::BUCKET_EXISTS)),
        (C::RemoveBucket, first, &[], Ok(&[10, 3, 4, 20, 2])),
        (C::RemoveBucket, last, &[], Ok(&[10, 3, 4, 20])),
        (C::RemoveBucket, 3, &[], Ok(&[10, 4, 20])),
        (C::RemoveBucket, 3, &[], Err(error::UNKNOWN_BUCKET)),
        (C::RemoveBucket, all, &[], Ok(&[])),
        (C::RemoveBucket, first, &[], Ok(&[])),
    ];
    let buckets = |ids: &[u32]| ids.iter().map(|&id| bucket(id, Vec::new())).collect();
    let mut pipeline = Pipeline::new();
    apply(&mut pipeline, &group(C::Add, 1, buckets(&[10, 20]))).unwrap();
    pipeline.credit_bucket(GroupId(1), 1, 3, 300);
    for (number, (command, at, ids, wanted)) in steps.into_iter().enumerate() {
        let mut request = group(command, 1, buckets(ids));
        request.command_bucket = at;
        let answer = apply(&mut pipeline, &request);
        let now: Vec<u32> = pipeline
            .group(GroupId(1))
            .unwrap()
            .buckets
            .iter()
            .map(|b| b.id)
            .collect();
        match wanted {
            Ok(ids) => assert_eq!((answer, now.as_slice()), (Ok(()), ids), "step {number}"),
            Err(error) => assert_eq!(answer, Err(error), "step {number}"),
        }
        // Counters stay with their bucket.
        let stats = pipeline.group_stats(GroupId(1), Now(6)).unwrap();
        let place = now.iter().position(|&id| id == 20);
        assert_eq!(
            place.map(|place| stats.buckets[place]),
            place.map(|_| (3, 300))
        );
    }
}

#[test]
fn rules_go_with_the_group_or_meter_that_they_use_and_no_others() {
    let mut pipeline = Pipeline::new();
    let mut notices = Vec::new();
    for id in [1, 2] {
        apply(&mut pipeline, &group(GroupModCommand::Add, id, Vec::new())).unwrap();
        let request = meter(MeterModCommand::Add, id);
        pipeline.meter_mod(&request, Now(0), &mut notices).unwrap();
    }
    let in_clone = Action::Clone(Box::new([Action::Group(GroupId(1))]));
    let lists: Vec<Vec<Action>> = vec![
        vec![Action::Group(GroupId(1))],
        vec![in_clone],
        vec![Action::Group(GroupId(2))],
        vec![Action::Meter(MeterId(1)), output(1)],
        vec![output(1)],
    ];
    for (priority, list) in lists.into_iter().enumerate() {
        let mut request = add(priority as u16, Match::default(), list);
        request.flags = flow_flags::SEND_FLOW_REM;
        pipeline.flow_mod(&request, Now(1), &mut notices).unwrap();
    }
    assert_eq!(
        pipeline.group_stats(GroupId(1), Now(1)).unwrap().ref_count,
        2
    );
    assert_eq!(
        pipeline.meter_stats(MeterId(1), Now(1)).unwrap().flow_count,
        1
    );
    assert!(notices.is_empty());
    let delete = group(GroupModCommand::Delete, 1, Vec::new());
    pipeline.group_mod(&delete, Now(2), &mut notices).unwrap();
    assert_eq!(reasons(&notices), [RemovedReason::GroupDelete; 2]);
    notices.clear();
    let delete = meter(MeterModCommand::Delete, 0xffff_ffff);
    pipeline.meter_mod(&delete, Now(2), &mut notices).unwrap();
    assert_eq!(reasons(&notices), [RemovedReason::MeterDelete]);
    assert_eq!(pipeline.meters().count(), 0);
    assert_eq!(
        pipeline
            .table_stats(crate::openflow::action::TableId(0))
            .unwrap()
            .active,
        2
    );
}

#[test]
fn a_list_that_fails_leaves_nothing_behind() {
    let mut pipeline = Pipeline::new();
    let mut notices = Vec::new();
    apply(
        &mut pipeline,
        &group(GroupModCommand::Add, 1, vec![bucket(0, vec![output(1)])]),
    )
    .unwrap();
    pipeline.credit_group(GroupId(1), 7, 700);
    let rule = add(5, Match::default(), vec![Action::Group(GroupId(1))]);
    pipeline.flow_mod(&rule, Now(1), &mut notices).unwrap();
    let mut list = vec![
        Change::Group(group(GroupModCommand::Delete, ALL, Vec::new())),
        Change::Meter(meter(MeterModCommand::Add, 1)),
        Change::Group(group(GroupModCommand::Add, 1, Vec::new())),
        Change::Flow(add(6, Match::default(), vec![Action::Meter(MeterId(1))])),
        Change::Flow(add(7, Match::default(), vec![Action::Group(GroupId(2))])),
    ];
    let active = pipeline.active_mask().clone();
    let answer = apply_atomic(&mut pipeline, &list, Now(2), &mut notices);
    assert_eq!(answer, Err((4, error::BAD_OUT_GROUP)));
    assert!(notices.is_empty());
    assert_eq!(pipeline.meters().count(), 0);
    let stats = pipeline.group_stats(GroupId(1), Now(2)).unwrap();
    assert_eq!((stats.packets, stats.bytes, stats.ref_count), (7, 700, 1));
    assert_eq!(pipeline.group(GroupId(1)).unwrap().buckets.len(), 1);
    assert_eq!(pipeline.active_mask(), &active);
    list.pop();
    assert_eq!(
        apply_atomic(&mut pipeline, &list, Now(2), &mut notices),
        Ok(())
    );
    assert_eq!(pipeline.group(GroupId(1)).unwrap().buckets.len(), 0);
    assert_eq!(
        pipeline.meter_stats(MeterId(1), Now(2)).unwrap().flow_count,
        1
    );
}

#[test]
fn select_groups_leave_out_buckets_whose_watch_is_down() {
    let mut pipeline = Pipeline::new();
    let port = |number: u32, state: u32| Port {
        number: PortNo(number),
        state,
        ..Port::default()
    };
    pipeline.set_port(port(1, port_state::LIVE));
    pipeline.set_port(port(2, port_state::LIVE));
    let watching = |id: u32, number: u32| Bucket {
        weight: 1,
        watch_port: PortNo(number),
        ..bucket(id, vec![output(number)])
    };
    let failover = GroupMod {
        kind: GroupKind::FastFailover,
        ..group(GroupModCommand::Add, 1, vec![watching(0, 1)])
    };
    apply(&mut pipeline, &failover).unwrap();
    let by_group = Bucket {
        weight: 1,
        watch_group: Some(GroupId(1)),
        ..bucket(2, Vec::new())
    };
    let select = GroupMod {
        kind: GroupKind::Select,
        ..group(
            GroupModCommand::Add,
            2,
            vec![watching(0, 1), watching(1, 2), by_group],
        )
    };
    apply(&mut pipeline, &select).unwrap();
    let chosen = |pipeline: &Pipeline| {
        let mut slots = pipeline.group(GroupId(2)).unwrap().slots.to_vec();
        slots.sort_unstable();
        slots.dedup();
        slots
    };
    assert_eq!(chosen(&pipeline), [0, 1, 2]);
    let before = pipeline.generation();
    pipeline.set_port(port(1, port_state::LINK_DOWN));
    assert!(pipeline.generation() > before);
    assert_eq!(chosen(&pipeline), [1]);
    pipeline.remove_port(PortNo(2));
    assert!(chosen(&pipeline).is_empty());
    pipeline.set_port(port(1, port_state::LIVE));
    assert_eq!(chosen(&pipeline), [0, 2]);
}
