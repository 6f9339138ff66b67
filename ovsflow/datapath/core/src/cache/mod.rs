//! What makes the second packet cheap: one worker's cache from packets to translations.
//!
//! The pipeline keeps the *active mask*, the union of all bits that any rule looks at.  Two
//! packets that agree under it get the same translation, so one set-associative table keyed by
//! `key & active mask` is enough; the number of probes is one, whatever the traffic.  A key is
//! stored compactly: only the words in which the mask has bits ([`Layout`]).
//!
//! Staleness goes by number.  Each entry carries the generation it was proved under; when the
//! tables have moved on, [`Cache::probe`] says [`Probe::Stale`] and the caller proves it again for
//! the packet at hand.  Nothing is ever searched for victims.  Only when the layout itself changes
//! are the entries forgotten: each would have had to be proved again anyway.
//!
//! Counters live in the entry, and in its translation ([`Known`]) when the entry is replaced or gives way
//! to another, until they are collected as [`Spent`].
//!
//! Cost: a probe reads one line of signatures, then one key and one line of its entry.  A probe comes in
//! two halves, [`Cache::candidate`] and [`Cache::check`], so that a batch can do each half for all of
//! its packets and wait for memory once.  With more than [`WAYS`] keys in a set the table grows, up
//! to its limit; from then on the one of two that was unused for longer gives way, so that kinds
//! which come once cannot push out those that come all the time.  An attacker does not know the hash's
//! seed.

mod known;
mod layout;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use known::Known;
pub use layout::{CompactKey, Layout};

use crate::action::DpAction;
use crate::flow::{FlowKey, FlowMask};
use crate::time::Now;
use crate::translate::Draft;

/// Entries in a set.
pub const WAYS: usize = 8;

/// How long a layout may be wider than the active mask.
const SHRINK_AFTER: Duration = Duration::from_secs(1);

const NEVER: Now = Now(u64::MAX);

/// No entry, no group.
pub const NONE: u32 = u32::MAX;

/// One line of memory: what is in a set.
#[repr(align(64))]
#[derive(Clone, Debug)]
struct Set {
    /// Upper bits of the keys' hashes, four of 16 bits in each word; 0 for an empty way.
    signatures: [u64; WAYS / LANES],
    entries: [u32; WAYS],
}

/// Signatures in a word.
const LANES: usize = 4;

impl Set {
    const EMPTY: Self = Self {
        signatures: [0; WAYS / LANES],
        entries: [NONE; WAYS],
    };

    /// The first entry with a signature that is not 0; [`NONE`] if there is none.
    #[inline]
    fn find(&self, signature: u16) -> u32 {
        const ONES: u64 = 0x0001_0001_0001_0001;
        let wanted = u64::from(signature) * ONES;
        for (word, entries) in self.signatures.iter().zip(self.entries.chunks_exact(LANES)) {
            let differs = word ^ wanted;
            // The top bit of the first lane that is zero, and perhaps of some behind it.
            let same = differs.wrapping_sub(ONES) & !differs & (ONES << 15);
            if let Some(&entry) = entries.get(same.trailing_zeros() as usize / 16) {
                return entry;
            }
        }
        NONE
    }

    fn signature(&self, way: usize) -> u16 {
        (self.signatures[way / LANES] >> (way % LANES * 16)) as u16
    }

    fn put(&mut self, way: usize, signature: u16, entry: u32) {
        let shift = way % LANES * 16;
        let word = &mut self.signatures[way / LANES];
        *word = *word & !(0xffff << shift) | u64::from(signature) << shift;
        self.entries[way] = entry;
    }
}

/// A kind of packet, what to do with it, and what it has counted: one line of memory.
#[derive(Debug)]
#[repr(align(64))]
pub struct Entry {
    /// The translation's list, one step nearer.
    pub actions: Arc<[DpAction]>,
    /// What to do.
    pub translation: Arc<Known>,
    /// The generation under which `translation` was proved last.
    pub generation: u64,
    /// Since the counters were collected last.
    pub packets: u64,
    pub bytes: u64,
    pub last_used: Now,
    /// The group of the present batch that collects this entry's packets; [`NONE`] between batches.
    pub group: u32,
    /// Whether its place is among those with counters to collect.
    is_listed: bool,
}

/// Counters on their way to whom a translation credits.
#[derive(Clone, Debug)]
pub struct Spent {
    pub translation: Arc<Known>,
    pub packets: u64,
    pub bytes: u64,
    pub last_used: Now,
}

/// The answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// This entry, proved under the present generation.
    Hit(u32),
    /// This entry, to be proved again.
    Stale(u32),
    /// Not known.
    Miss,
}

/// What the cache did since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheCounters {
    pub hits: u64,
    pub stale: u64,
    pub misses: u64,
    /// Entries that gave way to others.
    pub evicted: u64,
    /// Times that all entries were forgotten because the active mask changed.
    pub rebuilt: u64,
}

/// One worker's cache.
#[derive(Debug)]
pub struct Cache {
    layout: Layout,
    sets: Vec<Set>,
    entries: Vec<Entry>,
    /// The compact keys, one behind the other, by entry number.
    keys: Vec<u64>,
    /// Places with counters to collect.
    used: Vec<u32>,
    /// Translations with counters of entries that are gone.
    banked: Vec<Arc<Known>>,
    /// Sets that there may be.
    most_sets: usize,
    /// When a layout that is too wide is given up.
    shrink_at: Now,
    pub counters: CacheCounters,
}

impl Cache {
    /// A cache for `capacity` kinds of packets (a power of two, at least [`WAYS`]).
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self::growing(capacity, capacity, seed)
    }

    /// A cache for `capacity` kinds of packets that may grow until it holds `most`.
    pub fn growing(capacity: usize, most: usize, seed: u64) -> Self {
        let sets = (capacity / WAYS).next_power_of_two().max(1);
        Self {
            most_sets: (most / WAYS).next_power_of_two().max(sets),
            layout: Layout::new(seed),
            shrink_at: NEVER,
            sets: vec![Set::EMPTY; sets],
            entries: Vec::new(),
            keys: Vec::new(),
            used: Vec::new(),
            banked: Vec::new(),
            counters: CacheCounters::default(),
        }
    }

    /// How keys are made compact.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Number of kinds of packets known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries that fit.
    pub fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// The entry of this number.
    #[inline]
    pub fn entry(&self, index: u32) -> &Entry {
        &self.entries[index as usize]
    }

    /// The entry of this number, to count or to prove again.
    #[inline]
    pub fn entry_mut(&mut self, index: u32) -> &mut Entry {
        &mut self.entries[index as usize]
    }

    /// Makes the layout cover `active`; forgets all entries if that changes it.
    ///
    /// Bits that are active no more stay for a while if there are entries: masks that come and go
    /// would have them forgotten each time.
    pub fn set_active_mask(&mut self, active: &FlowKey, now: Now) {
        if self.layout.set_active(active) {
            self.forget();
            self.shrink_at = NEVER;
        }
        if self.layout.is_wide() && self.is_empty() {
            self.shrink();
        } else if self.layout.is_wide() && self.shrink_at == NEVER {
            self.shrink_at = now.after(SHRINK_AFTER);
        }
    }

    /// Whether it is time to [`shrink`](Self::shrink).
    #[inline]
    pub fn should_shrink(&self, now: Now) -> bool {
        now >= self.shrink_at
    }

    /// Makes the layout no wider than the active mask; forgets all entries if that changes it.
    pub fn shrink(&mut self) {
        self.shrink_at = NEVER;
        if self.layout.shrink() {
            self.forget();
        }
    }

    /// The key of an entry, in its places; words that the layout lacks are left as they are.
    pub fn expand_key(&self, index: u32, key: &mut FlowKey) {
        let start = index as usize * self.layout.len();
        let words = self.keys.get(start..start + self.layout.len());
        self.layout.expand(words.unwrap_or_default(), key);
    }

    /// Takes in a translation's mask; forgets all entries if it has bits the layout lacks.
    pub fn cover(&mut self, mask: &FlowMask) {
        if self.layout.grow(mask) {
            self.forget();
        }
    }

    /// Whether the layout has all bits of a translation's mask.
    pub fn covers(&self, mask: &FlowMask) -> bool {
        self.layout.covers(mask)
    }

    /// Whether adding `key` would make an entry give way that has packets in hand.
    pub fn is_busy(&self, key: &CompactKey) -> bool {
        let set = self.set_of(key.hash);
        !self.sets[set].entries.contains(&NONE)
            && self.entry(self.victim(set, key.hash).1).group != NONE
    }

    /// Forgets which groups collect packets.
    pub fn drop_groups(&mut self) {
        for entry in &mut self.entries {
            entry.group = NONE;
        }
    }

    /// Looks a key up.
    pub fn probe(&self, key: &CompactKey, generation: u64) -> Probe {
        let set = &self.sets[self.set_of(key.hash)];
        let wanted = signature(key.hash);
        for (way, &index) in set.entries.iter().enumerate() {
            if set.signature(way) == wanted {
                match self.check(index, &key.words, generation) {
                    Probe::Miss => {}
                    found => return found,
                }
            }
        }
        Probe::Miss
    }

    /// The entry that a key of this hash most likely has; [`NONE`] if it has none.
    #[inline]
    pub fn candidate(&self, hash: u64) -> u32 {
        self.sets[self.set_of(hash)].find(signature(hash))
    }

    /// Whether an entry's key is the one that starts with `words`.  [`Probe::Miss`] for [`NONE`]; else
    /// another entry may have that key, which [`Self::probe`] finds.
    #[inline]
    pub fn check(&self, index: u32, words: &[u64], generation: u64) -> Probe {
        let Some(entry) = self.entries.get(index as usize) else {
            return Probe::Miss;
        };
        let start = index as usize * self.layout.len();
        let stored = &self.keys[start..start + self.layout.len()];
        let differs = |all, (a, b)| all | (a ^ b);
        // A call to compare so few words would cost more than they do.
        if stored.iter().zip(words).fold(0, differs) != 0 {
            Probe::Miss
        } else if entry.generation == generation {
            Probe::Hit(index)
        } else {
            Probe::Stale(index)
        }
    }

    /// Adds an entry for `key`, which must not be there; returns its number.
    pub fn insert(
        &mut self,
        key: &CompactKey,
        translation: Arc<Known>,
        generation: u64,
        now: Now,
    ) -> u32 {
        let entry = Entry {
            actions: translation.actions.clone(),
            translation,
            generation,
            packets: 0,
            bytes: 0,
            last_used: now,
            group: NONE,
            is_listed: false,
        };
        let mut set = self.set_of(key.hash);
        while !self.sets[set].entries.contains(&NONE) && self.grow() {
            set = self.set_of(key.hash);
        }
        let words = self.layout.len();
        let free = self.sets[set].entries.iter().position(|&e| e == NONE);
        let (way, index) = match free {
            Some(way) => {
                let index = self.entries.len() as u32;
                self.entries.push(entry);
                self.keys.extend_from_slice(&key.words[..words]);
                (way, index)
            }
            None => {
                let (way, index) = self.victim(set, key.hash);
                self.counters.evicted += 1;
                self.bank(index);
                let place = &mut self.entries[index as usize];
                let is_listed = place.is_listed;
                *place = Entry { is_listed, ..entry };
                let start = index as usize * words;
                self.keys[start..start + words].copy_from_slice(&key.words[..words]);
                (way, index)
            }
        };
        self.sets[set].put(way, signature(key.hash), index);
        index
    }

    /// Doubles the sets if they are half full and may be more; returns whether it did.
    fn grow(&mut self) -> bool {
        if self.sets.len() >= self.most_sets || self.entries.len() * 2 < self.capacity() {
            return false;
        }
        let words = self.layout.len();
        let old = std::mem::take(&mut self.sets);
        self.sets = vec![Set::EMPTY; old.len() * 2];
        for index in old.iter().flat_map(|set| set.entries) {
            if index == NONE {
                continue;
            }
            let start = index as usize * words;
            let hash = self.layout.hash(&self.keys[start..start + words]);
            // Keys of two new sets shared one old set, so there is room.
            let place = self.set_of(hash);
            let set = &mut self.sets[place];
            if let Some(way) = set.entries.iter().position(|&entry| entry == NONE) {
                set.put(way, signature(hash), index);
            }
        }
        true
    }

    /// Proves an entry under `generation` if `draft` is what it has already; false if not.
    pub fn confirm(&mut self, index: u32, draft: &Draft, generation: u64) -> bool {
        let entry = self.entry_mut(index);
        let same = draft.is(&entry.translation);
        if same {
            entry.generation = generation;
        }
        same
    }

    /// Gives an entry a new translation, proved under `generation`.
    pub fn replace(&mut self, index: u32, translation: Arc<Known>, generation: u64) {
        self.bank(index);
        let entry = self.entry_mut(index);
        entry.actions = translation.actions.clone();
        entry.translation = translation;
        entry.generation = generation;
    }

    /// Counts packets of an entry.
    #[inline]
    pub fn count(&mut self, index: u32, packets: u64, bytes: u64, now: Now) {
        let entry = &mut self.entries[index as usize];
        if !entry.is_listed {
            entry.is_listed = true;
            self.used.push(index);
        }
        entry.packets += packets;
        entry.bytes += bytes;
        entry.last_used = now;
    }

    /// Hands out all counters that were not collected yet.
    pub fn collect(&mut self, mut take: impl FnMut(Spent)) {
        while let Some(index) = self.used.pop() {
            self.entries[index as usize].is_listed = false;
            self.bank(index);
        }
        for known in self.banked.drain(..) {
            take(known.collect());
        }
    }

    /// Translations with counters of entries that are gone, waiting for collection.
    pub fn waiting(&self) -> usize {
        self.banked.len()
    }

    /// Moves an entry's counters to those that wait for collection.
    fn bank(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        let packets = std::mem::take(&mut entry.packets);
        let bytes = std::mem::take(&mut entry.bytes);
        if packets != 0 && entry.translation.bank(packets, bytes, entry.last_used) {
            self.banked.push(entry.translation.clone());
        }
    }

    /// The way and the entry that give way in a full set to a key of this hash: of two that the hash
    /// names, the one unused for longer, and if possible none with packets in hand.
    ///
    /// Each entry is a line of memory: to look at all would cost more than a better choice gains.
    fn victim(&self, set: usize, hash: u64) -> (usize, u32) {
        let set = &self.sets[set];
        let [first, second] = rivals(hash);
        let key = |way: &usize| {
            let entry = &self.entries[set.entries[*way] as usize];
            (entry.group != NONE, entry.last_used)
        };
        let way = if key(&first) <= key(&second) {
            first
        } else {
            second
        };
        (way, set.entries[way])
    }

    /// Reads what [`insert`](Self::insert) will look at for keys of these hashes, so that memory is
    /// waited for once, not once a key.
    pub fn touch(&self, hashes: &[u64]) -> u64 {
        let ways = hashes.iter().flat_map(|&hash| {
            let set = &self.sets[self.set_of(hash)];
            rivals(hash).map(|way| set.entries[way])
        });
        let words = self.layout.len();
        let seen = ways.map(|index| {
            let entry = self.entries.get(index as usize);
            let key = self.keys.get(index as usize * words);
            entry.map_or(0, |entry| entry.last_used.0) ^ key.copied().unwrap_or_default()
        });
        let seen = seen.fold(0, |all, one| all ^ one);
        hashes.iter().fold(seen, |all, &hash| {
            let set = self.set_of(hash);
            if self.sets[set].entries.contains(&NONE) {
                return all;
            }
            let entry = self.entry(self.victim(set, hash).1);
            all ^ Arc::strong_count(&entry.translation) as u64
        })
    }

    fn forget(&mut self) {
        for index in 0..self.entries.len() {
            self.bank(index as u32);
        }
        self.used.clear();
        self.entries.clear();
        self.keys.clear();
        self.sets.fill(Set::EMPTY);
        self.counters.rebuilt += 1;
    }

    fn set_of(&self, hash: u64) -> usize {
        hash as usize & (self.sets.len() - 1)
    }
}

/// The two ways of a full set of which one gives way to a key of this hash.
const fn rivals(hash: u64) -> [usize; 2] {
    let first = (hash >> 32) as usize % WAYS;
    let second = (first + 1 + (hash >> 40) as usize % (WAYS - 1)) % WAYS;
    [first, second]
}

/// The part of a hash that a set keeps; never 0.
const fn signature(hash: u64) -> u16 {
    (hash >> 48) as u16 | 1
}
