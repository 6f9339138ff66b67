//! A port made of capture files: one is read as what arrives, one records what is sent.
//!
//! The file read is held in memory.  It arrives as fast as it is asked for, or at a `rate` of
//! packets a second, once or in a loop.

pub(super) mod file;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use self::file::Writer;
use super::fit::lose;
use super::open::{OpenError, OpenPort, PortFacts, Request, STATE_LIVE, SenderFactory};
use super::replay::{Cursor, Frames};
use super::sys::Timer;
use super::{BATCH_SIZE, Batch, Intake, PortCounters, Receiver, Sender};
use crate::error::DropReason;
use crate::packet::gso::for_each_plain;
use crate::packet::{Pool, PortNo};
use crate::time::Now;

/// Fastest rate that can be asked for, in packets a second.
const MAX_RATE: u64 = 1_000_000_000;

/// Which option's file is wrong, and why.
fn about(option: &str, path: &str, error: &io::Error) -> OpenError {
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or_default();
    OpenError::invalid(format!("{option}={path}: {reason}"))
}

/// When nothing arrives any more.
const NEVER: Now = Now(u64::MAX);

/// Opens a pcap port.  Options: `file`, the capture that arrives; `loop` (false), over and over;
/// `rate`, packets a second (as fast as they are taken); `write`, the capture of what is sent.
pub(super) fn open(request: &mut Request<'_>) -> Result<OpenPort, OpenError> {
    let options = &mut request.options;
    let (read, write) = (options.text("file"), options.text("write"));
    let repeat = options.flag("loop")?.unwrap_or(false);
    let rate = options.parse("rate", "packets a second, 1 to 1000000000", |text| {
        text.parse()
            .ok()
            .filter(|rate| (1..=MAX_RATE).contains(rate))
    })?;
    request.options.finish()?;
    if read.is_none() && write.is_none() {
        return Err(OpenError::invalid("a pcap port needs option file or write"));
    }
    let mut frames = read
        .map(|path| file::read(Path::new(path)).map_err(|error| about("file", path, &error)))
        .transpose()?
        .unwrap_or_default();
    if repeat {
        frames.lengthen();
    }
    let writer = write
        .map(|path| Writer::create(Path::new(path)).map_err(|error| about("write", path, &error)))
        .transpose()?;
    let receiver = PcapReceiver {
        number: request.number,
        timer: Timer::new()?,
        pace: Pace {
            rate,
            start: None,
            arrived: 0,
        },
        idle_until: Now(0),
        wakes_at: Now(0),
        cursor: Cursor::default(),
        repeat,
        frames,
    };
    if !receiver.frames.is_empty() {
        receiver.timer.wake_after(1)?;
    }
    Ok(OpenPort {
        receivers: vec![Box::new(receiver)],
        sender: Box::new(PcapSenders(
            writer.map(|writer| Arc::new(Mutex::new(writer))),
        )),
        facts: PortFacts {
            state: STATE_LIVE,
            ..PortFacts::default()
        },
        backend: Box::new(match (read, write) {
            (Some(read), Some(write)) => format!("reads {read}, writes {write}"),
            (Some(read), None) => format!("reads {read}"),
            (None, write) => format!("writes {}", write.unwrap_or_default()),
        }),
        memory: None,
    })
}

/// How many packets may have arrived by now.
struct Pace {
    /// Packets a second; `None` for as fast as they are taken.
    rate: Option<u64>,
    /// When the first one arrived.
    start: Option<Now>,
    arrived: u64,
}

impl Pace {
    /// How many may arrive now, at most `limit`; and how long to wait for the next one, in
    /// nanoseconds, if it is not due yet.
    fn due(&mut self, now: Now, limit: usize) -> (usize, u64) {
        let Some(rate) = self.rate else {
            return (limit, 0);
        };
        let elapsed = now.since(*self.start.get_or_insert(now)).as_nanos();
        let by_now = elapsed * u128::from(rate) / 1_000_000_000 + 1;
        let due = by_now.saturating_sub(u128::from(self.arrived));
        if due > 0 {
            return (usize::try_from(due).unwrap_or(limit).min(limit), 0);
        }
        let next = u128::from(self.arrived) * 1_000_000_000 / u128::from(rate);
        (
            0,
            u64::try_from(next.saturating_sub(elapsed))
                .unwrap_or(u64::MAX)
                .max(1),
        )
    }
}

struct PcapReceiver {
    number: PortNo,
    frames: Frames,
    repeat: bool,
    cursor: Cursor,
    pace: Pace,
    timer: Timer,
    /// When the next packet is due: nothing need be done till then.
    idle_until: Now,
    /// What the timer was set to last.  While other ports keep their worker awake it is left alone:
    /// under a hypervisor, setting one and having it go off cost as much as a thousand packets.
    wakes_at: Now,
}

impl Receiver for PcapReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.timer.as_raw_fd())
    }

    fn receive(&mut self, now: Now, intake: &mut Intake<'_>) -> io::Result<bool> {
        if now < self.idle_until {
            return Ok(false);
        }
        if self.cursor.is_at_end(&self.frames) {
            self.idle_until = NEVER;
            return Ok(false);
        }
        let (due, wait_ns) = self.pace.due(now, BATCH_SIZE);
        let first = intake.batch.len();
        let how = (self.repeat, due);
        self.cursor.take(&self.frames, how, self.number, intake);
        self.pace.arrived += (intake.batch.len() - first) as u64;
        if due == 0 {
            self.idle_until = Now(now.0.saturating_add(wait_ns));
        }
        Ok(due > 0)
    }

    fn rest(&mut self, now: Now) -> io::Result<()> {
        if self.wakes_at == self.idle_until {
            return Ok(());
        }
        self.wakes_at = self.idle_until;
        if self.idle_until == NEVER {
            self.timer.clear();
            return Ok(());
        }
        // Setting it anew makes it unreadable too.
        let wait_ns = self.idle_until.0.saturating_sub(now.0);
        self.timer.wake_after(wait_ns.max(1))
    }
}

struct PcapSenders(Option<Arc<Mutex<Writer>>>);

impl SenderFactory for PcapSenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(PcapSender(self.0.clone())))
    }
}

struct PcapSender(Option<Arc<Mutex<Writer>>>);

impl Sender for PcapSender {
    fn send(
        &mut self,
        now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        let mut writer = self.0.as_ref().map(|writer| {
            // A record is written whole or not at all, so what a panic left behind is whole.
            writer.lock().unwrap_or_else(PoisonError::into_inner)
        });
        for packet in packets.drain(..) {
            let mut written = Ok(());
            if let Some(writer) = &mut writer {
                for_each_plain(&packet, pool, |frame| {
                    if written.is_ok() {
                        written = writer.write(now, frame.bytes());
                    }
                });
            }
            match written {
                Ok(()) => {
                    counters.tx_packets += 1;
                    counters.tx_bytes += packet.len() as u64;
                }
                Err(_) => lose(DropReason::TxError, counters),
            }
            pool.give(packet);
        }
        if let Some(writer) = &mut writer
            && writer.flush().is_err()
        {
            counters.tx_errors += 1;
        }
    }
}
