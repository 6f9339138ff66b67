//! Masks, interned: each distinct mask of a table exists once, as the short list of its words.
//!
//! A rule keeps only the words of its match that its mask has bits in, packed in the order of
//! [`Shape::words`].  Hashes are seeded, so that nobody outside can aim keys at one bucket.

use crate::flow::{FlowKey, FlowMask};
use crate::openflow::modify::Match;

/// One word of a mask that has bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MaskWord {
    pub(super) index: u8,
    pub(super) bits: u64,
}

/// A mask as the list of its non-zero words, in the order of their indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) words: Box<[MaskWord]>,
}

impl Shape {
    pub(super) fn new(mask: &FlowMask) -> Self {
        let words = mask.words.iter().enumerate();
        Self {
            words: words
                .filter(|&(_, &bits)| bits != 0)
                .map(|(index, &bits)| MaskWord {
                    index: index as u8,
                    bits,
                })
                .collect(),
        }
    }

    /// Whether this is the shape of `mask`.
    #[inline]
    pub(super) fn is_of(&self, mask: &FlowMask) -> bool {
        // Without branches: many words at once.
        let is_used = |&word: &u64| (word | word.wrapping_neg()) >> 63;
        let used = mask.words.iter().map(is_used).sum::<u64>() as usize;
        let words = self.words.iter();
        let differs = words.fold(0, |differs, word| {
            differs | (mask.words[usize::from(word.index)] ^ word.bits)
        });
        differs == 0 && used == self.words.len()
    }

    /// The mask in full.
    pub(super) fn mask(&self) -> FlowMask {
        let mut mask = FlowMask::default();
        self.mark(&mut mask);
        mask
    }

    /// Sets this mask's bits in `mask`.
    #[inline]
    pub(super) fn mark(&self, mask: &mut FlowMask) {
        for word in &self.words {
            mask.words[usize::from(word.index)] |= word.bits;
        }
    }

    /// Whether `other` has all bits of this mask.
    pub(super) fn is_subset_of(&self, other: &FlowMask) -> bool {
        self.words
            .iter()
            .all(|word| other.words[usize::from(word.index)] & word.bits == word.bits)
    }

    /// Whether this mask has all bits of `other`.
    pub(super) fn is_superset_of(&self, other: &FlowMask) -> bool {
        let mut rest = other.words;
        for word in &self.words {
            rest[usize::from(word.index)] &= !word.bits;
        }
        rest.iter().all(|&bits| bits == 0)
    }

    /// Appends the words of `value` that matter.
    pub(super) fn pack(&self, value: &FlowKey, packed: &mut Vec<u64>) {
        packed.extend(
            self.words
                .iter()
                .map(|word| value.words[usize::from(word.index)] & word.bits),
        );
    }

    /// The match whose value was packed.
    pub(super) fn unpack(&self, packed: &[u64]) -> Match {
        let mut value = FlowKey::default();
        for (word, &bits) in self.words.iter().zip(packed) {
            value.words[usize::from(word.index)] = bits;
        }
        Match {
            value,
            mask: self.mask(),
        }
    }

    /// Whether `key` has the packed value under this mask.
    #[inline]
    pub(super) fn matches(&self, packed: &[u64], key: &FlowKey) -> bool {
        let pairs = self.words.iter().zip(packed);
        pairs.fold(0, |differs, (word, &value)| {
            differs | (key.words[usize::from(word.index)] & word.bits) ^ value
        }) == 0
    }

    /// Whether `key` agrees with a value packed by `of`, a shape with more bits, under this mask.
    pub(super) fn matches_part(&self, of: &Self, packed: &[u64], key: &FlowKey) -> bool {
        self.project(of, packed)
            .zip(&self.words)
            .all(|(value, word)| key.words[usize::from(word.index)] & word.bits == value)
    }

    /// Whether two values, packed by shapes with these or more bits, agree under this mask.
    pub(super) fn same_part(&self, of_a: &Self, a: &[u64], of_b: &Self, b: &[u64]) -> bool {
        self.project(of_a, a).eq(self.project(of_b, b))
    }

    /// Whether some key agrees with `matching` and with a value packed by this shape.
    pub(super) fn overlaps(&self, packed: &[u64], matching: &Match) -> bool {
        self.words.iter().zip(packed).all(|(word, &value)| {
            let index = usize::from(word.index);
            (matching.value.words[index] ^ value) & matching.mask.words[index] & word.bits == 0
        })
    }

    /// Whether a value packed by this shape agrees with `matching` in all of its mask.
    pub(super) fn is_within(&self, packed: &[u64], matching: &Match) -> bool {
        self.is_superset_of(&matching.mask) && self.overlaps(packed, matching)
    }

    /// Hash of a key under this mask.
    #[inline]
    pub(super) fn hash_key(&self, seed: Seed, key: &FlowKey) -> u64 {
        let words = self.words.iter();
        seed.hash(words.map(|word| key.words[usize::from(word.index)] & word.bits))
    }

    /// Hash, under this mask, of a value packed by `of`, a shape with these or more bits.
    pub(super) fn hash_packed(&self, seed: Seed, of: &Self, packed: &[u64]) -> u64 {
        if self.words.len() == of.words.len() {
            let words = self.words.iter().zip(packed);
            return seed.hash(words.map(|(word, &value)| value & word.bits));
        }
        seed.hash(self.project(of, packed))
    }

    /// The words of this mask in a value packed by `of`, a shape with these or more bits.
    fn project<'a>(&'a self, of: &'a Self, packed: &'a [u64]) -> impl Iterator<Item = u64> + 'a {
        let mut values = of.words.iter().zip(packed);
        self.words.iter().map(move |word| {
            let value = values.find(|(candidate, _)| candidate.index == word.index);
            value.map_or(0, |(_, &value)| value & word.bits)
        })
    }
}

/// What a process mixes into its hashes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed {
    start: u64,
    factor: u64,
}

impl Seed {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            start: fold(seed ^ 0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93),
            factor: fold(seed ^ 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db) | 1,
        }
    }

    #[inline]
    pub(super) fn hash(self, words: impl Iterator<Item = u64>) -> u64 {
        let hash = words.fold(self.start, |hash, word| fold(hash ^ word, self.factor));
        fold(hash, 0x9e37_79b9_7f4a_7c15)
    }
}

/// Both halves of a product, mixed.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ (product >> 64) as u64
}

/// A shape in use.
#[derive(Clone, Debug)]
pub(super) struct ShapeEntry {
    pub(super) shape: Shape,
    /// Rules that have it, those taken out but not let go included.
    pub(super) rules: u32,
    /// The tuple that its rules are in.
    pub(super) tuple: u16,
}

/// No tuple, no shape.
pub(super) const NO_INDEX: u16 = u16::MAX;

/// Most distinct masks in one table.
const MAX_SHAPES: usize = NO_INDEX as usize;

/// The shapes of one table.
#[derive(Clone, Debug, Default)]
pub(super) struct Shapes {
    entries: Vec<ShapeEntry>,
    free: Vec<u16>,
    index: std::collections::HashMap<Box<[u64]>, u16>,
    /// The shape looked for last: neighbours in a burst of changes mostly share it.
    last: u16,
}

impl Shapes {
    #[inline]
    pub(super) fn entry(&self, id: u16) -> &ShapeEntry {
        &self.entries[usize::from(id)]
    }

    pub(super) fn entry_mut(&mut self, id: u16) -> &mut ShapeEntry {
        &mut self.entries[usize::from(id)]
    }

    #[inline]
    pub(super) fn shape(&self, id: u16) -> &Shape {
        &self.entry(id).shape
    }

    /// The shape of `mask`, if a rule has it.
    pub(super) fn find(&self, mask: &FlowMask) -> Option<u16> {
        if let Some(entry) = self.entries.get(usize::from(self.last))
            && entry.rules != 0
            && entry.shape.is_of(mask)
        {
            return Some(self.last);
        }
        self.index.get(mask.words.as_slice()).copied()
    }

    /// The shape of `mask`, with one rule more; whether it is new.  `None` when there are too many.
    pub(super) fn intern(&mut self, mask: &FlowMask) -> Option<(u16, bool)> {
        if let Some(id) = self.find(mask) {
            self.last = id;
            self.entry_mut(id).rules += 1;
            return Some((id, false));
        }
        let entry = ShapeEntry {
            shape: Shape::new(mask),
            rules: 1,
            tuple: NO_INDEX,
        };
        let id = match self.free.pop() {
            Some(id) => {
                *self.entry_mut(id) = entry;
                id
            }
            None if self.entries.len() >= MAX_SHAPES => return None,
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u16
            }
        };
        self.index.insert(mask.words.as_slice().into(), id);
        self.last = id;
        Some((id, true))
    }

    /// One rule less; returns whether the shape is gone.
    pub(super) fn release(&mut self, id: u16) -> bool {
        let entry = self.entry_mut(id);
        entry.rules -= 1;
        if entry.rules != 0 {
            return false;
        }
        let mask = entry.shape.mask();
        self.index.remove(mask.words.as_slice());
        self.free.push(id);
        true
    }
}
