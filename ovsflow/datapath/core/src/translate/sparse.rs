//! A mask of which most words are zero, as a translation keeps it.

use crate::flow::FlowMask;

/// The words of a mask that are not zero, with their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseMask(Box<[(u8, u64)]>);

impl SparseMask {
    /// Keeps the words of `mask` that are not zero.
    pub fn new(mask: &FlowMask) -> Self {
        let words = mask.words.iter().enumerate();
        let kept = words.filter(|&(_, &word)| word != 0);
        Self(kept.map(|(index, &word)| (index as u8, word)).collect())
    }

    /// Whether there is no bit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole mask.
    pub fn to_mask(&self) -> FlowMask {
        let mut mask = FlowMask::default();
        for &(index, word) in &self.0 {
            mask.words[usize::from(index)] = word;
        }
        mask
    }

    /// Whether all bits are in `mask` too.
    pub fn is_within(&self, mask: &FlowMask) -> bool {
        let outside = |&(index, word): &(u8, u64)| word & !mask.words[usize::from(index)] != 0;
        !self.0.iter().any(outside)
    }
}
