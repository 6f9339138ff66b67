//! Threads, and the journey of a batch from ports through the cache to ports.
//!
//! A [`Worker`] owns the receiving sides of some ports, its cache, its buffers, its counters and
//! a sending side for every port.  One round, [`Worker::poll`]: ask each port for a batch; read
//! each packet as deep as the active mask needs and look it up; translate what is not known, in
//! the same thread, under the tables' read lock, which is taken once for all misses of a batch; run
//! each group of packets that share a translation through its list; flush each port once.
//!
//! The control thread gets at a worker through [`Cell`], a lock with a turnstile: the worker
//! lets go between batches when somebody waits, and never sleeps with the lock held.  With no
//! threads the caller is the worker.
//!
//! Nothing on this path allocates for each packet.  A panic costs the batch in hand, is counted
//! as `internal`, and the thread goes on.

mod audience;
mod batch;
mod cell;
mod effects;
mod events;
mod groups;
mod look_up;
mod memo;
mod outlet;
mod shared;
mod stages;
mod thread;

use std::collections::HashMap;
use std::sync::Arc;

pub use audience::{Heard, Listener};
pub use cell::Cell;
pub use effects::tell;
pub use events::{Event, EventBody, PacketForController};
pub use shared::{Shared, State, Writing};
pub use stages::{Stage, Stages};
pub use thread::{Thread, spawn};

use groups::Groups;
use look_up::LookUp;
use memo::Memo;
use outlet::Outlet;

use crate::cache::{Cache, CacheCounters, Known, Spent};
use crate::error::{DropCounters, DropReason};
use crate::execute;
use crate::flow::FlowKey;
use crate::packet::{Batch, LARGE_FRAME, Packet, Pool, PortNo};
use crate::port::{BATCH_SIZE, Intake, PortCounters, Receiver, Sender};
use crate::time::Now;
use crate::translate::{Draft, Fragments, Translation};

/// Kinds of packets that a worker's cache holds at first.
const CACHE_ENTRIES: usize = 8_192;

/// Kinds that the cache grows to hold when so many are seen.
const MOST_CACHE_ENTRIES: usize = 262_144;

/// Buffers made ready at the start; more are made when they are needed.
const BUFFERS: usize = 4 * BATCH_SIZE;

/// Times that a packet may walk the tables again.
const MAX_RECIRCULATIONS: u32 = 8;

/// The receiving side of one port.
struct PortIn {
    number: PortNo,
    receiver: Box<dyn Receiver>,
    counters: PortCounters,
}

/// What a worker has done, for people.
#[derive(Clone, Debug, Default)]
pub struct WorkerNumbers {
    pub batches: u64,
    pub packets: u64,
    pub cache: CacheCounters,
    pub cache_entries: usize,
    pub cache_words: usize,
    pub drops: DropCounters,
    pub stages: Stages,
}

/// One worker.
pub struct Worker {
    shared: Arc<Shared>,
    cache: Cache,
    outlet: Outlet,
    receivers: Vec<PortIn>,
    /// Counters of receiving sides, and of sending sides, that are gone with their device.
    retired: HashMap<PortNo, PortCounters>,
    groups: Groups,
    batch: Batch,
    /// Packets whose translation is not known.
    missed: Batch,
    /// Hashes of most of their keys.
    missed_hashes: Vec<u64>,
    /// Packets whose cache entries are to be proved anew.
    stale: Vec<(u32, Box<Packet>)>,
    look_up: LookUp,
    memo: Memo,
    /// What was decided last.
    draft: Draft,
    key: FlowKey,
    fragments: Fragments,
    /// The generation that `fragments`, the meters and the cache's layout go by.
    generation: u64,
    /// Counters of packets that no cache entry counts.
    spent: Vec<Spent>,
    /// Translations whose side effects are due.
    due: Vec<Arc<Known>>,
    batches: u64,
    packets: u64,
    stages: Stages,
}

impl Worker {
    /// A worker without ports.
    pub fn new(shared: Arc<Shared>, seed: u64) -> Self {
        let pool = Pool::new(LARGE_FRAME, BUFFERS);
        Self {
            cache: Cache::growing(CACHE_ENTRIES, MOST_CACHE_ENTRIES, seed),
            outlet: Outlet::new(pool, shared.clone()),
            shared,
            receivers: Vec::new(),
            retired: HashMap::new(),
            groups: Groups::default(),
            batch: Batch::with_capacity(BATCH_SIZE),
            missed: Batch::with_capacity(BATCH_SIZE),
            missed_hashes: Vec::with_capacity(BATCH_SIZE),
            stale: Vec::with_capacity(BATCH_SIZE),
            look_up: LookUp::default(),
            memo: Memo::default(),
            draft: Draft::default(),
            key: FlowKey::default(),
            fragments: Fragments::default(),
            generation: 0,
            spent: Vec::new(),
            due: Vec::new(),
            batches: 0,
            packets: 0,
            stages: Stages::default(),
        }
    }

    /// Replaces the cache by an empty one of `entries` entries.
    pub fn resize_cache(&mut self, entries: usize, seed: u64) {
        self.cache.collect(|spent| self.spent.push(spent));
        self.cache = Cache::new(entries, seed);
        self.generation = 0;
    }

    /// Measures, from now on, what each stage takes, or ceases to.
    pub fn time_stages(&mut self, on: bool) {
        self.stages.switch(on);
    }

    /// Starts to receive from a port.
    pub fn add_receiver(&mut self, number: PortNo, receiver: Box<dyn Receiver>) {
        self.receivers.push(PortIn {
            number,
            receiver,
            counters: PortCounters::default(),
        });
    }

    /// Lets packets leave through a port.
    pub fn add_sender(&mut self, number: PortNo, sender: Box<dyn Sender>) {
        self.outlet.add_port(number, sender);
    }

    /// Closes this worker's sides of a port.
    pub fn remove_port(&mut self, number: PortNo) {
        self.outlet.remove_port(number);
        self.receivers.retain(|port| port.number != number);
        self.retired.remove(&number);
    }

    /// Moves what waits at this worker's ports, one batch from each; returns the number of packets.
    pub fn poll(&mut self, now: Now) -> usize {
        let mut moved = 0;
        let mut place = 0;
        self.outlet.now = now;
        self.stages.begin();
        while let Some(port) = self.receivers.get_mut(place) {
            place += 1;
            let mut batch = std::mem::take(&mut self.batch);
            let mut intake = Intake {
                pool: &mut self.outlet.pool,
                batch: &mut batch,
                counters: &mut port.counters,
            };
            let result = port.receiver.receive(now, &mut intake);
            if let Err(error) = result {
                place -= 1;
                self.lose_receiver(place, &error);
            }
            moved += batch.len();
            if batch.is_empty() {
                self.stages.begin();
            } else {
                self.stages.count(batch.len());
                self.stages.end(Stage::Receive);
                self.process(&mut batch);
            }
            self.batch = batch;
        }
        self.outlet.flush();
        if moved > 0 {
            self.stages.end(Stage::Send);
        } else {
            self.rest(now);
        }
        moved
    }

    /// Lets the ports know that nothing was found at any.
    fn rest(&mut self, now: Now) {
        let mut place = 0;
        while let Some(port) = self.receivers.get_mut(place) {
            match port.receiver.rest(now) {
                Ok(()) => place += 1,
                Err(error) => self.lose_receiver(place, &error),
            }
        }
    }

    /// Lets a packet arrive at a port, as if its device had received it.
    pub fn inject(&mut self, port: PortNo, mut packet: Box<Packet>, now: Now) {
        self.outlet.now = now;
        packet.in_port = port;
        let counters = match self.receivers.iter_mut().find(|p| p.number == port) {
            Some(port) => &mut port.counters,
            None => self.retired.entry(port).or_default(),
        };
        counters.rx_packets += 1;
        counters.rx_bytes += packet.len() as u64;
        let mut batch = vec![packet];
        self.process(&mut batch);
        self.outlet.flush();
    }

    /// An empty packet from the worker's stock.
    pub fn buffer(&mut self) -> Box<Packet> {
        self.outlet.pool.take()
    }

    /// Runs a translation that is not cached on one packet, with all that it causes.
    pub fn run(&mut self, translation: Translation, packet: Box<Packet>, now: Now) {
        self.outlet.now = now;
        let translation = Known::new(translation);
        self.spent.push(Spent {
            translation: translation.clone(),
            packets: 1,
            bytes: packet.len() as u64,
            last_used: now,
        });
        execute::execute(&translation.actions, packet, &mut self.outlet);
        self.due.push(translation);
        self.apply_effects();
        self.recirculate();
        self.outlet.flush();
    }

    /// Adds this worker's numbers of each port to `totals`.
    pub fn port_counters(&mut self, totals: &mut HashMap<PortNo, PortCounters>) {
        for port in &mut self.receivers {
            port.receiver.note_losses(&mut port.counters);
        }
        let received = self.receivers.iter().map(|p| (p.number, &p.counters));
        let retired = self.retired.iter().map(|(&number, c)| (number, c));
        for (number, counters) in received.chain(retired).chain(self.outlet.counters()) {
            add_counters(totals.entry(number).or_default(), counters);
        }
    }

    /// What this worker has done.
    pub fn numbers(&self) -> WorkerNumbers {
        WorkerNumbers {
            batches: self.batches,
            packets: self.packets,
            cache: self.cache.counters,
            cache_entries: self.cache.len(),
            cache_words: self.cache.layout().len(),
            drops: self.outlet.drops.clone(),
            stages: self.stages.clone(),
        }
    }

    /// Counts a panic and forgets what was in hand when it came.
    fn recover(&mut self) {
        self.outlet.drops.add(DropReason::Internal, 1);
        self.batch = Batch::with_capacity(BATCH_SIZE);
        self.missed.clear();
        self.missed_hashes.clear();
        self.stale.clear();
        self.groups = Groups::default();
        self.due.clear();
        self.cache.drop_groups();
    }

    /// One round, whatever happens in it.
    pub(crate) fn poll_safely(&mut self, now: Now) -> usize {
        let round = std::panic::AssertUnwindSafe(|| self.poll(now));
        match std::panic::catch_unwind(round) {
            Ok(moved) => moved,
            Err(_) => {
                self.recover();
                0
            }
        }
    }

    /// A device is lost for good: its port receives no more.
    fn lose_receiver(&mut self, place: usize, error: &std::io::Error) {
        let mut port = self.receivers.remove(place);
        port.receiver.note_losses(&mut port.counters);
        self.shared.events.push(Event {
            origin: 0,
            body: EventBody::PortError {
                port: port.number,
                text: error.to_string(),
            },
        });
        let retired = self.retired.entry(port.number).or_default();
        add_counters(retired, &port.counters);
    }
}

fn add_counters(total: &mut PortCounters, more: &PortCounters) {
    total.rx_packets += more.rx_packets;
    total.rx_bytes += more.rx_bytes;
    total.tx_packets += more.tx_packets;
    total.tx_bytes += more.tx_bytes;
    total.rx_errors += more.rx_errors;
    total.tx_errors += more.tx_errors;
    total.rx_drops.merge(&more.rx_drops);
    total.tx_drops.merge(&more.tx_drops);
}
