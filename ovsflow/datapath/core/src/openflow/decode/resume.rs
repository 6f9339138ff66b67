//! NXT_RESUME: the properties of NXT_PACKET_IN2, sent back.

use super::matching::{Rules, tlvs};
use super::{Context, body, nicira_subtype};
use crate::error::OfResult;
use crate::openflow::codec::{Pieces, Reader, measure_padded};
use crate::openflow::modify::{Match, Resume};
use crate::openflow::{Version, error};

/// NXT_RESUME.
pub(super) const NXT_RESUME: u32 = 28;

/// NXPINT_PACKET, NXPINT_METADATA, NXPINT_CONTINUATION, and those that a resume has no use for.
const PACKET: u16 = 0;
const METADATA: u16 = 6;
const CONTINUATION: u16 = 8;
const OTHERS: [u16; 6] = [1, 2, 3, 4, 5, 7];

/// Decodes an NXT_RESUME; whether the continuation is this switch's is not asked here.
pub fn resume(_version: Version, message: &[u8], _context: &Context) -> OfResult<Resume> {
    let mut r = body(message)?;
    nicira_subtype(&mut r, NXT_RESUME)?;
    let mut resume = Resume {
        metadata: Match::default(),
        continuation: Vec::new(),
        data: Vec::new(),
    };
    for piece in Pieces::new(r.rest(), measure_padded, error::BAD_PROPERTY_LEN) {
        let mut p = Reader::new(piece?, error::BAD_PROPERTY_LEN);
        let kind = p.u16()?;
        p.skip(2)?;
        match kind {
            PACKET => resume.data = p.rest().to_vec(),
            METADATA => {
                // A report of fields, not a match: no field asks for another.
                let rules = Rules {
                    field_set: true,
                    ..Rules::default()
                };
                (resume.metadata, _) = tlvs(p.rest(), rules)?;
            }
            CONTINUATION => resume.continuation = p.rest().to_vec(),
            other if OTHERS.contains(&other) => {}
            _ => return Err(error::BAD_PROPERTY_TYPE),
        }
    }
    Ok(resume)
}
