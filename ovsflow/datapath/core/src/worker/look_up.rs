//! Keys of a batch: read, made compact and hashed, all before the first one is looked up.

use crate::cache::Layout;
use crate::flow::FlowKey;
use crate::flow::extract::{Depth, Fragments, MIN_FRAME, extract};
use crate::packet::Batch;

/// The hash of a frame shorter than an Ethernet header.
pub(super) const RUNT: u64 = 0;

/// Compact keys of a batch, one behind the other, their hashes, and the entries they seem to have.
#[derive(Debug, Default)]
pub(super) struct LookUp {
    pub(super) words: Vec<u64>,
    pub(super) hashes: Vec<u64>,
    pub(super) candidates: Vec<u32>,
}

impl LookUp {
    /// Reads the key of each packet; returns whether all are alike.
    pub(super) fn read(
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
