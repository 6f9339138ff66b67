//! A worker behind a lock with a turnstile: whoever waits gets in after the batch in hand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Worker;

/// One worker, shared between its thread and the control thread.
pub struct Cell {
    worker: Mutex<Worker>,
    /// Visitors who wait for the lock.
    waiting: AtomicUsize,
}

impl Cell {
    /// Puts a worker behind its lock.
    pub const fn new(worker: Worker) -> Self {
        Self {
            worker: Mutex::new(worker),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Gets at the worker between two batches.
    pub fn visit(&self) -> MutexGuard<'_, Worker> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let guard = self.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        guard
    }

    /// The worker's own thread takes the lock, after everybody who waits.
    pub(super) fn enter(&self) -> MutexGuard<'_, Worker> {
        while self.is_awaited() {
            std::thread::yield_now();
        }
        self.lock()
    }

    /// Whether somebody waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) != 0
    }

    fn lock(&self) -> MutexGuard<'_, Worker> {
        // A panic inside a round is caught there; elsewhere counters at most are half done.
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
