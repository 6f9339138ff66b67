//! Keys of a batch: read, made compact and hashed, all before the first one is looked up.

use crate::cache::Layout;
use crate::flow::FlowKey;
use crate::flow::extract::{Depth, Fragments, MIN_FRAME, extract, extract_plain};
use crate::packet::{Batch, Packet};

/// The hash of a frame shorter than an Ethernet header.
pub(super) const RUNT: u64 = 0;

/// Compact keys of a batch, one behind the other, their hashes, and the entries they seem to have.
#[derive(Debug, Default)]
pub(super) struct LookUp {
    pub(super) words: Vec<u64>,
    pub(super) hashes: Vec<u64>,
    pub(super) candidates: Vec<u32>,
}

/// What keys are read from, and how.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) batch: &'a Batch,
    pub(super) layout: &'a Layout,
    pub(super) fragments: Fragments,
}

impl LookUp {
    /// Reads the key of each packet, by way of `key`; returns whether all are alike.
    pub(super) fn read(&mut self, source: Source<'_>, key: &mut FlowKey) -> bool {
        let Source {
            batch,
            layout,
            fragments,
        } = source;
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
        let front = match len {
            1 => self.read_front::<1>(source, key),
            2 => self.read_front::<2>(source, key),
            3 => self.read_front::<3>(source, key),
            4 => self.read_front::<4>(source, key),
            5 => self.read_front::<5>(source, key),
            6 => self.read_front::<6>(source, key),
            _ => None,
        };
        front.unwrap_or_else(|| self.read_any(source, key))
    }

    /// Reads keys of any layout, of any packets.
    fn read_any(&mut self, source: Source<'_>, key: &mut FlowKey) -> bool {
        let (layout, len) = (source.layout, source.layout.len());
        let mut alike = true;
        let mut rest = &mut self.words[..];
        for packet in source.batch {
            let whole = extract(packet, layout.depth(), source.fragments, key);
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
            let mut keys = self.words[..source.batch.len() * len].chunks_exact(len.max(1));
            let first = keys.next().unwrap_or(&[]);
            let differs = |all, (a, b)| all | (a ^ b);
            // A call to compare so few words would cost more than they do.
            keys.all(|key| key.iter().zip(first).fold(0, differs) == 0)
        }
    }

    /// Reads keys of `N` words, at little cost for plain IPv4 packets; `None`, and nothing of worth in
    /// the keys, if the layout is another, or a packet is a runt.  Hashes are made where they are needed.
    fn read_front<const N: usize>(
        &mut self,
        source: Source<'_>,
        key: &mut FlowKey,
    ) -> Option<bool> {
        let Source {
            batch,
            layout,
            fragments,
        } = source;
        let (fields, depth) = (layout.front::<N>()?, layout.depth());
        let of = |words: &[u64]| {
            fields.map(|(word, mask)| words.get(usize::from(word)).map_or(0, |all| all & mask))
        };
        let keys = &mut self.words[..batch.len() * N];
        let (mut differs, mut last) = (0, None);
        for (packet, place) in batch.iter().zip(keys.chunks_exact_mut(N)) {
            let words = match extract_plain(packet, depth) {
                Some(front) if packet.tunnel.is_none() => of(&front),
                _ => of(extract_any(packet, depth, fragments, key)?),
            };
            place.copy_from_slice(&words);
            let before = last.replace(words).unwrap_or(words);
            differs |= (0..N).fold(0, |all, word| all | (words[word] ^ before[word]));
        }
        if differs == 0 {
            self.hashes
                .extend(keys.get(..N).map(|key| layout.hash(key)));
        } else {
            let hashes = keys.chunks_exact(N).map(|key| layout.hash(key));
            self.hashes.extend(hashes);
        }
        Some(differs == 0)
    }
}

/// All words of a packet of any kind; `None` for a runt.
#[inline(never)]
fn extract_any<'a>(
    packet: &Packet,
    depth: Depth,
    fragments: Fragments,
    key: &'a mut FlowKey,
) -> Option<&'a [u64]> {
    extract(packet, depth, fragments, key).then_some(&key.words[..])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::flow::{FlowMask, Slot, slot};
    use crate::packet::sample::{Random, Shape};
    use crate::packet::{PortNo, Tunnel};
    use crate::time::Now;

    /// Fields of the first words, and some of others.
    const FIELDS: [Slot; 14] = [
        slot::IN_PORT,
        slot::ETH_TYPE,
        slot::IP_PROTO,
        slot::ETH_DST,
        slot::VLAN_TCI,
        slot::ETH_SRC,
        slot::IPV4_SRC,
        slot::IPV4_DST,
        slot::TP_SRC,
        slot::TP_DST,
        slot::IP_TOS,
        slot::IP_FRAG,
        slot::TUN_ID,
        slot::IPV6_DST,
    ];

    /// A packet of any kind, mostly a plain one; seldom a runt.
    fn packet(random: &mut Random) -> Box<Packet> {
        let shape = match random.below(4) {
            0 => Shape::random(random),
            _ => Shape::plain(false, 17, vec![0; 12]),
        };
        let mut frame = shape.build(random);
        if random.one_in(8) {
            frame.truncate(random.below(40));
        }
        let mut packet = Packet::from_frame(&frame);
        packet.in_port = PortNo(1 + random.below(2) as u32);
        packet.tunnel = random.one_in(8).then(|| Tunnel {
            id: 5,
            ..Tunnel::default()
        });
        Box::new(packet)
    }

    #[test]
    fn test_a_batch_reads_what_its_packets_read_one_by_one() {
        for seed in 0..2_000 {
            let random = &mut Random::new(seed);
            let mut mask = FlowMask::default();
            for _ in 0..random.below(6) {
                let field = random.pick(&FIELDS);
                mask.set(field, field.ones());
            }
            let mut cache = Cache::new(8, seed);
            cache.set_active_mask(&mask, Now(0));
            let layout = cache.layout();
            let kinds: Vec<_> = (0..=random.below(3)).map(|_| packet(random)).collect();
            let one = |random: &mut Random| {
                let mut copy = Packet::with_capacity(0);
                copy.copy_from(&kinds[random.below(kinds.len())]);
                Box::new(copy)
            };
            let batch: Batch = (0..=random.below(8)).map(|_| one(random)).collect();
            let mut key = FlowKey::default();
            let expected: Vec<_> = batch
                .iter()
                .map(|packet| {
                    let whole = extract(packet, layout.depth(), Fragments::Normal, &mut key);
                    let mut words = vec![0; layout.len()];
                    let hash = layout.compact_into(&key, &mut words);
                    (if whole { hash } else { RUNT }, words)
                })
                .collect();
            let mut found = LookUp::default();
            let source = Source {
                batch: &batch,
                layout,
                fragments: Fragments::Normal,
            };
            let alike = found.read(source, &mut key);
            assert_eq!(
                alike,
                expected.iter().all(|one| *one == expected[0]),
                "{seed}"
            );
            let told = if alike { 1 } else { batch.len() };
            for (index, (hash, words)) in expected.iter().take(told).enumerate() {
                let start = index * layout.len();
                assert_eq!(found.hashes[index], *hash, "{seed}");
                assert_eq!(&found.words[start..start + layout.len()], words, "{seed}");
            }
        }
    }
}
