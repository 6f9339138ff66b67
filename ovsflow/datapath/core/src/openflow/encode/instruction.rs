//! Instructions; on OpenFlow 1.0, the actions that come nearest.

use super::action::actions;
use super::nicira::{begin, end};
use crate::flow::field::METADATA;
use crate::openflow::Version;
use crate::openflow::action::{Action, FieldValue, Instructions};
use crate::openflow::codec::{patch_len, put_zeros, put16, put32, put64};

/// Appends instructions in the order of their execution.  `has_vlan`: see [`actions`].
///
/// OpenFlow 1.0 sees apply-actions, write-metadata as Nicira's action and goto-table as a
/// resubmit; it has no word for the others.
pub fn instructions(version: Version, all: &Instructions, has_vlan: bool, out: &mut Vec<u8>) {
    match version {
        Version::Of10 => instructions_10(all, has_vlan, out),
        _ => instructions_11(version, all, has_vlan, out),
    }
}

fn instructions_10(all: &Instructions, has_vlan: bool, out: &mut Vec<u8>) {
    actions(Version::Of10, &all.apply, has_vlan, out);
    match all.metadata {
        // Nicira's action must be the last one.
        Some((value, mask)) if all.goto.is_none() => {
            let start = begin(out, 22);
            put_zeros(out, 6);
            put64(out, value);
            put64(out, mask);
            end(out, start);
        }
        Some((value, mask)) => {
            let write = Action::SetField(FieldValue {
                field: METADATA,
                value: value.into(),
                mask: mask.into(),
            });
            actions(Version::Of10, &[write], has_vlan, out);
        }
        None => {}
    }
    if let Some(table) = all.goto {
        let resubmit = Action::Resubmit {
            in_port: None,
            table: Some(table),
        };
        actions(Version::Of10, &[resubmit], has_vlan, out);
    }
}

fn instructions_11(version: Version, all: &Instructions, has_vlan: bool, out: &mut Vec<u8>) {
    let is_15 = version == Version::Of15;
    // OpenFlow 1.5 has the meter as an action; others have it as an instruction.
    let (meter, apply) = match (all.meter, all.apply.split_first()) {
        (None, Some((Action::Meter(meter), rest))) if !is_15 => (Some(*meter), rest),
        (meter, _) => (meter, &*all.apply),
    };
    if let Some(meter) = meter.filter(|_| !is_15) {
        head(6, 8, out);
        put32(out, meter.0);
    }
    let meter_action = meter.filter(|_| is_15).map(Action::Meter);
    if meter_action.is_some() || !apply.is_empty() {
        let start = out.len();
        head(4, 0, out);
        put_zeros(out, 4);
        actions(version, meter_action.as_slice(), has_vlan, out);
        actions(version, apply, has_vlan, out);
        patch_len(out, start + 2, start);
    }
    if all.clear {
        head(5, 8, out);
        put_zeros(out, 4);
    }
    if !all.write.is_empty() {
        let start = out.len();
        head(3, 0, out);
        put_zeros(out, 4);
        actions(version, &all.write, has_vlan, out);
        patch_len(out, start + 2, start);
    }
    if let Some((value, mask)) = all.metadata {
        head(2, 24, out);
        put_zeros(out, 4);
        put64(out, value);
        put64(out, mask);
    }
    if let Some(table) = all.goto {
        head(1, 8, out);
        out.push(table.0);
        put_zeros(out, 3);
    }
    if let Some(body) = all.stat_trigger.as_ref().filter(|_| is_15) {
        head(7, 4 + body.len() as u16, out);
        out.extend_from_slice(body);
    }
}

fn head(kind: u16, len: u16, out: &mut Vec<u8>) {
    put16(out, kind);
    put16(out, len);
}
