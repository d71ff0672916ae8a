//! Words that do not belong in the project.

use serde::Deserialize;

use super::Project;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Texts that stand nowhere, in any case.
    never: Vec<String>,
    /// Files that may hold them, since they are about them.
    except: Vec<String>,
}

pub(super) fn check(project: &Project) -> Vec<String> {
    let rules = &project.rules.words;
    let mut wrong = Vec::new();
    for file in project.files.iter().filter(|file| !rules.except.contains(&file.path)) {
        for (index, line) in file.text.iter().flat_map(|text| text.lines()).enumerate() {
            for word in &rules.never {
                if holds(line, word) {
                    wrong.push(format!("{}:{}: {word:?}", file.path, index + 1));
                }
            }
        }
    }
    wrong
}

/// Whether a line holds a word as a whole word, as far as it begins and ends with letters.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let starts = letter(word.chars().next()) && letter(line[..at].chars().next_back());
        let ends =
            letter(word.chars().next_back()) && letter(line[at + word.len()..].chars().next());
        !starts && !ends
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_whole() {
        assert!(super::holds("// FIXME later", "FIXME"));
        assert!(!super::holds("PREFIXMEN", "FIXME"));
        assert!(super::holds("in /home/x/y", "/home/"));
    }
}
