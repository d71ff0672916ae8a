//! Where things are in the data folder, and how the command line finds a running node.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::private_file;

/// The file by which a command on the same machine finds the running node. Only the folder's owner
/// can read it; whoever can could read the records as well.
pub fn control_path(data: &Path) -> PathBuf {
    data.join("run").join("control.json")
}

/// The historian's folder.
pub fn historian_dir(data: &Path) -> PathBuf {
    data.join("historian")
}

/// The folder of the audit log.
pub fn audit_dir(data: &Path) -> PathBuf {
    data.join("audit")
}

#[derive(Serialize)]
pub(crate) struct Control<'a> {
    pub(crate) url: &'a str,
    pub(crate) token: &'a str,
    pub(crate) certificate: Option<&'a Path>,
}

/// Written when the node is ready, removed when it stops.
pub(crate) struct ControlFile(PathBuf);

impl ControlFile {
    pub(crate) fn write(data: &Path, control: &Control<'_>) -> io::Result<Self> {
        let path = control_path(data);
        private_file::write(&path, &serde_json::to_vec(control)?)?;
        Ok(Self(path))
    }
}

impl Drop for ControlFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, "the control file was gone already");
        }
    }
}
