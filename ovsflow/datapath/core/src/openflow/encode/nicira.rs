//! Nicira's actions.  They name fields by their oldest code points, as Open vSwitch does.

use super::matching::tlv_header;
use crate::flow::field::{Field, FieldId, field, port_to_16};
use crate::openflow::Version;
use crate::openflow::action::{
    Action, Bundle, ControllerAction, Learn, LearnSource, LearnTarget, Multipath, Subfield, TableId,
};
use crate::openflow::codec::{pad8, patch_len, put_number, put_zeros, put16, put32, put64};
use crate::openflow::error::NICIRA;
use crate::packet::PortNo;

/// Starts an action of this subtype; returns where it began.
pub(super) fn begin(out: &mut Vec<u8>, subtype: u16) -> usize {
    let start = out.len();
    put16(out, 0xffff);
    put16(out, 0);
    put32(out, NICIRA);
    put16(out, subtype);
    start
}

/// Pads the action that began at `start` and fills in its length.
pub(super) fn end(out: &mut Vec<u8>, start: usize) {
    pad8(out, start);
    patch_len(out, start + 2, start);
}

/// Appends an action that only Nicira has.
pub(super) fn action(version: Version, action: &Action, out: &mut Vec<u8>) {
    match action {
        Action::Controller(options) => controller(options, out),
        Action::Learn(learn) => self::learn(learn, out),
        Action::Multipath(multipath) => self::multipath(multipath, out),
        Action::Bundle(bundle) => self::bundle(bundle, out),
        Action::Sample(wire) => out.extend_from_slice(wire),
        Action::StackPush(bits) => stack(27, *bits, out),
        Action::StackPop(bits) => stack(28, *bits, out),
        Action::OutputField { source, max_len } => output_field(*source, *max_len, out),
        Action::Resubmit { in_port, table } => resubmit(version, *in_port, *table, out),
        _ => plain(action, out),
    }
}

/// resubmit; only OpenFlow 1.0 has the form without a table.
fn resubmit(version: Version, port: Option<PortNo>, table: Option<TableId>, out: &mut Vec<u8>) {
    let short = version == Version::Of10 && table.is_none();
    let start = begin(out, if short { 1 } else { 14 });
    put16(out, port_to_16(port.unwrap_or(PortNo::IN_PORT)));
    let unspecified = if short { 0 } else { 0xff };
    out.push(table.map_or(unspecified, |table| table.0));
    end(out, start);
}

/// Actions with a fixed form and plain numbers.
fn plain(action: &Action, out: &mut Vec<u8>) {
    let subtype = match action {
        Action::OutputTruncated { .. } => 39,
        Action::PopQueue => 5,
        Action::DecNwTtl { .. } => 21,
        Action::Exit => 17,
        Action::Conjunction { .. } => 34,
        Action::FinTimeout { .. } => 19,
        Action::CheckPacketLarger { .. } => 49,
        Action::Note(_) => 8,
        _ => return,
    };
    let start = begin(out, subtype);
    match action {
        Action::OutputTruncated { port, max_len } => {
            put16(out, port_to_16(*port));
            put32(out, *max_len);
        }
        Action::DecNwTtl { controllers } => {
            put16(out, controllers.len() as u16);
            put_zeros(out, 4);
            for &id in controllers {
                put16(out, id);
            }
        }
        Action::Conjunction {
            id,
            clause,
            clauses,
        } => {
            out.extend_from_slice(&[*clause, *clauses]);
            put32(out, *id);
        }
        Action::FinTimeout { idle, hard } => {
            put16(out, *idle);
            put16(out, *hard);
        }
        Action::CheckPacketLarger { len, target } => {
            put16(out, *len);
            put16(out, u16::from(target.start));
            field_header(1, target.field, out);
        }
        Action::Note(note) => out.extend_from_slice(note),
        _ => put_zeros(out, 6),
    }
    end(out, start);
}

/// A field's header without value, as version `version` emits it.
pub(super) fn field_header(version: u8, id: FieldId, out: &mut Vec<u8>) {
    tlv_header(field(id).header(version).unwrap_or(0), false, 0, out);
}

/// Nicira's ofs_nbits.
fn put_range(out: &mut Vec<u8>, start: u32, len: u32) {
    put16(out, (start << 6 | len.saturating_sub(1) & 0x3f) as u16);
}

fn put_bits(out: &mut Vec<u8>, bits: Subfield) {
    put_range(out, bits.start.into(), bits.len.into());
}

/// reg_load: at most 64 bits of a field that has a short header.
pub(super) fn reg_load(row: &Field, from: u32, len: u32, value: u64, out: &mut Vec<u8>) {
    let start = begin(out, 7);
    put_range(out, from, len);
    field_header(1, row.id, out);
    put64(out, value);
    end(out, start);
}

/// reg_move.
pub(super) fn reg_move(source: Subfield, target: Subfield, out: &mut Vec<u8>) {
    let start = begin(out, 6);
    put16(out, source.len.into());
    put16(out, source.start.into());
    put16(out, target.start.into());
    field_header(1, source.field, out);
    field_header(1, target.field, out);
    end(out, start);
}

fn stack(subtype: u16, bits: Subfield, out: &mut Vec<u8>) {
    let start = begin(out, subtype);
    put16(out, bits.start.into());
    field_header(1, bits.field, out);
    put16(out, bits.len.into());
    put_zeros(out, (start + 24).saturating_sub(out.len()));
    end(out, start);
}

fn output_field(source: Subfield, max_len: u16, out: &mut Vec<u8>) {
    let long = field(source.field)
        .header(1)
        .is_some_and(|header| header >> 32 != 0);
    let start = begin(out, if long { 32 } else { 15 });
    put_bits(out, source);
    if long {
        put16(out, max_len);
        field_header(1, source.field, out);
    } else {
        field_header(1, source.field, out);
        put16(out, max_len);
    }
    put_zeros(out, (start + 24).saturating_sub(out.len()));
    end(out, start);
}

fn controller(options: &ControllerAction, out: &mut Vec<u8>) {
    if options.userdata.is_empty() && !options.pause && options.meter.is_none() {
        let start = begin(out, 20);
        put16(out, options.max_len);
        put16(out, options.controller);
        out.extend_from_slice(&[options.reason, 0]);
        end(out, start);
        return;
    }
    let start = begin(out, 37);
    put_zeros(out, 6);
    let property = |kind: u16, value: &[u8], out: &mut Vec<u8>| {
        let start = out.len();
        put16(out, kind);
        put16(out, 4 + value.len() as u16);
        out.extend_from_slice(value);
        pad8(out, start);
    };
    if options.max_len != 0xffff {
        property(0, &(u32::from(options.max_len) << 16).to_be_bytes(), out);
    }
    if options.controller != 0 {
        property(1, &(u32::from(options.controller) << 16).to_be_bytes(), out);
    }
    if options.reason != 1 {
        property(2, &[options.reason], out);
    }
    if !options.userdata.is_empty() {
        property(3, &options.userdata, out);
    }
    if options.pause {
        property(4, &[], out);
    }
    if let Some(meter) = options.meter {
        property(5, &meter.0.to_be_bytes(), out);
    }
    end(out, start);
}

fn learn(learn: &Learn, out: &mut Vec<u8>) {
    const WRITE_RESULT: u16 = 4;
    let extended = learn.limit != 0 || learn.result.is_some() || learn.flags & WRITE_RESULT != 0;
    let start = begin(out, if extended { 45 } else { 16 });
    put16(out, learn.idle_timeout);
    put16(out, learn.hard_timeout);
    put16(out, learn.priority);
    put64(out, learn.cookie);
    put16(out, learn.flags);
    out.extend_from_slice(&[learn.table.0, 0]);
    put16(out, learn.fin_idle_timeout);
    put16(out, learn.fin_hard_timeout);
    if extended {
        put32(out, learn.limit);
        put16(out, learn.result.map_or(0, |bits| bits.start.into()));
        put16(out, 0);
        if let Some(bits) = learn.result {
            field_header(1, bits.field, out);
        }
    }
    for spec in &learn.specs {
        let (source_bit, bits) = match &spec.source {
            LearnSource::Field(source) => (0, u16::from(source.len)),
            LearnSource::Immediate { bits, .. } => (1 << 13, *bits),
        };
        let target_bits = match &spec.target {
            LearnTarget::Match(_) => 0,
            LearnTarget::Load(_) => 1 << 11,
            LearnTarget::Output => 2 << 11,
        };
        put16(out, source_bit | target_bits | bits);
        match &spec.source {
            LearnSource::Field(source) => part(*source, out),
            LearnSource::Immediate { value, bits } => {
                put_number(out, *value, usize::from(bits.div_ceil(16)) * 2);
            }
        }
        if let LearnTarget::Match(target) | LearnTarget::Load(target) = &spec.target {
            part(*target, out);
        }
    }
    end(out, start);
}

/// A field and the first of its bits that count.
fn part(bits: Subfield, out: &mut Vec<u8>) {
    field_header(1, bits.field, out);
    put16(out, bits.start.into());
}

fn multipath(multipath: &Multipath, out: &mut Vec<u8>) {
    let start = begin(out, 10);
    put16(out, multipath.fields);
    put16(out, multipath.basis);
    put16(out, 0);
    put16(out, multipath.algorithm);
    put16(out, multipath.max_link);
    put32(out, multipath.argument);
    put16(out, 0);
    put_bits(out, multipath.target);
    field_header(1, multipath.target.field, out);
    end(out, start);
}

fn bundle(bundle: &Bundle, out: &mut Vec<u8>) {
    let start = begin(out, if bundle.target.is_some() { 13 } else { 12 });
    put16(out, bundle.algorithm);
    put16(out, bundle.fields);
    put16(out, bundle.basis);
    put32(out, 0x0000_0002);
    put16(out, bundle.members.len() as u16);
    match bundle.target {
        Some(target) => {
            put_bits(out, target);
            field_header(1, target.field, out);
        }
        None => put_zeros(out, 6),
    }
    put_zeros(out, 4);
    for &member in &bundle.members {
        put16(out, port_to_16(member));
    }
    end(out, start);
}
