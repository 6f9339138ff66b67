//! A port with no device: packets come from and go to queues in this process.
//!
//! Tests and embedders hold the far end, [`MemoryPort`].  With `replay` the port becomes a
//! load generator: it hands out copies of a set of frames, each in a fresh buffer as a device
//! would, without end or, with `loop=false`, once.  With `discard` what is sent is counted and
//! thrown away; with `write` a capture file keeps it.

use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::open::{OpenError, OpenPort, PortFacts, Request, STATE_LIVE, SenderFactory};
use super::options::Options;
use super::pcap::file::{self, Writer};
use super::queue::{QUEUE_LIMIT, Queue};
use super::replay::{Cursor, Frames};
use super::{BATCH_SIZE, Batch, Intake, PortCounters, Receiver, Sender};
use crate::error::DropReason;
use crate::packet::gso::for_each_plain;
use crate::packet::{Packet, Pool, PortNo};
use crate::time::Now;

/// The far end of a memory port.
#[derive(Clone)]
pub struct MemoryPort(Arc<Wire>);

/// What joins a memory port to its far end.
pub(super) struct Wire {
    /// Towards the switch.
    inward: Queue,
    /// What the switch sent.
    outward: Queue,
    discard: bool,
    /// Frames that arrive by themselves; empty for none.
    replay: Mutex<Arc<Frames>>,
    /// Whether they come over and over.
    repeat: bool,
    /// Keeps what is sent.
    record: Option<Mutex<Writer>>,
}

impl MemoryPort {
    pub(super) fn new(wire: Arc<Wire>) -> Self {
        Self(wire)
    }

    /// Lets a packet arrive at the port; gives it back when the port's queue is full.
    pub fn inject(&self, packet: Box<Packet>) -> Result<(), Box<Packet>> {
        let mut packets = vec![packet];
        self.0.inward.push(&mut packets);
        packets.pop().map_or(Ok(()), Err)
    }

    /// Takes what the switch sent, oldest first, as the switch left it: checksums may be left
    /// to fill in, and super-frames are whole.
    pub fn take_packets(&self) -> Batch {
        let mut taken = Batch::new();
        self.0.outward.pop(usize::MAX, &mut taken);
        taken
    }

    /// Takes what the switch sent as a wire would carry it: checksums filled in, super-frames cut.
    pub fn take_frames(&self) -> Vec<Vec<u8>> {
        let (mut pool, mut frames) = (Pool::new(0, 0), Vec::new());
        for packet in self.take_packets() {
            for_each_plain(&packet, &mut pool, |frame| {
                frames.push(frame.bytes().to_vec())
            });
        }
        frames
    }

    /// Number of packets that the switch sent and nobody took.
    pub fn waiting(&self) -> usize {
        self.0.outward.len()
    }

    /// From now on copies of `frames` arrive over and over; none stops it.
    pub fn replay(&self, frames: Vec<Box<[u8]>>) {
        self.0
            .set_replay(frames.iter().map(|frame| &**frame).collect());
    }
}

impl Wire {
    /// Reads the options of a wire: `discard` (false); `replay`, a capture file that arrives, and
    /// `loop` (true), over and over; `write`, the capture of what is sent.
    pub(super) fn open(options: &mut Options<'_>) -> Result<Arc<Self>, OpenError> {
        let discard = options.flag("discard")?.unwrap_or(false);
        let repeat = options.flag("loop")?.unwrap_or(true);
        let record = options
            .text("write")
            .map(|path| Writer::create(Path::new(path)));
        let frames = match options.text("replay") {
            Some(path) => file::read(Path::new(path))?,
            None => Frames::default(),
        };
        let wire = Self {
            inward: Queue::new(QUEUE_LIMIT)?,
            outward: Queue::new(QUEUE_LIMIT)?,
            discard,
            replay: Mutex::default(),
            repeat,
            record: record.transpose()?.map(Mutex::new),
        };
        wire.set_replay(frames);
        Ok(Arc::new(wire))
    }

    fn set_replay(&self, mut frames: Frames) {
        if self.repeat {
            frames.lengthen();
        }
        let arrives = !frames.is_empty();
        *self.replay.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(frames);
        if arrives {
            self.inward.wake();
        }
    }

    pub(super) fn fd(&self) -> RawFd {
        self.inward.fd()
    }

    /// Takes in what arrives at `port`; `cursor` is the receiver's place in what is repeated.
    /// Returns whether there is more.
    pub(super) fn receive(
        &self,
        port: PortNo,
        cursor: &mut Cursor,
        intake: &mut Intake<'_>,
    ) -> bool {
        let first = intake.batch.len();
        let more = self.inward.pop(BATCH_SIZE, intake.batch);
        if intake.batch.len() == first {
            let frames = self.replay.lock();
            let frames = frames.unwrap_or_else(PoisonError::into_inner).clone();
            let how = (self.repeat, BATCH_SIZE);
            cursor.take(&frames, how, port, intake);
            return intake.batch.len() > first;
        }
        for packet in intake.batch.iter_mut().skip(first) {
            packet.in_port = port;
            intake.counters.rx_packets += 1;
            intake.counters.rx_bytes += packet.len() as u64;
        }
        more
    }

    /// Takes all of `packets`, of which `overhead` bytes each do not count.
    pub(super) fn send(
        &self,
        now: Now,
        packets: &mut Batch,
        overhead: usize,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        let bytes = |packets: &Batch| {
            let all = packets
                .iter()
                .map(|packet| (packet.len() - overhead) as u64);
            all.sum::<u64>()
        };
        counters.tx_packets += packets.len() as u64;
        counters.tx_bytes += bytes(packets);
        if let Some(record) = &self.record {
            Self::keep(record, now, packets, pool, counters);
        }
        if !self.discard {
            self.outward.push(packets);
            let lost = packets.len() as u64;
            counters.tx_packets -= lost;
            counters.tx_bytes -= bytes(packets);
            counters.tx_drops.add(DropReason::MemoryQueueFull, lost);
        }
        pool.give_all(packets);
    }

    /// Writes packets into a capture as a wire would carry them.
    #[cold]
    fn keep(
        record: &Mutex<Writer>,
        now: Now,
        packets: &Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        // A record is written whole or not at all, so what a panic left behind is whole.
        let mut writer = record.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written = Ok(());
        for packet in packets.iter() {
            for_each_plain(packet, pool, |frame| {
                if written.is_ok() {
                    written = writer.write(now, frame.bytes());
                }
            });
        }
        if written.and_then(|()| writer.flush()).is_err() {
            counters.tx_errors += 1;
        }
    }
}

/// Opens a memory port; its options are those of [`Wire::open`].
pub(super) fn open(request: &mut Request<'_>) -> Result<OpenPort, OpenError> {
    let wire = Wire::open(&mut request.options)?;
    request.options.finish()?;
    let receiver = MemoryReceiver {
        number: request.number,
        wire: wire.clone(),
        cursor: Cursor::default(),
    };
    Ok(OpenPort {
        receivers: vec![Box::new(receiver)],
        sender: Box::new(MemorySenders(wire.clone())),
        facts: PortFacts {
            state: STATE_LIVE,
            ..PortFacts::default()
        },
        backend: Box::new("memory"),
        memory: Some(MemoryPort(wire)),
    })
}

struct MemoryReceiver {
    number: PortNo,
    wire: Arc<Wire>,
    cursor: Cursor,
}

impl Receiver for MemoryReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.wire.fd())
    }

    fn receive(&mut self, _now: Now, intake: &mut Intake<'_>) -> io::Result<bool> {
        let (wire, cursor) = (&self.wire, &mut self.cursor);
        Ok(wire.receive(self.number, cursor, intake))
    }
}

struct MemorySenders(Arc<Wire>);

impl SenderFactory for MemorySenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(MemorySender(self.0.clone())))
    }
}

struct MemorySender(Arc<Wire>);

impl Sender for MemorySender {
    fn send(
        &mut self,
        now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        self.0.send(now, packets, 0, pool, counters);
    }
}

#[cfg(test)]
mod tests;
