//! A set of frames that arrive over and over, or once: the source of load generators.
//!
//! Frames lie back to back in one piece of memory, each from the start of a block, so that reading
//! them in turn is as kind to the processor as a device's ring.

use super::{BATCH_SIZE, Batch, PortCounters};
use crate::packet::{BLOCK, Pool, PortNo, SMALL_FRAME};

/// Frames, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    blocks: Vec<[u8; BLOCK]>,
    /// Length of each frame, in bytes.
    lengths: Vec<usize>,
    longest: usize,
}

impl Frames {
    pub(super) fn push(&mut self, frame: &[u8]) {
        for piece in frame.chunks(BLOCK) {
            let mut block = [0; BLOCK];
            block[..piece.len()].copy_from_slice(piece);
            self.blocks.push(block);
        }
        self.lengths.push(frame.len());
        self.longest = self.longest.max(frame.len());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
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
    /// Its first block.
    block: usize,
}

impl Cursor {
    /// Appends copies of the next `count` frames to `batch`, each in a packet of its own that arrived
    /// at `port`, and counts them; begins anew at the end if `repeat`.
    pub(super) fn take(
        &mut self,
        frames: &Frames,
        (repeat, count): (bool, usize),
        port: PortNo,
        pool: &mut Pool,
        batch: &mut Batch,
        counters: &mut PortCounters,
    ) {
        let mut count = count.min(BATCH_SIZE);
        if !repeat {
            count = count.min(frames.lengths.len().saturating_sub(self.next));
        }
        if frames.is_empty() {
            return;
        }
        let first = batch.len();
        if frames.longest <= SMALL_FRAME {
            pool.take_small(count, batch);
        } else {
            batch.extend((0..count).map(|_| pool.take()));
        }
        let (mut bytes, mut loaded) = (0, &mut batch[first..]);
        while !loaded.is_empty() {
            // Up to the end of the set, or of the batch.
            let lengths = &frames.lengths[self.next..];
            let (now, later) = loaded.split_at_mut(lengths.len().min(loaded.len()));
            let mut blocks = &frames.blocks[self.block..];
            for (packet, &len) in now.iter_mut().zip(lengths) {
                let frame;
                (frame, blocks) = blocks.split_at(len.div_ceil(BLOCK));
                packet.load(frame, len, port);
                bytes += len as u64;
            }
            self.next += now.len();
            self.block = frames.blocks.len() - blocks.len();
            if repeat && self.next == frames.lengths.len() {
                *self = Self::default();
            }
            loaded = later;
        }
        counters.rx_packets += count as u64;
        counters.rx_bytes += bytes;
    }

    /// Whether all frames have been taken, never to come again.
    pub(super) fn is_at_end(&self, frames: &Frames) -> bool {
        self.next >= frames.lengths.len()
    }
}
