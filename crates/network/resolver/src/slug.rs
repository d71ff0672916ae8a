//! Suffixes that people can read, made from names.

/// Longest suffix that is given, in UTF-8 bytes: it stands in URLs, on labels and in logs.
pub const SUFFIX_BYTES_MAX: usize = 200;

/// Longest suffix made from a name, in bytes: the rest of the name says no more.
const SLUG_BYTES_MAX: usize = 48;

/// The ASCII letters and digits of a name in lower case, joined by hyphens; none where the name has
/// fewer than two, which would say nothing of a name in another script.
pub fn slug(name: &str) -> Option<String> {
    let mut slug = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let room = SLUG_BYTES_MAX.saturating_sub(slug.len() + usize::from(!slug.is_empty()));
        if room == 0 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.extend(word.chars().take(room).map(|c| c.to_ascii_lowercase()));
    }
    (slug.len() >= 2).then_some(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        let cases = [
            ("Reactor.Pressure", Some("reactor-pressure")),
            ("  Feed  A/B ", Some("feed-a-b")),
            ("反应器 R101", Some("r101")),
            ("反应器", None),
            ("x", None),
            ("", None),
        ];
        for (name, want) in cases {
            assert_eq!(slug(name).as_deref(), want, "{name}");
        }
        assert_eq!(slug(&"a".repeat(300)).unwrap().len(), SLUG_BYTES_MAX);
        assert!(slug(&"a ".repeat(300)).unwrap().len() <= SLUG_BYTES_MAX);
    }
}
