//! Where NORMAL has seen MAC addresses: (VLAN, address) -> port, least recently seen first out.
//!
//! Entries form a list in the order in which they were last seen, so that aging and eviction
//! look at its head only.

use std::collections::HashMap;
use std::time::Duration;

use crate::packet::PortNo;
use crate::time::Now;

/// Addresses remembered unless told otherwise.
const DEFAULT_CAPACITY: usize = 8192;

/// Age at which an address is forgotten unless told otherwise.
const DEFAULT_AGING: Duration = Duration::from_secs(300);

const NONE: u32 = u32::MAX;

/// One learned address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdbEntry {
    /// VLAN id, 0 for untagged.
    pub vlan: u16,
    /// The address in the low 48 bits.
    pub mac: u64,
    pub port: PortNo,
    /// When a packet from this address was last seen.
    pub seen: Now,
}

#[derive(Clone, Debug)]
struct Node {
    entry: FdbEntry,
    older: u32,
    newer: u32,
}

/// The table of learned addresses.
#[derive(Clone, Debug)]
pub struct Fdb {
    index: HashMap<(u16, u64), u32>,
    nodes: Vec<Node>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    capacity: usize,
    aging: Duration,
}

impl Default for Fdb {
    fn default() -> Self {
        Self {
            index: HashMap::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            capacity: DEFAULT_CAPACITY,
            aging: DEFAULT_AGING,
        }
    }
}

impl Fdb {
    /// The port behind which `mac` lives.
    pub fn lookup(&self, vlan: u16, mac: u64) -> Option<PortNo> {
        self.entry(vlan, mac).map(|entry| entry.port)
    }

    /// What is known of `mac`.
    pub fn entry(&self, vlan: u16, mac: u64) -> Option<FdbEntry> {
        let node = *self.index.get(&(vlan, mac))?;
        Some(self.nodes.get(node as usize)?.entry)
    }

    /// Whether learning this would change more than the time of an entry.
    pub fn is_news(&self, vlan: u16, mac: u64, port: PortNo) -> bool {
        self.lookup(vlan, mac) != Some(port)
    }

    /// All entries, the longest unseen first.
    pub fn iter(&self) -> impl Iterator<Item = &FdbEntry> {
        let mut next = self.oldest;
        std::iter::from_fn(move || {
            let node = self.nodes.get(next as usize)?;
            next = node.newer;
            Some(&node.entry)
        })
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Age at which addresses are forgotten.
    pub const fn aging(&self) -> Duration {
        self.aging
    }

    pub(super) const fn set_aging(&mut self, aging: Duration) {
        self.aging = aging;
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
        while self.len() > self.capacity {
            self.forget(self.oldest);
        }
    }

    /// Notes that a packet from `mac` came in at `port`; returns whether that is news.
    /// A multicast source is not learned.
    pub(super) fn learn(&mut self, vlan: u16, mac: u64, port: PortNo, now: Now) -> bool {
        if mac >> 40 & 1 != 0 {
            return false;
        }
        if let Some(&node) = self.index.get(&(vlan, mac)) {
            self.unlink(node);
            let entry = &mut self.nodes[node as usize].entry;
            let news = entry.port != port;
            entry.port = port;
            entry.seen = entry.seen.max(now);
            self.link_newest(node);
            return news;
        }
        if self.len() >= self.capacity {
            self.forget(self.oldest);
        }
        let node = Node {
            entry: FdbEntry {
                vlan,
                mac,
                port,
                seen: now,
            },
            older: NONE,
            newer: NONE,
        };
        let slot = if let Some(slot) = self.free.pop() {
            self.nodes[slot as usize] = node;
            slot
        } else {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        };
        self.index.insert((vlan, mac), slot);
        self.link_newest(slot);
        true
    }

    /// Forgets what was not seen for the aging time; returns how many, and when to ask again.
    pub(super) fn expire(&mut self, now: Now) -> (usize, Option<Now>) {
        let before = self.len();
        while let Some(node) = self.nodes.get(self.oldest as usize) {
            let due = node.entry.seen.after(self.aging);
            if due > now {
                return (before - self.len(), Some(due));
            }
            self.forget(self.oldest);
        }
        (before, None)
    }

    /// When the address seen longest ago is to be forgotten.
    pub(super) fn next_expiry(&self) -> Option<Now> {
        let oldest = self.nodes.get(self.oldest as usize)?;
        Some(oldest.entry.seen.after(self.aging))
    }

    /// Forgets everything seen at `port`, or everything; returns how many.
    pub(super) fn flush(&mut self, port: Option<PortNo>) -> usize {
        let victims: Vec<u32> = self
            .index
            .values()
            .copied()
            .filter(|&node| port.is_none_or(|port| self.nodes[node as usize].entry.port == port))
            .collect();
        for &node in &victims {
            self.forget(node);
        }
        victims.len()
    }

    fn forget(&mut self, node: u32) {
        self.unlink(node);
        let entry = self.nodes[node as usize].entry;
        self.index.remove(&(entry.vlan, entry.mac));
        self.free.push(node);
    }

    fn unlink(&mut self, node: u32) {
        let Node { older, newer, .. } = self.nodes[node as usize];
        match self.nodes.get_mut(older as usize) {
            Some(neighbour) => neighbour.newer = newer,
            None => self.oldest = newer,
        }
        match self.nodes.get_mut(newer as usize) {
            Some(neighbour) => neighbour.older = older,
            None => self.newest = older,
        }
    }

    fn link_newest(&mut self, node: u32) {
        let newest = self.newest;
        self.nodes[node as usize].older = newest;
        self.nodes[node as usize].newer = NONE;
        match self.nodes.get_mut(newest as usize) {
            Some(neighbour) => neighbour.newer = node,
            None => self.oldest = node,
        }
        self.newest = node;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unseen_goes_first() {
        let mut fdb = Fdb::default();
        fdb.set_capacity(2);
        assert!(fdb.learn(0, 1, PortNo(1), Now::from_secs(1)));
        assert!(fdb.learn(0, 2, PortNo(2), Now::from_secs(2)));
        assert!(!fdb.learn(0, 1, PortNo(1), Now::from_secs(3)));
        assert!(fdb.learn(5, 1, PortNo(3), Now::from_secs(4)));
        assert_eq!(fdb.lookup(0, 2), None);
        assert_eq!(fdb.lookup(0, 1), Some(PortNo(1)));
        assert_eq!(fdb.lookup(5, 1), Some(PortNo(3)));
        assert_eq!(
            fdb.expire(Now::from_secs(303)),
            (1, Some(Now::from_secs(304)))
        );
        assert_eq!(fdb.expire(Now::from_secs(304)), (1, None));
        assert!(fdb.is_empty());
    }

    #[test]
    fn a_moved_address_is_news_and_a_multicast_source_is_none() {
        let mut fdb = Fdb::default();
        assert!(fdb.learn(0, 7, PortNo(1), Now(0)));
        assert!(fdb.is_news(0, 7, PortNo(2)));
        assert!(fdb.learn(0, 7, PortNo(2), Now(1)));
        assert!(!fdb.learn(0, 0x0100_0000_0000, PortNo(1), Now(1)));
        assert_eq!(fdb.flush(Some(PortNo(1))), 0);
        assert_eq!(fdb.flush(Some(PortNo(2))), 1);
        assert_eq!(fdb.iter().count(), 0);
    }
}
