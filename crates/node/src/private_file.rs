//! Files that only their owner may read.

use std::io::{self, Write};
use std::path::Path;

/// Writes a file with mode 0600, whole or not at all: a sibling first, then a rename.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let sibling = path.with_extension("new");
    match std::fs::remove_file(&sibling) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&sibling)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&sibling, path)?;
    std::fs::File::open(folder)?.sync_all()
}
