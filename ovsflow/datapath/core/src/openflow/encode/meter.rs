//! Meters in replies.  Source: OpenFlow 1.3.5 §7.3.5.12 to 14.

use super::put_duration;
use crate::openflow::Version;
use crate::openflow::codec::{patch_len, put_zeros, put16, put32, put64};
use crate::openflow::modify::{MeterBand, MeterBandKind};
use crate::openflow::tell::{MeterConfig, MeterFeatures, MeterStats};

/// Appends one entry of a meter stats reply.
pub fn meter_stats(stats: &MeterStats, out: &mut Vec<u8>) {
    let start = out.len();
    put32(out, stats.meter.0);
    put_zeros(out, 8);
    put32(out, stats.flow_count);
    put64(out, stats.packets);
    put64(out, stats.bytes);
    put_duration(out, stats.duration);
    for &(packets, bytes) in &stats.bands {
        put64(out, packets);
        put64(out, bytes);
    }
    patch_len(out, start + 4, start);
}

/// Appends one entry of a meter config (OpenFlow 1.5: meter desc) reply.
pub fn meter_config(config: &MeterConfig, out: &mut Vec<u8>) {
    let start = out.len();
    put16(out, 0);
    put16(out, config.flags);
    put32(out, config.meter.0);
    for band in &config.bands {
        self::band(band, out);
    }
    patch_len(out, start, start);
}

fn band(band: &MeterBand, out: &mut Vec<u8>) {
    let (kind, precedence) = match band.kind {
        MeterBandKind::Drop => (1, 0),
        MeterBandKind::DscpRemark { precedence } => (2, precedence),
    };
    put16(out, kind);
    put16(out, 16);
    put32(out, band.rate);
    put32(out, band.burst);
    out.extend_from_slice(&[precedence, 0, 0, 0]);
}

/// Appends the body of a meter features reply.
pub fn meter_features(version: Version, features: &MeterFeatures, out: &mut Vec<u8>) {
    put32(out, features.max_meter);
    put32(out, features.band_types);
    put32(out, features.capabilities);
    out.extend_from_slice(&[features.max_bands, features.max_color, 0, 0]);
    if version == Version::Of15
        && let Some(flags) = features.flags
    {
        put32(out, flags);
        put_zeros(out, 4);
    }
}
