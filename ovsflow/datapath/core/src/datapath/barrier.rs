//! What a barrier promises: a packet that comes after a change was applied sees it.
//!
//! While one thread changes rules and sends a packet after each change, others keep the same
//! worker's cache busy with packets of the same kinds.  A linear search says where each must go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::flow::{FlowKey, Slot, slot};
use crate::openflow::action::{Instructions, TableId};
use crate::openflow::modify::{FlowMod, FlowModCommand, Match};
use crate::packet::sample::Random;
use crate::translate::sample::output;

/// Changes, each followed by a packet.
const ROUNDS: usize = if cfg!(debug_assertions) {
    4_000
} else {
    40_000
};

/// Packets that others may send between two looks at what left: fewer than the queues that packets
/// leave by hold, so that none of ours is ever lost, however long its thread waits for a processor.
const BETWEEN: usize = 1_000;

/// Rules that come and go, by priority.
const RULES: u16 = 12;

/// Where packets come in, and where rules send them.
const IN: [u32; 2] = [1, 2];
const OUT: [u32; 2] = [3, 4];

/// Fields that rules look at, and how many of their lowest bits packets use.
const FIELDS: [Slot; 5] = [
    slot::IN_PORT,
    slot::ETH_DST,
    slot::IPV4_SRC,
    slot::IPV4_DST,
    slot::TP_DST,
];

/// A packet of few numbers, so that things meet: its key's fields, and its bytes.
fn packet(random: &mut Random, mark: u32) -> ([u32; 5], Vec<u8>) {
    let port = random.pick(&IN);
    let [mac, src, dst, tp] = std::array::from_fn(|_| random.below(4) as u8);
    let mut frame = vec![0, 0, 0, 0, 0, mac, 0, 0, 0, 0, 0, 9, 8, 0];
    frame.extend([0x45, 0, 0, 32, 0, 0, 0, 0, 9, 17, 0, 0]);
    frame.extend([0, 0, 0, src, 0, 0, 0, dst]);
    frame.extend([0, 1, 0, tp, 0, 12, 0, 0]);
    frame.extend(mark.to_be_bytes());
    let [mac, src, dst, tp] = [mac, src, dst, tp].map(u32::from);
    ([port, mac, src, dst, tp], frame)
}

/// A rule's fields as value and mask, and its port; `None` while it is not there.
type Known = Option<([(u32, u32); 5], u32)>;

fn random_rule(random: &mut Random) -> ([(u32, u32); 5], u32) {
    let fields = FIELDS.map(|place| {
        let mask = match (place, random.below(3)) {
            (slot::IN_PORT, 0) => u32::MAX,
            (slot::IN_PORT, _) | (_, 0) => 0,
            (_, 1) => 3,
            _ => 2,
        };
        let value = if place == slot::IN_PORT {
            random.pick(&IN)
        } else {
            random.below(4) as u32
        };
        (value & mask, mask)
    });
    (fields, random.pick(&OUT))
}

fn request(command: FlowModCommand, priority: u16, rule: &([(u32, u32); 5], u32)) -> FlowMod {
    let (mut value, mut mask) = (FlowKey::default(), FlowKey::default());
    for (place, &(bits, care)) in FIELDS.into_iter().zip(&rule.0) {
        value.set(place, u128::from(bits));
        mask.set(place, u128::from(care));
    }
    if rule.0[2].1 | rule.0[3].1 | rule.0[4].1 != 0 {
        for (place, bits) in [(slot::ETH_TYPE, 0x0800), (slot::IP_PROTO, 17)] {
            value.set(place, bits);
            mask.set(place, place.ones());
        }
    }
    let matching = Match { value, mask };
    let instructions = Instructions {
        apply: [output(rule.1)].into(),
        ..Instructions::default()
    };
    let add = FlowMod::add(TableId(0), priority, matching, instructions);
    FlowMod { command, ..add }
}

/// Where a packet must go: the rule of the highest priority that matches.
fn expected(rules: &[Known], fields: &[u32; 5]) -> Option<u32> {
    let matches = |rule: &&([(u32, u32); 5], u32)| {
        let mut all = rule.0.iter().zip(fields);
        all.all(|(&(value, mask), field)| field & mask == value)
    };
    Some(rules.iter().rev().flatten().find(matches)?.1)
}

/// Changes one rule at random.
fn change(datapath: &Datapath, rules: &mut [Known], random: &mut Random) {
    let priority = random.below(usize::from(RULES)) as u16;
    let (command, rule) = match (rules[usize::from(priority)].take(), random.below(3)) {
        (None, _) => (FlowModCommand::Add, random_rule(random)),
        (Some(rule), 0) => (FlowModCommand::ModifyStrict, (rule.0, random.pick(&OUT))),
        (Some(rule), _) => (FlowModCommand::DeleteStrict, rule),
    };
    let request = request(command, priority, &rule);
    if command != FlowModCommand::DeleteStrict {
        rules[usize::from(priority)] = Some(rule);
    }
    let mut state = datapath.shared.write();
    let changed = state.pipeline.flow_mod(&request, Now(1), &mut Vec::new());
    assert_eq!(changed, Ok(()));
}

/// The ports by which the packet marked `mark` has left; what else left is thrown away.
fn left_by(datapath: &Datapath, mark: u32) -> Option<u32> {
    let mark = mark.to_be_bytes();
    let mut found = None;
    for port in OUT {
        let frames = datapath.receive(PortNo(port)).unwrap_or_default();
        if frames.iter().any(|frame| frame.ends_with(&mark)) {
            assert_eq!(found.replace(port), None, "left twice");
        }
    }
    found
}

#[test]
fn a_packet_after_a_change_sees_it_whatever_is_cached_meanwhile() {
    // Without threads, and with two workers, whose ports share nothing but the tables.
    for workers in [0, 2] {
        let datapath = Datapath::new("barrier", 1, workers).unwrap_or_else(|e| panic!("{e:?}"));
        for number in IN.into_iter().chain(OUT) {
            let name = format!("p{number}");
            let added = datapath.add_port(PortNo(number), &name, "memory", BTreeMap::new(), Now(0));
            assert!(added.is_ok(), "{added:?}");
        }
        let (done, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for seed in 1..3 {
                let (datapath, done, sent) = (&datapath, &done, &sent);
                scope.spawn(move || {
                    let mut random = Random::new(seed);
                    while !done.load(Ordering::Relaxed) {
                        if sent.fetch_add(1, Ordering::Relaxed) >= BETWEEN {
                            std::thread::yield_now();
                            continue;
                        }
                        let (fields, frame) = packet(&mut random, u32::MAX);
                        let arrived = datapath.execute(PortNo(fields[0]), &frame, Now(1));
                        assert!(arrived.is_ok(), "{arrived:?}");
                    }
                });
            }
            let mut random = Random::new(7);
            let mut rules = vec![None; usize::from(RULES)];
            for round in 0..ROUNDS as u32 {
                change(&datapath, &mut rules, &mut random);
                let (fields, frame) = packet(&mut random, round);
                let arrived = datapath.execute(PortNo(fields[0]), &frame, Now(1));
                let wanted = expected(&rules, &fields);
                let left = left_by(&datapath, round);
                sent.store(0, Ordering::Relaxed);
                if arrived.is_err() || left != wanted {
                    done.store(true, Ordering::Relaxed);
                    panic!("round {round}: {left:?}, not {wanted:?}: {fields:?} {rules:?}");
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
