//! A mask of which most words are zero, as what is kept for long keeps it.

use std::sync::Arc;

use super::{FlowMask, KEY_WORDS};

/// The words of a mask that are not zero, with their places; copies share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SparseMask(Arc<[(u8, u64)]>);

impl SparseMask {
    /// Keeps the words of `mask` that are not zero.
    pub fn new(mask: &FlowMask) -> Self {
        let mut kept = Vec::with_capacity(used(mask));
        let words = mask.words.iter().enumerate();
        let words = words.filter(|&(_, &word)| word != 0);
        kept.extend(words.map(|(index, &word)| (index as u8, word)));
        Self(kept.into())
    }

    /// Whether this is `mask`.
    pub fn is(&self, mask: &FlowMask) -> bool {
        let kept = self.0.iter();
        let same = kept.fold(true, |same, &(index, word)| {
            same & (mask.words[usize::from(index)] == word)
        });
        same && used(mask) == self.0.len()
    }

    /// Whether there is no bit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One bit for the place of each word that is not zero.
    pub fn places(&self) -> u64 {
        const { assert!(KEY_WORDS <= 64) };
        self.0.iter().fold(0, |all, &(place, _)| all | 1 << place)
    }

    /// The bits of one word.
    pub fn word(&self, index: u8) -> u64 {
        let words = self.0.iter();
        let word = |all, &(place, word)| if place == index { word } else { all };
        words.fold(0, word)
    }

    /// The whole mask.
    pub fn to_mask(&self) -> FlowMask {
        let mut mask = FlowMask::default();
        for &(index, word) in self.0.iter() {
            mask.words[usize::from(index)] = word;
        }
        mask
    }
}

/// Number of words that are not zero.
fn used(mask: &FlowMask) -> usize {
    // The top bit of a word or of its negation: without branches, many words at once.
    let is_used = |&word: &u64| (word | word.wrapping_neg()) >> 63;
    mask.words.iter().map(is_used).sum::<u64>() as usize
}
