//! Things of the host that several ports share while any of them is open: one for each key.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What is open, by key; each lives as long as somebody holds it.
pub(super) struct Registry<K, V>(Mutex<Vec<(K, Weak<V>)>>);

impl<K: PartialEq, V> Registry<K, V> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// What `key` stands for, made by `open` if nobody has it.
    pub(super) fn share<E>(
        &self,
        key: K,
        open: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        // Each change of the list is one step, so what a panic left behind is whole.
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|(_, value)| value.strong_count() > 0);
        let known = list.iter().find(|(known, _)| *known == key);
        if let Some(value) = known.and_then(|(_, value)| value.upgrade()) {
            return Ok(value);
        }
        let value = Arc::new(open()?);
        list.push((key, Arc::downgrade(&value)));
        Ok(value)
    }
}

/// A number for the network namespace of the calling thread; 0 where /proc does not tell.
pub(super) fn network_namespace() -> u64 {
    fs::metadata("/proc/thread-self/ns/net").map_or(0, |entry| entry.ino())
}
