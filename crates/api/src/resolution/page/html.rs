//! Text as HTML: whatever a record holds, it stays text.

use std::fmt;

/// Text with everything that HTML could take for its own escaped, fit for content and for quoted
/// attributes. Characters that cannot be seen, or turn the direction of what stands around them,
/// are shown as the mark of what cannot be shown.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => write!(f, "{character}")?,
                _ if is_hidden(character) => f.write_str("\u{fffd}")?,
                _ => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

/// Control characters, marks of direction, and characters without width.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The address in a text, if it is one of HTTP and nothing else: what a link may lead to.
pub(super) fn web_address(text: &str) -> Option<&str> {
    let starts = |scheme: &str| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme)) && text.len() > scheme.len()
    };
    let plain = |character: char| !character.is_whitespace() && !is_hidden(character);
    let web = starts("https://") || starts("http://");
    (web && text.chars().all(|character| plain(character) && !"\"<>\\^`{|}".contains(character)))
        .then_some(text)
}

/// The address of a mailbox, if a text is a plain one.
pub(super) fn mailbox(text: &str) -> Option<&str> {
    let plain = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
        !part.is_empty() && part.bytes().all(allowed)
    };
    let (user, host) = text.split_once('@')?;
    (plain(user) && plain(host) && text.len() <= 254).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let hostile = "</p><script>alert('x')</script>&\"\u{0}\u{202e}\u{200b}中\n";
        let shown = Escaped(hostile).to_string();
        assert!(!shown.contains(['<', '>', '\'', '"', '\u{0}', '\u{202e}', '\u{200b}']), "{shown}");
        assert!(shown.contains("中\n") && shown.contains("&lt;script&gt;"));
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for address in ["https://example.org/a?b=c&d#e", "HTTP://例.cn/中文"] {
            assert_eq!(web_address(address), Some(address));
        }
        for other in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://",
            "https://a b",
            " https://a",
            "https://a\"onclick=x",
            "https://a\n",
            "//a",
            "ftp://a",
        ] {
            assert_eq!(web_address(other), None, "{other}");
        }
        assert_eq!(mailbox("a.b+c@example.org"), Some("a.b+c@example.org"));
        for other in ["a@b?subject=x", "a b@c", "@b", "a@", "a@b@c\"", "a"] {
            assert_eq!(mailbox(other), None, "{other}");
        }
    }
}
