//! What workers and the control thread share: the tables, their generation, the events.
//!
//! Lock order: a worker's own lock before the tables' lock before the event queue's.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::audience::Audience;
use super::events::EventQueue;
use crate::table::Pipeline;
use crate::time::Now;
use crate::translate::{Context, FrozenWalks, Settings};

/// The tables, and the settings that change what a walk decides.
#[derive(Debug, Default)]
pub struct State {
    pub pipeline: Pipeline,
    pub settings: Settings,
    pub frozen: FrozenWalks,
}

impl State {
    /// What a walk may look at.
    pub const fn context(&self) -> Context<'_> {
        Context {
            pipeline: &self.pipeline,
            settings: &self.settings,
            frozen: &self.frozen,
        }
    }

    /// Rises with every change that could alter a translation.
    pub const fn generation(&self) -> u64 {
        self.pipeline.generation()
    }

    /// Changes settings.
    pub fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.pipeline.settings_changed();
    }
}

/// Shared by all threads of one datapath.
pub struct Shared {
    state: RwLock<State>,
    /// The generation of `state`, readable without its lock.
    generation: AtomicU64,
    pub events: EventQueue,
    pub audience: Audience,
    now: AtomicU64,
}

impl Shared {
    /// An empty switch.
    pub fn new() -> std::io::Result<Self> {
        let state = State::default();
        Ok(Self {
            generation: AtomicU64::new(state.generation()),
            state: RwLock::new(state),
            events: EventQueue::new()?,
            audience: Audience::default(),
            now: AtomicU64::new(0),
        })
    }

    /// The generation of the tables: a packet received after a change sees the new one.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The latest time that anybody has told.
    pub fn now(&self) -> Now {
        Now(self.now.load(Ordering::Relaxed))
    }

    /// Notes the time.
    pub fn saw(&self, now: Now) {
        self.now.fetch_max(now.0, Ordering::Relaxed);
    }

    /// The tables, to look at.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tables, to change; the generation is published when the guard goes.
    pub fn write(&self) -> Writing<'_> {
        Writing {
            state: self.state.write().unwrap_or_else(PoisonError::into_inner),
            generation: &self.generation,
        }
    }
}

/// Exclusive hold of the tables.
pub struct Writing<'a> {
    state: RwLockWriteGuard<'a, State>,
    generation: &'a AtomicU64,
}

impl Deref for Writing<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.generation
            .store(self.state.generation(), Ordering::Release);
    }
}
