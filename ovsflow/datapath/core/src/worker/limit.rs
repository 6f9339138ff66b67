//! A limit on packet-ins, so that a flood of misses cannot drown the control plane.

use std::sync::{Mutex, PoisonError};

use crate::time::Now;

const SECOND_NS: u64 = 1_000_000_000;

/// Packet-ins a second unless told otherwise.
const DEFAULT_RATE: u64 = 1000;

/// Packet-ins at once unless told otherwise.
const DEFAULT_BURST: u64 = 250;

/// A token bucket for the whole switch.
#[derive(Debug)]
pub struct PacketInLimit(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    /// Packets a second; 0 for no limit.
    rate: u64,
    burst: u64,
    /// Nanoseconds' worth of packets, times `rate`.
    tokens: u64,
    filled: Now,
}

impl Default for PacketInLimit {
    fn default() -> Self {
        Self(Mutex::new(Bucket {
            rate: DEFAULT_RATE,
            burst: DEFAULT_BURST,
            tokens: DEFAULT_BURST * SECOND_NS,
            filled: Now(0),
        }))
    }
}

impl PacketInLimit {
    /// Whether one more packet-in is within the limit.
    pub fn take(&self, now: Now) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.rate == 0 {
            return true;
        }
        let passed = now.0.saturating_sub(bucket.filled.0);
        bucket.filled = bucket.filled.max(now);
        let full = bucket.burst.max(1).saturating_mul(SECOND_NS);
        let gained = passed.saturating_mul(bucket.rate);
        bucket.tokens = bucket.tokens.saturating_add(gained).min(full);
        match bucket.tokens.checked_sub(SECOND_NS) {
            Some(left) => {
                bucket.tokens = left;
                true
            }
            None => false,
        }
    }

    /// Sets the rate (packets a second, 0 for no limit) or the burst.
    pub fn set(&self, rate: Option<u64>, burst: Option<u64>) {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.rate = rate.unwrap_or(bucket.rate);
        bucket.burst = burst.unwrap_or(bucket.burst);
        bucket.tokens = bucket.burst.max(1).saturating_mul(SECOND_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate() {
        let limit = PacketInLimit::default();
        limit.set(Some(10), Some(3));
        let passed = |at: u64| (0..5).filter(|_| limit.take(Now(at))).count();
        assert_eq!(passed(0), 3);
        assert_eq!(passed(SECOND_NS / 10), 1);
        assert_eq!(passed(SECOND_NS), 3);
        limit.set(Some(0), None);
        assert_eq!(passed(SECOND_NS), 5);
    }
}
