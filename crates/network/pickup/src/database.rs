//! Rows of a PostgreSQL query: the driver `sql`.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use weir_connect::dial::Lookups;
use weir_connect::{
    Abilities, BrowsePage, Circumstances, DeviceSpec, Discovered, Driver, DriverError, ErrorKind,
    Session,
};
use weir_model::FieldError;

use crate::memory::Memory;
use crate::table::PointAddress;

mod browse;
mod connection;
mod describe;
mod query;
mod session;
mod settings;

use session::SqlSession;
use settings::{Server, Settings};

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// Queries to PostgreSQL.
#[derive(Debug, Clone)]
pub struct SqlPickup {
    state: PathBuf,
    lookups: Lookups,
}

impl SqlPickup {
    /// A driver that remembers how far it came in the folder `state`, which it makes when it first needs it.
    pub fn new(state: PathBuf) -> Self {
        Self { state, lookups: Lookups::default() }
    }
}

/// Settings and the points' addresses, or each wrong field.
fn parse(spec: &DeviceSpec) -> Result<(Settings, Vec<PointAddress>), Vec<FieldError>> {
    let settings = Settings::parse(&spec.settings)?;
    let mut errors = Vec::new();
    let mut addresses = Vec::with_capacity(spec.points.len());
    for (index, point) in spec.points.iter().enumerate() {
        if errors.len() >= ERRORS_TOLD_MAX {
            break;
        }
        let pointer = format!("/points/{index}/address");
        addresses.extend(PointAddress::parse(&point.address, &pointer, &mut errors));
        if point.write.is_some() {
            let detail = "the query only reads; a point cannot be written".to_owned();
            errors.push(FieldError { field: format!("/points/{index}/write"), detail });
        }
    }
    if errors.is_empty() { Ok((settings, addresses)) } else { Err(errors) }
}

#[async_trait]
impl Driver for SqlPickup {
    fn protocol(&self) -> &'static str {
        "sql"
    }

    fn describe(&self) -> Json {
        describe::schema()
    }

    fn abilities(&self) -> Abilities {
        Abilities { discover: true, browse: true, ..Abilities::default() }
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        parse(spec).map(|_| ())
    }

    async fn discover(&self, settings: &Json) -> Result<Vec<Discovered>, DriverError> {
        let server = Server::parse(settings).map_err(|errors| wrong_fields("sql", &errors))?;
        browse::discover(&server, &self.lookups, settings).await
    }

    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let server = Server::parse(settings).map_err(|errors| wrong_fields("sql", &errors))?;
        let query = Settings::parse(settings).ok();
        browse::browse(&server, query.as_ref(), &self.lookups, at).await
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        let (settings, addresses) = parse(&spec).map_err(|e| wrong_fields(&spec.label(), &e))?;
        let memory = Memory::new(&self.state, "sql", &spec);
        let session =
            SqlSession::connect(spec, circumstances, settings, addresses, memory, &self.lookups);
        Ok(Box::new(session.await?))
    }
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}
