//! Packets of one batch, grouped by what is to be done with them.
//!
//! Packets of one kind stay in order: once their group is open they go there, and a kind without a
//! group of its own goes to the youngest group that is known to have its list.

use crate::cache::{Cache, NONE};
use crate::packet::{Batch, Packet};
use crate::time::Now;

/// Packets of one batch that share a list of actions: those of one entry, and those of others that
/// have the very same list.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// One of these entries.
    pub(super) entry: u32,
    /// Where the list lies.
    list: usize,
    pub(super) packets: Batch,
}

/// The groups of the present batch; their buffers are kept from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) groups: Vec<Group>,
    pub(super) open: usize,
    /// The youngest group of a list that has a place here.
    by_list: [u32; LISTS],
}

/// Lists whose groups are found again.
const LISTS: usize = 16;

impl Groups {
    /// Opens a group for `entry`; returns its number.
    #[inline]
    fn open(&mut self, entry: u32, list: usize) -> u32 {
        if self.open == self.groups.len() {
            self.groups.push(Group::default());
        }
        let group = &mut self.groups[self.open];
        (group.entry, group.list) = (entry, list);
        self.by_list[place_of(list)] = self.open as u32;
        self.open += 1;
        self.open as u32 - 1
    }

    /// Opens a group for the list of `entry` that has all of `packets`, and leaves the batch empty.
    pub(super) fn open_with(&mut self, entry: u32, packets: &mut Batch) -> u32 {
        let number = self.open(entry, 0);
        let group = &mut self.groups[number as usize];
        std::mem::swap(&mut group.packets, packets);
        number
    }

    /// An open group that has this list.
    #[inline]
    fn with(&mut self, list: usize) -> Option<&mut Group> {
        let number = self.by_list[place_of(list)] as usize;
        let open = self.groups.get_mut(..self.open)?;
        open.get_mut(number).filter(|group| group.list == list)
    }
}

/// Counts a packet for its entry, and adds it to the group of that entry or of its list.
#[inline]
pub(super) fn add_to_group(
    cache: &mut Cache,
    groups: &mut Groups,
    entry: u32,
    packet: Box<Packet>,
    now: Now,
) {
    cache.count(entry, 1, packet.len() as u64, now);
    let slot = cache.entry_mut(entry);
    if slot.group == NONE {
        let list = slot.actions.as_ptr() as usize;
        if let Some(group) = groups.with(list) {
            return group.packets.push(packet);
        }
        slot.group = groups.open(entry, list);
    }
    groups.groups[slot.group as usize].packets.push(packet);
}

/// Where the group of a list is looked for.
const fn place_of(list: usize) -> usize {
    // Lists are some 32 bytes apart at least.
    ((list >> 5) ^ (list >> 9)) % LISTS
}
