//! Sessions are opened, activated and closed (OPC 10000-4, clause 5.7), and ask for news.

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use opcua::core::ResponseMessage;
use opcua::crypto::{SecurityPolicy, create_signature_data};
use opcua::types::{
    ActivateSessionRequest, ActivateSessionResponse, ByteString, CloseSessionRequest,
    CloseSessionResponse, CreateSessionRequest, CreateSessionResponse, MessageSecurityMode,
    PublishRequest, ResponseHeader, ServiceFault, SignatureData, StatusCode,
};

use super::Connection;
use crate::endpoints;
use crate::identity::{self, Circumstances};
use crate::plant::Client;
use crate::publisher::{Publisher, Request};
use crate::session::{Opening, random};
use crate::wire::asymmetric::first_der;

/// Bytes that a client signs (OPC 10000-4, clause 5.7.2: at least 32).
const NONCE_BYTES: usize = 32;

/// Longest name of a session or URI of an application that is kept.
const NAME_BYTES_MAX: usize = 256;

/// Languages that a client may ask for.
const LOCALES_MAX: usize = 16;

/// The shortest that a session may be idle: clients ask for news more often than that.
const TIMEOUT_MIN: Duration = Duration::from_secs(5);

fn bytes(bytes: Vec<u8>) -> ByteString {
    ByteString { value: Some(bytes) }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(NAME_BYTES_MAX / 4).collect()
}

/// `CreateSession`.
pub(super) async fn create(
    connection: &Arc<Connection>,
    request: CreateSessionRequest,
) -> Result<ResponseMessage, StatusCode> {
    let shared = &connection.shared;
    let (policy, mode, channel) =
        connection.security().ok_or(StatusCode::BadSecureChannelClosed)?;
    let sender = connection.channel().as_ref().and_then(|c| c.sender().cloned());
    let loading = Arc::clone(shared);
    let loaded = tokio::task::spawn_blocking(move || {
        LazyLock::force(&loading.standard);
    });
    loaded.await.map_err(|_| StatusCode::BadInternalError)?;
    if let Some(sender) = &sender {
        let shown = first_der(request.client_certificate.as_ref());
        if shown != Some(sender.der.as_slice()) {
            return Err(StatusCode::BadCertificateInvalid);
        }
        if request.client_nonce.len() < NONCE_BYTES {
            return Err(StatusCode::BadNonceInvalid);
        }
        if !sender.is_of(request.client_description.application_uri.as_ref()) {
            return Err(StatusCode::BadCertificateUriInvalid);
        }
    }
    let wished = Duration::try_from_secs_f64(request.requested_session_timeout / 1e3);
    let longest = shared.limits.session_timeout_max;
    let timeout = wished.unwrap_or(longest).clamp(TIMEOUT_MIN.min(longest), longest);
    let nonce = random(NONCE_BYTES)?;
    if let wished @ 1.. = request.max_response_message_size as usize {
        connection.answer_bytes_max.fetch_min(wished, Ordering::Relaxed);
    }
    let signature = sign(connection, policy, &request).await?;
    let opening = Opening {
        name: short(request.session_name.as_ref()),
        application: short(request.client_description.application_uri.as_ref()),
        certificate: sender.map(|sender| sender.der),
        timeout,
        nonce: nonce.clone(),
        channel,
        connection: connection.close.clone(),
        address: connection.address,
        encrypted: mode == MessageSecurityMode::SignAndEncrypt,
        publisher: Arc::new(Publisher::new(Arc::clone(&shared.counts))),
    };
    let max = shared.limits.sessions_max;
    let (session, token) = shared.sessions.open(opening, max, Instant::now())?;
    if connection.close.is_cancelled() {
        // Its client may be trusted no longer, and what it had open was ended before this.
        shared.sessions.end(&session, true);
        return Err(StatusCode::BadSecureChannelClosed);
    }
    let url = request.endpoint_url.as_ref();
    Ok(CreateSessionResponse {
        response_header: ResponseHeader::new_good(&request.request_header),
        session_id: session.id.clone(),
        authentication_token: token,
        revised_session_timeout: timeout.as_secs_f64() * 1e3,
        server_nonce: bytes(nonce),
        server_certificate: bytes(shared.pki.own().der.clone()),
        server_endpoints: Some(endpoints::endpoints(shared, url)),
        server_software_certificates: None,
        server_signature: signature,
        max_request_message_size: shared.limits.message_bytes_max as u32,
    }
    .into())
}

/// Shows the client that the server holds its key.
async fn sign(
    connection: &Arc<Connection>,
    policy: SecurityPolicy,
    request: &CreateSessionRequest,
) -> Result<SignatureData, StatusCode> {
    if policy == SecurityPolicy::None {
        return Ok(SignatureData::default());
    }
    let (certificate, nonce) = (request.client_certificate.clone(), request.client_nonce.clone());
    let connection = Arc::clone(connection);
    let signed = tokio::task::spawn_blocking(move || {
        let key = &connection.shared.pki.own().key;
        create_signature_data(key, policy, &certificate, &nonce)
    });
    let signed = signed.await.map_err(|_| StatusCode::BadInternalError)?;
    signed.map_err(|_| StatusCode::BadInternalError)
}

/// `ActivateSession`.
pub(super) async fn activate(
    connection: &Arc<Connection>,
    request: ActivateSessionRequest,
) -> Result<ResponseMessage, StatusCode> {
    let shared = &connection.shared;
    let (policy, mode, channel) =
        connection.security().ok_or(StatusCode::BadSecureChannelClosed)?;
    let session = shared
        .sessions
        .get(&request.request_header.authentication_token)
        .ok_or(StatusCode::BadSessionIdInvalid)?;
    if shared.forgeries().is_barred(connection.address.ip(), Instant::now()) {
        return Err(StatusCode::BadSecurityChecksFailed);
    }
    let sender = connection.channel().as_ref().and_then(|c| c.sender().cloned());
    // A session may move to another channel of the same client, never to one of somebody else.
    if sender.as_ref().map(|sender| &sender.der) != session.certificate.as_ref() {
        return Err(StatusCode::BadSecurityChecksFailed);
    }
    let (nonce, was_active, old_channel) = {
        let state = session.state();
        (state.nonce.clone(), state.principal.is_some(), state.channel)
    };
    if !was_active && old_channel != channel {
        return Err(StatusCode::BadSecureChannelIdInvalid);
    }
    let locales = request.locale_ids.clone().unwrap_or_default();
    let locales = locales.iter().take(LOCALES_MAX).map(|it| short(it.as_ref())).collect();
    let header = request.request_header.clone();
    let checked = {
        let connection = Arc::clone(connection);
        let sender = sender.clone();
        tokio::task::spawn_blocking(move || {
            let shared = &connection.shared;
            let at = Circumstances {
                own: shared.pki.own(),
                policy,
                mode,
                nonce: &nonce,
                allow_anonymous: shared.allow_anonymous,
                allow_user_certificates: shared.allow_user_certificates,
            };
            if let Some(sender) = &sender {
                let signature = &request.client_signature;
                identity::check_signature(&sender.certificate, signature, policy, &at)?;
            }
            identity::claim(&request.user_identity_token, &request.user_token_signature, &at)
        })
    };
    let checked = checked.await.map_err(|_| StatusCode::BadInternalError)?;
    let claim = checked.inspect_err(|status| {
        if is_forgery(*status) {
            shared.forgeries().count(connection.address.ip(), Instant::now());
        }
    })?;
    let client = Client {
        address: connection.address,
        application: session.application.clone(),
        certificate: session.thumbprint(),
        encrypted: mode == MessageSecurityMode::SignAndEncrypt,
    };
    let revocations = shared.revocations.load(Ordering::Acquire);
    let Some(principal) = shared.plant.authenticate(claim.credentials(), &client).await? else {
        let (address, credentials) = (client.address, claim.credentials());
        // Why, the plant has said.
        tracing::info!(%address, ?credentials, "an OPC UA user was not let in");
        return Err(StatusCode::BadUserAccessDenied);
    };
    let nonce = random(NONCE_BYTES)?;
    {
        let mut state = session.state();
        if state.has_ended {
            return Err(StatusCode::BadSessionClosed);
        }
        // What the session watches, it watches with the rights of its user: somebody else opens a
        // session of their own.
        if state.principal.as_ref().is_some_and(|old| old.name() != principal.name()) {
            return Err(StatusCode::BadIdentityChangeNotSupported);
        }
        state.principal = Some(principal.clone());
        state.nonce.clone_from(&nonce);
        state.locales = locales;
        state.channel = channel;
        state.seen = Instant::now();
        state.connection = connection.close.clone();
        state.address = connection.address;
        state.encrypted = client.encrypted;
    }
    session.publisher.set_principal(principal.clone());
    if shared.revocations.load(Ordering::Acquire) != revocations {
        // Somebody's rights were taken away meanwhile, perhaps this one's: the client shows anew who
        // it is.
        shared.sessions.end(&session, true);
        return Err(StatusCode::BadSessionClosed);
    }
    connection.set_active(true);
    tracing::info!(
        user = principal.name(), address = %client.address, application = client.application,
        "an OPC UA session is active"
    );
    Ok(ActivateSessionResponse {
        response_header: ResponseHeader::new_good(&header),
        server_nonce: bytes(nonce),
        results: None,
        diagnostic_infos: None,
    }
    .into())
}

/// Whether a claim failed in a way that whoever guesses at the server's key meets as well.
fn is_forgery(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BadIdentityTokenInvalid | StatusCode::BadApplicationSignatureInvalid
    )
}

/// `CloseSession`.
pub(super) fn close(
    connection: &Arc<Connection>,
    request: &CloseSessionRequest,
) -> Result<ResponseMessage, StatusCode> {
    let shared = &connection.shared;
    let session = shared
        .sessions
        .get(&request.request_header.authentication_token)
        .ok_or(StatusCode::BadSessionIdInvalid)?;
    let channel = connection.security().map(|(_, _, channel)| channel);
    let channel = channel.ok_or(StatusCode::BadSecureChannelClosed)?;
    if session.state().channel != channel {
        return Err(StatusCode::BadSecureChannelIdInvalid);
    }
    shared.sessions.end(&session, request.delete_subscriptions);
    connection.set_active(shared.sessions.is_active_over(channel));
    let response_header = ResponseHeader::new_good(&request.request_header);
    Ok(CloseSessionResponse { response_header }.into())
}

/// `Publish`: waits in the session until there is news.
pub(super) async fn publish(
    connection: &Arc<Connection>,
    request: PublishRequest,
    number: u32,
    channel: u32,
) {
    let shared = &connection.shared;
    let header = &request.request_header;
    let now = Instant::now();
    let session = shared
        .sessions
        .get(&header.authentication_token)
        .ok_or(StatusCode::BadSessionIdInvalid)
        .and_then(|session| session.principal(channel, now).map(|_| session));
    let session = match session {
        Ok(session) => session,
        Err(status) => {
            let fault = ServiceFault::new(header.request_handle, status);
            return connection.outgoing.answer(number, fault.into()).await;
        }
    };
    let acknowledged = request.subscription_acknowledgements.unwrap_or_default();
    let acknowledged: Vec<_> = acknowledged
        .iter()
        .take(shared.limits.nodes_per_request_max)
        .map(|it| (it.subscription_id, it.sequence_number))
        .collect();
    let waits = Request {
        number,
        handle: header.request_handle,
        results: None,
        deadline: (header.timeout_hint > 0)
            .then(|| now + Duration::from_millis(header.timeout_hint.into())),
        outgoing: connection.outgoing.clone(),
    };
    session.publisher.publish(waits, &acknowledged, shared.limits.publish_requests_max);
}
