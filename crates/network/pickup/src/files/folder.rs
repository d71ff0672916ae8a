//! The folder: which one is allowed, which files lie in it, and what becomes of them.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use weir_connect::ErrorKind;

use super::Plan;

/// Most files that match the pattern. Beyond, those that were read should be moved away.
const FILES_MAX: usize = 10_000;

/// Most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 100_000;

/// Most files of one name in the folder of those that were read.
const NAMESAKES_MAX: u32 = 10_000;

/// A file as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// Of the last change, in nanoseconds since 1970.
    pub(crate) modified: i64,
}

/// Whether a folder is written as one below an allowed root; touches nothing.
///
/// # Errors
/// What to change, for people.
pub(crate) fn below(folder: &Path, allowed: &[PathBuf]) -> Result<(), String> {
    let is_plain = |part: Component<'_>| !matches!(part, Component::ParentDir | Component::CurDir);
    if !folder.is_absolute() || !folder.components().all(is_plain) {
        return Err("an absolute path without . and .. is expected".to_owned());
    }
    if allowed.iter().any(|root| folder.starts_with(root)) {
        return Ok(());
    }
    let roots: Vec<_> = allowed.iter().map(|root| root.display().to_string()).collect();
    let now = if roots.is_empty() {
        "none is".to_owned()
    } else {
        format!("they are {}", roots.join(", "))
    };
    Err(format!(
        "the folder is not below one that may be read ({now}); add it to connect.pickup_dirs in the node's settings"
    ))
}

/// The real path of a folder, which lies below the real path of an allowed root.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) fn real(folder: &Path, allowed: &[PathBuf]) -> Result<PathBuf, (ErrorKind, String)> {
    below(folder, allowed).map_err(|cause| (ErrorKind::Misconfigured, cause))?;
    let path =
        fs::canonicalize(folder).map_err(|error| unreadable("look at the folder", &error))?;
    let is_below = allowed
        .iter()
        .filter_map(|root| fs::canonicalize(root).ok())
        .any(|root| path.starts_with(root));
    if is_below {
        return Ok(path);
    }
    let cause = format!(
        "the folder is in truth {}, which is not below one that may be read; add that to connect.pickup_dirs in the node's settings",
        path.display()
    );
    Err((ErrorKind::Misconfigured, cause))
}

fn unreadable(what: &str, error: &io::Error) -> (ErrorKind, String) {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "; is it there, and is its disk mounted?",
        io::ErrorKind::PermissionDenied => "; let the user that runs the node read it",
        _ => "",
    };
    (ErrorKind::Unreachable, format!("could not {what}: {error}{hint}"))
}

/// The files that match the pattern, the oldest first.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) fn scan(plan: &Plan) -> Result<Vec<Found>, (ErrorKind, String)> {
    let folder = real(&plan.settings.folder, &plan.allowed)?;
    let entries = fs::read_dir(&folder).map_err(|error| unreadable("read the folder", &error))?;
    let mut found = Vec::new();
    for (count, entry) in entries.enumerate() {
        if count >= ENTRIES_MAX {
            let cause = format!("the folder has more than {ENTRIES_MAX} entries; move files away");
            return Err((ErrorKind::Rejected, cause));
        }
        let entry = entry.map_err(|error| unreadable("read the folder", &error))?;
        // A name that is no text matches no pattern.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !matches(&plan.settings.pattern, &name) {
            continue;
        }
        // This looks at a link itself, so links are left out; what has just gone is left out too.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        if found.len() >= FILES_MAX {
            let cause = format!(
                "more than {FILES_MAX} files match {}; have them moved or deleted when they were read",
                plan.settings.pattern
            );
            return Err((ErrorKind::Rejected, cause));
        }
        found.push(Found { name, size: metadata.len(), modified: modified(&metadata) });
    }
    found.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
    Ok(found)
}

/// Opens a file of the folder, which must be a file and no link to one.
///
/// # Errors
/// What the system says, or that it is a link.
pub(crate) fn open(plan: &Plan, name: &str) -> io::Result<(File, Found)> {
    let folder = real(&plan.settings.folder, &plan.allowed)
        .map_err(|(_, cause)| io::Error::new(io::ErrorKind::PermissionDenied, cause))?;
    let path = folder.join(name);
    let before = fs::symlink_metadata(&path)?;
    if !before.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let file = File::open(&path)?;
    let metadata = file.metadata()?;
    // Somebody may have put a link in its place in between.
    if !metadata.is_file() || !is_same(&before, &metadata) {
        return Err(io::Error::other("it was exchanged while it was opened"));
    }
    let found =
        Found { name: name.to_owned(), size: metadata.len(), modified: modified(&metadata) };
    Ok((file, found))
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

fn modified(metadata: &Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|time| i64::try_from(time.as_nanos()).ok()).unwrap_or(0)
}

/// Moves a file that was read, unless it has changed since; says whether it did.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) fn move_away(
    plan: &Plan,
    read: &Found,
    done: &Path,
) -> Result<bool, (ErrorKind, String)> {
    let failed = |error: &io::Error| unreadable(&format!("move {}", read.name), error);
    let from = real(&plan.settings.folder, &plan.allowed)?.join(&read.name);
    below(done, &plan.allowed).map_err(|cause| (ErrorKind::Misconfigured, cause))?;
    fs::create_dir_all(done).map_err(|error| failed(&error))?;
    let done = real(done, &plan.allowed)?;
    if !is_unchanged(&from, read) {
        return Ok(false);
    }
    for number in 0..NAMESAKES_MAX {
        let name = if number == 0 { read.name.clone() } else { format!("{}.{number}", read.name) };
        let to = done.join(name);
        if fs::symlink_metadata(&to).is_ok() {
            continue;
        }
        fs::rename(&from, &to).map_err(|error| failed(&error))?;
        return Ok(true);
    }
    Err((
        ErrorKind::Rejected,
        format!("{} files named {} were moved already", NAMESAKES_MAX, read.name),
    ))
}

/// Deletes a file that was read, unless it has changed since; says whether it did.
///
/// # Errors
/// What is wrong and what to do.
pub(crate) fn delete(plan: &Plan, read: &Found) -> Result<bool, (ErrorKind, String)> {
    let path = real(&plan.settings.folder, &plan.allowed)?.join(&read.name);
    if !is_unchanged(&path, read) {
        return Ok(false);
    }
    fs::remove_file(&path)
        .map(|()| true)
        .map_err(|error| unreadable(&format!("delete {}", read.name), &error))
}

fn is_unchanged(path: &Path, read: &Found) -> bool {
    let is_same =
        |now: &Metadata| now.is_file() && now.len() == read.size && modified(now) == read.modified;
    fs::symlink_metadata(path).is_ok_and(|now| is_same(&now))
}

/// Whether a name matches a pattern of `*` (any characters) and `?` (one), by steps that are bounded by
/// the product of both lengths.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and how much of the name it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.part", false),
            ("*", "", true),
            ("报表_??.csv", "报表_07.csv", true),
            ("报表_??.csv", "报表_7.csv", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("", "a", false),
            ("a**", "a", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn only_what_is_allowed_is_below() {
        let roots = [PathBuf::from("/data/in")];
        assert!(below(Path::new("/data/in"), &roots).is_ok());
        assert!(below(Path::new("/data/in/a/b"), &roots).is_ok());
        for folder in ["/data", "/data/inner", "/data/in/../x", "data/in", "/", ""] {
            assert!(below(Path::new(folder), &roots).is_err(), "{folder}");
        }
        let error = below(Path::new("/data/in"), &[]).unwrap_err();
        assert!(error.contains("none is") && error.contains("connect.pickup_dirs"), "{error}");
    }
}
