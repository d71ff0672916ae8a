//! What a driver asks of a server and of its types before it asks for rows.

use std::sync::LazyLock;

use arrow_array::RecordBatch;
use arrow_flight::error::Result;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo, SqlNullOrdering,
    SqlSupportedCaseSensitivity, SqlSupportedGroupBy, SqlSupportedTransaction, SqlSupportedUnions,
    XdbcDataType,
};
use tonic::Status;

/// Most facts that one call asks for: there are fewer.
const FACTS_MAX: usize = 1000;

/// The version of Arrow's libraries.
const ARROW_VERSION: &str = "59";

/// Facts of the server, all where none is named.
pub(crate) fn of_server(query: CommandGetSqlInfo) -> Result<RecordBatch> {
    static FACTS: LazyLock<Result<SqlInfoData>> = LazyLock::new(server);
    if query.info.len() > FACTS_MAX {
        let text = format!("a call asks for at most {FACTS_MAX} facts");
        return Err(Status::invalid_argument(text).into());
    }
    match &*FACTS {
        Ok(facts) => query.into_builder(facts).build(),
        Err(error) => Err(Status::internal(error.to_string()).into()),
    }
}

fn server() -> Result<SqlInfoData> {
    use SqlInfo as I;
    let mut facts = SqlInfoDataBuilder::new();
    facts.append(I::FlightSqlServerName, "Weir");
    facts.append(I::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    facts.append(I::FlightSqlServerArrowVersion, ARROW_VERSION);
    for yes in [
        I::FlightSqlServerReadOnly,
        I::FlightSqlServerSql,
        I::FlightSqlServerCancel,
        I::SqlAllTablesAreSelectable,
        I::SqlSupportsColumnAliasing,
        I::SqlNullPlusNullIsNull,
        I::SqlSupportsTableCorrelationNames,
        I::SqlSupportsExpressionsInOrderBy,
        I::SqlSupportsOrderByUnrelated,
        I::SqlSupportsLikeEscapeClause,
        I::SqlCatalogAtStart,
        I::SqlCorrelatedSubqueriesSupported,
    ] {
        facts.append(yes, true);
    }
    for no in [
        I::FlightSqlServerSubstrait,
        I::FlightSqlServerBulkIngestion,
        I::SqlDdlCatalog,
        I::SqlDdlSchema,
        I::SqlDdlTable,
        I::SqlSelectForUpdateSupported,
        I::SqlStoredProceduresSupported,
        I::SqlTransactionsSupported,
        I::SqlBatchUpdatesSupported,
        I::SqlSavepointsSupported,
        I::SqlNamedParametersSupported,
    ] {
        facts.append(no, false);
    }
    facts.append(I::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    // Names without quotes are read in lower case, those in quotes as they are.
    let lower = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32;
    let as_is = SqlSupportedCaseSensitivity::SqlCaseSensitivityCaseInsensitive as i32;
    facts.append(I::SqlIdentifierCase, lower);
    facts.append(I::SqlQuotedIdentifierCase, as_is);
    facts.append(I::SqlIdentifierQuoteChar, "\"");
    facts.append(I::SqlSearchStringEscape, "\\");
    facts.append(I::SqlExtraNameCharacters, "");
    facts.append(I::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    facts.append(
        I::SqlSupportedGroupBy,
        bits(&[
            SqlSupportedGroupBy::SqlGroupByUnrelated as i32,
            SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32,
        ]),
    );
    facts.append(
        I::SqlSupportedUnions,
        bits(&[SqlSupportedUnions::SqlUnion as i32, SqlSupportedUnions::SqlUnionAll as i32]),
    );
    facts.append(I::SqlCatalogTerm, "catalog");
    facts.append(I::SqlSchemaTerm, "schema");
    facts.append(I::SqlProcedureTerm, "");
    facts.build()
}

/// Numbers of bits as a mask.
fn bits(numbers: &[i32]) -> i32 {
    numbers.iter().fold(0, |mask, number| mask | 1 << number)
}

/// Facts of the types that columns have.
pub(crate) fn of_types(query: CommandGetXdbcTypeInfo) -> Result<RecordBatch> {
    static TYPES: LazyLock<Result<XdbcTypeInfoData>> = LazyLock::new(types);
    match &*TYPES {
        Ok(types) => types.record_batch(query.data_type),
        Err(error) => Err(Status::internal(error.to_string()).into()),
    }
}

fn types() -> Result<XdbcTypeInfoData> {
    use XdbcDataType as X;
    let mut types = XdbcTypeInfoDataBuilder::new();
    // The name, the type, digits or characters, and whether it is a number, and one without a sign.
    let rows = [
        ("BOOLEAN", X::XdbcBit, Some(1), None),
        ("INTEGER", X::XdbcInteger, Some(10), Some(false)),
        ("INTEGER UNSIGNED", X::XdbcInteger, Some(10), Some(true)),
        ("BIGINT", X::XdbcBigint, Some(19), Some(false)),
        ("BIGINT UNSIGNED", X::XdbcBigint, Some(20), Some(true)),
        ("DOUBLE", X::XdbcDouble, Some(15), Some(false)),
        ("VARCHAR", X::XdbcVarchar, None, None),
        ("TIMESTAMP", X::XdbcTimestamp, Some(29), None),
    ];
    for (name, kind, size, unsigned) in rows {
        let is_quoted = matches!(kind, X::XdbcVarchar | X::XdbcTimestamp);
        let quote = is_quoted.then(|| "'".to_owned());
        types.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type: kind,
            column_size: size,
            literal_prefix: quote.clone(),
            literal_suffix: quote,
            create_params: None,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: kind == X::XdbcVarchar,
            searchable: Searchable::Full,
            unsigned_attribute: unsigned,
            fixed_prec_scale: false,
            auto_increment: None,
            local_type_name: Some(name.to_owned()),
            minimum_scale: None,
            maximum_scale: (kind == X::XdbcTimestamp).then_some(9),
            sql_data_type: kind,
            datetime_subcode: None,
            num_prec_radix: unsigned.map(|_| 10),
            interval_precision: None,
        });
    }
    types.build()
}
