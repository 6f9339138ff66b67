//! Tests of the wire as a whole: round trips, the error of each bad input, damaged messages.

pub(super) mod damage;
mod errors;
mod fields;
mod generate;
mod round_trip;

use super::Version;
use super::decode::{Compat, Context};

pub(super) const VERSIONS: [Version; 4] =
    [Version::Of10, Version::Of13, Version::Of14, Version::Of15];

pub(super) const SPEC: Context = Context {
    compat: Compat::Spec,
    flow_mod_table_id: true,
};

pub(super) const OVS: Context = Context {
    compat: Compat::Ovs,
    flow_mod_table_id: false,
};

/// Bytes of hexadecimal text; blanks are ignored.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let pairs = digits.chunks(2);
    pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// A message: header and body, with the right length.
pub(super) fn message(version: Version, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![version as u8, kind];
    out.extend_from_slice(&((8 + body.len()) as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 9]);
    out.extend_from_slice(body);
    out
}

/// An OpenFlow 1.3+ FLOW_MOD that adds, with this match and these instructions.
pub(super) fn add_flow(version: Version, ofp_match: &[u8], instructions: &[u8]) -> Vec<u8> {
    flow_mod(version, 0, 0, 0, ofp_match, instructions)
}

/// The same with table, command and flags.
pub(super) fn flow_mod(
    version: Version,
    table: u8,
    command: u8,
    flags: u16,
    ofp_match: &[u8],
    instructions: &[u8],
) -> Vec<u8> {
    let mut body = vec![0; 16];
    body.extend_from_slice(&[table, command, 0, 0, 0, 0, 0x80, 0]);
    body.extend_from_slice(&[0xff; 12]);
    body.extend_from_slice(&flags.to_be_bytes());
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(ofp_match);
    body.extend_from_slice(instructions);
    message(version, 14, &body)
}

/// An ofp_match around some TLVs.
pub(super) fn oxm(tlvs: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 1];
    out.extend_from_slice(&((4 + tlvs.len()) as u16).to_be_bytes());
    out.extend_from_slice(tlvs);
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

/// An apply-actions (4) or write-actions (3) instruction around some actions.
pub(super) fn instruction(kind: u8, actions: &[u8]) -> Vec<u8> {
    let mut out = vec![0, kind];
    out.extend_from_slice(&((8 + actions.len()) as u16).to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(actions);
    out
}
