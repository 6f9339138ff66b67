//! TABLE_MOD.  Sources: OpenFlow 1.3.5 §7.3.4.1, 1.4.1 §7.3.4.1.

use super::{Context, body};
use crate::error::OfResult;
use crate::openflow::Version;
use crate::openflow::action::TableId;
use crate::openflow::codec::{Pieces, Reader, measure_padded};
use crate::openflow::error;
use crate::openflow::modify::TableMod;

/// OFPTC_*: two bits that mean nothing any more, eviction, vacancy events.
const DEPRECATED: u32 = 3;
const CONFIG_14: u32 = 0xf;

/// Decodes a TABLE_MOD.
pub fn table_mod(version: Version, message: &[u8], _context: &Context) -> OfResult<TableMod> {
    let mut r = body(message)?;
    if version == Version::Of10 {
        return Err(error::BAD_REQUEST_TYPE);
    }
    let table = TableId(r.u8()?);
    r.skip(3)?;
    let config = r.u32()?;
    let allowed = if version == Version::Of13 {
        DEPRECATED
    } else {
        CONFIG_14
    };
    if config & !allowed != 0 {
        return Err(error::TABLE_MOD_BAD_CONFIG);
    }
    let mut table_mod = TableMod {
        table,
        config,
        eviction: None,
        vacancy: None,
    };
    if version == Version::Of13 {
        r.finish()?;
        return Ok(table_mod);
    }
    for piece in Pieces::new(r.rest(), measure_padded, error::BAD_PROPERTY_LEN) {
        let mut p = Reader::new(piece?, error::BAD_PROPERTY_LEN);
        let kind = p.u16()?;
        p.skip(2)?;
        match kind {
            2 => table_mod.eviction = Some(p.u32()?),
            3 => {
                let (down, up) = (p.u8()?, p.u8()?);
                p.skip(2)?;
                if down > up || up > 100 {
                    return Err(crate::error::OfError::new(13, 4));
                }
                table_mod.vacancy = Some((down, up));
            }
            _ => return Err(error::BAD_PROPERTY_TYPE),
        }
    }
    Ok(table_mod)
}
