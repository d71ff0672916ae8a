//! The driver: what S7 is to the supervisor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use weir_connect::dial::Lookups;
use weir_connect::{
    Abilities, BrowsePage, Circumstances, DeviceSpec, Discovered, Driver, DriverError, ErrorKind,
    Session,
};
use weir_model::{DataType, FieldError};

use crate::client::Client;
use crate::identify::Identity;
use crate::session::S7Session;
use crate::{PointAddress, RawType, Settings, browse, describe};

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// Racks and slots where a CPU usually is: S7-1200 and S7-1500, S7-300, S7-400.
const USUAL_PLACES: [(u8, u8); 4] = [(0, 1), (0, 2), (0, 3), (0, 0)];

/// After this time no further place is looked at, and at each of them an answer is waited for no longer than
/// this: searching ends within the half minute that it may take.
const DISCOVER_TIME_MAX: Duration = Duration::from_secs(10);
const DISCOVER_ANSWER_TIME_MAX: Duration = Duration::from_secs(3);

/// Siemens S7 over TCP.
#[derive(Debug, Clone, Default)]
pub struct S7Driver {
    lookups: Lookups,
}

impl S7Driver {
    /// The driver.
    pub fn new() -> Self {
        Self::default()
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
        let Some(address) = PointAddress::parse(&point.address, &pointer, &mut errors) else {
            continue;
        };
        let mut wrong = |field: &str, detail: String| {
            errors.push(FieldError { field: format!("/points/{index}/{field}"), detail });
        };
        if let Some(detail) = mismatch(address.raw_type, point.data_type) {
            wrong("data_type", detail);
        }
        if point.write.is_some() && !address.area.is_writable() {
            wrong("write", "this area can only be read".to_owned());
        }
        addresses.push(address);
    }
    if errors.is_empty() { Ok((settings, addresses)) } else { Err(errors) }
}

/// Why a tag of a type cannot hold what stands at an address.
fn mismatch(raw_type: RawType, data_type: DataType) -> Option<String> {
    let name = raw_type.as_str();
    match (raw_type.is_text(), data_type) {
        (true, DataType::Text) => None,
        (true, _) => Some(format!("a {name} is a text; the tag's type is text then")),
        (false, DataType::Text | DataType::Array) => {
            Some(format!("a {name} is a number or truth value, which such a tag cannot hold"))
        }
        (false, _) => None,
    }
}

#[async_trait]
impl Driver for S7Driver {
    fn protocol(&self) -> &'static str {
        "s7"
    }

    fn describe(&self) -> Json {
        describe::schema()
    }

    fn abilities(&self) -> Abilities {
        Abilities { discover: true, browse: true, write: true, call: false }
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        parse(spec).map(|_| ())
    }

    async fn discover(&self, settings: &Json) -> Result<Vec<Discovered>, DriverError> {
        let given = Settings::parse(settings).map_err(|errors| wrong_fields("s7", &errors))?;
        let mut found: Vec<(Discovered, Identity)> = Vec::new();
        let mut first_error = None;
        let started = Instant::now();
        for candidate in candidates(&given) {
            if started.elapsed() > DISCOVER_TIME_MAX {
                break;
            }
            let mut client = Client::new(candidate.clone(), self.lookups.clone());
            if let Err(error) = client.connect().await {
                let (kind, cause) = error.told();
                let error = DriverError::new(kind, candidate.place(), "", cause);
                first_error.get_or_insert(error);
                continue;
            }
            let identity = Identity::of(&mut client).await;
            // Some CPUs answer whatever slot they are asked for.
            let is_known = found.iter().any(|(_, known)| *known == identity);
            if !is_known {
                found.push((discovered(settings, &candidate, &identity), identity));
            }
        }
        match first_error {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found.into_iter().map(|(discovered, _)| discovered).collect()),
        }
    }

    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let settings = Settings::parse(settings).map_err(|errors| wrong_fields("s7", &errors))?;
        let client = Client::new(settings.clone(), self.lookups.clone());
        browse::browse(client, &settings, at).await
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        let (settings, addresses) =
            parse(&spec).map_err(|errors| wrong_fields(&spec.label(), &errors))?;
        let lookups = self.lookups.clone();
        let session = S7Session::connect(spec, circumstances, settings, addresses, lookups).await?;
        Ok(Box::new(session))
    }
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}

/// What is given first, then where a CPU usually is; only what is given where it names a transport selector.
fn candidates(given: &Settings) -> Vec<Settings> {
    let timeout = given.timeout.min(DISCOVER_ANSWER_TIME_MAX);
    let given = Settings { timeout, ..given.clone() };
    let mut candidates = vec![given.clone()];
    if given.remote_tsap.is_none() {
        let others = USUAL_PLACES.into_iter().filter(|place| *place != (given.rack, given.slot));
        candidates.extend(others.map(|(rack, slot)| Settings { rack, slot, ..given.clone() }));
    }
    candidates
}

fn discovered(settings: &Json, candidate: &Settings, identity: &Identity) -> Discovered {
    let mut settings = settings.clone();
    let place = match candidate.remote_tsap {
        Some(_) => "the given TSAP".to_owned(),
        None => {
            settings["rack"] = json!(candidate.rack);
            settings["slot"] = json!(candidate.slot);
            format!("rack {}, slot {}", candidate.rack, candidate.slot)
        }
    };
    let name = match identity.name() {
        name if name.is_empty() => place,
        name => format!("{name} ({place})"),
    };
    Discovered { name, detail: identity.detail(), settings, certificate: None }
}

#[cfg(test)]
mod tests;
