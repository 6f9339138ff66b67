//! PACKET_OUT.  Sources: OpenFlow 1.0.1 §5.3.6, 1.3.5 §7.3.7, 1.5.1 §7.3.6.

use super::action::{Scope, list};
use super::matching::{Rules, ofp_match};
use super::{Context, NO_BUFFER, Wire, body};
use crate::error::OfResult;
use crate::flow::field::{self, port_from_16};
use crate::flow::slot;
use crate::openflow::codec::Reader;
use crate::openflow::modify::{Match, PacketOut};
use crate::openflow::{Version, error};
use crate::packet::PortNo;

/// Decodes a PACKET_OUT.
pub fn packet_out(version: Version, message: &[u8], context: &Context) -> OfResult<PacketOut> {
    let wire = Wire::new(version, context);
    let mut r = body(message)?;
    let buffer_id = r.u32()?;
    let (in_port, metadata, actions_len) = match version {
        Version::Of10 => (port_from_16(r.u16()?), Match::default(), r.u16()?),
        Version::Of13 | Version::Of14 => {
            let (port, len) = (PortNo(r.u32()?), r.u16()?);
            r.skip(6)?;
            (port, Match::default(), len)
        }
        Version::Of15 => pipeline(&mut r)?,
    };
    let virtual_port = matches!(in_port, PortNo::LOCAL | PortNo::ANY | PortNo::CONTROLLER);
    if in_port >= PortNo::MAX && !virtual_port {
        return Err(error::BAD_REQUEST_PORT);
    }
    let actions = r.take(usize::from(actions_len))?;
    let actions = list(Scope::new(wire, 0), actions)?;
    if buffer_id != NO_BUFFER {
        return Err(error::BUFFER_UNKNOWN);
    }
    Ok(PacketOut {
        buffer_id,
        in_port,
        metadata,
        actions: actions.into(),
        data: r.rest().to_vec(),
    })
}

/// OpenFlow 1.5: the length of the actions, and a match that presets pipeline fields.
fn pipeline(r: &mut Reader<'_>) -> OfResult<(PortNo, Match, u16)> {
    let actions_len = r.u16()?;
    r.skip(2)?;
    let rules = Rules {
        pipeline_only: true,
        ..Rules::default()
    };
    let metadata = ofp_match(r, rules)?;
    if metadata.mask.value(slot::IN_PORT) == 0 {
        return Err(error::BAD_REQUEST_PORT);
    }
    let in_port = metadata.value.value(field::field(field::IN_PORT_OXM).slot);
    Ok((PortNo(in_port as u32), metadata, actions_len))
}
