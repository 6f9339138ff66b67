//! Packets of one batch, grouped by what is to be done with them.

use crate::cache::{Cache, NONE};
use crate::packet::{Batch, Packet};
use crate::time::Now;

/// Packets of one batch that share a list of actions: those of one entry, and those of others
/// that came right behind and have the very same list.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) entry: u32,
    /// Packets and bytes of this entry.
    pub(super) own: u64,
    pub(super) bytes: u64,
    /// Where the list lies.
    list: usize,
    pub(super) packets: Batch,
}

/// The groups of the present batch; their buffers are kept from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) groups: Vec<Group>,
    pub(super) open: usize,
}

impl Groups {
    /// Opens a group for `entry`; returns its number.
    #[inline]
    fn open(&mut self, entry: u32, list: usize) -> u32 {
        if self.open == self.groups.len() {
            self.groups.push(Group::default());
        }
        let group = &mut self.groups[self.open];
        (group.entry, group.list) = (entry, list);
        (group.own, group.bytes) = (0, 0);
        self.open += 1;
        self.open as u32 - 1
    }

    /// Opens a group of `entry` that has all of `packets`, and leaves the batch empty.
    pub(super) fn open_with(&mut self, entry: u32, packets: &mut Batch) -> u32 {
        let number = self.open(entry, 0);
        let group = &mut self.groups[number as usize];
        group.own = packets.len() as u64;
        group.bytes = packets.iter().map(|packet| packet.len() as u64).sum();
        std::mem::swap(&mut group.packets, packets);
        number
    }

    #[inline]
    fn add(&mut self, group: u32, packet: Box<Packet>) {
        let group = &mut self.groups[group as usize];
        group.own += 1;
        group.bytes += packet.len() as u64;
        group.packets.push(packet);
    }

    /// The youngest group, if it has this list.
    #[inline]
    fn last_with(&mut self, list: usize) -> Option<&mut Group> {
        let last = self.open.checked_sub(1)?;
        self.groups.get_mut(last).filter(|group| group.list == list)
    }
}

/// Adds a packet to the group of its entry, or of its list.
#[inline]
pub(super) fn add_to_group(
    cache: &mut Cache,
    groups: &mut Groups,
    entry: u32,
    packet: Box<Packet>,
    now: Now,
) {
    let slot = cache.entry_mut(entry);
    if slot.group == NONE {
        let list = slot.actions.as_ptr() as usize;
        if let Some(group) = groups.last_with(list) {
            let bytes = packet.len() as u64;
            group.packets.push(packet);
            return cache.count(entry, 1, bytes, now);
        }
        slot.group = groups.open(entry, list);
    }
    groups.add(slot.group, packet);
}
