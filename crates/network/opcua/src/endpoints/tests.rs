use opcua::types::UserTokenPolicy;
use serde_json::json;

use super::*;

fn endpoint(url: &str, policy: SecurityPolicy, mode: MessageSecurityMode) -> EndpointDescription {
    let token = |token_type| UserTokenPolicy { token_type, ..UserTokenPolicy::default() };
    EndpointDescription {
        endpoint_url: url.into(),
        security_policy_uri: policy.to_uri().into(),
        security_mode: mode,
        user_identity_tokens: Some(vec![
            token(UserTokenType::UserName),
            token(UserTokenType::Anonymous),
        ]),
        ..EndpointDescription::default()
    }
}

fn offered(port: u16) -> Vec<EndpointDescription> {
    let url = |host: &str| format!("opc.tcp://{host}:{port}/UA");
    vec![
        endpoint(&url("PLC-7"), SecurityPolicy::None, MessageSecurityMode::None),
        endpoint(&url("PLC-7"), SecurityPolicy::Basic256Sha256, MessageSecurityMode::Sign),
        endpoint(
            &url("PLC-7"),
            SecurityPolicy::Basic256Sha256,
            MessageSecurityMode::SignAndEncrypt,
        ),
        endpoint(
            &url("10.9.9.9"),
            SecurityPolicy::Basic256Sha256,
            MessageSecurityMode::SignAndEncrypt,
        ),
        endpoint(
            &url("PLC-7"),
            SecurityPolicy::Aes256Sha256RsaPss,
            MessageSecurityMode::SignAndEncrypt,
        ),
        EndpointDescription {
            security_policy_uri: "urn:ecc".into(),
            ..endpoint(&url("PLC-7"), SecurityPolicy::None, MessageSecurityMode::SignAndEncrypt)
        },
    ]
}

#[test]
fn lists_the_best_first_at_the_address_that_was_typed() {
    let url = ServerUrl::parse("192.168.0.5:4840").unwrap();
    let given = json!({"url": "192.168.0.5", "auth": "user", "user": "u"});
    let endpoints = offered(4840);
    let found = discovered(&endpoints, &url, &given);
    let names: Vec<_> = found.iter().map(|f| f.name.as_str()).collect();
    let expected = [
        "Aes256-Sha256-RsaPss, signed and encrypted",
        "Basic256Sha256, signed and encrypted",
        "Basic256Sha256, signed",
        "no security",
    ];
    assert_eq!(names, expected);
    let best = &found[0];
    assert_eq!(best.settings["url"], "opc.tcp://192.168.0.5:4840/UA");
    assert_eq!((&best.settings["auth"], &best.settings["user"]), (&json!("user"), &json!("u")));
    assert!(
        best.detail.contains("calls itself PLC-7:4840; the address that you typed"),
        "{}",
        best.detail
    );
    let forwarded = ServerUrl::parse("gate:14840").unwrap();
    let found = discovered(&endpoints, &forwarded, &json!({}));
    assert_eq!(found[0].settings["url"], "opc.tcp://gate:14840/UA");
    assert_eq!(found[0].settings["auth"], "anonymous");
}

#[test]
fn chooses_what_the_settings_mean_or_says_what_there_is() {
    let settings = |policy: &str, mode: &str, auth: &str| {
        let json = json!({"url": "gate:1/UA/", "security_policy": policy, "security_mode": mode,
            "auth": auth, "user": "u", "plain_password": true});
        Settings::parse(&json).unwrap()
    };
    let chosen = choose(offered(4840), &settings("Basic256Sha256", "Sign", "user")).unwrap();
    assert_eq!(chosen.endpoint_url.as_ref(), "opc.tcp://gate:1/UA/");
    let missing = choose(offered(4840), &settings("Basic256", "Sign", "anonymous")).unwrap_err();
    assert_eq!(missing.kind, ErrorKind::Misconfigured);
    assert!(missing.cause.contains("Aes256-Sha256-RsaPss SignAndEncrypt"), "{}", missing.cause);
    let mut endpoints = offered(4840);
    endpoints[0].user_identity_tokens = None;
    let refused = choose(endpoints, &settings("None", "None", "anonymous")).unwrap_err();
    assert!(refused.cause.contains("sign-in \"anonymous\""), "{}", refused.cause);
}
