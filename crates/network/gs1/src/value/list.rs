//! Code lists of others, read from `data/code-lists.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

static TEXT: &str = include_str!("../../data/code-lists.txt");

static LISTS: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut lists: HashMap<_, Vec<_>> = HashMap::new();
    let mut name = "";
    for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_suffix(':') {
            Some(heading) => name = heading,
            None => lists.entry(name).or_default().extend(line.split_ascii_whitespace()),
        }
    }
    lists.values_mut().for_each(|list| list.sort_unstable());
    lists
});

/// Whether a list has a code.
pub(super) fn has(list: &str, code: &str) -> bool {
    LISTS.get(list).is_some_and(|codes| codes.binary_search(&code).is_ok())
}
