//! Matches as TLVs: OXM, NXM and the experimenters' fields, mixed as controllers like.
//!
//! Source: OpenFlow 1.5.1 §7.2.3; Nicira's NXM shares the form of the header.

use super::standard_match;
use crate::error::{OfError, OfResult};
use crate::flow::field::{self, Field, Format, Prerequisite, Refused};
use crate::flow::{Slot, slot};
use crate::openflow::codec::{Pieces, Reader, number};
use crate::openflow::error;
use crate::openflow::modify::Match;

/// OFPMT_STANDARD and OFPMT_OXM.
const STANDARD: u16 = 0;
const OXM: u16 = 1;

/// NXM_NX_COOKIE, without mask bit: not a field, but a filter in Nicira's messages.
const NXM_COOKIE: u64 = 0x0001_3c08;

/// NXM_NX_CT_STATE, of which eight bits have a meaning.
const CT_STATE: u64 = 0x0001_d204;

/// Decodes TLVs as in `ovsflow`'s own interfaces: every field, any order of versions.
pub fn match_tlvs(bytes: &[u8]) -> OfResult<Match> {
    tlvs(bytes, Rules::default()).map(|(matching, _)| matching)
}

/// Takes an ofp_match with its padding off the front.
pub(super) fn ofp_match(reader: &mut Reader<'_>, rules: Rules) -> OfResult<Match> {
    let mut head = Reader::new(reader.rest(), error::BAD_MATCH_LEN);
    let kind = head.u16()?;
    let len = usize::from(head.u16()?);
    if len < 4 || len.next_multiple_of(8) > reader.rest().len() {
        return Err(error::BAD_MATCH_LEN);
    }
    let whole = reader.take(len.next_multiple_of(8))?;
    let body = whole.get(4..len).unwrap_or_default();
    match kind {
        OXM => tlvs(body, rules).map(|(matching, _)| matching),
        STANDARD => standard_match::of11(body),
        _ => Err(error::BAD_MATCH_TYPE),
    }
}

/// What a list of TLVs may hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    /// NXM_NX_COOKIE is allowed.
    pub(super) cookie: bool,
    /// Only fields that a packet-out may preset.
    pub(super) pipeline_only: bool,
    /// A set of fields to read, not values: no prerequisites.
    pub(super) field_set: bool,
}

/// A cookie and the bits of it that count.
pub(super) type CookieFilter = (u64, u64);

/// Decodes TLVs without padding.
pub(super) fn tlvs(bytes: &[u8], rules: Rules) -> OfResult<(Match, Option<CookieFilter>)> {
    let mut matching = Match::default();
    let mut cookie = None;
    for piece in Pieces::new(bytes, measure_tlv, error::BAD_MATCH_LEN) {
        let tlv = Tlv::decode(piece?)?;
        if rules.cookie && tlv.is_cookie() {
            if cookie.is_some() {
                return Err(error::DUP_FIELD);
            }
            cookie = Some(tlv.cookie()?);
            continue;
        }
        let entry = tlv.entry()?;
        entry.check_mask()?;
        add(&mut matching, &entry, rules)?;
    }
    if !rules.field_set {
        still_holds(&matching)?;
    }
    Ok((matching, cookie))
}

/// Refuses a match in which a later field took away what an earlier one stands on: ports of a
/// later fragment, neighbour discovery with a code that is not 0.
fn still_holds(matching: &Match) -> OfResult<()> {
    let mask = &matching.mask;
    let ports = [slot::TP_SRC, slot::TP_DST, slot::TCP_FLAGS];
    let later = matching.value.value(slot::IP_FRAG) & field::LATER_FRAGMENT != 0
        && !matches!(matching.value.value(slot::IP_PROTO), 1 | 58);
    let nd = [slot::ND_TARGET, slot::ND_RESERVED, slot::ND_OPTION_TYPE];
    let has = |slots: &[Slot]| slots.iter().any(|&at| mask.value(at) != 0);
    let nd_holds = || Prerequisite::Nd.holds(&matching.value, mask);
    let link_layer =
        matching.value.value(slot::ETH_TYPE) == 0x86dd && has(&[slot::ARP_SHA, slot::ARP_THA]);
    if later && has(&ports) || (has(&nd) || link_layer) && !nd_holds() {
        return Err(error::BAD_PREREQ);
    }
    Ok(())
}

/// Adds one field to a match.
fn add(matching: &mut Match, entry: &Entry, rules: Rules) -> OfResult<()> {
    let &Entry { field, value, mask } = entry;
    if !is_legal(field, value) {
        return Err(error::BAD_VALUE);
    }
    if !rules.field_set && !field.prerequisite.holds(&matching.value, &matching.mask) {
        return Err(error::BAD_PREREQ);
    }
    let seen = matching.mask.value(field.slot);
    if !rules.field_set && seen & field.key_mask(field.legal) != 0 {
        return Err(error::DUP_FIELD);
    }
    if rules.pipeline_only && !is_pipeline(field) {
        return Err(error::PIPELINE_FIELDS_ONLY);
    }
    field.write(&mut matching.value, value, mask);
    let key_mask = field.key_mask(mask);
    matching.mask.set_masked(field.slot, key_mask, key_mask);
    Ok(())
}

/// Fields that a packet-out of OpenFlow 1.5 may preset.  Source: OpenFlow 1.5.1 §7.2.3.8.
fn is_pipeline(field: &Field) -> bool {
    let word = field.slot.word;
    let registers = word >= slot::FIRST_REGISTER_WORD;
    let tunnel = (5..=11).contains(&word);
    registers
        || tunnel
        || matches!(
            field.id,
            field::IN_PORT
                | field::IN_PORT_OXM
                | field::IN_PHY_PORT
                | field::METADATA
                | field::PACKET_TYPE
                | field::ACTSET_OUTPUT
                | field::PKT_MARK
        )
}

/// Whether a field can have this value at all.
pub(super) fn is_legal(field: &Field, value: u128) -> bool {
    match field.format {
        Format::Port32 => !(0xff00..0xffff_ff00).contains(&value) && value & !field.legal == 0,
        _ => value & !field.legal == 0,
    }
}

/// A TLV: its header in the form of the field table, and its value and mask.
pub(super) struct Tlv<'a> {
    /// Header with the length as it stands and no mask bit.
    pub(super) header: u64,
    pub(super) masked: bool,
    /// Value, then mask if `masked`; without an experimenter's id.
    pub(super) payload: &'a [u8],
}

/// A field with the value and mask that a TLV gives it.
pub(super) struct Entry {
    pub(super) field: &'static Field,
    pub(super) value: u128,
    pub(super) mask: u128,
}

impl Entry {
    /// Fails with BAD_MASK if a match may not mask this field so.
    fn check_mask(&self) -> OfResult<()> {
        let whole = self.mask & self.field.legal == self.field.legal;
        if self.field.maskable || self.mask == 0 || whole {
            Ok(())
        } else {
            Err(error::BAD_MASK)
        }
    }
}

/// Length of a TLV: header and what its length byte says.
pub(super) fn measure_tlv(bytes: &[u8]) -> Option<(usize, usize)> {
    let [class_high, class_low, _, len] = *bytes.first_chunk::<4>()?;
    let len = usize::from(len);
    let least = if (class_high, class_low) == (0xff, 0xff) {
        4
    } else {
        0
    };
    (len >= least).then_some((4 + len, 4 + len))
}

/// Length of a TLV header by itself, as actions use it to name a field.
pub(super) fn header_len(bytes: &[u8]) -> usize {
    if bytes.starts_with(&[0xff, 0xff]) {
        8
    } else {
        4
    }
}

impl<'a> Tlv<'a> {
    /// Takes apart one piece of [`measure_tlv`].
    pub(super) fn decode(piece: &'a [u8]) -> OfResult<Self> {
        let mut reader = Reader::new(piece, error::BAD_MATCH_LEN);
        let raw = reader.u32()?;
        let masked = raw & 0x100 != 0;
        let mut header = u64::from(raw & !0x100);
        if raw >> 16 == 0xffff {
            header = header << 32 | u64::from(reader.u32()?);
        }
        Ok(Self {
            header,
            masked,
            payload: reader.rest(),
        })
    }

    /// The field and its value; checks length and wildcards only.
    pub(super) fn entry(&self) -> OfResult<Entry> {
        if self.masked && self.has_stray_bits() {
            return Err(error::BAD_WILDCARDS);
        }
        let field = named(self.header).map_err(|refused| self.fault(refused))?;
        let size = usize::from(field.wire_bytes);
        let factor = if self.masked { 2 } else { 1 };
        if self.payload.len() != size * factor {
            return Err(error::BAD_FIELD);
        }
        let (value, mask) = self.payload.split_at(size);
        let value = number(value);
        if !self.masked {
            let mask = field.legal;
            return Ok(Entry { field, value, mask });
        }
        let mask = number(mask);
        Ok(Entry { field, value, mask })
    }

    /// Why a TLV of no field is refused: what no state of a connection is, is a wrong value first.
    fn fault(&self, refused: OfError) -> OfError {
        let state = self.payload.first_chunk().copied().map(u32::from_be_bytes);
        if self.header == CT_STATE && state.is_some_and(|state| state > 0xff) {
            return error::BAD_VALUE;
        }
        refused
    }

    /// Whether the value has bits that the mask leaves out, whatever the field.
    fn has_stray_bits(&self) -> bool {
        let (value, mask) = self.payload.split_at(self.payload.len() / 2);
        self.payload.len() % 2 == 0 && value.iter().zip(mask).any(|(v, m)| v & !m != 0)
    }

    /// Whether this is NXM_NX_COOKIE, which shares its number with NXM_NX_MPLS_TTL.
    const fn is_cookie(&self) -> bool {
        self.header == NXM_COOKIE || self.masked && self.header == NXM_COOKIE + 8
    }

    /// The value and mask of NXM_NX_COOKIE.
    fn cookie(&self) -> OfResult<CookieFilter> {
        let (value, mask) = match (self.masked, self.payload.len()) {
            (false, 8) => (number(self.payload), u128::from(u64::MAX)),
            (true, 16) => {
                let (value, mask) = self.payload.split_at(8);
                (number(value), number(mask))
            }
            _ => return Err(error::BAD_FIELD),
        };
        if value & !mask != 0 {
            return Err(error::BAD_WILDCARDS);
        }
        Ok((value as u64, mask as u64))
    }
}

/// The field that a header names, whatever its length; or why there is none.
pub(super) fn named(header: u64) -> OfResult<&'static Field> {
    match field::by_code_point(header) {
        Some((field, _)) => Ok(field),
        None => Err(not_a_field(header)),
    }
}

/// The error for a header of no field.
pub(super) fn not_a_field(header: u64) -> OfError {
    match field::refused(header) {
        Some(Refused::TunnelMetadata) => error::INVALID_TLV_FIELD,
        Some(Refused::Conntrack) => error::NO_CONNTRACK_FIELD,
        _ => error::BAD_FIELD,
    }
}
