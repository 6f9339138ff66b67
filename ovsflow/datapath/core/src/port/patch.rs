//! Patch ports: two ports of this process, maybe of two datapaths, joined back to back.
//!
//! Each names its peer in option `peer`; packets cross while both are open and name each other.
//! What crosses keeps its offloads and loses its tunnel metadata: to the other side it is a
//! packet like any.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::fit::lose;
use super::open::{OpenError, OpenPort, PortFacts, Request, STATE_LIVE, SenderFactory};
use super::queue::{QUEUE_LIMIT, Queue};
use super::{BATCH_SIZE, Batch, Intake, PortCounters, Receiver, Sender};
use crate::error::DropReason;
use crate::packet::{Pool, PortNo};
use crate::time::Now;

/// Patch ports that are open, by name.
static OPEN: Mutex<BTreeMap<String, Weak<End>>> = Mutex::new(BTreeMap::new());

/// One of two joined ports.
struct End {
    name: String,
    peer: String,
    /// Packets from the peer.
    queue: Queue,
}

impl End {
    /// The port at the other end, if it is there and wants us.
    fn other(&self) -> Option<Arc<Self>> {
        let other = open_ends().get(&self.peer)?.upgrade()?;
        (other.peer == self.name).then_some(other)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        open_ends().retain(|_, end| end.strong_count() > 0);
    }
}

/// Opens a patch port.  Options: `peer`, the name of the other port, which may open later.
pub(super) fn open(request: &mut Request<'_>) -> Result<OpenPort, OpenError> {
    let peer = request.options.text("peer").unwrap_or("").to_owned();
    request.options.finish()?;
    if peer.is_empty() {
        return Err(OpenError::invalid("a patch port needs option peer"));
    }
    if peer == request.name {
        return Err(OpenError::invalid(format!("peer={peer}: the port itself")));
    }
    let end = Arc::new(End {
        name: request.name.to_owned(),
        queue: Queue::new(QUEUE_LIMIT)?,
        peer,
    });
    let mut ends = open_ends();
    if ends
        .get(request.name)
        .is_some_and(|end| end.strong_count() > 0)
    {
        // The lock is let go first: dropping the new end takes it.
        drop(ends);
        let name = request.name;
        return Err(OpenError::invalid(format!("patch port {name:?} exists")));
    }
    ends.insert(request.name.to_owned(), Arc::downgrade(&end));
    drop(ends);
    let receiver = PatchReceiver {
        number: request.number,
        end: end.clone(),
    };
    Ok(OpenPort {
        receivers: vec![Box::new(receiver)],
        facts: PortFacts {
            state: STATE_LIVE,
            ..PortFacts::default()
        },
        backend: Box::new(format!("patch to {}", end.peer)),
        sender: Box::new(PatchSenders(end)),
        memory: None,
    })
}

fn open_ends() -> MutexGuard<'static, BTreeMap<String, Weak<End>>> {
    // Each change of the map is one step, so what a panic left behind is whole.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct PatchReceiver {
    number: PortNo,
    end: Arc<End>,
}

impl Receiver for PatchReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.end.queue.fd())
    }

    fn receive(&mut self, _now: Now, intake: &mut Intake<'_>) -> io::Result<bool> {
        let first = intake.batch.len();
        let more = self.end.queue.pop(BATCH_SIZE, intake.batch);
        for packet in intake.batch.iter_mut().skip(first) {
            packet.in_port = self.number;
            packet.tunnel = None;
            intake.counters.rx_packets += 1;
            intake.counters.rx_bytes += packet.len() as u64;
        }
        Ok(more)
    }
}

struct PatchSenders(Arc<End>);

impl SenderFactory for PatchSenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(PatchSender {
            end: self.0.clone(),
            other: Weak::new(),
        }))
    }
}

struct PatchSender {
    end: Arc<End>,
    /// The other end when it was last found.
    other: Weak<End>,
}

impl Sender for PatchSender {
    fn send(
        &mut self,
        _now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        let other = self.other.upgrade().or_else(|| self.end.other());
        let reason = match &other {
            Some(other) => {
                self.other = Arc::downgrade(other);
                let bytes = |packets: &Batch| packets.iter().map(|p| p.len() as u64).sum::<u64>();
                let (count, before) = (packets.len() as u64, bytes(packets));
                other.queue.push(packets);
                counters.tx_packets += count - packets.len() as u64;
                counters.tx_bytes += before - bytes(packets);
                DropReason::PatchQueueFull
            }
            None => DropReason::PortDown,
        };
        for packet in packets.drain(..) {
            lose(reason, counters);
            pool.give(packet);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::packet::{Packet, Tunnel};
    use crate::port::lab::{open_with, refused, send, wait_and_receive};

    fn packet() -> Packet {
        let mut packet = Packet::from_frame(&[7; 60]);
        packet.offload.verified = true;
        packet.tunnel = Some(Tunnel::default());
        packet
    }

    #[test]
    fn test_packets_cross_while_both_ends_name_each_other() {
        let near = open_with("patch", 1, "pa", "peer=pb").unwrap();
        let lost = |port: &OpenPort| send(port, packet()).tx_drops.count(DropReason::PortDown);
        assert_eq!(lost(&near), 1);
        let stranger = open_with("patch", 2, "pb", "peer=pc").unwrap();
        assert_eq!(lost(&near), 1);
        drop(stranger);
        let mut far = open_with("patch", 3, "pb", "peer=pa").unwrap();
        assert_eq!(send(&near, packet()).tx_packets, 1);
        let mut counters = PortCounters::default();
        let got = wait_and_receive(&mut far, &mut counters);
        assert_eq!((got[0].in_port.0, got[0].tunnel), (3, None));
        assert!(got[0].offload.verified);
        assert_eq!((counters.rx_packets, counters.rx_bytes), (1, 60));
        drop(far);
        assert_eq!(lost(&near), 1);
    }

    #[test]
    fn test_names_are_taken_once_and_peers_are_needed() {
        let first = open_with("patch", 1, "pd", "peer=pe").unwrap();
        assert!(refused(open_with("patch", 2, "pd", "peer=pe")).contains("\"pd\" exists"));
        drop(first);
        open_with("patch", 2, "pd", "peer=pe").unwrap();
        assert!(refused(open_with("patch", 1, "pf", "")).contains("peer"));
        assert!(refused(open_with("patch", 1, "pf", "peer=pf")).contains("itself"));
    }
}
