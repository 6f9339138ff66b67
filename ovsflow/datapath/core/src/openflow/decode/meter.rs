//! METER_MOD.  Source: OpenFlow 1.3.5 §7.3.4.4.

use super::{Context, aligned_body};
use crate::error::OfResult;
use crate::openflow::Version;
use crate::openflow::action::MeterId;
use crate::openflow::codec::{Pieces, Reader, measure_aligned};
use crate::openflow::error;
use crate::openflow::modify::{MeterBand, MeterBandKind, MeterMod, MeterModCommand};

/// Greatest ordinary meter (OFPM_MAX).
const MAX_METER: u32 = 0xffff_0000;
/// OFPM_ALL: every meter, to delete.
const ALL_METERS: u32 = 0xffff_ffff;
/// OFPMF_KBPS and OFPMF_PKTPS exclude each other.
const RATES: u16 = 3;
/// All of OFPMF_*.
const FLAGS: u16 = 0xf;

/// Decodes a METER_MOD.
pub fn meter_mod(version: Version, message: &[u8], _context: &Context) -> OfResult<MeterMod> {
    let mut r = aligned_body(message)?;
    if version == Version::Of10 {
        return Err(error::BAD_REQUEST_TYPE);
    }
    let command = match r.u16()? {
        0 => MeterModCommand::Add,
        1 => MeterModCommand::Modify,
        2 => MeterModCommand::Delete,
        _ => return Err(error::BAD_METER_COMMAND),
    };
    let flags = r.u16()?;
    let meter = MeterId(r.u32()?);
    let deletes = command == MeterModCommand::Delete;
    let one = (1..=MAX_METER).contains(&meter.0) || meter.is_virtual();
    if !(one || deletes && meter.0 == ALL_METERS) {
        return Err(error::INVALID_METER);
    }
    let mut bands = Vec::new();
    if !deletes {
        if flags & !FLAGS != 0 || flags & RATES == RATES {
            return Err(error::BAD_METER_FLAGS);
        }
        for piece in Pieces::new(r.rest(), measure_aligned, error::BAD_REQUEST_LEN) {
            bands.push(band(piece?)?);
        }
        if bands.is_empty() {
            return Err(error::OUT_OF_BANDS);
        }
    }
    Ok(MeterMod {
        command,
        flags,
        meter,
        bands,
    })
}

fn band(piece: &[u8]) -> OfResult<MeterBand> {
    let mut r = Reader::new(piece, error::BAD_REQUEST_LEN);
    let kind = r.u16()?;
    r.skip(2)?;
    if !matches!(kind, 1 | 2) {
        return Err(error::BAD_BAND);
    }
    let (rate, burst, precedence) = (r.u32()?, r.u32()?, r.u8()?);
    r.skip(3)?;
    r.finish()?;
    let kind = if kind == 1 {
        MeterBandKind::Drop
    } else if precedence <= 7 {
        MeterBandKind::DscpRemark { precedence }
    } else {
        return Err(error::BAD_BAND_VALUE);
    };
    Ok(MeterBand { rate, burst, kind })
}
