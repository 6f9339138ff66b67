//! Nicira's learn action and the parts of the flow that it adds.

use super::action::Scope;
use super::subfield::{field_header, subfield, writable, zeros};
use crate::error::OfResult;
use crate::openflow::action::{
    Action, Learn, LearnSource, LearnSpec, LearnTarget, Subfield, TableId,
};
use crate::openflow::codec::Reader;
use crate::openflow::error;

/// NX_LEARN_F_*.
const WRITE_RESULT: u16 = 4;

/// The header of a spec: source is an immediate value.
const IMMEDIATE: u16 = 1 << 13;

/// Decodes what follows the subtype.
pub(super) fn learn(scope: Scope, extended: bool, r: &mut Reader<'_>) -> OfResult<Action> {
    let mut learn = Learn {
        idle_timeout: r.u16()?,
        hard_timeout: r.u16()?,
        priority: r.u16()?,
        cookie: r.u64()?,
        flags: r.u16()?,
        table: TableId(r.u8()?),
        fin_idle_timeout: {
            zeros(r.take(1)?, error::BAD_ARGUMENT)?;
            r.u16()?
        },
        fin_hard_timeout: r.u16()?,
        limit: 0,
        result: None,
        specs: Box::default(),
    };
    let known_flags = if extended { 7 } else { 3 };
    if learn.table.0 == 255 || learn.flags & !known_flags != 0 {
        return Err(error::BAD_ARGUMENT);
    }
    if extended {
        learn.limit = r.u32()?;
        let start = r.u16()?;
        r.skip(2)?;
        if learn.flags & WRITE_RESULT != 0 {
            let field = field_header(r)?;
            learn.result = Some(subfield(field, start, 1)?);
            writable(scope.wire, field)?;
        }
    }
    let mut specs = Vec::new();
    while let Some(spec) = next_spec(scope, r)? {
        specs.push(spec);
    }
    learn.specs = specs.into();
    Ok(Action::Learn(Box::new(learn)))
}

/// The next spec; `None` at the end, when only zeros are left.
fn next_spec(scope: Scope, r: &mut Reader<'_>) -> OfResult<Option<LearnSpec>> {
    let header = if r.rest().len() < 2 { 0 } else { r.u16()? };
    if header == 0 {
        let rest = r.take(r.rest().len())?;
        return if rest.iter().all(|&byte| byte == 0) {
            Ok(None)
        } else {
            Err(error::BAD_ARGUMENT)
        };
    }
    let bits = header & 0x7ff;
    if header >> 14 != 0 || bits == 0 {
        return Err(error::BAD_ARGUMENT);
    }
    let source = if header & IMMEDIATE != 0 {
        let len = usize::from(bits.div_ceil(16)) * 2;
        if len > 16 {
            return Err(error::BAD_ARGUMENT);
        }
        let value = r.number(len)?;
        if bits < 128 && value >> bits != 0 {
            return Err(error::BAD_ARGUMENT);
        }
        LearnSource::Immediate { value, bits }
    } else {
        LearnSource::Field(part(r, bits)?)
    };
    let target = match header >> 11 & 3 {
        0 => LearnTarget::Match(part(r, bits)?),
        1 => {
            let target = part(r, bits)?;
            writable(scope.wire, crate::flow::field::field(target.field))?;
            LearnTarget::Load(target)
        }
        2 if matches!(source, LearnSource::Field(_)) => LearnTarget::Output,
        _ => return Err(error::BAD_ARGUMENT),
    };
    Ok(Some(LearnSpec { source, target }))
}

/// A field header and the first of its bits that count.
fn part(r: &mut Reader<'_>, bits: u16) -> OfResult<Subfield> {
    let field = field_header(r)?;
    let start = r.u16()?;
    subfield(field, start, bits)
}
