//! The tables, as FlightSql.proto shapes what is told of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow_flight::error::Result;
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTableTypes,
    CommandGetTables,
};
use arrow_schema::{DataType, Field, Schema};
use tonic::Status;

use crate::host::Table;

/// The only type of table that there is.
const TABLE: &str = "TABLE";

/// Most types of tables that one call asks for.
const TABLE_TYPES_MAX: usize = 100;

pub(crate) fn catalogs(query: CommandGetCatalogs, tables: &[Table]) -> Result<RecordBatch> {
    let mut builder = query.into_builder();
    let catalogs: BTreeSet<&str> = tables.iter().map(|table| table.catalog.as_str()).collect();
    catalogs.into_iter().for_each(|catalog| builder.append(catalog));
    builder.build()
}

pub(crate) fn schemas(query: CommandGetDbSchemas, tables: &[Table]) -> Result<RecordBatch> {
    let mut builder = query.into_builder();
    let of_table = |table: &'_ Table| (table.catalog.clone(), table.schema.clone());
    let schemas: BTreeSet<_> = tables.iter().map(of_table).collect();
    schemas.iter().for_each(|(catalog, schema)| builder.append(catalog, schema));
    builder.build()
}

pub(crate) fn tables(query: CommandGetTables, tables: &[Table]) -> Result<RecordBatch> {
    if query.table_types.len() > TABLE_TYPES_MAX {
        let text = format!("a call asks for at most {TABLE_TYPES_MAX} types of tables");
        return Err(Status::invalid_argument(text).into());
    }
    let mut builder = query.into_builder();
    for Table { catalog, schema, name, columns, .. } in tables {
        builder.append(catalog, schema, name, TABLE, columns)?;
    }
    builder.build()
}

pub(crate) fn table_types(query: CommandGetTableTypes) -> Result<RecordBatch> {
    let mut builder = query.into_builder();
    builder.append(TABLE);
    builder.build()
}

/// The columns by which rows of a table are told from each other.
pub(crate) fn primary_keys(query: CommandGetPrimaryKeys, tables: &[Table]) -> Result<RecordBatch> {
    let is_meant = |table: &&Table| {
        let fits = |asked: &Option<String>, is: &str| asked.as_deref().is_none_or(|a| a == is);
        fits(&query.catalog, &table.catalog)
            && fits(&query.db_schema, &table.schema)
            && query.table == table.name
    };
    let columns = tables.iter().filter(is_meant).flat_map(|table| {
        table.key.iter().zip(1..).map(move |(column, place)| (table, column, place))
    });
    let rows: Vec<(&Table, &String, i32)> = columns.collect();
    let texts = |of: fn(&Table) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(table, ..)| of(table))))
    };
    let names = StringArray::from_iter_values(rows.iter().map(|(_, column, _)| column));
    let keys = rows.iter().map(|(table, ..)| format!("{}_key", table.name));
    let places = Int32Array::from_iter_values(rows.iter().map(|(.., place)| *place));
    let schema = Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        text("key_name", true),
        Field::new("key_sequence", DataType::Int32, false),
    ]);
    let columns: Vec<ArrayRef> = vec![
        texts(|table| &table.catalog),
        texts(|table| &table.schema),
        texts(|table| &table.name),
        Arc::new(names),
        Arc::new(StringArray::from_iter_values(keys)),
        Arc::new(places),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// No table refers to another by a key that is told here.
pub(crate) fn no_foreign_keys() -> RecordBatch {
    let sides = ["pk", "fk"].into_iter().flat_map(|side| {
        [
            ("catalog_name", true),
            ("db_schema_name", true),
            ("table_name", false),
            ("column_name", false),
        ]
        .map(|(name, nullable)| text(&format!("{side}_{name}"), nullable))
    });
    let mut fields: Vec<Field> = sides.collect();
    fields.push(Field::new("key_sequence", DataType::Int32, false));
    fields.push(text("fk_key_name", true));
    fields.push(text("pk_key_name", true));
    fields.push(Field::new("update_rule", DataType::UInt8, false));
    fields.push(Field::new("delete_rule", DataType::UInt8, false));
    RecordBatch::new_empty(Arc::new(Schema::new(fields)))
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}
