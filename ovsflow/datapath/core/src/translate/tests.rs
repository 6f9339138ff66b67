//! The mask property: what a walk says it looked at is all that decided it.

use proptest::prelude::*;

use super::*;
use crate::flow::field::{self, FieldId};
use crate::flow::{PACKET_WORDS, Slot, slot};
use crate::openflow::action::{FieldValue, GroupId, Instructions, Subfield};
use crate::openflow::modify::{
    Bucket, FlowMod, FlowModCommand, GroupKind, GroupMod, GroupModCommand, Match, Selection,
};
use crate::packet::TunnelConfig;
use crate::table::{Pipeline, Port, port_state};
use crate::time::Now;

const PORTS: u32 = 4;
const TUNNEL_PORT: u32 = 9;

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

fn pipeline() -> Pipeline {
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
    pipeline
}

fn output(port: u32) -> Action {
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

fn field_value() -> impl Strategy<Value = FieldValue> {
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

fn rule() -> impl Strategy<Value = FlowMod> {
    let list = prop::collection::vec(action(1), 0..5);
    let write = prop::collection::vec(action(0), 0..3);
    let goto = prop::option::of(1..4_u8);
    (0..4_u8, any::<u16>(), matching(), list, write, goto).prop_map(
        |(table, priority, matching, apply, write, goto)| FlowMod {
            command: FlowModCommand::Add,
            table: TableId(table),
            priority,
            matching,
            cookie: 0,
            cookie_mask: 0,
            new_cookie: None,
            modify_adds: false,
            idle_timeout: 0,
            hard_timeout: 0,
            importance: 0,
            flags: 0,
            out_port: PortNo::ANY,
            out_group: None,
            buffer_id: 0xffff_ffff,
            instructions: Instructions {
                apply: apply.into(),
                write: write.into(),
                goto: goto.map(TableId).filter(|goto| goto.0 > table),
                ..Instructions::default()
            },
        },
    )
}

/// A key in which the fields of the tests have values that rules may have too.
fn key() -> impl Strategy<Value = FlowKey> {
    let ethertype = prop::sample::select(vec![0x0800_u128, 0x0806, 0x86dd, 0x8847]);
    let words = prop::collection::vec(field_value(), 0..8);
    (ethertype, 1..=PORTS, words, any::<bool>()).prop_map(|(ethertype, port, fields, tunnel)| {
        let mut key = FlowKey::default();
        for write in fields {
            let row = field::field(write.field);
            row.write(&mut key, write.value, row.legal);
        }
        let port = if tunnel { TUNNEL_PORT } else { port };
        key.set(slot::IN_PORT, u128::from(port));
        key.set(slot::ETH_TYPE, ethertype);
        for word in &mut key.words[PACKET_WORDS..] {
            *word = 0;
        }
        key
    })
}

fn flip(key: &FlowKey, mask: &FlowMask, noise: &[u64]) -> FlowKey {
    let mut other = key.clone();
    for (index, noise) in noise.iter().enumerate().take(PACKET_WORDS) {
        other.words[index] ^= noise & !mask.words[index];
    }
    other
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn bits_outside_the_mask_decide_nothing(
        rules in prop::collection::vec(rule(), 1..12),
        keys in prop::collection::vec(key(), 1..4),
        noise in prop::collection::vec(any::<u64>(), PACKET_WORDS),
    ) {
        let mut pipeline = pipeline();
        for rule in &rules {
            prop_assert_eq!(pipeline.flow_mod(rule, Now(0), &mut Vec::new()), Ok(()));
        }
        let settings = Settings::default();
        let context = Context { pipeline: &pipeline, settings: &settings };
        for key in &keys {
            let first = translate(&context, key);
            let mask = first.mask.to_mask();
            let second = translate(&context, &flip(key, &mask, &noise));
            prop_assert_eq!(&first.actions, &second.actions);
            prop_assert_eq!(&first.credits, &second.credits);
            prop_assert_eq!(&first.effects, &second.effects);
            prop_assert_eq!(first.mask, second.mask);
        }
    }
}

fn translated(pipeline: &Pipeline, key: &FlowKey) -> Translation {
    let settings = Settings::default();
    translate(
        &Context {
            pipeline,
            settings: &settings,
        },
        key,
    )
}

/// A pipeline with one rule that matches everything, and the actions a packet gets there.
fn actions_of(actions: &[Action], key: &FlowKey) -> Vec<DpAction> {
    let mut pipeline = pipeline();
    let mut request = blank();
    request.instructions.apply = actions.into();
    assert_eq!(pipeline.flow_mod(&request, Now(0), &mut Vec::new()), Ok(()));
    translated(&pipeline, key).actions.to_vec()
}

fn blank() -> FlowMod {
    FlowMod {
        command: FlowModCommand::Add,
        table: TableId(0),
        priority: 1,
        matching: Match::default(),
        cookie: 0,
        cookie_mask: 0,
        new_cookie: None,
        modify_adds: false,
        idle_timeout: 0,
        hard_timeout: 0,
        importance: 0,
        flags: 0,
        out_port: PortNo::ANY,
        out_group: None,
        buffer_id: 0xffff_ffff,
        instructions: Instructions::default(),
    }
}

fn packet(fields: &[(Slot, u128)]) -> FlowKey {
    let mut key = FlowKey::default();
    key.set(slot::IN_PORT, 1);
    for &(place, value) in fields {
        key.set(place, value);
    }
    key
}

fn set(field: FieldId, value: u128) -> Action {
    let mask = field::field(field).legal;
    Action::SetField(FieldValue { field, value, mask })
}

fn tunnel(id: u64, dst: u32) -> DpAction {
    DpAction::OutputTunnel {
        port: PortNo(TUNNEL_PORT),
        tunnel: Arc::new(crate::packet::Tunnel {
            id,
            dst: crate::packet::TunnelAddress::V4(dst),
            ..Default::default()
        }),
    }
}

#[test]
fn tunnel_metadata_holds_until_it_is_set_again() {
    let actions = [
        set(field::TUN_ID, 7),
        set(field::TUN_DST, 0x0a00_0001),
        output(TUNNEL_PORT),
        set(field::TUN_DST, 0x0a00_0002),
        output(TUNNEL_PORT),
    ];
    let expected = vec![tunnel(7, 0x0a00_0001), tunnel(7, 0x0a00_0002)];
    assert_eq!(actions_of(&actions, &packet(&[])), expected);
}

#[test]
fn a_tunnel_without_a_destination_or_back_to_ourselves_is_a_drop() {
    let arrived = [
        (slot::IN_PORT, u128::from(TUNNEL_PORT)),
        (slot::TUN_DST, 0x0a00_0001),
        (slot::TUN_SRC, 0x0a00_0002),
    ];
    let cases: &[(&str, FlowKey, Vec<Action>, DpAction)] = &[
        (
            "no destination",
            packet(&[]),
            vec![output(TUNNEL_PORT)],
            DpAction::Drop(DropReason::TunnelNoDestination),
        ),
        (
            "the same port",
            packet(&arrived),
            vec![output(TUNNEL_PORT)],
            DpAction::Drop(DropReason::OutputToIngress),
        ),
        (
            "back with nothing set",
            packet(&arrived),
            vec![output(PortNo::IN_PORT.0)],
            DpAction::Drop(DropReason::TunnelOwnAddress),
        ),
        (
            "relayed with the source cleared",
            packet(&arrived),
            vec![
                set(field::TUN_SRC, 0),
                set(field::TUN_DST, 0x0a00_0003),
                output(PortNo::IN_PORT.0),
            ],
            tunnel(0, 0x0a00_0003),
        ),
    ];
    for (name, key, actions, expected) in cases {
        assert_eq!(actions_of(actions, key), [expected.clone()], "{name}");
    }
}

#[test]
fn writes_melt_into_pushes_and_nothing_trails_the_last_output() {
    let actions = [
        Action::PushVlan(0x8100),
        set(field::VLAN_VID, 0x1064),
        output(2),
        Action::PopVlan,
    ];
    let expected = [
        DpAction::PushVlan {
            tpid: 0x8100,
            tci: 100,
        },
        DpAction::Output(PortNo(2)),
    ];
    assert_eq!(actions_of(&actions, &packet(&[])), expected);
}

#[test]
fn a_walk_that_goes_too_deep_drops_the_whole_packet() {
    let forever = Action::Resubmit {
        in_port: None,
        table: Some(TableId(0)),
    };
    let actions = actions_of(&[output(2), forever], &packet(&[]));
    assert_eq!(actions, [DpAction::Drop(DropReason::RecursionTooDeep)]);
    // 2^13 resubmits in 13 tables, none of them deep.
    let mut pipeline = pipeline();
    for table in 0..14 {
        let mut request = blank();
        request.table = TableId(table);
        let next = Action::Resubmit {
            in_port: None,
            table: Some(TableId(table + 1)),
        };
        request.instructions.apply = [next.clone(), next].into();
        assert_eq!(pipeline.flow_mod(&request, Now(0), &mut Vec::new()), Ok(()));
    }
    let actions = translated(&pipeline, &packet(&[])).actions;
    assert_eq!(*actions, [DpAction::Drop(DropReason::TooManyResubmits)]);
}

#[test]
fn an_expired_ttl_is_the_packets_own_affair_where_nothing_follows() {
    let ipv4 = packet(&[(slot::ETH_TYPE, 0x0800), (slot::IP_TTL, 1)]);
    let dec = Action::DecNwTtl {
        controllers: Box::default(),
    };
    let actions = actions_of(&[dec.clone(), output(2)], &ipv4);
    let expected = DpAction::DecTtl {
        skip_to: u16::MAX,
        expired: None,
    };
    assert_eq!(actions, [expected, DpAction::Output(PortNo(2))]);
    // After set_ttl the outcome is known: no look at the packet at all.
    let actions = actions_of(&[Action::SetNwTtl(1), dec, output(2)], &ipv4);
    assert_eq!(actions, [DpAction::Drop(DropReason::TtlExpired)]);
}
