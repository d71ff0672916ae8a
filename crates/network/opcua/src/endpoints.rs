//! The endpoints that a server offers, and the one that settings mean.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use opcua::client::transport::TransportPollResult;
use opcua::client::{AsyncSecureChannel, SessionRetryPolicy};
use opcua::core::ResponseMessage;
use opcua::crypto::{CertificateStore, SecurityPolicy};
use opcua::sync::RwLock;
use opcua::types::{
    ContextOwned, DateTime, EndpointDescription, GetEndpointsRequest, MessageSecurityMode,
    NamespaceMap, RequestHeader, UserTokenType,
};
use serde_json::Value as Json;
use tokio::task::JoinSet;
use tokio::time::timeout;
use weir_connect::{Discovered, ErrorKind, PeerCertificate};

use crate::certificate;
use crate::dial::Dial;
use crate::link::{decoding_options, quietly, transport};
use crate::settings::{MODES, POLICIES, is_deprecated, mode_name, policy_name};
use crate::status::Failure;
use crate::{Auth, ServerUrl, Settings};

/// Most endpoints of a server that are looked at: six policies, three modes, some host names.
const ENDPOINTS_MAX: usize = 128;

/// How long a server may take to end a connection that has served its purpose.
const FAREWELL_TIME_MAX: Duration = Duration::from_millis(250);

/// The transport that is spoken here (OPC 10000-7).
const BINARY_PROFILE: &str = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary";

/// Asks a server for its endpoints, without any security: what it says is judged later.
pub(crate) async fn list(
    url: &ServerUrl,
    time: Duration,
    store: Arc<RwLock<CertificateStore>>,
) -> Result<Vec<EndpointDescription>, Failure> {
    // In a task of its own, which ends with this one: should the library panic on what a server sends, that is
    // a failure like any other.
    let mut asking = JoinSet::new();
    let url = url.clone();
    asking.spawn(async move {
        let dial = Dial::new(url.clone(), time, None);
        ask(&dial, &url, time, store).await
    });
    let mut endpoints = match timeout(4 * time, asking.join_next()).await {
        Ok(Some(Ok(asked))) => asked?,
        Ok(_) => {
            let cause = "what the server answered cannot be read; the log has the details";
            return Err(Failure::new(ErrorKind::Protocol, cause));
        }
        Err(_) => {
            let cause =
                "no answer to the question for its endpoints in time; check address and port";
            return Err(Failure::new(ErrorKind::Timeout, cause));
        }
    };
    endpoints.truncate(ENDPOINTS_MAX);
    endpoints.retain(|e| {
        let profile = e.transport_profile_uri.as_ref();
        profile.is_empty() || profile == BINARY_PROFILE
    });
    for endpoint in &mut endpoints {
        // The library takes the first way of signing in of a kind, be it one that it does not know.
        let tokens = endpoint.user_identity_tokens.get_or_insert_default();
        tokens.retain(|token| {
            let policy = token.security_policy_uri.as_ref();
            policy.is_empty() || SecurityPolicy::from_uri(policy) != SecurityPolicy::Unknown
        });
    }
    Ok(endpoints)
}

async fn ask(
    dial: &Dial,
    url: &ServerUrl,
    time: Duration,
    store: Arc<RwLock<CertificateStore>>,
) -> Result<Vec<EndpointDescription>, Failure> {
    let url = url.to_string();
    let context = ContextOwned::new_default(NamespaceMap::new(), decoding_options());
    let channel = quietly(|| {
        AsyncSecureChannel::new(
            store,
            EndpointDescription::from(url.as_str()).into(),
            SessionRetryPolicy::never(),
            false,
            Arc::default(),
            transport(),
            60_000,
            Arc::new(RwLock::new(context)),
        )
    });
    let failed = |error: &opcua::types::Error| {
        dial.failure().unwrap_or_else(|| Failure::of("asking for the endpoints failed", error))
    };
    let mut line = channel.connect_no_retry(dial).await.map_err(|e| failed(&e))?;
    let request = GetEndpointsRequest {
        request_header: RequestHeader {
            timestamp: DateTime::now(),
            request_handle: channel.request_handle(),
            timeout_hint: u32::try_from(time.as_millis()).unwrap_or(u32::MAX),
            ..RequestHeader::default()
        },
        endpoint_url: url.as_str().into(),
        locale_ids: None,
        profile_uris: None,
    };
    let answer = channel.send(request, time);
    tokio::pin!(answer);
    let answer = loop {
        tokio::select! {
            answer = &mut answer => break answer,
            polled = line.poll() => if let TransportPollResult::Closed(status) = polled {
                let told = Failure::of_status("the server ended the connection", status);
                return Err(dial.failure().unwrap_or(told));
            },
        }
    };
    let answer = answer.map_err(|e| failed(&e))?;
    let _ = timeout(FAREWELL_TIME_MAX, async {
        channel.close_channel().await;
        while !matches!(line.poll().await, TransportPollResult::Closed(_)) {}
    })
    .await;
    match answer {
        ResponseMessage::GetEndpoints(response) => Ok(response.endpoints.unwrap_or_default()),
        ResponseMessage::ServiceFault(fault) => {
            let status = fault.response_header.service_result;
            Err(Failure::of_status("the server does not tell its endpoints", status))
        }
        _ => Err(Failure::new(
            ErrorKind::Protocol,
            "the question for the endpoints was answered with something else",
        )),
    }
}

/// The endpoint that settings mean, at the address that the settings name.
pub(crate) fn choose(
    endpoints: Vec<EndpointDescription>,
    settings: &Settings,
) -> Result<EndpointDescription, Failure> {
    let offered = offers(&endpoints);
    let fits = |e: &EndpointDescription| {
        SecurityPolicy::from_uri(e.security_policy_uri.as_ref()) == settings.policy
            && e.security_mode == settings.mode
    };
    let path = |e: &EndpointDescription| {
        ServerUrl::parse(e.endpoint_url.as_ref()).is_ok_and(|url| settings.url.has_path(&url.path))
    };
    let token = token_type(&settings.auth);
    let takes = |e: &EndpointDescription| takes(e, token);
    let mut fitting: Vec<_> = endpoints.into_iter().filter(fits).collect();
    fitting.sort_by_key(|e| Reverse((takes(e), path(e))));
    let Some(mut endpoint) = fitting.into_iter().next() else {
        let cause = format!(
            "the server does not offer {}; it offers {offered}: search its endpoints",
            settings.security()
        );
        return Err(Failure::new(ErrorKind::Misconfigured, cause));
    };
    if !takes(&endpoint) {
        let cause = format!(
            "the server does not take sign-in \"{}\" there, but {}",
            settings.auth.name(),
            tokens(&endpoint).join(", ")
        );
        return Err(Failure::new(ErrorKind::Misconfigured, cause));
    }
    endpoint.endpoint_url = settings.url.to_string().as_str().into();
    Ok(endpoint)
}

/// The endpoints as people choose among them, the best one first.
pub(crate) fn discovered(
    endpoints: &[EndpointDescription],
    url: &ServerUrl,
    given: &Json,
) -> Vec<Discovered> {
    let announced: Vec<_> =
        endpoints.iter().map(|e| ServerUrl::parse(e.endpoint_url.as_ref()).ok()).collect();
    // Where no endpoint has the port that was typed, it was forwarded, and the typed one is the right one.
    let is_forwarded = !announced.iter().flatten().any(|other| other.port == url.port);
    let mut found: Vec<(_, Discovered)> = endpoints
        .iter()
        .zip(&announced)
        .filter_map(|(endpoint, announced)| {
            one(endpoint, announced.as_ref(), url, is_forwarded, given)
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    let mut found: Vec<_> = found.into_iter().map(|(_, found)| found).collect();
    // Servers announce one endpoint for each of their host names, which here are all the same.
    found.dedup_by(|a, b| a.settings == b.settings);
    found
}

fn one(
    endpoint: &EndpointDescription,
    announced: Option<&ServerUrl>,
    url: &ServerUrl,
    is_forwarded: bool,
    given: &Json,
) -> Option<((usize, usize), Discovered)> {
    let policy = SecurityPolicy::from_uri(endpoint.security_policy_uri.as_ref());
    let policy_rank = POLICIES.iter().position(|(_, known)| *known == policy)?;
    let mode_rank = MODES.iter().position(|(_, known)| *known == endpoint.security_mode)?;
    let here = match announced {
        Some(other) if is_forwarded => url.with(url.port, &other.path),
        Some(other) => url.with(other.port, &other.path),
        None => url.clone(),
    };
    let mut notes = Vec::new();
    let tokens = tokens(endpoint);
    if !tokens.is_empty() {
        notes.push(format!("sign-in: {}", tokens.join(", ")));
    }
    if let Some(other) =
        announced.filter(|other| other.host != here.host || other.port != here.port)
    {
        notes.push(format!(
            "the server calls itself {}; the address that you typed is used",
            other.authority()
        ));
    }
    if is_deprecated(policy) {
        notes.push("this policy is deprecated".to_owned());
    }
    if policy == SecurityPolicy::None {
        notes.push("nothing is protected".to_owned());
    }
    let der = endpoint.server_certificate.as_ref();
    if policy != SecurityPolicy::None && certificate::is_chain(der) {
        notes.push("the server sends a chain of certificates, which is not supported".to_owned());
    }
    let server = endpoint.server.application_name.text.as_ref();
    let how = match endpoint.security_mode {
        MessageSecurityMode::None => "no security".to_owned(),
        MessageSecurityMode::Sign => format!("{}, signed", policy_name(policy)),
        _ => format!("{}, signed and encrypted", policy_name(policy)),
    };
    let name =
        if server.is_empty() { how } else { format!("{}: {how}", crate::address::shorten(server)) };
    let mut settings = given.clone();
    settings["url"] = here.to_string().into();
    settings["security_policy"] = policy_name(policy).into();
    settings["security_mode"] = mode_name(endpoint.security_mode).into();
    settings["auth"] = auth_for(endpoint, given["auth"].as_str()).into();
    let certificate = PeerCertificate::read(der);
    let found = Discovered { name, detail: notes.join("; "), settings, certificate };
    Some(((mode_rank, policy_rank), found))
}

/// The sign-in that was given where the endpoint takes it, else the first that it takes.
fn auth_for(endpoint: &EndpointDescription, given: Option<&str>) -> &'static str {
    const ALL: [(&str, UserTokenType); 3] = [
        ("anonymous", UserTokenType::Anonymous),
        ("user", UserTokenType::UserName),
        ("certificate", UserTokenType::Certificate),
    ];
    let taken =
        || ALL.into_iter().filter(|(_, token)| takes(endpoint, *token)).map(|(name, _)| name);
    taken().find(|name| given == Some(name)).or_else(|| taken().next()).unwrap_or("anonymous")
}

pub(crate) fn token_type(auth: &Auth) -> UserTokenType {
    match auth {
        Auth::Anonymous => UserTokenType::Anonymous,
        Auth::User { .. } => UserTokenType::UserName,
        Auth::Certificate { .. } => UserTokenType::Certificate,
    }
}

fn takes(endpoint: &EndpointDescription, token: UserTokenType) -> bool {
    let all = endpoint.user_identity_tokens.as_deref().unwrap_or_default();
    all.iter().any(|policy| policy.token_type == token)
}

fn tokens(endpoint: &EndpointDescription) -> Vec<&'static str> {
    let all = [
        (UserTokenType::Anonymous, "anonymous"),
        (UserTokenType::UserName, "user name and password"),
        (UserTokenType::Certificate, "user certificate"),
        (UserTokenType::IssuedToken, "issued token"),
    ];
    all.into_iter().filter(|(token, _)| takes(endpoint, *token)).map(|(_, name)| name).collect()
}

fn offers(endpoints: &[EndpointDescription]) -> String {
    let mut all: Vec<_> = endpoints
        .iter()
        .map(|e| {
            let policy = SecurityPolicy::from_uri(e.security_policy_uri.as_ref());
            format!("{} {}", policy_name(policy), mode_name(e.security_mode))
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests;
