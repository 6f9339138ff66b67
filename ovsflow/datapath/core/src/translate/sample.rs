//! Random pipelines for property tests: rules whose fields and numbers are few, so that they meet.

use std::sync::Arc;

use proptest::prelude::*;

use crate::flow::field::{self, FieldId};
use crate::openflow::action::{Action, FieldValue, GroupId, Instructions, Subfield, TableId};
use crate::openflow::modify::{
    Bucket, FlowMod, GroupKind, GroupMod, GroupModCommand, Match, Selection,
};
use crate::packet::{PortNo, TunnelConfig};
use crate::table::{Pipeline, Port, port_state};
use crate::time::Now;

pub(crate) const PORTS: u32 = 4;
pub(crate) const TUNNEL_PORT: u32 = 9;

/// Fields that rules of these tests match on and write.
const FIELDS: &[FieldId] = &[
    field::IN_PORT_OXM,
    field::ETH_DST,
    field::ETH_SRC,
    field::ETH_TYPE,
    field::VLAN_TCI,
    field::IP_SRC,
    field::IP_DST,
    field::NW_PROTO,
    field::NW_TOS,
    field::NW_TTL,
    field::TCP_SRC,
    field::TCP_DST,
    field::TUN_ID,
    field::TUN_SRC,
    field::TUN_DST,
    field::METADATA,
    field::REG0,
];

/// Ports 1 to 4 and a flow-based tunnel port, two groups, no rules.
pub(crate) fn pipeline() -> Pipeline {
    let mut pipeline = Pipeline::new();
    for number in (1..=PORTS).chain([TUNNEL_PORT]) {
        let tunnel = (number == TUNNEL_PORT).then(|| Arc::new(TunnelConfig::default()));
        pipeline.set_port(Port {
            number: PortNo(number),
            name: format!("p{number}"),
            state: port_state::LIVE,
            tunnel,
            ..Port::default()
        });
    }
    add_groups(&mut pipeline);
    pipeline
}

/// Adds groups 1 (all) and 2 (select).
pub(crate) fn add_groups(pipeline: &mut Pipeline) {
    for (id, kind) in [(1, GroupKind::All), (2, GroupKind::Select)] {
        let bucket = |port, vlan: bool| Bucket {
            id: port,
            weight: 1,
            watch_port: PortNo::ANY,
            watch_group: None,
            actions: if vlan {
                [Action::PushVlan(0x8100), output(port)].into()
            } else {
                [
                    Action::DecNwTtl {
                        controllers: Box::default(),
                    },
                    output(port),
                ]
                .into()
            },
        };
        let request = GroupMod {
            command: GroupModCommand::Add,
            kind,
            group: GroupId(id),
            command_bucket: 0xffff_ffff,
            buckets: vec![bucket(1, true), bucket(2, false)],
            selection: Selection::default(),
        };
        let added = pipeline.group_mod(&request, Now(0), &mut Vec::new());
        assert_eq!(added, Ok(()));
    }
}

/// Output to a port.
pub(crate) fn output(port: u32) -> Action {
    Action::Output {
        port: PortNo(port),
        max_len: 0xffff,
    }
}

/// A number that tends to be small, so that things meet.
fn small(bits: u8) -> impl Strategy<Value = u128> {
    let ones = if bits == 128 {
        u128::MAX
    } else {
        (1 << bits) - 1
    };
    prop_oneof![3 => 0..4_u128, 1 => any::<u128>()].prop_map(move |value| value & ones)
}

/// A write of some bits of a field.
pub(crate) fn field_value() -> impl Strategy<Value = FieldValue> {
    prop::sample::select(FIELDS).prop_flat_map(|id| {
        let row = field::field(id);
        (small(row.bits), small(row.bits), any::<bool>()).prop_map(move |(value, mask, whole)| {
            let mask = if whole { row.legal } else { mask & row.legal };
            FieldValue {
                field: id,
                value: value & mask,
                mask,
            }
        })
    })
}

fn subfield() -> impl Strategy<Value = Subfield> {
    (prop::sample::select(FIELDS), 1..16_u8).prop_map(|(id, len)| Subfield {
        field: id,
        start: 0,
        len: len.min(field::field(id).bits),
    })
}

fn action(depth: u32) -> BoxedStrategy<Action> {
    let leaf = prop_oneof![
        4 => prop::sample::select(vec![1, 2, 3, TUNNEL_PORT, 77]).prop_map(output),
        4 => field_value().prop_map(Action::SetField),
        2 => (subfield(), subfield()).prop_map(|(source, mut target)| {
            let len = source.len.min(target.len);
            target.len = len;
            let source = Subfield { len, ..source };
            Action::Move { source, target }
        }),
        1 => subfield().prop_map(Action::StackPush),
        1 => subfield().prop_map(Action::StackPop),
        1 => Just(Action::PushVlan(0x8100)),
        1 => Just(Action::PopVlan),
        1 => Just(Action::PushMpls(0x8847)),
        1 => Just(Action::DecMplsTtl),
        1 => prop::sample::select(vec![0x0800, 0x8847]).prop_map(Action::PopMpls),
        1 => Just(Action::DecNwTtl { controllers: Box::default() }),
        1 => Just(Action::SetNwTtl(7)),
        1 => prop::sample::select(vec![
            PortNo::IN_PORT, PortNo::FLOOD, PortNo::ALL, PortNo::NORMAL, PortNo::CONTROLLER,
        ])
        .prop_map(|port| output(port.0)),
        1 => (1..3_u32).prop_map(|id| Action::Group(GroupId(id))),
        1 => (1..4_u8, prop::option::of(1..5_u32)).prop_map(|(table, port)| Action::Resubmit {
            in_port: port.map(PortNo),
            table: Some(TableId(table)),
        }),
        1 => subfield().prop_map(|target| Action::CheckPacketLarger { len: 100, target }),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let nested = prop::collection::vec(action(depth - 1), 0..4);
    prop_oneof![12 => leaf, 1 => nested.prop_map(|list| Action::Clone(list.into()))].boxed()
}

fn matching() -> impl Strategy<Value = Match> {
    prop::collection::vec(field_value(), 0..3).prop_map(|fields| {
        let mut matching = Match::default();
        for write in fields {
            let row = field::field(write.field);
            row.write(&mut matching.value, write.value, write.mask);
            let mask = matching.mask.value(row.slot) | row.key_mask(write.mask);
            matching.mask.set(row.slot, mask);
        }
        matching.value = &matching.value & &matching.mask;
        matching
    })
}

/// A rule of one of four tables.
pub(crate) fn rule() -> impl Strategy<Value = FlowMod> {
    let list = prop::collection::vec(action(1), 0..5);
    let write = prop::collection::vec(action(0), 0..3);
    let goto = prop::option::of(1..4_u8);
    (0..4_u8, any::<u16>(), matching(), list, write, goto).prop_map(
        |(table, priority, matching, apply, write, goto)| {
            let instructions = Instructions {
                apply: apply.into(),
                write: write.into(),
                goto: goto.map(TableId).filter(|goto| goto.0 > table),
                ..Instructions::default()
            };
            FlowMod::add(TableId(table), priority, matching, instructions)
        },
    )
}

/// A FLOW_MOD that adds a rule for all packets with no instructions.
pub(crate) fn blank() -> FlowMod {
    FlowMod::add(TableId(0), 1, Match::default(), Instructions::default())
}
