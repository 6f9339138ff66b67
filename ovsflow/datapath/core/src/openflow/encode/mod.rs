//! What the tables tell, to bytes.
//!
//! Every function appends to a `Vec<u8>`.  Matches and actions are the same TLVs that decoding
//! reads; where a version lacks a word, it gets the words that mean the same (a resubmit for a
//! goto-table, set_queue and output for enqueue), or, if there are none, nothing.

mod action;
mod fits;
mod flow;
mod group;
mod instruction;
mod matching;
mod meter;
mod multipart;
mod nicira;
mod packet_in;
mod removed;
mod table;
#[cfg(test)]
mod tests;

pub use action::actions;
pub use fits::group_fits;
pub use flow::{aggregate, flow_description, flow_stats, nicira_flow};
pub use group::{group_desc, group_features, group_stats};
pub use instruction::instructions;
pub use matching::{match_10, match_tlvs, ofp_match};
pub use meter::{meter_config, meter_features, meter_stats};
pub use multipart::Multipart;
pub use packet_in::packet_in;
pub use removed::flow_removed;
pub use table::{table_desc, table_features, table_stats};

use super::Version;
use super::codec::{patch_len, put32, put64};
use std::time::Duration;

/// Starts a message: header with a length to be filled in by [`end_message`].
fn begin_message(version: Version, kind: u8, xid: u32, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[version as u8, kind, 0, 0]);
    put32(out, xid);
    start
}

/// Fills in the length of the message that began at `start`.
fn end_message(out: &mut [u8], start: usize) {
    patch_len(out, start + 2, start);
}

/// Seconds, and nanoseconds cut to whole milliseconds: people read `duration=0.004s`, and so does
/// everything that was written against Open vSwitch.
fn put_duration(out: &mut Vec<u8>, duration: Duration) {
    put32(out, u32::try_from(duration.as_secs()).unwrap_or(u32::MAX));
    put32(out, duration.subsec_millis() * 1_000_000);
}

/// A counter; all ones if it is not kept.
fn put_counter(out: &mut Vec<u8>, counter: Option<u64>) {
    put64(out, counter.unwrap_or(u64::MAX));
}

/// A name in a field of `len` bytes, cut so that a zero follows.
fn put_name(out: &mut Vec<u8>, name: &str, len: usize) {
    let end = out.len() + len;
    let keep = name.len().min(len - 1);
    out.extend_from_slice(&name.as_bytes()[..keep]);
    out.resize(end, 0);
}
