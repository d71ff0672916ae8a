//! What a CPU has: its data blocks, and the bytes of areas with what they hold now.

use serde_json::json;
use weir_connect::{BrowseItem, BrowsePage, DriverError, ErrorKind};
use weir_model::{DataType, Value};

use crate::client::{CallError, Client};
use crate::codec::services::{Service, block_length, block_numbers};
use crate::codec::variables::ReadItem;
use crate::codes::is_of_extent;
use crate::{Area, Settings, header_error_text, item_error_text};

/// Data blocks of one page. Each is asked for its length, which is a request.
const BLOCKS_A_PAGE: usize = 50;

/// Bytes of one page.
const BYTES_A_PAGE: u16 = 64;

/// The areas that can be browsed byte by byte.
const BYTE_AREAS: [Area; 3] = [Area::Merker, Area::Input, Area::Output];

/// A place to browse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// The list of data blocks, from a position on.
    Blocks(usize),
    /// The bytes of a data block or another area, from a byte on.
    Bytes {
        area: Area,
        db: u16,
        start: u32,
    },
}

/// One page.
pub(crate) async fn browse(
    mut client: Client,
    settings: &Settings,
    at: Option<&str>,
) -> Result<BrowsePage, DriverError> {
    let Some(place) = Place::parse(at) else {
        let at = at.unwrap_or_default();
        let cause = format!(
            "browse \"db\", \"db:5\", \"merker\", \"input\" or \"output\", optionally with a first byte such as \"db:5:64\" or \"merker:64\", not \"{at}\""
        );
        return Err(DriverError::new(ErrorKind::Misconfigured, settings.endpoint(), "", cause));
    };
    let failed = |error: CallError| {
        let (kind, cause) = error.told();
        DriverError::new(kind, settings.place(), at.unwrap_or_default(), cause)
    };
    if place == Place::Root {
        return Ok(root());
    }
    client.connect().await.map_err(failed)?;
    match place {
        Place::Root => Ok(root()),
        Place::Blocks(from) => match blocks(&mut client, from).await {
            Err(CallError::Refused(error)) => {
                let cause = format!(
                    "the device does not list its data blocks: {}; browse \"db:5\" for data block 5, or type addresses",
                    header_error_text(error)
                );
                Err(DriverError::new(ErrorKind::Unsupported, settings.place(), "", cause))
            }
            page => page.map_err(failed),
        },
        Place::Bytes { area, db, start } => {
            match bytes(&mut client, area, db, start).await.map_err(failed)? {
                Ok(page) => Ok(page),
                Err(code) => {
                    let cause = item_error_text(code, area);
                    let place = at.unwrap_or_default();
                    Err(DriverError::new(ErrorKind::Rejected, settings.place(), place, cause))
                }
            }
        }
    }
}

impl Place {
    fn parse(at: Option<&str>) -> Option<Self> {
        let Some(at) = at else { return Some(Self::Root) };
        let mut parts = at.split(':');
        let name = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        let place = match (name, rest.as_slice()) {
            ("db", []) => Self::Blocks(0),
            ("blocks", [from]) => Self::Blocks(from.parse().ok()?),
            ("db", [db]) => Self::Bytes { area: Area::Db, db: db.parse().ok()?, start: 0 },
            ("db", [db, start]) => {
                let start: u16 = start.parse().ok()?;
                Self::Bytes { area: Area::Db, db: db.parse().ok()?, start: start.into() }
            }
            (name, rest) => {
                let area = BYTE_AREAS.into_iter().find(|area| area.as_str() == name)?;
                let start: u16 = match rest {
                    [] => 0,
                    [start] => start.parse().ok()?,
                    _ => return None,
                };
                Self::Bytes { area, db: 0, start: start.into() }
            }
        };
        Some(place)
    }
}

fn root() -> BrowsePage {
    let folder = |(at, name): (&str, &str)| BrowseItem {
        at: at.to_owned(),
        name: name.to_owned(),
        expandable: true,
        ..Default::default()
    };
    let areas = [("db", "DB"), ("merker", "M"), ("input", "I"), ("output", "Q")];
    BrowsePage { items: areas.into_iter().map(folder).collect(), next: None }
}

/// Data blocks with their lengths, as far as the device tells them.
async fn blocks(client: &mut Client, from: usize) -> Result<BrowsePage, CallError> {
    let list = match client.serve(Service::ListDataBlocks).await {
        Ok(list) => list,
        // "No such block": there is none.
        Err(CallError::Refused(0xD20E | 0xD209)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut numbers = block_numbers(&list);
    numbers.sort_unstable();
    let mut items = Vec::new();
    let mut tells_length = true;
    for number in numbers.iter().skip(from).take(BLOCKS_A_PAGE) {
        let mut description = String::new();
        if tells_length {
            match client.serve(Service::DataBlock(*number)).await {
                Ok(facts) => {
                    let length = block_length(&facts);
                    description = length.map(|n| format!("{n} bytes")).unwrap_or_default();
                }
                Err(CallError::Refused(_)) => tells_length = false,
                Err(error) => return Err(error),
            }
        }
        let (at, name) = (format!("db:{number}"), format!("DB{number}"));
        items.push(BrowseItem { at, name, description, expandable: true, ..Default::default() });
    }
    let next = from + BLOCKS_A_PAGE;
    Ok(BrowsePage { items, next: (next < numbers.len()).then(|| format!("blocks:{next}")) })
}

/// The bytes and words of a place. A page that the device does not have as a whole is asked for by halves,
/// which finds its end with six more requests.
async fn bytes(
    client: &mut Client,
    area: Area,
    db: u16,
    start: u32,
) -> Result<Result<BrowsePage, u8>, CallError> {
    let page = u32::from(BYTES_A_PAGE).min(65_536_u32.saturating_sub(start)) as u16;
    let (mut found, mut step, mut refused) = (Vec::new(), page, None);
    while step > 0 && found.len() < usize::from(page) {
        let (at, count) = (start + found.len() as u32, step.min(page - found.len() as u16));
        let item = ReadItem { area, db, start: at, count };
        match client.read(&[item]).await?.pop() {
            Some(Ok(bytes)) => found.extend(bytes),
            Some(Err(code)) => {
                refused = Some(code);
                step = if is_of_extent(code) { count / 2 } else { 0 };
            }
            None => break,
        }
    }
    match refused {
        Some(code) if found.is_empty() => Ok(Err(code)),
        _ => {
            let next = start + found.len() as u32;
            let is_whole = found.len() == usize::from(page) && next < 65_536;
            let next = is_whole.then(|| match area {
                Area::Db => format!("db:{db}:{next}"),
                area => format!("{}:{next}", area.as_str()),
            });
            Ok(Ok(BrowsePage { items: items(area, db, start, &found), next }))
        }
    }
}

/// Each byte, and before each even one the word that begins with it.
fn items(area: Area, db: u16, start: u32, bytes: &[u8]) -> Vec<BrowseItem> {
    let mut items = Vec::new();
    for (index, byte) in bytes.iter().enumerate() {
        let at = start + index as u32;
        if let (true, Some(low)) = (at.is_multiple_of(2), bytes.get(index + 1)) {
            items.push(item(area, db, at, "word", u64::from(*byte) << 8 | u64::from(*low)));
        }
        items.push(item(area, db, at, "byte", u64::from(*byte)));
    }
    items
}

fn item(area: Area, db: u16, start: u32, raw_type: &str, value: u64) -> BrowseItem {
    let letter = if raw_type == "word" { 'W' } else { 'B' };
    let (name, address) = match area {
        Area::Db => (
            format!("DB{db}.DB{letter}{start}"),
            json!({"area": "db", "db": db, "byte": start, "type": raw_type}),
        ),
        _ => {
            let short = match area {
                Area::Input => 'I',
                Area::Output => 'Q',
                _ => 'M',
            };
            let address = json!({"area": area.as_str(), "byte": start, "type": raw_type});
            (format!("{short}{letter}{start}"), address)
        }
    };
    BrowseItem {
        at: name.clone(),
        name,
        address: Some(address),
        data_type: Some(DataType::U64),
        writable: Some(area.is_writable()),
        value: Some(Value::U64(value)),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_strictly() {
        let bytes = |area, db, start| Some(Place::Bytes { area, db, start });
        assert_eq!(Place::parse(None), Some(Place::Root));
        assert_eq!(Place::parse(Some("db")), Some(Place::Blocks(0)));
        assert_eq!(Place::parse(Some("blocks:50")), Some(Place::Blocks(50)));
        assert_eq!(Place::parse(Some("db:5")), bytes(Area::Db, 5, 0));
        assert_eq!(Place::parse(Some("db:5:64")), bytes(Area::Db, 5, 64));
        assert_eq!(Place::parse(Some("merker:64")), bytes(Area::Merker, 0, 64));
        for wrong in ["", "db:x", "db:5:6:7", "db:70000", "timer", "merker:1:2", "DB5.DBW0"] {
            assert_eq!(Place::parse(Some(wrong)), None, "{wrong}");
        }
    }
}
