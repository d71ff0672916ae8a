//! Cursors: where a list goes on. Opaque to callers; inside is the list's name and a key.
//!
//! A cursor holds no tenant. A list reads the caller's own tenant from the key on, so that a cursor from
//! elsewhere can at worst begin in an odd place of one's own records.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use weir_model::ProblemCode;

use crate::failure::Failure;

/// Longest cursor: twice the longest key and name in base64.
const CURSOR_BYTES_MAX: usize = 6 * 1024;

/// The cursor of a list with the keys that it goes on behind.
pub(crate) fn encode(list: &str, keys: &[&str]) -> String {
    let parts: Vec<&str> = std::iter::once(list).chain(keys.iter().copied()).collect();
    // Texts always have JSON.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&parts).unwrap_or_default())
}

/// The `N` keys of a cursor of this list.
pub(crate) fn decode<const N: usize>(list: &str, cursor: &str) -> Result<[String; N], Failure> {
    let wrong = || {
        let detail = "not a cursor of this list; take it from \"next\" of the page before";
        Failure::field(ProblemCode::InvalidRequest, "cursor", detail)
    };
    if cursor.len() > CURSOR_BYTES_MAX {
        return Err(wrong());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let parts: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let Some((name, keys)) = parts.split_first() else { return Err(wrong()) };
    if name != list {
        return Err(wrong());
    }
    <[String; N]>::try_from(keys.to_vec()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_belong_to_one_list() {
        let cursor = encode("tags", &["压力", "88.1/压力"]);
        assert_eq!(decode::<2>("tags", &cursor).unwrap(), ["压力", "88.1/压力"]);
        for wrong in [decode::<2>("assets", &cursor), decode::<2>("tags", "!"), decode("tags", "")]
        {
            assert_eq!(wrong.unwrap_err().problem.code, ProblemCode::InvalidRequest);
        }
        assert!(decode::<1>("tags", &cursor).is_err());
        assert!(decode::<1>("tags", &"A".repeat(10_000)).is_err());
    }
}
