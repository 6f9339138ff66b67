//! A port with no device: packets come from and go to queues in this process.
//!
//! Tests and embedders hold the far end, [`MemoryPort`].  With `replay` the port becomes a
//! load generator: it hands out copies of a set of frames without end, each in a fresh buffer
//! as a device would; with `discard` what is sent is counted and thrown away.

use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::open::{OpenError, OpenPort, PortFacts, Request, STATE_LIVE, SenderFactory};
use super::queue::{QUEUE_LIMIT, Queue};
use super::{BATCH_SIZE, Batch, PortCounters, Receiver, Sender};
use crate::error::DropReason;
use crate::packet::gso::for_each_plain;
use crate::packet::{Packet, Pool, PortNo};
use crate::time::Now;

/// The far end of a memory port.
#[derive(Clone)]
pub struct MemoryPort(Arc<Shared>);

struct Shared {
    /// Towards the switch.
    inward: Queue,
    /// What the switch sent.
    outward: Queue,
    discard: bool,
    /// Frames to repeat without end; empty for none.
    replay: Mutex<Arc<[Box<[u8]>]>>,
}

impl MemoryPort {
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
        let mut replay = self.0.replay.lock().unwrap_or_else(PoisonError::into_inner);
        *replay = frames.into();
    }
}

/// Opens a memory port.  Options: `discard` (false).
pub(super) fn open(request: &mut Request<'_>) -> Result<OpenPort, OpenError> {
    let discard = request.options.flag("discard")?.unwrap_or(false);
    request.options.finish()?;
    let shared = Arc::new(Shared {
        inward: Queue::new(QUEUE_LIMIT)?,
        outward: Queue::new(QUEUE_LIMIT)?,
        discard,
        replay: Mutex::new(Arc::new([])),
    });
    let receiver = MemoryReceiver {
        number: request.number,
        shared: shared.clone(),
        next: 0,
    };
    Ok(OpenPort {
        receivers: vec![Box::new(receiver)],
        sender: Box::new(MemorySenders(shared.clone())),
        facts: PortFacts {
            state: STATE_LIVE,
            backend: "memory".to_owned(),
            ..PortFacts::default()
        },
        memory: Some(MemoryPort(shared)),
    })
}

struct MemoryReceiver {
    number: PortNo,
    shared: Arc<Shared>,
    /// Index of the frame to replay next.
    next: usize,
}

impl MemoryReceiver {
    fn replay(&mut self, frames: &[Box<[u8]>], pool: &mut Pool, batch: &mut Batch) {
        for _ in 0..BATCH_SIZE {
            self.next = if self.next + 1 < frames.len() {
                self.next + 1
            } else {
                0
            };
            let Some(frame) = frames.get(self.next) else {
                return;
            };
            let mut packet = pool.take();
            packet.set_frame(frame);
            batch.push(packet);
        }
    }
}

impl Receiver for MemoryReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.shared.inward.fd())
    }

    fn receive(
        &mut self,
        _now: Now,
        pool: &mut Pool,
        batch: &mut Batch,
        counters: &mut PortCounters,
    ) -> io::Result<bool> {
        let first = batch.len();
        let mut more = self.shared.inward.pop(BATCH_SIZE, batch);
        if batch.len() == first {
            let frames = self.shared.replay.lock();
            let frames = frames.unwrap_or_else(PoisonError::into_inner).clone();
            more = !frames.is_empty();
            self.replay(&frames, pool, batch);
        }
        for packet in batch.iter_mut().skip(first) {
            packet.in_port = self.number;
            counters.rx_packets += 1;
            counters.rx_bytes += packet.len() as u64;
        }
        Ok(more)
    }
}

struct MemorySenders(Arc<Shared>);

impl SenderFactory for MemorySenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(MemorySender(self.0.clone())))
    }
}

struct MemorySender(Arc<Shared>);

impl Sender for MemorySender {
    fn send(
        &mut self,
        _now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        let (count, bytes) = (packets.len() as u64, total_bytes(packets));
        if !self.0.discard {
            self.0.outward.push(packets);
        }
        let (lost, lost_bytes) = match self.0.discard {
            true => (0, 0),
            false => (packets.len() as u64, total_bytes(packets)),
        };
        counters.tx_packets += count - lost;
        counters.tx_bytes += bytes - lost_bytes;
        counters.tx_drops.add(DropReason::MemoryQueueFull, lost);
        for packet in packets.drain(..) {
            pool.give(packet);
        }
    }
}

fn total_bytes(packets: &Batch) -> u64 {
    packets.iter().map(|packet| packet.len() as u64).sum()
}

#[cfg(test)]
mod tests;
