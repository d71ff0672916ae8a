//! The clients of the OPC UA server, and who lets them in.

use http::Method;
use serde_json::{Value as Json, json};
use weir_model::Grade;

use crate::bench::Bench;
use crate::fake::thumbprint;

async fn list(bench: &Bench) -> Json {
    bench.get("/api/v1/opcua/clients").bearer(&bench.admin).send().await.expect(200)
}

fn trusted(list: &Json) -> Vec<(&str, bool)> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| (item["application_uri"].as_str().unwrap(), item["trusted"].as_bool().unwrap()))
        .collect()
}

#[tokio::test]
async fn clients_are_trusted_and_no_longer_trusted_and_the_audit_says_by_whom() {
    let bench = Bench::new().await;
    let before = list(&bench).await;
    assert_eq!(before["server"]["url"], "opc.tcp://plant-7:4840");
    assert_eq!(before["server"]["sessions"][0]["certificate"], thumbprint("scada"));
    assert_eq!(trusted(&before), [("urn:secret", false), ("urn:scada", true)]);
    let act = async |method: Method, name: &str, act: &str| {
        let uri = format!("/api/v1/opcua/clients/{}{act}", thumbprint(name));
        bench.call(method, &uri, None).bearer(&bench.admin).send().await
    };
    act(Method::POST, "secret", "/trust").await.expect(204);
    act(Method::POST, "scada", "/distrust").await.expect(204);
    assert_eq!(trusted(&list(&bench).await), [("urn:secret", true), ("urn:scada", false)]);
    act(Method::DELETE, "scada", "").await.expect(204);
    assert_eq!(trusted(&list(&bench).await), [("urn:secret", true)]);
    for (method, end) in
        [(Method::POST, "/trust"), (Method::POST, "/distrust"), (Method::DELETE, "")]
    {
        act(method, "nobody", end).await.problem("not-found");
    }
    let audit = bench.get("/api/v1/audit?q=opcua.client").bearer(&bench.admin).send().await;
    let audit = audit.expect(200);
    let causes: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["cause"].as_str().unwrap())
        .collect();
    let wanted = ["opcua.client.forget", "opcua.client.distrust", "opcua.client.trust"];
    assert_eq!(causes, wanted, "{audit}");
    let text = audit.to_string();
    assert!(text.contains(&thumbprint("secret")) && text.contains("CN=scada"), "{text}");
}

#[tokio::test]
async fn they_are_the_nodes_and_not_an_organisations() {
    let bench = Bench::new().await;
    let engineer = bench.token_of("erik", "engineer", Grade::Core).await;
    let second = bench.second_organisation().await;
    let uri = format!("/api/v1/opcua/clients/{}/trust", thumbprint("secret"));
    for token in [&engineer, &second] {
        let answer = bench.get("/api/v1/opcua/clients").bearer(token).send().await;
        answer.problem("forbidden");
        bench.post(&uri, json!({})).bearer(token).send().await.problem("forbidden");
    }
    assert_eq!(trusted(&list(&bench).await)[0], ("urn:secret", false));
}
