//! The journey of one batch: look up, group by translation, run.

use std::sync::Arc;

use super::effects::MAX_WAITING;
use super::groups::add_to_group;
use super::look_up::{LookUp, RUNT, Source};
use super::{MAX_RECIRCULATIONS, Stage, Worker};
use crate::cache::{CompactKey, Entry, Known, NONE, Probe};
use crate::error::DropReason;
use crate::execute::{self, MeterVerdict, Sink};
use crate::flow::extract::{Depth, extract};
use crate::flow::{FlowKey, FlowMask, slot};
use crate::openflow::action::MeterId;
use crate::packet::Batch;
use crate::table::Dependence;
use crate::translate;
use crate::worker::shared::State;

/// Groups that are run without a look ahead.
const FEW_GROUPS: usize = 4;

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
        if !self.due.is_empty() || self.cache.waiting() > MAX_WAITING {
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
        let source = Source {
            batch,
            layout,
            fragments: self.fragments.on_extract(),
        };
        let alike = found.read(source, &mut self.key);
        self.stages.end(Stage::Extract);
        if alike {
            self.look_up_one(&found, batch);
        } else {
            // Each loop waits for memory once, not once a packet.
            let candidates = found.hashes.iter().map(|&hash| self.cache.candidate(hash));
            found.candidates.clear();
            found.candidates.extend(candidates);
            if self.share_list(&found, len) {
                self.group_whole(&found, batch);
                self.look_up = found;
                return;
            }
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
                    _ => {
                        self.missed.push(packet);
                        self.missed_hashes.push(hash);
                    }
                }
            }
        }
        self.look_up = found;
    }

    /// Whether all packets of a batch are known, and have the same list.
    fn share_list(&self, found: &LookUp, len: usize) -> bool {
        let mut rest = &found.words[..];
        let mut list = None;
        found
            .hashes
            .iter()
            .zip(&found.candidates)
            .all(|(&hash, &candidate)| {
                let (words, behind) = rest.split_at(len);
                rest = behind;
                let Probe::Hit(entry) = self.cache.check(candidate, words, self.generation) else {
                    return false;
                };
                let its = self.cache.entry(entry).actions.as_ptr();
                hash != RUNT && *list.get_or_insert(its) == its
            })
    }

    /// Puts a batch of such packets into one group, and counts each for its entry.
    fn group_whole(&mut self, found: &LookUp, batch: &mut Batch) {
        self.cache.counters.hits += batch.len() as u64;
        for (packet, &entry) in batch.iter().zip(&found.candidates) {
            let bytes = packet.len() as u64;
            self.cache.count(entry, 1, bytes, self.outlet.now);
        }
        if let Some(&first) = found.candidates.first() {
            self.cache.entry_mut(first).group = self.groups.open_with(first, batch);
        }
    }

    /// Looks up a batch of packets that are all alike.
    fn look_up_one(&mut self, found: &LookUp, batch: &mut Batch) {
        let hash = found.hashes.first().copied().unwrap_or(RUNT);
        let candidate = self.cache.candidate(hash);
        match self.cache.check(candidate, &found.words, self.generation) {
            Probe::Hit(entry) if hash != RUNT => {
                self.cache.counters.hits += batch.len() as u64;
                let bytes = batch.iter().map(|packet| packet.len() as u64).sum();
                let packets = batch.len() as u64;
                self.cache.count(entry, packets, bytes, self.outlet.now);
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
        std::hint::black_box(self.cache.touch(&self.missed_hashes));
        self.missed_hashes.clear();
        let is_limited = self.outlet.meters.contains_key(&MeterId::SLOWPATH);
        for packet in missed.drain(..) {
            if is_limited && self.outlet.meter(MeterId::SLOWPATH, &packet) == MeterVerdict::Drop {
                self.outlet.lose(DropReason::Meter, packet);
                continue;
            }
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
        translate::translate_into(&state.context(), &self.key, &mut self.draft);
        if !self.cache.covers(self.draft.mask()) {
            self.run_groups();
            self.cache.cover(self.draft.mask());
            self.cache.layout().compact(&self.key, &mut compact);
            self.cache.counters.misses += 1;
            return self.remember(&compact, generation);
        }
        let Some(entry) = stale else {
            self.cache.counters.misses += 1;
            return self.remember(&compact, generation);
        };
        self.cache.counters.stale += 1;
        if self.cache.entry(entry).group != NONE {
            self.run_groups();
        }
        if self.cache.confirm(entry, &self.draft, generation) {
            let translation = &self.cache.entry(entry).translation;
            if !translation.effects.is_empty() {
                self.due.push(translation.clone());
            }
        } else {
            let translation = self.due_if_effective();
            self.cache.replace(entry, translation, generation);
        }
        entry
    }

    /// Adds an entry for what was decided last to the cache.
    fn remember(&mut self, key: &CompactKey, generation: u64) -> u32 {
        if self.cache.is_busy(key) {
            // The entry that gives way may have packets of this batch in its group.
            self.run_groups();
        }
        let translation = self.due_if_effective();
        self.cache
            .insert(key, translation, generation, self.outlet.now)
    }

    fn due_if_effective(&mut self) -> Arc<Known> {
        let translation = self.memo.share(&mut self.draft);
        if !translation.effects.is_empty() {
            self.due.push(translation.clone());
        }
        translation
    }

    /// Runs each group through its list.
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
            let entry = self.cache.entry_mut(group.entry);
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
            self.cache.cover(&recirculated);
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
    let dependence = Dependence {
        key,
        overwritten: &translation.overwritten,
        uses_fdb: translation.uses_fdb,
    };
    let visited = |table| translation.tables.contains(table);
    !state
        .pipeline
        .may_affect(entry.generation, &dependence, visited)
}
