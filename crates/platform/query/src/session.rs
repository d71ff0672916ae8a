//! The session of one statement: its tables, functions, settings and memory.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionStateBuilder, SessionStateDefaults};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::functions::{self, Bounded, Planner};
use crate::meter::MeterWindows;
use crate::source::Source;
use crate::{asof, tables};

/// The catalog that the tables are in.
pub const CATALOG: &str = "weir";

/// The schema in the catalog that the tables are in.
pub const SCHEMA: &str = "public";

/// The built-in functions of a row that are there. Others make texts of any length (`repeat`, `lpad`,
/// `replace`), take time that nothing interrupts (`levenshtein`), or tell of the program itself.
const LISTED: &[&str] = &[
    // Numbers.
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "cot",
    "degrees",
    "exp",
    "floor",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "ln",
    "log",
    "log10",
    "log2",
    "nanvl",
    "pi",
    "power",
    "radians",
    "random",
    "round",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    // Any values.
    "arrow_typeof",
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "nvl",
    "nvl2",
    // Time.
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "now",
    "to_char",
    "to_date",
    "to_local_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    // Texts.
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "contains",
    "ends_with",
    "initcap",
    "left",
    "lower",
    "ltrim",
    "octet_length",
    "regexp_like",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "to_hex",
    "translate",
    "upper",
];

/// All functions of a row: built in and our own.
static FUNCTIONS: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
    let built_in = SessionStateDefaults::default_scalar_functions().into_iter();
    let listed = built_in.filter(|function| LISTED.contains(&function.name()));
    let listed = listed.map(|function| Arc::new(Bounded::over(function)));
    listed.chain(functions::scalar()).chain([asof::mark()]).collect()
});

static AGGREGATES: LazyLock<Vec<Arc<AggregateUDF>>> = LazyLock::new(|| {
    let built_in = SessionStateDefaults::default_aggregate_functions().into_iter();
    built_in.map(functions::with_short_name).collect()
});

static WINDOWS: LazyLock<Vec<Arc<WindowUDF>>> = LazyLock::new(|| {
    let built_in = SessionStateDefaults::default_window_functions().into_iter();
    built_in.chain(functions::window()).collect()
});

static NAMES: LazyLock<HashSet<String>> =
    LazyLock::new(|| FUNCTIONS.iter().map(|function| function.name().to_owned()).collect());

/// Whether there is a function of a row of that name.
pub(crate) fn is_listed(name: &str) -> bool {
    NAMES.contains(name)
}

/// A session over a source. It writes no file: what does not fit into memory is an error.
pub(crate) fn open(
    source: Arc<dyn Source>,
    memory_bytes_max: usize,
    runtime: RuntimeEnvBuilder,
) -> Result<SessionContext> {
    let no_files = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = runtime
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory_bytes_max)))
        .with_disk_manager_builder(no_files)
        .build_arc()?;
    let mut planners = SessionStateDefaults::default_expr_planners();
    planners.insert(0, Arc::new(Planner));
    let state = SessionStateBuilder::new()
        .with_config(config())
        .with_runtime_env(runtime)
        .with_expr_planners(planners)
        .with_scalar_functions(FUNCTIONS.clone())
        .with_aggregate_functions(AGGREGATES.clone())
        .with_window_functions(WINDOWS.clone())
        .with_table_function_list(SessionStateDefaults::default_table_functions())
        .with_analyzer_rule(Arc::new(asof::AsofJoins))
        .with_query_planner(Arc::new(asof::Planner))
        .with_physical_optimizer_rule(Arc::new(tables::FoldSeries))
        .with_physical_optimizer_rule(Arc::new(MeterWindows))
        .build();
    let session = SessionContext::new_with_state(state);
    tables::register(&session, &source)?;
    Ok(session)
}

fn config() -> SessionConfig {
    // One partition: a statement takes one core, keeps the order that samples are read in, and holds
    // one set of buffers; two statements share two cores fairly.
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_information_schema(true)
        .with_default_catalog_and_schema(CATALOG, SCHEMA);
    let options = config.options_mut();
    options.execution.enable_recursive_ctes = false;
    options.execution.time_zone = Some("UTC".to_owned());
    options.execution.collect_statistics = false;
    config
}
