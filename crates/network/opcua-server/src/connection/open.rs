//! `OpenSecureChannel` (OPC 10000-4, clause 5.6.2).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use opcua::core::RequestMessage;
use opcua::crypto::SecurityPolicy;
use opcua::types::{
    ByteString, ChannelSecurityToken, DateTime, MessageSecurityMode, ObjectId,
    OpenSecureChannelRequest, OpenSecureChannelResponse, ResponseHeader, SecurityTokenRequestType,
    StatusCode,
};

use super::{Connection, End, Out};
use crate::pki::thumbprint;
use crate::session::random;
use crate::shared::next;
use crate::wire::asymmetric::{self, OpenHeader};
use crate::wire::channel::{Channel, Numbers, Opening};
use crate::wire::frame::Frame;
use crate::wire::message;

/// How long the keys of a channel may be used.
const LIFETIME: std::ops::RangeInclusive<u32> = 10_000..=3_600_000;

impl Connection {
    /// Opens or renews the channel. Certificates are read and keys computed with on the blocking
    /// pool.
    pub(super) async fn open(self: &Arc<Self>, frame: Frame, number: u64) -> Result<(), End> {
        let connection = Arc::clone(self);
        let opened = tokio::task::spawn_blocking(move || connection.opened(&frame, number)).await;
        match opened {
            Ok(Ok((request, body))) => {
                self.outgoing.send(Out::Opened { request, body }).await;
                Ok(())
            }
            Ok(Err(end)) => Err(end),
            Err(_) => Err(refused(StatusCode::BadInternalError)),
        }
    }

    /// The request's number and the answer's body.
    fn opened(&self, frame: &Frame, number: u64) -> Result<(u32, Vec<u8>), End> {
        let header = OpenHeader::parse(frame).map_err(refused)?;
        if header.policy != SecurityPolicy::None && !self.shared.policies.contains(&header.policy) {
            return Err(refused(StatusCode::BadSecurityPolicyRejected));
        }
        if let Some(sender) = &header.sender {
            self.shared.pki.check(sender, SystemTime::now()).map_err(|status| match status {
                StatusCode::BadCertificateUntrusted => End::new(
                    // What the standard wants a stranger to be told (OPC 10000-4, clause 6.1.3).
                    StatusCode::BadSecurityChecksFailed,
                    "the server does not trust the client's certificate (yet)",
                ),
                status => End::new(status, "the client's certificate is not valid now"),
            })?;
        }
        let own = self.shared.pki.own();
        let plain = header.remove(own, frame).map_err(|status| {
            // A client that knows an earlier certificate of ours forges nothing.
            if status == StatusCode::BadSecurityChecksFailed {
                self.shared.forgeries().count(self.address.ip(), Instant::now());
            }
            refused(status)
        })?;
        let mut channel = self.channel();
        let mut fresh = Numbers::default();
        let numbers = channel.as_mut().map_or(&mut fresh, Channel::numbers);
        let piece = numbers.piece(&plain).map_err(refused)?;
        let service = message::service(&piece.body, &self.shared.context);
        if service != Some(ObjectId::OpenSecureChannelRequest_Encoding_DefaultBinary) {
            return Err(refused(StatusCode::BadDecodingError));
        }
        let request = match message::decode(&piece.body, &self.shared.context) {
            Ok(RequestMessage::OpenSecureChannel(request)) => request,
            _ => return Err(refused(StatusCode::BadDecodingError)),
        };
        check(&request, header.policy).map_err(refused)?;
        let nonce_length = match header.policy {
            SecurityPolicy::None => 0,
            policy => policy.secure_channel_nonce_length(),
        };
        let server_nonce = random(nonce_length).map_err(refused)?;
        let lifetime = request.requested_lifetime.clamp(*LIFETIME.start(), *LIFETIME.end());
        let opening = Opening {
            policy: header.policy,
            mode: request.security_mode,
            server_nonce: &server_nonce,
            client_nonce: request.client_nonce.as_ref(),
            lifetime: Duration::from_millis(lifetime.into()),
            now: Instant::now(),
        };
        match (request.request_type, &mut *channel) {
            (SecurityTokenRequestType::Issue, slot @ None) => {
                let id = next(&self.shared.channels);
                *slot = Some(Channel::open(id, header.sender.clone(), fresh, &opening));
                if let Some(sender) = &header.sender {
                    let theirs = thumbprint(&sender.der);
                    self.shared.secured().insert(number, (theirs.clone(), self.close.clone()));
                    // Trust that was withdrawn since it was checked did not find this connection.
                    if !self.shared.pki.is_trusted(&theirs) {
                        return Err(refused(StatusCode::BadSecurityChecksFailed));
                    }
                }
            }
            (SecurityTokenRequestType::Renew, Some(open)) if header.channel == open.id() => {
                open.renew(header.sender.as_ref(), &opening).map_err(refused)?;
            }
            _ => return Err(refused(StatusCode::BadRequestTypeInvalid)),
        }
        let channel = channel.as_ref().ok_or_else(|| refused(StatusCode::BadInternalError))?;
        let response = OpenSecureChannelResponse {
            response_header: ResponseHeader::new_good(&request.request_header),
            server_protocol_version: 0,
            security_token: ChannelSecurityToken {
                channel_id: channel.id(),
                token_id: channel.token(),
                created_at: DateTime::now(),
                revised_lifetime: lifetime,
            },
            server_nonce: if server_nonce.is_empty() {
                ByteString::null()
            } else {
                ByteString { value: Some(server_nonce) }
            },
        };
        let body =
            message::encode(&response.into(), usize::MAX, &self.shared.context).map_err(refused)?;
        Ok((piece.request, body))
    }
}

/// The answer as a frame.
pub(super) fn seal(
    connection: &Connection,
    request: u32,
    body: &[u8],
) -> Result<Vec<u8>, StatusCode> {
    let mut channel = connection.channel();
    let channel = channel.as_mut().ok_or(StatusCode::BadTcpSecureChannelUnknown)?;
    let numbers = (channel.number(), request);
    let (own, policy, id) = (connection.shared.pki.own(), channel.policy(), channel.id());
    asymmetric::add(own, policy, channel.sender(), id, numbers, body)
}

fn refused(status: StatusCode) -> End {
    End::new(status, "the secure channel was not opened")
}

/// Whether mode and nonce go with the policy.
fn check(request: &OpenSecureChannelRequest, policy: SecurityPolicy) -> Result<(), StatusCode> {
    let secured = policy != SecurityPolicy::None;
    match request.security_mode {
        MessageSecurityMode::None if !secured => {}
        MessageSecurityMode::Sign | MessageSecurityMode::SignAndEncrypt if secured => {}
        _ => return Err(StatusCode::BadSecurityModeRejected),
    }
    let nonce: &[u8] = request.client_nonce.as_ref();
    if secured && nonce.len() != policy.secure_channel_nonce_length() {
        return Err(StatusCode::BadNonceInvalid);
    }
    Ok(())
}
