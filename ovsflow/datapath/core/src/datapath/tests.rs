//! The cache property: whatever the caches do, the same packets leave by the same ports.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::error::DropReason;
use crate::openflow::Version;
use crate::openflow::modify::FlowMod;
use crate::translate::sample;

/// A packet of the sequence, or a change of the tables.
#[allow(clippy::large_enum_variant, reason = "a test's few values")]
#[derive(Clone, Debug)]
enum Event {
    Frame { port: u32, frame: Vec<u8> },
    Add(FlowMod),
    Remove(usize),
    PortDown(u32, bool),
}

/// A switch with four memory ports and two groups.
fn switch(settings: &[(&str, i64)]) -> Datapath {
    let datapath = Datapath::new("test", 1, 0).unwrap_or_else(|e| panic!("{e:?}"));
    for number in 1..=sample::PORTS {
        let name = format!("p{number}");
        let added = datapath.add_port(PortNo(number), &name, "memory", BTreeMap::new(), Now(0));
        assert!(added.is_ok(), "{added:?}");
    }
    for &(name, value) in settings {
        let setting = [(name.to_owned(), Setting::Number(value))];
        let changed = datapath.configure(&setting);
        assert!(changed.is_ok(), "{changed:?}");
    }
    sample::add_groups(&mut datapath.shared.write().pipeline);
    datapath
}

/// An IPv4 frame of few, small numbers.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let small = || 0..4_u8;
    let ports = (small(), small());
    let tag = prop::option::of(0..3_u8);
    let addresses = (small(), small(), small(), small());
    (
        addresses,
        tag,
        prop::sample::select(vec![6, 17, 1]),
        1..4_u8,
        ports,
        0..2_u8,
    )
        .prop_map(|((dst, src, from, to), tag, proto, ttl, ports, long)| {
            let mut frame = vec![0, 0, 0, 0, 0, dst, 0, 0, 0, 0, 0, src];
            if let Some(vid) = tag {
                frame.extend([0x81, 0, 0, vid]);
            }
            frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, ttl, proto, 0, 0]);
            frame.extend([0, 0, 0, from, 0, 0, 0, to]);
            frame.extend([0, ports.0, 0, ports.1, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0]);
            frame.extend([0; 6]);
            frame.extend(vec![0; usize::from(long) * 100]);
            frame
        })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => (1..=sample::PORTS, frame()).prop_map(|(port, frame)| Event::Frame { port, frame }),
        2 => sample::rule().prop_map(Event::Add),
        1 => (0..16_usize).prop_map(Event::Remove),
        1 => (1..=sample::PORTS, any::<bool>()).prop_map(|(port, down)| Event::PortDown(port, down)),
    ]
}

/// Everything that can be seen of a switch after one event.
#[derive(Debug, PartialEq)]
struct Seen {
    sent: Vec<Vec<Vec<u8>>>,
    told: Vec<(u8, u64, Vec<u8>)>,
}

fn play(datapath: &Datapath, event: &Event, rules: &[FlowMod], now: Now) -> Seen {
    match event {
        Event::Frame { port, frame } => {
            let done = datapath.execute(PortNo(*port), frame, now);
            assert!(done.is_ok(), "{done:?}");
        }
        Event::Add(rule) => change(datapath, rule, now),
        Event::Remove(index) => {
            if let Some(rule) = rules.get(*index) {
                let command = crate::openflow::modify::FlowModCommand::DeleteStrict;
                change(
                    datapath,
                    &FlowMod {
                        command,
                        ..rule.clone()
                    },
                    now,
                );
            }
        }
        Event::PortDown(port, down) => {
            let config = Some(u32::from(*down));
            let change = PortChange {
                config,
                ..PortChange::default()
            };
            let changed = datapath.set_port(PortNo(*port), &change);
            assert!(changed.is_ok(), "{changed:?}");
        }
    }
    let ports = 1..=sample::PORTS;
    let told = datapath.events(1000).into_iter();
    Seen {
        sent: ports
            .map(|port| datapath.receive(PortNo(port)).unwrap_or_default())
            .collect(),
        told: told
            .map(|event| {
                let message = event.encode(Version::Of13, 0, PacketInFormat::Standard);
                (event.reason(), event.cookie(), message)
            })
            .collect(),
    }
}

fn change(datapath: &Datapath, request: &FlowMod, now: Now) {
    datapath.collect();
    let mut state = datapath.shared.write();
    // Some random rules are not legal; all switches refuse the same ones.
    let _ = state.pipeline.flow_mod(request, now, &mut Vec::new());
}

/// Packets and bytes of every rule, and what was dropped.
fn counters(datapath: &Datapath, now: Now) -> (Vec<(u64, u64)>, Vec<u64>) {
    let mut rules = Vec::new();
    datapath.collect();
    let state = datapath.shared.read();
    let filter = crate::openflow::tell::FlowFilter {
        table: crate::openflow::action::TableId(0xff),
        out_port: PortNo::ANY,
        out_group: None,
        cookie: 0,
        cookie_mask: 0,
        matching: crate::openflow::modify::Match::default(),
    };
    let start = crate::table::FlowCursor::default();
    state
        .pipeline
        .flows(&filter, start, usize::MAX, now, &mut |_, flow| {
            rules.push((flow.packets.unwrap_or(0), flow.bytes.unwrap_or(0)));
        });
    let drops = datapath.cell(0).visit().numbers().drops;
    (
        rules,
        DropReason::ALL
            .iter()
            .map(|&reason| drops.count(reason))
            .collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn caches_change_nothing_that_can_be_seen(
        rules in prop::collection::vec(sample::rule(), 1..10),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let usual = switch(&[("packet_in_rate", 0)]);
        let tiny = switch(&[("packet_in_rate", 0), ("cache_entries", 8)]);
        let never = switch(&[("packet_in_rate", 0), ("cache_entries", 8)]);
        let mut known = rules.clone();
        for datapath in [&usual, &tiny, &never] {
            for rule in &rules {
                change(datapath, rule, Now(0));
            }
        }
        for (index, event) in events.iter().enumerate() {
            let now = Now::from_secs(index as u64);
            let expected = play(&never, event, &known, now);
            prop_assert_eq!(&play(&usual, event, &known, now), &expected);
            prop_assert_eq!(&play(&tiny, event, &known, now), &expected);
            // A switch that proves every entry again has no cache to speak of.
            never.shared.write().pipeline.settings_changed();
            if let Event::Add(rule) = event {
                known.push(rule.clone());
            }
        }
        let end = Now::from_secs(100);
        let expected = counters(&never, end);
        prop_assert_eq!(counters(&usual, end), expected.clone());
        prop_assert_eq!(counters(&tiny, end), expected);
    }
}
