//! What controllers may want to hear of, on its way to the control thread: a bounded queue with a
//! descriptor to wait on.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::action::ControllerOut;
use crate::flow::FlowKey;
use crate::packet::PortNo;
use crate::port::Event as Flag;
use crate::table::Notice;

/// Events that wait at most; packets over it are counted as lost.
const QUEUE_LIMIT: usize = 8192;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// What the change that caused it was given as its origin; 0 if none did.
    pub origin: u64,
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventBody {
    /// A packet for controllers.
    PacketIn(Box<PacketForController>),
    /// A change of the tables has consequences.
    Table(Notice),
    /// A port's device is lost for good.
    PortError { port: PortNo, text: String },
}

/// A packet for controllers.
#[derive(Clone, Debug)]
pub struct PacketForController {
    pub out: Arc<ControllerOut>,
    /// Those who get it, by the control plane's numbers; `None` for everybody.
    pub listeners: Option<Box<[u64]>>,
    /// Ingress port, tunnel, metadata and registers.
    pub metadata: FlowKey,
    pub data: Vec<u8>,
    /// Length of the whole packet.
    pub total_len: usize,
}

/// Events in order.
pub struct EventQueue {
    waiting: Mutex<VecDeque<Event>>,
    flag: Flag,
}

impl EventQueue {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            waiting: Mutex::default(),
            flag: Flag::new()?,
        })
    }

    /// Adds an event; false when the queue is full.  Packets leave the last quarter of the queue to
    /// events that are not repeated.
    pub fn push(&self, event: Event) -> bool {
        let mut waiting = self.lock();
        let limit = match event.body {
            EventBody::PacketIn(_) => QUEUE_LIMIT - QUEUE_LIMIT / 4,
            _ => usize::MAX,
        };
        if waiting.len() >= limit {
            return false;
        }
        if waiting.is_empty() {
            self.flag.raise();
        }
        waiting.push_back(event);
        true
    }

    /// Makes the descriptor readable with no event: something may be due earlier than was told.
    pub fn wake(&self) {
        let waiting = self.lock();
        if waiting.is_empty() {
            self.flag.raise();
        }
    }

    /// Takes up to `limit` events.
    pub fn take(&self, limit: usize) -> Vec<Event> {
        let mut waiting = self.lock();
        let count = limit.min(waiting.len());
        let taken = waiting.drain(..count).collect();
        if waiting.is_empty() {
            self.flag.clear();
        }
        taken
    }

    /// Readable while events wait.
    pub fn fd(&self) -> RawFd {
        self.flag.as_raw_fd()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
