//! A way of sending that the kernel may refuse one day.
//!
//! All senders of a port share it: who is refused closes it for the others too.  Whoever tells
//! people how the port sends reads it at the same time, so what is told is what is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a port sends in some way.
#[derive(Clone, Debug)]
pub(super) struct Way(Arc<AtomicBool>);

impl Way {
    pub(super) fn new(is_open: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_open)))
    }

    // Nothing else is read because of the answer, so no order is asked for.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.set_open(false);
    }

    pub(super) fn set_open(&self, is_open: bool) {
        self.0.store(is_open, Ordering::Relaxed);
    }
}
