//! Experimenters' actions: Nicira's extensions, and ONF's copy_field.
//!
//! A row of [`SUBTYPES`] says in which versions a subtype exists; what is not there, or is for a
//! feature that this switch has not, is refused as an unknown subtype.  Connection tracking is
//! decoded as far as its form goes and then refused by its own name.

use super::action::{self, Scope, group, list, output_port, tag, whole};
use super::learn;
use super::matching::measure_tlv;
use super::subfield::{field_header, short_field_header, start_and_len, subfield, writable, zeros};
use crate::error::{OfError, OfResult};
use crate::flow::field::{self, port_from_16};
use crate::openflow::Version::{self, Of10, Of13, Of14, Of15};
use crate::openflow::action::{
    Action, Bundle, ControllerAction, MeterId, Multipath, Subfield, TableId,
};
use crate::openflow::codec::{Pieces, Reader, measure_aligned, measure_padded, number};
use crate::openflow::error;
use crate::packet::PortNo;

/// NXAST_*: number, and the first and last version that has it.
const SUBTYPES: &[(u16, Version, Version)] = &[
    (1, Of10, Of15),
    (2, Of10, Of15),
    (4, Of10, Of10),
    (5, Of10, Of15),
    (6, Of10, Of14),
    (7, Of10, Of14),
    (8, Of10, Of15),
    (9, Of10, Of15),
    (10, Of10, Of15),
    (12, Of10, Of15),
    (13, Of10, Of15),
    (14, Of10, Of15),
    (15, Of10, Of15),
    (16, Of10, Of15),
    (17, Of10, Of15),
    (18, Of10, Of10),
    (19, Of10, Of15),
    (20, Of10, Of15),
    (21, Of10, Of15),
    (22, Of10, Of10),
    (23, Of10, Of10),
    (24, Of10, Of10),
    (25, Of10, Of10),
    (26, Of10, Of10),
    (27, Of10, Of15),
    (28, Of10, Of15),
    (29, Of10, Of15),
    (30, Of10, Of10),
    (31, Of10, Of10),
    (32, Of10, Of15),
    (33, Of10, Of14),
    (34, Of10, Of15),
    (35, Of10, Of15),
    (37, Of10, Of15),
    (38, Of10, Of15),
    (39, Of10, Of15),
    (40, Of10, Of10),
    (41, Of10, Of15),
    (42, Of10, Of15),
    (43, Of10, Of15),
    (44, Of10, Of15),
    (45, Of10, Of15),
    (49, Of10, Of15),
    (51, Of10, Of15),
];

/// ONF's copy_field for OpenFlow 1.3 and 1.4.
const ONF_COPY_FIELD: u16 = 3200;

/// Decodes one experimenter's action.
pub(super) fn action(scope: Scope, piece: &[u8], out: &mut Vec<Action>) -> OfResult<()> {
    let mut reader = Reader::new(piece, error::BAD_ACTION_LEN);
    reader.skip(4)?;
    let vendor = reader.u32()?;
    if piece.len() < 16 {
        return Err(error::BAD_ACTION_LEN);
    }
    let subtype = reader.u16()?;
    let version = scope.wire.version;
    match (vendor, subtype) {
        (error::ONF, ONF_COPY_FIELD) if matches!(version, Of13 | Of14) => {
            reader.skip(6)?;
            out.push(action::copy_field(scope.wire, &mut reader)?);
        }
        (error::NICIRA, _) if exists(subtype, version) => {
            out.push(nicira(scope, subtype, piece, &mut reader)?);
        }
        (error::ONF | error::NICIRA, _) => return Err(error::BAD_ACTION_EXP_TYPE),
        _ => return Err(error::BAD_ACTION_EXPERIMENTER),
    }
    reader.finish()
}

fn exists(subtype: u16, version: Version) -> bool {
    let mut rows = SUBTYPES.iter();
    rows.any(|&(number, first, last)| number == subtype && (first..=last).contains(&version))
}

fn nicira(scope: Scope, subtype: u16, piece: &[u8], r: &mut Reader<'_>) -> OfResult<Action> {
    match subtype {
        1 | 5 | 14 | 17 | 19 | 34 | 42..=44 => control(scope, subtype, r),
        2 | 9 | 22 | 6 | 7 | 33 => field_change(scope, subtype, r),
        4 | 18 | 21 | 23..=26 | 30 | 31 | 40 => header_change(subtype, r),
        10 => multipath(scope, r),
        12 | 13 => bundle(scope, subtype == 13, r),
        15 | 20 | 32 | 37 | 39 => sending(subtype, r),
        16 | 45 => learn::learn(scope, subtype == 45, r),
        27 | 28 => stack(subtype == 27, scope, r),
        35 => conntrack(scope, r),
        49 => check_packet_larger(scope, r),
        8 => Ok(Action::Note(r.take(r.rest().len())?.into())),
        _ => {
            r.skip(r.rest().len())?;
            Ok(Action::Sample(piece.into()))
        }
    }
}

/// Where the walk goes on.
fn control(scope: Scope, subtype: u16, r: &mut Reader<'_>) -> OfResult<Action> {
    Ok(match subtype {
        1 | 14 => {
            let port = port_from_16(r.u16()?);
            let table = r.u8()?;
            let pad = r.take(3)?;
            if subtype == 14 {
                zeros(pad, error::BAD_ARGUMENT)?;
            }
            Action::Resubmit {
                in_port: Some(port).filter(|&port| port != PortNo::IN_PORT),
                table: Some(TableId(table)).filter(|_| subtype == 14 && table != 0xff),
            }
        }
        34 => conjunction(r)?,
        42 => {
            r.skip(6)?;
            let inner = Scope {
                nesting: scope.nesting + 1,
                ..scope
            };
            let actions = list(inner, r.take(r.rest().len())?)?;
            Action::Clone(actions.into())
        }
        43 | 44 => return Err(error::NO_CONNTRACK),
        19 => {
            let (idle, hard) = (r.u16()?, r.u16()?);
            r.skip(2)?;
            Action::FinTimeout { idle, hard }
        }
        17 => {
            r.skip(6)?;
            Action::Exit
        }
        _ => {
            r.skip(6)?;
            Action::PopQueue
        }
    })
}

fn conjunction(r: &mut Reader<'_>) -> OfResult<Action> {
    let (clause, clauses, id) = (r.u8()?, r.u8()?, r.u32()?);
    if !(2..=64).contains(&clauses) || clause >= clauses {
        return Err(error::BAD_CONJUNCTION);
    }
    Ok(Action::Conjunction {
        id,
        clause,
        clauses,
    })
}

/// ct(): its form is checked, then it is refused.
fn conntrack(scope: Scope, r: &mut Reader<'_>) -> OfResult<Action> {
    const NAT: [u8; 2] = [0, 36];
    r.skip(14)?;
    let inner = r.take(r.rest().len())?;
    let scope = Scope {
        nesting: scope.nesting + 1,
        ..scope
    };
    for piece in Pieces::new(inner, measure_aligned, error::BAD_ACTION_LEN) {
        let piece = piece?;
        if piece.get(8..10) != Some(&NAT) {
            list(scope, piece).map_err(|refused| match refused {
                // Here a mark and a label might have been written.
                error::BAD_SET_ARGUMENT => error::NO_CONNTRACK,
                other => other,
            })?;
        }
    }
    Err(error::NO_CONNTRACK)
}

/// Actions that write fields.
fn field_change(scope: Scope, subtype: u16, r: &mut Reader<'_>) -> OfResult<Action> {
    Ok(match subtype {
        2 => {
            r.skip(2)?;
            whole(field::TUN_ID, r.number(4)?)
        }
        9 => {
            r.skip(6)?;
            whole(field::TUN_ID, r.number(8)?)
        }
        22 => {
            r.skip(6)?;
            let (value, mask) = (r.u64()?, r.u64()?);
            Action::SetField(crate::openflow::action::FieldValue {
                field: field::METADATA,
                value: u128::from(value & mask),
                mask: u128::from(mask),
            })
        }
        6 => reg_move(scope, r)?,
        7 => {
            let (start, len) = start_and_len(r.u16()?);
            let target = target(scope, r, start, len)?;
            let value = r.u64()?;
            if len < 64 && value >> len != 0 {
                return Err(error::BAD_ARGUMENT);
            }
            Action::Load { target, value }
        }
        // The TLV stands where other actions have padding.
        _ => {
            let (len, _) = measure_tlv(r.rest()).ok_or(error::BAD_SET_LEN)?;
            let tlv = r.take(len)?;
            let value = action::field_value(scope.wire, tlv, true)?;
            padding(r)?;
            Action::SetField(value)
        }
    })
}

/// Up to 7 bytes at the end of an action whose inner length varies.
pub(super) fn padding(r: &mut Reader<'_>) -> OfResult<()> {
    zeros(r.rest(), error::MUST_BE_ZERO)?;
    if r.rest().len() >= 8 {
        return Err(error::BAD_ACTION_LEN);
    }
    r.skip(r.rest().len())
}

/// A field header of 4 bytes and the bits of it to write.
fn target(scope: Scope, r: &mut Reader<'_>, start: u16, len: u16) -> OfResult<Subfield> {
    let field = short_field_header(r)?;
    let target = subfield(field, start, len)?;
    writable(scope.wire, field)?;
    Ok(target)
}

fn reg_move(scope: Scope, r: &mut Reader<'_>) -> OfResult<Action> {
    let bits = r.u16()?;
    let source_start = r.u16()?;
    let target_start = r.u16()?;
    let source = field_header(r).map_err(as_in_a_match)?;
    let to = field_header(r).map_err(as_in_a_match)?;
    padding(r)?;
    let source = subfield(source, source_start, bits)?;
    let target = subfield(to, target_start, bits)?;
    writable(scope.wire, to)?;
    Ok(Action::Move { source, target })
}

/// Actions that name fields as a match does are refused as a match is.
fn as_in_a_match(refusal: OfError) -> OfError {
    match refusal {
        error::BAD_SET_TYPE => error::BAD_FIELD,
        other => other,
    }
}

/// push and pop of the stack.
fn stack(push: bool, scope: Scope, r: &mut Reader<'_>) -> OfResult<Action> {
    let start = r.u16()?;
    let field = field_header(r).map_err(as_in_a_match)?;
    let len = r.u16()?;
    padding(r)?;
    let bits = subfield(field, start, len)?;
    if push {
        return Ok(Action::StackPush(bits));
    }
    writable(scope.wire, field)?;
    Ok(Action::StackPop(bits))
}

/// What OpenFlow 1.0 has only as Nicira's extensions, and dec_ttl with controller ids.
fn header_change(subtype: u16, r: &mut Reader<'_>) -> OfResult<Action> {
    Ok(match subtype {
        4 => {
            r.skip(2)?;
            Action::SetQueue(r.u32()?)
        }
        40 => {
            r.skip(2)?;
            Action::Group(group(r.u32()?)?)
        }
        21 => dec_ttl_ids(r)?,
        23 => {
            let eth_type = tag(r, &[0x8847, 0x8848])?;
            r.skip(4)?;
            Action::PushMpls(eth_type)
        }
        24 => {
            let eth_type = r.u16()?;
            r.skip(4)?;
            Action::PopMpls(eth_type)
        }
        25 => {
            let ttl = r.u8()?;
            r.skip(5)?;
            Action::SetMplsTtl(ttl)
        }
        30 => {
            r.skip(2)?;
            let label = r.number(4)?;
            if label > 0xf_ffff {
                return Err(error::BAD_ARGUMENT);
            }
            whole(field::MPLS_LABEL, label)
        }
        31 => {
            let tc = r.number(1)?;
            r.skip(5)?;
            if tc > 7 {
                return Err(error::BAD_ARGUMENT);
            }
            whole(field::MPLS_TC, tc)
        }
        26 => {
            r.skip(6)?;
            Action::DecMplsTtl
        }
        _ => {
            r.skip(6)?;
            let controllers = Box::default();
            Action::DecNwTtl { controllers }
        }
    })
}

/// dec_ttl whose expired packets go to certain controllers.
fn dec_ttl_ids(r: &mut Reader<'_>) -> OfResult<Action> {
    let count = usize::from(r.u16()?);
    zeros(r.take(4)?, error::MUST_BE_ZERO)?;
    let ids = r.take(count * 2)?;
    r.skip(r.rest().len())?;
    if count == 0 {
        return Err(error::BAD_ACTION_LEN);
    }
    let controllers = ids.chunks(2).map(|id| number(id) as u16).collect();
    Ok(Action::DecNwTtl { controllers })
}

/// Nicira's outputs.
fn sending(subtype: u16, r: &mut Reader<'_>) -> OfResult<Action> {
    Ok(match subtype {
        15 => {
            let (start, len) = start_and_len(r.u16()?);
            let source = subfield(short_field_header(r)?, start, len)?;
            let max_len = r.u16()?;
            zeros(r.take(6)?, error::BAD_ARGUMENT)?;
            Action::OutputField { source, max_len }
        }
        32 => {
            let (start, len) = start_and_len(r.u16()?);
            let max_len = r.u16()?;
            let field = field_header(r).map_err(as_in_a_match)?;
            let source = subfield(field, start, len)?;
            padding(r)?;
            Action::OutputField { source, max_len }
        }
        39 => {
            let port = port_from_16(r.u16()?);
            let max_len = r.u32()?;
            if max_len < 14 {
                return Err(error::BAD_ARGUMENT);
            }
            let port = output_port(port)?;
            if port >= PortNo::MAX && port != PortNo::IN_PORT && port != PortNo::LOCAL {
                return Err(error::BAD_OUT_PORT);
            }
            Action::OutputTruncated { port, max_len }
        }
        20 => {
            let (max_len, controller, reason) = (r.u16()?, r.u16()?, r.u8()?);
            r.skip(1)?;
            Action::Controller(Box::new(ControllerAction {
                max_len,
                controller,
                reason,
                userdata: Box::default(),
                pause: false,
                meter: None,
            }))
        }
        _ => controller2(r)?,
    })
}

/// NXAST_CONTROLLER2: everything is a property.
fn controller2(r: &mut Reader<'_>) -> OfResult<Action> {
    zeros(r.take(6)?, error::MUST_BE_ZERO)?;
    let mut action = ControllerAction {
        max_len: 0xffff,
        controller: 0,
        reason: 1,
        userdata: Box::default(),
        pause: false,
        meter: None,
    };
    let properties = r.take(r.rest().len())?;
    for piece in Pieces::new(properties, measure_padded, error::BAD_PROPERTY_LEN) {
        let mut p = Reader::new(piece?, error::BAD_PROPERTY_LEN);
        let kind = p.u16()?;
        p.skip(2)?;
        match kind {
            0 => action.max_len = p.u16()?,
            1 => action.controller = p.u16()?,
            2 => action.reason = p.u8()?,
            3 => action.userdata = p.take(p.rest().len())?.into(),
            4 => action.pause = true,
            5 => {
                p.skip(if p.rest().len() > 4 { 4 } else { 0 })?;
                action.meter = Some(MeterId(p.u32()?));
            }
            _ => return Err(error::BAD_PROPERTY_TYPE),
        }
    }
    Ok(Action::Controller(Box::new(action)))
}

fn multipath(scope: Scope, r: &mut Reader<'_>) -> OfResult<Action> {
    let (fields, basis) = (r.u16()?, r.u16()?);
    r.skip(2)?;
    let (algorithm, max_link, argument) = (r.u16()?, r.u16()?, r.u32()?);
    r.skip(2)?;
    let (start, len) = start_and_len(r.u16()?);
    let target = target(scope, r, start, len)?;
    let links = u32::from(max_link) + 1;
    if fields > 6 || algorithm > 3 || len < 16 && links > 1 << len {
        return Err(error::BAD_ARGUMENT);
    }
    Ok(Action::Multipath(Box::new(Multipath {
        fields,
        basis,
        algorithm,
        max_link,
        argument,
        target,
    })))
}

/// Most members of a bundle action.
const MAX_MEMBERS: usize = 2048;

/// NXM_OF_IN_PORT: members are ports.
const MEMBERS_ARE_PORTS: u32 = 0x0000_0002;

fn bundle(scope: Scope, load: bool, r: &mut Reader<'_>) -> OfResult<Action> {
    let (algorithm, fields, basis) = (r.u16()?, r.u16()?, r.u16()?);
    let member_kind = r.u32()?;
    let count = usize::from(r.u16()?);
    let (start, len) = start_and_len(r.u16()?);
    let target = if load {
        let to = target(scope, r, start, len)?;
        if len < 16 {
            return Err(error::BAD_ARGUMENT);
        }
        Some(to)
    } else {
        zeros(r.take(4)?, error::BAD_ARGUMENT)?;
        if (start, len) != (0, 1) {
            return Err(error::BAD_ARGUMENT);
        }
        None
    };
    zeros(r.take(4)?, error::BAD_ARGUMENT)?;
    let known = fields <= 6 && algorithm <= 1 && member_kind == MEMBERS_ARE_PORTS;
    if !known || count > MAX_MEMBERS {
        return Err(error::BAD_ARGUMENT);
    }
    let ports = r.take(count * 2)?.chunks(2);
    let members = ports
        .map(|port| port_from_16(number(port) as u16))
        .collect();
    r.skip(r.rest().len())?;
    Ok(Action::Bundle(Box::new(Bundle {
        fields,
        basis,
        algorithm,
        members,
        target,
    })))
}

fn check_packet_larger(scope: Scope, r: &mut Reader<'_>) -> OfResult<Action> {
    let (len, start) = (r.u16()?, r.u16()?);
    let field = field_header(r).map_err(as_in_a_match)?;
    padding(r)?;
    let target = subfield(field, start, 1)?;
    writable(scope.wire, field)?;
    Ok(Action::CheckPacketLarger { len, target })
}
