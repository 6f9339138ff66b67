//! A bounded queue of packets between threads, with a descriptor to wait on.
//!
//! Whatever hands packets to another port of the process goes through one: the far end of a
//! memory port, a patch pair, tunnel ports that share a socket.  One lock a batch.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Batch;
use super::sys::Event;
use crate::packet::Packet;

/// Packets that a queue holds at most.
pub(super) const QUEUE_LIMIT: usize = 4096;

/// A bounded queue; its descriptor is readable while it holds a packet.
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Box<Packet>>>,
    wake: Event,
    limit: usize,
}

impl Queue {
    pub(super) fn new(limit: usize) -> io::Result<Self> {
        Ok(Self {
            waiting: Mutex::default(),
            wake: Event::new()?,
            limit,
        })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }

    /// Wakes whoever waits on the descriptor, though no packet may be here.
    pub(super) fn wake(&self) {
        self.wake.raise();
    }

    /// Moves packets from the front of `packets` into the queue until it is full; the
    /// packets that found no room stay.
    pub(super) fn push(&self, packets: &mut Batch) {
        if packets.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        let room = self.limit.saturating_sub(waiting.len()).min(packets.len());
        if room == 0 {
            return;
        }
        if waiting.is_empty() {
            self.wake.raise();
        }
        waiting.extend(packets.drain(..room));
    }

    /// Moves at most `count` packets to the end of `batch`; returns whether some are left.
    pub(super) fn pop(&self, count: usize, batch: &mut Batch) -> bool {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            return false;
        }
        let count = count.min(waiting.len());
        batch.extend(waiting.drain(..count));
        if waiting.is_empty() {
            self.wake.clear();
        }
        !waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Box<Packet>>> {
        // No code that can panic runs under the lock, so a poisoned queue is still whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
