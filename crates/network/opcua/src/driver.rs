//! The driver: what OPC UA is to the supervisor.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use weir_connect::{
    Abilities, BrowsePage, Circumstances, DeviceSpec, Discovered, Driver, DriverError, ErrorKind,
    Session, SystemClock,
};
use weir_model::FieldError;

use crate::browse::{self, Place};
use crate::identity::Identities;
use crate::link::Link;
use crate::session::OpcUaSession;
use crate::settings::Search;
use crate::status::Failure;
use crate::{PointAddress, Settings, describe, endpoints};

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// OPC UA over TCP.
#[derive(Debug)]
pub struct OpcUaDriver {
    identities: Identities,
}

impl OpcUaDriver {
    /// The driver. Weir's own certificate and private key are made below the folder when a server is first spoken to with a
    /// security policy, and then kept.
    pub fn new(pki_dir: PathBuf) -> Self {
        // The library looks below a folder of its own for what a relative path names.
        let pki_dir = std::path::absolute(&pki_dir).unwrap_or(pki_dir);
        Self { identities: Identities::new(pki_dir) }
    }

    /// Where Weir's own certificate is or will be, for people who must trust it on a server.
    pub fn certificate_path(&self) -> PathBuf {
        self.identities.certificate_path()
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
        let address =
            PointAddress::parse(&point.address, &format!("/points/{index}/address"), &mut errors);
        let Some(address) = address else { continue };
        if point.write.is_some() && !address.is_writable() {
            let detail = "a field of a structure, or an attribute, can only be read".to_owned();
            errors.push(FieldError { field: format!("/points/{index}/write"), detail });
        }
        addresses.push(address);
    }
    if errors.is_empty() { Ok((settings, addresses)) } else { Err(errors) }
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}

#[async_trait]
impl Driver for OpcUaDriver {
    fn protocol(&self) -> &'static str {
        "opcua"
    }

    fn describe(&self) -> Json {
        describe::schema()
    }

    fn abilities(&self) -> Abilities {
        Abilities { discover: true, browse: true, write: true, call: true }
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        parse(spec).map(|_| ())
    }

    async fn discover(&self, settings: &Json) -> Result<Vec<Discovered>, DriverError> {
        let search = Search::parse(settings).map_err(|errors| wrong_fields("opcua", &errors))?;
        let failed = |Failure { kind, cause, .. }| {
            DriverError::new(kind, "opcua", search.url.to_string(), cause)
        };
        let store = self.identities.keyless();
        let found = endpoints::list(&search.url, search.timeout, store).await.map_err(failed)?;
        let offered = endpoints::discovered(&found, &search.url, settings);
        if offered.is_empty() {
            let cause = "the server offers no endpoint with a security policy that is known here";
            return Err(failed(Failure::new(ErrorKind::Unsupported, cause)));
        }
        Ok(offered)
    }

    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let settings =
            Settings::parse(settings).map_err(|errors| wrong_fields("opcua", &errors))?;
        let failed = |Failure { kind, cause, .. }| {
            DriverError::new(kind, "opcua", settings.url.to_string(), cause)
        };
        let place = Place::parse(at)
            .map_err(|cause| failed(Failure::new(ErrorKind::Misconfigured, cause)))?;
        let opened = Link::open(&settings, &self.identities, Arc::new(SystemClock)).await;
        let link = opened.map_err(|refused| refused.told("opcua", &settings))?;
        browse::page(&link, &place).await.map_err(failed)
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        let (settings, addresses) =
            parse(&spec).map_err(|errors| wrong_fields(&spec.label(), &errors))?;
        let session =
            OpcUaSession::connect(spec, circumstances, settings, addresses, &self.identities)
                .await?;
        Ok(Box::new(session))
    }
}
