//! Compact keys: the words of a key in which the active mask has bits, masked, with their hash.

use crate::flow::extract::Depth;
use crate::flow::{FlowKey, FlowMask, PACKET_WORDS, slot};

/// Which words a compact key has, and how they are masked.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Bits that the pipeline said are active.
    active: FlowMask,
    /// Those, and bits that translations turned out to depend on.
    mask: FlowMask,
    /// The words of `mask` that are not zero: index and mask.
    words: Vec<(u8, u64)>,
    depth: Depth,
    /// Bits have ceased to be active since the mask began.
    is_wide: bool,
    seed: u64,
}

/// A key made compact.
#[derive(Clone, Copy, Debug)]
pub struct CompactKey {
    pub words: [u64; PACKET_WORDS],
    pub hash: u64,
}

impl Default for CompactKey {
    fn default() -> Self {
        Self {
            words: [0; PACKET_WORDS],
            hash: 0,
        }
    }
}

impl Layout {
    pub(super) fn new(seed: u64) -> Self {
        let mut layout = Self {
            active: FlowMask::default(),
            mask: FlowMask::default(),
            words: Vec::new(),
            depth: Depth::Metadata,
            is_wide: false,
            seed,
        };
        layout.rebuild();
        layout
    }

    /// Bits that tell packets apart.
    pub const fn mask(&self) -> &FlowMask {
        &self.mask
    }

    /// How deep a packet must be read to see them.
    pub const fn depth(&self) -> Depth {
        self.depth
    }

    /// Number of words of a compact key.
    #[inline]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether all packets are alike.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Makes `key` compact.
    #[inline]
    pub fn compact(&self, key: &FlowKey, out: &mut CompactKey) {
        out.hash = self.compact_into(key, &mut out.words);
    }

    /// Writes the words of the compact `key` to `out`, and returns its hash.
    #[inline(always)]
    pub fn compact_into(&self, key: &FlowKey, out: &mut [u64]) -> u64 {
        let mut hash = self.seed;
        for (place, &(word, mask)) in out.iter_mut().zip(&self.words) {
            let value = key.words[usize::from(word)] & mask;
            *place = value;
            hash = fold(hash ^ value);
        }
        hash
    }

    /// Its words and their masks, if it has `N`, and all that a plain packet that came by no tunnel has
    /// of them is what [`extract_plain`](crate::flow::extract::extract_plain) reads.
    pub fn front<const N: usize>(&self) -> Option<&[(u8, u64); N]> {
        let is_plain = self.depth >= Depth::L3 && self.mask.value(slot::IN_PHY_PORT) == 0;
        self.words.as_slice().try_into().ok().filter(|_| is_plain)
    }

    /// Writes compact words back to their places in a key.
    pub fn expand(&self, words: &[u64], key: &mut FlowKey) {
        for (&(word, _), &value) in self.words.iter().zip(words) {
            key.words[usize::from(word)] = value;
        }
    }

    /// The hash of a key that is compact already.
    #[inline]
    pub fn hash(&self, words: &[u64]) -> u64 {
        words.iter().fold(self.seed, |hash, word| fold(hash ^ word))
    }

    /// Takes the pipeline's active mask; returns whether the layout changed.
    pub(super) fn set_active(&mut self, active: &FlowMask) -> bool {
        if self.active == *active {
            return false;
        }
        self.is_wide |= (0..PACKET_WORDS).any(|i| self.active.words[i] & !active.words[i] != 0);
        self.active = active.clone();
        self.grow(active)
    }

    /// Whether it may have bits that are needed no more.
    pub(super) const fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// Lets go of all but the active bits; returns whether the layout changed.
    ///
    /// What translations added goes too: it may be due to bits that are no longer active.
    pub(super) fn shrink(&mut self) -> bool {
        self.is_wide = false;
        self.change(packet_part(&self.active))
    }

    /// Whether no bit of `mask` is missing.
    pub(super) fn covers(&self, mask: &FlowMask) -> bool {
        let words = mask.words.iter().zip(&self.mask.words).take(PACKET_WORDS);
        let missing = |all, (wanted, word): (&u64, &u64)| all | (wanted & !word);
        // A layout never has the packet type: it is looked at in vain, and that is rare.
        words.fold(0, missing) == 0 || packet_part(&(&self.mask | mask)) == self.mask
    }

    /// Adds bits; returns whether the layout changed.
    pub(super) fn grow(&mut self, mask: &FlowMask) -> bool {
        self.change(packet_part(&(&self.mask | mask)))
    }

    fn change(&mut self, mask: FlowMask) -> bool {
        if mask == self.mask {
            return false;
        }
        self.mask = mask;
        self.rebuild();
        true
    }

    fn rebuild(&mut self) {
        let words = self.mask.words.iter().take(PACKET_WORDS).enumerate();
        self.words = words
            .filter(|&(_, &mask)| mask != 0)
            .map(|(index, &mask)| (index as u8, mask))
            .collect();
        self.depth = Depth::of(&self.mask);
    }
}

/// The part of a mask that tells packets apart: every packet that arrives is Ethernet.
fn packet_part(mask: &FlowMask) -> FlowMask {
    let mut mask = mask.clone();
    mask.words[PACKET_WORDS..].fill(0);
    mask.set(slot::PACKET_TYPE, 0);
    mask
}

/// One round: the two halves of a product, folded.  The seed keeps collisions unpredictable.
#[inline]
const fn fold(value: u64) -> u64 {
    let product = value as u128 * 0x9e37_79b9_7f4a_7c15;
    (product >> 64) as u64 ^ product as u64
}
