//! Measures the tables: memory for each rule, rules added and looked up a second.
//!
//! Run with `cargo run --release -p ovsflow-datapath --example tables [NAME…]`.  The rule sets
//! are made up: the six-rule ACL of the datapath benchmarks; sets in the manner of ClassBench
//! (prefixes, port ranges and protocols that few templates combine); a million exact rules
//! with an action value of their own.  Figures depend on the machine and are no test.

use std::hint::black_box;

use ovsflow_datapath::flow::{FlowKey, FlowMask, Slot, field, slot};
use ovsflow_datapath::openflow::action::{Action, FieldId, FieldValue, Instructions, TableId};
use ovsflow_datapath::openflow::modify::{FlowMod, FlowModCommand, Match};
use ovsflow_datapath::packet::PortNo;
use ovsflow_datapath::table::Pipeline;
use ovsflow_datapath::time::Now;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let runs: [(&str, fn()); 6] = [
        ("tunnels", million_tunnels),
        ("exact", million_exact),
        ("acl", six_rule_acl),
        ("prefixes", prefixes),
        ("classbench", classbench),
        ("delete", delete_all),
    ];
    for (name, run) in runs {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            run();
        }
    }
}

/// A small generator of random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

fn put(matching: &mut Match, place: Slot, value: u128, mask: u128) {
    matching.mask.set(place, mask);
    matching.value.set(place, value & mask);
}

fn exact(matching: &mut Match, place: Slot, value: u128) {
    put(matching, place, value, place.ones());
}

fn set(id: FieldId, value: u128) -> Action {
    Action::SetField(FieldValue {
        field: id,
        value,
        mask: field::field(id).slot.ones(),
    })
}

fn output(port: u32) -> Action {
    Action::Output {
        port: PortNo(port),
        max_len: 0,
    }
}

fn rule(priority: u16, matching: Match, actions: Vec<Action>) -> FlowMod {
    let instructions = Instructions {
        apply: actions.into(),
        ..Instructions::default()
    };
    FlowMod::add(TableId(0), priority, matching, instructions)
}

/// Nanoseconds that this thread has spent on a processor.
fn spent() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = status.split_whitespace().next();
    nanos.and_then(|n| n.parse().ok()).unwrap_or_default()
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

/// Adds `count` rules made by `make`, which is not part of the time measured.
fn fill(name: &str, pipeline: &mut Pipeline, count: u64, make: impl Fn(u64) -> FlowMod) {
    let mut notices = Vec::new();
    pipeline.set_table_limit(None, u32::MAX);
    let before = resident();
    let (mut total, mut batch) = (0, Vec::with_capacity(4096));
    let mut index = 0;
    while index < count {
        batch.clear();
        let end = (index + 4096).min(count);
        batch.extend((index..end).map(&make));
        let start = spent();
        for request in &batch {
            if let Err(error) = pipeline.flow_mod(request, Now(1), &mut notices) {
                println!("{name}: refused: {error:?}");
                return;
            }
        }
        total += spent() - start;
        index = end;
    }
    let bytes = resident().saturating_sub(before);
    println!(
        "{name}: {count} rules added, {:.0} ns each, {:.1} bytes each",
        total as f64 / count as f64,
        bytes as f64 / count as f64
    );
}

/// Looks `keys` up again and again.
fn look(name: &str, pipeline: &Pipeline, keys: &[FlowKey]) {
    let mut mask = FlowMask::default();
    let rounds = (2_000_000 / keys.len()).max(1);
    let mut found = 0u64;
    let start = spent();
    for _ in 0..rounds {
        for key in keys {
            let rule = black_box(pipeline).lookup(TableId(0), black_box(key), &mut mask);
            found += u64::from(rule.is_some());
        }
    }
    let total = (rounds * keys.len()) as f64;
    println!(
        "{name}: {} keys looked up, {:.0} ns each, {:.0} % found",
        keys.len(),
        (spent() - start) as f64 / total,
        100.0 * found as f64 / total
    );
}

fn tunnel_rule(index: u64) -> FlowMod {
    let mut matching = Match::default();
    exact(&mut matching, slot::IN_PORT, 1);
    exact(&mut matching, slot::ETH_TYPE, 0x0800);
    exact(
        &mut matching,
        slot::IPV4_DST,
        u128::from(0x0a00_0000 + index),
    );
    let actions = vec![
        set(field::TUN_ID, u128::from(index % 5000)),
        set(field::TUN_DST, u128::from(0xac10_0000 + index)),
        output(2),
    ];
    rule(100, matching, actions)
}

fn random_keys(count: usize, make: impl Fn(&mut Random) -> FlowMod) -> Vec<FlowKey> {
    let mut random = Random(7);
    (0..count)
        .map(|_| make(&mut random).matching.value)
        .collect()
}

fn million_tunnels() {
    let mut pipeline = Pipeline::new();
    fill("set tun_id, tun_dst", &mut pipeline, 1_000_000, tunnel_rule);
    let keys = random_keys(100_000, |random| tunnel_rule(random.below(1_000_000)));
    look("set tun_id, tun_dst", &pipeline, &keys);
}

fn exact_rule(index: u64) -> FlowMod {
    let mut matching = Match::default();
    exact(&mut matching, slot::ETH_TYPE, 0x0800);
    exact(&mut matching, slot::IP_PROTO, 6);
    exact(
        &mut matching,
        slot::IPV4_SRC,
        u128::from(0x0a00_0000 + index),
    );
    exact(&mut matching, slot::IPV4_DST, 0x0b00_0001);
    exact(&mut matching, slot::TP_SRC, u128::from(index % 60_000));
    exact(&mut matching, slot::TP_DST, 80);
    rule(100, matching, vec![output((index % 16) as u32)])
}

fn million_exact() {
    let mut pipeline = Pipeline::new();
    fill("exact five-tuples", &mut pipeline, 1_000_000, exact_rule);
    let keys = random_keys(100_000, |random| exact_rule(random.below(1_000_000)));
    look("exact five-tuples", &pipeline, &keys);
    let keys = random_keys(1000, |random| exact_rule(random.below(1_000_000)));
    look("exact five-tuples, few", &pipeline, &keys);
}

fn delete_all() {
    let mut pipeline = Pipeline::new();
    fill("to be deleted", &mut pipeline, 1_000_000, tunnel_rule);
    let clear = FlowMod {
        command: FlowModCommand::Delete,
        ..rule(0, Match::default(), Vec::new())
    };
    let start = spent();
    let done = pipeline.flow_mod(&clear, Now(2), &mut Vec::new());
    println!("deleted: {done:?} in {} ms", (spent() - start) / 1_000_000);
    fill("and again", &mut pipeline, 1_000_000, tunnel_rule);
}

fn six_rule_acl() {
    let mut pipeline = Pipeline::new();
    let shapes: [&[(Slot, u128, u128)]; 6] = [
        &[
            (slot::IPV4_SRC, 0x0a00_0000, 0xff00_0000),
            (slot::TP_DST, 80, 0xffff),
        ],
        &[(slot::IPV4_DST, 0x0b00_0000, 0xffff_0000)],
        &[(slot::TP_SRC, 53, 0xffff)],
        &[
            (slot::IPV4_SRC, 0x0a01_0000, 0xffff_0000),
            (slot::IPV4_DST, 0x0c00_0000, 0xff00_0000),
        ],
        &[(slot::TP_DST, 443, 0xffff)],
        &[],
    ];
    fill("six-rule ACL", &mut pipeline, 6, |index| {
        let mut matching = Match::default();
        for &(place, value, mask) in shapes[index as usize] {
            put(&mut matching, place, value, mask);
        }
        if index < 5 {
            exact(&mut matching, slot::ETH_TYPE, 0x0800);
            exact(&mut matching, slot::IP_PROTO, 6);
        }
        rule(60 - 10 * index as u16, matching, vec![output(1)])
    });
    let mut random = Random(1);
    let keys: Vec<FlowKey> = (0..1000).map(|_| random_key(&mut random)).collect();
    look("six-rule ACL, random headers", &pipeline, &keys);
}

fn random_key(random: &mut Random) -> FlowKey {
    let mut key = FlowKey::default();
    key.set(slot::ETH_TYPE, 0x0800);
    key.set(slot::IP_PROTO, 6);
    key.set(slot::IPV4_SRC, u128::from(random.next() as u32));
    key.set(slot::IPV4_DST, u128::from(random.next() as u32));
    key.set(slot::TP_SRC, u128::from(random.next() as u16));
    key.set(slot::TP_DST, u128::from(random.next() as u16));
    key
}

fn prefix(len: u32) -> u128 {
    u128::from(u32::MAX.checked_shl(32 - len).unwrap_or(0))
}

/// A routing table: prefixes of all lengths, longer ones of higher priority.
fn prefixes() {
    for count in [1000, 100_000] {
        let mut pipeline = Pipeline::new();
        let make = |index: u64| {
            let mut random = Random(index);
            let len = random.pick(&[
                8, 12, 16, 16, 18, 19, 20, 21, 22, 22, 23, 24, 24, 24, 24, 24, 24, 28, 32,
            ]);
            let mut matching = Match::default();
            exact(&mut matching, slot::ETH_TYPE, 0x0800);
            put(
                &mut matching,
                slot::IPV4_DST,
                u128::from(random.next() as u32),
                prefix(len),
            );
            rule(len as u16, matching, vec![output(len)])
        };
        fill("prefixes", &mut pipeline, count, make);
        let mut random = Random(1);
        let keys: Vec<FlowKey> = (0..10_000)
            .map(|_| {
                let mut key = random_key(&mut random);
                let near = make(random.below(count)).matching;
                key.set_masked(
                    slot::IPV4_DST,
                    near.value.value(slot::IPV4_DST),
                    near.mask.value(slot::IPV4_DST),
                );
                key
            })
            .collect();
        look("prefixes", &pipeline, &keys);
    }
}

/// Rules as a firewall has them: (prefix of source, of destination, ports, protocol), each of a
/// priority of its own.
fn classbench_rule(index: u64, count: u64) -> FlowMod {
    let mut random = Random(index ^ 0x5eed);
    let lengths = [
        0, 0, 8, 16, 20, 22, 24, 24, 26, 27, 28, 29, 30, 31, 32, 32, 32, 32,
    ];
    let (src, dst) = (random.pick(&lengths), random.pick(&lengths));
    let networks = 1 + count / 20;
    let network = |random: &mut Random| {
        let base = Random(random.below(networks)).next() as u32;
        u128::from(base & 0xffff_ff00 | random.below(256) as u32)
    };
    let mut matching = Match::default();
    exact(&mut matching, slot::ETH_TYPE, 0x0800);
    put(
        &mut matching,
        slot::IPV4_SRC,
        network(&mut random),
        prefix(src),
    );
    put(
        &mut matching,
        slot::IPV4_DST,
        network(&mut random),
        prefix(dst),
    );
    let proto = random.pick(&[6, 6, 6, 17, 17, 0]);
    if proto != 0 {
        exact(&mut matching, slot::IP_PROTO, proto);
        let services = [22, 25, 53, 80, 123, 443, 1521, 3306, 5060, 6789, 8080];
        match random.below(6) {
            0..=2 => exact(&mut matching, slot::TP_DST, random.pick(&services)),
            3 => {
                // A range becomes several masked ports; one of them stands for it here.
                let mask = random.pick(&[0xfc00, 0xff00, 0xfff0, 0xfffe]);
                put(
                    &mut matching,
                    slot::TP_DST,
                    u128::from(random.next() as u16),
                    mask,
                );
            }
            4 => exact(&mut matching, slot::TP_SRC, random.pick(&services)),
            _ => {}
        }
    }
    let priority = 65_000 - (index * 64_999 / count) as u16;
    rule(priority, matching, vec![output((index % 8) as u32)])
}

fn classbench() {
    for count in [1000, 10_000, 100_000] {
        let mut pipeline = Pipeline::new();
        fill("ClassBench-like", &mut pipeline, count, |index| {
            classbench_rule(index, count)
        });
        let mut random = Random(3);
        let keys: Vec<FlowKey> = (0..10_000)
            .map(|_| {
                let near = classbench_rule(random.below(count), count).matching;
                let rest = random_key(&mut random);
                let mut key = near.value.clone();
                for ((word, mask), random) in
                    key.words.iter_mut().zip(&near.mask.words).zip(&rest.words)
                {
                    *word |= random & !mask;
                }
                key
            })
            .collect();
        look("ClassBench-like", &pipeline, &keys);
    }
}
