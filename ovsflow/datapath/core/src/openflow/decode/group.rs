//! GROUP_MOD: the form of OpenFlow 1.1 to 1.4, and that of 1.5 (also NXT_GROUP_MOD on 1.0).
//!
//! Sources: OpenFlow 1.3.5 §7.3.4.3, 1.5.1 §7.3.4.3; Netronome's selection_method property.

use super::action::{MAX_GROUP, Scope, list};
use super::matching::{Tlv, measure_tlv};
use super::{Context, EXPERIMENTER, Wire, aligned_body, message_type, nicira_subtype};
use crate::error::OfResult;
use crate::openflow::Version;
use crate::openflow::action::GroupId;
use crate::openflow::codec::{Pieces, Reader, measure_length_first, measure_padded};
use crate::openflow::error;
use crate::openflow::modify::{Bucket, GroupKind, GroupMod, GroupModCommand, Selection};
use crate::packet::PortNo;

/// NXT_GROUP_MOD.
const NXT_GROUP_MOD: u32 = 31;
/// OFPG_ALL.
const ALL_GROUPS: u32 = 0xffff_fffc;
/// OFPG_ANY, for a bucket that watches no group.
const ANY_GROUP: u32 = 0xffff_ffff;
/// OFPG_BUCKET_ALL.
const ALL_BUCKETS: u32 = 0xffff_ffff;
/// Greatest ordinary bucket id (OFPG_BUCKET_MAX).
const MAX_BUCKET: u32 = 0xffff_ff00;
/// Netronome's experimenter identifier and the type of its one group property.
const NETRONOME: u32 = 0x0000_154d;
const SELECTION_METHOD: u32 = 1;

/// Decodes a GROUP_MOD and checks all that does not need the tables.
pub fn group_mod(version: Version, message: &[u8], context: &Context) -> OfResult<GroupMod> {
    let wire = Wire::new(version, context);
    let mut r = aligned_body(message)?;
    if version == Version::Of10 {
        if message_type(message) != EXPERIMENTER {
            return Err(error::BAD_REQUEST_TYPE);
        }
        nicira_subtype(&mut r, NXT_GROUP_MOD)?;
    }
    let new_form = matches!(version, Version::Of10 | Version::Of15);
    let command = command(r.u16()?, new_form)?;
    let kind = match r.u8()? {
        0 => GroupKind::All,
        1 => GroupKind::Select,
        2 => GroupKind::Indirect,
        3 => GroupKind::FastFailover,
        _ => return Err(error::BAD_GROUP_TYPE),
    };
    r.skip(1)?;
    let mut group_mod = GroupMod {
        command,
        kind,
        group: GroupId(r.u32()?),
        command_bucket: ALL_BUCKETS,
        buckets: Vec::new(),
        selection: Selection::default(),
    };
    if new_form {
        body_15(wire, &mut r, &mut group_mod)?;
    } else {
        for piece in Pieces::new(r.rest(), measure_length_first, error::BAD_BUCKET) {
            let id = group_mod.buckets.len() as u32;
            group_mod.buckets.push(bucket_11(wire, piece?, id)?);
        }
    }
    check(&group_mod)?;
    Ok(group_mod)
}

fn command(number: u16, new_form: bool) -> OfResult<GroupModCommand> {
    Ok(match number {
        0 => GroupModCommand::Add,
        1 => GroupModCommand::Modify,
        2 => GroupModCommand::Delete,
        3 if new_form => GroupModCommand::InsertBucket,
        5 if new_form => GroupModCommand::RemoveBucket,
        0x8000 => GroupModCommand::AddOrModify,
        _ => return Err(error::BAD_GROUP_COMMAND),
    })
}

fn bucket_11(wire: Wire, piece: &[u8], id: u32) -> OfResult<Bucket> {
    let mut r = Reader::new(piece, error::BAD_BUCKET);
    r.skip(2)?;
    let weight = r.u16()?;
    let watch_port = PortNo(r.u32()?);
    let watch_group = watched_group(r.u32()?);
    r.skip(4)?;
    Ok(Bucket {
        id,
        weight,
        watch_port,
        watch_group,
        actions: list(Scope::new(wire, 0), r.rest())?.into(),
    })
}

fn watched_group(number: u32) -> Option<GroupId> {
    Some(GroupId(number)).filter(|group| group.0 != ANY_GROUP)
}

fn body_15(wire: Wire, r: &mut Reader<'_>, group_mod: &mut GroupMod) -> OfResult<()> {
    let buckets_len = usize::from(r.u16()?);
    r.skip(2)?;
    group_mod.command_bucket = r.u32()?;
    let buckets = r.take(buckets_len).map_err(|_| error::BAD_BUCKET)?;
    for piece in Pieces::new(buckets, measure_length_first, error::BAD_BUCKET) {
        group_mod
            .buckets
            .push(bucket_15(wire, piece?, group_mod.kind)?);
    }
    for piece in Pieces::new(r.rest(), measure_padded, error::BAD_PROPERTY_LEN) {
        let mut p = Reader::new(piece?, error::BAD_PROPERTY_LEN);
        let kind = p.u16()?;
        p.skip(2)?;
        if kind != 0xffff {
            return Err(error::BAD_PROPERTY_TYPE);
        }
        group_mod.selection = selection(&mut p)?;
    }
    Ok(())
}

fn bucket_15(wire: Wire, piece: &[u8], kind: GroupKind) -> OfResult<Bucket> {
    let mut r = Reader::new(piece, error::BAD_BUCKET);
    r.skip(2)?;
    let actions_len = usize::from(r.u16()?);
    let id = r.u32()?;
    let actions = r.take(actions_len)?;
    let mut bucket = Bucket {
        id,
        weight: u16::from(kind == GroupKind::Select),
        watch_port: PortNo::ANY,
        watch_group: None,
        actions: list(Scope::new(wire, 0), actions)?.into(),
    };
    for piece in Pieces::new(r.rest(), measure_padded, error::BAD_PROPERTY_LEN) {
        let mut p = Reader::new(piece?, error::BAD_PROPERTY_LEN);
        let kind = p.u16()?;
        p.skip(2)?;
        match kind {
            0 => bucket.weight = p.u16()?,
            1 => bucket.watch_port = PortNo(p.u32()?),
            2 => bucket.watch_group = watched_group(p.u32()?),
            _ => return Err(error::BAD_PROPERTY_TYPE),
        }
    }
    Ok(bucket)
}

/// The selection_method property.
fn selection(p: &mut Reader<'_>) -> OfResult<Selection> {
    if p.u32()? != NETRONOME {
        return Err(crate::error::OfError::new(14, 5));
    }
    if p.u32()? != SELECTION_METHOD {
        return Err(crate::error::OfError::new(14, 6));
    }
    p.skip(4)?;
    let name = p.take(16)?;
    let len = name.iter().position(|&byte| byte == 0).unwrap_or(16);
    let method = String::from_utf8_lossy(name.get(..len).unwrap_or_default()).into_owned();
    let parameter = p.u64()?;
    // A field's value is a mask of what is read of it; whole bytes of ones stand for all of it.
    let mut fields = Vec::new();
    for piece in Pieces::new(p.rest(), measure_tlv, error::BAD_MATCH_LEN) {
        let entry = Tlv::decode(piece?)?.entry()?;
        fields.push((entry.field.id, entry.value & entry.field.legal));
    }
    let known = matches!(method.as_str(), "" | "hash" | "dp_hash");
    if !known || (method != "hash" && !fields.is_empty()) {
        return Err(crate::error::OfError::new(13, 4));
    }
    Ok(Selection {
        method,
        parameter,
        fields,
    })
}

/// What a group's kind asks of its buckets.
fn check(group_mod: &GroupMod) -> OfResult<()> {
    use GroupModCommand as C;
    let deletes = group_mod.command == C::Delete;
    if group_mod.group.0 > MAX_GROUP && !(deletes && group_mod.group.0 == ALL_GROUPS) {
        return Err(error::INVALID_GROUP);
    }
    match group_mod.command {
        C::Delete => return Ok(()),
        C::RemoveBucket if !group_mod.buckets.is_empty() => return Err(error::BAD_BUCKET),
        C::RemoveBucket => return Ok(()),
        C::InsertBucket if group_mod.command_bucket == ALL_BUCKETS => {
            return Err(error::BAD_BUCKET);
        }
        _ => {}
    }
    let buckets = &group_mod.buckets;
    let mut ids: Vec<u32> = buckets.iter().map(|bucket| bucket.id).collect();
    ids.sort_unstable();
    if ids.last().is_some_and(|&id| id > MAX_BUCKET) {
        return Err(error::BAD_BUCKET);
    }
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(error::BUCKET_EXISTS);
    }
    let unwatched = |b: &Bucket| b.watch_port == PortNo::ANY && b.watch_group.is_none();
    let wrong = match group_mod.kind {
        GroupKind::Select => false,
        GroupKind::Indirect => {
            let replaced = group_mod.command != C::InsertBucket;
            buckets.iter().any(|b| b.weight > 0) || replaced && buckets.len() != 1
        }
        GroupKind::All => buckets.iter().any(|b| b.weight > 0),
        GroupKind::FastFailover => buckets.iter().any(|b| unwatched(b) || b.weight > 0),
    };
    if wrong {
        Err(error::INVALID_GROUP)
    } else {
        Ok(())
    }
}
