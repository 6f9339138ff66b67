//! A set of frames that arrive over and over, or once: the source of load generators.
//!
//! Frames lie back to back in one piece of memory, so that reading them in turn is as kind to the
//! processor as a device's ring.

use super::{BATCH_SIZE, Batch};
use crate::packet::Pool;

/// Frames, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// Where each frame ends in `bytes`.
    ends: Vec<usize>,
}

impl Frames {
    pub(super) fn push(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl<'a> FromIterator<&'a [u8]> for Frames {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(frames: I) -> Self {
        let mut all = Self::default();
        frames.into_iter().for_each(|frame| all.push(frame));
        all
    }
}

/// A place in a set of frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    /// Index of the frame that comes next.
    next: usize,
    /// Where it starts.
    start: usize,
}

impl Cursor {
    /// Appends copies of the next `count` frames to `batch`, each in a packet of its own; begins
    /// anew at the end if `repeat`.
    pub(super) fn take(
        &mut self,
        frames: &Frames,
        repeat: bool,
        count: usize,
        pool: &mut Pool,
        batch: &mut Batch,
    ) {
        for _ in 0..count.min(BATCH_SIZE) {
            let Some(end) = frames.ends.get(self.next) else {
                return;
            };
            let Some(frame) = frames.bytes.get(self.start..*end) else {
                return;
            };
            let mut packet = pool.take();
            packet.set_frame(frame);
            batch.push(packet);
            self.next += 1;
            self.start = *end;
            if repeat && self.next == frames.ends.len() {
                *self = Self::default();
            }
        }
    }

    /// Whether all frames have been taken.
    pub(super) fn is_at_end(&self, frames: &Frames) -> bool {
        self.next >= frames.ends.len()
    }
}
