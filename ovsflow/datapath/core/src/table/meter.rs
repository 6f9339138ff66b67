//! Meters: token buckets, exact to the nanosecond.
//!
//! A band's bucket fills by `rate` units each nanosecond, where a unit is the millionth part of
//! a bit, or the 10⁹th part of a packet; nothing is ever rounded, so the long-term rate is the
//! configured one.  A packet passes a band when the bucket holds what it costs, or a whole burst: a
//! super-frame larger than the burst passes and leaves a debt behind.
//!
//! What comes in between a refused packet and the next must not spill, or the rate is not kept.  So
//! the bucket holds two of the largest packets seen, if that is more than the burst: whoever
//! configures a burst in kilobits, or in packets that hosts merge, does not know their size.  A
//! burst in plain packets is taken at its word.

use std::sync::{Mutex, PoisonError};

use crate::openflow::action::MeterId;
use crate::openflow::modify::{MeterBand, MeterBandKind, MeterMod};
use crate::openflow::tell::MeterStats;
use crate::time::Now;

/// Most meters.
pub const MAX_METERS: usize = 1 << 18;

/// Most bands of a meter.
pub const MAX_BANDS: usize = 8;

/// OFPM_ALL.
pub(super) const ALL_METERS: MeterId = MeterId(0xffff_ffff);

/// OFPMF_*.  Source: OpenFlow 1.3.5 §7.3.4.4.
pub(super) mod meter_flags {
    pub(crate) const PKTPS: u16 = 2;
    pub(crate) const BURST: u16 = 4;
}

/// Units in a kilobit, and in a kilo-packet's thousandth: one second's worth of rate 1.
const UNITS_PER_RATE_SECOND: i128 = 1_000_000_000;

/// What a meter decides for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterVerdict {
    Pass,
    Drop,
    /// Raise the drop precedence in the DSCP field by `precedence`.
    Remark {
        precedence: u8,
    },
}

/// One meter.  Workers share it; its state is behind a lock of its own.
#[derive(Debug)]
pub struct Meter {
    pub id: MeterId,
    /// OFPMF_*.
    pub flags: u16,
    pub bands: Box<[MeterBand]>,
    pub created: Now,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
struct State {
    filled: Now,
    packets: u64,
    bytes: u64,
    bands: Box<[BandState]>,
}

#[derive(Clone, Debug)]
struct BandState {
    tokens: i128,
    /// Cost of the largest packet seen whose size was not to be known.
    largest: i128,
    packets: u64,
    bytes: u64,
}

impl Meter {
    /// A meter in the place of `old`, whose age and count of packets it keeps.
    pub(super) fn new(request: &MeterMod, old: Option<&Self>, now: Now) -> Self {
        let (packets, bytes) = old.map_or((0, 0), |old| {
            let state = old.lock();
            (state.packets, state.bytes)
        });
        let meter = Self {
            id: request.meter,
            flags: request.flags,
            bands: request.bands.clone().into(),
            created: old.map_or(now, |old| old.created),
            state: Mutex::new(State {
                filled: now,
                packets,
                bytes,
                bands: Box::default(),
            }),
        };
        let bands = meter.bands.iter().map(|band| BandState {
            tokens: meter.capacity(band),
            largest: 0,
            packets: 0,
            bytes: 0,
        });
        let bands = bands.collect();
        meter.lock().bands = bands;
        meter
    }

    /// Whether packets that pass may come out with another DSCP.
    pub fn remarks(&self) -> bool {
        let remarks = |band: &MeterBand| matches!(band.kind, MeterBandKind::DscpRemark { .. });
        self.bands.iter().any(remarks)
    }

    /// Runs `packets` packets of together `bytes` bytes past the meter: all share one fate.
    /// A super-frame counts as the packets that it will be cut into.
    pub fn run(&self, packets: u64, bytes: u64, now: Now) -> MeterVerdict {
        let by_packets = self.flags & meter_flags::PKTPS != 0;
        let cost = if by_packets {
            i128::from(packets) * UNITS_PER_RATE_SECOND
        } else {
            i128::from(bytes) * 8 * 1_000_000
        };
        let mut state = self.lock();
        let elapsed = i128::from(now.0.saturating_sub(state.filled.0));
        state.filled = state.filled.max(now);
        state.packets += packets;
        state.bytes += bytes;
        let mut worst: Option<(u32, usize)> = None;
        for (index, (band, level)) in self.bands.iter().zip(&mut state.bands).enumerate() {
            let capacity = self.capacity(band);
            if !by_packets || packets > 1 {
                level.largest = level.largest.max(cost);
            }
            let full = capacity.max(2 * level.largest);
            level.tokens = (level.tokens + elapsed * i128::from(band.rate)).min(full);
            if level.tokens >= cost.min(capacity) {
                level.tokens -= cost;
            } else if worst.is_none_or(|(rate, _)| band.rate >= rate) {
                worst = Some((band.rate, index));
            }
        }
        let Some((band, level)) =
            worst.and_then(|(_, i)| Some((self.bands.get(i)?, state.bands.get_mut(i)?)))
        else {
            return MeterVerdict::Pass;
        };
        level.packets += packets;
        level.bytes += bytes;
        match band.kind {
            MeterBandKind::Drop => MeterVerdict::Drop,
            MeterBandKind::DscpRemark { precedence } => MeterVerdict::Remark { precedence },
        }
    }

    pub(super) fn stats(&self, flow_count: u32, now: Now) -> MeterStats {
        let state = self.lock();
        MeterStats {
            meter: self.id,
            flow_count,
            packets: state.packets,
            bytes: state.bytes,
            duration: now.since(self.created),
            bands: state.bands.iter().map(|b| (b.packets, b.bytes)).collect(),
        }
    }

    /// Most tokens a band may hold: its burst, or a second's worth where none is given.
    fn capacity(&self, band: &MeterBand) -> i128 {
        let burst = if self.flags & meter_flags::BURST != 0 && band.burst != 0 {
            band.burst
        } else {
            band.rate
        };
        i128::from(burst) * UNITS_PER_RATE_SECOND
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::openflow::modify::MeterModCommand;

    const KBPS: u16 = 1;

    fn meter(flags: u16, bands: &[(u32, u32, MeterBandKind)]) -> Meter {
        let bands = bands
            .iter()
            .map(|&(rate, burst, kind)| MeterBand { rate, burst, kind });
        let request = MeterMod {
            command: MeterModCommand::Add,
            flags,
            meter: MeterId(1),
            bands: bands.collect(),
        };
        Meter::new(&request, None, Now(0))
    }

    proptest! {
        /// What passes an overloaded meter is what rate and burst allow, to within two of the
        /// largest packets: frames of 60 bytes to super-frames, alone or mixed, whatever the burst.
        #[test]
        fn the_rate_is_exact_whatever_the_packets(
            rate in prop_oneof![1u32..1000, 1u32..20_000_000],
            burst in prop_oneof![Just(0u32), 1u32..600, 1u32..1_000_000],
            by_packets in any::<bool>(),
            sizes in prop_oneof![
                (60u64..=65_535).prop_map(|size| vec![size]),
                prop::sample::select(vec![60u64, 64, 1514, 9014, 65_535]).prop_map(|size| vec![size]),
                prop::collection::vec(60u64..=65_535, 2..20),
            ],
            load in 2u64..20,
            jitter in prop::collection::vec(0u64..1000, 1..20),
        ) {
            const COUNT: usize = 5000;
            let flags = meter_flags::BURST | if by_packets { meter_flags::PKTPS } else { KBPS };
            let meter = meter(flags, &[(rate, burst, MeterBandKind::Drop)]);
            let (mut now, mut passed, mut offered, mut largest) = (0, 0u128, 0u128, 0);
            for index in 0..COUNT {
                let bytes = sizes[index % sizes.len()];
                let packets = bytes.div_ceil(1514);
                let cost = if by_packets { packets * 1_000_000_000 } else { bytes * 8 * 1_000_000 };
                // Half to one and a half times what an even load would leave between two.
                let step = (cost / u64::from(rate) / load).max(2);
                now += step / 2 + jitter[index % jitter.len()] * step / 1000;
                offered += u128::from(cost);
                largest = largest.max(u128::from(cost));
                if meter.run(packets, bytes, Now(now)) == MeterVerdict::Pass {
                    passed += u128::from(cost);
                }
            }
            let full = u128::from(if burst == 0 { rate } else { burst }) * 1_000_000_000;
            let earned = u128::from(rate) * u128::from(now);
            prop_assert!(passed <= full + earned + largest);
            let is_at_its_word = by_packets && largest == 1_000_000_000 && full < 2 * largest;
            prop_assert!(is_at_its_word || passed + 2 * largest >= offered.min(earned));
        }
    }

    #[test]
    fn a_long_run_is_within_two_percent_of_the_rate() {
        // A hundred seconds of twice the rate, in frames of one size, with bursts that are smaller
        // and larger than a frame.
        for size in [60, 64, 512, 1514, 9014, 32_000, 65_535] {
            for (rate, burst) in [
                (1_000, 1),
                (1_000, 1_000),
                (100_000, 10),
                (10_000_000, 1_000),
            ] {
                let meter = meter(
                    KBPS | meter_flags::BURST,
                    &[(rate, burst, MeterBandKind::Drop)],
                );
                let gap = size * 8 * 1_000_000 / u64::from(rate) / 2;
                let count = (100_000_000_000 / gap).min(200_000);
                let passes =
                    |index: &u64| meter.run(1, size, Now(index * gap)) == MeterVerdict::Pass;
                let passed = (1..=count).filter(passes).count() as f64 * size as f64 * 8.0;
                let seconds = (count * gap) as f64 / 1e9;
                let wanted = f64::from(rate) * 1e3 * seconds + f64::from(burst) * 1e3;
                let error = (passed - wanted).abs() / wanted;
                assert!(
                    error < 0.02,
                    "{size} bytes at {rate} kbit/s, {burst} kbit: {error}"
                );
            }
        }
    }

    #[test]
    fn a_steady_overload_passes_at_the_rate() {
        for (packets, bytes) in [(1, 64), (1, 1514), (45, 65_000)] {
            let meter = meter(
                KBPS | meter_flags::BURST,
                &[(100_000, 100, MeterBandKind::Drop)],
            );
            let mut passed = 0;
            let interval = bytes * 8 * 1_000_000 / 1_000_000; // A tenth of what the packet needs.
            let mut now = 0;
            while now < 10_000_000_000 {
                now += interval;
                if meter.run(packets, bytes, Now(now)) == MeterVerdict::Pass {
                    passed += bytes * 8;
                }
            }
            let wanted = 100_000_000.0 * 10.0;
            let error = (passed as f64 - wanted).abs() / wanted;
            assert!(error < 0.002, "{bytes} bytes: {passed} bits, {error}");
        }
    }

    #[test]
    fn the_band_of_the_highest_rate_exceeded_decides() {
        let remark = MeterBandKind::DscpRemark { precedence: 1 };
        let bands = [(10, 10, remark), (20, 20, MeterBandKind::Drop)];
        let meter = meter(meter_flags::PKTPS | meter_flags::BURST, &bands);
        let verdicts: Vec<MeterVerdict> = (0..40).map(|_| meter.run(1, 100, Now(0))).collect();
        let count = |wanted| {
            verdicts
                .iter()
                .filter(|&&verdict| verdict == wanted)
                .count()
        };
        assert_eq!(count(MeterVerdict::Pass), 10);
        assert_eq!(count(MeterVerdict::Remark { precedence: 1 }), 10);
        assert_eq!(count(MeterVerdict::Drop), 20);
        let stats = meter.stats(3, Now::from_secs(2));
        assert_eq!((stats.packets, stats.bytes), (40, 4000));
        assert_eq!(stats.bands, [(10, 1000), (20, 2000)]);
        assert_eq!(stats.flow_count, 3);
    }
}
