//! What the front tells and takes: plain values, copied out of the datapath.

use std::collections::BTreeMap;

use crate::error::{DropCounters, DropReason};
use crate::packet::PortNo;
use crate::port::PortCounters;
use crate::time::Now;

/// A port as it is now.
#[derive(Clone, Debug)]
pub struct PortView {
    pub number: PortNo,
    pub name: String,
    pub kind: String,
    pub options: BTreeMap<String, String>,
    pub hw_addr: [u8; 6],
    /// OFPPC_* of OpenFlow 1.3.
    pub config: u32,
    /// OFPPS_* of OpenFlow 1.3.
    pub state: u32,
    /// kbit/s; 0 if unknown.
    pub speed: u32,
    /// Bytes; 0 if unlimited.
    pub mtu: u32,
    /// How packets enter and leave, in words.
    pub backend: String,
    pub added: Now,
}

/// What to change of a port; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct PortChange {
    pub config: Option<u32>,
    pub state: Option<u32>,
    pub hw_addr: Option<[u8; 6]>,
    pub speed: Option<u32>,
    pub mtu: Option<u32>,
}

/// One port's numbers, summed over the workers.
#[derive(Clone, Debug)]
pub struct PortNumbers {
    pub number: PortNo,
    pub counters: PortCounters,
}

impl PortNumbers {
    /// Packets lost on the receive side.
    pub fn rx_dropped(&self) -> u64 {
        total(&self.counters.rx_drops)
    }

    /// Packets lost on the send side.
    pub fn tx_dropped(&self) -> u64 {
        total(&self.counters.tx_drops)
    }

    /// Reasons with a count, both sides summed.
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        DropReason::ALL
            .iter()
            .map(|&reason| {
                let counters = &self.counters;
                let count = counters.rx_drops.count(reason) + counters.tx_drops.count(reason);
                (reason.name(), count)
            })
            .filter(|&(_, count)| count > 0)
    }
}

fn total(drops: &DropCounters) -> u64 {
    let counts = DropReason::ALL.iter().map(|&reason| drops.count(reason));
    counts.sum()
}

/// One learned address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacRow {
    pub port: PortNo,
    pub vlan: u16,
    pub address: [u8; 6],
    pub age_seconds: u64,
}

/// A setting's value as the control plane gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    Flag(bool),
    Number(i64),
    Text(String),
}
