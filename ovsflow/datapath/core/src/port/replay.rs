//! A set of frames that arrive over and over, or once: the source of load generators.
//!
//! Frames lie back to back in one piece of memory, each from the start of a block, so that reading
//! them in turn is as kind to the processor as a device's ring.

use super::{BATCH_SIZE, Intake};
use crate::packet::{BLOCK, Packet, PortNo, SMALL_FRAME};

/// Frames of a set that is long enough to come over and over.
const LONG: usize = 4 * BATCH_SIZE;

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

    /// Repeats a set of short frames, which is to come over and over, until a batch seldom meets its end.
    pub(super) fn lengthen(&mut self) {
        let once = self.clone();
        while self.is_short() && !self.is_empty() && self.lengths.len() < LONG {
            self.blocks.extend_from_slice(&once.blocks);
            self.lengths.extend_from_slice(&once.lengths);
        }
    }

    /// Whether each frame has one block.
    fn is_short(&self) -> bool {
        self.longest <= BLOCK && self.blocks.len() == self.lengths.len()
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
    /// Takes in copies of the next `count` frames, each in a packet of its own that arrived at
    /// `port`; begins anew at the end if `repeat`.
    pub(super) fn take(
        &mut self,
        frames: &Frames,
        (repeat, count): (bool, usize),
        port: PortNo,
        intake: &mut Intake<'_>,
    ) {
        let Intake {
            pool,
            batch,
            counters,
        } = intake;
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
        let mut loaded = &mut batch[first..];
        let mut bytes = 0;
        while !loaded.is_empty() {
            // Up to the end of the set, or of the batch.
            let left = frames.lengths.len() - self.next;
            let (now, later) = loaded.split_at_mut(left.min(loaded.len()));
            bytes += self.load(frames, now, port);
            if repeat && self.next == frames.lengths.len() {
                *self = Self::default();
            }
            loaded = later;
        }
        counters.rx_packets += count as u64;
        counters.rx_bytes += bytes as u64;
    }

    /// Loads the next frames into `packets`, for each of which there is one; returns how many bytes.
    fn load(&mut self, frames: &Frames, packets: &mut [Box<Packet>], port: PortNo) -> usize {
        let lengths = &frames.lengths[self.next..];
        let mut blocks = &frames.blocks[self.block..];
        self.next += packets.len();
        let bytes = lengths.iter().take(packets.len()).sum();
        if frames.is_short() {
            // The usual case: no frame's blocks need to be counted.
            self.block += packets.len();
            for (packet, (block, &len)) in packets.iter_mut().zip(blocks.iter().zip(lengths)) {
                packet.load(std::slice::from_ref(block), len, port);
            }
            return bytes;
        }
        for (packet, &len) in packets.iter_mut().zip(lengths) {
            let frame;
            (frame, blocks) = blocks.split_at(len.div_ceil(BLOCK));
            packet.load(frame, len, port);
            self.block += frame.len();
        }
        bytes
    }

    /// Whether all frames have been taken, never to come again.
    pub(super) fn is_at_end(&self, frames: &Frames) -> bool {
        self.next >= frames.lengths.len()
    }
}
