//! Tables in replies.  Sources: OpenFlow 1.0.1 §5.3.5, 1.3.5 §7.3.5.4 and 5, 1.4.1 §7.3.5.5.

use crate::flow::field::{FIELDS, Field, IN_PORT_OXM, Settable};
use crate::openflow::Version;
use crate::openflow::codec::{pad8, patch_len, put_zeros, put16, put32, put64};
use crate::openflow::tell::{TableDesc, TableFeatures, TableStats};

/// Actions of OpenFlow 1.3 that are supported, one bit for each type: output, copy TTL, MPLS TTL, push and
/// pop, queue, group, TTL, set_field, PBB.
pub(super) const ACTION_BITS: u32 = {
    let mut bits = 0;
    let mut i = 0;
    while i < ACTIONS.len() {
        bits |= 1 << ACTIONS[i];
        i += 1;
    }
    bits
};

/// The types behind [`ACTION_BITS`].
const ACTIONS: &[u16] = &[
    0, 11, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
];

/// Room for a table's name; no table has one.
const NAME_BYTES: usize = 32;

/// Appends one entry of a table stats reply.
pub fn table_stats(version: Version, stats: &TableStats, out: &mut Vec<u8>) {
    out.extend_from_slice(&[stats.table.0, 0, 0, 0]);
    if version == Version::Of10 {
        const ALL_WILDCARDS: u32 = 0x3f_ffff;
        put_zeros(out, NAME_BYTES);
        put32(out, ALL_WILDCARDS);
        put32(out, stats.max_entries);
    }
    put32(out, stats.active);
    put64(out, stats.lookups);
    put64(out, stats.matched);
}

/// Appends one entry of OFPMP_TABLE_DESC.
pub fn table_desc(desc: &TableDesc, out: &mut Vec<u8>) {
    let start = out.len();
    put16(out, 0);
    out.extend_from_slice(&[desc.table.0, 0]);
    put32(out, desc.config);
    put16(out, 2);
    put16(out, 8);
    put32(out, desc.eviction);
    if let Some((down, up, now)) = desc.vacancy {
        put16(out, 3);
        put16(out, 8);
        out.extend_from_slice(&[down, up, now, 0]);
    }
    patch_len(out, start, start);
}

/// Appends one entry of OFPMP_TABLE_FEATURES.
pub fn table_features(version: Version, features: &TableFeatures, out: &mut Vec<u8>) {
    let start = out.len();
    put16(out, 0);
    out.push(features.table.0);
    put_zeros(out, 5);
    put_zeros(out, NAME_BYTES);
    put64(out, u64::MAX);
    put64(out, u64::MAX);
    // OFPTC_EVICTION and OFPTC_VACANCY_EVENTS; before OpenFlow 1.4 the bits have no meaning left.
    let capabilities = if version >= Version::Of14 { 0xc } else { 0 };
    put32(out, capabilities);
    put32(out, features.max_entries);
    properties(version, features, out);
    patch_len(out, start, start);
}

/// The properties; none for a miss rule, which may do what every rule may.
fn properties(version: Version, features: &TableFeatures, out: &mut Vec<u8>) {
    let instructions: &[u16] = if version == Version::Of15 {
        &[1, 2, 3, 4, 5, 7]
    } else {
        &[1, 2, 3, 4, 5, 6]
    };
    property(0, out, |out| types(instructions, out));
    property(2, out, |out| {
        let first = features.table.0.saturating_add(1);
        out.extend(first..=features.last_table.0);
    });
    let write = |out: &mut Vec<u8>| {
        types(ACTIONS, out);
        if version == Version::Of15 {
            types(&[28, 29], out);
        }
    };
    property(4, out, write);
    property(6, out, write);
    property(8, out, |out| field_ids(version, true, |_| true, out));
    property(10, out, |out| field_ids(version, false, |_| true, out));
    let settable = |f: &Field| f.settable != Settable::No && f.id != IN_PORT_OXM;
    let fields = |out: &mut Vec<u8>| field_ids(version, false, settable, out);
    property(12, out, fields);
    property(14, out, fields);
    if version == Version::Of15 {
        property(18, out, fields);
        property(20, out, fields);
    }
}

/// Types of instructions or actions as ids: each with a length of 4.
fn types(numbers: &[u16], out: &mut Vec<u8>) {
    for &number in numbers {
        put16(out, number);
        put16(out, 4);
    }
}

/// Headers of the fields that are `wanted`.
fn field_ids(
    version: Version,
    tell_masks: bool,
    wanted: impl Fn(&Field) -> bool,
    out: &mut Vec<u8>,
) {
    for field in FIELDS.iter().filter(|field| wanted(field)) {
        if super::matching::is_alias(version, field) {
            continue;
        }
        if let Some(header) = field.header(version as u8) {
            let size = usize::from(field.wire_bytes);
            super::matching::tlv_header(header, tell_masks && field.maskable, size, out);
        }
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
