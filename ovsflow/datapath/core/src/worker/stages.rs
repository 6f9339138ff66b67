//! Where a worker's time goes: nanoseconds of each stage of a batch's journey, while somebody asks.
//!
//! The clock is read at the border of two stages, once a batch.  While nobody asks it is not read
//! at all: what is left is a branch that always goes the same way.

use crate::port::monotonic_now;
use crate::time::Now;

/// A stage of the journey, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asking a port for a batch.
    Receive,
    /// Reading headers into keys.
    Extract,
    /// Finding keys in the cache.
    LookUp,
    /// Proving or making translations, and what they cause.
    Translate,
    /// Running lists of actions on packets.
    Execute,
    /// Handing packets to the ports.
    Send,
}

impl Stage {
    /// All stages with their names, in order.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Receive, "receive"),
        (Self::Extract, "extract"),
        (Self::LookUp, "lookup"),
        (Self::Translate, "translate"),
        (Self::Execute, "execute"),
        (Self::Send, "send"),
    ];
}

/// Times of all stages since they were asked for.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    is_on: bool,
    /// When the present stage began.
    began: Now,
    nanoseconds: [u64; Stage::ALL.len()],
    /// Packets that the times are of.
    packets: u64,
}

impl Stages {
    /// Begins to measure, from nothing, or ends it.
    pub fn switch(&mut self, on: bool) {
        if on {
            *self = Self::default();
        }
        self.is_on = on;
    }

    /// Time of one stage, in nanoseconds.
    pub const fn nanoseconds(&self, stage: Stage) -> u64 {
        self.nanoseconds[stage as usize]
    }

    /// Packets that the times are of.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// A stage begins; what was before it is nobody's.
    #[inline]
    pub(super) fn begin(&mut self) {
        if self.is_on {
            self.began = monotonic_now();
        }
    }

    /// A stage is over, and the next begins.
    #[inline]
    pub(super) fn end(&mut self, stage: Stage) {
        if self.is_on {
            self.note(stage);
        }
    }

    /// A batch of packets was received.
    #[inline]
    pub(super) fn count(&mut self, packets: usize) {
        if self.is_on {
            self.packets += packets as u64;
        }
    }

    #[cold]
    fn note(&mut self, stage: Stage) {
        let now = monotonic_now();
        // It was switched on in the middle of a batch: that batch began at an unknown time.
        if self.began.0 != 0 {
            self.nanoseconds[stage as usize] += now.0.saturating_sub(self.began.0);
        }
        self.began = now;
    }
}
