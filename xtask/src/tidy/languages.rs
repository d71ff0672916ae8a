//! The console's texts: the same keys in Chinese and English.

use std::collections::BTreeSet;

use super::Project;

const CHINESE: &str = "console/src/i18n/zh-CN.ts";
const ENGLISH: &str = "console/src/i18n/en.ts";

pub(super) fn check(project: &Project) -> Vec<String> {
    let read = |path: &str| {
        let file = project.files.iter().find(|file| file.path == path)?;
        Some(keys(file.text.as_deref()?))
    };
    let (Some(chinese), Some(english)) = (read(CHINESE), read(ENGLISH)) else {
        return vec![format!("{CHINESE} and {ENGLISH} have to be there")];
    };
    let only = |here: &BTreeSet<String>, there: &BTreeSet<String>, path: &str| {
        here.difference(there).map(|key| format!("{key} is only in {path}")).collect::<Vec<_>>()
    };
    [only(&chinese, &english, CHINESE), only(&english, &chinese, ENGLISH)].concat()
}

/// The paths of all keys of the object literals of a TypeScript file.
fn keys(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut path: Vec<String> = Vec::new();
    let mut name = String::new();
    let mut key = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => while chars.next().is_some_and(|c| c != '\n') {},
            '\'' | '"' | '`' => {
                name.clear();
                while let Some(inner) = chars.next().filter(|inner| *inner != c) {
                    name.push(inner);
                    if inner == '\\' {
                        name.extend(chars.next());
                    }
                }
            }
            ':' => {
                key = std::mem::take(&mut name);
                if !path.is_empty() {
                    found.insert(
                        path[1..].iter().chain([&key]).cloned().collect::<Vec<_>>().join("."),
                    );
                }
            }
            '{' => path.push(std::mem::take(&mut key)),
            '}' => {
                path.pop();
                name.clear();
            }
            c if c.is_alphanumeric() || matches!(c, '_' | '$') => name.push(c),
            _ if c.is_whitespace() => {}
            _ => name.clear(),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_found_with_their_paths() {
        let text = "// a: comment\nexport const en = {\n  one: 'a: {b}',\n  two: { 'x-y': \"c\", z: `d` },\n} as const;";
        let keys: Vec<_> = super::keys(text).into_iter().collect();
        assert_eq!(keys, ["one", "two", "two.x-y", "two.z"]);
    }
}
