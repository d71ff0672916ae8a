//! The steps, in the order of a device's life.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use weir_model::{Quality, Value};

use super::bench::{Bench, TENANT, device_id, impatient};
use super::peer::Peer;
use crate::{DeviceSpec, Driver, ErrorKind, State};

/// Devices that go on while one is changed.
const OTHERS: u32 = 8;

/// Pages that are browsed until every point of the peer must have been seen.
const PAGES_MAX: usize = 2000;

struct Suite<'a> {
    driver: Arc<dyn Driver>,
    protocol: &'static str,
    peer: &'a mut Peer,
    ran: Vec<&'static str>,
}

/// Drives a driver through every rule that its peer can play a part in, and names the steps that ran.
///
/// # Panics
/// Where a rule is broken, with what was seen.
pub async fn run(driver: Arc<dyn Driver>, peer: &mut Peer) -> Vec<&'static str> {
    let protocol = driver.protocol();
    let mut suite = Suite { driver, protocol, peer, ran: Vec::new() };
    suite.describes_itself();
    suite.tests_before_it_is_saved().await;
    suite.browses().await;
    suite.subscribes_and_survives_a_kill().await;
    suite.stores_and_forwards().await;
    suite.writes().await;
    suite.notices_silence().await;
    suite.bears_lies().await;
    suite.bears_another_clock().await;
    suite.bears_a_flood().await;
    suite.leaves_the_others_alone().await;
    suite.reviews_certificates().await;
    suite.ran
}

impl Suite<'_> {
    fn bench(&self) -> Bench {
        Bench::new(vec![Arc::clone(&self.driver)])
    }

    fn spec(&self, n: u32) -> DeviceSpec {
        self.peer.spec(n, self.protocol)
    }

    /// What a point should show now.
    fn expected(&self, point: usize) -> Json {
        self.peer.points[point]["value"].clone()
    }

    async fn until_all_values(&self, bench: &Bench, n: u32) {
        for point in 0..self.peer.points.len() {
            let expected = self.expected(point);
            let what = format!("device {n}, point {point}: {expected}");
            bench.until(&what, |b| b.value(n, point).is_some_and(|v| same(&v, &expected))).await;
        }
    }

    /// Changes every value that can be changed, there and in what is expected.
    fn change_values(&mut self) -> Vec<usize> {
        let mut changed = Vec::new();
        for point in 0..self.peer.points.len() {
            if let Some(value) = self.peer.other(point) {
                let json = value.to_json();
                self.peer.set(point, &json);
                self.peer.points[point]["value"] = json;
                changed.push(point);
            }
        }
        changed
    }

    /// D2: forms are made of the description alone, in both languages.
    fn describes_itself(&mut self) {
        let description = self.driver.describe();
        for part in ["settings", "address"] {
            let properties = description[part]["properties"].as_object().unwrap();
            for (name, field) in properties {
                for text in ["x-title", "x-description"] {
                    for language in ["en", "zh-CN"] {
                        let told = field[text][language].as_str().unwrap_or_default();
                        assert!(!told.is_empty(), "{part}/{name} has no {text} in {language}");
                    }
                }
            }
            let order = description[part]["x-order"].as_array().unwrap();
            let ordered: BTreeSet<_> = order.iter().filter_map(Json::as_str).collect();
            let named: BTreeSet<_> = properties.keys().map(String::as_str).collect();
            assert_eq!(ordered, named, "x-order of {part}");
        }
        // A template of its devices must know what to leave out.
        let settings = description["settings"]["properties"].as_object().unwrap();
        assert!(settings.values().any(|field| field["x-own"] == true), "nothing is a device's own");
        let mut wrong = self.spec(1);
        wrong.settings["no_such_field"] = json!(1);
        let errors = self.driver.check(&wrong).unwrap_err();
        assert!(errors.iter().any(|e| e.field == "/settings/no_such_field"), "{errors:?}");
        self.driver.check(&self.spec(1)).unwrap();
        self.ran.push("describe");
    }

    async fn tests_before_it_is_saved(&mut self) {
        let bench = self.bench();
        let report = bench.supervisor.test(&self.spec(1)).await.unwrap();
        for (point, read) in report.values.iter().enumerate() {
            let got = read.value.as_ref().map(Value::to_json).unwrap_or_default();
            let expected = self.expected(point);
            assert!(same(&got, &expected), "point {point}: {got}, not {expected}: {read:?}");
        }
        self.ran.push("test");
        // A peer that is not there is told by its place.
        self.peer.kill();
        let error = bench.supervisor.test(&impatient(self.spec(1))).await.unwrap_err();
        assert!(error.to_string().contains(&self.peer.port.to_string()), "{error}");
        self.peer.restart();
        self.ran.push("unreachable");
    }

    async fn browses(&mut self) {
        if !self.driver.abilities().browse {
            return;
        }
        let bench = self.bench();
        let settings = &self.peer.settings;
        let shown = self.peer.points.iter().filter(|point| point["browsed"] != json!(false));
        let mut wanted: Vec<Json> = shown.map(|point| point["address"].clone()).collect();
        let mut places = VecDeque::from([None]);
        let mut seen = BTreeSet::new();
        let mut pages = 0;
        while !wanted.is_empty() && pages < PAGES_MAX {
            let Some(at) = places.pop_front() else { break };
            let browsed = bench.supervisor.browse(TENANT, self.protocol, settings, at.as_deref());
            let page = browsed.await.unwrap();
            pages += 1;
            for item in page.items {
                if let Some(address) = &item.address {
                    wanted.retain(|point| !covers(address, point));
                }
                if item.expandable && seen.insert(item.at.clone()) {
                    places.push_back(Some(item.at));
                }
            }
            if let Some(next) = page.next {
                places.push_back(Some(next));
            }
        }
        assert!(wanted.is_empty(), "browsing {pages} pages did not show {wanted:?}");
        self.ran.push("browse");
    }

    async fn subscribes_and_survives_a_kill(&mut self) {
        let bench = self.bench();
        bench.apply(self.spec(1)).await;
        self.until_all_values(&bench, 1).await;
        bench.until_state(1, State::Online).await;
        assert!(!self.change_values().is_empty());
        self.until_all_values(&bench, 1).await;
        self.ran.push("subscribe");

        self.peer.kill();
        bench.until_state(1, State::BackingOff).await;
        assert!(!bench.reason(1).is_empty());
        let points = self.peer.points.len();
        bench.until("all points lost", |b| (0..points).all(|i| b.value(1, i).is_none())).await;
        self.peer.restart();
        bench.until_state(1, State::Online).await;
        self.until_all_values(&bench, 1).await;
        for point in 0..points {
            let course = bench.course(1, point);
            let lost = course.iter().filter(|quality| quality.is_bad()).count();
            assert_eq!(lost, 1, "a loss is told once: {course:?}");
        }
        assert!(bench.status(1).counters.reconnects >= 1);
        bench.supervisor.shutdown().await;
        self.ran.push("killed and restarted");
    }

    async fn stores_and_forwards(&mut self) {
        let bench = self.bench();
        bench.apply(self.spec(1)).await;
        self.until_all_values(&bench, 1).await;
        bench.refuse(true);
        let changed = self.change_values();
        bench.until("samples in the spool", |b| b.supervisor.delivery().spooled_samples > 0).await;
        bench.refuse(false);
        self.until_all_values(&bench, 1).await;
        bench.until("an empty spool", |b| b.supervisor.delivery().spooled_samples == 0).await;
        assert_eq!(bench.status(1).counters.dropped, 0);
        for point in changed {
            let times: Vec<_> = bench.samples(1, point).iter().map(|s| s.time).collect();
            assert!(times.is_sorted(), "samples of point {point} overtook each other");
        }
        bench.supervisor.shutdown().await;
        self.ran.push("store and forward");
    }

    async fn writes(&mut self) {
        let writable = self.peer.writable();
        if !self.driver.abilities().write || writable.is_empty() {
            return;
        }
        let bench = self.bench();
        bench.apply(self.spec(1)).await;
        bench.until_state(1, State::Online).await;
        for point in writable {
            let Some(value) = self.peer.other(point) else { continue };
            let report = bench.write(1, point, value.clone()).await.unwrap();
            assert!(report.verified, "point {point}: {report:?}");
            let there = self.peer.get(point);
            assert!(same(&there, &value.to_json()), "point {point}: {there}, not {value:?}");
            self.peer.points[point]["value"] = there;
        }
        self.until_all_values(&bench, 1).await;
        let read_only = (0..self.peer.points.len()).find(|i| !self.peer.writable().contains(i));
        if let Some(point) = read_only {
            let error = bench.write(1, point, Value::F64(1.0)).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotWritable);
        }
        assert_eq!(bench.status(1).counters.reconnects, 0);
        bench.supervisor.shutdown().await;
        self.ran.push("write");
    }

    async fn notices_silence(&mut self) {
        if !self.peer.knows("silent") {
            return;
        }
        let bench = self.bench();
        bench.apply(impatient(self.spec(1))).await;
        bench.until_state(1, State::Online).await;
        self.peer.mode("silent");
        bench.until_state(1, State::BackingOff).await;
        bench.until("quality", |b| b.last(1, 0).is_some_and(|s| s.quality.is_bad())).await;
        self.peer.mode("normal");
        bench.until_state(1, State::Online).await;
        self.until_all_values(&bench, 1).await;
        bench.supervisor.shutdown().await;
        self.ran.push("silent");
    }

    /// S2: what one point says wrongly costs no other its value.
    async fn bears_lies(&mut self) {
        if !self.peer.knows("lie") {
            return;
        }
        self.peer.mode("lie");
        let bench = self.bench();
        bench.apply(self.spec(1)).await;
        for point in 1..self.peer.points.len() {
            let expected = self.expected(point);
            bench
                .until("the honest points", |b| {
                    b.value(1, point).is_some_and(|v| same(&v, &expected))
                })
                .await;
        }
        bench.until_state(1, State::Degraded).await;
        assert!(bench.value(1, 0).is_none());
        self.peer.mode("normal");
        bench.until_state(1, State::Online).await;
        bench.supervisor.shutdown().await;
        self.ran.push("lies");
    }

    /// A clock that is an hour ahead must cost no sample: the historian takes none from the future.
    async fn bears_another_clock(&mut self) {
        if !self.peer.knows("clock") {
            return;
        }
        self.peer.mode("clock");
        let bench = self.bench();
        bench.apply(self.spec(1)).await;
        self.until_all_values(&bench, 1).await;
        self.change_values();
        self.until_all_values(&bench, 1).await;
        assert_eq!(bench.status(1).counters.dropped, 0);
        self.peer.mode("normal");
        bench.supervisor.shutdown().await;
        self.ran.push("clock");
    }

    async fn bears_a_flood(&mut self) {
        if !self.peer.knows("flood") {
            return;
        }
        let bench = self.bench();
        bench.apply(self.spec(1)).await;
        bench.until_state(1, State::Online).await;
        let before = bench.samples(1, 0).len();
        self.peer.mode("flood");
        bench.until("the flood", |b| b.samples(1, 0).len() >= before + 20).await;
        self.peer.mode("normal");
        self.change_values();
        self.until_all_values(&bench, 1).await;
        assert_eq!(bench.status(1).counters.reconnects, 0);
        bench.supervisor.shutdown().await;
        self.ran.push("flood");
    }

    /// V4: a device added, changed and removed is not noticed by the others.
    async fn leaves_the_others_alone(&mut self) {
        let bench = self.bench();
        for n in 1..=OTHERS {
            bench.apply(self.spec(n)).await;
        }
        for n in 1..=OTHERS {
            bench.until_state(n, State::Online).await;
        }
        let since: Vec<_> = (1..=OTHERS).map(|n| bench.status(n).since).collect();
        bench.apply(self.spec(OTHERS + 1)).await;
        bench.until_state(OTHERS + 1, State::Online).await;
        let mut changed = self.spec(OTHERS + 1);
        changed.points.truncate(1);
        bench.apply(changed).await;
        bench.until_state(OTHERS + 1, State::Online).await;
        assert!(bench.supervisor.remove(TENANT, &device_id(OTHERS + 1)).await);
        self.change_values();
        for n in 1..=OTHERS {
            self.until_all_values(&bench, n).await;
            let status = bench.status(n);
            assert_eq!((status.counters.reconnects, status.counters.errors), (0, 0), "{status:?}");
            assert_eq!(status.since, since[n as usize - 1]);
        }
        bench.supervisor.shutdown().await;
        self.ran.push("one of many");
    }

    /// A certificate that nobody has reviewed is shown and refused; reviewed, it is taken.
    async fn reviews_certificates(&mut self) {
        let trusted = self.peer.settings["trusted"].as_array().is_some_and(|t| !t.is_empty());
        if !trusted {
            return;
        }
        let bench = self.bench();
        let mut stranger = self.spec(1);
        stranger.settings["trusted"] = json!([]);
        let error = bench.supervisor.test(&stranger).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Untrusted, "{error}");
        let shown = error.certificate.unwrap();
        let trusted = self.peer.settings["trusted"].as_array().unwrap();
        assert!(trusted.contains(&json!(shown.thumbprint)), "{shown:?}");
        bench.apply(stranger).await;
        bench.until("the certificate", |b| b.status(1).certificate.is_some()).await;
        let lost = Some(Quality::NO_COMMUNICATION);
        bench.until("the loss", |b| b.last(1, 0).map(|sample| sample.quality) == lost).await;
        bench.apply(self.spec(1)).await;
        bench.until_state(1, State::Online).await;
        assert_eq!(bench.status(1).certificate, None);
        bench.supervisor.shutdown().await;
        self.ran.push("certificate");
    }
}

/// Whether two values are the same, however their numbers are written.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

/// Whether a browsed address is a point's: all that it says, the point says too.
fn covers(browsed: &Json, point: &Json) -> bool {
    let Some(browsed) = browsed.as_object() else { return browsed == point };
    browsed.iter().all(|(key, value)| value.is_null() || point.get(key) == Some(value))
}
