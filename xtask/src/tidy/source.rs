//! The shape of source files.

use super::Project;
use super::files::File;

/// Longest source file in lines. Files are about 200 and are split at about 600; beyond this one
/// was forgotten.
const LINES_MAX: usize = 800;

/// What is left over when one has not finished. Written in pieces, so as not to find itself.
const LEFT_OVERS: &[&str] = &[
    concat!("todo", "!("),
    concat!("dbg", "!("),
    concat!("unimplemented", "!("),
    concat!("console.", "debug("),
    concat!("debug", "ger;"),
];

/// What stands before a piece of code that the compiler does not check.
const UNSAFE: &[&str] = &["{", "fn ", "impl ", "impl<", "trait ", "extern "];

pub(super) fn shape(project: &Project) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in sources(project) {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines, at most {LINES_MAX}", file.path));
        }
        if file.name() == "mod.rs" {
            wrong.push(format!("{}: foo.rs stands beside foo/", file.path));
        }
        for (number, line) in code(text) {
            if LEFT_OVERS.iter().any(|left| line.contains(left)) {
                wrong.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    wrong
}

pub(super) fn unsafety(project: &Project) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in sources(project).filter(|(file, _)| file.is(".rs")) {
        if file.name().starts_with("unsafe_") {
            continue;
        }
        for (number, line) in code(text) {
            if is_unsafe(line) {
                wrong.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    wrong
}

fn is_unsafe(line: &str) -> bool {
    let word = concat!("un", "safe ");
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let whole = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '`' | '"'));
        whole && UNSAFE.iter().any(|next| line[at + word.len()..].starts_with(next))
    })
}

fn sources(project: &Project) -> impl Iterator<Item = (&File, &str)> {
    let written = |file: &&File| [".rs", ".ts", ".tsx", ".mjs", ".css"].iter().any(|e| file.is(e));
    project.files.iter().filter(written).filter_map(|f| Some((f, f.text.as_deref()?)))
}

/// Lines with their numbers, without those that are comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::{code, is_unsafe};

    #[test]
    fn unsafe_code_is_told_from_the_word() {
        let word = concat!("un", "safe");
        assert!(is_unsafe(&format!("    {word} {{ run() }}")));
        assert!(is_unsafe(&format!("pub {word} fn f() {{}}")));
        assert!(is_unsafe(&format!("{word} impl Send for X {{}}")));
        assert!(!is_unsafe(&format!("`{word} fn` is a word in a text")));
        assert!(!is_unsafe(&format!("{word}_code = \"deny\"")));
        assert_eq!(code("// a\nb\n  /// c").count(), 1);
    }
}
