//! The driver: what MQTT is to the supervisor.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use weir_connect::{
    Abilities, BrowsePage, Circumstances, DeviceSpec, Discovered, Driver, DriverError, ErrorKind,
    Session,
};
use weir_model::{FieldError, TenantId};

use crate::link::Inside;
use crate::session::MqttSession;
use crate::settings::Settings;
use crate::{PointAddress, browse, describe, discover, topic};

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// MQTT, by brokers in the network and by our own.
#[derive(Debug, Clone, Default)]
pub struct MqttDriver {
    inside: Option<Inside>,
}

impl MqttDriver {
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
        let address = PointAddress::parse(&point.address, &pointer, &mut errors);
        let Some(address) = address else { continue };
        let mut wrong = |field: &str, detail: &str| {
            let field = format!("/points/{index}/{field}");
            errors.push(FieldError { field, detail: detail.to_owned() });
        };
        if let Err(detail) = address.fits(point.data_type) {
            wrong("data_type", detail);
        }
        if point.write.is_some() && address.write.is_none() {
            wrong("write", "its address has no write_topic");
        }
        let covers = |filter: &String| topic::matches(topic::unshared(filter), &address.topic);
        if !settings.topics.is_empty() && !settings.topics.iter().any(covers) {
            wrong("address/topic", "none of the device's subscriptions covers this topic");
        }
        addresses.push(address);
    }
    if errors.is_empty() { Ok((settings, addresses)) } else { Err(errors) }
}

#[async_trait]
impl Driver for MqttDriver {
    fn protocol(&self) -> &'static str {
        "mqtt"
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
        discover::reachable(settings).await
    }

    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let settings = Settings::parse(settings).map_err(|errors| wrong_fields("mqtt", &errors))?;
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
            MqttSession::connect(spec, circumstances, settings, addresses, inside).await?;
        Ok(Box::new(session))
    }
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}
