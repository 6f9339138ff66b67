//! PACKET_IN, NXT_PACKET_IN and NXT_PACKET_IN2.
//!
//! Sources: OpenFlow 1.0.1 §5.4.1, 1.3.5 §7.4.1; Nicira's nx_packet_in and its successor, in which all
//! is a property.

use super::matching::{match_tlvs, ofp_match};
use super::{begin_message, end_message};
use crate::flow::field::{FIELDS, field, port_to_16};
use crate::flow::{FlowKey, slot};
use crate::openflow::Version;
use crate::openflow::codec::{pad8, patch_len, put_zeros, put16, put32, put64};
use crate::openflow::error::NICIRA;
use crate::openflow::modify::Match;
use crate::openflow::tell::{PacketIn, PacketInFormat};
use crate::packet::PortNo;

/// OFPT_PACKET_IN, OFPT_EXPERIMENTER and Nicira's subtypes.
const PACKET_IN: u8 = 10;
const EXPERIMENTER: u8 = 4;
const NXT_PACKET_IN: u32 = 17;
const NXT_PACKET_IN2: u32 = 30;
/// OFP_NO_BUFFER.
const NO_BUFFER: u32 = 0xffff_ffff;

/// Appends the whole message; the packet is cut if the message would grow past 64 KiB.
pub fn packet_in(
    version: Version,
    xid: u32,
    format: PacketInFormat,
    told: &PacketIn<'_>,
    out: &mut Vec<u8>,
) {
    let nicira = format != PacketInFormat::Standard;
    let kind = if nicira { EXPERIMENTER } else { PACKET_IN };
    let start = begin_message(version, kind, xid, out);
    match format {
        PacketInFormat::Standard if version == Version::Of10 => standard_10(told, out),
        PacketInFormat::Standard => standard_13(version, told, out),
        PacketInFormat::Nicira => body_nicira(version, told, out),
        PacketInFormat::Nicira2 => body_nicira2(version, told, out),
    }
    if format != PacketInFormat::Nicira2 {
        let room = usize::from(u16::MAX).saturating_sub(out.len() - start);
        out.extend_from_slice(told.data.get(..room).unwrap_or(told.data));
    }
    end_message(out, start);
}

/// The reason's number: before OpenFlow 1.4 all that came from an action is OFPR_ACTION.
fn reason(version: Version, told: &PacketIn<'_>) -> u8 {
    if told.reason > 2 && version < Version::Of14 {
        1
    } else {
        told.reason
    }
}

fn total_len(told: &PacketIn<'_>) -> u16 {
    u16::try_from(told.total_len).unwrap_or(u16::MAX)
}

fn standard_10(told: &PacketIn<'_>, out: &mut Vec<u8>) {
    put32(out, NO_BUFFER);
    put16(out, total_len(told));
    let in_port = told.metadata.value(slot::IN_PORT) as u32;
    put16(out, port_to_16(PortNo(in_port)));
    out.extend_from_slice(&[reason(Version::Of10, told), 0]);
}

fn standard_13(version: Version, told: &PacketIn<'_>, out: &mut Vec<u8>) {
    put32(out, NO_BUFFER);
    put16(out, total_len(told));
    out.extend_from_slice(&[reason(version, told), told.table.0]);
    put64(out, told.cookie);
    ofp_match(version, &metadata(told.metadata), out);
    put_zeros(out, 2);
}

fn body_nicira(version: Version, told: &PacketIn<'_>, out: &mut Vec<u8>) {
    put32(out, NICIRA);
    put32(out, NXT_PACKET_IN);
    put32(out, NO_BUFFER);
    put16(out, total_len(told));
    out.extend_from_slice(&[reason(version, told), told.table.0]);
    put64(out, told.cookie);
    let match_len_at = out.len();
    put16(out, 0);
    put_zeros(out, 6);
    let start = out.len();
    match_tlvs(Version::Of10, &metadata(told.metadata), out);
    patch_len(out, match_len_at, start);
    pad8(out, start);
    put_zeros(out, 2);
}

fn body_nicira2(version: Version, told: &PacketIn<'_>, out: &mut Vec<u8>) {
    const OTHERS: usize = 512;
    put32(out, NICIRA);
    put32(out, NXT_PACKET_IN2);
    let room = usize::from(u16::MAX)
        .saturating_sub(OTHERS + told.userdata.len())
        .saturating_sub(told.continuation.map_or(0, <[u8]>::len));
    let data = told.data.get(..room).unwrap_or(told.data);
    property(0, out, |out| out.extend_from_slice(data));
    if data.len() != told.total_len {
        let full = u32::try_from(told.total_len).unwrap_or(u32::MAX);
        property(1, out, |out| put32(out, full));
    }
    property(3, out, |out| out.push(told.table.0));
    if told.cookie != u64::MAX {
        property(4, out, |out| {
            put_zeros(out, 4);
            put64(out, told.cookie);
        });
    }
    property(5, out, |out| out.push(reason(version, told)));
    let matching = metadata(told.metadata);
    property(6, out, |out| match_tlvs(version, &matching, out));
    if !told.userdata.is_empty() {
        property(7, out, |out| out.extend_from_slice(told.userdata));
    }
    if let Some(frozen) = told.continuation {
        property(8, out, |out| out.extend_from_slice(frozen));
    }
}

/// A property: type, length, value, padding.
fn property(kind: u16, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put16(out, kind);
    put16(out, 0);
    value(out);
    patch_len(out, start + 2, start);
    pad8(out, start);
}

/// The pipeline's fields that are not 0, and the ingress port, as a match.
fn metadata(key: &FlowKey) -> Match {
    let mut matching = Match::default();
    for row in FIELDS {
        let pipeline = (5..=11).contains(&row.slot.word)
            || row.slot == slot::PKT_MARK
            || row.slot.word >= slot::METADATA.word;
        // Registers are told one by one, not as the pairs and quads that they also form.
        let wide = row.slot.word >= slot::FIRST_REGISTER_WORD && row.bits > 32;
        let internal = row.slot == slot::ACTSET_OUTPUT || row.slot == slot::CONJ_ID;
        let told = pipeline && !wide && !internal;
        if !told || row.headers.is_empty() || row.read(key) == 0 {
            continue;
        }
        matching.mask.set_masked(row.slot, row.legal, row.legal);
        row.write(&mut matching.value, row.read(key), row.legal);
    }
    let in_port = field(crate::flow::field::IN_PORT_OXM);
    matching.mask.set(in_port.slot, in_port.legal);
    matching.value.set(in_port.slot, key.value(in_port.slot));
    matching
}
