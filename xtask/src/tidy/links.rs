//! Links from one document to another.

use std::path::{Component, Path, PathBuf};

use super::Project;

pub(super) fn check(project: &Project) -> Vec<String> {
    let root = crate::process::root();
    let mut wrong = Vec::new();
    for file in project.files.iter().filter(|file| file.is(".md")) {
        let Some(text) = &file.text else { continue };
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        for (number, target) in links(text) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file_path = if path.is_empty() {
                PathBuf::from(&file.path)
            } else {
                normal(&folder.join(path))
            };
            if !root.join(&file_path).exists() {
                wrong.push(format!("{}:{number}: {target} leads nowhere", file.path));
                continue;
            }
            let headed = file_path.extension().is_some_and(|e| e == "md");
            if headed && !anchor.is_empty() {
                let text = std::fs::read_to_string(root.join(&file_path)).unwrap_or_default();
                if !headings(&text).any(|heading| heading == anchor) {
                    wrong.push(format!("{}:{number}: no heading for {target}", file.path));
                }
            }
        }
    }
    wrong
}

/// Relative targets of `[text](target)` with their lines, outside of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece between back quotes is code.
        for piece in line.split('`').step_by(2) {
            for (at, _) in piece.match_indices("](") {
                let rest = &piece[at + 2..];
                let target = rest.split([')', ' ']).next().unwrap_or_default();
                let outside = target.contains("://") || target.starts_with("mailto:");
                if !target.is_empty() && !outside {
                    found.push((index + 1, target));
                }
            }
        }
    }
    found
}

/// Headings as the anchors that web sites make of them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{headings, links};

    #[test]
    fn relative_links_are_found_and_code_is_left_out() {
        let text = "[a](b.md#c) and [d](https://e) `[f](g)`\n```\n[h](i)\n```\n![j](k.png \"l\")\n";
        assert_eq!(links(text), [(1, "b.md#c"), (5, "k.png")]);
        assert_eq!(headings("# A `b`, c-d!\ntext").collect::<Vec<_>>(), ["a-b-c-d"]);
    }
}
