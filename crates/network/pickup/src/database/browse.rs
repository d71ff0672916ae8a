//! What a server offers: its databases, tables, and the columns of these and of the query.

use serde_json::{Value as Json, json};
use tokio_postgres::types::Type;
use weir_connect::dial::Lookups;
use weir_connect::{BrowseItem, BrowsePage, Discovered, DriverError, ErrorKind};
use weir_model::DataType;

use super::connection::{connect, within};
use super::query::{Shape, Text, described};
use super::settings::{Server, Settings};

/// Tables or columns of one page.
const PAGE: usize = 500;

/// Most databases that are found.
const DATABASES_MAX: usize = 200;

/// Where the columns of the query are browsed.
const QUERY: &str = "query";

/// What a table's place begins with, before its number.
const TABLE: &str = "table:";

const DATABASES: &str = "SELECT datname::text, current_setting('server_version') FROM pg_database \
    WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT') \
    ORDER BY datname LIMIT 200";

const TABLES: &str = "SELECT c.oid::text, n.nspname::text, c.relname::text, left(coalesce(obj_description(c.oid), ''), 2000) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
    AND has_table_privilege(c.oid, 'SELECT') ORDER BY n.nspname, c.relname LIMIT 501 OFFSET $1";

const COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.atttypid, left(coalesce(col_description(a.attrelid, a.attnum), ''), 2000) \
    FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped \
    ORDER BY a.attnum LIMIT 1600";

pub(super) async fn discover(
    server: &Server,
    lookups: &Lookups,
    settings: &Json,
) -> Result<Vec<Discovered>, DriverError> {
    let connection = connect(server, lookups, "sql").await?;
    let rows = within(server, "sql", connection.client.query(DATABASES, &[])).await?;
    let found = rows.iter().take(DATABASES_MAX).map(|row| {
        let name: String = row.try_get(0).unwrap_or_default();
        let version: String = row.try_get(1).unwrap_or_default();
        let mut settings = settings.clone();
        settings["database"] = name.clone().into();
        let encrypted = if server.tls { "encrypted" } else { "not encrypted" };
        let detail = format!("PostgreSQL {version}, {encrypted}");
        Discovered { name, detail, settings, certificate: None }
    });
    Ok(found.collect())
}

pub(super) async fn browse(
    server: &Server,
    settings: Option<&Settings>,
    lookups: &Lookups,
    at: Option<&str>,
) -> Result<BrowsePage, DriverError> {
    let connection = connect(server, lookups, "sql").await?;
    let client = &connection.client;
    match at {
        Some(QUERY) => {
            let Some(settings) = settings else {
                return Err(nowhere(server, "the settings have no query yet"));
            };
            let statement = within(server, "sql", client.prepare(&described(settings))).await?;
            let shape = Shape::new(&statement).map_err(|cause| nowhere(server, cause))?;
            let columns = shape.names.iter().zip(&shape.types);
            let items =
                columns.map(|(name, kind)| column(QUERY, name, kind.name(), kind, "")).collect();
            Ok(BrowsePage { items, next: None })
        }
        Some(place) if place.starts_with(TABLE) => {
            let oid = Text(&place[TABLE.len()..]);
            let rows = within(server, "sql", client.query(COLUMNS, &[&oid])).await?;
            let items = rows.iter().map(|row| {
                let text = |at: usize| row.try_get::<_, String>(at).unwrap_or_default();
                let kind = row.try_get::<_, u32>(2).ok().and_then(Type::from_oid);
                column(place, &text(0), &text(1), &kind.unwrap_or(Type::TEXT), &text(3))
            });
            Ok(BrowsePage { items: items.collect(), next: None })
        }
        _ => {
            let skip: usize = at.and_then(|at| at.parse().ok()).unwrap_or(0);
            let offset = skip.to_string();
            let rows = within(server, "sql", client.query(TABLES, &[&Text(&offset)])).await?;
            let mut items = Vec::new();
            if skip == 0 && settings.is_some() {
                let description = "what the query of the settings gives".to_owned();
                let (at, name) = (QUERY.to_owned(), QUERY.to_owned());
                items.push(BrowseItem {
                    at,
                    name,
                    description,
                    expandable: true,
                    ..BrowseItem::default()
                });
            }
            items.extend(rows.iter().take(PAGE).map(|row| {
                let text = |at: usize| row.try_get::<_, String>(at).unwrap_or_default();
                BrowseItem {
                    at: format!("{TABLE}{}", text(0)),
                    name: format!("{}.{}", text(1), text(2)),
                    description: text(3),
                    expandable: true,
                    ..BrowseItem::default()
                }
            }));
            let next = (rows.len() > PAGE).then(|| (skip + PAGE).to_string());
            Ok(BrowsePage { items, next })
        }
    }
}

fn nowhere(server: &Server, cause: impl Into<String>) -> DriverError {
    DriverError::new(ErrorKind::Misconfigured, "sql", server.place(), cause)
}

fn column(place: &str, name: &str, kind_name: &str, kind: &Type, comment: &str) -> BrowseItem {
    let about = [kind_name, comment].into_iter().filter(|text| !text.is_empty());
    BrowseItem {
        at: format!("{place}/{name}"),
        name: name.to_owned(),
        description: about.collect::<Vec<_>>().join(": "),
        address: Some(json!({"column": name})),
        data_type: Some(data_type(kind)),
        writable: Some(false),
        ..BrowseItem::default()
    }
}

/// What the values of a column are.
fn data_type(kind: &Type) -> DataType {
    match *kind {
        Type::BOOL => DataType::Bool,
        Type::INT2 | Type::INT4 | Type::INT8 => DataType::I64,
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => DataType::F64,
        _ => DataType::Text,
    }
}
