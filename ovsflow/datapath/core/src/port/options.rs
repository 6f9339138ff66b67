//! A port's options as text, read one by one; what nobody read is refused by name.

use std::collections::BTreeMap;

use super::OpenError;

/// Options of one port on their way to being read.
pub(super) struct Options<'a> {
    given: &'a BTreeMap<String, String>,
    read: Vec<&'static str>,
}

impl<'a> Options<'a> {
    pub(super) fn new(given: &'a BTreeMap<String, String>) -> Self {
        Self {
            given,
            read: Vec::new(),
        }
    }

    /// The text of option `name`, if it was given.
    pub(super) fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.read.push(name);
        self.given.get(name).map(|text| text.trim())
    }

    /// Option `name`, read by `parse`, which says in words what it wanted.
    pub(super) fn parse<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, OpenError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = || OpenError::invalid(format!("{name}={text}: expected {expected}"));
        parse(text).map(Some).ok_or_else(wrong)
    }

    /// A number, decimal or with 0x.
    pub(super) fn number<T: TryFrom<u64>>(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, OpenError> {
        self.parse(name, expected, |text| T::try_from(parse_number(text)?).ok())
    }

    /// A truth value.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, OpenError> {
        self.parse(name, "true or false", parse_flag)
    }

    /// Refuses the first option that nobody has read.
    pub(super) fn finish(&self) -> Result<(), OpenError> {
        let unknown = |name: &&String| !self.read.contains(&name.as_str());
        match self.given.keys().find(unknown) {
            None => Ok(()),
            Some(name) => {
                let mut known = self.read.clone();
                known.sort_unstable();
                known.dedup();
                let known = match known.len() {
                    0 => "this kind has none".to_owned(),
                    _ => format!("there are {}", known.join(", ")),
                };
                Err(OpenError::invalid(format!(
                    "unknown option {name:?}; {known}"
                )))
            }
        }
    }
}

/// A number in decimal, or in hexadecimal behind 0x.
pub(super) fn parse_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

fn parse_flag(text: &str) -> Option<bool> {
    match text {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}
