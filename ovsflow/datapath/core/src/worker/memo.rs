//! Equal translations, and equal lists of actions, are kept once.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::action::DpAction;
use crate::cache::Known;
use crate::flow::SparseMask;
use crate::translate::{Credit, Draft};

/// Translations, and parts of them, made of late.
///
/// Packets that the same rules match mostly get equal translations, which then need memory once.  Lists
/// are equal more often still: packets of one batch that share a list are run together.  Masks are few:
/// to compare one with another costs least if it is the same memory each time.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Two for each place, the younger first.
    translations: Vec<[Option<Remembered>; 2]>,
    lists: Vec<Option<Arc<[DpAction]>>>,
    masks: Vec<Option<SparseMask>>,
}

/// A translation, and the hash of its rules: others are told apart without a look at it.
#[derive(Clone, Debug)]
struct Remembered {
    hash: u64,
    translation: Arc<Known>,
}

/// Translations remembered: two in each of so many places.
const TRANSLATIONS: usize = 8192;

/// Lists remembered.
const LISTS: usize = 256;

/// Masks remembered.
const MASKS: usize = 64;

impl Memo {
    /// The translation that a draft tells, perhaps one that is there already.
    pub(super) fn share(&mut self, draft: &mut Draft) -> Arc<Known> {
        if self.translations.is_empty() {
            self.translations.resize(TRANSLATIONS, [None, None]);
            self.lists.resize(LISTS, None);
            self.masks.resize(MASKS, None);
        }
        let mut hasher = Fold(0);
        for credit in draft.credits() {
            if let Credit::Rule(rule) = credit {
                rule.hash(&mut hasher);
            }
        }
        let hash = hasher.finish();
        let place = &mut self.translations[hasher.place(TRANSLATIONS)];
        let mut all = place.iter().flatten();
        if let Some(known) = all.find(|one| one.hash == hash && draft.is(&one.translation)) {
            return known.translation.clone();
        }
        let mut translation = draft.keep();
        let list = place_of(&translation.actions);
        share(&mut self.lists[list], &mut translation.actions);
        for mask in [&mut translation.mask, &mut translation.overwritten] {
            let mut hasher = Fold(0);
            mask.hash(&mut hasher);
            share(&mut self.masks[hasher.place(MASKS)], mask);
        }
        let translation = Known::new(translation);
        place.swap(0, 1);
        place[0] = Some(Remembered {
            hash,
            translation: translation.clone(),
        });
        translation
    }
}

/// Makes something that was just made the one that is remembered, if they are equal; else that one
/// is remembered from now on.
fn share<T: Clone + PartialEq>(remembered: &mut Option<T>, made: &mut T) {
    match remembered {
        Some(known) if known == made => *made = known.clone(),
        _ => *remembered = Some(made.clone()),
    }
}

/// Where a list is remembered: its kinds of actions and its last port tell most lists apart.
fn place_of(actions: &[DpAction]) -> usize {
    let mut hasher = Fold(0);
    for action in actions {
        std::mem::discriminant(action).hash(&mut hasher);
    }
    if let Some(DpAction::Output(port)) = actions.last() {
        port.0.hash(&mut hasher);
    }
    hasher.place(LISTS)
}

/// A hash that is no more than quick: what collides is merely not shared.
struct Fold(u64);

impl Fold {
    const fn place(&self, places: usize) -> usize {
        (self.0 >> 32) as usize % places
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DropReason;
    use crate::flow::{FlowKey, FlowMask, slot};
    use crate::table::Pipeline;
    use crate::translate::{self, Context, FrozenWalks, Settings};

    #[test]
    fn test_what_is_shared_is_what_was_decided() {
        let (pipeline, settings) = (Pipeline::new(), Settings::default());
        let frozen = FrozenWalks::default();
        let context = Context {
            pipeline: &pipeline,
            settings: &settings,
            frozen: &frozen,
        };
        let (mut memo, mut draft) = (Memo::default(), Draft::default());
        let mut key = FlowKey::default();
        let mut shared = |port: u128, recirculation: u128| {
            key.set(slot::IN_PORT, port);
            key.set(slot::RECIRC_ID, recirculation);
            translate::translate_into(&context, &key, &mut draft);
            let expected = translate::translate(&context, &key);
            let got = memo.share(&mut draft);
            assert_eq!(**got, expected);
            got
        };
        let (first, second) = (shared(1, 0), shared(2, 0));
        assert!(Arc::ptr_eq(&first, &second));
        // It looked at other bits, and was dropped for another reason.
        let other = shared(1, 7);
        assert_ne!(**first, **other);
        assert_eq!(**shared(3, 0), **first);
        let same_list = translate::dropping(DropReason::TableMiss, &FlowMask::default());
        assert_eq!(first.actions, same_list.actions);
    }
}
