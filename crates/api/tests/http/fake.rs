//! A machine in memory: registers by name, which tests read and change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use weir_connect::{
    BrowseItem, BrowsePage, Circumstances, Clock, Collected, DeviceSpec, Driver, DriverError,
    ErrorKind, RawWrite, Reading, Session,
};
use weir_model::{FieldError, Value};

pub(crate) type Registers = Arc<Mutex<BTreeMap<String, f64>>>;

pub(crate) struct FakeDriver(pub(crate) Registers);

struct FakeSession {
    registers: Registers,
    spec: Arc<DeviceSpec>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Driver for FakeDriver {
    fn protocol(&self) -> &'static str {
        "fake"
    }

    fn describe(&self) -> Json {
        json!({
            "settings": {"properties": {"password": {"x-secret": true}}},
            "address": {},
        })
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        let password = &spec.settings["password"];
        if !(password.is_null() || password.is_string()) {
            let detail = "a driver sees secrets, not markers".to_owned();
            return Err(vec![FieldError { field: "/settings/password".into(), detail }]);
        }
        let wrong = spec.points.iter().enumerate().filter(|(_, point)| !point.address.is_string());
        let errors: Vec<_> = wrong
            .map(|(number, _)| FieldError {
                field: format!("/points/{number}/address"),
                detail: "an address is a name".into(),
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    async fn browse(&self, _: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let name = at.unwrap_or("first").to_owned();
        let next = at.is_none().then(|| "second".to_owned());
        Ok(BrowsePage { items: vec![BrowseItem { name, ..Default::default() }], next })
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        if spec.settings["host"] == "nowhere" {
            return Err(DriverError::new(
                ErrorKind::Unreachable,
                &spec.name,
                "nowhere",
                "no route",
            ));
        }
        let clock = circumstances.clock;
        Ok(Box::new(FakeSession { registers: self.0.clone(), spec, clock }))
    }
}

impl FakeSession {
    fn register(&self, point: usize) -> &str {
        self.spec.points[point].address.as_str().unwrap()
    }
}

#[async_trait]
impl Session for FakeSession {
    fn peer(&self) -> String {
        "memory".into()
    }

    async fn due(&mut self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    async fn collect(&mut self) -> Result<Collected, DriverError> {
        let all: Vec<usize> = (0..self.spec.points.len()).collect();
        let readings = self.read(&all).await?;
        Ok(Collected { readings, requests: 1, ..Collected::default() })
    }

    async fn read(&mut self, points: &[usize]) -> Result<Vec<Reading>, DriverError> {
        let now = self.clock.now();
        let registers = self.registers.lock().unwrap();
        let read = |point: &usize| {
            let value = registers.get(self.register(*point)).copied().unwrap_or(0.0);
            Reading::good(*point, now, Value::F64(value))
        };
        Ok(points.iter().map(read).collect())
    }

    async fn write(&mut self, point: usize, raw: &Value) -> Result<RawWrite, DriverError> {
        let mut registers = self.registers.lock().unwrap();
        let name = self.register(point).to_owned();
        if name == "broken" {
            let cause = "it said no";
            return Err(DriverError::new(ErrorKind::Rejected, &self.spec.name, name, cause));
        }
        let before = registers.insert(name, raw.as_f64().unwrap());
        Ok(RawWrite {
            before: before.map(Value::F64),
            after: Some(raw.clone()),
            verified: true,
            requests: 3,
        })
    }
}
