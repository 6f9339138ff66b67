//! Equal translations are kept once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::translate::{Credit, Translation};

/// Translations made of late: packets that the same rules match mostly get equal ones, which then
/// need memory once.
#[derive(Debug, Default)]
pub(super) struct Memo(Vec<Option<Arc<Translation>>>);

/// Translations remembered.
const MEMO: usize = 256;

impl Memo {
    /// The translation, or an equal one that is there already.
    pub(super) fn share(&mut self, translation: Translation) -> Arc<Translation> {
        if self.0.is_empty() {
            self.0.resize(MEMO, None);
        }
        let mut hasher = DefaultHasher::new();
        for credit in &translation.credits {
            if let Credit::Rule(rule) = credit {
                rule.hash(&mut hasher);
            }
        }
        let place = hasher.finish();
        let slot = &mut self.0[place as usize % MEMO];
        match slot {
            Some(known) if **known == translation => known.clone(),
            _ => slot.insert(Arc::new(translation)).clone(),
        }
    }
}
