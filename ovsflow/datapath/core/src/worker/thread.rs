//! A worker's thread: poll while there is work, spin a little, then sleep until a port wakes it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Cell;
use crate::port::{Event as Flag, Poller, monotonic_now};

/// How long a worker polls ports that have nothing, before it sleeps.
const SPIN: Duration = Duration::from_micros(15);

/// Stack of a worker: a walk through the tables may nest deeply.
const STACK_BYTES: usize = 16 << 20;

/// Rounds between two looks at the clock.
const ROUNDS: usize = 16;

/// A running worker.
pub struct Thread {
    pub cell: Arc<Cell>,
    /// The descriptors that wake it.
    pub(crate) poller: Arc<Poller>,
    control: Arc<Control>,
    handle: Option<JoinHandle<()>>,
}

struct Control {
    stop: AtomicBool,
    wake: Flag,
}

/// Starts the thread of the worker in `cell`.
pub fn spawn(name: &str, cell: Arc<Cell>) -> io::Result<Thread> {
    let control = Arc::new(Control {
        stop: AtomicBool::new(false),
        wake: Flag::new()?,
    });
    let poller = Arc::new(Poller::new()?);
    poller.add(std::os::fd::AsRawFd::as_raw_fd(&control.wake))?;
    let (its_cell, its_poller, its_control) = (cell.clone(), poller.clone(), control.clone());
    let handle = std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || run(&its_cell, &its_poller, &its_control))?;
    Ok(Thread {
        cell,
        poller,
        control,
        handle: Some(handle),
    })
}

impl Thread {
    /// Makes the thread look at its ports again.
    pub fn wake(&self) {
        self.control.wake.raise();
    }

    /// Ends the thread after the batch in hand, and waits for it.
    pub fn stop(&mut self) {
        self.control.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(handle) = self.handle.take() {
            // A worker's panic was counted where it happened.
            let _ = handle.join();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(cell: &Cell, poller: &Poller, control: &Control) {
    while !control.stop.load(Ordering::SeqCst) {
        control.wake.clear();
        if work(cell, control) {
            // An interrupted wait is as good as a woken one.
            let _ = poller.wait(-1);
        }
    }
}

/// Moves packets until there are none for a while; returns whether to sleep.
fn work(cell: &Cell, control: &Control) -> bool {
    let mut worker = cell.enter();
    let mut now = monotonic_now();
    let mut last_moved = now;
    let mut round = 0;
    loop {
        let moved = worker.poll_safely(now);
        round += 1;
        if moved == 0 || round % ROUNDS == 0 {
            now = monotonic_now();
        }
        if moved > 0 {
            last_moved = now;
        } else if now.since(last_moved) > SPIN {
            return true;
        }
        if cell.is_awaited() || control.stop.load(Ordering::Relaxed) {
            return false;
        }
    }
}
