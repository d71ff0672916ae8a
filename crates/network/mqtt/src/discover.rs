//! Discovery: in which ways a broker at an address can be spoken to.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value as Json, json};
use weir_connect::{Discovered, DriverError, ErrorKind, Fields, SystemClock};

use crate::link::{LinkError, Opening};
use crate::settings::{LinkSettings, Place, Transport, Version};

/// The longest that one attempt may take; all are made at a time.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(5);

/// The port of Mosquitto's documentation for WebSocket, besides the usual one.
const WEBSOCKET_PORT: u16 = 9001;

/// What was tried, and what came of it.
struct Attempt {
    transport: Transport,
    version: Version,
    settings: Json,
    endpoint: String,
    outcome: Result<(), LinkError>,
}

/// Tries all transports and versions on the port that is given, or on the usual ports, the safest first.
pub(crate) async fn reachable(settings: &Json) -> Result<Vec<Discovered>, DriverError> {
    let mut candidates = Vec::new();
    let given = settings["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    for transport in [Transport::Tls, Transport::WebsocketTls, Transport::Tcp, Transport::Websocket]
    {
        let mut ports = vec![given.unwrap_or(transport.port())];
        if given.is_none() && transport == Transport::Websocket {
            ports.push(WEBSOCKET_PORT);
        }
        for port in ports {
            candidates.extend([Version::V5, Version::V3].map(|version| (transport, port, version)));
        }
    }
    let attempts = join_all(candidates.into_iter().map(|c| attempt(settings, c))).await;
    let attempts: Vec<_> = attempts.into_iter().collect::<Result<_, _>>()?;
    let found: Vec<_> = attempts.iter().filter_map(told).collect();
    if found.is_empty() {
        // Plain MQTT 3.1.1 is what nearly every broker speaks: its failure tells most.
        let plain = |a: &&Attempt| (a.transport, a.version) == (Transport::Tcp, Version::V3);
        let attempt = attempts.iter().find(plain).or(attempts.first());
        let error = attempt.and_then(|a| Some((a.outcome.clone().err()?, a.endpoint.clone())));
        if let Some((error, endpoint)) = error {
            return Err(error.at("mqtt", endpoint));
        }
    }
    Ok(found)
}

async fn attempt(
    settings: &Json,
    (transport, port, version): (Transport, u16, Version),
) -> Result<Attempt, DriverError> {
    let mut settings = if settings.is_object() { settings.clone() } else { json!({}) };
    settings["transport"] = transport.as_str().into();
    settings["port"] = port.into();
    settings["version"] = version.as_str().into();
    let mut errors = Vec::new();
    let mut fields = Fields::of(&settings, "/settings".to_owned(), &mut errors);
    let mut link = LinkSettings::read(&mut fields);
    // A name that TLS cannot take concerns TLS alone; anything else concerns all attempts.
    if let Some(error) = errors.iter().find(|e| !transport.is_tls() || e.field != "/settings/host")
    {
        let cause = format!("{}: {}", error.field, error.detail);
        return Err(DriverError::new(ErrorKind::Misconfigured, "mqtt", "", cause));
    }
    link.timeout = link.timeout.min(ATTEMPT_TIME_MAX);
    if link.place == Place::Inside {
        let cause = "our own broker needs no address";
        return Err(DriverError::new(ErrorKind::Unsupported, "mqtt", "", cause));
    }
    let opening = Opening::probe(Arc::new(SystemClock));
    let outcome = link.open(opening, None).await.map(drop);
    Ok(Attempt { transport, version, settings, endpoint: link.endpoint(), outcome })
}

/// What answered as a broker does, also one that wants a password or a review of its certificate.
fn told(attempt: &Attempt) -> Option<Discovered> {
    let (detail, certificate) = match &attempt.outcome {
        Ok(()) => (String::new(), None),
        Err(error) if error.kind == ErrorKind::Untrusted => {
            (error.cause.clone(), error.certificate.clone())
        }
        Err(error) if error.kind == ErrorKind::Rejected => (error.cause.clone(), None),
        Err(_) => return None,
    };
    let carrier = match attempt.transport {
        Transport::Tcp => "without encryption",
        Transport::Tls => "over TLS",
        Transport::Websocket => "over WebSocket, without encryption",
        Transport::WebsocketTls => "over WebSocket and TLS",
    };
    let name = format!("MQTT {} {carrier} at {}", attempt.version.as_str(), attempt.endpoint);
    let certificate = certificate.map(|certificate| *certificate);
    Some(Discovered { name, detail, settings: attempt.settings.clone(), certificate })
}
