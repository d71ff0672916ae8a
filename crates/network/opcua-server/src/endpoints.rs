//! What the server offers to whom asks (OPC 10000-4, clause 5.5).

use opcua::crypto::SecurityPolicy;
use opcua::types::{
    ApplicationDescription, ApplicationType, ByteString, EndpointDescription, MessageSecurityMode,
    UAString, UserTokenPolicy, UserTokenType,
};

use crate::shared::Shared;
use crate::values::text;
use crate::wire::POLICIES;

/// UA TCP with UA Secure Conversation and UA Binary.
const TRANSPORT: &str = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary";

/// Names of the ways in which users show who they are.
pub(crate) const ANONYMOUS: &str = "anonymous";
pub(crate) const PASSWORD: &str = "username";
pub(crate) const CERTIFICATE: &str = "certificate";

/// Longest host name and port that is taken over from a client's URL.
const AUTHORITY_BYTES_MAX: usize = 261;

/// Whether a channel may be used for more than looking around.
pub(crate) fn is_offered(
    shared: &Shared,
    policy: SecurityPolicy,
    mode: MessageSecurityMode,
) -> bool {
    match mode {
        MessageSecurityMode::None => policy == SecurityPolicy::None && shared.allow_none,
        MessageSecurityMode::Sign | MessageSecurityMode::SignAndEncrypt => {
            shared.policies.contains(&policy)
        }
        MessageSecurityMode::Invalid => false,
    }
}

/// The policy that users' passwords and signatures are secured by: the channel's own, or a strong
/// one on channels without.
pub(crate) fn token_policy(policy: SecurityPolicy) -> SecurityPolicy {
    if policy == SecurityPolicy::None { SecurityPolicy::Basic256Sha256 } else { policy }
}

/// The endpoints, under the host and port by which the client has reached the server.
pub(crate) fn endpoints(shared: &Shared, url: &str) -> Vec<EndpointDescription> {
    let modes = [MessageSecurityMode::SignAndEncrypt, MessageSecurityMode::Sign];
    let none = [(SecurityPolicy::None, MessageSecurityMode::None)];
    let secure = POLICIES.into_iter().rev().flat_map(|policy| modes.map(|mode| (policy, mode)));
    secure
        .chain(none)
        .filter(|(policy, mode)| is_offered(shared, *policy, *mode))
        .map(|(policy, mode)| endpoint(shared, url, policy, mode))
        .collect()
}

fn endpoint(
    shared: &Shared,
    url: &str,
    policy: SecurityPolicy,
    mode: MessageSecurityMode,
) -> EndpointDescription {
    let strength = POLICIES.iter().position(|it| *it == policy).map_or(0, |at| at as u8 + 1);
    let encrypts = mode == MessageSecurityMode::SignAndEncrypt;
    EndpointDescription {
        endpoint_url: UAString::from(endpoint_url(shared, url)),
        server: application(shared, url),
        server_certificate: ByteString { value: Some(shared.pki.own().der.clone()) },
        security_mode: mode,
        security_policy_uri: UAString::from(policy.to_uri()),
        user_identity_tokens: Some(user_tokens(shared, policy)),
        transport_profile_uri: UAString::from(TRANSPORT),
        security_level: strength * 2 + u8::from(encrypts),
    }
}

fn user_tokens(shared: &Shared, policy: SecurityPolicy) -> Vec<UserTokenPolicy> {
    let token = |id: &str, token_type, policy_uri| UserTokenPolicy {
        policy_id: UAString::from(id),
        token_type,
        issued_token_type: UAString::null(),
        issuer_endpoint_url: UAString::null(),
        security_policy_uri: policy_uri,
    };
    let uri = || UAString::from(token_policy(policy).to_uri());
    let mut tokens = vec![token(PASSWORD, UserTokenType::UserName, uri())];
    if shared.allow_user_certificates {
        tokens.push(token(CERTIFICATE, UserTokenType::Certificate, uri()));
    }
    if shared.allow_anonymous {
        tokens.insert(0, token(ANONYMOUS, UserTokenType::Anonymous, UAString::null()));
    }
    tokens
}

/// Who the server is.
pub(crate) fn application(shared: &Shared, url: &str) -> ApplicationDescription {
    ApplicationDescription {
        application_uri: UAString::from(shared.application_uri.as_str()),
        product_uri: UAString::from(crate::PRODUCT_URI),
        application_name: text(&shared.application_name),
        application_type: ApplicationType::Server,
        gateway_server_uri: UAString::null(),
        discovery_profile_uri: UAString::null(),
        discovery_urls: Some(vec![UAString::from(endpoint_url(shared, url))]),
    }
}

/// Clients reach a server by many names, and some only by theirs.
fn endpoint_url(shared: &Shared, url: &str) -> String {
    let authority = url
        .strip_prefix("opc.tcp://")
        .and_then(|rest| rest.split('/').next())
        .filter(|authority| is_authority(authority))
        .unwrap_or(&shared.authority);
    format!("opc.tcp://{authority}")
}

fn is_authority(text: &str) -> bool {
    let known =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    (1..=AUTHORITY_BYTES_MAX).contains(&text.len()) && text.chars().all(known)
}
