//! The front of the crate: what a control plane may ask.
//!
//! [`Datapath`] owns the tables and the workers and is safe to call from any thread.  What a
//! controller gets wrong comes back as OFPT_ERROR bytes; a [`Refusal`] is the caller's or the
//! host's trouble.  Nothing here touches a packet's bytes.

mod event;
mod view;

use std::collections::BTreeMap;
use std::io;

pub use event::{Event, PacketInFormat};
pub use view::{MacRow, PortChange, PortNumbers, PortView, Setting};

use crate::openflow::Version;
use crate::packet::PortNo;
use crate::time::Now;

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

/// One switch's packets, tables, caches and ports.
pub struct Datapath {
    name: String,
}

impl Datapath {
    /// Makes an empty datapath with `workers` threads; with none, packets move in the caller's.
    pub fn new(name: &str, datapath_id: u64, workers: usize) -> Result<Self, Refusal> {
        let _ = (datapath_id, workers);
        Ok(Self {
            name: name.to_owned(),
        })
    }

    /// Opens a port and starts to receive from it.
    pub fn add_port(
        &self,
        number: PortNo,
        name: &str,
        kind: &str,
        options: BTreeMap<String, String>,
        now: Now,
    ) -> Result<PortView, Refusal> {
        let _ = (number, options, now);
        let text = format!("{}: {name}: unknown port kind {kind:?}", self.name);
        Err(Refusal::Usage(text))
    }

    /// Closes a port.
    pub fn remove_port(&self, number: PortNo, now: Now) -> Result<(), Refusal> {
        let _ = now;
        Err(Refusal::NoSuchPort(number))
    }

    /// All ports, by number.
    pub fn ports(&self) -> Vec<PortView> {
        Vec::new()
    }

    /// Changes what is known of a port.
    pub fn set_port(&self, number: PortNo, change: &PortChange) -> Result<PortView, Refusal> {
        let _ = change;
        Err(Refusal::NoSuchPort(number))
    }

    /// The numbers of every port, by port number.
    pub fn port_counters(&self) -> Vec<PortNumbers> {
        Vec::new()
    }

    /// Applies whole messages in order; returns OFPT_ERROR messages.
    pub fn apply(
        &self,
        version: Version,
        messages: &[u8],
        now: Now,
        atomic: bool,
        origin: u64,
    ) -> Vec<u8> {
        let _ = (version, messages, now, atomic, origin);
        Vec::new()
    }

    /// Answers one step of a multipart request; returns whole replies and the next cursor.
    pub fn query(
        &self,
        version: Version,
        request: &[u8],
        now: Now,
        cursor: u64,
    ) -> (Vec<u8>, Option<u64>) {
        let _ = (version, request, now, cursor);
        (Vec::new(), None)
    }

    /// Lets a frame arrive at a port, as if its device had received it.
    pub fn execute(&self, port: PortNo, frame: &[u8], now: Now) -> Result<(), Refusal> {
        let _ = (frame, now);
        Err(Refusal::NoSuchPort(port))
    }

    /// Takes the frames that a memory port was given to send.
    pub fn receive(&self, port: PortNo) -> Result<Vec<Vec<u8>>, Refusal> {
        Err(Refusal::NoSuchPort(port))
    }

    /// Without workers: moves what is waiting at all ports; returns the number of packets.
    pub fn poll(&self, now: Now) -> usize {
        let _ = now;
        0
    }

    /// Takes up to `limit` waiting events.
    pub fn events(&self, limit: usize) -> Vec<Event> {
        let _ = limit;
        Vec::new()
    }

    /// A descriptor that is readable while events wait.
    pub fn event_fd(&self) -> i32 {
        -1
    }

    /// Expires flows and MAC addresses; returns when to call again.
    pub fn tick(&self, now: Now) -> Option<Now> {
        let _ = now;
        None
    }

    /// Changes settings.
    pub fn configure(&self, settings: &[(String, Setting)]) -> Result<(), Refusal> {
        match settings.first() {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::Usage(format!("unknown setting {name}"))),
        }
    }

    /// Walks the tables and tells the walk as JSON, with no effect on state.
    pub fn trace(
        &self,
        matching: &[u8],
        frame: Option<&[u8]>,
        now: Now,
    ) -> Result<String, Refusal> {
        let _ = (matching, frame, now);
        Ok("{}".to_owned())
    }

    /// Numbers of caches, drops, tables and workers as JSON.
    pub fn statistics(&self) -> String {
        "{}".to_owned()
    }

    /// What NORMAL has learned.
    pub fn mac_table(&self) -> Vec<MacRow> {
        Vec::new()
    }

    /// Stops the workers and closes all ports.
    pub fn close(&self) {}
}
