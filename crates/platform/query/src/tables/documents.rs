//! The tables `tags` and `assets`.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use weir_model::{AssetRow, TagRow};

use super::predicate::{self, Names, Predicate};
use super::unreadable;
use crate::source::{Source, Wanted};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tags,
    Assets,
}

const ID: Names = Names { id: "id", time: false, samples: false };

/// The columns of a table: their names, and whether they may be null.
type Columns = &'static [(&'static str, bool)];

const TAGS: Columns = &[
    ("id", false),
    ("name", false),
    ("description", false),
    ("unit", true),
    ("data_type", false),
    ("asset", true),
    ("device", true),
    ("protocol", false),
    ("grade", false),
];

const ASSETS: Columns = &[
    ("id", false),
    ("name", false),
    ("description", false),
    ("level", false),
    ("parent", true),
    ("grade", false),
];

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Assets => "assets",
        }
    }

    fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 2]> = LazyLock::new(|| [schema(TAGS), schema(ASSETS)]);
        Arc::clone(&SCHEMAS[self as usize])
    }
}

fn schema(columns: Columns) -> SchemaRef {
    let field = |(name, nullable): &(&str, bool)| Field::new(*name, DataType::Utf8View, *nullable);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// One of the two, read when a statement asks for it.
pub(super) struct DocumentTable {
    kind: Kind,
    source: Arc<dyn Source>,
}

impl DocumentTable {
    pub(super) fn new(kind: Kind, source: Arc<dyn Source>) -> Self {
        Self { kind, source }
    }

    fn rows(&self, wanted: Wanted<'_>) -> Result<RecordBatch> {
        let columns = match self.kind {
            Kind::Tags => of_tags(&self.source.tags(wanted).map_err(unreadable)?),
            Kind::Assets => of_assets(&self.source.assets().map_err(unreadable)?),
        };
        Ok(RecordBatch::try_new(self.kind.schema(), columns)?)
    }

    fn asks(&self, filter: &Expr) -> Option<Predicate> {
        if self.kind == Kind::Tags { Predicate::of(filter, ID) } else { None }
    }
}

impl std::fmt::Debug for DocumentTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.name())
    }
}

#[async_trait]
impl TableProvider for DocumentTable {
    fn schema(&self) -> SchemaRef {
        self.kind.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ids = predicate::asked(filters, |filter| self.asks(filter)).ids;
        let rows = self.rows(ids.as_ref())?;
        let table = MemTable::try_new(self.kind.schema(), vec![vec![rows]])?;
        table.scan(session, projection, &[], limit).await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(predicate::taken_over(filters, |filter| self.asks(filter)))
    }
}

fn column<'a, T>(rows: &'a [T], cell: impl Fn(&'a T) -> Option<&'a str>) -> ArrayRef {
    Arc::new(rows.iter().map(cell).collect::<StringViewArray>())
}

fn of_tags(rows: &[TagRow]) -> Vec<ArrayRef> {
    vec![
        column(rows, |row| Some(&row.id)),
        column(rows, |row| Some(&row.name)),
        column(rows, |row| Some(&row.description)),
        column(rows, |row| row.unit.as_deref()),
        column(rows, |row| Some(row.data_type.as_str())),
        column(rows, |row| row.asset.as_deref()),
        column(rows, |row| row.device.as_deref()),
        column(rows, |row| Some(&row.protocol)),
        column(rows, |row| Some(row.grade.as_str())),
    ]
}

fn of_assets(rows: &[AssetRow]) -> Vec<ArrayRef> {
    vec![
        column(rows, |row| Some(&row.id)),
        column(rows, |row| Some(&row.name)),
        column(rows, |row| Some(&row.description)),
        column(rows, |row| Some(&row.level)),
        column(rows, |row| row.parent.as_deref()),
        column(rows, |row| Some(row.grade.as_str())),
    ]
}
