//! The server's own certificate, and which clients' certificates are trusted.
//!
//! ```text
//! own/certificate.der    made once; give it to clients that want to know the server beforehand
//! own/private-key.pem    readable by its owner only
//! trusted/*.der          clients that are let in
//! rejected/*.der         clients that knocked and were turned away, the newest
//! ```
//!
//! A file's name is the SHA-256 thumbprint of what is in it; files that a person put into `trusted/`
//! under other names count as well. Its time of change is since when it is trusted, or when its client
//! was last refused.

mod own;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use opcua::crypto::X509;
use opcua::types::StatusCode;

use crate::Error;
use crate::wire::asymmetric::{Own, Sender, first_der};

/// Most certificates in `trusted/`: ten times the clients of a large plant.
pub const TRUSTED_MAX: usize = 1_000;

/// Most certificates in `rejected/`: anybody can knock with a new one each time, so the oldest makes
/// room.
pub const REJECTED_MAX: usize = 64;

/// How exactly it is kept when a refused client last knocked: who knocks all the time writes to the disk
/// no more often than that.
const KNOCK_STEP: Duration = Duration::from_secs(1);

/// Largest file that is taken for a certificate.
const FILE_BYTES_MAX: u64 = 32_768;

/// A client's certificate, for the person who decides about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its DER, in hexadecimal.
    pub thumbprint: String,
    /// Whose it says it is.
    pub subject: String,
    /// Until when it is valid, in seconds since 1970.
    pub not_after: i64,
    /// Since when it is trusted; of a rejected one, when its client was last refused.
    pub since: SystemTime,
    /// The whole in DER.
    pub der: Vec<u8>,
}

/// Certificates on disk, and the trusted ones in memory.
pub(crate) struct Pki {
    dir: PathBuf,
    own: Own,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Thumbprints of trusted certificates and the files that hold them.
    trusted: HashMap<String, PathBuf>,
    /// When the folder was changed as it was last read.
    changed: Option<SystemTime>,
}

impl Pki {
    /// Opens the folder, and makes what is missing in it. Reads and writes files, and may compute
    /// for a second.
    pub(crate) fn open(
        dir: &Path,
        application_uri: &str,
        application_name: &str,
        host_names: &[String],
    ) -> Result<Self, Error> {
        for part in ["own", "trusted", "rejected"] {
            let path = dir.join(part);
            fs::create_dir_all(&path).map_err(|source| Error::File { path, source })?;
        }
        let own = own::open(&dir.join("own"), application_uri, application_name, host_names)?;
        let pki = Self { dir: dir.to_owned(), own, state: Mutex::default() };
        pki.reload(&mut pki.state())?;
        Ok(pki)
    }

    pub(crate) fn own(&self) -> &Own {
        &self.own
    }

    /// Whether the client is let in. Looks into the folder if it was changed meanwhile; a client
    /// that is not trusted is put into `rejected/`.
    pub(crate) fn check(&self, sender: &Sender, now: SystemTime) -> Result<(), StatusCode> {
        let thumbprint = thumbprint(&sender.der);
        let mut state = self.state();
        if let Err(error) = self.reload(&mut state) {
            tracing::error!(%error, "cannot read the trusted OPC UA certificates");
        }
        if !state.trusted.contains_key(&thumbprint) {
            self.reject(&thumbprint, sender);
            return Err(StatusCode::BadCertificateUntrusted);
        }
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
        let valid = sender.certificate.not_before().is_ok_and(|from| from.timestamp() <= now)
            && sender.certificate.not_after().is_ok_and(|until| until.timestamp() >= now);
        if valid { Ok(()) } else { Err(StatusCode::BadCertificateTimeInvalid) }
    }

    /// Clients that were turned away.
    pub(crate) fn rejected(&self) -> Result<Vec<Certificate>, Error> {
        Ok(certificates(&self.dir.join("rejected"))?.into_iter().map(|(_, it)| it).collect())
    }

    /// Clients that are let in.
    pub(crate) fn trusted(&self) -> Result<Vec<Certificate>, Error> {
        Ok(certificates(&self.dir.join("trusted"))?.into_iter().map(|(_, it)| it).collect())
    }

    /// Whether the client is let in, as far as is known without looking into the folder.
    pub(crate) fn is_trusted(&self, thumbprint: &str) -> bool {
        self.state().trusted.contains_key(thumbprint)
    }

    /// Lets a rejected client in, and tells which one it is.
    pub(crate) fn trust(&self, wanted: &str) -> Result<Certificate, Error> {
        let mut state = self.state();
        self.reload(&mut state)?;
        let key = wanted.to_ascii_lowercase();
        if state.trusted.contains_key(&key) {
            return Ok(self.holding("trusted", &key)?.1);
        }
        if state.trusted.len() >= TRUSTED_MAX {
            return Err(Error::Full(TRUSTED_MAX));
        }
        let (files, certificate) = self.holding("rejected", &key)?;
        let to = self.dir.join("trusted").join(file_name(&key));
        for from in files {
            fs::rename(&from, &to).map_err(|source| Error::File { path: from, source })?;
        }
        stamp(&to);
        state.trusted.insert(key, to);
        Ok(certificate)
    }

    /// Turns a trusted client away from now on, and tells which one it was.
    pub(crate) fn distrust(&self, wanted: &str) -> Result<Certificate, Error> {
        let mut state = self.state();
        let key = wanted.to_ascii_lowercase();
        let (files, certificate) = self.holding("trusted", &key)?;
        remove(&files)?;
        state.trusted.remove(&key);
        // For whoever changes their mind.
        self.keep(&key, &certificate.der);
        Ok(certificate)
    }

    /// Forgets a client, trusted or not: when it knocks, it is a stranger. Tells which one it was.
    pub(crate) fn forget(&self, wanted: &str) -> Result<Certificate, Error> {
        let mut state = self.state();
        let key = wanted.to_ascii_lowercase();
        let mut forgotten = Err(Error::NoCertificate(wanted.to_owned()));
        for folder in ["rejected", "trusted"] {
            match self.holding(folder, &key) {
                Ok((files, certificate)) => {
                    remove(&files)?;
                    forgotten = Ok(certificate);
                }
                Err(Error::NoCertificate(_)) => {}
                Err(error) => return Err(error),
            }
        }
        state.trusted.remove(&key);
        forgotten
    }

    /// The files of a folder that hold a certificate: a person may have put it there twice.
    fn holding(&self, folder: &str, key: &str) -> Result<(Vec<PathBuf>, Certificate), Error> {
        let found = certificates(&self.dir.join(folder))?;
        let mut files = Vec::new();
        let mut certificate = None;
        for (path, it) in found.into_iter().filter(|(_, it)| it.thumbprint == key) {
            files.push(path);
            certificate = Some(it);
        }
        let certificate = certificate.ok_or_else(|| Error::NoCertificate(key.to_owned()))?;
        Ok((files, certificate))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads `trusted/` again if it was changed.
    fn reload(&self, state: &mut State) -> Result<(), Error> {
        let path = self.dir.join("trusted");
        let changed = fs::metadata(&path)
            .and_then(|meta| meta.modified())
            .map_err(|source| Error::File { path: path.clone(), source })?;
        // A folder that was changed just now may be changed again within the clock's step.
        let settled = changed.elapsed().is_ok_and(|age| age.as_secs() > 2);
        if state.changed == Some(changed) && settled {
            return Ok(());
        }
        let found = certificates(&path)?;
        state.trusted =
            found.into_iter().map(|(path, certificate)| (certificate.thumbprint, path)).collect();
        state.changed = Some(changed);
        Ok(())
    }

    /// Keeps the certificate of a client that was turned away, and says what to do about it.
    fn reject(&self, thumbprint: &str, sender: &Sender) {
        let path = self.dir.join("rejected").join(file_name(thumbprint));
        if let Ok(meta) = path.metadata() {
            let known = meta.modified().ok().and_then(|last| last.elapsed().ok());
            if known.is_none_or(|ago| ago >= KNOCK_STEP) {
                stamp(&path);
            }
            return tracing::debug!(thumbprint, "a refused OPC UA client knocked again");
        }
        tracing::warn!(
            thumbprint,
            subject = sender.certificate.subject_name(),
            "an OPC UA client whose certificate is not trusted was refused; if you know it, trust \
             that thumbprint"
        );
        self.keep(thumbprint, &sender.der);
    }

    /// Puts a certificate among the rejected ones; that it is there is no more than a convenience.
    fn keep(&self, thumbprint: &str, der: &[u8]) {
        let dir = self.dir.join("rejected");
        let keep = || -> io::Result<()> {
            make_room(&dir)?;
            fs::write(dir.join(file_name(thumbprint)), der)
        };
        if let Err(error) = keep() {
            tracing::warn!(%error, "cannot keep the refused OPC UA certificate");
        }
    }
}

/// Sets a file's time of change to now. What it tells is for people, and not worth a failure.
fn stamp(path: &Path) {
    let file = fs::File::options().append(true).open(path);
    if let Err(error) = file.and_then(|file| file.set_modified(SystemTime::now())) {
        tracing::debug!(%error, "cannot note when an OPC UA certificate came here");
    }
}

fn remove(files: &[PathBuf]) -> Result<(), Error> {
    let failed = |path: &PathBuf, source| Error::File { path: path.clone(), source };
    files.iter().try_for_each(|path| fs::remove_file(path).map_err(|error| failed(path, error)))
}

/// Removes the oldest files until one more fits.
fn make_room(dir: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let surplus = (files.len() + 1).saturating_sub(REJECTED_MAX);
    files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

/// The certificates in a folder, the newest first. Files that are none are left alone.
fn certificates(dir: &Path) -> Result<Vec<(PathBuf, Certificate)>, Error> {
    let failed = |source| Error::File { path: dir.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)?.take(2 * TRUSTED_MAX) {
        let entry = entry.map_err(failed)?;
        // A file may be moved away while the folder is read.
        let Ok(meta) = entry.metadata() else { continue };
        if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
            continue;
        }
        let Ok(bytes) = fs::read(entry.path()) else { continue };
        let since = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if let Some(certificate) = read(&bytes, since) {
            found.push((entry.path(), certificate));
        }
    }
    found.sort_by_key(|(_, certificate)| std::cmp::Reverse(certificate.since));
    found.truncate(TRUSTED_MAX);
    Ok(found)
}

/// Reads a certificate in DER or PEM.
fn read(bytes: &[u8], since: SystemTime) -> Option<Certificate> {
    let der = match X509::from_pem(bytes) {
        Ok(certificate) => certificate.to_der().ok()?,
        Err(_) => first_der(bytes)?.to_vec(),
    };
    let certificate = X509::from_der(&der).ok()?;
    Some(Certificate {
        thumbprint: thumbprint(&der),
        subject: certificate.subject_name(),
        not_after: certificate.not_after().ok()?.timestamp(),
        since,
        der,
    })
}

/// SHA-256 of a certificate in hexadecimal.
pub(crate) fn thumbprint(der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file_name(thumbprint: &str) -> String {
    format!("{thumbprint}.der")
}

#[cfg(test)]
mod tests;
