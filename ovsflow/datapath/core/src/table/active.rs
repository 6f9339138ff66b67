//! The active mask: every bit that some rule matches on.
//!
//! Each bit has a count of the masks that have it, so that the union follows every change at the
//! cost of that change.

use crate::flow::{FlowMask, KEY_WORDS};

/// Counted bits.
#[derive(Clone, Debug)]
pub(super) struct ActiveMask {
    counts: Vec<u32>,
    mask: FlowMask,
}

impl Default for ActiveMask {
    fn default() -> Self {
        Self {
            counts: vec![0; KEY_WORDS * 64],
            mask: FlowMask::default(),
        }
    }
}

impl ActiveMask {
    /// Bits that are needed at least once.
    pub(super) const fn mask(&self) -> &FlowMask {
        &self.mask
    }

    /// Needs the bits of `mask` once more.
    pub(super) fn add(&mut self, mask: &FlowMask) {
        for_each_bit(mask, |word, bit| {
            self.counts[word * 64 + bit] += 1;
            self.mask.words[word] |= 1 << bit;
        });
    }

    /// Needs the bits of `mask` once less.
    pub(super) fn remove(&mut self, mask: &FlowMask) {
        for_each_bit(mask, |word, bit| {
            let count = &mut self.counts[word * 64 + bit];
            *count -= 1;
            if *count == 0 {
                self.mask.words[word] &= !(1 << bit);
            }
        });
    }
}

fn for_each_bit(mask: &FlowMask, mut visit: impl FnMut(usize, usize)) {
    for (word, &bits) in mask.words.iter().enumerate() {
        let mut left = bits;
        while left != 0 {
            visit(word, left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}
