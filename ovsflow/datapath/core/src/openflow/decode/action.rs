//! Lists of actions, and the specification's own actions.
//!
//! A row of [`OF10`] or [`OF11`] says what a type number means; a version that spells one thing twice
//! (mod_nw_src and set_field of ip_src) gets the general form.  Nicira's and ONF's actions are in
//! [`nicira`](super::nicira).  Sources: OpenFlow 1.0.1 §5.2.4, 1.5.1 §7.2.6.

use super::matching::{Tlv, header_len, is_legal, measure_tlv};
use super::nicira;
use super::subfield::{field_header, subfield, writable, zeros};
use super::{Compat, Wire};
use crate::error::OfResult;
use crate::flow::FieldId;
use crate::flow::field::{self, field, port_from_16};
use crate::openflow::Version;
use crate::openflow::action::{Action, FieldValue, GroupId, MeterId};
use crate::openflow::codec::{Pieces, Reader, measure_aligned};
use crate::openflow::error;
use crate::packet::PortNo;

/// Deepest nesting of clone().
pub(super) const MAX_NESTING: u8 = 16;

/// Greatest group number (OFPG_MAX).
pub(super) const MAX_GROUP: u32 = 0xffff_ff00;

/// What a type number of an action means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standard {
    Unknown,
    Output,
    /// OpenFlow 1.0's set_vlan_vid and set_vlan_pcp, which push a tag if there is none.
    AddVlanVid,
    AddVlanPcp,
    /// set_vlan_vid, set_vlan_pcp of OpenFlow 1.1, which do not.
    VlanVid,
    VlanPcp,
    PopVlan,
    Mac(FieldId),
    Ip(FieldId),
    Tos,
    Ecn,
    TransportSrc,
    TransportDst,
    Enqueue,
    CopyTtlOut,
    CopyTtlIn,
    MplsLabel,
    MplsTc,
    MplsTtl,
    DecMplsTtl,
    PushVlan,
    PushMpls,
    PopMpls,
    SetQueue,
    Group,
    SetNwTtl,
    DecNwTtl,
    SetField,
    PushPbb,
    PopPbb,
    CopyField,
    Meter,
}

use Standard as S;

/// OFPAT_* of OpenFlow 1.0, by number.
const OF10: [Standard; 12] = [
    S::Output,
    S::AddVlanVid,
    S::AddVlanPcp,
    S::PopVlan,
    S::Mac(field::ETH_SRC),
    S::Mac(field::ETH_DST),
    S::Ip(field::IP_SRC),
    S::Ip(field::IP_DST),
    S::Tos,
    S::TransportSrc,
    S::TransportDst,
    S::Enqueue,
];

/// OFPAT_* of OpenFlow 1.1 and later, by number; the last two are OpenFlow 1.5's.
const OF11: [Standard; 30] = [
    S::Output,
    S::VlanVid,
    S::VlanPcp,
    S::Mac(field::ETH_SRC),
    S::Mac(field::ETH_DST),
    S::Ip(field::IP_SRC),
    S::Ip(field::IP_DST),
    S::Tos,
    S::Ecn,
    S::TransportSrc,
    S::TransportDst,
    S::CopyTtlOut,
    S::CopyTtlIn,
    S::MplsLabel,
    S::MplsTc,
    S::MplsTtl,
    S::DecMplsTtl,
    S::PushVlan,
    S::PopVlan,
    S::PushMpls,
    S::PopMpls,
    S::SetQueue,
    S::Group,
    S::SetNwTtl,
    S::DecNwTtl,
    S::SetField,
    S::PushPbb,
    S::PopPbb,
    S::CopyField,
    S::Meter,
];

/// OFPAT_EXPERIMENTER (OFPAT_VENDOR).
const EXPERIMENTER: u16 = 0xffff;

/// What decoding a list needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) wire: Wire,
    /// ip_proto of the match, 0 if it says nothing: which ports mod_tp_src means.
    pub(super) proto: u8,
    /// How many clone() there are around.
    pub(super) nesting: u8,
}

impl Scope {
    pub(super) const fn new(wire: Wire, proto: u8) -> Self {
        Self {
            wire,
            proto,
            nesting: 0,
        }
    }
}

/// Decodes a list of actions.
pub(super) fn list(scope: Scope, bytes: &[u8]) -> OfResult<Vec<Action>> {
    if scope.nesting > MAX_NESTING {
        return Err(error::TOO_MANY_ACTIONS);
    }
    let mut actions = Vec::with_capacity(bytes.len() / 16);
    for piece in Pieces::new(bytes, measure_aligned, error::BAD_ACTION_LEN) {
        one(scope, piece?, &mut actions)?;
    }
    Ok(actions)
}

/// Decodes one action; a few become more than one, or none.
fn one(scope: Scope, piece: &[u8], out: &mut Vec<Action>) -> OfResult<()> {
    let mut reader = Reader::new(piece, error::BAD_ACTION_LEN);
    let kind = reader.u16()?;
    reader.skip(2)?;
    if kind == EXPERIMENTER {
        return nicira::action(scope, piece, out);
    }
    let meaning = meaning(scope.wire, kind);
    match meaning {
        S::TransportSrc | S::TransportDst => {
            let port = u128::from(reader.u16()?);
            reader.skip(2)?;
            transport(scope.proto, meaning == S::TransportSrc, port, out);
        }
        S::SetField => out.push(set_field(scope.wire, &mut reader)?),
        S::CopyField => out.push(copy_field(scope.wire, &mut reader)?),
        S::Output | S::Enqueue | S::Group | S::SetQueue | S::Meter => {
            out.push(sending(scope.wire, meaning, &mut reader)?);
        }
        S::Mac(_) | S::Ip(_) | S::Tos | S::Ecn | S::VlanVid | S::VlanPcp => {
            out.push(legacy_field(meaning, &mut reader)?);
        }
        _ => out.push(header_change(meaning, &mut reader)?),
    }
    reader.finish()
}

/// The meaning of a type in this version.
fn meaning(wire: Wire, kind: u16) -> Standard {
    let kind = usize::from(kind);
    let meaning = match wire.version {
        Version::Of10 => OF10.get(kind),
        Version::Of13 | Version::Of14 => OF11[..28].get(kind),
        Version::Of15 => OF11.get(kind),
    };
    match meaning {
        Some(S::CopyTtlIn | S::CopyTtlOut | S::PushPbb | S::PopPbb)
            if wire.compat == Compat::Ovs =>
        {
            S::Unknown
        }
        Some(&meaning) => meaning,
        None => S::Unknown,
    }
}

/// Output and its relatives.
fn sending(wire: Wire, meaning: Standard, reader: &mut Reader<'_>) -> OfResult<Action> {
    Ok(match meaning {
        S::Output if wire.version == Version::Of10 => Action::Output {
            port: output_port(port_from_16(reader.u16()?))?,
            max_len: reader.u16()?,
        },
        S::Output => {
            let port = output_port(PortNo(reader.u32()?))?;
            let max_len = reader.u16()?;
            reader.skip(6)?;
            Action::Output { port, max_len }
        }
        S::Enqueue => {
            let port = port_from_16(reader.u16()?);
            reader.skip(6)?;
            if port >= PortNo::MAX && port != PortNo::IN_PORT && port != PortNo::LOCAL {
                return Err(error::BAD_OUT_PORT);
            }
            let queue = reader.u32()?;
            Action::Enqueue { port, queue }
        }
        S::Group => Action::Group(group(reader.u32()?)?),
        S::Meter => Action::Meter(MeterId(reader.u32()?)),
        _ => Action::SetQueue(reader.u32()?),
    })
}

/// A group that an action may name.
pub(super) const fn group(number: u32) -> OfResult<GroupId> {
    if number > MAX_GROUP {
        return Err(error::BAD_OUT_GROUP);
    }
    Ok(GroupId(number))
}

/// A port that an output may name.
pub(super) fn output_port(port: PortNo) -> OfResult<PortNo> {
    let reserved = PortNo::IN_PORT..=PortNo::LOCAL;
    if port < PortNo::MAX || reserved.contains(&port) {
        Ok(port)
    } else {
        Err(error::BAD_OUT_PORT)
    }
}

/// A whole field, as an action.
pub(super) fn whole(id: FieldId, value: u128) -> Action {
    Action::SetField(FieldValue {
        field: id,
        value,
        mask: field(id).legal,
    })
}

/// mod_tp_src or mod_tp_dst: where the match leaves the protocol open, one action for each.
fn transport(proto: u8, is_source: bool, port: u128, out: &mut Vec<Action>) {
    let pairs = [
        (6, field::TCP_SRC, field::TCP_DST),
        (17, field::UDP_SRC, field::UDP_DST),
        (132, field::SCTP_SRC, field::SCTP_DST),
    ];
    for (of, source, target) in pairs {
        if proto == of || !matches!(proto, 6 | 17 | 132) {
            out.push(whole(if is_source { source } else { target }, port));
        }
    }
}

/// The set actions of OpenFlow 1.0 and 1.1, each for a field.
fn legacy_field(meaning: Standard, reader: &mut Reader<'_>) -> OfResult<Action> {
    let (id, value, pad) = match meaning {
        S::Mac(id) => (id, reader.number(6)?, 6),
        S::Ip(id) => (id, reader.number(4)?, 0),
        S::VlanVid => (field::VLAN_VID, 0x1000 | below(0x1000, reader.u16()?)?, 2),
        S::VlanPcp => (field::VLAN_PCP, below(8, reader.u8()?)?, 3),
        S::Tos => {
            let tos = reader.number(1)?;
            if tos & 3 != 0 {
                return Err(error::BAD_ARGUMENT);
            }
            (field::IP_DSCP, tos >> 2, 3)
        }
        _ => (field::NW_ECN, below(4, reader.u8()?)?, 3),
    };
    reader.skip(pad)?;
    Ok(whole(id, value))
}

/// `value`, which must be less than `limit`.
fn below<T: Into<u128>>(limit: u128, value: T) -> OfResult<u128> {
    let value = value.into();
    if value < limit {
        Ok(value)
    } else {
        Err(error::BAD_ARGUMENT)
    }
}

/// Actions on tags, labels and TTLs.
fn header_change(meaning: Standard, reader: &mut Reader<'_>) -> OfResult<Action> {
    let (action, pad) = match meaning {
        S::AddVlanVid => (Action::SetVlanVid(below(0x1000, reader.u16()?)? as u16), 2),
        S::AddVlanPcp => (Action::SetVlanPcp(below(8, reader.u8()?)? as u8), 3),
        S::PopVlan => (Action::PopVlan, 4),
        S::CopyTtlOut => (Action::CopyTtlOut, 4),
        S::CopyTtlIn => (Action::CopyTtlIn, 4),
        S::MplsLabel => {
            let label = below(1 << 20, reader.u32()?)?;
            (whole(field::MPLS_LABEL, label), 0)
        }
        S::MplsTc => (whole(field::MPLS_TC, below(8, reader.u8()?)?), 3),
        S::MplsTtl => (Action::SetMplsTtl(reader.u8()?), 3),
        S::DecMplsTtl => (Action::DecMplsTtl, 4),
        S::PushVlan => (Action::PushVlan(tag(reader, &[0x8100, 0x88a8])?), 2),
        S::PushMpls => (Action::PushMpls(tag(reader, &[0x8847, 0x8848])?), 2),
        S::PushPbb => (Action::PushPbb(tag(reader, &[0x88e7])?), 2),
        S::PopMpls => (Action::PopMpls(reader.u16()?), 2),
        S::PopPbb => (Action::PopPbb, 4),
        S::SetNwTtl => (Action::SetNwTtl(reader.u8()?), 3),
        S::DecNwTtl => {
            let controllers = Box::default();
            (Action::DecNwTtl { controllers }, 4)
        }
        _ => return Err(error::BAD_ACTION_TYPE),
    };
    reader.skip(pad)?;
    Ok(action)
}

/// An EtherType that must be one of `allowed`.
pub(super) fn tag(reader: &mut Reader<'_>, allowed: &[u16]) -> OfResult<u16> {
    let eth_type = reader.u16()?;
    if allowed.contains(&eth_type) {
        Ok(eth_type)
    } else {
        Err(error::BAD_ARGUMENT)
    }
}

/// OFPAT_SET_FIELD: one TLV and padding.
fn set_field(wire: Wire, reader: &mut Reader<'_>) -> OfResult<Action> {
    let bytes = reader.rest();
    let (len, _) = measure_tlv(bytes).ok_or(error::BAD_SET_LEN)?;
    let tlv = reader.take(len).map_err(|_| error::BAD_SET_LEN)?;
    if reader.rest().len() >= 8 {
        return Err(error::BAD_SET_LEN);
    }
    let value = field_value(wire, tlv, wire.version == Version::Of15)?;
    zeros(reader.rest(), error::BAD_SET_ARGUMENT)?;
    reader.skip(reader.rest().len())?;
    if value.field == field::IN_PORT_OXM {
        return Err(error::BAD_SET_ARGUMENT);
    }
    Ok(Action::SetField(value))
}

/// A TLV that says what to write.
pub(super) fn field_value(wire: Wire, tlv: &[u8], may_mask: bool) -> OfResult<FieldValue> {
    if tlv.len() < header_len(tlv) {
        return Err(error::BAD_SET_LEN);
    }
    let tlv = Tlv::decode(tlv)?;
    let entry = tlv.entry().map_err(|e| match e {
        error::BAD_FIELD if field::by_code_point(tlv.header).is_some() => error::BAD_SET_LEN,
        error::BAD_FIELD if wire.compat == Compat::Ovs => error::BAD_SET_LEN,
        error::BAD_FIELD => error::BAD_SET_TYPE,
        // Only ct(exec()) could write these.
        error::NO_CONNTRACK_FIELD => error::BAD_SET_ARGUMENT,
        other => other,
    })?;
    if tlv.masked && !may_mask {
        return Err(error::BAD_SET_MASK);
    }
    writable(wire, entry.field)?;
    let mask = entry.mask & entry.field.legal;
    let present = field::VLAN_PRESENT;
    let lacks_tag = entry.field.id == field::VLAN_VID && mask & present != 0;
    if !is_legal(entry.field, entry.value) || lacks_tag && entry.value & present == 0 {
        return Err(error::BAD_SET_ARGUMENT);
    }
    Ok(FieldValue {
        field: entry.field.id,
        value: entry.value,
        mask,
    })
}

/// OFPAT_COPY_FIELD from its n_bits on; also the body of ONF's form of it.
pub(super) fn copy_field(wire: Wire, reader: &mut Reader<'_>) -> OfResult<Action> {
    let bits = reader.u16()?;
    let source_start = reader.u16()?;
    let target_start = reader.u16()?;
    reader.skip(2)?;
    let source = field_header(reader)?;
    let target = field_header(reader)?;
    if reader.rest().len() >= 8 {
        return Err(error::BAD_ACTION_LEN);
    }
    reader.skip(reader.rest().len())?;
    let source = subfield(source, source_start, bits)?;
    let to = subfield(target, target_start, bits)?;
    writable(wire, target)?;
    Ok(Action::Move { source, target: to })
}
