//! Bytes of a message to what the tables take.
//!
//! One parser for all versions: a message's fixed part differs per version and is read by a
//! function each; matches, actions, instructions and properties are lists of pieces with one loop
//! ([`Pieces`](super::codec::Pieces)), and what a version lacks or adds is a row of a table.  The first
//! failure wins, in the order in which Open vSwitch finds them: lengths, match, instructions and
//! actions, flags, and last what needs the whole message ([`check`](super::check)).
//!
//! Promise: no input makes these functions panic, loop or allocate more than a small multiple of
//! its own length.

mod action;
mod alike;
mod flow_mod;
mod group;
mod instruction;
mod learn;
mod matching;
mod meter;
mod nicira;
mod packet_out;
mod request;
mod resume;
mod standard_match;
mod subfield;
mod table;

pub use alike::FlowMods;
pub use flow_mod::flow_mod;
pub use group::group_mod;
pub use matching::match_tlvs;
pub use meter::meter_mod;
pub use packet_out::packet_out;
pub use request::{Query, query};
pub use resume::resume;
pub use table::table_mod;

use super::Version;
use super::action::{Action, Instructions};
use super::codec::Reader;
use super::error;
use crate::error::OfResult;

/// Whose word counts where Open vSwitch and the specification disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// The specification.
    #[default]
    Spec,
    /// Open vSwitch.
    Ovs,
}

/// What decoding must know of the switch and the session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    pub compat: Compat,
    /// OpenFlow 1.0: NXT_FLOW_MOD_TABLE_ID is on, so the command's high byte is a table.
    pub flow_mod_table_id: bool,
}

/// What every decoder of a message's part needs to know.
#[derive(Clone, Copy, Debug)]
struct Wire {
    version: Version,
    compat: Compat,
}

impl Wire {
    const fn new(version: Version, context: &Context) -> Self {
        Self {
            version,
            compat: context.compat,
        }
    }
}

/// Decodes a list of actions by itself, as a paused packet's continuation holds it.
pub fn actions(version: Version, bytes: &[u8]) -> OfResult<Vec<Action>> {
    action::list(
        action::Scope::new(Wire::new(version, &Context::default()), 0),
        bytes,
    )
}

/// Decodes instructions by themselves.
pub fn instructions(version: Version, bytes: &[u8]) -> OfResult<Instructions> {
    let wire = Wire::new(version, &Context::default());
    instruction::instructions(action::Scope::new(wire, 0), bytes)
}

/// A reader of what follows a message's header; the header's length field must be right.
fn body(message: &[u8]) -> OfResult<Reader<'_>> {
    let mut reader = Reader::new(message, error::BAD_REQUEST_LEN);
    reader.skip(2)?;
    if usize::from(reader.u16()?) != message.len() {
        return Err(error::BAD_REQUEST_LEN);
    }
    reader.skip(4)?;
    Ok(reader)
}

/// The same for a message that only grows by multiples of 8 bytes.
fn aligned_body(message: &[u8]) -> OfResult<Reader<'_>> {
    if message.len() % 8 != 0 {
        return Err(error::BAD_REQUEST_LEN);
    }
    body(message)
}

/// The type of a message, for those that may also come as an experimenter's.
fn message_type(message: &[u8]) -> u8 {
    message.get(1).copied().unwrap_or(0)
}

/// OFPT_EXPERIMENTER (OFPT_VENDOR).
const EXPERIMENTER: u8 = 4;

/// Reads the head of a Nicira message that must have this subtype.
fn nicira_subtype(reader: &mut Reader<'_>, expected: u32) -> OfResult<()> {
    if reader.u32()? != error::NICIRA {
        return Err(error::BAD_EXPERIMENTER);
    }
    if reader.u32()? == expected {
        Ok(())
    } else {
        Err(error::BAD_EXP_TYPE)
    }
}

/// OFP_NO_BUFFER.
const NO_BUFFER: u32 = 0xffff_ffff;
