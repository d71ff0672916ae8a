//! What a user shows at the start of a session (OPC 10000-4, clauses 5.7.3 and 7.40).

use opcua::crypto::{KeySize as _, SecurityPolicy, X509, verify_signature_data};
use opcua::types::{
    AnonymousIdentityToken, ExtensionObject, MessageSecurityMode, SignatureData, StatusCode,
    UserNameIdentityToken, X509IdentityToken,
};

use crate::endpoints::{ANONYMOUS, CERTIFICATE, PASSWORD, token_policy};
use crate::plant::Credentials;
use crate::wire::Reader;
use crate::wire::asymmetric::{Own, Sender};

/// Longest password: longer ones are an attack on whoever hashes them.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Longest user name.
const USER_BYTES_MAX: usize = 256;

/// Who a user claims to be; what could be checked without knowing users has been.
pub(crate) enum Claim {
    Anonymous,
    Password { user: String, password: String },
    Certificate { der: Vec<u8> },
}

impl Claim {
    pub(crate) fn credentials(&self) -> Credentials<'_> {
        match self {
            Self::Anonymous => Credentials::Anonymous,
            Self::Password { user, password } => Credentials::Password { user, password },
            Self::Certificate { der } => Credentials::Certificate { der },
        }
    }
}

/// What a token is checked against.
pub(crate) struct Circumstances<'a> {
    pub(crate) own: &'a Own,
    pub(crate) policy: SecurityPolicy,
    pub(crate) mode: MessageSecurityMode,
    /// What the server gave the client to sign.
    pub(crate) nonce: &'a [u8],
    pub(crate) allow_anonymous: bool,
    pub(crate) allow_user_certificates: bool,
}

/// Reads a token. Computes for milliseconds.
pub(crate) fn claim(
    token: &ExtensionObject,
    signature: &SignatureData,
    at: &Circumstances<'_>,
) -> Result<Claim, StatusCode> {
    const INVALID: StatusCode = StatusCode::BadIdentityTokenInvalid;
    let anonymous = token.inner_as::<AnonymousIdentityToken>();
    if token.is_null() || anonymous.is_some() {
        let named =
            anonymous.is_none_or(|token| matches!(token.policy_id.as_ref(), ANONYMOUS | ""));
        return match (named, at.allow_anonymous) {
            (true, true) => Ok(Claim::Anonymous),
            (true, false) => Err(StatusCode::BadIdentityTokenRejected),
            (false, _) => Err(INVALID),
        };
    }
    if let Some(token) = token.inner_as::<UserNameIdentityToken>() {
        if token.policy_id.as_ref() != PASSWORD {
            return Err(INVALID);
        }
        let user = token.user_name.as_ref().to_owned();
        if !(1..=USER_BYTES_MAX).contains(&user.len()) {
            return Err(INVALID);
        }
        return Ok(Claim::Password { user, password: password(token, at)? });
    }
    if let Some(token) = token.inner_as::<X509IdentityToken>() {
        if !at.allow_user_certificates {
            tracing::warn!(
                "an OPC UA user showed a certificate instead of a password, which nobody here has"
            );
            return Err(StatusCode::BadIdentityTokenRejected);
        }
        if token.policy_id.as_ref() != CERTIFICATE {
            return Err(INVALID);
        }
        let sender = Sender::parse(token.certificate_data.as_ref()).map_err(|_| INVALID)?;
        check_signature(&sender.certificate, signature, token_policy(at.policy), at)
            .map_err(|_| StatusCode::BadUserSignatureInvalid)?;
        return Ok(Claim::Certificate { der: sender.der });
    }
    Err(INVALID)
}

/// Whether somebody's key signed the server's certificate and nonce.
pub(crate) fn check_signature(
    signer: &X509,
    signature: &SignatureData,
    policy: SecurityPolicy,
    at: &Circumstances<'_>,
) -> Result<(), StatusCode> {
    const FAILED: StatusCode = StatusCode::BadApplicationSignatureInvalid;
    let algorithm = signature.algorithm.as_ref();
    if !algorithm.is_empty() && algorithm != policy.asymmetric_signature_algorithm() {
        return Err(FAILED);
    }
    verify_signature_data(signature, policy, signer, &at.own.certificate, at.nonce)
        .map_err(|_| FAILED)
}

/// The password, which is encrypted together with the server's nonce.
fn password(token: &UserNameIdentityToken, at: &Circumstances<'_>) -> Result<String, StatusCode> {
    // One answer for all that can be wrong, so that nobody learns from it about the encryption.
    const FAILED: StatusCode = StatusCode::BadIdentityTokenInvalid;
    let secret: &[u8] = token.password.as_ref();
    let bytes = if token.encryption_algorithm.is_empty() {
        // In the clear only where the channel encrypts.
        if at.mode != MessageSecurityMode::SignAndEncrypt {
            return Err(FAILED);
        }
        secret.to_vec()
    } else {
        let policy = token_policy(at.policy);
        let algorithm = policy.asymmetric_encryption_algorithm();
        if algorithm != Some(token.encryption_algorithm.as_ref()) {
            return Err(FAILED);
        }
        let key = &at.own.key;
        // The library takes whole blocks only.
        if secret.is_empty() || !secret.len().is_multiple_of(key.size()) {
            return Err(FAILED);
        }
        let mut plain = vec![0; secret.len()];
        let length = policy.asymmetric_decrypt(key, secret, &mut plain).map_err(|_| FAILED)?;
        let mut reader = Reader::new(plain.get(..length).ok_or(FAILED)?);
        let whole = reader.bytes().ok_or(FAILED)?;
        whole.strip_suffix(at.nonce).ok_or(FAILED)?.to_vec()
    };
    if bytes.len() > PASSWORD_BYTES_MAX {
        return Err(FAILED);
    }
    String::from_utf8(bytes).map_err(|_| FAILED)
}

#[cfg(test)]
mod tests;
