//! Weir's own application instance certificate (OPC 10000-6, clause 6.2.2): made when a server is first spoken to with a
//! security policy, then kept. Without one nothing is signed, so there is no key to wait for.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opcua::crypto::{CertificateStore, X509, X509Data};
use opcua::sync::RwLock;
use tokio::sync::OnceCell;
use weir_connect::PeerCertificate;
use weir_model::Timestamp;

use crate::certificate;

/// Bits of the key: what every security policy takes.
const KEY_BITS: u32 = 2048;

/// How long the certificate is valid. Renewing it means to trust it anew on every server, so rarely.
const VALID_DAYS: u32 = 3650;

/// What we are to servers.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Where the certificate is, for people who must trust it on a server.
    pub(crate) certificate: PathBuf,
    key: PathBuf,
    /// Where the library keeps copies of servers' certificates. Nothing is trusted for lying there.
    copies: PathBuf,
    /// The application's URI, as the certificate has it.
    pub(crate) uri: String,
    /// By which servers show the certificate: SHA-1, upper case.
    pub(crate) thumbprint: String,
    not_after: Option<Timestamp>,
}

/// The identity below a folder, made or read at its first use.
#[derive(Debug)]
pub(crate) struct Identities {
    dir: PathBuf,
    made: OnceCell<Arc<Identity>>,
}

impl Identities {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, made: OnceCell::new() }
    }

    /// Where the certificate is or will be.
    pub(crate) fn certificate_path(&self) -> PathBuf {
        certificate_path(&self.dir)
    }

    /// What the library reads our certificate from where none is needed: there is none.
    pub(crate) fn keyless(&self) -> Arc<RwLock<CertificateStore>> {
        // A folder that is never made, since nothing is kept without a policy.
        Arc::new(RwLock::new(CertificateStore::new(&self.dir.join("none"))))
    }

    /// Who we say we are where no certificate says it.
    pub(crate) fn uri(&self) -> String {
        self.made.get().map_or_else(application_uri, |made| made.uri.clone())
    }

    /// # Errors
    /// Why there is none, for people.
    pub(crate) async fn get(&self, now: Timestamp) -> Result<Arc<Identity>, String> {
        let dir = self.dir.clone();
        let make = || async move {
            // Making a key takes a good part of a second, and files block.
            match tokio::task::spawn_blocking(move || Identity::open(&dir)).await {
                Ok(opened) => opened.map(Arc::new),
                Err(_) => Err("Weir's own certificate could not be made".to_owned()),
            }
        };
        let identity = self.made.get_or_try_init(make).await?;
        if identity.not_after.is_some_and(|end| end < now) {
            return Err(format!(
                "Weir's own certificate has expired; delete {} and the key in {}, restart, and trust the new one on the servers",
                identity.certificate.display(),
                identity.key.display()
            ));
        }
        Ok(Arc::clone(identity))
    }
}

impl Identity {
    fn open(dir: &Path) -> Result<Self, String> {
        let (certificate, key) = (certificate_path(dir), dir.join("private").join("private.pem"));
        if certificate.exists() && !key.exists() {
            return Err(format!(
                "Weir's certificate {} has lost its private key {}; put the key back, or delete the certificate and trust the new one on the servers",
                certificate.display(),
                key.display()
            ));
        }
        if !certificate.exists() {
            let (der, pem) = make(&application_uri())?;
            // The key first: a certificate without its key would be a certificate lost.
            write_private(&key, pem.as_bytes())
                .map_err(|e| told("write the private key", &key, &e))?;
            write(&certificate, &der)
                .map_err(|e| told("write the certificate", &certificate, &e))?;
        }
        let copies = dir.join("copies");
        for name in ["trusted", "rejected"] {
            let dir = copies.join(name);
            fs::create_dir_all(&dir).map_err(|e| told("make the folder", &dir, &e))?;
        }
        let der =
            fs::read(&certificate).map_err(|e| told("read the certificate", &certificate, &e))?;
        let unreadable = || format!("{} is not an X.509 certificate in DER", certificate.display());
        let known = PeerCertificate::read(&der).ok_or_else(unreadable)?;
        let uri = certificate::application_uri(&der).ok_or_else(|| {
            format!(
                "{} names no application URI among its alternative names",
                certificate.display()
            )
        })?;
        let identity = Self {
            thumbprint: certificate::sha1_thumbprint(&der),
            not_after: known.not_after,
            certificate,
            key,
            copies,
            uri,
        };
        CertificateStore::read_pkey(&identity.key)
            .map_err(|_| format!("{} is not an RSA private key in PEM", identity.key.display()))?;
        Ok(identity)
    }

    /// What the library reads our certificate from. It trusts whatever it meets, because who connects
    /// has compared the certificate with the settings before, and the library insists on that very one.
    pub(crate) fn store(&self) -> Arc<RwLock<CertificateStore>> {
        let none = None::<X509Data>;
        let (certificate, key) = (Some(self.certificate.as_path()), Some(self.key.as_path()));
        let (mut store, _, _) =
            CertificateStore::new_with_x509_data(&self.copies, false, certificate, key, none);
        store.set_trust_unknown_certs(true);
        store.set_skip_verify_certs(true);
        Arc::new(RwLock::new(store))
    }

    /// What to do when a server refuses us.
    pub(crate) fn remedy(&self) -> String {
        format!(
            "most often it does not trust Weir's certificate yet: on the server, move the certificate with thumbprint {} from the rejected to the trusted ones, or import {} there, then try again",
            self.thumbprint,
            self.certificate.display()
        )
    }
}

fn certificate_path(dir: &Path) -> PathBuf {
    dir.join("own").join("cert.der")
}

/// A new certificate in DER, and its private key in PEM.
pub(crate) fn make(uri: &str) -> Result<(Vec<u8>, String), String> {
    let names = X509Data::alt_host_names(uri, Some(vec![host_name()]), false, false, false);
    let data = X509Data {
        key_size: KEY_BITS,
        common_name: "Weir".to_owned(),
        organization: "Weir".to_owned(),
        organizational_unit: String::new(),
        country: String::new(),
        state: String::new(),
        alt_host_names: names,
        certificate_duration_days: VALID_DAYS,
    };
    let (certificate, key) = X509::cert_and_pkey(&data)?;
    let der = certificate.to_der().map_err(|_| "encode Weir's own certificate".to_owned())?;
    let key = key.to_der().map_err(|_| "encode Weir's own private key".to_owned())?;
    Ok((der, pem(key.as_bytes())))
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

fn application_uri() -> String {
    format!("urn:{}:weir", host_name())
}

/// This machine's name where it is one that a certificate can hold.
fn host_name() -> String {
    let is_plain = |name: &String| {
        let is_of_names = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        (1..=64).contains(&name.len()) && name.bytes().all(is_of_names)
    };
    opcua::crypto::hostname().ok().filter(is_plain).unwrap_or_else(|| "localhost".to_owned())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, bytes, fs::OpenOptions::new().write(true).create(true).truncate(true))
}

/// Only its owner can read what is written.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // One that was left without its certificate, by a crash in between, has never been used.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_with(path, bytes, &options)
}

fn write_with(path: &Path, bytes: &[u8], options: &fs::OpenOptions) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn told(doing: &str, path: &Path, error: &io::Error) -> String {
    format!("{doing} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_made_once_kept_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_system(std::time::SystemTime::now());
        let first = Identities::new(dir.path().to_owned()).get(now).await.unwrap();
        let second = Identities::new(dir.path().to_owned()).get(now).await.unwrap();
        assert_eq!(first.thumbprint, second.thumbprint);
        assert!(first.uri.starts_with("urn:") && first.uri.ends_with(":weir"), "{}", first.uri);
        assert!(first.remedy().contains(&first.thumbprint));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&first.key).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(first.store().read().read_own_pkey().is_ok());
        let late = first.not_after.unwrap().saturating_add(1);
        let expired = Identities::new(dir.path().to_owned()).get(late).await.unwrap_err();
        assert!(expired.contains("has expired"), "{expired}");
        fs::remove_file(&first.key).unwrap();
        let lost = Identities::new(dir.path().to_owned()).get(now).await.unwrap_err();
        assert!(lost.contains("lost its private key"), "{lost}");
    }
}
