use serde_json::json;

use super::*;

fn wrong(json: &Json) -> Vec<String> {
    Settings::parse(json).unwrap_err().into_iter().map(|e| e.field).collect()
}

#[test]
fn reads_defaults() {
    let settings = Settings::parse(&json!({"url": "plc"})).unwrap();
    assert_eq!(settings.url.to_string(), "opc.tcp://plc:4840");
    assert_eq!(settings.security(), "Basic256Sha256 SignAndEncrypt");
    assert_eq!(settings.deadband, Deadband::None);
    let open = Settings::parse(&json!({"url": "plc", "security_policy": "None"})).unwrap();
    assert_eq!((open.mode, open.security().as_str()), (MessageSecurityMode::None, "no security"));
}

#[test]
fn names_each_wrong_field() {
    let fields = wrong(&json!({
        "url": "http://x", "security_policy": "None", "security_mode": "Sign", "trusted": ["AB"],
        "timeout_ms": 1, "publishing": 5, "deadband": {"type": "absolute"},
    }));
    let expected =
        ["/url", "/security_mode", "/trusted", "/timeout_ms", "/publishing", "/deadband/value"];
    assert_eq!(fields, expected.map(|f| format!("/settings{f}")));
    assert_eq!(wrong(&json!({"url": "x", "auth": "user"})), ["/settings/user"]);
    let fields = wrong(&json!({"url": "x", "auth": "certificate", "certificate": "x", "key": "x"}));
    assert_eq!(fields, ["/settings/certificate", "/settings/key"]);
    assert_eq!(wrong(&json!([]))[0], "/settings");
}

#[test]
fn a_password_without_protection_must_be_wanted() {
    let mut json = json!({"url": "x", "security_policy": "None", "auth": "user", "user": "u", "password": "secret"});
    assert_eq!(wrong(&json), ["/settings/plain_password"]);
    json["plain_password"] = true.into();
    let settings = Settings::parse(&json).unwrap();
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
fn a_search_needs_little() {
    assert!(Search::parse(&json!({"url": "x", "security_policy": "?", "auth": "user"})).is_ok());
    assert!(Search::parse(&json!({"security_policy": "None"})).is_err());
}
