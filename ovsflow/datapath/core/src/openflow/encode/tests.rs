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
