//! Arrow Flight SQL at the door: who may call, how refusals are told, and how sessions begin and end.

use std::time::Duration;

use http::Method;
use serde_json::json;
use weir_model::Grade;

use crate::bench::{Answer, Bench, Call, segment};

const SERVICE: &str = "/arrow.flight.protocol.FlightService";

const PASSWORD: &str = "a long enough password of its own";

fn call<'b>(bench: &'b Bench, method: &str, does: &str) -> Call<'b> {
    let call = bench.call(Method::POST, &format!("{SERVICE}/{method}"), None).over_http_2();
    call.body("application/grpc", "").header("x-do", does)
}

/// The status and the message of an answer in gRPC's way.
fn told(answer: &Answer) -> (String, String) {
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/grpc"));
    assert!(answer.body.is_empty(), "{answer:?}");
    (answer.header("grpc-status").to_owned(), answer.header("grpc-message").to_owned())
}

fn is(status: &str, text: &str) -> impl Fn(&(String, String)) -> bool {
    let (status, text) = (status.to_owned(), text.to_owned());
    move |(code, message)| *code == status && message.contains(&text)
}

#[tokio::test]
async fn the_door_stands_before_every_call() {
    let bench = Bench::new().await;
    let tag = json!({"name": "Secret", "data_type": "f64", "grade": "core"});
    let secret = bench.tag(tag).await;
    let open = bench.tag(json!({"name": "Open", "data_type": "f64", "grade": "public"})).await;
    let viewer = bench.token_of("vera", "viewer", Grade::General).await;
    let second = bench.second_organisation().await;

    for method in ["GetFlightInfo", "DoGet", "DoPut", "DoAction", "ListActions", "DoExchange"] {
        let nobody = told(&call(&bench, method, "tags ").send().await);
        assert!(is("16", "Sign in, or send a token")(&nobody), "{method}: {nobody:?}");
        let wrong = told(&call(&bench, method, "tags ").bearer("wrong").send().await);
        assert!(is("16", "The token is wrong")(&wrong), "{method}: {wrong:?}");
    }
    let all = call(&bench, "DoGet", "tags ").bearer(&bench.admin).send().await;
    assert!(all.text().contains(&secret) && all.text().contains(&open), "{all:?}");
    let some = call(&bench, "DoGet", "tags ").bearer(&viewer).send().await;
    assert!(some.text().contains(&open) && !some.text().contains(&secret), "{some:?}");
    let none = call(&bench, "DoGet", "tags ").bearer(&second).send().await;
    assert_eq!(none.text(), "[]");

    // A token that may do other things only, and one that may not read what a statement asks for.
    let limited = |scopes: &[&str]| {
        let body = json!({"name": "t", "scopes": scopes, "expires": crate::bench::in_a_day()});
        bench.post("/api/v1/tokens", body).bearer(&bench.admin)
    };
    let other = limited(&["tag:read"]).send().await.expect(201);
    let other = call(&bench, "DoGet", "tags ").bearer(other["token"].as_str().unwrap()).send();
    let other = told(&other.await);
    assert!(is("7", "sample:read")(&other), "{other:?}");
    let samples = limited(&["sample:read"]).send().await.expect(201);
    let samples = samples["token"].as_str().unwrap().to_owned();
    let denied = call(&bench, "DoGet", "tags ").bearer(&samples).send().await;
    assert!(denied.text().starts_with("7 ") && denied.text().contains("tag:read"), "{denied:?}");

    let statement = call(&bench, "DoGet", "statement 100 % wrong").bearer(&viewer).send().await;
    assert_eq!(statement.text(), "3 100 % wrong");
    let limit = call(&bench, "DoGet", "limit too many").bearer(&viewer).send().await;
    assert_eq!(limit.text(), "8 Too many.");
}

#[tokio::test]
async fn only_grpc_is_spoken_there() {
    let bench = Bench::new().await;
    let path = format!("{SERVICE}/DoGet");
    let json = bench.post(&path, json!({})).over_http_2().bearer(&bench.admin).send().await;
    json.problem("unsupported-media-type");
    let old = bench.call(Method::POST, &path, None).body("application/grpc", "");
    old.bearer(&bench.admin).send().await.problem("unsupported-media-type");
    let without = call(&bench, "DoGet", "tags ").bearer(&bench.admin);
    let without = told(&without.through(bench.router_without_query()).await);
    assert!(is("12", "the feature \"query\"")(&without), "{without:?}");
    // A browser's cookie alone calls nothing.
    let (cookie, _) = bench.sign_in("admin", &bench.password).await;
    let forged = told(&call(&bench, "DoGet", "tags ").cookie(&cookie).send().await);
    assert!(is("7", "x-weir-csrf")(&forged), "{forged:?}");
}

#[tokio::test]
async fn a_session_begins_with_a_password_and_ends_with_its_user() {
    let bench = Bench::new().await;
    bench.token_of("vera", "viewer", Grade::General).await;
    let sign_in = async |user: &str, password: &str| {
        call(&bench, "Handshake", &format!("in {user} {password}")).send().await.text().to_owned()
    };
    let wrong = sign_in("vera", "not the password").await;
    assert!(wrong.starts_with("16 "), "{wrong}");
    let token = sign_in("vera", PASSWORD).await;
    assert_eq!(token.len(), 64, "{token}");
    let who = async |token: &str| call(&bench, "DoGet", "caller ").bearer(token).send().await;
    assert!(who(&token).await.text().starts_with("88.100/user.vera"));
    // It opens this door and no other.
    let other = bench.get("/api/v1/tags").bearer(&token).send().await;
    other.problem("unauthenticated");

    // Used, it lasts; left alone, it ends.
    let hour = Duration::from_secs(3600);
    for _ in 0..3 {
        bench.pass(7 * hour);
        assert!(who(&token).await.text().starts_with("88.100/user.vera"));
    }
    bench.pass(8 * hour);
    assert!(is("16", "The token is wrong")(&told(&who(&token).await)));

    let token = sign_in("vera", PASSWORD).await;
    let stream = call(&bench, "DoGet", "ended ").bearer(&token);
    let disabled = async {
        let user = format!("/api/v1/users/{}", segment("88.100/user.vera"));
        bench.patch(&user, json!({"disabled": true})).bearer(&bench.admin).send().await.expect(200);
    };
    let (ended, ()) = tokio::join!(stream.send(), disabled);
    assert!(ended.text().starts_with("16 Your rights have changed"), "{ended:?}");
    assert!(is("16", "The token is wrong")(&told(&who(&token).await)));
    assert!(sign_in("vera", PASSWORD).await.starts_with("16 "));
}

#[tokio::test]
async fn guesses_are_slowed_and_sessions_are_bounded() {
    let bench = Bench::new().await;
    bench.token_of("vera", "viewer", Grade::General).await;
    let sign_in = async |password: &str| {
        call(&bench, "Handshake", &format!("in vera {password}")).send().await.text().to_owned()
    };
    let mut tokens = Vec::new();
    for _ in 0..33 {
        tokens.push(sign_in(PASSWORD).await);
        bench.pass(Duration::from_secs(1));
    }
    let who = async |token: &str| call(&bench, "DoGet", "caller ").bearer(token).send().await;
    assert!(is("16", "The token is wrong")(&told(&who(&tokens[0]).await)));
    for token in &tokens[1..] {
        assert!(who(token).await.text().starts_with("88.100/user.vera"));
    }
    let mut last = String::new();
    for _ in 0..50 {
        last = sign_in("guess").await;
        if last.starts_with("8 ") {
            break;
        }
    }
    assert!(last.starts_with("8 "), "nobody had to wait: {last}");
}

#[tokio::test]
async fn streams_end_with_the_node() {
    let bench = Bench::new().await;
    let stream = call(&bench, "DoGet", "ended ").bearer(&bench.admin);
    let stop = async { bench.shutdown.cancel() };
    let (ended, ()) = tokio::join!(stream.send(), stop);
    assert_eq!(ended.text(), "14 The node is stopping.");
}
