//! A translation that entries share, with the counters of those of them that are gone.
//!
//! Whoever drops an entry lets go of its translation, and so has that line of memory in hand anyway.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Spent;
use crate::time::Now;
use crate::translate::Translation;

/// A translation, and counters that wait for collection.
///
/// One worker has it and changes the counters; they are atomic only because workers may be visited.
#[derive(Debug)]
pub struct Known {
    translation: Translation,
    packets: AtomicU64,
    bytes: AtomicU64,
    last_used: AtomicU64,
}

impl Known {
    /// A translation to be shared.
    pub fn new(translation: Translation) -> Arc<Self> {
        Arc::new(Self {
            translation,
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            last_used: AtomicU64::new(0),
        })
    }

    /// Takes counters over; returns whether none waited before.
    pub(super) fn bank(&self, packets: u64, bytes: u64, used: Now) -> bool {
        let before = add(&self.packets, packets);
        add(&self.bytes, bytes);
        let last_used = self.last_used.load(Ordering::Relaxed).max(used.0);
        self.last_used.store(last_used, Ordering::Relaxed);
        before == 0
    }

    /// Hands out the counters that wait.
    pub(super) fn collect(self: Arc<Self>) -> Spent {
        Spent {
            packets: self.packets.swap(0, Ordering::Relaxed),
            bytes: self.bytes.swap(0, Ordering::Relaxed),
            last_used: Now(self.last_used.load(Ordering::Relaxed)),
            translation: self,
        }
    }
}

impl Deref for Known {
    type Target = Translation;

    fn deref(&self) -> &Translation {
        &self.translation
    }
}

/// Adds without a lock on the bus: nobody else adds.  Returns what was there.
fn add(counter: &AtomicU64, more: u64) -> u64 {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(more), Ordering::Relaxed);
    before
}
