//! Which bits of the packet stand behind the bits that a walk looks at.
//!
//! A walk starts with the packet's own key, so each bit stands for itself.  Writing a bit makes
//! it the walk's own.  Pushing or popping a header moves a field to another place: its bits then
//! stand for those of the place they came from.

use crate::flow::{FlowKey, FlowMask, PACKET_WORDS, Slot, slot};

/// The mask being collected, and what is needed to collect it rightly.
#[derive(Clone, Debug)]
pub(super) struct Provenance {
    /// Bits of the packet's key that decided something so far.
    mask: FlowMask,
    /// Bits that were other than the packet's at any time.
    ever_overwritten: FlowMask,
    state: State,
}

/// The part that a bucket or a clone puts back when it ends.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Bits that the walk wrote.
    overwritten: FlowMask,
    /// Fields that moved: where they are, where they came from.
    moved: Vec<(Slot, Slot)>,
    /// The IP TTL was decremented: each bit of it depends on all.
    ttl_decremented: bool,
    /// Same for the TTL of the outer label stack entry.
    mpls_ttl_decremented: bool,
}

impl State {
    /// Whether each bit that the walk has not written stands for itself.
    fn is_straight(&self) -> bool {
        self.moved.is_empty() && !self.ttl_decremented && !self.mpls_ttl_decremented
    }
}

impl Provenance {
    pub(super) fn new() -> Self {
        Self {
            mask: FlowMask::default(),
            ever_overwritten: FlowMask::default(),
            state: State::default(),
        }
    }

    /// The mask collected so far, packet words only.
    pub(super) fn mask(&self) -> FlowMask {
        let mut mask = self.mask.clone();
        for word in &mut mask.words[PACKET_WORDS..] {
            *word = 0;
        }
        mask
    }

    /// Bits that the walk wrote.
    pub(super) const fn overwritten(&self) -> &FlowMask {
        &self.state.overwritten
    }

    /// Bits that were other than the packet's at any time, for whatever part of the walk.
    pub(super) const fn ever_overwritten(&self) -> &FlowMask {
        &self.ever_overwritten
    }

    /// Notes that a lookup saw something else at `slot`.
    pub(super) fn disguise(&mut self, slot: Slot) {
        self.ever_overwritten.set(slot, slot.ones());
    }

    pub(super) fn save(&self) -> State {
        self.state.clone()
    }

    pub(super) fn restore(&mut self, state: State) {
        self.state = state;
    }

    /// Notes that all bits of `wanted` decided something.
    pub(super) fn consult(&mut self, wanted: &FlowMask) {
        if self.state.is_straight() {
            let decided = wanted.words.iter().zip(&self.state.overwritten.words);
            for (word, (wanted, written)) in self.mask.words.iter_mut().zip(decided) {
                *word |= wanted & !written;
            }
            return;
        }
        let mut left = wanted & &inverse(&self.state.overwritten);
        if self.state.ttl_decremented && left.value(slot::IP_TTL) != 0 {
            left.set(slot::IP_TTL, slot::IP_TTL.ones());
        }
        let label = left.value(slot::MPLS_LSE0);
        if self.state.mpls_ttl_decremented && label & 0xff != 0 {
            left.set(slot::MPLS_LSE0, label | 0xff);
        }
        let mut origin = FlowMask::default();
        for &(place, from) in &self.state.moved {
            origin.set(from, origin.value(from) | left.value(place));
        }
        for &(place, _) in &self.state.moved {
            left.set(place, 0);
        }
        self.mask = &(&self.mask | &left) | &origin;
    }

    /// Notes that the bits of `mask` in `slot` decided something.
    pub(super) fn consult_slot(&mut self, slot: Slot, mask: u128) {
        if self.state.is_straight() {
            let new = mask & !self.state.overwritten.value(slot);
            return self.mask.set(slot, self.mask.value(slot) | new);
        }
        let mut wanted = FlowMask::default();
        wanted.set(slot, mask);
        self.consult(&wanted);
    }

    /// Notes that bits of the packet's own key decided something, whatever the walk has written.
    pub(super) fn consult_original(&mut self, slot: Slot, mask: u128) {
        self.mask.set(slot, self.mask.value(slot) | mask);
    }

    /// Whether all bits of `mask` in `slot` are decided already, so that their value is known
    /// for every packet of this translation.
    pub(super) fn is_known(&self, slot: Slot, mask: u128) -> bool {
        if self.state.moved.iter().any(|&(place, _)| place == slot) {
            return false;
        }
        let known = self.mask.value(slot) | self.state.overwritten.value(slot);
        mask & !known == 0
    }

    /// Notes that the walk wrote the bits of `mask` in `slot`.
    pub(super) fn overwrite(&mut self, slot: Slot, mask: u128) {
        let overwritten = &mut self.state.overwritten;
        overwritten.set(slot, overwritten.value(slot) | mask);
        let ever = self.ever_overwritten.value(slot);
        self.ever_overwritten.set(slot, ever | mask);
        if slot == slot::IP_TTL {
            self.state.ttl_decremented = false;
        }
        if mask == slot.ones() {
            self.state.moved.retain(|&(place, _)| place != slot);
        }
    }

    /// Notes that the walk wrote all bits of `mask`.
    pub(super) fn overwrite_all(&mut self, mask: &FlowMask) {
        self.state.overwritten = &self.state.overwritten | mask;
        self.ever_overwritten = &self.ever_overwritten | mask;
    }

    /// Notes that the TTL went down by one.
    pub(super) fn decrement_ttl(&mut self) {
        self.disguise(slot::IP_TTL);
        self.state.ttl_decremented = true;
    }

    /// Same for the TTL of the outer label stack entry.
    pub(super) fn decrement_mpls_ttl(&mut self) {
        self.disguise(slot::MPLS_LSE0);
        self.state.mpls_ttl_decremented = true;
    }

    /// The outer label stack entry is another one now.
    pub(super) const fn reset_mpls_ttl(&mut self) {
        self.state.mpls_ttl_decremented = false;
    }

    /// Notes that what was at `from` now stands at `to`, as when a header is pushed or popped.
    /// Both have the same width.
    pub(super) fn shift(&mut self, from: Slot, to: Slot) {
        self.disguise(to);
        let state = &mut self.state;
        let written = state.overwritten.value(from);
        state.overwritten.set(to, written);
        let behind = state.moved.iter().find(|&&(place, _)| place == from);
        let origin = behind.map_or(from, |&(_, origin)| origin);
        state.moved.retain(|&(place, _)| place != to);
        if origin != to {
            state.moved.push((to, origin));
        }
    }
}

fn inverse(mask: &FlowMask) -> FlowMask {
    FlowKey {
        words: std::array::from_fn(|index| !mask.words[index]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_bit_is_not_the_packets() {
        let mut provenance = Provenance::new();
        provenance.overwrite(slot::IPV4_DST, 0xff);
        provenance.consult_slot(slot::IPV4_DST, 0xffff);
        assert_eq!(provenance.mask().value(slot::IPV4_DST), 0xff00);
    }

    #[test]
    fn a_moved_tag_stands_for_where_it_came_from() {
        let mut provenance = Provenance::new();
        provenance.shift(slot::VLAN_TCI, slot::VLAN_TCI2);
        provenance.overwrite(slot::VLAN_TCI, 0xffff);
        provenance.consult_slot(slot::VLAN_TCI2, 0xfff);
        provenance.consult_slot(slot::VLAN_TCI, 0xffff);
        assert_eq!(provenance.mask().value(slot::VLAN_TCI), 0xfff);
        assert_eq!(provenance.mask().value(slot::VLAN_TCI2), 0);
        // Popped again, the first tag is itself.
        provenance.shift(slot::VLAN_TCI2, slot::VLAN_TCI);
        provenance.consult_slot(slot::VLAN_TCI, 0xf000);
        assert_eq!(provenance.mask().value(slot::VLAN_TCI), 0xffff);
    }

    #[test]
    fn a_decremented_ttl_depends_on_all_its_bits() {
        let mut provenance = Provenance::new();
        provenance.decrement_ttl();
        provenance.consult_slot(slot::IP_TTL, 1);
        assert_eq!(provenance.mask().value(slot::IP_TTL), 0xff);
    }
}
