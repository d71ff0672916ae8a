use super::*;

fn from_text(text: &str) -> Result<Loaded, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.toml");
    std::fs::write(&path, text).unwrap();
    load(Some(&path), [], &[])
}

#[test]
fn an_empty_file_is_complete_and_every_value_says_where_it_came_from() {
    let loaded = from_text("").unwrap();
    assert_eq!(loaded.config.listen.address.port(), 7300);
    assert!(loaded.rows().iter().all(|row| row.source == "default"));
}

#[test]
fn flags_win_over_environment_over_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weir.toml");
    std::fs::write(&path, "[listen]\naddress = \"127.0.0.1:1\"\nconnections_max = 7\n").unwrap();
    let env = [
        ("WEIR_LISTEN_ADDRESS".to_owned(), "127.0.0.1:2".to_owned()),
        ("WEIR_ACCESS_SESSION_HOURS".to_owned(), "3".to_owned()),
        ("WEIR_URL".to_owned(), "http://elsewhere".to_owned()),
    ];
    let loaded =
        load(Some(&path), env, &[("--listen", "listen.address", "127.0.0.1:3".to_owned())])
            .unwrap();
    assert_eq!(loaded.config.listen.address.port(), 3);
    assert_eq!(loaded.config.listen.connections_max, 7);
    assert_eq!(loaded.config.access.session_hours, 3);
    let sources: BTreeMap<_, _> =
        loaded.rows().into_iter().map(|row| (row.key, row.source)).collect();
    assert_eq!(sources["listen.address"], "flag --listen");
    assert_eq!(sources["access.session_hours"], "environment WEIR_ACCESS_SESSION_HOURS");
    assert!(sources["listen.connections_max"].starts_with("file "));
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let error = from_text("[listen]\nadress = \"127.0.0.1:1\"\n").unwrap_err();
    assert!(
        matches!(&error, ConfigError::UnknownKey { nearest, .. } if nearest == "listen.address"),
        "{error}"
    );
    let error = from_text("[lsten]\naddress = \"127.0.0.1:1\"\n").unwrap_err();
    assert!(
        matches!(&error, ConfigError::UnknownKey { nearest, .. } if nearest == "listen.address"),
        "{error}"
    );
    let env = [("WEIR_LISTEN_PORT".to_owned(), "80".to_owned())];
    assert!(matches!(load(None, env, &[]), Err(ConfigError::UnknownKey { .. })));
}

#[test]
fn a_value_that_does_not_fit_is_named_with_its_source() {
    for (text, key) in [
        ("[listen]\naddress = \"somewhere\"\n", "listen.address"),
        ("[listen]\ntls = \"maybe\"\n", "listen.tls"),
        ("[organisation]\nprefix = \"a/b\"\n", "organisation.prefix"),
        ("[historian]\nfuture_s = -1\n", "historian.future_s"),
        ("[organisation]\ngrade = \"secret\"\n", "organisation.grade"),
        ("[opcua]\npolicies = [\"Basic128Rsa15\"]\n", "opcua.policies"),
    ] {
        let error = from_text(text).unwrap_err();
        assert!(matches!(&error, ConfigError::BadValue { key: k, .. } if k == key), "{error}");
    }
    assert!(matches!(from_text("[listen"), Err(ConfigError::Syntax { .. })));
}

#[test]
fn a_secret_is_never_shown() {
    let file = "[lake]\nsecret_key = \"hush\"\n";
    let loaded = from_text(file).unwrap();
    assert_eq!(loaded.config.lake.secret_key.as_str(), "hush");
    let row = loaded.rows().into_iter().find(|row| row.key == "lake.secret_key").unwrap();
    assert_eq!(row.value, "\"(secret)\"");
    assert!(!format!("{:?}", loaded.config).contains("hush"));
    let error = from_text("[lake]\nsecret_key = [\"hush\"]\n").unwrap_err();
    assert!(!error.to_string().contains("hush"), "{error}");
    for (wrong, place) in [
        ("[lake]\nsecret_key = 12345678\n", ""),
        ("[lake]\nsecret_key = true\n", ""),
        ("[lake]\nsecret_key = { a = \"hush\" }\n", ""),
        ("[lake]\nsecret_key = \"hush\n", "line 2, column "),
        ("[lake]\nsecret_key = hush\n", "line 2, column "),
        ("[lake]\nhush = 1\nhush = \"hush\"\n", "line 3, column "),
    ] {
        let error = from_text(wrong).unwrap_err();
        let told = format!("{error} {error:?}");
        let is_told = ["hush", "12345678", "boolean"].iter().any(|secret| told.contains(secret));
        assert!(!is_told, "{told}");
        assert!(told.contains(place), "{told}");
    }
}
