//! Queries to a PostgreSQL server, which each test starts for itself, in a folder of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio_postgres::NoTls;
use weir_connect::conformance::{Bench, TENANT, device_id, tag};
use weir_connect::{
    Circumstances, DeviceSpec, Driver, DriverError, ErrorKind, Point, Session, Settled, State,
    SystemClock,
};
use weir_model::{DataType, Quality, Value};
use weir_pickup::SqlPickup;

const PASSWORD: &str = "a pass'word";

/// A server of its own cluster; it ends with this value.
struct Server {
    dir: tempfile::TempDir,
    process: Option<Child>,
    port: u16,
    authority: String,
}

/// Where Debian puts the server, or what PATH finds.
fn program(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

/// The server refuses to run as root, so then it runs as the user that its package makes.
fn owner() -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("postgres:"))?;
    let mut parts = line.split(':').skip(2).map(|part| part.parse().unwrap());
    let owner = (parts.next()?, parts.next()?);
    let is_root = fs::metadata("/proc/self").is_ok_and(|m| {
        use std::os::unix::fs::MetadataExt;
        m.uid() == 0
    });
    is_root.then_some(owner)
}

fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn give(path: &Path) {
    if let Some((user, group)) = owner() {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

impl Server {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let cluster = dir.path().join("cluster");
        fs::create_dir(&cluster).unwrap();
        give(&cluster);
        let file = dir.path().join("password");
        fs::write(&file, PASSWORD).unwrap();
        give(&file);
        let made = command("initdb")
            .args([
                "-U",
                "admin",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-sync",
                "--pwfile",
            ])
            .arg(&file)
            .arg("-D")
            .arg(&cluster)
            .status()
            .expect("initdb, of Debian's package postgresql (apt-get install postgresql)");
        assert!(made.success());
        let authority = certificates(&cluster, 4000);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { dir, process: None, port, authority };
        server.restart().await;
        server
    }

    async fn restart(&mut self) {
        let process = command("postgres")
            .arg("-D")
            .arg(self.dir.path().join("cluster"))
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1,::1"])
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "ssl=on"])
            .args(["-c", "ssl_cert_file=server.crt", "-c", "ssl_key_file=server.key"])
            .spawn()
            .expect("postgres, of Debian's package postgresql");
        self.process = Some(process);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while self.client().await.is_err() {
            assert!(tokio::time::Instant::now() < deadline, "the server does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn client(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(self.port)
            .user("admin")
            .dbname("postgres")
            .password(PASSWORD);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn run(&self, sql: &str) {
        self.client().await.unwrap().batch_execute(sql).await.unwrap();
    }

    /// As if the machine had lost its power.
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn spec(&self, settings: Json, points: &[(Json, DataType)]) -> DeviceSpec {
        let mut all = json!({
            "host": "127.0.0.1", "port": self.port, "user": "admin", "password": PASSWORD,
            "sslmode": "off", "query": "SELECT * FROM m", "cursor_column": "id", "cursor_start": "0",
            "time_column": "at", "poll_s": 1, "timeout_ms": 3000,
        });
        for (key, value) in settings.as_object().unwrap() {
            all[key] = value.clone();
        }
        let point = |(i, (address, data_type)): (usize, &(Json, DataType))| Point {
            tag: tag(1, i),
            id: format!("88.100/d1.p{i}").parse().unwrap(),
            name: format!("p{i}"),
            address: address.clone(),
            data_type: *data_type,
            scaling: Vec::new(),
            write: None,
            poll_ms: None,
        };
        DeviceSpec {
            tenant: TENANT,
            device: device_id(1),
            name: "archive".to_owned(),
            protocol: "sql".to_owned(),
            settings: all,
            points: points.iter().enumerate().map(point).collect(),
            enabled: true,
            revision: 1,
        }
    }

    fn driver(&self) -> Arc<dyn Driver> {
        Arc::new(SqlPickup::new(self.dir.path().join("state")))
    }

    async fn session(&self, spec: &DeviceSpec) -> Result<Box<dyn Session>, DriverError> {
        let circumstances = Circumstances::new(Arc::new(SystemClock));
        self.driver().connect(Arc::new(spec.clone()), circumstances).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An authority, and a certificate of the server for `localhost` that it signed until the end of a year.
fn certificates(cluster: &Path, until: i32) -> String {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::from_params(&params, &key);
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until, 12, 31);
    let signed = params.signed_by(&own, &issuer).unwrap();
    for (name, text) in [("server.crt", signed.pem()), ("server.key", own.serialize_pem())] {
        let path = cluster.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        give(&path);
    }
    authority.pem()
}

const TABLE: &str = "CREATE TABLE m (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), \
    sensor text, value double precision, good boolean, exact numeric, note text)";

async fn collect(session: &mut dyn Session, wanted: usize, settled: Settled) -> Vec<f64> {
    let mut numbers = Vec::new();
    let collecting = async {
        while numbers.len() < wanted {
            session.due().await;
            let collected = session.collect().await.unwrap();
            numbers.extend(
                collected.readings.iter().filter_map(|r| r.outcome.as_ref().ok()?.as_f64()),
            );
            if let Some(receipt) = collected.receipt {
                receipt.settle(settled);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), collecting).await.unwrap();
    numbers
}

/// Collects until a question brought nothing, after all before it was dealt with.
async fn settle(session: &mut dyn Session) {
    loop {
        session.due().await;
        let collected = session.collect().await.unwrap();
        assert_eq!(collected.readings, []);
        if collected.requests == 1 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql): cargo xtask test"]
async fn rows_arrive_and_the_server_may_die() {
    let mut server = Server::start().await;
    server.run(TABLE).await;
    server
        .run(
            "INSERT INTO m (at, sensor, value, good, exact, note) VALUES \
             (now() - interval '2 hours', 'T1', 20.5, true, 0.1, 'an old one'), \
             (now(), 'T1', 21.5, false, 12345678901234567890.5, '换班'), (now(), 'T2', NULL, NULL, NULL, NULL)",
        )
        .await;
    let points = [
        (json!({"column": "value", "where": {"sensor": "T1"}}), DataType::F64),
        (json!({"column": "value", "where": {"sensor": "T2"}}), DataType::F64),
        (json!({"column": "good"}), DataType::Bool),
        (json!({"column": "exact"}), DataType::Text),
        (json!({"column": 7}), DataType::Text),
        (json!({"column": "id"}), DataType::I64),
        (json!({"column": "pressure"}), DataType::F64),
    ];
    let bench = Bench::new(vec![server.driver()]);
    let spec = server.spec(json!({}), &points);
    let report = bench.supervisor.test(&spec).await.unwrap();
    let read: Vec<_> = report.values.iter().map(|v| v.value.as_ref().map(Value::to_json)).collect();
    assert_eq!(read[..2], [Some(json!(21.5)), None]);
    assert_eq!(read[5], Some(json!(3)));
    assert!(report.values[6].error.as_ref().unwrap().contains("gives no column pressure"));
    bench.apply(spec.clone()).await;
    bench.until("the value", |b| b.value(1, 0) == Some(json!(21.5))).await;
    bench.until("all rows", |b| b.value(1, 5) == Some(json!(3))).await;
    assert_eq!(bench.backfilled(1, 0).len(), 1);
    assert_eq!(bench.value(1, 2), Some(json!(false)));
    assert_eq!(bench.value(1, 3), Some(json!("12345678901234567890.5")));
    assert_eq!(bench.value(1, 4), Some(json!("换班")));
    assert_eq!(bench.last(1, 1), None, "NULL is no value");
    assert_eq!(bench.last(1, 6).map(|s| s.quality), Some(Quality::CONFIGURATION_ERROR));

    server.kill();
    bench.until_state(1, State::BackingOff).await;
    server.restart().await;
    server.run("INSERT INTO m (sensor, value) VALUES ('T2', 7)").await;
    bench.until("the next row", |b| b.value(1, 1) == Some(json!(7.0))).await;
    assert_eq!(bench.backfilled(1, 0).len(), 1, "the cursor was kept");
    let error = bench.write(1, 0, Value::F64(1.0)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotWritable);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql): cargo xtask test"]
async fn nothing_is_lost_or_passed_over_before_it_is_stored() {
    let server = Server::start().await;
    server.run(TABLE).await;
    server.run("INSERT INTO m (value) SELECT n FROM generate_series(1, 5500) n").await;
    let points = [(json!({"column": "value"}), DataType::F64)];
    let spec = server.spec(json!({}), &points);
    let mut session = server.session(&spec).await.unwrap();
    let first = collect(&mut *session, 1000, Settled::Dropped).await;
    assert_eq!(first.len(), 1000);
    let again = collect(&mut *session, 2000, Settled::Stored).await;
    assert_eq!((again[0], again[1999]), (1.0, 2000.0));
    drop(session);
    // What was stored last may come again, since the answer to its receipt was not looked at.
    let mut session = server.session(&spec).await.unwrap();
    let more = collect(&mut *session, 1000, Settled::Stored).await;
    assert_eq!(more[0], 1001.0);
    let rest = collect(&mut *session, 3500, Settled::Stored).await;
    assert_eq!(rest.last(), Some(&5500.0));
    settle(&mut *session).await;
    drop(session);
    let mut session = server.session(&spec).await.unwrap();
    settle(&mut *session).await;
    // Another start begins there.
    let spec = server.spec(json!({"cursor_start": "5490"}), &points);
    let mut session = server.session(&spec).await.unwrap();
    assert_eq!(collect(&mut *session, 10, Settled::Stored).await[0], 5491.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql): cargo xtask test"]
async fn cursors_of_each_kind_and_rows_that_share_one() {
    let server = Server::start().await;
    server.run(TABLE).await;
    // Each second has 30 rows, and a page only 10.
    server
        .run("INSERT INTO m (at, value) SELECT date_trunc('second', now()) - interval '1 minute' + (n / 30) * interval '1 second', n FROM generate_series(0, 299) n")
        .await;
    let points = [(json!({"column": "value"}), DataType::F64)];
    let queries = [
        ("SELECT at, value FROM m", "at", "2020-01-01"),
        ("SELECT at, value FROM m WHERE at > $1 -- since then", "at", "2020-01-01 00:00:00+08"),
        ("SELECT id, at, value FROM m WHERE id > $1;", "id", "0"),
        (
            "WITH x AS (SELECT *, to_char(id, 'FM00000') AS \"Nr. \"\"1\"\"\" FROM m) SELECT * FROM x",
            "Nr. \"1\"",
            "0",
        ),
        ("SELECT (id / 7.0)::numeric AS n, at, value FROM m", "n", "-1"),
        ("SELECT (id / 7.0)::float8 AS n, at, value FROM m", "n", "-1e3"),
    ];
    for (query, column, start) in queries {
        let settings =
            json!({"query": query, "cursor_column": column, "cursor_start": start, "rows_max": 10});
        let mut session = server.session(&server.spec(settings, &points)).await.unwrap();
        let mut all = collect(&mut *session, 300, Settled::Stored).await;
        settle(&mut *session).await;
        all.sort_by(f64::total_cmp);
        assert_eq!(all, (0..300).map(f64::from).collect::<Vec<_>>(), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql): cargo xtask test"]
async fn young_rows_settle_and_large_ones_are_cut() {
    let server = Server::start().await;
    server.run(TABLE).await;
    let points = [(json!({"column": "value"}), DataType::F64)];
    let spec = server.spec(json!({"settle_s": 3}), &points);
    // A transaction that began first and ends last: its row has the lower number.
    let slow = server.client().await.unwrap();
    slow.batch_execute("BEGIN; INSERT INTO m (value) VALUES (1)").await.unwrap();
    server.run("INSERT INTO m (at, value) VALUES (now() - interval '1 hour', 0)").await;
    server.run("INSERT INTO m (value) VALUES (2)").await;
    let mut session = server.session(&spec).await.unwrap();
    assert_eq!(collect(&mut *session, 1, Settled::Stored).await, [0.0]);
    settle(&mut *session).await;
    server.run("UPDATE m SET id = 100 WHERE value = 2").await;
    slow.batch_execute("UPDATE m SET id = 50 WHERE value = 1; COMMIT").await.unwrap();
    assert_eq!(collect(&mut *session, 2, Settled::Stored).await, [1.0, 2.0]);

    server.run("TRUNCATE m RESTART IDENTITY").await;
    // 2000 rows of 60 kB are four pages, whatever the settings allow.
    server.run("INSERT INTO m (value, note) SELECT n, repeat('x', 60000) FROM generate_series(1, 2000) n").await;
    let points =
        [(json!({"column": "value"}), DataType::F64), (json!({"column": "note"}), DataType::Text)];
    let spec = server
        .spec(json!({"rows_max": 10_000, "cursor_start": "-1", "timeout_ms": 20_000}), &points);
    let mut session = server.session(&spec).await.unwrap();
    let all = collect(&mut *session, 2000, Settled::Stored).await;
    assert_eq!(all, (1..=2000).map(f64::from).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql): cargo xtask test"]
async fn what_is_wrong_is_told_and_nothing_is_written() {
    let server = Server::start().await;
    server.run(TABLE).await;
    server
        .run("CREATE FUNCTION sneak() RETURNS bigint LANGUAGE sql VOLATILE AS 'INSERT INTO m (value) VALUES (666) RETURNING id'")
        .await;
    server.run("INSERT INTO m (value) VALUES (1)").await;
    let points = [(json!({"column": "value"}), DataType::F64)];
    let cases = [
        (json!({"password": "wrong"}), "check user, password"),
        (json!({"database": "nothing"}), "check the database's name"),
        (json!({"query": "SELECT * FROM nothing"}), "correct the query"),
        (json!({"query": "SELECT * FROM m) AS q; DROP TABLE m; --"}), "[42601]"),
        (json!({"query": "SELECT * FROM m; DROP TABLE m"}), "[42601]"),
        (json!({"cursor_column": "nr"}), "gives no column nr; the query gives id, at"),
        (json!({"time_column": "nr"}), "gives no column nr"),
        (json!({"time_column": "value"}), "set the format of times"),
        (json!({"query": "SELECT * FROM m WHERE id > $1 AND id < $2"}), "more than one parameter"),
    ];
    for (settings, told) in cases {
        let error = server.session(&server.spec(settings.clone(), &points)).await.err().unwrap();
        assert!(error.to_string().contains(told), "{settings}: {error}");
        assert!(!error.to_string().contains("wrong\"") && !error.to_string().contains(PASSWORD));
    }
    let fails = [
        (
            json!({"query": "SELECT sneak() AS id, now() AS at, 1 AS value"}),
            ErrorKind::Rejected,
            "may only read",
        ),
        (
            json!({"query": "SELECT 1 AS id, now() AS at, pg_sleep(30)::text AS value", "timeout_ms": 300}),
            ErrorKind::Timeout,
            "",
        ),
        (json!({"cursor_start": "yesterday"}), ErrorKind::Rejected, "invalid input syntax"),
    ];
    for (settings, kind, told) in fails {
        let mut session = server.session(&server.spec(settings.clone(), &points)).await.unwrap();
        session.due().await;
        let error = session.collect().await.unwrap_err();
        assert_eq!(error.kind, kind, "{settings}: {error}");
        assert!(error.to_string().contains(told), "{settings}: {error}");
    }
    let count =
        server.client().await.unwrap().query_one("SELECT count(*) FROM m", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 1);
    // Bad rows are passed over.
    server.run("INSERT INTO m (at, value) VALUES ('infinity', 2), (now() + interval '1 day', 3), ('0044-03-15 BC', 4), (now(), 5)").await;
    let mut session = server.session(&server.spec(json!({}), &points)).await.unwrap();
    assert_eq!(collect(&mut *session, 2, Settled::Stored).await, [1.0, 5.0]);
    assert!(session.peer().contains("3 bad rows"), "{}", session.peer());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql): cargo xtask test"]
async fn certificates_are_reviewed_or_signed() {
    let server = Server::start().await;
    server.run(TABLE).await;
    server.run("INSERT INTO m (value) VALUES (1)").await;
    let points = [(json!({"column": "value"}), DataType::F64)];
    let stranger = server.spec(json!({"sslmode": "require"}), &points);
    let error = server.session(&stranger).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Untrusted, "{error}");
    let shown = error.certificate.unwrap();
    assert_eq!(shown.names, ["localhost"]);
    let pinned = json!({"sslmode": "require", "trusted": [shown.thumbprint]});
    let mut session = server.session(&server.spec(pinned, &points)).await.unwrap();
    assert_eq!(collect(&mut *session, 1, Settled::Dropped).await, [1.0]);
    let signed = json!({"sslmode": "require", "ca": server.authority, "host": "localhost"});
    let mut session = server.session(&server.spec(signed, &points)).await.unwrap();
    assert_eq!(collect(&mut *session, 1, Settled::Dropped).await, [1.0]);
    // Signed, but for another name.
    let other = json!({"sslmode": "require", "ca": server.authority, "host": "::1"});
    let error = server.session(&server.spec(other, &points)).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Untrusted, "{error}");
    // The server gets a certificate that has expired, and reads it a moment after it is told to.
    certificates(&server.dir.path().join("cluster"), 2024);
    server.run("SELECT pg_reload_conf()").await;
    let renewed = loop {
        let error = server.session(&stranger).await.err().unwrap();
        let now = error.certificate.unwrap();
        if now != shown {
            break now;
        }
    };
    let mut expired = json!({"sslmode": "require", "trusted": [renewed.thumbprint]});
    let error = server.session(&server.spec(expired.clone(), &points)).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Untrusted, "{error}");
    assert!(error.to_string().contains("has expired (valid from"), "{error}");
    assert_eq!(error.certificate, Some(renewed));
    expired["accept_expired"] = json!(true);
    let mut session = server.session(&server.spec(expired, &points)).await.unwrap();
    assert_eq!(collect(&mut *session, 1, Settled::Dropped).await, [1.0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL (apt-get install postgresql): cargo xtask test"]
async fn databases_tables_and_columns_are_found() {
    let server = Server::start().await;
    server.run(TABLE).await;
    server.run("CREATE DATABASE mes").await;
    server.run("COMMENT ON COLUMN m.value IS '温度'").await;
    let driver = server.driver();
    let mut settings = server.spec(json!({}), &[]).settings;
    settings.as_object_mut().unwrap().remove("query");
    let found = driver.discover(&settings).await.unwrap();
    let names: Vec<_> = found.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["mes", "postgres"]);
    assert!(found[0].detail.starts_with("PostgreSQL 1"), "{}", found[0].detail);
    assert_eq!(found[0].settings["database"], "mes");
    let page = driver.browse(&settings, None).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["public.m"]);
    let page = driver.browse(&settings, Some(&page.items[0].at)).await.unwrap();
    let value = page.items.iter().find(|item| item.name == "value").unwrap();
    assert_eq!(value.description, "double precision: 温度");
    assert_eq!(value.address, Some(json!({"column": "value"})));
    assert_eq!(value.data_type, Some(DataType::F64));
    settings["query"] = json!("SELECT id, value AS v FROM m");
    let page = driver.browse(&settings, Some("query")).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["id", "v"]);
}
