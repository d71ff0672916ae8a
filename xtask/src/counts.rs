//! How many tests passed and failed, read from what the test runners print.

use std::ops::AddAssign;

/// Tests that passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// One check.
    pub(crate) fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// The counts that a summary line states: of `cargo test`, vitest, Node's runner, Playwright
    /// and pytest.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result: ") {
            return Some(Self { passed: before(rest, "passed"), failed: before(rest, "failed") });
        }
        // vitest: "Tests  1 failed | 41 passed (42)"
        if let Some(rest) = line.strip_prefix("Tests ") {
            return Some(Self { passed: before(rest, "passed"), failed: before(rest, "failed") });
        }
        // node --test: "# pass 12", with the spec reporter "ℹ pass 12"
        let plain = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")).unwrap_or(line);
        let number = |word: &str| plain.strip_prefix(word)?.trim().parse().ok();
        if plain.len() < line.len() {
            if let Some(passed) = number("pass ") {
                return Some(Self { passed, failed: 0 });
            }
            return Some(Self { passed: 0, failed: number("fail ")? });
        }
        // Playwright: "12 passed (3.4s)" and "1 failed" on lines of their own; pytest in "===".
        let bare = line.trim_matches('=').trim();
        let (first, rest) = bare.split_once(' ')?;
        first.parse::<u64>().ok()?;
        let summary = rest.starts_with("passed") || rest.starts_with("failed");
        summary.then(|| Self { passed: before(bare, "passed"), failed: before(bare, "failed") })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// The number that stands before a word; 0 where there is none.
fn before(text: &str, word: &str) -> u64 {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words
        .windows(2)
        .find(|pair| pair[1] == word)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn the_summaries_of_all_runners_are_read() {
        let cases = [
            ("test result: ok. 32 passed; 0 failed; 1 ignored; 0 measured", Some((32, 0))),
            ("test result: FAILED. 3 passed; 2 failed; 0 ignored", Some((3, 2))),
            ("      Tests  1 failed | 41 passed (42)", Some((41, 1))),
            ("      Tests  42 passed (42)", Some((42, 0))),
            ("# pass 12", Some((12, 0))),
            ("ℹ fail 3", Some((0, 3))),
            ("  12 passed (3.4s)", Some((12, 0))),
            ("  1 failed", Some((0, 1))),
            ("==== 2 failed, 5 passed in 0.2s ====", Some((5, 2))),
            (" Test Files  7 passed (7)", None),
            ("# tests 12", None),
            ("running 3 tests", None),
            ("test foo ... ok", None),
        ];
        for (line, expected) in cases {
            let counts = Counts::read(line).map(|c| (c.passed, c.failed));
            assert_eq!(counts, expected, "{line}");
        }
    }
}
