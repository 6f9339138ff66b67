//! The mask property: what a walk says it looked at is all that decided it.

use proptest::prelude::*;

use super::sample::{PORTS, TUNNEL_PORT, blank, field_value, output, pipeline, rule};
use super::*;
use crate::action::{PacketInReason, SetHeader, SetIpv4};
use crate::flow::field::{self, FieldId};
use crate::flow::{PACKET_WORDS, Slot, slot};
use crate::openflow::action::{ControllerAction, FieldValue};
use crate::table::{Compat, Pipeline};
use crate::time::Now;

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
    // Whether a packet is fresh is not looked at: who recirculates covers those bits.
    other.set(slot::RECIRC_ID, 0);
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
        let frozen = FrozenWalks::default();
        let context = Context { pipeline: &pipeline, settings: &settings, frozen: &frozen };
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
            frozen: &FrozenWalks::default(),
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
        tunnel: crate::packet::TunnelOut::from(crate::packet::Tunnel {
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
        let expected = std::slice::from_ref(expected);
        assert_eq!(actions_of(actions, key), expected, "{name}");
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
fn a_first_label_copies_what_its_makers_agree_on() {
    let key = |ethertype| {
        packet(&[
            (slot::ETH_TYPE, ethertype),
            (slot::IP_TOS, 0x28),
            (slot::IP_TTL, 9),
        ])
    };
    // EtherType; label stack entry by the specification, and as Open vSwitch makes it.
    let cases = [
        (0x0800, 0x0000_0109, 0x0000_0509),
        (0x86dd, 0x0000_0109, 0x0000_2509),
        (0x0806, 0x0000_0100, 0x0000_0140),
    ];
    for (ethertype, by_spec, by_ovs) in cases {
        for (compat, lse) in [(Compat::Spec, by_spec), (Compat::Ovs, by_ovs)] {
            let mut pipeline = pipeline();
            pipeline.set_compat(compat);
            let mut request = blank();
            request.instructions.apply = [Action::PushMpls(0x8847), output(2)].into();
            assert_eq!(pipeline.flow_mod(&request, Now(0), &mut Vec::new()), Ok(()));
            let actions = translated(&pipeline, &key(ethertype)).actions;
            let ethertype = 0x8847;
            let push = DpAction::PushMpls { ethertype, lse };
            assert_eq!(*actions, [push, DpAction::Output(PortNo(2))], "{compat:?}");
        }
    }
}

#[test]
fn a_written_type_or_protocol_hides_what_stands_behind_it() {
    let tcp = packet(&[
        (slot::ETH_TYPE, 0x0800),
        (slot::IP_PROTO, 6),
        (slot::IP_TTL, 9),
        (slot::TP_DST, 80),
    ]);
    let [ports, proto, ethertype] = [
        (field::TCP_DST, 8080),
        (field::NW_PROTO, 17),
        (field::ETH_TYPE, 0x8848),
    ]
    .map(|(field, value)| set(field, value));
    let list = actions_of(&[ports.clone(), proto.clone(), output(2)], &tcp);
    // The ports are TCP's, so they are written while it is TCP.
    assert!(matches!(
        list[..],
        [
            DpAction::Set(SetHeader::Transport { dst: 8080, .. }),
            DpAction::Set(SetHeader::Ipv4(SetIpv4 {
                proto: Some(17),
                ..
            })),
            DpAction::Output(PortNo(2))
        ]
    ));
    let list = actions_of(&[proto, ports, output(2)], &tcp);
    assert!(matches!(
        list[..],
        [DpAction::Set(_), DpAction::Recirculate(_)]
    ));
    let list = actions_of(&[ethertype.clone(), output(2)], &tcp);
    let typed = DpAction::Set(SetHeader::EtherType(0x8848));
    assert_eq!(list, [typed, DpAction::Output(PortNo(2))]);
    // A frame with a length in its place has no type to be written.
    let list = actions_of(
        &[ethertype, output(2)],
        &packet(&[(slot::ETH_TYPE, 0x05ff)]),
    );
    assert_eq!(list, [DpAction::Output(PortNo(2))]);
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

#[test]
fn only_packets_that_no_rule_matched_are_misses() {
    let controller = Action::Output {
        port: PortNo::CONTROLLER,
        max_len: 0xffff,
    };
    let table = Action::Output {
        port: PortNo::TABLE,
        max_len: 0,
    };
    let calls_it_a_miss = Action::Controller(Box::new(ControllerAction {
        max_len: 0xffff,
        controller: 0,
        reason: PacketInReason::TableMiss as u8,
        userdata: Box::default(),
        pause: false,
        meter: None,
    }));
    let mut pipeline = pipeline();
    let told = |pipeline: &Pipeline, list: &[Action]| -> Vec<_> {
        let settings = Settings {
            miss_to_controller: true,
            ..Settings::default()
        };
        let context = Context {
            pipeline,
            settings: &settings,
            frozen: &FrozenWalks::default(),
        };
        let translation = translate_actions(&context, &packet(&[]), list, &mut Silent);
        let outs = translation
            .actions
            .iter()
            .filter_map(|action| match action {
                DpAction::Controller(out) => Some((out.reason, out.is_miss)),
                _ => None,
            });
        outs.collect()
    };
    let miss = PacketInReason::TableMiss;
    let list = [table, calls_it_a_miss];
    assert_eq!(told(&pipeline, &list), [(miss, true), (miss, false)]);
    // The rule that takes what no other matches is a rule, whatever its cookie.
    let mut rule = blank();
    (rule.priority, rule.cookie) = (0, u64::MAX);
    rule.instructions.apply = [controller].into();
    assert_eq!(pipeline.flow_mod(&rule, Now(0), &mut Vec::new()), Ok(()));
    assert_eq!(told(&pipeline, &list), [(miss, false), (miss, false)]);
}
