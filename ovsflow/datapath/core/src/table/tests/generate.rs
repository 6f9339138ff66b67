//! Random requests over few fields and few values, so that rules meet often.

use proptest::prelude::*;

use crate::error::OfError;
use crate::flow::{FlowKey, FlowMask, Slot, slot};
use crate::openflow::action::{Action, FieldValue, GroupId, Instructions, MeterId, TableId};
use crate::openflow::modify::{FlowMod, FlowModCommand, Match};
use crate::packet::PortNo;
use crate::table::{Change, Notice, Pipeline};
use crate::time::Now;

/// Sets a field of a match.
pub(super) fn put(matching: &mut Match, place: Slot, value: u128, mask: u128) {
    matching.mask.set(place, mask);
    matching.value.set(place, value & mask);
}

/// A FLOW_MOD that adds `matching` to table 0.
pub(super) fn add(priority: u16, matching: Match, actions: Vec<Action>) -> FlowMod {
    let instructions = Instructions {
        apply: actions.into(),
        ..Instructions::default()
    };
    FlowMod::add(TableId(0), priority, matching, instructions)
}

/// Applies a list all or nothing; says which change was refused.
pub(super) fn apply_atomic(
    pipeline: &mut Pipeline,
    changes: &[Change],
    now: Now,
    notices: &mut Vec<Notice>,
) -> Result<(), (usize, OfError)> {
    let mut list = pipeline.atomic();
    for (index, change) in changes.iter().enumerate() {
        list.apply(change, now).map_err(|error| (index, error))?;
    }
    list.commit(now, notices);
    Ok(())
}

pub(super) fn output(port: u32) -> Action {
    Action::Output {
        port: PortNo(port),
        max_len: 0,
    }
}

pub(super) fn set_tun_dst(value: u128) -> Action {
    Action::SetField(FieldValue {
        field: crate::flow::field::TUN_DST,
        value,
        mask: u128::from(u32::MAX),
    })
}

/// Values of addresses that share prefixes.
fn address() -> impl Strategy<Value = u128> {
    prop::sample::select(vec![
        0x0a00_0001,
        0x0a00_0002,
        0x0a00_0102,
        0x0a01_0203,
        0x0b00_0001,
    ])
}

fn prefix() -> impl Strategy<Value = u128> {
    prop::sample::select(vec![0u32, 8, 16, 24, 31, 32])
        .prop_map(|len| u128::from(u32::MAX.checked_shl(32 - len).unwrap_or(0)))
}

prop_compose! {
    pub(super) fn matching()(
        in_port in prop::option::weighted(0.5, 1u128..4),
        dst in prop::option::weighted(0.7, (address(), prefix())),
        src in prop::option::weighted(0.2, (address(), prefix())),
        port in prop::option::weighted(0.3, (0u128..4, prop::sample::select(vec![0xffff, 0xfffe, 3, 1]))),
        v6 in prop::option::weighted(0.1, (0u128..3, prop::sample::select(vec![u128::MAX, u128::MAX << 64, 1]))),
        metadata in prop::option::weighted(0.1, 0u128..3),
        conj in prop::option::weighted(0.2, 0u128..4),
    ) -> Match {
        let mut matching = Match::default();
        let fields = [
            (slot::IN_PORT, in_port.map(|port| (port, u128::from(u32::MAX)))),
            (slot::IPV4_DST, dst),
            (slot::IPV4_SRC, src),
            (slot::TP_DST, port),
            (slot::IPV6_DST, v6),
            (slot::METADATA, metadata.map(|value| (value, u128::from(u64::MAX)))),
            (slot::CONJ_ID, conj.map(|id| (id, u128::from(u32::MAX)))),
        ];
        for (place, field) in fields {
            if let Some((value, mask)) = field {
                put(&mut matching, place, value, mask);
            }
        }
        matching
    }
}

prop_compose! {
    pub(super) fn key()(
        in_port in 0u128..5,
        dst in address(),
        src in address(),
        port in 0u128..5,
        v6 in 0u128..4,
        metadata in 0u128..3,
    ) -> FlowKey {
        let mut key = FlowKey::default();
        key.set(slot::IN_PORT, in_port);
        key.set(slot::IPV4_DST, dst);
        key.set(slot::IPV4_SRC, src);
        key.set(slot::TP_DST, port);
        key.set(slot::IPV6_DST, v6);
        key.set(slot::METADATA, metadata);
        key
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (1u32..4).prop_map(output),
        (0u128..300).prop_map(set_tun_dst),
        (1u32..3).prop_map(|id| Action::Group(GroupId(id))),
        (1u32..3).prop_map(|id| Action::Meter(MeterId(id))),
        (0u32..3).prop_map(|port| Action::Clone(Box::new([output(port)]))),
    ]
}

pub(super) fn instructions() -> impl Strategy<Value = Instructions> {
    let clause = (0u32..4, 1u8..3).prop_map(|(id, clause)| Action::Conjunction {
        id,
        clause,
        clauses: 2,
    });
    let lists = prop_oneof![
        4 => prop::collection::vec(action(), 0..4),
        1 => prop::collection::vec(clause, 1..3),
    ];
    (
        lists,
        prop::collection::vec(action(), 0..2),
        prop::option::of(0u64..5),
    )
        .prop_map(|(apply, write, metadata)| Instructions {
            apply: apply.into(),
            write: write.into(),
            metadata: metadata.map(|value| (value, 7)),
            ..Instructions::default()
        })
}

fn command() -> impl Strategy<Value = FlowModCommand> {
    prop_oneof![
        6 => Just(FlowModCommand::Add),
        1 => Just(FlowModCommand::Modify),
        1 => Just(FlowModCommand::ModifyStrict),
        1 => Just(FlowModCommand::Delete),
        1 => Just(FlowModCommand::DeleteStrict),
    ]
}

prop_compose! {
    pub(super) fn flow_mod()(
        (command, table) in (command(), prop_oneof![8 => 0u8..2, 1 => Just(0xff), 1 => 253u8..255]),
        priority in 0u16..4,
        matching in matching(),
        cookie in 0u64..6,
        cookie_mask in prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(u64::MAX)],
        new_cookie in prop::option::weighted(0.3, 0u64..6),
        modify_adds in any::<bool>(),
        (idle_timeout, hard_timeout) in (prop_oneof![2 => Just(0), 1 => 1u16..5], prop_oneof![2 => Just(0), 1 => 1u16..9]),
        importance in 0u16..3,
        flags in 0u16..32,
        out_port in prop_oneof![3 => Just(PortNo::ANY), 1 => (1u32..3).prop_map(PortNo)],
        out_group in prop::option::weighted(0.2, (1u32..3).prop_map(GroupId)),
        instructions in instructions(),
    ) -> FlowMod {
        FlowMod {
            command, table: TableId(table), priority, matching, cookie, cookie_mask, new_cookie, modify_adds,
            idle_timeout, hard_timeout, importance, flags, out_port, out_group, buffer_id: u32::MAX, instructions,
        }
    }
}

/// The same key with the bits of `flips` outside `mask` turned.
pub(super) fn flipped(key: &FlowKey, mask: &FlowMask, flips: &[u64]) -> FlowKey {
    let mut other = key.clone();
    let words = other
        .words
        .iter_mut()
        .zip(&mask.words)
        .zip(flips.iter().cycle());
    for ((word, mask), flip) in words {
        *word ^= flip & !mask;
    }
    other
}
