//! Rules that all documents share: names, translations, descriptions.

use std::collections::BTreeMap;

use weir_model::FieldError;

/// Longest name in UTF-8 bytes: fits a table cell, and 80 Chinese characters.
pub const NAME_BYTES_MAX: usize = 256;

/// Longest description in UTF-8 bytes: a page of text, not an attachment.
pub const DESCRIPTION_BYTES_MAX: usize = 4096;

/// Most translations of a name.
pub const LANGUAGES_MAX: usize = 16;

/// Longest language tag in bytes (RFC 5646, section 4.4.1).
const LANGUAGE_BYTES_MAX: usize = 35;

/// Names by language tag (RFC 5646), such as `zh-CN` and `en`.
pub type Names = BTreeMap<String, String>;

/// Checks a name: 1 to [`NAME_BYTES_MAX`] bytes, no control characters, no ends of lines, none that turn the direction
/// of writing (Unicode Standard Annex 9, 2: a name could be made to look like another), no blanks at
/// its ends.
///
/// # Errors
/// What is wrong, for people.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("a name is not empty");
    }
    if name.len() > NAME_BYTES_MAX {
        return Err("a name has at most 256 bytes");
    }
    let is_control = |it: char| it.is_control() || matches!(it, '\u{2028}' | '\u{2029}');
    if name.trim() != name || name.chars().any(is_control) {
        return Err("a name has no control characters and no blanks at its ends");
    }
    if name.contains(|it| matches!(it, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')) {
        return Err("a name has no characters that turn the direction of writing");
    }
    Ok(())
}

/// Checks translations of a name.
///
/// # Errors
/// What is wrong, for people.
pub fn check_names(names: &Names) -> Result<(), &'static str> {
    if names.len() > LANGUAGES_MAX {
        return Err("a name has at most 16 translations");
    }
    for (language, name) in names {
        let tag = language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !tag || !(2..=LANGUAGE_BYTES_MAX).contains(&language.len()) {
            return Err("a translation is keyed by a language tag such as zh-CN or en");
        }
        check_name(name)?;
    }
    Ok(())
}

/// Checks a description: at most [`DESCRIPTION_BYTES_MAX`] bytes; lines and tabs are its only
/// control characters.
///
/// # Errors
/// What is wrong, for people.
pub fn check_description(text: &str) -> Result<(), &'static str> {
    if text.len() > DESCRIPTION_BYTES_MAX {
        return Err("a description has at most 4096 bytes");
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err("a description has no control characters but line ends and tabs");
    }
    Ok(())
}

/// Collects what is wrong with a document.
#[derive(Default)]
pub(crate) struct Faults(Vec<FieldError>);

impl Faults {
    pub(crate) fn check<E: ToString>(&mut self, field: &str, result: Result<(), E>) {
        if let Err(detail) = result {
            self.add(field, detail.to_string());
        }
    }

    pub(crate) fn add(&mut self, field: &str, detail: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), detail: detail.into() });
    }

    pub(crate) fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        for good in ["a", "反应器 1", &"x".repeat(256)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{2028}b", "\u{202E}pmup", &"x".repeat(257)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn translations_are_keyed_by_language_tags() {
        let names = |key: &str| Names::from([(key.to_owned(), "x".to_owned())]);
        assert!(check_names(&names("zh-CN")).is_ok());
        assert!(check_names(&names("zh_CN")).is_err());
        assert!(check_names(&names("x")).is_err());
    }
}
