//! How far a device's rows were read, in a small file that survives loss of power.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use weir_connect::{DeviceSpec, hex};

/// Largest file that is read: ten thousand files of 300 bytes each, and some spare.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The file of one device.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    path: PathBuf,
}

impl Memory {
    /// The file in a folder, whose name follows from the device alone: the first half of a SHA-256 over
    /// tenant and identifier.
    pub(crate) fn new(folder: &Path, protocol: &str, spec: &DeviceSpec) -> Self {
        let name = format!("{}\n{}", spec.tenant, spec.device.folded());
        let digest = hex(digest(&SHA256, name.as_bytes()).as_ref());
        let (short, _) = digest.split_at(32);
        Self { path: folder.join(format!("{protocol}-{short}.json")) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was kept; none where nothing was, or where it cannot be understood any more.
    ///
    /// # Errors
    /// What the system says, where the file cannot be read.
    pub(crate) fn load<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes).ok())
    }

    /// Keeps something: after this returns, it or what was kept before is read, never half of it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn store<T: Serialize>(&self, kept: &T) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(kept)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        sync_folder(folder)
    }
}

/// Makes a renaming durable, where the system has such a thing.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
