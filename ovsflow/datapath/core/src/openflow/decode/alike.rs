//! FLOW_MODs of which most are like one before: the same message but for a few values.
//!
//! **Idea.**  A controller sends thousands of FLOW_MODs that differ in an address here and a tunnel
//! there.  Once one has been decoded, its bytes are a *pattern* with *holes* where such values stand.  A
//! message that has the same bytes outside of the holes is decoded by writing its values into what
//! the pattern became: no list is read, checked or allocated again.
//!
//! A hole is the value of a field on which nothing else in a message depends: no prerequisite, no
//! check, no form of an action.  What a value by itself may be is checked for each.  So the result,
//! or the error, is that of [`flow_mod`](super::flow_mod()) for the same bytes: whatever is not alike, or
//! not plainly right, goes there.

use super::action::{Scope, list};
use super::matching::{Entry, Tlv, measure_tlv};
use super::{Context, Wire, flow_mod, message_type};
use crate::error::OfResult;
use crate::flow::field::{self, Field, Format};
use crate::flow::{Slot, slot};
use crate::openflow::action::{Action, Instructions};
use crate::openflow::codec::{Pieces, measure_aligned, number};
use crate::openflow::modify::{FlowMod, FlowModCommand};
use crate::openflow::{Version, error};

/// Patterns that are kept: flows of a few kinds, and their deletion.
const MAX_PATTERNS: usize = 4;

/// OFPT_FLOW_MOD, OFPMT_OXM, OFPIT_APPLY_ACTIONS and OFPAT_SET_FIELD.
const FLOW_MOD: u8 = 14;
const OXM: u16 = 1;
const APPLY_ACTIONS: u16 = 4;
const SET_FIELD: u16 = 25;

/// Where things stand in a message.  Source: OpenFlow 1.3.5 §7.3.4.1.
const XID: usize = 4;
const COOKIE: usize = 8;
const PRIORITY: usize = 30;
const MATCH: usize = 48;

/// Decodes FLOW_MODs of one session, one after the other.
#[derive(Debug)]
pub struct FlowMods<'a> {
    version: Version,
    context: &'a Context,
    patterns: Vec<Pattern>,
    /// The last message that was decoded in full.
    last: Option<FlowMod>,
    last_len: usize,
}

/// A message that was decoded, and what others may differ in.
#[derive(Debug)]
struct Pattern {
    bytes: Vec<u8>,
    /// Ones where a message must have the same bits.
    fixed: Vec<u8>,
    holes: Vec<Hole>,
    decoded: FlowMod,
}

/// A value in a message.
#[derive(Clone, Copy, Debug)]
struct Hole {
    at: usize,
    len: usize,
    /// The bits that it may have.
    allowed: u128,
    place: Place,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
enum Place {
    Match(Slot),
    /// The set_field of this number among the actions to apply.
    Apply(usize),
}

impl<'a> FlowMods<'a> {
    /// A decoder that knows no message yet.
    pub const fn new(version: Version, context: &'a Context) -> Self {
        Self {
            version,
            context,
            patterns: Vec::new(),
            last: None,
            last_len: 0,
        }
    }

    /// Decodes a FLOW_MOD (or NXT_FLOW_MOD) and checks all that does not need the tables.
    ///
    /// # Errors
    ///
    /// As for [`flow_mod`](super::flow_mod()).
    pub fn decode(&mut self, message: &[u8]) -> OfResult<&FlowMod> {
        let alike = self.patterns.iter_mut().position(|one| one.take(message));
        if let Some(index) = alike {
            return Ok(&self.patterns[index].decoded);
        }
        let decoded = flow_mod(self.version, message, self.context)?;
        // One message of its length is no reason to expect more.
        let is_worth_it = self.patterns.len() < MAX_PATTERNS && message.len() == self.last_len;
        self.last_len = message.len();
        let decoded = self.last.insert(decoded);
        if is_worth_it && self.version > Version::Of10 {
            let wire = Wire::new(self.version, self.context);
            self.patterns.extend(Pattern::new(wire, message, decoded));
        }
        Ok(decoded)
    }
}

impl Pattern {
    /// The pattern of a message that was decoded; `None` if it is no plain one.
    fn new(wire: Wire, message: &[u8], decoded: &FlowMod) -> Option<Self> {
        let Instructions { apply, write, .. } = &decoded.instructions;
        // What is learned may depend on any value of the match.
        let learns = |action: &Action| matches!(action, Action::Learn(_) | Action::Clone(_));
        if message_type(message) != FLOW_MOD || apply.iter().chain(write).any(learns) {
            return None;
        }
        let mut pattern = Self {
            bytes: message.to_vec(),
            fixed: vec![0xff; message.len()],
            holes: Vec::new(),
            decoded: decoded.clone(),
        };
        pattern.open(XID, 4);
        pattern.open(PRIORITY, 2);
        if decoded.command == FlowModCommand::Add {
            pattern.open(COOKIE, 8);
        }
        let (kind, len) = head_at(message, MATCH)?;
        if kind != OXM {
            return None;
        }
        pattern.find_in_match(message.get(MATCH + 4..MATCH + len)?)?;
        pattern.find_in_instructions(wire, message, MATCH + len.next_multiple_of(8))?;
        Some(pattern)
    }

    fn find_in_match(&mut self, tlvs: &[u8]) -> Option<()> {
        let mut at = MATCH + 4;
        for piece in Pieces::new(tlvs, measure_tlv, error::BAD_MATCH_LEN) {
            let piece = piece.ok()?;
            let tlv = Tlv::decode(piece).ok()?;
            let entry = tlv.entry().ok()?;
            if is_free(entry.field) {
                let value_at = at + piece.len() - tlv.payload.len();
                self.add_hole(value_at, &entry, Place::Match(entry.field.slot));
            }
            at += piece.len();
        }
        Some(())
    }

    fn find_in_instructions(&mut self, wire: Wire, message: &[u8], mut at: usize) -> Option<()> {
        let bytes = message.get(at..)?;
        for piece in Pieces::new(bytes, measure_aligned, error::BAD_INSTRUCTION_LEN) {
            let piece = piece.ok()?;
            if head_at(piece, 0)?.0 == APPLY_ACTIONS {
                self.find_in_actions(wire, piece.get(8..)?, at + 8)?;
            }
            at += piece.len();
        }
        Some(())
    }

    fn find_in_actions(&mut self, wire: Wire, actions: &[u8], mut at: usize) -> Option<()> {
        let proto = self.decoded.matching.value.value(slot::IP_PROTO) as u8;
        let mut index = 0;
        for piece in Pieces::new(actions, measure_aligned, error::BAD_ACTION_LEN) {
            let piece = piece.ok()?;
            // Some actions on the wire become more than one, or none.
            let made = list(Scope::new(wire, proto), piece).ok()?;
            if head_at(piece, 0)?.0 == SET_FIELD {
                let tlv = piece.get(4..)?;
                let (len, _) = measure_tlv(tlv)?;
                let tlv = Tlv::decode(tlv.get(..len)?).ok()?;
                let entry = tlv.entry().ok()?;
                if is_free(entry.field) && !tlv.masked {
                    let value_at = at + 4 + len - tlv.payload.len();
                    self.add_hole(value_at, &entry, Place::Apply(index));
                }
            }
            index += made.len();
            at += piece.len();
        }
        Some(())
    }

    fn add_hole(&mut self, at: usize, entry: &Entry, place: Place) {
        let len = usize::from(entry.field.wire_bytes);
        self.open(at, len);
        self.holes.push(Hole {
            at,
            len,
            allowed: entry.mask & entry.field.legal,
            place,
        });
    }

    /// Lets messages differ in some bytes.
    fn open(&mut self, at: usize, len: usize) {
        if let Some(fixed) = self.fixed.get_mut(at..at + len) {
            fixed.fill(0);
        }
    }

    /// Decodes a message if it is alike, and all its values are right.
    fn take(&mut self, message: &[u8]) -> bool {
        if message.len() != self.bytes.len() {
            return false;
        }
        let pairs = message.iter().zip(&self.bytes).zip(&self.fixed);
        if pairs.fold(0, |differs, ((a, b), fixed)| differs | (a ^ b) & fixed) != 0 {
            return false;
        }
        let all = &mut self.decoded;
        for hole in &self.holes {
            let value = number(message.get(hole.at..hole.at + hole.len).unwrap_or_default());
            if value & !hole.allowed != 0 {
                return false;
            }
            match hole.place {
                Place::Match(slot) => all.matching.value.set_masked(slot, value, hole.allowed),
                Place::Apply(index) => {
                    if let Some(Action::SetField(write)) = all.instructions.apply.get_mut(index) {
                        write.value = value;
                    }
                }
            }
        }
        if all.command == FlowModCommand::Add {
            all.cookie = number(message.get(COOKIE..COOKIE + 8).unwrap_or_default()) as u64;
        }
        all.priority = number(message.get(PRIORITY..PRIORITY + 2).unwrap_or_default()) as u16;
        true
    }
}

/// Whether nothing in a message depends on the value of a field.
fn is_free(field: &Field) -> bool {
    let by_format = matches!(field.format, Format::Ethernet | Format::Ipv4 | Format::Ipv6);
    by_format
        || matches!(
            field.id,
            field::METADATA
                | field::TUN_ID
                | field::TCP_SRC
                | field::TCP_DST
                | field::UDP_SRC
                | field::UDP_DST
        )
}

/// The type and the length with which a part of a message begins.
fn head_at(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    let &[a, b, c, d] = bytes.get(at..)?.first_chunk::<4>()?;
    let len = u16::from_be_bytes([c, d]);
    Some((u16::from_be_bytes([a, b]), usize::from(len)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openflow::tests::{OVS, SPEC, VERSIONS, damage};

    #[test]
    fn test_a_message_means_the_same_whatever_came_before() {
        let seeds = damage::seeds();
        let mut numbers = damage::Numbers(0x1234_5678_9abc_def1);
        let mut alike = 0;
        for round in 0..20_000 {
            let seed = &seeds[numbers.below(seeds.len())];
            let (version, context) = (
                VERSIONS[numbers.below(VERSIONS.len())],
                [&SPEC, &OVS][round % 2],
            );
            let mut seed = seed.clone();
            seed[0] = version as u8;
            let mut decoder = FlowMods::new(version, context);
            for step in 0..16 {
                let mut message = seed.clone();
                for _ in 0..if step < 2 { 0 } else { numbers.below(4) } {
                    let at = numbers.below(message.len());
                    message[at] = numbers.below(256) as u8;
                }
                let expected = flow_mod(version, &message, context);
                let known = decoder.patterns.len();
                alike += u32::from(decoder.patterns.iter_mut().any(|one| one.take(&message)));
                assert_eq!(decoder.decode(&message), expected.as_ref().map_err(|&e| e));
                assert!(decoder.patterns.len() <= known + 1);
            }
        }
        assert!(alike > 20_000, "{alike}");
    }
}
