//! Naming a field, or some bits of one, in an action.

use super::matching::{header_len, measure_tlv, named};
use crate::error::{OfError, OfResult};
use crate::flow::field::{self, Field, Settable};
use crate::openflow::action::Subfield;
use crate::openflow::codec::Reader;
use crate::openflow::decode::{Compat, Wire};
use crate::openflow::error;

/// Takes a TLV header (4 bytes, or 8 with an experimenter) that names a whole field.
pub(super) fn field_header(reader: &mut Reader<'_>) -> OfResult<&'static Field> {
    let len = header_len(reader.rest());
    let bytes = reader.take(len)?;
    header_of(bytes)
}

/// Takes a TLV header that has only 4 bytes of room.
pub(super) fn short_field_header(reader: &mut Reader<'_>) -> OfResult<&'static Field> {
    let bytes = reader.take(4)?;
    header_of(bytes)
}

fn header_of(bytes: &[u8]) -> OfResult<&'static Field> {
    let mut reader = Reader::new(bytes, error::BAD_SET_LEN);
    let raw = reader.u32()?;
    let mut header = u64::from(raw);
    if raw >> 16 == 0xffff {
        header = header << 32 | u64::from(reader.u32()?);
    }
    if raw & 0x100 != 0 || measure_tlv(bytes).is_none() {
        return Err(error::BAD_SET_TYPE);
    }
    match field::by_header(header) {
        Some(field) => Ok(field),
        None => Err(match named(header) {
            // A known field of another length is not that field.
            Ok(_) | Err(error::BAD_FIELD) => error::BAD_SET_TYPE,
            Err(error::NO_CONNTRACK_FIELD) => error::NO_CONNTRACK,
            Err(other) => other,
        }),
    }
}

/// Bits `start..start + len` of a field; BAD_SET_LEN when it has not that many.
pub(super) fn subfield(field: &Field, start: u16, len: u16) -> OfResult<Subfield> {
    if len == 0 || u32::from(start) + u32::from(len) > u32::from(field.bits) {
        return Err(error::BAD_SET_LEN);
    }
    Ok(Subfield {
        field: field.id,
        start: start as u8,
        len: len as u8,
    })
}

/// Nicira's ofs_nbits: start in the high 10 bits, length - 1 in the low 6.
pub(super) const fn start_and_len(ofs_nbits: u16) -> (u16, u16) {
    (ofs_nbits >> 6, (ofs_nbits & 0x3f) + 1)
}

/// Fails with `BAD_SET_ARGUMENT` if actions may not write the field.
pub(super) fn writable(wire: Wire, field: &Field) -> OfResult<()> {
    match field.settable {
        Settable::Yes => Ok(()),
        Settable::Spec if wire.compat == Compat::Spec => Ok(()),
        _ => Err(error::BAD_SET_ARGUMENT),
    }
}

/// `Err(error)` unless all bytes are zero.
pub(super) fn zeros(bytes: &[u8], error: OfError) -> OfResult<()> {
    if bytes.iter().all(|&byte| byte == 0) {
        Ok(())
    } else {
        Err(error)
    }
}
