use serde_json::json;

use super::*;

fn wrong(json: Json) -> Vec<String> {
    Settings::parse(&json).err().unwrap_or_default().into_iter().map(|e| e.field).collect()
}

#[test]
fn reads_both_modes() {
    let settings = Settings::parse(&json!({"host": "[::1]", "port": 9004})).unwrap();
    assert_eq!(settings.place(), "[::1]:9004");
    assert_eq!((settings.delimiter, settings.line_bytes_max), (Delimiter::Lf, 4096));
    let listening = json!({"mode": "listen", "port": 9004, "allow": ["192.168.3.0/24", "::1"]});
    let settings = Settings::parse(&listening).unwrap();
    assert_eq!(settings.place(), "listening at port 9004");
    assert!(matches!(settings.mode, Mode::Listen { allow, .. } if allow.len() == 2));
    let custom =
        json!({"host": "h", "port": 1, "delimiter": "custom", "delimiter_custom": "\\x1c;"});
    let settings = Settings::parse(&custom).unwrap();
    assert_eq!(settings.delimiter, Delimiter::Custom(vec![0x1C, b';']));
}

#[test]
fn names_each_wrong_field() {
    let none: [&str; 0] = [];
    assert_eq!(wrong(json!({})), ["/settings/host", "/settings/port"]);
    assert_eq!(wrong(json!({"mode": "listen", "port": 1})), ["/settings/allow"]);
    assert_eq!(wrong(json!({"mode": "listen", "port": 1, "allow": []})), ["/settings/allow"]);
    let both = json!({"mode": "listen", "port": 1, "allow": ["::1", "x"], "host": "h"});
    assert_eq!(wrong(both), ["/settings/host", "/settings/allow/1"]);
    assert_eq!(wrong(json!({"host": "h", "port": 1, "allow": ["::1"]})), ["/settings/allow"]);
    assert_eq!(wrong(json!({"host": "h", "port": 1, "address": "h"})), ["/settings/address"]);
    assert_eq!(
        wrong(json!({"host": "h", "port": 0, "hots": 1})),
        ["/settings/port", "/settings/hots"]
    );
    let custom = |text: &str, encoding: &str| {
        let custom = ["custom", text, encoding];
        wrong(json!({
            "host": "h", "port": 1, "delimiter": custom[0], "delimiter_custom": custom[1], "encoding": custom[2],
        }))
    };
    assert_eq!(custom("|", "utf-8"), none);
    assert_eq!(custom(" ", "gbk"), none);
    for (text, encoding) in [
        ("|", "gbk"),
        ("\\xff", "utf-8"),
        ("\\q", "utf-8"),
        ("温", "utf-8"),
        ("\\x1", "utf-8"),
        ("123456789", "utf-8"),
    ] {
        assert_eq!(custom(text, encoding), ["/settings/delimiter_custom"], "{text} {encoding}");
    }
    let needless = json!({"host": "h", "port": 1, "delimiter_custom": ";"});
    assert_eq!(wrong(needless), ["/settings/delimiter_custom"]);
    assert_eq!(wrong(json!([])).first().map(String::as_str), Some("/settings"));
}

#[test]
fn lines_are_sent_whole_or_not_at_all() {
    assert_eq!(Delimiter::CrLf.wrap(b"BEEP"), Some(b"BEEP\r\n".to_vec()));
    assert_eq!(Delimiter::Etx.wrap(b"BEEP"), Some(b"\x02BEEP\x03".to_vec()));
    assert_eq!(Delimiter::Cr.wrap(b"A\nB"), None);
    assert_eq!(Delimiter::Custom(b"##".to_vec()).wrap(b"A##B"), None);
    assert_eq!(TextEncoding::Gbk.encode("温度"), Some(vec![0xCE, 0xC2, 0xB6, 0xC8]));
    assert_eq!(TextEncoding::Latin1.encode("温度"), None);
}
