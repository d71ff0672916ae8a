//! Arrow Flight SQL: `weir_flight` before the engine, for whoever the node lets in.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use weir_flight::{Code, Failure, Host, Statement};
use weir_node::query::{FlightFailure, FlightVisitor};
use weir_query::Engine;

use super::engine::{Seen, told};

/// The catalog and the schema that the tables are in.
const PLACE: (&str, &str) = (weir_query::CATALOG, weir_query::SCHEMA);

/// One caller of one call.
pub(super) struct Guest {
    pub(super) engine: Arc<Engine>,
    pub(super) visitor: FlightVisitor,
}

impl Guest {
    fn source(&self) -> Arc<Seen> {
        Arc::new(Seen(self.visitor.source()))
    }
}

fn failure(failure: FlightFailure) -> Failure {
    Failure::new(Code::from_i32(failure.code), failure.text)
}

/// What a statement that has no answer is told.
fn failed(visitor: &FlightVisitor) -> impl Fn(weir_query::QueryError) -> Failure + use<> {
    let visitor = visitor.clone();
    move |error| failure(visitor.failed(told(error)))
}

impl Host for Guest {
    fn caller(&self) -> String {
        self.visitor.caller()
    }

    fn sign_in(&self, user: String, password: String) -> BoxFuture<'_, Result<String, Failure>> {
        let signing_in =
            async move { self.visitor.sign_in(&user, &password).await.map_err(failure) };
        signing_in.boxed()
    }

    fn describe(
        &self,
        statement: Statement,
    ) -> BoxFuture<'_, Result<weir_flight::Description, Failure>> {
        let Statement { sql, parameters } = statement;
        let described = self.engine.describe(sql, parameters, self.source());
        async move {
            let described = described.await.map_err(failed(&self.visitor))?;
            let weir_query::Description { columns, parameters } = described;
            Ok(weir_flight::Description { columns, parameters })
        }
        .boxed()
    }

    fn run(&self, statement: Statement) -> BoxFuture<'_, Result<weir_flight::Rows, Failure>> {
        let Statement { sql, parameters } = statement;
        let opened = self.engine.open(sql, parameters, self.source());
        async move {
            let rows = opened.await.map_err(failed(&self.visitor))?;
            let batches = rows.batches.map_err(failed(&self.visitor)).boxed();
            Ok(weir_flight::Rows { columns: rows.columns, batches })
        }
        .boxed()
    }

    fn tables(&self) -> BoxFuture<'_, Result<Vec<weir_flight::Table>, Failure>> {
        let tables = self.engine.tables(self.source());
        async move {
            let tables = tables.await.map_err(failed(&self.visitor))?.into_iter();
            let tables = tables.map(|table| weir_flight::Table {
                catalog: PLACE.0.to_owned(),
                schema: PLACE.1.to_owned(),
                name: table.name,
                columns: table.columns,
                key: table.key.iter().map(|column| (*column).to_owned()).collect(),
            });
            Ok(tables.collect())
        }
        .boxed()
    }

    fn ended(&self) -> BoxFuture<'static, Failure> {
        self.visitor.ended().map(failure).boxed()
    }
}
