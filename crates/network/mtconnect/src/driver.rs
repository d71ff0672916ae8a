//! The driver: what MTConnect is to the supervisor.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use weir_connect::dial::Lookups;
use weir_connect::{
    Abilities, BrowsePage, Circumstances, DeviceSpec, Discovered, Driver, DriverError, ErrorKind,
    Session,
};
use weir_model::FieldError;

use crate::agent::Agent;
use crate::session::AgentSession;
use crate::{PointAddress, Settings, browse, describe};

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// MTConnect agents.
#[derive(Debug, Clone, Default)]
pub struct MtconnectDriver {
    lookups: Lookups,
}

impl MtconnectDriver {
    /// The driver.
    pub fn new() -> Self {
        Self::default()
    }

    fn agent(&self, settings: &Json) -> Result<Agent, DriverError> {
        let settings = Settings::parse(settings).map_err(|e| wrong_fields("mtconnect", &e))?;
        Ok(Agent::new(Arc::new(settings), self.lookups.clone()))
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
            let detail =
                "the MTConnect standard has no writes; a point can only be read".to_owned();
            errors.push(FieldError { field: format!("/points/{index}/write"), detail });
        }
    }
    if errors.is_empty() { Ok((settings, addresses)) } else { Err(errors) }
}

#[async_trait]
impl Driver for MtconnectDriver {
    fn protocol(&self) -> &'static str {
        "mtconnect"
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
        browse::discover(self.agent(settings)?, settings).await
    }

    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        browse::browse(self.agent(settings)?, at).await
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        let (settings, addresses) = parse(&spec).map_err(|e| wrong_fields(&spec.label(), &e))?;
        let lookups = self.lookups.clone();
        let session = AgentSession::connect(spec, circumstances, settings, addresses, lookups);
        Ok(Box::new(session.await?))
    }
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}
