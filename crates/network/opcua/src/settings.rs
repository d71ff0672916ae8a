//! Settings of an OPC UA device.

use std::fmt;
use std::time::Duration;

use opcua::crypto::{PrivateKey, SecurityPolicy, X509};
use opcua::types::MessageSecurityMode;
use serde_json::Value as Json;
use weir_connect::Fields;
use weir_model::FieldError;

use crate::address::parse_deadband;
use crate::{Deadband, ServerUrl};

/// Security policies by their names in settings, the best one first. They are all that the library has; the
/// last two are deprecated since OPC UA 1.04, because SHA-1 and PKCS #1 v1.5 are no longer considered safe.
pub(crate) const POLICIES: &[(&str, SecurityPolicy)] = &[
    ("Aes256-Sha256-RsaPss", SecurityPolicy::Aes256Sha256RsaPss),
    ("Aes128-Sha256-RsaOaep", SecurityPolicy::Aes128Sha256RsaOaep),
    ("Basic256Sha256", SecurityPolicy::Basic256Sha256),
    ("Basic256", SecurityPolicy::Basic256),
    ("Basic128Rsa15", SecurityPolicy::Basic128Rsa15),
    ("None", SecurityPolicy::None),
];

/// Security modes by their names in settings, the best one first.
pub(crate) const MODES: &[(&str, MessageSecurityMode)] = &[
    ("SignAndEncrypt", MessageSecurityMode::SignAndEncrypt),
    ("Sign", MessageSecurityMode::Sign),
    ("None", MessageSecurityMode::None),
];

/// Longest address of a server.
const URL_BYTES_MAX: usize = 2048;

/// Longest user name and password.
const USER_BYTES_MAX: usize = 1024;

/// Longest PEM text: an RSA key of 4096 bits takes 3.3 kB.
const PEM_BYTES_MAX: usize = 16 * 1024;

/// Most languages that are asked for.
const LOCALES_MAX: usize = 8;

/// Settings of an OPC UA device.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the server is.
    pub url: ServerUrl,
    /// By which rules messages are protected.
    pub policy: SecurityPolicy,
    /// Whether messages are signed, and encrypted.
    pub mode: MessageSecurityMode,
    /// As whom we come.
    pub auth: Auth,
    /// SHA-256 thumbprints of the server's certificates that a person has reviewed.
    pub trusted: Vec<String>,
    /// Whether a reviewed certificate is also accepted outside of its validity.
    pub accept_expired: bool,
    /// Whether a password may be sent that nothing protects.
    pub plain_password: bool,
    /// How often the server reports changes.
    pub publishing: Duration,
    /// How often the server looks at values whose points do not say.
    pub sampling: Duration,
    /// How many changes of one value the server keeps between two reports.
    pub queue_size: u32,
    /// How far numbers must move whose points do not say.
    pub deadband: Deadband,
    /// The longest that each answer may take.
    pub timeout: Duration,
    /// How often a server that has nothing to report is asked whether it is there.
    pub keep_alive: Duration,
    /// In which languages names are wanted, the best one first.
    pub locales: Vec<String>,
}

/// As whom a client comes.
#[derive(Clone)]
pub enum Auth {
    /// As nobody.
    Anonymous,
    /// With a user name and a password.
    User {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// With a certificate of the user, which is not that of the application.
    Certificate {
        /// The certificate.
        certificate: Box<X509>,
        /// Its private key.
        key: Box<PrivateKey>,
    },
}

/// Passwords and keys never reach a log.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Auth {
    /// The name in settings.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User { .. } => "user",
            Self::Certificate { .. } => "certificate",
        }
    }
}

/// What suffices to search a server.
pub(crate) struct Search {
    pub(crate) url: ServerUrl,
    pub(crate) timeout: Duration,
}

impl Search {
    /// Reads the few settings that a search needs, and leaves the others alone.
    ///
    /// # Errors
    /// Each wrong field.
    pub(crate) fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let url = parse_url(&mut fields);
        let timeout = parse_timeout(&mut fields);
        url.filter(|_| errors.is_empty()).map(|url| Self { url, timeout }).ok_or(errors)
    }
}

impl Settings {
    /// Largest queue for one value at the server: a minute at 60 ms.
    pub(crate) const QUEUE_SIZE_MAX: u64 = 1000;

    /// Reads settings from JSON, `/settings` of a device.
    ///
    /// # Errors
    /// Each wrong field.
    pub fn parse(json: &Json) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::of(json, "/settings".to_owned(), &mut errors);
        let url = parse_url(&mut fields);
        let policy = fields.choice("security_policy", POLICIES);
        let policy = policy.unwrap_or(SecurityPolicy::Basic256Sha256);
        let default = if policy == SecurityPolicy::None {
            MessageSecurityMode::None
        } else {
            MessageSecurityMode::SignAndEncrypt
        };
        let mode = fields.choice("security_mode", MODES).unwrap_or(default);
        if (policy == SecurityPolicy::None) != (mode == MessageSecurityMode::None) {
            fields.wrong("security_mode", "policy None goes with mode None, and every other policy with Sign or SignAndEncrypt");
        }
        let auth = parse_auth(&mut fields);
        let trusted = fields.trusted();
        let accept_expired = fields.accept_expired();
        let plain_password = fields.truth("plain_password").unwrap_or(false);
        let unprotected = policy == SecurityPolicy::None && matches!(auth, Some(Auth::User { .. }));
        if unprotected && !plain_password {
            fields.wrong(
                "plain_password",
                "without a security policy anyone on the way can read the password; choose a policy, or say that you accept this",
            );
        }
        let mut millis = |name, range, default| {
            Duration::from_millis(fields.number(name, range).unwrap_or(default))
        };
        let publishing = millis("publishing_ms", 10..=3_600_000, 1000);
        let sampling = millis("sampling_ms", 0..=86_400_000, 1000);
        let keep_alive = millis("keep_alive_ms", 100..=600_000, 5000);
        let timeout = parse_timeout(&mut fields);
        let queue_size = fields.number("queue_size", 1..=Self::QUEUE_SIZE_MAX).unwrap_or(10) as u32;
        let locales = fields.texts("locales", LOCALES_MAX, 35).unwrap_or_default();
        let locales = locales.into_iter().map(str::to_owned).collect();
        let deadband = fields.get("deadband").cloned();
        fields.finish();
        let deadband = deadband
            .and_then(|json| parse_deadband(&json, "/settings/deadband".to_owned(), &mut errors))
            .unwrap_or(Deadband::None);
        let (Some(url), Some(auth), true) = (url, auth, errors.is_empty()) else {
            return Err(errors);
        };
        Ok(Self {
            url,
            policy,
            mode,
            auth,
            trusted,
            accept_expired,
            plain_password,
            publishing,
            sampling,
            queue_size,
            deadband,
            timeout,
            keep_alive,
            locales,
        })
    }

    /// How the connection is protected, in the protocol's words.
    pub(crate) fn security(&self) -> String {
        match self.mode {
            MessageSecurityMode::None => "no security".to_owned(),
            _ => format!("{} {}", policy_name(self.policy), mode_name(self.mode)),
        }
    }
}

pub(crate) fn policy_name(policy: SecurityPolicy) -> &'static str {
    POLICIES.iter().find(|(_, known)| *known == policy).map_or("unknown", |(name, _)| name)
}

pub(crate) fn mode_name(mode: MessageSecurityMode) -> &'static str {
    MODES.iter().find(|(_, known)| *known == mode).map_or("unknown", |(name, _)| name)
}

/// Whether a policy is deprecated since OPC UA 1.04.
pub(crate) fn is_deprecated(policy: SecurityPolicy) -> bool {
    matches!(policy, SecurityPolicy::Basic256 | SecurityPolicy::Basic128Rsa15)
}

fn parse_url(fields: &mut Fields<'_>) -> Option<ServerUrl> {
    let text = fields.text("url", URL_BYTES_MAX);
    let text = fields.require("url", text)?;
    match ServerUrl::parse(text) {
        Ok(url) => Some(url),
        Err(wrong) => {
            fields.wrong("url", format!("{wrong}; an address is opc.tcp://host:port/path"));
            None
        }
    }
}

fn parse_timeout(fields: &mut Fields<'_>) -> Duration {
    Duration::from_millis(fields.number("timeout_ms", 100..=30_000).unwrap_or(5000))
}

#[derive(Clone, Copy, PartialEq)]
enum AuthKind {
    Anonymous,
    User,
    Certificate,
}

fn parse_auth(fields: &mut Fields<'_>) -> Option<Auth> {
    let kinds = &[
        ("anonymous", AuthKind::Anonymous),
        ("user", AuthKind::User),
        ("certificate", AuthKind::Certificate),
    ];
    let kind = fields.choice("auth", kinds).unwrap_or(AuthKind::Anonymous);
    let name = fields.text("user", USER_BYTES_MAX).map(str::to_owned);
    // A password may be empty and may begin or end with white space.
    let password = fields
        .get("password")
        .map(|json| json.as_str().filter(|text| text.len() <= USER_BYTES_MAX).map(str::to_owned));
    let certificate = fields.text("certificate", PEM_BYTES_MAX);
    let key = fields.text("key", PEM_BYTES_MAX);
    match kind {
        AuthKind::Anonymous => Some(Auth::Anonymous),
        AuthKind::User => {
            let name = fields.require("user", name);
            if password == Some(None) {
                fields.wrong("password", "a text of at most 1024 bytes is expected");
            }
            Some(Auth::User { name: name?, password: password.unwrap_or(Some(String::new()))? })
        }
        AuthKind::Certificate => {
            let certificate = fields.require("certificate", certificate);
            let key = fields.require("key", key);
            let parsed = certificate.map(|pem| X509::from_pem(pem.as_bytes()));
            if matches!(parsed, Some(Err(_))) {
                fields.wrong(
                    "certificate",
                    "an X.509 certificate in PEM is expected (-----BEGIN CERTIFICATE-----)",
                );
            }
            let certificate = parsed.and_then(Result::ok);
            let parsed = key.map(|pem| PrivateKey::from_pem(pem.as_bytes()));
            if matches!(parsed, Some(Err(_))) {
                fields.wrong("key", "an RSA private key in PEM without a password is expected");
            }
            let key = parsed.and_then(Result::ok);
            let (certificate, key) = certificate.zip(key)?;
            Some(Auth::Certificate { certificate: Box::new(certificate), key: Box::new(key) })
        }
    }
}

#[cfg(test)]
mod tests;
