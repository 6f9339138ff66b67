//! Where the rules of one table lie: a slab of small records, and beside it what not all need.
//!
//! A record holds what every rule has.  Its match and its action values are words in one
//! growing array, in blocks that are used again by size; counters and timeouts exist only for
//! rules that have been used or that have a timeout.

use crate::time::Now;

/// No slot, no record.
pub(super) const NONE: u32 = u32::MAX;

/// Bits of [`Rule::flags`] beside those of `flow_flags`.
pub(super) mod rule_flags {
    /// The slot holds a rule.
    pub(crate) const LIVE: u8 = 0x80;
    /// The rule is a clause of conjunctive matches.
    pub(crate) const SOFT: u8 = 0x40;
}

/// One rule: 48 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rule {
    pub(super) cookie: u64,
    pub(super) created: Now,
    /// First word of the packed match and values.
    pub(super) body: u32,
    pub(super) template: u32,
    /// The next rule of the same bucket, of the same or lower priority; in a free slot the next one.
    pub(super) next: u32,
    /// Counters and timeouts, or [`NONE`].
    pub(super) extra: u32,
    /// Tells this rule from others that had its slot.
    pub(super) sequence: u32,
    pub(super) shape: u16,
    pub(super) priority: u16,
    pub(super) importance: u16,
    pub(super) flags: u8,
    /// Words of the body.
    pub(super) words: u8,
}

/// Counters and times of a rule that needs them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extra {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) used: Now,
    pub(super) modified: Now,
    /// Its entry in the timing wheel, or [`NONE`].
    pub(super) timer: u32,
}

/// The rules of one table.
#[derive(Clone, Debug)]
pub(super) struct RuleStore {
    rules: Vec<Rule>,
    free: u32,
    live: u32,
    sequence: u32,
    bodies: Vec<u64>,
    /// Free blocks of the bodies, by size.
    free_bodies: Vec<Vec<u32>>,
    extras: Vec<Extra>,
    free_extras: Vec<u32>,
}

impl Default for RuleStore {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            free: NONE,
            live: 0,
            sequence: 0,
            bodies: Vec::new(),
            free_bodies: Vec::new(),
            extras: Vec::new(),
            free_extras: Vec::new(),
        }
    }
}

impl RuleStore {
    /// Number of rules.
    pub(super) const fn len(&self) -> usize {
        self.live as usize
    }

    /// Number of slots ever used.
    pub(super) fn slots(&self) -> u32 {
        self.rules.len() as u32
    }

    #[inline]
    pub(super) fn rule(&self, slot: u32) -> &Rule {
        &self.rules[slot as usize]
    }

    #[inline]
    pub(super) fn rule_mut(&mut self, slot: u32) -> &mut Rule {
        &mut self.rules[slot as usize]
    }

    /// The rule in `slot`, if one is there.
    pub(super) fn live(&self, slot: u32) -> Option<&Rule> {
        let rule = self.rules.get(slot as usize)?;
        (rule.flags & rule_flags::LIVE != 0).then_some(rule)
    }

    /// The rule that `slot` and `sequence` name, if it is still there.
    pub(super) fn named(&self, slot: u32, sequence: u32) -> Option<&Rule> {
        self.live(slot).filter(|rule| rule.sequence == sequence)
    }

    /// The words of a rule's body.
    #[inline]
    pub(super) fn body(&self, rule: &Rule) -> &[u64] {
        let start = rule.body as usize;
        &self.bodies[start..start + usize::from(rule.words)]
    }

    /// A sequence number that no rule of this table has.
    pub(super) const fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Gives the memory of a table without rules back.
    pub(super) fn shrink(&mut self) {
        debug_assert_eq!(self.live, 0);
        *self = Self {
            sequence: self.sequence,
            ..Self::default()
        };
    }

    /// Puts a rule into the slot that was freed last, or a new one.
    pub(super) fn attach(&mut self, rule: Rule) -> u32 {
        self.live += 1;
        let rule = Rule {
            flags: rule.flags | rule_flags::LIVE,
            next: NONE,
            ..rule
        };
        if self.free == NONE {
            self.rules.push(rule);
            return self.slots() - 1;
        }
        let slot = self.free;
        self.free = self.rule(slot).next;
        *self.rule_mut(slot) = rule;
        slot
    }

    /// Takes a rule out of its slot; what it holds stays until it is [released](Self::release).
    pub(super) fn detach(&mut self, slot: u32) -> Rule {
        let next = self.free;
        let rule = self.rule_mut(slot);
        let taken = *rule;
        rule.flags = 0;
        rule.next = next;
        self.free = slot;
        self.live -= 1;
        taken
    }

    /// Gives back the words and counters of a rule taken out.
    pub(super) fn release(&mut self, rule: &Rule) {
        self.free_body(rule.body, rule.words);
        self.free_extra(rule.extra);
    }

    /// Keeps `words`, at most 255 of them; returns where.
    pub(super) fn add_body(&mut self, words: &[u64]) -> (u32, u8) {
        let size = words.len();
        if let Some(start) = self.free_bodies.get_mut(size).and_then(Vec::pop) {
            let block = &mut self.bodies[start as usize..start as usize + size];
            block.copy_from_slice(words);
            return (start, size as u8);
        }
        let start = self.bodies.len() as u32;
        self.bodies.extend_from_slice(words);
        (start, size as u8)
    }

    pub(super) fn free_body(&mut self, start: u32, size: u8) {
        if size == 0 {
            return;
        }
        let size = usize::from(size);
        if self.free_bodies.len() <= size {
            self.free_bodies.resize_with(size + 1, Vec::new);
        }
        self.free_bodies[size].push(start);
    }

    /// A rule's counters and times, if it has any of its own.
    pub(super) fn extra(&self, rule: &Rule) -> Option<&Extra> {
        self.extras.get(rule.extra as usize)
    }

    /// A rule's counters and times, made if need be.
    pub(super) fn extra_mut(&mut self, slot: u32) -> &mut Extra {
        let rule = *self.rule(slot);
        let mut index = rule.extra;
        if index == NONE {
            index = self.add_extra(Extra {
                packets: 0,
                bytes: 0,
                used: rule.created,
                modified: rule.created,
                timer: NONE,
            });
            self.rule_mut(slot).extra = index;
        }
        &mut self.extras[index as usize]
    }

    pub(super) fn add_extra(&mut self, extra: Extra) -> u32 {
        if let Some(index) = self.free_extras.pop() {
            self.extras[index as usize] = extra;
            index
        } else {
            self.extras.push(extra);
            (self.extras.len() - 1) as u32
        }
    }

    pub(super) fn free_extra(&mut self, index: u32) {
        if index != NONE {
            self.free_extras.push(index);
        }
    }
}
