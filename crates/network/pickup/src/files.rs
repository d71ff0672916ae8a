//! CSV files in a folder: the driver `csv`.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use weir_connect::{
    Abilities, BrowsePage, Circumstances, DeviceSpec, Discovered, Driver, DriverError, ErrorKind,
    Session,
};
use weir_model::FieldError;

use crate::memory::Memory;
use crate::table::PointAddress;

mod browse;
mod chunk;
pub(crate) mod describe;
mod folder;
mod records;
mod session;
mod settings;

use session::FilesSession;
use settings::Settings;

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// The longest that a folder may take to be looked at: those on the network may hang.
pub(crate) const FOLDER_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(20);

/// CSV files in the folders that the node allows.
#[derive(Debug, Clone)]
pub struct CsvPickup {
    allowed: Arc<Vec<PathBuf>>,
    state: PathBuf,
}

/// What a session reads by, shared with the threads that do the reading.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) allowed: Arc<Vec<PathBuf>>,
    pub(crate) addresses: Vec<PointAddress>,
    pub(crate) types: Vec<weir_model::DataType>,
}

impl CsvPickup {
    /// A driver that reads folders below some roots, none where there are none, and remembers how far it
    /// came in the folder `state`, which it makes when it first needs it.
    pub fn new(allowed_roots: Vec<PathBuf>, state: PathBuf) -> Self {
        Self { allowed: Arc::new(allowed_roots), state }
    }

    fn settings(&self, json: &Json) -> Result<Settings, Vec<FieldError>> {
        let settings = Settings::parse(json)?;
        let mut errors = Vec::new();
        let mut check = |field: &str, folder: &PathBuf| {
            if let Err(detail) = folder::below(folder, &self.allowed) {
                errors.push(FieldError { field: format!("/settings/{field}"), detail });
            }
        };
        check("folder", &settings.folder);
        if let settings::After::Move(done) = &settings.after {
            check("done_folder", done);
        }
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// Settings and the points' addresses, or each wrong field.
    fn plan(&self, spec: &DeviceSpec) -> Result<Plan, Vec<FieldError>> {
        let settings = self.settings(&spec.settings)?;
        let mut errors = Vec::new();
        let mut addresses = Vec::with_capacity(spec.points.len());
        for (index, point) in spec.points.iter().enumerate() {
            if errors.len() >= ERRORS_TOLD_MAX {
                break;
            }
            let pointer = format!("/points/{index}/address");
            let address = PointAddress::parse(&point.address, &pointer, &mut errors);
            if let Some(address) = &address {
                let columns = address.conditions.iter().map(|(column, _)| column);
                let mut all = std::iter::once(&address.column).chain(columns);
                if !settings.header && all.any(|column| column.find(None).is_none()) {
                    let detail = "without a header row columns have numbers, counted from 1";
                    errors.push(FieldError { field: pointer, detail: detail.to_owned() });
                }
            }
            addresses.extend(address);
            if point.write.is_some() {
                let detail = "files are only read; a point cannot be written".to_owned();
                errors.push(FieldError { field: format!("/points/{index}/write"), detail });
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let types = spec.points.iter().map(|point| point.data_type).collect();
        Ok(Plan { settings, allowed: Arc::clone(&self.allowed), addresses, types })
    }
}

#[async_trait]
impl Driver for CsvPickup {
    fn protocol(&self) -> &'static str {
        "csv"
    }

    fn describe(&self) -> Json {
        describe::schema()
    }

    fn abilities(&self) -> Abilities {
        Abilities { discover: true, browse: true, ..Abilities::default() }
    }

    fn check(&self, spec: &DeviceSpec) -> Result<(), Vec<FieldError>> {
        self.plan(spec).map(|_| ())
    }

    async fn discover(&self, settings: &Json) -> Result<Vec<Discovered>, DriverError> {
        let (allowed, settings) = (Arc::clone(&self.allowed), settings.clone());
        off_thread("csv", "", move || browse::discover(&allowed, &settings)).await
    }

    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let settings = self.settings(settings).map_err(|e| wrong_fields("csv", &e))?;
        let plan = Plan {
            settings,
            allowed: Arc::clone(&self.allowed),
            addresses: Vec::new(),
            types: Vec::new(),
        };
        let place = plan.settings.folder.display().to_string();
        let skip = at.and_then(|at| at.parse().ok()).unwrap_or(0);
        off_thread("csv", &place, move || browse::browse(&plan, skip)).await
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        let plan = self.plan(&spec).map_err(|e| wrong_fields(&spec.label(), &e))?;
        let memory = Memory::new(&self.state, "csv", &spec);
        Ok(Box::new(FilesSession::connect(spec, circumstances, plan, memory).await?))
    }
}

/// Does something with files off the threads of the runtime, for a bounded time.
pub(crate) async fn off_thread<T: Send + 'static>(
    device: &str,
    place: &str,
    work: impl FnOnce() -> Result<T, (ErrorKind, String)> + Send + 'static,
) -> Result<T, DriverError> {
    let (kind, cause) = match timeout(FOLDER_TIME_MAX, spawn_blocking(work)).await {
        Ok(Ok(Ok(done))) => return Ok(done),
        Ok(Ok(Err(error))) => error,
        Ok(Err(_)) => (ErrorKind::Disconnected, "the work on the files was stopped".to_owned()),
        Err(_) => {
            let seconds = FOLDER_TIME_MAX.as_secs();
            let cause = format!(
                "the folder does not answer within {seconds} s; is it on a network that is down?"
            );
            (ErrorKind::Timeout, cause)
        }
    };
    Err(DriverError::new(kind, device, place, cause))
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}
