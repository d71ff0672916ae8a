//! What the reference server answered over HTTP, asked again.

use http::Method;
use serde_json::Value as Json;
use weir_handle::{
    Answer, Challenge, ChallengeResponse, Draft, Message, OpCode, PublicKeyAnswer, Request,
    Response, SecretKeyAnswer, SigningKey,
};

use super::service::{Got, Service, keys, pem, recording};

fn exchanges() -> Vec<Json> {
    recording("handle/tests/data/14_http.json.gz").as_array().unwrap().clone()
}

async fn ask(service: &Service, exchange: &Json) -> Got {
    let request = &exchange["request"];
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let headers: Vec<(&str, &str)> = request["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let body = request["body_utf8"].as_str().unwrap_or_default().as_bytes().to_vec();
    service.call(method, request["path"].as_str().unwrap(), &headers, body).await
}

fn recorded_header(exchange: &Json, name: &str) -> String {
    let headers = exchange["response"]["headers"].as_array().unwrap();
    let found = headers.iter().find(|header| header[0].as_str() == Some(name));
    found.map_or(String::new(), |header| header[1].as_str().unwrap().to_owned())
}

/// What an answer means: without words for people.
fn meaning(json: &Json) -> Json {
    let mut json = json.clone();
    if let Some(object) = json.as_object_mut() {
        object.remove("message");
    }
    json
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anyone_asked_is_answered_with_the_same_meaning() {
    let service = Service::recorded().await;
    let (mut asked, mut otherwise) = (0, Vec::new());
    for exchange in exchanges() {
        let name = exchange["name"].as_str().unwrap();
        let of_anyone = name.starts_with("get-")
            || ["head", "api-unknown", "proxy-redirect", "tls-get", "put-plain-http"]
                .contains(&name)
            || name == "put-plain-http-basic";
        if !of_anyone {
            continue;
        }
        asked += 1;
        let got = ask(&service, &exchange).await;
        let status = exchange["response"]["status"].as_str().unwrap();
        let kind = recorded_header(&exchange, "Content-Type");
        let mut same = status.contains(got.status.as_str());
        if exchange["response"]["json"].is_object() {
            same &= meaning(&got.json()) == meaning(&exchange["response"]["json"]);
            same &= got.header("content-type") == kind;
        }
        let location = recorded_header(&exchange, "Location");
        same &= got.header("location") == location;
        if !same {
            otherwise.push(format!("{name}: recorded {exchange}\n   answered {got:?}"));
        }
    }
    assert_eq!(asked, 30);
    assert!(otherwise.is_empty(), "{} otherwise:\n{}", otherwise.len(), otherwise.join("\n"));
}

#[tokio::test]
async fn scripts_and_caches_get_what_they_need() {
    let service = Service::recorded().await;
    let uri = "/api/handles/99.1000/simple?index=1";
    let got = service.get(&format!("{uri}&callback=cb"), &[]).await;
    assert!(got.header("content-type").starts_with("application/javascript"));
    assert!(got.text().starts_with("cb({\"responseCode\":1,") && got.text().ends_with("});"));
    let got = service.get(uri, &[("origin", "http://other.example")]).await;
    assert_eq!(got.header("access-control-allow-origin"), "*");
    assert_eq!(got.header("cache-control"), "public, max-age=86400");
    let tag = got.header("etag").to_owned();
    let again = service.get(uri, &[("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let until = service.get("/api/handles/99.1000/refs-ttl?index=3", &[]).await;
    assert_eq!(until.header("cache-control"), "public, max-age=86400");
    let now = service.get("/api/handles/99.1000/refs-ttl?index=1", &[]).await;
    assert_eq!(now.header("cache-control"), "no-cache");
    let head = service.call(Method::HEAD, uri, &[], Vec::new()).await;
    assert_eq!(head.header("content-length"), got.body.len().to_string());
    assert!(head.body.is_empty());
    let options = service.call(Method::OPTIONS, uri, &[], Vec::new()).await;
    assert_eq!(options.status, 204);
    assert!(options.header("access-control-allow-methods").contains("GET"));
}

fn unhex(text: &Json) -> Vec<u8> {
    let text = text.as_str().unwrap();
    let digits = (0..text.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

const MESSAGE: [(&str, &str); 2] =
    [("content-type", "application/x-hdl-message"), ("accept", "application/x-hdl-message")];

/// What an answer means: without clocks, random numbers and words for people.
fn message_meaning(bytes: &[u8]) -> (String, u32, u32, String) {
    let message = Message::decode(bytes).unwrap();
    let Response { request_digest, answer } = message.response().unwrap();
    let said = match answer {
        Answer::Challenge { nonce } => format!("{request_digest:?} {}", nonce.len()),
        Answer::Failed { .. } => "a failure".to_owned(),
        Answer::Handles(handles) => {
            let mut names: Vec<_> = handles.iter().map(|name| name.to_ascii_uppercase()).collect();
            names.sort_unstable();
            format!("{names:?}")
        }
        other => format!("{other:?}"),
    };
    let header = message.header;
    (message.envelope.version.to_string(), header.response.code(), header.flags.0, said)
}

/// The recorded answer to a challenge, made for the challenge that we gave.
fn answered(recorded: &[u8], challenge: &[u8]) -> Vec<u8> {
    let asked = Message::decode(challenge).unwrap();
    let Response { request_digest, answer: Answer::Challenge { nonce } } =
        asked.response().unwrap()
    else {
        panic!("no challenge")
    };
    let digest = request_digest.unwrap().bytes;
    let read = Message::decode(recorded).unwrap();
    let Request::ChallengeResponse(given) = read.request().unwrap() else { panic!("no answer") };
    let id = format!("{}:{}", given.user.index, String::from_utf8_lossy(given.user.handle));
    let keys = keys();
    let mut answer = Vec::new();
    let challenge = Challenge { nonce, request_digest: digest };
    let version = read.envelope.answer().version;
    match keys["secret_keys"][&id].as_str() {
        Some(secret) => {
            SecretKeyAnswer::make(version, secret.as_bytes(), &challenge, &[7; 16], &mut answer);
        }
        None => {
            let key = pem(keys["private_keys_pkcs8_pem"][&id].as_str().unwrap());
            let key = SigningKey::rsa_from_pkcs8(&key).unwrap();
            PublicKeyAnswer::make(version, &key, &challenge, &mut answer).unwrap();
        }
    }
    let mut envelope = read.envelope;
    envelope.session_id = asked.envelope.session_id;
    let mut out = Vec::new();
    let mut draft = Draft::begin(&mut out, &envelope, &read.header);
    let response = ChallengeResponse { answer: &answer, ..given };
    Request::ChallengeResponse(response).encode(draft.body());
    draft.finish();
    out
}

/// Asks everything that a recording sent through the tunnel, in its order.
async fn replay(service: &Service, recording: &[Json]) -> usize {
    let (mut asked, mut challenge) = (0, Vec::new());
    for exchange in recording {
        let name = exchange["name"].as_str().unwrap();
        let Some(packets) = exchange["tunnel"]["request_packets_hex"].as_array() else { continue };
        let mut request = unhex(&packets[0]);
        let is_answer = Message::decode(&request)
            .is_ok_and(|message| message.header.op == OpCode::ChallengeResponse);
        if is_answer {
            request = answered(&request, &challenge);
        }
        // The reference client names the handle in the path, which says nothing.
        let head = exchange["request"]["head"][0].as_str();
        let path = exchange["request"]["path"].as_str();
        let path = path.or_else(|| head?.split(' ').nth(1)).unwrap();
        let got = service.call(Method::POST, path, &MESSAGE, request).await;
        assert_eq!(got.status, 200, "{name}");
        assert_eq!(got.header("content-type"), "application/x-hdl-message", "{name}");
        let expected = unhex(&exchange["tunnel"]["response_packets_hex"][0]);
        let (ours, theirs) = (message_meaning(&got.body), message_meaning(&expected));
        match name {
            // An operation that nobody knows is not supported here, and no error of the protocol;
            // and errors have the version of what they answer.
            "tunnel-badop" => assert_eq!(ours.1, 5),
            "tunnel-short" => assert_eq!(ours.1, theirs.1),
            _ => assert_eq!(ours, theirs, "{name}"),
        }
        if ours.1 == 402 {
            challenge = got.body;
        }
        asked += 1;
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_in_a_post_are_answered_with_the_same_meaning() {
    let service = Service::recorded().await;
    assert_eq!(replay(&service, &exchanges()).await, 10);
    // What was changed through the tunnel is there.
    let changed = service.get("/api/handles/99.1000/mod?index=1", &[]).await.json();
    assert_eq!(changed["values"][0]["data"]["value"], "modify me");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_client_is_answered_through_the_tunnel() {
    for (tool, messages) in [("resolve", 2), ("list", 3)] {
        let service = Service::recorded().await;
        // Was created in between.
        service.put("99.2000/new", &[("URL", "x")]).await;
        let recording = recording(&format!("handle/tests/data/15_tool_http_{tool}.json.gz"));
        assert_eq!(replay(&service, recording.as_array().unwrap()).await, messages, "{tool}");
    }
}

#[tokio::test]
async fn the_tunnel_has_its_bounds() {
    let service = Service::recorded().await;
    let whole = vec![0; 20 + 262_144];
    let got = service.call(Method::POST, "/", &MESSAGE, whole.clone()).await;
    assert_eq!(got.status, 200);
    let longer = [whole, vec![0]].concat();
    let got = service.call(Method::POST, "/any/path", &MESSAGE, longer).await;
    assert_eq!(got.status, 413);
    for bytes in [0, 1, 19, 20, 43, 44] {
        let got = service.call(Method::POST, "/", &MESSAGE, vec![0; bytes]).await;
        assert_eq!(got.status, 200, "{bytes}");
        assert_eq!(Message::decode(&got.body).unwrap().header.response.code(), 4, "{bytes}");
    }
    let got = service.call(Method::POST, "/", &[("accept", "*/*")], vec![0; 20]).await;
    assert_eq!(got.status, 405);
}
