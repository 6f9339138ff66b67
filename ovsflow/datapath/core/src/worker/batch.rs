//! The journey of one batch: look up, group by translation, run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{MAX_RECIRCULATIONS, Stage, Worker};
use crate::cache::{Cache, CompactKey, Entry, Layout, NONE, Probe};
use crate::error::DropReason;
use crate::execute;
use crate::flow::extract::{Depth, Fragments, MIN_FRAME, extract};
use crate::flow::{FlowKey, FlowMask, KEY_WORDS, slot};
use crate::packet::{Batch, Packet};
use crate::table::Dependence;
use crate::time::Now;
use crate::translate::{self, Credit, SparseMask, Translation};
use crate::worker::shared::State;

/// Groups that are run without a look ahead.
const FEW_GROUPS: usize = 4;

/// The hash of a frame shorter than an Ethernet header.
const RUNT: u64 = 0;

/// What most translations write before a lookup.
const NOTHING: FlowMask = FlowMask {
    words: [0; KEY_WORDS],
};

/// Packets of one batch that share a list of actions: those of one entry, and those of others
/// that came right behind and have the very same list.
#[derive(Debug, Default)]
struct Group {
    entry: u32,
    /// Packets and bytes of this entry.
    own: u64,
    bytes: u64,
    /// Where the list lies.
    list: usize,
    packets: Batch,
}

/// The groups of the present batch; their buffers are kept from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    open: usize,
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
    fn open_with(&mut self, entry: u32, packets: &mut Batch) -> u32 {
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

/// Compact keys of a batch, one behind the other, their hashes, and the entries they seem to have.
#[derive(Debug, Default)]
pub(super) struct LookUp {
    words: Vec<u64>,
    hashes: Vec<u64>,
    candidates: Vec<u32>,
}

impl LookUp {
    /// Reads the key of each packet; returns whether all are alike.
    fn read(
        &mut self,
        batch: &Batch,
        layout: &Layout,
        fragments: Fragments,
        key: &mut FlowKey,
    ) -> bool {
        let len = layout.len();
        let all = batch.len() * len;
        if self.words.len() < all {
            self.words.resize(all, 0);
        }
        self.hashes.clear();
        if layout.depth() == Depth::Metadata && same_metadata(batch) {
            if let Some(packet) = batch.first() {
                extract(packet, Depth::Metadata, fragments, key);
                self.hashes.push(layout.compact_into(key, &mut self.words));
            }
            return true;
        }
        let mut alike = true;
        let mut rest = &mut self.words[..];
        for packet in batch {
            let whole = extract(packet, layout.depth(), fragments, key);
            let (words, behind) = rest.split_at_mut(len);
            let hash = layout.compact_into(key, words);
            // A runt is no kind of packet: it is told apart when it is missed.
            let hash = if whole { hash } else { RUNT };
            alike &= self.hashes.last().is_none_or(|&last| last == hash);
            self.hashes.push(hash);
            rest = behind;
        }
        // Equal hashes are no proof of equal keys.
        alike && {
            let mut keys = self.words[..all].chunks_exact(len.max(1));
            let first = keys.next().unwrap_or(&[]);
            let differs = |all, (a, b)| all | (a ^ b);
            // A call to compare so few words would cost more than they do.
            keys.all(|key| key.iter().zip(first).fold(0, differs) == 0)
        }
    }
}

/// Whether packets came by one port and no tunnel, and none is a runt.
fn same_metadata(batch: &Batch) -> bool {
    let Some(first) = batch.first() else {
        return false;
    };
    let port = first.in_port;
    batch.iter().all(|packet| {
        packet.in_port == port && packet.tunnel.is_none() && packet.len() >= MIN_FRAME
    })
}

/// Translations made of late: packets that the same rules match mostly get equal ones, which then
/// need memory once.
#[derive(Debug, Default)]
pub(super) struct Memo(Vec<Option<Arc<Translation>>>);

/// Translations remembered.
const MEMO: usize = 256;

impl Memo {
    /// The translation, or an equal one that is there already.
    fn share(&mut self, translation: Translation) -> Arc<Translation> {
        if self.0.is_empty() {
            self.0.resize(MEMO, None);
        }
        let mut hasher = DefaultHasher::new();
        for credit in &translation.credits {
            if let Credit::Rule(rule) = credit {
                rule.hash(&mut hasher);
            }
        }
        let place = hasher.finish();
        let slot = &mut self.0[place as usize % MEMO];
        match slot {
            Some(known) if **known == translation => known.clone(),
            _ => slot.insert(Arc::new(translation)).clone(),
        }
    }
}

impl Worker {
    /// Takes all packets of `batch` on their journey, up to the ports' queues.
    pub(super) fn process(&mut self, batch: &mut Batch) {
        self.batches += 1;
        self.packets += batch.len() as u64;
        if self.shared.generation() != self.generation {
            self.refresh();
        }
        if self.cache.should_shrink(self.outlet.now) {
            self.cache.shrink();
        }
        self.look_up(batch);
        self.stages.end(Stage::LookUp);
        if !self.stale.is_empty() || !self.missed.is_empty() {
            self.prove_stale();
            self.translate_missed();
            self.stages.end(Stage::Translate);
        }
        self.run_groups();
        self.stages.end(Stage::Execute);
        if !self.due.is_empty() {
            self.apply_effects();
            self.stages.end(Stage::Translate);
        }
        self.recirculate();
    }

    /// Takes over what changed with the tables.
    pub(super) fn refresh(&mut self) {
        let shared = self.shared.clone();
        let state = shared.read();
        self.generation = state.generation();
        self.fragments = state.settings.fragments;
        let active = state.pipeline.active_mask();
        self.cache.set_active_mask(active, self.outlet.now);
        let meters = state.pipeline.meters();
        self.outlet.meters = meters.map(|meter| (meter.id, meter.clone())).collect();
    }

    /// Groups the packets whose translation is known and sets the others aside.
    fn look_up(&mut self, batch: &mut Batch) {
        let mut found = std::mem::take(&mut self.look_up);
        let layout = self.cache.layout();
        let len = layout.len();
        let fragments = self.fragments.on_extract();
        let alike = found.read(batch, layout, fragments, &mut self.key);
        self.stages.end(Stage::Extract);
        if alike {
            self.look_up_one(&found, batch);
        } else {
            // Each loop waits for memory once, not once a packet.
            let candidates = found.hashes.iter().map(|&hash| self.cache.candidate(hash));
            found.candidates.clear();
            found.candidates.extend(candidates);
            let mut rest = &found.words[..];
            let hashes = found.hashes.iter().zip(&found.candidates);
            for (packet, (&hash, &candidate)) in batch.drain(..).zip(hashes) {
                let (words, behind) = rest.split_at(len);
                rest = behind;
                match self.cache.check(candidate, words, self.generation) {
                    Probe::Hit(entry) if hash != RUNT => {
                        self.cache.counters.hits += 1;
                        add_to_group(
                            &mut self.cache,
                            &mut self.groups,
                            entry,
                            packet,
                            self.outlet.now,
                        );
                    }
                    Probe::Stale(entry) if hash != RUNT => self.stale.push((entry, packet)),
                    _ => self.missed.push(packet),
                }
            }
        }
        self.look_up = found;
    }

    /// Looks up a batch of packets that are all alike.
    fn look_up_one(&mut self, found: &LookUp, batch: &mut Batch) {
        let hash = found.hashes.first().copied().unwrap_or(RUNT);
        let candidate = self.cache.candidate(hash);
        match self.cache.check(candidate, &found.words, self.generation) {
            Probe::Hit(entry) if hash != RUNT => {
                self.cache.counters.hits += batch.len() as u64;
                self.cache.entry_mut(entry).group = self.groups.open_with(entry, batch);
            }
            Probe::Stale(entry) if hash != RUNT => {
                let packets = batch.drain(..).map(|packet| (entry, packet));
                self.stale.extend(packets);
            }
            _ => self.missed.append(batch),
        }
    }

    /// Groups the packets whose entries no change since they were proved can have touched, and
    /// sets the others aside.  All that such a change looked at is in the entries' own keys.
    fn prove_stale(&mut self) {
        if self.stale.is_empty() {
            return;
        }
        let shared = self.shared.clone();
        let state = shared.read();
        let mut stale = std::mem::take(&mut self.stale);
        // Words that the layout lacks stay zero.
        let mut key = FlowKey::default();
        for (index, packet) in stale.drain(..) {
            // Tables that have changed again may look at bits that these keys lack.
            let is_proved = state.generation() == self.generation && {
                self.cache.expand_key(index, &mut key);
                still_holds(&state, self.cache.entry(index), &key)
            };
            if is_proved {
                self.cache.entry_mut(index).generation = self.generation;
                self.cache.counters.stale += 1;
                add_to_group(
                    &mut self.cache,
                    &mut self.groups,
                    index,
                    packet,
                    self.outlet.now,
                );
            } else {
                self.missed.push(packet);
            }
        }
        self.stale = stale;
    }

    /// Finds out what to do with the packets that were set aside, under one read lock.
    fn translate_missed(&mut self) {
        if self.missed.is_empty() {
            return;
        }
        let shared = self.shared.clone();
        let state = shared.read();
        let mut missed = std::mem::take(&mut self.missed);
        for packet in missed.drain(..) {
            if !extract(
                &packet,
                Depth::All,
                self.fragments.on_extract(),
                &mut self.key,
            ) {
                self.outlet.lose(DropReason::Malformed, packet);
                continue;
            }
            let entry = self.entry_for_key(&state);
            add_to_group(
                &mut self.cache,
                &mut self.groups,
                entry,
                packet,
                self.outlet.now,
            );
        }
        self.missed = missed;
    }

    /// The cache entry for the worker's key, proved under the tables' present generation.
    fn entry_for_key(&mut self, state: &State) -> u32 {
        let generation = state.generation();
        let mut compact = CompactKey::default();
        self.cache.layout().compact(&self.key, &mut compact);
        let stale = match self.cache.probe(&compact, generation) {
            // An earlier packet of this batch was of the same kind.
            Probe::Hit(entry) => {
                self.cache.counters.hits += 1;
                return entry;
            }
            Probe::Stale(entry) => Some(entry),
            Probe::Miss => None,
        };
        if let Some(entry) = stale
            && still_holds(state, self.cache.entry(entry), &self.key)
        {
            self.cache.entry_mut(entry).generation = generation;
            self.cache.counters.stale += 1;
            return entry;
        }
        let translation = translate::translate(&state.context(), &self.key);
        if !self.cache.covers(&translation.mask) {
            self.run_groups();
            self.cache.cover(&translation.mask);
            self.cache.layout().compact(&self.key, &mut compact);
            self.cache.counters.misses += 1;
            return self.remember(&compact, translation, generation);
        }
        let Some(entry) = stale else {
            self.cache.counters.misses += 1;
            return self.remember(&compact, translation, generation);
        };
        self.cache.counters.stale += 1;
        if self.cache.entry(entry).group != NONE {
            self.run_groups();
        }
        if self.cache.confirm(entry, &translation, generation) {
            let translation = &self.cache.entry(entry).translation;
            if !translation.effects.is_empty() {
                self.due.push(translation.clone());
            }
        } else {
            let translation = self.due_if_effective(translation);
            self.cache.replace(entry, translation, generation);
        }
        entry
    }

    /// Adds an entry to the cache.
    fn remember(&mut self, key: &CompactKey, translation: Translation, generation: u64) -> u32 {
        if self.cache.is_busy(key) {
            // The entry that gives way may have packets of this batch in its group.
            self.run_groups();
        }
        let translation = self.due_if_effective(translation);
        self.cache
            .insert(key, translation, generation, self.outlet.now)
    }

    fn due_if_effective(&mut self, translation: Translation) -> Arc<Translation> {
        let translation = self.memo.share(translation);
        if !translation.effects.is_empty() {
            self.due.push(translation.clone());
        }
        translation
    }

    /// Counts each group and runs it through its translation's list.
    pub(super) fn run_groups(&mut self) {
        let groups = &mut self.groups.groups[..self.groups.open];
        if groups.len() > FEW_GROUPS {
            // What all groups need is on its way before the first one waits for it.
            let lists = groups
                .iter()
                .map(|group| execute::touch(&self.cache.entry(group.entry).actions));
            std::hint::black_box(lists.fold(0, |all, one| all ^ one));
        }
        for group in groups {
            let entry = group.entry;
            self.cache
                .count(entry, group.own, group.bytes, self.outlet.now);
            let entry = self.cache.entry_mut(entry);
            entry.group = NONE;
            execute::execute_batch(&entry.actions, &mut group.packets, &mut self.outlet);
        }
        self.groups.open = 0;
    }

    /// Takes packets that were frozen on their next journey, each on its own.
    pub(super) fn recirculate(&mut self) {
        for _ in 0..MAX_RECIRCULATIONS {
            if self.outlet.recirculated.is_empty() {
                return;
            }
            let shared = self.shared.clone();
            let state = shared.read();
            let frozen = std::mem::take(&mut self.outlet.recirculated);
            // A packet that comes back must not be taken for a fresh one.
            let mut recirculated = FlowMask::default();
            recirculated.set(slot::RECIRC_ID, slot::RECIRC_ID.ones());
            self.cache.cover(&SparseMask::new(&recirculated));
            for (id, packet) in frozen {
                let fragments = self.fragments.on_extract();
                if !extract(&packet, Depth::All, fragments, &mut self.key) {
                    self.outlet.lose(DropReason::Malformed, packet);
                    continue;
                }
                self.key.set(slot::RECIRC_ID, u128::from(id));
                let entry = self.entry_for_key(&state);
                add_to_group(
                    &mut self.cache,
                    &mut self.groups,
                    entry,
                    packet,
                    self.outlet.now,
                );
            }
            drop(state);
            self.run_groups();
            self.apply_effects();
        }
        for (_, packet) in std::mem::take(&mut self.outlet.recirculated) {
            self.outlet.lose(DropReason::RecursionTooDeep, packet);
        }
    }
}

/// Whether no change since an entry was proved can have touched packets of this key.
fn still_holds(state: &State, entry: &Entry, key: &FlowKey) -> bool {
    let translation = &entry.translation;
    if entry.generation == state.generation() {
        return true;
    }
    if translation.learns() {
        // What was learned may be gone: only a walk learns it again.
        return false;
    }
    let overwritten;
    let dependence = Dependence {
        key,
        overwritten: if translation.overwritten.is_empty() {
            &NOTHING
        } else {
            overwritten = translation.overwritten.to_mask();
            &overwritten
        },
        uses_fdb: translation.uses_fdb,
    };
    let visited = |table| translation.tables.contains(table);
    !state
        .pipeline
        .may_affect(entry.generation, &dependence, visited)
}

/// Adds a packet to the group of its entry, or of its list.
#[inline]
fn add_to_group(cache: &mut Cache, groups: &mut Groups, entry: u32, packet: Box<Packet>, now: Now) {
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
