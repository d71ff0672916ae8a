//! Real sockets: TCP, TLS with a client certificate, WebSocket.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rmqtt_codec::types::QoS;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;
use weir_model::TenantId;

use crate::client::{Bench, Client, connect_v3, kept, message, named};

#[tokio::test]
async fn tcp_on_ipv6() {
    let bench = Bench::new();
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (broker, stop) = (bench.broker.clone(), CancellationToken::new());
    let token = stop.clone();
    let serving = tokio::spawn(async move { broker.serve_tcp(listener, token).await });
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, _) = Client::connect(stream, kept("client")).await;
    client.subscribe("a", QoS::AtLeastOnce).await;
    client.ping().await;
    stop.cancel();
    serving.await.unwrap().unwrap();
    client.ping().await; // a connection outlives its listener
}

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(parameters, key).unwrap() }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    fn issue(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

#[tokio::test]
async fn tls_with_a_client_certificate() {
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let authority = Authority::new();
    let (chain, key) = authority.issue();
    let verifier = WebPkiClientVerifier::builder_with_provider(
        Arc::new(authority.roots()),
        Arc::clone(&provider),
    );
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (broker, stop) = (bench.broker.clone(), CancellationToken::new());
    let token = stop.clone();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::spawn(async move { broker.serve_tls(listener, acceptor, token).await });
    let (chain, key) = authority.issue();
    let length = chain[0].len();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_client_auth_cert(chain, key)
        .unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let (mut client, _) = Client::connect(stream, named("client")).await;
    client.subscribe("a", QoS::AtLeastOnce).await;
    client.put(message("a", QoS::AtMostOnce, &[7; 100_000])).await;
    assert_eq!(client.receive().await.payload.len(), 100_000);
    let clients = bench.broker.clients(TenantId(1), None, 10);
    assert_eq!(clients[0].principal, format!("certificate of {length} bytes"));
    let connection = clients[0].connection.as_ref().unwrap();
    assert!(connection.encrypted);
    assert_eq!((connection.messages_in, connection.messages_out), (1, 1));
    client.disconnect().await;
    stop.cancel();
}

#[tokio::test]
async fn websocket() {
    use futures::{SinkExt, StreamExt};

    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (broker, stop) = (bench.broker.clone(), CancellationToken::new());
    let token = stop.clone();
    tokio::spawn(async move { broker.serve_websocket(listener, None, token).await });
    let url = format!("ws://{address}/mqtt");

    let stream = TcpStream::connect(address).await.unwrap();
    match tokio_tungstenite::client_async(&url, stream).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 400),
        other => panic!("{other:?}"),
    }

    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "chat, mqtt".parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, response) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "mqtt");
    // A packet over two frames, and two packets in one.
    let connect = connect_v3("client");
    socket.send(Message::Binary(connect.slice(..5))).await.unwrap();
    let mut rest = connect.slice(5..).to_vec();
    rest.extend_from_slice(b"\x82\x06\x00\x01\x00\x01a\x00\x30\x04\x00\x01ax");
    socket.send(Message::Binary(rest.into())).await.unwrap();
    let mut answer = Vec::new();
    while answer.len() < 15 {
        answer.extend_from_slice(&socket.next().await.unwrap().unwrap().into_data());
    }
    assert_eq!(answer, b"\x20\x02\x00\x00\x90\x03\x00\x01\x00\x30\x04\x00\x01ax");
    socket.send(Message::Text("no".into())).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_close(), "{message:?}");
    }
    stop.cancel();
}
