//! What a machine has to have. Everything that is missing is told at once, a line each.

use std::process::Command;

use crate::process;

/// A program that a chore needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Node 20.19 or later with npm.
    Node,
    /// Python 3.11 or later with venv.
    Python,
    /// A C compiler.
    Cc,
}

/// One line for each need that is not there.
pub(crate) fn missing(needs: &[Need]) -> Vec<String> {
    needs.iter().filter_map(|need| need.missing()).collect()
}

impl Need {
    fn missing(self) -> Option<String> {
        match self {
            Self::Node => {
                let found = version("node", &["--version"]);
                if found.is_none_or(|version| version < (20, 19)) {
                    return Some(lacks("Node 20.19 or later", found, "https://nodejs.org"));
                }
                version("npm", &["--version"])
                    .is_none()
                    .then(|| lacks("npm", None, "it comes with Node from https://nodejs.org"))
            }
            Self::Python => {
                let found = version("python3", &["--version"]);
                if found.is_none_or(|version| version < (3, 11)) {
                    return Some(lacks("Python 3.11 or later", found, "Debian: python3"));
                }
                let venv = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
                let there = venv.is_ok_and(|output| output.status.success());
                (!there).then(|| lacks("Python's venv", None, "Debian: python3-venv"))
            }
            Self::Cc => {
                let there = std::env::var_os("CC").is_some() || process::exists("cc");
                (!there).then(|| lacks("a C compiler", None, "Debian: gcc and libc6-dev"))
            }
        }
    }
}

fn lacks(what: &str, found: Option<(u32, u32)>, hint: &str) -> String {
    match found {
        Some((major, minor)) => format!("missing: {what} (found {major}.{minor}; {hint})"),
        None => format!("missing: {what} ({hint})"),
    }
}

/// Major and minor version that a program prints.
fn version(program: &str, args: &[&str]) -> Option<(u32, u32)> {
    let text = process::output(process::command(program).args(args)).ok()?;
    parse(&text)
}

fn parse(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[start..].split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_read_as_programs_print_them() {
        for (text, expected) in [
            ("v20.19.3\n", Some((20, 19))),
            ("Python 3.11.7\n", Some((3, 11))),
            ("11.19.1", Some((11, 19))),
            ("no version", None),
        ] {
            assert_eq!(super::parse(text), expected);
        }
        assert!((20, 9) < (20, 19) && (22, 1) > (20, 19));
    }
}
