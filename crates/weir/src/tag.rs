//! `weir tag`

use std::time::{Duration, SystemTime};

use anyhow::bail;
use serde_json::{Value as Json, json};
use weir_model::Timestamp;

use crate::args::{Between, Global, Tag};
use crate::client::{Client, encode};
use crate::output;

const COLUMNS: &[(&str, &str)] = &[
    ("IDENTIFIER", "/id"),
    ("NAME", "/name"),
    ("VALUE", "/last/value"),
    ("UNIT", "/unit_symbol"),
    ("QUALITY", "/last/quality"),
    ("TIME", "/last/time"),
    ("PROTOCOL", "/protocol"),
];

const SAMPLES: &[(&str, &str)] = &[("TIME", "/time"), ("VALUE", "/value"), ("QUALITY", "/quality")];

/// How far back `weir tag samples` looks unless told.
const WINDOW: Duration = Duration::from_secs(3600);

/// Runs a command about tags.
pub(crate) fn run(command: Tag, client: &Client, global: &Global) -> anyhow::Result<()> {
    match command {
        Tag::List { search, limit } => {
            let query = search.map(|text| format!("?q={}", encode(&text))).unwrap_or_default();
            output::table(&client.list(&format!("/tags{query}"), limit)?, global.json, COLUMNS)
        }
        Tag::Show { id } => output::json(&client.get(&path(&id))?),
        Tag::Samples { id, from, to, max_points, unit, csv } => {
            let now = SystemTime::now();
            let time = |given: Option<String>, default| {
                given.unwrap_or_else(|| Timestamp::from_system(default).to_string())
            };
            let from = encode(&time(from, now - WINDOW));
            let to = encode(&time(to, now));
            let path = format!("{}/samples?from={from}&to={to}&max_points={max_points}", path(&id));
            let path = with(path, &[("unit", &unit)]);
            if csv {
                return client.lines(&path, "text/csv", |line| output::line(&line));
            }
            let answer = client.get(&path)?;
            let samples = answer["samples"].as_array().cloned().unwrap_or_default();
            output::table(&samples, global.json, SAMPLES)
        }
        Tag::At { id, times, between, unit, csv } => {
            let time = Some(times.join(",")).filter(|times| !times.is_empty());
            let path = between.with(format!("{}/at", path(&id)));
            let path = with(path, &[("time", &time), ("unit", &unit)]);
            if csv {
                return client.lines(&path, "text/csv", |line| output::line(&line));
            }
            let answer = client.get(&path)?;
            if global.json {
                return output::json(&answer);
            }
            let samples = answer["samples"].as_array().cloned().unwrap_or_default();
            output::table(&samples, false, SAMPLES)
        }
        Tag::Frame { ids, from, to, step, between, units, good, csv } => {
            let ids: Vec<String> = ids.iter().map(|id| encode(id)).collect();
            let path =
                between.with(format!("/frames?tags={}&step={}", ids.join(","), encode(&step)));
            let least = good.then(|| "good".to_owned());
            let more = [("from", &from), ("to", &to), ("units", &units), ("least_quality", &least)];
            let path = with(path, &more);
            if csv {
                return client.lines(&path, "text/csv", |line| output::line(&line));
            }
            frame(&client.get(&path)?, global)
        }
        Tag::Aggregate { ids, from, to, width, offset, functions, csv } => {
            let ids: Vec<String> = ids.iter().map(|id| encode(id)).collect();
            let path =
                format!("/aggregates?tags={}&functions={}", ids.join(","), encode(&functions));
            let more = [("from", &from), ("to", &to), ("width", &width), ("offset", &offset)];
            let path = with(path, &more);
            if csv {
                return client.lines(&path, "text/csv", |line| output::line(&line));
            }
            let answer = client.get(&path)?;
            let rows = answer["aggregates"].as_array().cloned().unwrap_or_default();
            let names = ["time", "tag"].into_iter().chain(functions.split(',').map(str::trim));
            let columns: Vec<(String, String)> =
                names.map(|name| (name.to_uppercase(), format!("/{name}"))).collect();
            let columns: Vec<(&str, &str)> =
                columns.iter().map(|(head, at)| (&**head, &**at)).collect();
            output::table(&rows, global.json, &columns)
        }
        Tag::Watch { ids } => watch(client, &ids, global),
        Tag::Create { name, id, data_type, unit, interpolation } => {
            let mut body = json!({ "name": name, "data_type": data_type });
            if let Some(id) = id {
                body["id"] = id.into();
            }
            if let Some(unit) = unit {
                body["unit"] = unit.into();
            }
            if let Some(way) = interpolation {
                body["interpolation"] = way.into();
            }
            show(client.post("/tags", &body)?, global)
        }
        Tag::Erase { id, from, to, confirm } => {
            if !confirm {
                bail!(
                    "this deletes the samples of {id} from {from} to {to}, and nothing brings them \
                     back; add --confirm to do it"
                );
            }
            let (from, to) = (encode(&from), encode(&to));
            client.delete(&format!("{}/samples?from={from}&to={to}", path(&id)))?;
            Ok(())
        }
        Tag::Write { id, value, confirm } => {
            if !confirm {
                bail!("this writes {value} to the device behind {id}; add --confirm to do it");
            }
            let value = serde_json::from_str(&value).unwrap_or(Json::String(value));
            let body = json!({ "value": value, "confirm": true });
            output::json(&client.post(&format!("{}/write", path(&id)), &body)?)
        }
    }
}

impl Between {
    /// A path with the query that asks so.
    fn with(&self, path: String) -> String {
        with(path, &[("mode", &Some(self.mode.clone())), ("max_age", &self.max_age)])
    }
}

/// A path with what is given of a query.
fn with(mut path: String, query: &[(&str, &Option<String>)]) -> String {
    for (name, value) in query {
        if let Some(value) = value {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&format!("{name}={}", encode(value)));
        }
    }
    path
}

/// Prints rows of several tags.
fn frame(answer: &Json, global: &Global) -> anyhow::Result<()> {
    if global.json {
        return output::json(answer);
    }
    let columns = answer["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |column: &Json| column["name"].as_str().unwrap_or_default().to_owned();
    let head = |column: &Json| match column["unit"].as_str() {
        Some(unit) => format!("{} [{unit}]", name(column)),
        None => name(column),
    };
    let heads: Vec<(String, String)> =
        columns.iter().enumerate().map(|(at, column)| (head(column), format!("/{at}"))).collect();
    let heads: Vec<(&str, &str)> = heads.iter().map(|(head, at)| (&**head, &**at)).collect();
    let rows = answer["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    output::table(rows, false, &heads)
}

fn path(id: &str) -> String {
    format!("/tags/{}", encode(id))
}

fn show(tag: Json, global: &Global) -> anyhow::Result<()> {
    if global.json { output::json(&tag) } else { output::table(&[tag], false, COLUMNS) }
}

/// Prints samples from the live stream as they arrive.
fn watch(client: &Client, ids: &[String], global: &Global) -> anyhow::Result<()> {
    let tags: Vec<String> = ids.iter().map(|id| encode(id)).collect();
    client.lines(&format!("/live?tags={}", tags.join(",")), "text/event-stream", |line| {
        let Some(data) = line.strip_prefix("data:") else { return Ok(()) };
        let data = data.trim();
        if global.json {
            return output::line(&data);
        }
        let sample: Json = serde_json::from_str(data)?;
        let cells = ["/time", "/tag", "/value", "/quality"].map(|at| output::cell(&sample, at));
        output::line(&cells.join("  "))
    })
}
