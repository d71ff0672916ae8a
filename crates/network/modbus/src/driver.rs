//! The driver: what Modbus is to the supervisor.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use weir_connect::dial::Lookups;
use weir_connect::{
    Abilities, BrowseItem, BrowsePage, Circumstances, DeviceSpec, Discovered, Driver, DriverError,
    ErrorKind, Session,
};
use weir_model::{DataType, FieldError, Value};

use crate::client::{CallError, Client, Data};
use crate::exception::exception_text;
use crate::session::ModbusSession;
use crate::{PointAddress, Settings, Table, describe, discover};

/// How many addresses one browse looks at: a device has no directory, so each is asked for.
const BROWSE_ADDRESSES: u16 = 64;

/// Most requests of one browse. Halving 64 addresses whose every other one is missing takes 127.
const BROWSE_REQUESTS_MAX: u32 = 128;

/// Most wrong fields that are told.
const ERRORS_TOLD_MAX: usize = 100;

/// Modbus over TCP.
#[derive(Debug, Clone, Default)]
pub struct ModbusDriver {
    lookups: Lookups,
}

impl ModbusDriver {
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
        let address = PointAddress::parse(&point.address, &settings, &pointer, &mut errors);
        let mut wrong = |field: &str, detail: &str| {
            let field = format!("/points/{index}/{field}");
            errors.push(FieldError { field, detail: detail.to_owned() });
        };
        if matches!(point.data_type, DataType::Text | DataType::Array) {
            wrong("data_type", "a Modbus point is a number, a truth value or an enumeration");
        }
        if let Some(address) = address {
            if point.write.is_some() && !address.table.is_writable() {
                wrong("write", "this table can only be read");
            }
            addresses.push(address);
        }
    }
    if errors.is_empty() { Ok((settings, addresses)) } else { Err(errors) }
}

#[async_trait]
impl Driver for ModbusDriver {
    fn protocol(&self) -> &'static str {
        "modbus"
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

    async fn discover(&self, given: &Json) -> Result<Vec<Discovered>, DriverError> {
        let settings = Settings::parse(given).map_err(|errors| wrong_fields("modbus", &errors))?;
        discover::units(&settings, given, self.lookups.clone(), discover::SEARCH_TIME_MAX).await
    }

    async fn browse(&self, settings: &Json, at: Option<&str>) -> Result<BrowsePage, DriverError> {
        let settings =
            Settings::parse(settings).map_err(|errors| wrong_fields("modbus", &errors))?;
        let Some(at) = at else {
            let items = Table::ALL.into_iter().map(folder).collect();
            return Ok(BrowsePage { items, next: None });
        };
        let (name, start) = at.split_once(':').unwrap_or((at, "0"));
        let (Some(table), Ok(start)) = (Table::parse(name), start.parse::<u16>()) else {
            let cause = format!(
                "browse \"coil\", \"discrete\", \"input\" or \"holding\", optionally with a start such as \"holding:64\", not \"{at}\""
            );
            return Err(DriverError::new(ErrorKind::Misconfigured, settings.endpoint(), "", cause));
        };
        browse_table(Client::new(&settings, self.lookups.clone()), &settings, table, start).await
    }

    async fn connect(
        &self,
        spec: Arc<DeviceSpec>,
        circumstances: Circumstances,
    ) -> Result<Box<dyn Session>, DriverError> {
        let (settings, addresses) =
            parse(&spec).map_err(|errors| wrong_fields(&spec.label(), &errors))?;
        let lookups = self.lookups.clone();
        Ok(Box::new(
            ModbusSession::connect(spec, circumstances.clock, settings, addresses, lookups).await?,
        ))
    }
}

fn wrong_fields(device: &str, errors: &[FieldError]) -> DriverError {
    let told: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
    DriverError::new(ErrorKind::Misconfigured, device, "", told.join("; "))
}

fn folder(table: Table) -> BrowseItem {
    let name = table.as_str();
    let writable = Some(table.is_writable());
    BrowseItem {
        at: name.to_owned(),
        name: name.to_owned(),
        expandable: true,
        writable,
        ..Default::default()
    }
}

/// The addresses that answer, with what they hold, and where to go on.
async fn browse_table(
    mut client: Client,
    settings: &Settings,
    table: Table,
    start: u16,
) -> Result<BrowsePage, DriverError> {
    let unit = settings.unit;
    let count = BROWSE_ADDRESSES.min(u16::MAX - start).max(1);
    let mut ranges = vec![(start, count)];
    let mut found = Vec::new();
    while let Some((start, count)) = ranges.pop() {
        if client.requests >= BROWSE_REQUESTS_MAX {
            break;
        }
        match client.read(unit, table, start, count).await {
            Ok(data) => found.extend(items(table, start, &data)),
            Err(CallError::Exception(0x02 | 0x03)) if count > 1 => {
                let half = count / 2;
                ranges.push((start + half, count - half));
                ranges.push((start, half));
            }
            Err(CallError::Exception(0x02 | 0x03)) => {}
            Err(error) => {
                let (kind, cause) = match error {
                    CallError::Exception(code) => (ErrorKind::Rejected, exception_text(code)),
                    CallError::Failed(kind, cause) => (kind, cause),
                };
                let place = format!("unit {unit}, {} {start}", table.as_str());
                return Err(DriverError::new(kind, settings.endpoint(), place, cause));
            }
        }
    }
    let next = u32::from(start) + u32::from(count);
    let next = (next < 65536).then(|| format!("{}:{next}", table.as_str()));
    Ok(BrowsePage { items: found, next })
}

fn items(table: Table, start: u16, data: &Data) -> Vec<BrowseItem> {
    let name = table.as_str();
    let values: Vec<(&str, DataType, Value)> = match data {
        Data::Bits(bits) => {
            bits.iter().map(|b| ("bool", DataType::Bool, Value::Bool(*b))).collect()
        }
        Data::Words(words) => {
            words.iter().map(|w| ("u16", DataType::U64, Value::U64((*w).into()))).collect()
        }
    };
    let item = |(index, (raw_type, data_type, value))| {
        let address = u32::from(start) + index as u32;
        BrowseItem {
            at: format!("{name}:{address}"),
            name: format!("{name} {address}"),
            address: Some(json!({"table": name, "address": address, "type": raw_type})),
            data_type: Some(data_type),
            writable: Some(table.is_writable()),
            value: Some(value),
            ..Default::default()
        }
    };
    values.into_iter().enumerate().map(item).collect()
}
