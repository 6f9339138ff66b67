//! A worker's thread: poll while there is work, poll on for a little where packets come close
//! together, then sleep until a port wakes it.
//!
//! Hosts often share the processors with the switch, and a kernel that preempts nobody between two
//! ticks lets a busy thread keep them waiting for milliseconds, in which their socket buffers
//! overflow and streams stand still.  So a worker offers its processor to others after every turn
//! and every time that it found nothing; with nobody there to take it that costs a short system call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Cell;
use crate::port::{BATCH_SIZE, Event as Flag, Poller, monotonic_now};
use crate::time::Now;

/// How long a worker polls ports that have nothing, before it sleeps.  Longer than a round trip
/// between two hosts here, so that neither way waits for a thread to wake.
const SPIN: Duration = Duration::from_micros(50);

/// A pause between packets after which there was no use in waiting awake, and how many of these in
/// a row make a worker sleep at once.  One packet that follows closely makes it wait again.
const LONG_PAUSE: Duration = Duration::from_micros(500);
const LONG_PAUSES: u32 = 16;

/// A worker's turn: as long as this, and not before it moved so many packets.
const TURN: Duration = Duration::from_micros(100);
const TURN_PACKETS: usize = BATCH_SIZE;

/// Most rounds between two looks at the clock.
const ROUNDS: usize = 16;

/// Stack of a worker: a walk through the tables may nest deeply.
const STACK_BYTES: usize = 16 << 20;

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
    let mut pace = Pace::new(monotonic_now());
    while !control.stop.load(Ordering::SeqCst) {
        control.wake.clear();
        if work(cell, control, &mut pace) {
            // An interrupted wait is as good as a woken one.
            let _ = poller.wait(-1);
        }
    }
}

/// Moves packets until there are none for a while; returns whether to sleep.
fn work(cell: &Cell, control: &Control, pace: &mut Pace) -> bool {
    let mut worker = cell.enter();
    pace.begin_turn(monotonic_now());
    loop {
        let moved = worker.poll_safely(pace.now);
        let next = match moved {
            0 => pace.found_nothing(monotonic_now()),
            _ => pace.moved(moved, monotonic_now),
        };
        if cell.is_awaited() || control.stop.load(Ordering::Relaxed) {
            return false;
        }
        match next {
            Next::Poll => {}
            Next::Sleep => return true,
            Next::Yield => {
                // Whoever runs meanwhile may want the worker.
                drop(worker);
                std::thread::yield_now();
                worker = cell.enter();
                pace.begin_turn(monotonic_now());
            }
        }
    }
}

/// What a worker does after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Poll,
    /// Let others run, then poll.
    Yield,
    Sleep,
}

/// When a worker polls, gives way and sleeps.
#[derive(Debug)]
struct Pace {
    /// The time, as of the last look at the clock.
    now: Now,
    last_moved: Now,
    /// Long pauses since packets last came close together, up to [`LONG_PAUSES`].
    long_pauses: u32,
    turn_began: Now,
    /// Packets moved in this turn, and how many there may be before the next look at the clock.
    packets: usize,
    look_at: usize,
    /// Rounds since the last look.
    rounds: usize,
}

impl Pace {
    const fn new(now: Now) -> Self {
        Self {
            now,
            last_moved: now,
            long_pauses: LONG_PAUSES,
            turn_began: now,
            packets: 0,
            look_at: TURN_PACKETS,
            rounds: 0,
        }
    }

    const fn begin_turn(&mut self, now: Now) {
        self.now = now;
        self.turn_began = now;
        self.packets = 0;
        self.look_at = TURN_PACKETS;
    }

    /// After a round that moved `packets`; looks at `clock` only now and then.
    fn moved(&mut self, packets: usize, clock: impl FnOnce() -> Now) -> Next {
        let pause = self.now.since(self.last_moved);
        if pause <= SPIN {
            self.long_pauses = 0;
        } else if pause > LONG_PAUSE {
            self.long_pauses = LONG_PAUSES.min(self.long_pauses + 1);
        }
        self.last_moved = self.now;
        self.packets += packets;
        self.rounds += 1;
        if self.packets < self.look_at && self.rounds < ROUNDS {
            return Next::Poll;
        }
        self.rounds = 0;
        self.now = clock();
        self.last_moved = self.now;
        if self.packets >= TURN_PACKETS && self.now.since(self.turn_began) >= TURN {
            return Next::Yield;
        }
        // Work that goes so fast needs fewer looks.
        self.look_at = self.look_at.max(2 * self.packets);
        Next::Poll
    }

    fn found_nothing(&mut self, now: Now) -> Next {
        self.now = now;
        if self.long_pauses < LONG_PAUSES && now.since(self.last_moved) <= SPIN {
            Next::Yield
        } else {
            Next::Sleep
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(microseconds: u64) -> Now {
        Now(microseconds * 1000)
    }

    #[test]
    fn test_worker_waits_awake_only_where_packets_come_close_together() {
        let mut pace = Pace::new(at(0));
        pace.begin_turn(at(10_000));
        assert_eq!(pace.moved(1, || at(10_000)), Next::Poll);
        assert_eq!(
            pace.found_nothing(at(10_001)),
            Next::Sleep,
            "first in a while"
        );
        pace.begin_turn(at(10_030));
        assert_eq!(pace.moved(1, || at(10_030)), Next::Poll);
        assert_eq!(pace.found_nothing(at(10_031)), Next::Yield, "30 µs later");
        assert_eq!(pace.found_nothing(at(10_080)), Next::Yield);
        assert_eq!(pace.found_nothing(at(10_081)), Next::Sleep, "nothing came");
        let asleep_at_once = (1..40_u64).find(|n| {
            let time = 20_000 + 1000 * n;
            pace.begin_turn(at(time));
            assert_eq!(pace.moved(1, || at(time)), Next::Poll);
            pace.found_nothing(at(time + 1)) == Next::Sleep
        });
        assert_eq!(asleep_at_once, Some(u64::from(LONG_PAUSES)));
    }

    #[test]
    fn test_turn_ends_by_time_and_not_before_a_batch() {
        let mut pace = Pace::new(at(0));
        let looks = std::cell::Cell::new(0);
        let clock = |time| {
            looks.set(looks.get() + 1);
            at(time)
        };
        assert_eq!(pace.moved(TURN_PACKETS - 1, || clock(500)), Next::Poll);
        assert_eq!(looks.get(), 0);
        assert_eq!(pace.moved(1, || clock(500)), Next::Yield);
        pace.begin_turn(at(600));
        for _ in 0..1000 {
            assert_eq!(pace.moved(BATCH_SIZE, || clock(601)), Next::Poll);
        }
        assert!(looks.get() < 80, "{} looks at the clock", looks.get());
    }
}
