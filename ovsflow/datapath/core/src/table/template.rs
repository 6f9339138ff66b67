//! Instructions, kept compactly: what many rules share exists once, what differs stays with the rule.
//!
//! Rules of one kind mostly differ in the values that they write ("same list, another tun_dst").
//! A template is a list of instructions whose values are left blank; a rule keeps the number of
//! its template and its own values, packed into words with no leading zero bytes.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;

use hashbrown::HashTable;

use crate::openflow::action::{Action, Instructions};

/// Most values kept with a rule; longer lists become templates of their own.
const MAX_BLANKS: usize = 32;

/// Instructions with blanks.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) instructions: Instructions,
    /// Rules that have it, those taken out but not let go included.
    pub(super) rules: u32,
    /// Number of values left blank.
    blanks: usize,
}

/// All templates of a switch.
#[derive(Clone, Debug, Default)]
pub(super) struct Templates {
    entries: Vec<Template>,
    free: Vec<u32>,
    index: HashTable<u32>,
    /// The template looked for last.
    last: u32,
}

impl Templates {
    #[inline]
    pub(super) fn template(&self, id: u32) -> &Template {
        &self.entries[id as usize]
    }

    /// The templates that rules have.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Template)> {
        let entries = self.entries.iter().enumerate();
        entries
            .filter(|(_, entry)| entry.rules != 0)
            .map(|(id, entry)| (id as u32, entry))
    }

    /// The instructions made of a template and a rule's values.
    #[inline]
    pub(super) fn instructions(&self, id: u32, values: &[u64]) -> Cow<'_, Instructions> {
        let template = self.template(id);
        if template.blanks == 0 {
            return Cow::Borrowed(&template.instructions);
        }
        let mut instructions = template.instructions.clone();
        let mut values = Values::new(values, template.blanks);
        visit_blanks(&mut instructions, &mut |value| *value = values.next());
        Cow::Owned(instructions)
    }

    /// The template for `instructions`, with one rule more; appends the rule's own values.
    pub(super) fn intern(&mut self, instructions: &Instructions, packed: &mut Vec<u64>) -> u32 {
        let blanks = count_blanks(instructions);
        if blanks != 0 {
            pack_values(instructions, packed);
        }
        let is_same = |entry: &Template| {
            entry.rules != 0
                && entry.blanks == blanks
                && same(&entry.instructions, instructions, blanks)
        };
        if self.entries.get(self.last as usize).is_some_and(is_same) {
            self.entries[self.last as usize].rules += 1;
            return self.last;
        }
        let hash = template_hash(instructions, blanks);
        let entries = &self.entries;
        if let Some(&id) = self.index.find(hash, |&id| is_same(&entries[id as usize])) {
            self.last = id;
            self.entries[id as usize].rules += 1;
            return id;
        }
        let mut blank = instructions.clone();
        if blanks != 0 {
            visit_blanks(&mut blank, &mut |value| *value = 0);
        }
        let entry = Template {
            instructions: blank,
            rules: 1,
            blanks,
        };
        let id = if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            id
        } else {
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        };
        let entries = &self.entries;
        self.index.insert_unique(hash, id, |&id| {
            let entry = &entries[id as usize];
            template_hash(&entry.instructions, entry.blanks)
        });
        self.last = id;
        id
    }

    /// One rule less; returns whether the template is gone.
    pub(super) fn release(&mut self, id: u32) -> bool {
        let entry = &mut self.entries[id as usize];
        entry.rules -= 1;
        if entry.rules != 0 {
            return false;
        }
        let hash = template_hash(&entry.instructions, entry.blanks);
        if let Ok(found) = self.index.find_entry(hash, |&other| other == id) {
            found.remove();
        }
        self.entries[id as usize].instructions = Instructions::default();
        self.free.push(id);
        true
    }
}

/// Number of values to leave blank: none when there are too many.
fn count_blanks(instructions: &Instructions) -> usize {
    let lists = instructions.apply.iter().chain(&instructions.write);
    let in_lists = lists
        .filter(|action| matches!(action, Action::SetField(_) | Action::Load { .. }))
        .count();
    let blanks = in_lists + usize::from(instructions.metadata.is_some());
    if blanks > MAX_BLANKS { 0 } else { blanks }
}

/// Calls `visit` for the value at each blank, in order.
fn visit_blanks(instructions: &mut Instructions, visit: &mut impl FnMut(&mut u128)) {
    let lists = instructions.apply.iter_mut().chain(&mut instructions.write);
    for action in lists {
        match action {
            Action::SetField(field) => visit(&mut field.value),
            Action::Load { value, .. } => visit_u64(value, visit),
            _ => {}
        }
    }
    if let Some((value, _)) = &mut instructions.metadata {
        visit_u64(value, visit);
    }
}

fn visit_u64(value: &mut u64, visit: &mut impl FnMut(&mut u128)) {
    let mut wide = u128::from(*value);
    visit(&mut wide);
    *value = wide as u64;
}

/// Appends the values of `instructions`: half a byte each for their lengths, then their bytes.
fn pack_values(instructions: &Instructions, packed: &mut Vec<u64>) {
    let mut values = [0u128; MAX_BLANKS];
    let mut count = 0;
    let mut push = |value: u128| {
        values[count] = value;
        count += 1;
    };
    for action in instructions.apply.iter().chain(&instructions.write) {
        match action {
            Action::SetField(field) => push(field.value),
            Action::Load { value, .. } => push(u128::from(*value)),
            _ => {}
        }
    }
    if let Some((value, _)) = instructions.metadata {
        push(u128::from(value));
    }
    let mut bytes = Bytes {
        packed,
        word: 0,
        filled: 0,
    };
    let values = &values[..count];
    for pair in values.chunks(2) {
        let low = length_code(pair[0]);
        let high = pair.get(1).map_or(0, |&value| length_code(value));
        bytes.push(low | high << 4);
    }
    for &value in values {
        let raw = value.to_le_bytes();
        for &byte in &raw[..code_length(length_code(value))] {
            bytes.push(byte);
        }
    }
    bytes.finish();
}

/// A value's length in four bits: its bytes, where 15 stands for all 16.
const fn length_code(value: u128) -> u8 {
    let bytes = (128 - value.leading_zeros()).div_ceil(8) as u8;
    if bytes > 15 { 15 } else { bytes }
}

const fn code_length(code: u8) -> usize {
    if code == 15 { 16 } else { code as usize }
}

struct Bytes<'a> {
    packed: &'a mut Vec<u64>,
    word: u64,
    filled: u32,
}

impl Bytes<'_> {
    fn push(&mut self, byte: u8) {
        self.word |= u64::from(byte) << self.filled;
        self.filled += 8;
        if self.filled == 64 {
            self.packed.push(self.word);
            (self.word, self.filled) = (0, 0);
        }
    }

    fn finish(self) {
        if self.filled != 0 {
            self.packed.push(self.word);
        }
    }
}

/// Reads values that `pack_values` wrote.
struct Values<'a> {
    words: &'a [u64],
    length_at: usize,
    value_at: usize,
}

impl<'a> Values<'a> {
    const fn new(words: &'a [u64], count: usize) -> Self {
        Self {
            words,
            length_at: 0,
            value_at: count.div_ceil(2),
        }
    }

    fn byte(&self, at: usize) -> u8 {
        let word = self.words.get(at / 8).copied().unwrap_or_default();
        (word >> (at % 8 * 8)) as u8
    }

    fn next(&mut self) -> u128 {
        let code = self.byte(self.length_at / 2) >> (self.length_at % 2 * 4) & 15;
        self.length_at += 1;
        let length = code_length(code);
        let value = (0..length).fold(0, |value, i| {
            value | u128::from(self.byte(self.value_at + i)) << (8 * i)
        });
        self.value_at += length;
        value
    }
}

/// Whether both are the same but for blanks.
fn same(a: &Instructions, b: &Instructions, blanks: usize) -> bool {
    if blanks == 0 {
        return a == b;
    }
    let metadata = match (a.metadata, b.metadata) {
        (Some((_, mask)), Some((_, other))) => mask == other,
        (None, None) => true,
        _ => false,
    };
    metadata
        && a.goto == b.goto
        && a.meter == b.meter
        && a.clear == b.clear
        && a.stat_trigger == b.stat_trigger
        && same_list(&a.apply, &b.apply)
        && same_list(&a.write, &b.write)
}

fn same_list(a: &[Action], b: &[Action]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Action::SetField(a), Action::SetField(b)) => a.field == b.field && a.mask == b.mask,
            (Action::Load { target: a, .. }, Action::Load { target: b, .. }) => a == b,
            (a, b) => a == b,
        })
}

/// A hash that does not depend on blanks.
fn template_hash(instructions: &Instructions, blanks: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    if blanks == 0 {
        instructions.hash(&mut hasher);
        return hasher.finish();
    }
    for list in [&instructions.apply, &instructions.write] {
        list.len().hash(&mut hasher);
        for action in list {
            match action {
                Action::SetField(field) => {
                    discriminant(action).hash(&mut hasher);
                    (field.field, field.mask).hash(&mut hasher);
                }
                Action::Load { target, .. } => {
                    discriminant(action).hash(&mut hasher);
                    target.hash(&mut hasher);
                }
                _ => action.hash(&mut hasher),
            }
        }
    }
    let Instructions {
        meter, clear, goto, ..
    } = instructions;
    (meter, clear, goto, &instructions.stat_trigger).hash(&mut hasher);
    instructions
        .metadata
        .map(|(_, mask)| mask)
        .hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openflow::action::{FieldId, FieldValue, TableId};
    use crate::packet::PortNo;

    fn set(field: u16, value: u128) -> Action {
        Action::SetField(FieldValue {
            field: FieldId(field),
            value,
            mask: u128::MAX,
        })
    }

    fn instructions(values: &[u128]) -> Instructions {
        let output = Action::Output {
            port: PortNo(2),
            max_len: 0,
        };
        let sets = values.iter().enumerate();
        Instructions {
            apply: sets
                .map(|(field, &value)| set(field as u16, value))
                .chain([output])
                .collect(),
            metadata: Some((values.len() as u64, 0xff)),
            goto: Some(TableId(9)),
            ..Instructions::default()
        }
    }

    #[test]
    fn what_goes_in_comes_out_and_templates_are_shared() {
        let mut templates = Templates::default();
        let values = [0, 1, 0xff, 0x100, u128::MAX, u128::MAX >> 8, 1 << 127];
        for count in [0, 1, 2, 7, 40, 200] {
            let many: Vec<u128> = values.iter().copied().cycle().take(count).collect();
            let given = instructions(&many);
            let mut packed = Vec::new();
            let id = templates.intern(&given, &mut packed);
            assert_eq!(*templates.instructions(id, &packed), given);
            let other = instructions(&vec![7; count]);
            let twin = templates.intern(&other, &mut Vec::new());
            assert_eq!(twin == id, count < 32);
            templates.release(twin);
            assert!(templates.release(id));
        }
        assert_eq!(templates.iter().count(), 0);
    }
}
