//! What a request asks for: the path as it was sent, and the parameters.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Most parameters of one request.
const PARAMETERS_MAX: usize = 64;

/// A path and its parameters.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// The path, not decoded: `/99.1000%2Fa`.
    pub(super) path: &'a str,
    /// The query, not decoded, without its question mark.
    pub(super) query: &'a str,
    parameters: Vec<(String, String)>,
}

impl<'a> Target<'a> {
    /// Reads the parameters as forms send them.
    ///
    /// # Errors
    /// In words, if there are more than [`PARAMETERS_MAX`].
    pub(super) fn read(path: &'a str, query: &'a str) -> Result<Self, String> {
        let mut parameters = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            if parameters.len() == PARAMETERS_MAX {
                return Err(format!("A request has at most {PARAMETERS_MAX} parameters."));
            }
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            parameters.push((form(name), form(value)));
        }
        Ok(Self { path, query, parameters })
    }

    /// All values of a parameter, in their order.
    pub(super) fn all<'t>(&'t self, name: &str) -> impl Iterator<Item = &'t str> {
        let named = self.parameters.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter; empty if it stands without one.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter stands there, and does not say no.
    pub(super) fn says(&self, name: &str) -> bool {
        self.first(name).is_some_and(|value| !is_no(value))
    }

    /// Whether a parameter stands there and says no.
    pub(super) fn denies(&self, name: &str) -> bool {
        self.first(name).is_some_and(is_no)
    }
}

fn is_no(value: &str) -> bool {
    ["false", "no", "0"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

/// A part of a query. What is not well encoded stays as it is.
fn form(part: &str) -> String {
    let spaced = part.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// The handle that a part of a path stands for; none if a percent sign has no two hexadecimal
/// digits behind it, or the bytes are no text.
pub(super) fn handle(part: &str) -> Option<String> {
    let mut escapes = part.split('%').skip(1);
    let digits = |escape: &str| {
        let two = escape.as_bytes().first_chunk::<2>();
        two.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    if !escapes.all(digits) {
        return None;
    }
    percent_decode_str(part).decode_utf8().ok().map(|text| text.into_owned())
}

/// What stands in a path as it is (RFC 3986, section 3.3), besides the slash.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

const WITH_SLASHES: &AsciiSet = &IN_PATH.remove(b'/');

/// The path of a handle's page. Slashes stay where every browser leaves them: not beside an empty
/// segment, which at the front would be another host, nor one that is a step up or none.
pub(super) fn path(handle: &str) -> String {
    let stays = !handle.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    let set = if stays { WITH_SLASHES } else { IN_PATH };
    format!("/{}", utf8_percent_encode(handle, set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_read_and_written_in_paths() {
        assert_eq!(handle("99.1000%2Fa%20b").as_deref(), Some("99.1000/a b"));
        assert_eq!(handle("99.1000/%E4%B8%AD").as_deref(), Some("99.1000/中"));
        for wrong in ["99/%", "99/%4", "99/%zz", "99/%ff", "99/%C0%AF"] {
            assert_eq!(handle(wrong), None, "{wrong}");
        }
        for name in [
            "99.1000/a/b",
            "99/中 ?#%",
            "//evil.example/",
            "99/../x",
            "99/.",
            "a//b",
            "99/a+b&'\"<",
        ] {
            let path = path(name);
            assert_eq!(handle(&path[1..]).as_deref(), Some(name));
            assert!(!path.starts_with("//") && !path.contains("/.."), "{path}");
            assert!(!path.contains(['?', '#', ' ', '"', '<', '\'', '&']), "{path}");
        }
    }

    #[test]
    fn parameters_are_read_as_forms_send_them() {
        let target =
            Target::read("/", "type=URL&type=a%2Fb+c&pretty&publicOnly=false&bad=%f").unwrap();
        assert_eq!(target.all("type").collect::<Vec<_>>(), ["URL", "a/b c"]);
        assert!(target.says("pretty") && target.denies("publicOnly") && !target.says("auth"));
        assert_eq!(target.first("bad"), Some("%f"));
        assert!(Target::read("/", &"a&".repeat(PARAMETERS_MAX + 1)).is_err());
    }
}
