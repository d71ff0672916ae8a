//! The driver: what lines are to the supervisor.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use weir_connect::dial::Lookups;
use weir_connect::{Abilities, Circumstances, DeviceSpec, Driver, DriverError, ErrorKind, Session};
use weir_model::FieldError;

use crate::address::Patterns;
use crate::session::{LineSession, mismatch};
use crate::{Mode, PointAddress, Settings, describe};

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// Most different regular expressions of one device: each is tried on each line, and takes up to half a
/// mebibyte.
pub const PATTERNS_MAX: usize = 200;

/// Events over TCP lines.
#[derive(Debug, Clone, Default)]
pub struct LineDriver {
    lookups: Lookups,
}

impl LineDriver {
    /// The driver.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Settings and the points' addresses, or each wrong field.
fn parse(spec: &DeviceSpec) -> Result<(Settings, Vec<PointAddress>), Vec<FieldError>> {
    let settings = Settings::parse(&spec.settings)?;
    let is_listening = matches!(settings.mode, Mode::Listen { .. });
    let mut errors = Vec::new();
    let mut patterns = Patterns::new();
    let mut addresses = Vec::with_capacity(spec.points.len());
    for (index, point) in spec.points.iter().enumerate() {
        if errors.len() >= ERRORS_TOLD_MAX || patterns.len() > PATTERNS_MAX {
            break;
        }
        let pointer = format!("/points/{index}/address");
        let address = PointAddress::parse(&point.address, &pointer, &mut patterns, &mut errors);
        let Some(address) = address else { continue };
        let mut wrong = |field: &str, detail: &str| {
            let field = format!("/points/{index}/{field}");
            errors.push(FieldError { field, detail: detail.to_owned() });
        };
        if let Some(detail) = mismatch(point.data_type) {
            wrong("data_type", detail);
        }
        match (address.is_command(), point.write.is_some()) {
            (true, _) if is_listening => {
                wrong("address/format", "lines are sent only where Weir connects to the device");
            }
            (false, true) => wrong("write", "only points with the format command are sent"),
            _ => {}
        }
        if address.source.is_some() && !is_listening {
            wrong("address/source", "this matters only where Weir listens");
        }
        if patterns.len() > PATTERNS_MAX {
            let detail = format!("a device has at most {PATTERNS_MAX} different patterns");
            wrong("address/pattern", &detail);
        }
        addresses.push(address);
    }
    if errors.is_empty() { Ok((settings, addresses)) } else { Err(errors) }
}

#[async_trait]
impl Driver for LineDriver {
    fn protocol(&self) -> &'static str {
        "line"
    }

    fn describe(&self) -> Json {
        describe::schema()
    }

    fn abilities(&self) -> Abilities {
        Abilities { write: true, ..Abilities::default() }
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        parse(spec).map(|_| ())
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        let (settings, addresses) =
            parse(&spec).map_err(|errors| wrong_fields(&spec.label(), &errors))?;
        let session =
            LineSession::connect(spec, circumstances, settings, addresses, &self.lookups).await?;
        Ok(Box::new(session))
    }
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}

#[cfg(test)]
mod tests;
