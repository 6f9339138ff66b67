//! Damaged messages: nothing panics, nothing loops, and what is accepted can be told again.

use super::{OVS, SPEC, VERSIONS, hex};
use crate::openflow::decode::{flow_mod, group_mod, meter_mod, packet_out, query, table_mod};
use crate::openflow::tell::FlowStats;
use crate::openflow::{Version, encode, error};
use std::time::Duration;

/// Messages that mutations start from.
pub(in crate::openflow) fn seeds() -> Vec<Vec<u8>> {
    let text = include_str!("../../../../../../tests/data/flow_mods.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut seeds: Vec<Vec<u8>> = lines.filter_map(|l| l.split(' ').nth(1)).map(hex).collect();
    seeds.extend(
        [
            "040f0038 00000009 0000 0100 00000007 0020 0005 00000001 ffffffff 00000000 \
             0000 0010 00000001 ffff 000000000000 0000000000000000",
            "060f0050 00000009 0000 0100 00000007 0018 0000 ffffffff 0018 0008 00000001 \
             0012 0008 81000000 0000 0008 00050000 ffff 0028 0000154d 00000001 00000000 \
             68617368000000000000000000000000 0000000000000005",
            "041d0020 00000009 0000 0001 00000005 0001 0010 00000064 00000005 00000000",
            "040d0040 00000009 ffffffff 00000001 0010 000000000000 0000 0010 fffffffb 0000 \
             000000000000 ffffffffffff020000000001 0800 00000000000000000000",
            "060d0038 00000009 ffffffff 0010 0000 0001 000c 80000004 00000001 00000000 \
             0000 0010 00000002 0000 000000000000",
            "05110020 00000009 ff000000 0000000c 0002 0008 00000001 0003 0008 0a140000",
            "04120038 00000009 0001 0000 00000000 ff000000 ffffffff ffffffff 00000000 \
             0000000000000000 0000000000000000 0001 0004 00000000",
            "01100028 00000009 ffff 0000 00002320 00000000 00000000 ffff 0006 ff 000000 \
             00000602 0800 0000",
        ]
        .map(hex),
    );
    seeds
}

/// A small generator of numbers, so that a failure can be repeated.
pub(in crate::openflow) struct Numbers(pub(in crate::openflow) u64);

impl Numbers {
    pub(in crate::openflow) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Values that lengths and counts are spoiled with.
const NASTY: [u8; 8] = [0, 1, 4, 7, 8, 0x7f, 0x80, 0xff];

fn mutate(numbers: &mut Numbers, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        match numbers.below(6) {
            0 => bytes[at] = numbers.below(256) as u8,
            1 => bytes[at] = NASTY[numbers.below(NASTY.len())],
            2 => bytes.truncate(at.max(8)),
            3 => bytes[at] ^= 1 << numbers.below(8),
            4 => {
                let tail = other.get(numbers.below(other.len())..).unwrap_or(&[]);
                bytes.splice(at.max(8).min(bytes.len()).., tail.iter().copied());
            }
            _ => bytes.extend(std::iter::repeat_n(0, numbers.below(16))),
        }
        if bytes.len() < 8 {
            bytes.resize(8, 0);
        }
    }
    // Most cases keep a true length, so that what is behind it is reached.
    if numbers.below(8) != 0 {
        let len = (bytes.len() as u16).to_be_bytes();
        bytes[2..4].copy_from_slice(&len);
    }
    bytes
}

/// Decodes a message by its type, and tells again what was accepted.
fn digest(bytes: &[u8]) {
    for version in VERSIONS {
        for context in [&SPEC, &OVS] {
            if let Ok(decoded) = flow_mod(version, bytes, context) {
                tell(&FlowStats {
                    table: decoded.table,
                    priority: decoded.priority,
                    matching: &decoded.matching,
                    instructions: &decoded.instructions,
                    cookie: decoded.cookie,
                    duration: Duration::ZERO,
                    idle: Duration::ZERO,
                    unmodified: Duration::ZERO,
                    idle_timeout: 0,
                    hard_timeout: 0,
                    importance: 0,
                    flags: 0,
                    packets: None,
                    bytes: Some(0),
                });
            }
        }
        let _ = group_mod(version, bytes, &SPEC);
        let _ = meter_mod(version, bytes, &SPEC);
        let _ = table_mod(version, bytes, &SPEC);
        let _ = packet_out(version, bytes, &SPEC);
        let _ = query(version, bytes, &SPEC);
    }
}

fn tell(flow: &FlowStats<'_>) {
    for version in VERSIONS {
        let mut out = Vec::new();
        encode::flow_stats(version, flow, &mut out);
        let len = usize::from(u16::from_be_bytes([out[0], out[1]]));
        assert_eq!(len, out.len());
    }
    encode::nicira_flow(flow, &mut Vec::new());
    encode::flow_description(flow, &mut Vec::new());
}

#[test]
fn test_damaged_messages_do_no_harm() {
    const CASES: usize = 200_000;
    let seeds = seeds();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..CASES {
        let seed = &seeds[numbers.below(seeds.len())];
        let other = &seeds[numbers.below(seeds.len())];
        let bytes = mutate(&mut numbers, seed, other);
        digest(&bytes);
    }
}

#[test]
fn test_every_prefix_is_refused_or_whole() {
    for seed in seeds() {
        for len in 0..seed.len() {
            digest(&seed[..len]);
        }
    }
}

#[test]
fn test_deep_nesting_is_refused() {
    // clone() in clone(), each 16 bytes, as deep as a message can hold.
    let mut actions = Vec::new();
    while actions.len() < 60_000 {
        let len = (60_000 - actions.len()) / 16 * 16;
        actions.extend_from_slice(&[0xff, 0xff]);
        actions.extend_from_slice(&(len.max(16) as u16).to_be_bytes());
        actions.extend_from_slice(&hex("00002320 002a 000000000000"));
    }
    let instructions = super::instruction(4, &actions);
    let message = super::add_flow(Version::Of13, &super::oxm(&[]), &instructions);
    let result = flow_mod(Version::Of13, &message, &SPEC);
    assert_eq!(result, Err(error::TOO_MANY_ACTIONS));
}
