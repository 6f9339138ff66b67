//! Both directions: messages that a foreign sender wrote, and values made up at random.

use super::*;
use crate::openflow::Version;
use crate::openflow::decode::{Context, flow_mod};
use crate::openflow::modify::FlowMod;

/// FLOW_MODs that Open vSwitch's ovs-ofctl wrote, with the text they were typed as.
const FLOW_MODS: &str = include_str!("../../../../../../tests/data/flow_mods.txt");

const CONTEXT: Context = Context {
    compat: crate::openflow::decode::Compat::Ovs,
    flow_mod_table_id: false,
};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let pairs = digits.chunks(2);
    pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn vectors() -> impl Iterator<Item = (Version, Vec<u8>, &'static str)> {
    let lines = FLOW_MODS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let mut parts = line.splitn(3, ' ');
        let version = match parts.next() {
            Some("10") => Version::Of10,
            Some("13") => Version::Of13,
            Some("14") => Version::Of14,
            _ => Version::Of15,
        };
        let bytes = hex(parts.next().unwrap_or_default());
        (version, bytes, parts.next().unwrap_or_default())
    })
}

/// Match and instructions as this crate writes them, in the place where they stand in a message.
fn again(version: Version, message: &[u8], decoded: &FlowMod) -> Vec<u8> {
    let mut out = Vec::new();
    let head = match version {
        Version::Of10 => 48,
        _ => 48,
    };
    out.extend_from_slice(&message[..head]);
    if version == Version::Of10 {
        let start = out.len();
        match_tlvs(version, &decoded.matching, &mut out);
        crate::openflow::codec::pad8(&mut out, start);
    } else {
        ofp_match(version, &decoded.matching, &mut out);
    }
    let tagged = decoded.matching.value.value(crate::flow::slot::VLAN_TCI) & 0x1000 != 0;
    instructions(version, &decoded.instructions, tagged, &mut out);
    out
}

#[test]
fn test_foreign_flow_mods_survive_both_directions() {
    let mut failures = 0;
    for (version, message, text) in vectors() {
        let decoded = match flow_mod(version, &message, &CONTEXT) {
            Ok(decoded) => decoded,
            Err(error) => {
                println!("{version:?} {text}: {error:?}");
                failures += 1;
                continue;
            }
        };
        if version == Version::Of10 && message[1] != 4 {
            continue;
        }
        let written = again(version, &message, &decoded);
        if written != message {
            println!("{version:?} {text}\n in  {message:02x?}\n out {written:02x?}");
            failures += 1;
        }
    }
    assert_eq!(failures, 0);
}

/// Actions as Open vSwitch 3.1 reads them (`ovs-ofctl parse-actions`) and what it writes for
/// them: reg_load2 has no padding before its TLV, and a write under a mask is a reg_load for
/// each run of bits.
#[test]
fn test_masked_writes_are_loads() {
    const LOAD_2: &str = "ffff0018 00002320 0021 00010308 00000005 0000000d 0000";
    const LOADS: &str = "ffff0018 00002320 0007 0000 00010204 0000000000000001
        ffff0018 00002320 0007 0081 00010204 0000000000000001";
    for version in [Version::Of10, Version::Of13, Version::Of14] {
        let written = actions_again(version, &hex(LOAD_2));
        assert_eq!(written, hex(LOADS), "{version:?}");
    }
}

/// A list of actions, decoded and encoded.
fn actions_again(version: Version, list: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 48];
    let length = 8 + list.len();
    message[42..44].fill(0xff);
    match version {
        Version::Of10 => {
            message = vec![0; 72];
            message[8..12].copy_from_slice(&0x0038_20ff_u32.to_be_bytes());
            message[64..72].fill(0xff);
            message[70..72].fill(0);
        }
        _ => {
            message[24..28].fill(0);
            message[32..44].fill(0xff);
            message.extend([0, 1, 0, 4, 0, 0, 0, 0]);
            message.extend([0, 4, (length >> 8) as u8, length as u8, 0, 0, 0, 0]);
        }
    }
    message.extend(list);
    let total = message.len() as u16;
    message[2..4].copy_from_slice(&total.to_be_bytes());
    let decoded = flow_mod(version, &message, &CONTEXT).expect("a flow");
    let mut out = Vec::new();
    instructions(version, &decoded.instructions, false, &mut out);
    out.split_off(if version == Version::Of10 { 0 } else { 8 })
}
