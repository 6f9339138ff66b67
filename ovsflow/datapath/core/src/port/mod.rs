//! Devices: where packets come from and go to.  One file a kind; `sys` alone talks to the
//! operating system and alone may use `unsafe`.
//!
//! A port is two halves.  A [`Receiver`] is owned by one worker.  A [`Sender`] exists once for each
//! worker, so that no lock is taken to send.  Halves share what they must (a socket, a queue)
//! inside their own kind's file.  [`open`] makes both from a kind, a name and options in words.
//!
//! Offloads stay with the packet: a device that hands over a super-frame or leaves a checksum to
//! fill in says so in [`Packet::offload`], and a device that cannot take one gets it cut or
//! filled in by its [`Sender`].

mod bundle;
mod fit;
#[cfg(test)]
mod hole;
#[cfg(test)]
mod lab;
mod memory;
mod open;
mod options;
mod partial;
mod patch;
mod pcap;
mod queue;
mod registry;
mod replay;
#[cfg(test)]
mod sharing;
mod shorten;
mod sys;
mod system;
mod tap;
mod tunnel;
mod virtio;
mod vxlan;
mod way;

use std::io;
use std::os::fd::RawFd;

pub use crate::packet::{Batch, Key, Local, Remote, TunnelConfig, VXLAN_PORT};
pub use memory::MemoryPort;
pub use open::{Backend, OpenError, OpenPort, PortFacts, SenderFactory, open};
pub(crate) use sys::{Event, Poller, monotonic_now};

use crate::error::DropCounters;
use crate::packet::{Pool, TunnelOut};
use crate::time::Now;

/// Most packets taken from one port at a time.
pub const BATCH_SIZE: usize = 64;

/// What a port moved, lost and saw go wrong: the numbers of OFPMP_PORT_STATS.
#[derive(Clone, Debug, Default)]
pub struct PortCounters {
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    /// Packets lost here, by reason; receive and send sides sum up their own reasons.
    pub rx_drops: DropCounters,
    pub tx_drops: DropCounters,
}

/// What a receiver fills, and what it takes from.
pub struct Intake<'a> {
    /// Empty packets.
    pub pool: &'a mut Pool,
    /// Where packets go.
    pub batch: &'a mut Batch,
    /// The receiver's own.
    pub counters: &'a mut PortCounters,
}

/// The receiving half of a port.
pub trait Receiver: Send {
    /// What to wait on in epoll, level triggered; `None` for a port that never wakes anybody by
    /// itself.  It stays the receiver's own and the same for the receiver's life.
    fn fd(&self) -> Option<RawFd>;

    /// Appends what has arrived, at most [`BATCH_SIZE`] packets, to the batch; never blocks.
    ///
    /// Sets each packet's `in_port`, `offload` and `tunnel`; counts packets, bytes and drops.
    /// Packets of the pool should have room for [`crate::packet::LARGE_FRAME`] bytes: a device
    /// may hand over a super-frame.  Returns whether there may be more at once.  An error means
    /// that the device is lost for good; what is only wrong for now is counted.
    fn receive(&mut self, now: Now, intake: &mut Intake<'_>) -> io::Result<bool>;

    /// Counts packets that the host has lost since the last call because nobody read them in time.
    ///
    /// Asked for when somebody wants to see the counters, not for each batch.
    fn note_losses(&mut self, _counters: &mut PortCounters) {}

    /// The worker found nothing at any of its ports and may sleep: whoever goes by the clock sees
    /// to it that [`Self::fd`] wakes it.  An error is as one of [`Self::receive`].
    fn rest(&mut self, _now: Now) -> io::Result<()> {
        Ok(())
    }
}

/// The sending half of a port, one for each worker.
pub trait Sender: Send {
    /// Sends all of `packets`, in order, and empties it; never blocks.
    ///
    /// A packet that the device cannot take as it is (a super-frame, a checksum to fill in) is
    /// made fit first.  Lost packets are counted by reason; every packet goes back to `pool`
    /// unless the device keeps it.
    fn send(&mut self, now: Now, packets: &mut Batch, pool: &mut Pool, counters: &mut PortCounters);

    /// Takes packets that share their tunnel ahead of the [`Self::send`] of this round, which always
    /// follows; what that has in hand is sent behind them.  `false`, and nothing taken, from
    /// whoever gains nothing by it.
    fn encapsulate(&mut self, _tunnel: &TunnelOut, _packets: &mut Batch) -> bool {
        false
    }
}
