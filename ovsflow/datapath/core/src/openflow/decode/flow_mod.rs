//! FLOW_MOD of all versions, and NXT_FLOW_MOD.
//!
//! The fixed parts are read into one [`Head`]; what commands and flags mean in a version is said
//! once, for all of them.  Sources: OpenFlow 1.0.1 §5.3.3, 1.5.1 §7.3.4.2; Nicira's nx_flow_mod.

use super::action::{Scope, list};
use super::instruction::{from_actions, instructions};
use super::matching::{Rules, ofp_match, tlvs};
use super::{
    Context, EXPERIMENTER, NO_BUFFER, Wire, aligned_body, message_type, nicira_subtype,
    standard_match,
};
use crate::error::OfResult;
use crate::flow::field::port_from_16;
use crate::flow::slot;
use crate::openflow::action::{GroupId, Instructions, TableId};
use crate::openflow::codec::Reader;
use crate::openflow::modify::{FlowMod, FlowModCommand, Match, flow_flags};
use crate::openflow::{Version, check, error};
use crate::packet::PortNo;

/// NXT_FLOW_MOD.
const NXT_FLOW_MOD: u32 = 13;

/// OFPFF_EMERG of OpenFlow 1.0, which took the place of RESET_COUNTS.
const EMERGENCY: u16 = 4;

/// OFPTT_ALL.
const ALL_TABLES: u8 = 0xff;

/// What all forms of the message say, in their own words.
struct Head {
    matching: Match,
    /// Cookie and mask to filter by, where the form has them.
    filter: Option<(u64, u64)>,
    cookie: u64,
    command: u16,
    table: u8,
    idle_timeout: u16,
    hard_timeout: u16,
    priority: u16,
    buffer_id: u32,
    out_port: PortNo,
    out_group: u32,
    flags: u16,
    importance: u16,
}

/// Decodes a FLOW_MOD (or NXT_FLOW_MOD) and checks all that does not need the tables.
pub fn flow_mod(version: Version, message: &[u8], context: &Context) -> OfResult<FlowMod> {
    let wire = Wire::new(version, context);
    let mut reader = aligned_body(message)?;
    let mut head = match version {
        Version::Of10 if message_type(message) == EXPERIMENTER => {
            nicira_subtype(&mut reader, NXT_FLOW_MOD)?;
            head_nicira(&mut reader)?
        }
        Version::Of10 => head_10(&mut reader)?,
        _ => head_11(version, &mut reader)?,
    };
    if version == Version::Of10 {
        if context.flow_mod_table_id {
            head.table = (head.command >> 8) as u8;
            head.command &= 0xff;
        } else {
            head.table = ALL_TABLES;
        }
    } else if head.command < 3 && head.table == ALL_TABLES {
        // Only a delete may mean all tables.
        return Err(error::BAD_TABLE_ID);
    }
    let command = command(head.command)?;
    let adds = command == FlowModCommand::Add;
    let proto = head.matching.value.value(slot::IP_PROTO) as u8;
    let scope = Scope::new(wire, proto);
    let instructions = match version {
        Version::Of10 => from_actions(list(scope, reader.rest())?),
        _ => instructions(scope, reader.rest())?,
    };
    head.flags = flags(version, head.flags, adds)?;
    let flow_mod = finish(version, head, command, instructions);
    check::flow_mod(&flow_mod, version, context)?;
    Ok(flow_mod)
}

/// The fields that OpenFlow 1.0 and NXT_FLOW_MOD have in common: cookie to flags.
fn fixed_10(r: &mut Reader<'_>) -> OfResult<Head> {
    Ok(Head {
        matching: Match::default(),
        filter: None,
        cookie: r.u64()?,
        command: r.u16()?,
        table: ALL_TABLES,
        idle_timeout: r.u16()?,
        hard_timeout: r.u16()?,
        priority: r.u16()?,
        buffer_id: r.u32()?,
        out_port: port_from_16(r.u16()?),
        out_group: PortNo::ANY.0,
        flags: r.u16()?,
        importance: 0,
    })
}

fn head_10(r: &mut Reader<'_>) -> OfResult<Head> {
    let (matching, is_exact) = standard_match::of10(r)?;
    let mut head = fixed_10(r)?;
    head.matching = matching;
    if is_exact {
        head.priority = 0xffff;
    }
    Ok(head)
}

fn head_nicira(r: &mut Reader<'_>) -> OfResult<Head> {
    let mut head = fixed_10(r)?;
    let match_len = usize::from(r.u16()?);
    r.skip(6)?;
    let padded = r
        .take(match_len.next_multiple_of(8))
        .map_err(|_| error::BAD_MATCH_LEN)?;
    let rules = Rules {
        cookie: true,
        ..Rules::default()
    };
    (head.matching, head.filter) = tlvs(padded.get(..match_len).unwrap_or_default(), rules)?;
    if head.command & 0xff == 0 && head.filter.is_some() {
        return Err(error::NXM_INVALID);
    }
    Ok(head)
}

fn head_11(version: Version, r: &mut Reader<'_>) -> OfResult<Head> {
    let cookie = r.u64()?;
    let cookie_mask = r.u64()?;
    let table = r.u8()?;
    let mut head = Head {
        matching: Match::default(),
        filter: Some((cookie, cookie_mask)),
        cookie,
        command: u16::from(r.u8()?),
        table,
        idle_timeout: r.u16()?,
        hard_timeout: r.u16()?,
        priority: r.u16()?,
        buffer_id: r.u32()?,
        out_port: PortNo(r.u32()?),
        out_group: r.u32()?,
        flags: r.u16()?,
        importance: r.u16()?,
    };
    if version < Version::Of14 {
        head.importance = 0;
    }
    head.matching = ofp_match(r, Rules::default())?;
    if (0xff00..0xffff_ff00).contains(&head.out_port.0) {
        return Err(error::BAD_OUT_PORT);
    }
    Ok(head)
}

fn command(number: u16) -> OfResult<FlowModCommand> {
    Ok(match number {
        0 => FlowModCommand::Add,
        1 => FlowModCommand::Modify,
        2 => FlowModCommand::ModifyStrict,
        3 => FlowModCommand::Delete,
        4 => FlowModCommand::DeleteStrict,
        _ => return Err(error::BAD_FLOW_COMMAND),
    })
}

/// What the head means in this version.
fn finish(
    version: Version,
    head: Head,
    command: FlowModCommand,
    instructions: Instructions,
) -> FlowMod {
    let adds = command == FlowModCommand::Add;
    let deletes = matches!(
        command,
        FlowModCommand::Delete | FlowModCommand::DeleteStrict
    );
    let old = version == Version::Of10;
    let (cookie, cookie_mask) = match head.filter {
        _ if adds => (head.cookie, 0),
        Some((cookie, mask)) => (cookie & mask, mask),
        None => (head.cookie, 0),
    };
    let table = if adds && old && head.table == ALL_TABLES {
        0
    } else {
        head.table
    };
    FlowMod {
        command,
        table: TableId(table),
        priority: head.priority,
        matching: head.matching,
        cookie,
        cookie_mask,
        new_cookie: Some(head.cookie).filter(|&c| old && !adds && c != u64::MAX),
        modify_adds: old && cookie_mask == 0,
        idle_timeout: head.idle_timeout,
        hard_timeout: head.hard_timeout,
        importance: head.importance,
        flags: head.flags,
        out_port: if deletes { head.out_port } else { PortNo::ANY },
        out_group: Some(GroupId(head.out_group)).filter(|g| deletes && g.0 != PortNo::ANY.0),
        buffer_id: if deletes { NO_BUFFER } else { head.buffer_id },
        instructions,
    }
}

/// Flags in the one set of [`flow_flags`]; OpenFlow 1.0 always resets counters on ADD.
fn flags(version: Version, flags: u16, adds: bool) -> OfResult<u16> {
    if version != Version::Of10 {
        return if flags & !flow_flags::ALL == 0 {
            Ok(flags)
        } else {
            Err(error::BAD_FLOW_FLAGS)
        };
    }
    if flags & !7 != 0 {
        return Err(error::BAD_FLOW_FLAGS);
    }
    if flags & EMERGENCY != 0 {
        return Err(error::TABLE_FULL);
    }
    Ok(if adds {
        flags | flow_flags::RESET_COUNTS
    } else {
        flags
    })
}
