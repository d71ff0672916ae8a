//! A test that is ignored is run by nobody, unless a chore runs it.

use super::Project;
use crate::interop;

/// Test targets whose ignored tests other chores run.
const OTHERS: &[&str] = &["soak", "many"];

/// What ignored tests among the unit tests say: they are no tests, but make what tests read.
const MAKERS: &str = "writes the fixture of a format, once, before it is released";

/// What ignored tests among the unit tests say that `cargo xtask soak` runs by name.
const SOAKS: &str = "long: cargo xtask soak";

pub(super) fn check(project: &Project) -> Vec<String> {
    let mark = concat!("#[", "ignore");
    let mut wrong = Vec::new();
    for file in project.files.iter().filter(|file| file.is(".rs")) {
        let text = file.text.as_deref().unwrap_or_default();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.trim().starts_with(mark))
        {
            let is_run = match target(&file.path) {
                Some(target) => interop::TARGETS.contains(&target) || OTHERS.contains(&target),
                None => line.contains(MAKERS) || line.contains(SOAKS),
            };
            if !is_run {
                wrong.push(format!("{}:{}: no chore runs it", file.path, at + 1));
            }
        }
    }
    wrong
}

/// The test target that a file belongs to; none for unit tests.
fn target(path: &str) -> Option<&str> {
    let (_, below) = path.rsplit_once("/tests/")?;
    let first = below.split('/').next()?;
    let is_unit = path.split_once("/src/").is_some();
    (!is_unit).then(|| first.trim_end_matches(".rs"))
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn a_file_says_of_which_target_it_is() {
        assert_eq!(target("crates/network/opcua/tests/asyncua/values.rs"), Some("asyncua"));
        assert_eq!(target("tests/it/tests/soak.rs"), Some("soak"));
        assert_eq!(target("crates/base/store/src/environment/tests.rs"), None);
    }
}
