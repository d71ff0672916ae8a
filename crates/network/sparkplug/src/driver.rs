//! The driver: what Sparkplug B is to the supervisor.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use weir_connect::{
    Abilities, BrowsePage, Circumstances, DeviceSpec, Discovered, Driver, DriverError, ErrorKind,
    Session,
};
use weir_model::{FieldError, TenantId};
use weir_mqtt::Inside;

use crate::session::SparkplugSession;
use crate::settings::Settings;
use crate::{PointAddress, browse, describe, discover};

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// Sparkplug B, by brokers in the network and by our own.
#[derive(Debug, Clone, Default)]
pub struct SparkplugDriver {
    inside: Option<Inside>,
}

impl SparkplugDriver {
    /// The driver of a node without a broker of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The driver of a node with a broker of its own.
    pub fn with_inside(inside: Inside) -> Self {
        Self { inside: Some(inside) }
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
    }
    if errors.is_empty() { Ok((settings, addresses)) } else { Err(errors) }
}

#[async_trait]
impl Driver for SparkplugDriver {
    fn protocol(&self) -> &'static str {
        "sparkplug"
    }

    fn describe(&self) -> Json {
        describe::schema()
    }

    fn abilities(&self) -> Abilities {
        Abilities { discover: true, browse: true, write: true, call: false }
    }

    fn within(&self, tenant: TenantId) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(Self::with_inside(self.inside.as_ref()?.within(tenant))))
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        parse(spec).map(|_| ())
    }

    async fn discover(&self, settings: &Json) -> Result<Vec<Discovered>, DriverError> {
        let known =
            Settings::incomplete(settings).map_err(|errors| wrong_fields("sparkplug", &errors))?;
        discover::edge_nodes(&known, settings, self.inside.as_ref()).await
    }

    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let settings =
            Settings::parse(settings).map_err(|errors| wrong_fields("sparkplug", &errors))?;
        browse::page(&settings, self.inside.as_ref(), at).await
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        let (settings, addresses) =
            parse(&spec).map_err(|errors| wrong_fields(&spec.label(), &errors))?;
        let inside = self.inside.clone();
        let session =
            SparkplugSession::connect(spec, circumstances.clock, settings, addresses, inside)
                .await?;
        Ok(Box::new(session))
    }
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}
