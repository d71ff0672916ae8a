//! The node as a server of Arrow Flight SQL, read by ADBC's and Arrow's own drivers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::{Value as Json, json};
use weir_it::{Api, Peer, Weir, encode};

const PASSWORD: &str = "a long enough secret 1";

const OPEN: &str = "local/打开";
const SECRET: &str = "local/secret";

/// Rows of the long answer.
const MANY: i64 = 1_000_000;

/// The driver.
struct Driver(Peer);

impl Driver {
    fn start() -> Self {
        Self(Peer::start("flight/client.py", &[]).unwrap())
    }

    /// The answer to a command that must not fail.
    fn good(&mut self, command: Json) -> Json {
        self.0.good(&command).unwrap()
    }

    /// The status and the text of the error that a command must have.
    fn bad(&mut self, command: Json) -> (String, String) {
        let answer = self.0.ask(&command).unwrap();
        let told = |field: &str| answer[field].as_str().map(str::to_owned);
        let Some(text) = told("error") else { panic!("{command} has an answer: {answer}") };
        (told("status").unwrap(), text)
    }

    fn rows(&mut self, who: &str, sql: &str) -> Json {
        self.good(json!({"do": "rows", "as": who, "sql": sql}))["rows"].take()
    }
}

/// A node with two tags, two organisations and a person of each kind.
struct Plant {
    weir: Weir,
    admin: Api,
    token: String,
    data: tempfile::TempDir,
}

impl Plant {
    fn start(settings: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let weir = Weir::serve_set(data.path(), "127.0.0.1:0", settings, &[]).unwrap();
        let token = weir.token(&[]).unwrap();
        let admin = weir.api().with_token(&token);
        let plant = Self { weir, admin, token, data };
        plant.furnish();
        plant
    }

    fn furnish(&self) {
        let admin = &self.admin;
        let tag = |id: &str, kind: &str, grade: &str| {
            let tag =
                json!({"id": id, "name": id, "data_type": kind, "grade": grade, "unit": "kPa"});
            admin.post("/api/v1/tags", &tag).unwrap();
        };
        tag(OPEN, "f64", "general");
        tag(SECRET, "text", "core");
        let samples = json!([
            {"tag": OPEN, "time": "2026-01-01T00:00:00.123456789Z", "value": 0.1},
            {"tag": OPEN, "time": "2026-01-01T00:00:01Z", "value": null, "quality": "bad"},
            {"tag": OPEN, "time": "2026-01-01T00:00:02Z", "value": -1e300},
            {"tag": SECRET, "time": "2026-01-01T00:00:00Z", "value": "最高机密\n\"\""},
        ]);
        admin.post("/api/v1/samples", &json!({ "samples": samples })).unwrap();
        admin.post("/api/v1/organisations", &json!({"prefix": "other", "name": "Other"})).unwrap();
        let user = |name: &str, role: &str, ceiling: &str, organisation: &str| {
            let user = json!({"name": name, "password": PASSWORD, "roles": [role],
                              "ceiling": ceiling, "organisation": organisation});
            admin.post("/api/v1/users", &user).unwrap();
        };
        user("vera", "viewer", "general", "local");
        user("nemo", "nothing", "core", "local");
        user("eve", "administrator", "core", "other");
    }

    /// The address for drivers.
    fn url(&self) -> String {
        let url = self.weir.ready_text("url");
        url.replacen("https://", "grpc+tls://", 1).replacen("http://", "grpc://", 1)
    }

    fn by_token(&self, who: &str) -> Json {
        json!({"do": "connect", "as": who, "url": self.url(), "token": self.token})
    }

    fn by_password(&self, who: &str, user: &str, password: &str) -> Json {
        json!({"do": "connect", "as": who, "url": self.url(), "user": user, "password": password})
    }
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn columns_come_as_they_are_stored() {
    let plant = Plant::start("");
    let mut driver = Driver::start();
    driver.good(plant.by_token("main"));

    let sql =
        "SELECT tag, time, value, quality, text, quality_code FROM samples ORDER BY tag DESC, time";
    let answer = driver.good(json!({"do": "rows", "sql": sql}));
    let columns = json!([
        ["tag", "string"],
        ["time", "timestamp[ns, tz=UTC]"],
        ["value", "double"],
        ["quality", "string"],
        ["text", "string"],
        ["quality_code", "uint32"]
    ]);
    assert_eq!(answer["columns"], columns);
    let start = 1_767_225_600_000_000_000_i64;
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "{answer}");
    assert_eq!(rows[0], json!([OPEN, start + 123_456_789, 0.1, "good", null, 0]));
    let bad = (&rows[1][1], &rows[1][2], &rows[1][3]);
    assert_eq!(bad, (&json!(start + 1_000_000_000), &Json::Null, &json!("bad")));
    assert_eq!((&rows[2][2], &rows[3][2]), (&json!(-1e300), &Json::Null));
    assert_eq!(rows[3][4], "最高机密\n\"\"");
    let none = driver.good(json!({"do": "rows", "sql": "SELECT id, unit FROM tags WHERE false"}));
    assert_eq!(none, json!({"columns": [["id", "string"], ["unit", "string"]], "rows": []}));
    assert_eq!(driver.rows("main", "SELECT count(*) FROM tags"), json!([[2]]));

    // Every sample so often that there are a million rows: none is lost, and they come in parts.
    let often = MANY / 4;
    let sql =
        format!("SELECT s.*, n.value AS n FROM samples s CROSS JOIN generate_series(1, {often}) n");
    let counted = driver.good(json!({"do": "count", "sql": sql}));
    assert_eq!(counted["rows"], MANY);
    assert!(counted["batches"].as_i64().unwrap() > 10, "{counted}");
    let sql = format!("SELECT * FROM generate_series(1, {})", MANY + 1);
    let (status, text) = driver.bad(json!({"do": "count", "sql": sql}));
    assert!(text.contains("more than 1000000 rows; add LIMIT"), "{status}: {text}");
    plant.weir.stop().unwrap();
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn a_driver_finds_tables_and_prepares_statements() {
    let plant = Plant::start("");
    let mut driver = Driver::start();
    driver.good(plant.by_token("main"));

    let found = driver.good(json!({"do": "objects", "depth": "all"}));
    let catalog = &found["objects"][0];
    assert_eq!(catalog["catalog_name"], "weir");
    let schemas = catalog["catalog_db_schemas"].as_array().unwrap();
    assert_eq!(schemas[0]["db_schema_name"], "public");
    let tables = schemas[0]["db_schema_tables"].as_array().unwrap();
    let table = |name: &str| tables.iter().find(|table| table["table_name"] == name);
    for name in ["samples", "tags", "assets"] {
        assert!(table(name).is_some(), "{name} is missing: {found}");
    }
    let columns = table("samples").unwrap()["table_columns"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().filter_map(|one| one["column_name"].as_str()).collect();
    assert_eq!(names, ["tag", "time", "value", "quality", "text", "quality_code"]);
    let about = driver.good(json!({"do": "about"}));
    assert_eq!(about["info"]["vendor_name"], "Weir");
    assert_eq!(about["types"], json!(["TABLE"]));
    assert_eq!(about["samples"][1], json!(["time", "timestamp[ns, tz=UTC]"]));

    let sql = "SELECT value FROM samples WHERE tag = ? AND value > ? ORDER BY time";
    let each = json!([[OPEN, -1e301], [OPEN, 0.0], [SECRET, 0.0]]);
    let answer = driver.good(json!({"do": "prepared", "sql": sql, "each": each}));
    assert_eq!(answer["rows"], json!([[[0.1], [-1e300]], [[0.1]], []]));
    let (_, text) = driver.bad(json!({"do": "prepared", "sql": sql, "each": [[OPEN]]}));
    assert!(text.contains("2 parameters, and 1 values were bound"), "{text}");
    let (_, text) = driver.bad(json!({"do": "rows", "sql": sql}));
    assert!(text.contains("2 parameters; bind a value to each"), "{text}");
    plant.weir.stop().unwrap();
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn everybody_sees_their_own_and_errors_say_what_to_do() {
    let plant = Plant::start("");
    let mut driver = Driver::start();
    driver.good(plant.by_password("vera", "vera", PASSWORD));
    driver.good(plant.by_password("eve", "eve@other", PASSWORD));
    driver.good(plant.by_password("nemo", "nemo", PASSWORD));

    assert_eq!(driver.rows("vera", "SELECT id FROM tags"), json!([[OPEN]]));
    assert_eq!(driver.rows("vera", "SELECT count(*) FROM samples"), json!([[3]]));
    let secret = format!("SELECT * FROM samples WHERE tag = '{SECRET}'");
    assert_eq!(driver.rows("vera", &secret), json!([]));
    for sql in ["SELECT id FROM tags", "SELECT id FROM assets", "SELECT * FROM samples"] {
        assert_eq!(driver.rows("eve", sql), json!([]), "{sql}");
    }
    assert_eq!(driver.rows("eve", &secret), json!([]));

    let error = |driver: &mut Driver, who: &str, sql: &str| {
        driver.bad(json!({"do": "rows", "as": who, "sql": sql})).1
    };
    let denied = error(&mut driver, "nemo", "SELECT 1");
    assert!(denied.contains("sample:read"), "{denied}");
    for (sql, told) in [
        ("SELEC 1", "SELEC"),
        ("SELECT nothing FROM samples", "nothing"),
        ("DELETE FROM samples", "only SELECT"),
        (
            "SELECT a.value FROM samples a, samples b, samples c, samples d, tags WHERE 1 = repeat('x', 9)",
            "repeat",
        ),
    ] {
        let text = error(&mut driver, "vera", sql);
        assert!(text.contains(told), "{sql}: {text}");
    }
    let (status, text) = driver.bad(plant.by_password("wrong", "vera", "not the password"));
    assert!(status == "UNAUTHENTICATED" && text.contains("wrong"), "{status}: {text}");
    let nobody = json!({"do": "connect", "as": "nobody", "url": plant.url()});
    driver.good(nobody);
    let text = error(&mut driver, "nobody", "SELECT 1");
    assert!(text.contains("Sign in, or send a token"), "{text}");
    let mut stale = plant.by_token("stale");
    stale["token"] = json!("weir_no_such_token");
    driver.good(stale);
    let text = error(&mut driver, "stale", "SELECT 1");
    assert!(text.contains("The token is wrong, expired or revoked."), "{text}");

    // Both are in the audit: who signed in, and who was refused.
    let path = format!("/api/v1/audit?q={}", encode("flight"));
    let said = |entries: &Json, text: &str| entries.to_string().contains(text);
    let entries = plant.admin.until(&path, Duration::from_secs(30), |entries| {
        said(entries, "FlightService") && said(entries, "flight.session")
    });
    assert!(said(&entries.unwrap(), "wrong"), "a failed sign-in is not in the audit");
    plant.weir.stop().unwrap();
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn streams_end_with_their_reader_and_with_its_rights() {
    let plant = Plant::start("[query]\nat_once = 1\n");
    let mut driver = Driver::start();
    for who in ["main", "other"] {
        driver.good(plant.by_token(who));
    }
    driver.good(plant.by_password("vera", "vera", PASSWORD));
    // Some two hundred megabytes: more than the driver and the sockets take at once.
    let pad = "0123456789".repeat(20);
    let long = format!(
        "SELECT a.value, '{pad}' AS pad FROM generate_series(1, 20000) a CROSS JOIN generate_series(1, 49)"
    );
    let begin = |who: &str| json!({"do": "begin", "as": who, "sql": long});

    // There is one turn, which is given back when the reader cancels, goes away, or is sent away.
    driver.good(begin("main"));
    let (_, text) = driver.bad(json!({"do": "rest", "as": "main", "cancel": true}));
    assert!(text.to_lowercase().contains("cancel"), "{text}");
    assert_eq!(driver.rows("other", "SELECT 1"), json!([[1]]));
    driver.good(begin("main"));
    driver.good(json!({"do": "leave", "as": "main"}));
    assert_eq!(driver.rows("other", "SELECT 1"), json!([[1]]));
    let endless =
        "SELECT count(*) FROM generate_series(1, 2000000) a CROSS JOIN generate_series(1, 20000) b";
    let cancel = json!({"do": "cancel", "sql": endless, "after": 0.5});
    let (status, text) = driver.bad(cancel);
    assert_eq!(status, "CANCELLED", "{text}");
    assert_eq!(driver.rows("other", "SELECT 1"), json!([[1]]));

    driver.good(begin("vera"));
    let user = format!("/api/v1/users/{}", encode("local/user.vera"));
    let body = json!({"disabled": true});
    assert_eq!(plant.admin.json("PATCH", &user, &body).unwrap().status, 200);
    let (_, text) = driver.bad(json!({"do": "rest", "as": "vera"}));
    assert!(text.contains("Your rights have changed or ended"), "{text}");
    let (status, _) = driver.bad(json!({"do": "rows", "as": "vera", "sql": "SELECT 1"}));
    assert_eq!(status, "UNAUTHENTICATED");
    assert_eq!(driver.rows("other", "SELECT 1"), json!([[1]]));
    plant.weir.stop().unwrap();
}

#[test]
#[ignore = "needs the Python peers: cargo xtask test"]
fn tls_and_ipv6_are_served_too() {
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let listen = if has_ipv6 { "[::1]:0" } else { "127.0.0.1:0" };
    // Furnished in the plain, since the tests' own client knows no certificate of ours.
    let Plant { weir, admin, token, data } = Plant::start("");
    weir.stop().unwrap();
    let weir = Weir::serve_set(data.path(), listen, "[listen]\ntls = \"on\"\n", &[]).unwrap();
    let plant = Plant { weir, admin, token, data };
    let certificate = plant.data.path().join("data/tls/certificate.pem");
    let mut driver = Driver::start();
    for mut connect in [plant.by_token("main"), plant.by_password("vera", "vera", PASSWORD)] {
        connect["certificate"] = json!(certificate);
        driver.good(connect);
    }
    assert_eq!(driver.rows("main", "SELECT count(*) FROM samples"), json!([[4]]));
    assert_eq!(driver.rows("vera", "SELECT count(*) FROM samples"), json!([[3]]));
    let stranger = plant.by_token("stranger");
    driver.0.ask(&stranger).unwrap();
    let (_, text) = driver.bad(json!({"do": "rows", "as": "stranger", "sql": "SELECT 1"}));
    assert!(text.contains("certificate"), "{text}");
    let arrow = json!({"do": "flight", "url": plant.url(), "user": "vera", "password": PASSWORD,
                       "certificate": certificate});
    let arrow = driver.good(arrow);
    let actions =
        ["CancelFlightInfo", "CancelQuery", "ClosePreparedStatement", "CreatePreparedStatement"];
    assert_eq!(arrow, json!({"actions": actions, "header": "authorization"}));
    plant.weir.stop().unwrap();
}
