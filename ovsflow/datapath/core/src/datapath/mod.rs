//! The front of the crate: what a control plane may ask.
//!
//! [`Datapath`] owns the tables and the workers and is safe to call from any thread.  What a
//! controller gets wrong comes back as OFPT_ERROR bytes; a [`Refusal`] is the caller's or the
//! host's trouble.  Nothing here touches a packet's bytes.
//!
//! Counters live with the workers until somebody asks: each call that tells or changes rules
//! first collects them, so that what it tells is exact.

mod apply;
#[cfg(test)]
mod barrier;
mod describe;
mod event;
mod json;
mod packet_out;
mod ports;
mod query;
mod rehearsal;
mod settings;
mod statistics;
#[cfg(test)]
mod tests;
mod trace;
mod view;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use event::PacketInFormat;
pub use view::{MacRow, PortChange, PortNumbers, PortView, Setting};

use crate::packet::{Packet, PortNo};
use crate::port::{Backend, MemoryPort};
use crate::time::Now;
use crate::worker::{self, Cell, Shared, Thread, Worker, tell};

pub use crate::worker::{Event, Listener};

/// Why a call was refused.
#[derive(Debug)]
pub enum Refusal {
    /// The caller's mistake; the text names it.
    Usage(String),
    /// No port has this number.
    NoSuchPort(PortNo),
    /// The host refused something for the port or datapath `name`.
    Host { name: String, error: io::Error },
}

/// What the front knows of a port beyond what the tables know.
struct PortRecord {
    options: BTreeMap<String, String>,
    backend: Backend,
    memory: Option<MemoryPort>,
    /// The worker that receives from it.
    worker: usize,
}

/// One switch's packets, tables, caches and ports.
pub struct Datapath {
    name: String,
    datapath_id: u64,
    shared: Arc<Shared>,
    cells: Vec<Arc<Cell>>,
    threads: Mutex<Vec<Thread>>,
    ports: Mutex<BTreeMap<PortNo, PortRecord>>,
}

impl Datapath {
    /// Makes an empty datapath with `workers` threads; with none, packets move in the caller's.
    pub fn new(name: &str, datapath_id: u64, workers: usize) -> Result<Self, Refusal> {
        let host = |error| Refusal::Host {
            name: name.to_owned(),
            error,
        };
        let shared = Arc::new(Shared::new().map_err(host)?);
        let seed = RandomState::new();
        let cells: Vec<_> = (0..workers.max(1))
            .map(|index| Arc::new(Cell::new(Worker::new(shared.clone(), seed.hash_one(index)))))
            .collect();
        let threads = cells.iter().take(workers).enumerate().map(|(index, cell)| {
            let name = format!("{name}-{index}");
            worker::spawn(&name, cell.clone())
        });
        let threads = threads.collect::<io::Result<Vec<_>>>().map_err(host)?;
        Ok(Self {
            name: name.to_owned(),
            datapath_id,
            shared,
            cells,
            threads: Mutex::new(threads),
            ports: Mutex::default(),
        })
    }

    /// Lets a frame arrive at a port, as if its device had received it.
    pub fn execute(&self, port: PortNo, frame: &[u8], now: Now) -> Result<(), Refusal> {
        let (worker, wire) = match self.records().get(&port) {
            Some(record) => (record.worker, record.memory.clone()),
            None => return Err(Refusal::NoSuchPort(port)),
        };
        self.shared.saw(now);
        let mut worker = self.cell(worker).visit();
        if let Some(wire) = wire.filter(|_| self.is_tunnel(port)) {
            // What arrives is a datagram; the packet is inside.  A full wire loses it.
            let _ = wire.inject(Box::new(Packet::from_frame(frame)));
            worker.poll(now);
            return Ok(());
        }
        let mut packet = worker.buffer();
        packet.set_frame(frame);
        worker.inject(port, packet, now);
        Ok(())
    }

    fn is_tunnel(&self, port: PortNo) -> bool {
        let state = self.shared.read();
        let known = state.pipeline.ports().port(port);
        known.is_some_and(|port| port.kind == "vxlan")
    }

    /// Without workers: moves what is waiting at all ports; returns the number of packets.
    pub fn poll(&self, now: Now) -> usize {
        if !self.threads().is_empty() {
            return 0;
        }
        self.cell(0).visit().poll(now)
    }

    /// Takes up to `limit` waiting events.
    pub fn events(&self, limit: usize) -> Vec<Event> {
        self.shared.events.take(limit)
    }

    /// A descriptor that is readable while events wait.
    pub fn event_fd(&self) -> i32 {
        self.shared.events.fd()
    }

    /// Expires flows and MAC addresses; returns when to call again, `None` for never.
    ///
    /// A flow or address that packets teach may be due earlier: the events' descriptor tells.
    pub fn tick(&self, now: Now) -> Option<Now> {
        self.shared.saw(now);
        let next = self.shared.read().pipeline.next_expiry();
        if next.is_none_or(|next| next > now) {
            return next;
        }
        self.collect();
        let mut notices = Vec::new();
        let next = self.shared.write().pipeline.expire(now, &mut notices);
        tell(&self.shared, notices, 0);
        next
    }

    /// What NORMAL has learned, the longest unseen first; of one time by VLAN and address.
    pub fn mac_table(&self) -> Vec<MacRow> {
        self.collect();
        let now = self.shared.now();
        let state = self.shared.read();
        let mut entries: Vec<_> = state.pipeline.fdb().iter().copied().collect();
        entries.sort_unstable_by_key(|entry| (entry.seen, entry.vlan, entry.mac));
        let rows = entries.iter().map(|entry| {
            let [_, _, address @ ..] = entry.mac.to_be_bytes();
            MacRow {
                port: entry.port,
                vlan: entry.vlan,
                address,
                age_seconds: now.since(entry.seen).as_secs(),
            }
        });
        rows.collect()
    }

    /// Stops the workers and closes all ports.
    pub fn close(&self) {
        self.threads().clear();
        let numbers: Vec<PortNo> = self.records().keys().copied().collect();
        for number in numbers {
            // The port may have been removed by somebody else meanwhile.
            let _ = self.remove_port(number, Now(0));
        }
    }

    /// Gives the tables all counters that workers still hold.
    fn collect(&self) {
        for cell in &self.cells {
            let mut worker = cell.visit();
            worker.collect(&mut self.shared.write());
        }
    }

    fn cell(&self, index: usize) -> &Cell {
        self.cells.get(index).unwrap_or(&self.cells[0])
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<PortNo, PortRecord>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Datapath {
    fn drop(&mut self) {
        self.close();
    }
}
