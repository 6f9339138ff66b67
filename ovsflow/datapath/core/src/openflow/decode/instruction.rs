//! Instructions.  Source: OpenFlow 1.5.1 §7.2.5.

use super::action::{Scope, list};
use crate::error::OfResult;
use crate::openflow::Version;
use crate::openflow::action::{Action, Instructions, MeterId, TableId};
use crate::openflow::codec::{Pieces, Reader, measure_aligned};
use crate::openflow::error;

/// Decodes a list of instructions, in any order; each kind may stand once.
pub(super) fn instructions(scope: Scope, bytes: &[u8]) -> OfResult<Instructions> {
    let mut out = Instructions::default();
    let mut seen = 0_u8;
    let mut found = Vec::with_capacity(4);
    for piece in Pieces::new(bytes, measure_aligned, error::BAD_INSTRUCTION_LEN) {
        let mut reader = Reader::new(piece?, error::BAD_INSTRUCTION_LEN);
        let kind = reader.u16()?;
        reader.skip(2)?;
        let known = match kind {
            1..=5 => true,
            6 => scope.wire.version != Version::Of15,
            7 => scope.wire.version == Version::Of15,
            0xffff => return Err(error::BAD_INSTRUCTION_EXPERIMENTER),
            _ => false,
        };
        if !known {
            return Err(error::UNKNOWN_INSTRUCTION);
        }
        if seen & 1 << kind != 0 {
            return Err(error::DUP_INSTRUCTION);
        }
        seen |= 1 << kind;
        found.push((kind, reader));
    }
    // What is inside is looked at when all instructions are known to be there.
    for (kind, reader) in found {
        one(scope, kind, reader, &mut out)?;
    }
    Ok(out)
}

fn one(scope: Scope, kind: u16, mut r: Reader<'_>, out: &mut Instructions) -> OfResult<()> {
    match kind {
        1 => {
            out.goto = Some(TableId(r.u8()?));
            r.skip(3)?;
        }
        2 => {
            r.skip(4)?;
            let (value, mask) = (r.u64()?, r.u64()?);
            out.metadata = Some((value, mask));
        }
        6 => out.meter = Some(MeterId(r.u32()?)),
        7 => out.stat_trigger = Some(r.take(r.rest().len())?.into()),
        _ => {
            r.skip(4)?;
            let body = r.take(r.rest().len())?;
            match kind {
                3 => {
                    let actions = list(scope, body)?;
                    check_action_set(&actions)?;
                    out.write = actions.into();
                }
                4 => out.apply = list(scope, body)?.into(),
                _ if body.is_empty() => out.clear = true,
                _ => return Err(error::BAD_INSTRUCTION_LEN),
            }
        }
    }
    r.finish()
}

/// Refuses what an action set cannot hold.
fn check_action_set(actions: &[Action]) -> OfResult<()> {
    let allowed = |action: &Action| match action {
        Action::Resubmit { .. }
        | Action::Learn(_)
        | Action::Note(_)
        | Action::Controller(_)
        | Action::Clone(_)
        | Action::StackPush(_)
        | Action::StackPop(_)
        | Action::Multipath(_)
        | Action::Bundle(_)
        | Action::Sample(_)
        | Action::Exit
        | Action::Conjunction { .. }
        | Action::FinTimeout { .. }
        | Action::CheckPacketLarger { .. }
        | Action::OutputField { .. }
        | Action::OutputTruncated { .. }
        | Action::PopQueue => false,
        Action::DecNwTtl { controllers } => controllers.is_empty(),
        _ => true,
    };
    if actions.iter().all(allowed) {
        Ok(())
    } else {
        Err(error::BAD_ACTION_TYPE)
    }
}

/// OpenFlow 1.0 has no instructions: a list of actions that ends with a write of metadata is an
/// apply-actions and a write-metadata.
pub(super) fn from_actions(mut actions: Vec<Action>) -> Instructions {
    let mut metadata = None;
    if let Some(Action::SetField(write)) = actions.last()
        && write.field == crate::flow::field::METADATA
    {
        metadata = Some((write.value as u64, write.mask as u64));
        actions.pop();
    }
    Instructions {
        apply: actions.into(),
        metadata,
        ..Instructions::default()
    }
}
