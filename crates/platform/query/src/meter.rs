//! Counts what window functions keep, and lets joins be interrupted. DataFusion's own window operators
//! hold their rows without asking the memory pool: each gets a step before it that asks for them. Its joins
//! make many batches of one that they read, and would not look at the clock in between: each gets a step
//! behind it that does.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    replace_children_if_necessary,
};
use futures::StreamExt;

use crate::error::QueryError;

/// Puts a [`Meter`] before every window operator, and a pause behind whatever multiplies rows.
#[derive(Debug)]
pub(crate) struct MeterWindows;

impl PhysicalOptimizerRule for MeterWindows {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let changed = plan.transform_up(|plan| {
            let name = plan.name();
            let is_join = name.ends_with("JoinExec") || name == "UnnestExec";
            let before: &[Kind] = match name {
                "NestedLoopJoinExec" => &[Kind::Few, Kind::Pause],
                "WindowAggExec" | "BoundedWindowAggExec" => &[Kind::Memory],
                _ if is_join => &[],
                _ => return Ok(Transformed::no(plan)),
            };
            let plan = if before.is_empty() { plan } else { metered(plan, before)? };
            Ok(Transformed::yes(if is_join { Arc::new(CooperativeExec::new(plan)) } else { plan }))
        });
        Ok(changed?.data)
    }

    fn name(&self) -> &str {
        "meter_windows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A plan with a meter of a kind before each of its inputs.
fn metered(plan: Arc<dyn ExecutionPlan>, kinds: &[Kind]) -> Result<Arc<dyn ExecutionPlan>> {
    let children = plan.children().into_iter().zip(kinds);
    let children = children.map(|(child, kind)| Arc::new(Meter(Arc::clone(child), *kind)) as _);
    let children = children.collect();
    replace_children_if_necessary(plan, children)
}

/// What a [`Meter`] does.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// It holds memory of the pool for all rows until its reader is done.
    Memory,
    /// It lets no more than [`PAIRED_ROWS_MAX`] rows through.
    Few,
    /// It pauses behind each batch.
    Pause,
}

/// Rows that a join without an equality may keep to compare with each row of its other side. Each batch
/// of the other side is compared with all of them in one go, which nothing interrupts.
const PAIRED_ROWS_MAX: usize = 20_000;

/// Passes rows on within a bound.
#[derive(Debug)]
struct Meter(Arc<dyn ExecutionPlan>, Kind);

impl DisplayAs for Meter {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

impl ExecutionPlan for Meter {
    fn name(&self) -> &str {
        "Meter"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(child) => Arc::new(Self(child, self.1)),
            None => self,
        })
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(child) => Arc::new(Self(child, self.1)),
            None => self,
        })
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let kind = self.1;
        let held = MemoryConsumer::new("windows").register(context.memory_pool());
        let mut rows = 0;
        let input = self.0.execute(partition, context)?;
        let metered = input.then(move |batch| {
            let batch = batch.and_then(|batch| {
                rows += batch.num_rows();
                match kind {
                    Kind::Memory => held.try_grow(batch.get_array_memory_size())?,
                    Kind::Few if rows > PAIRED_ROWS_MAX => {
                        let what = "rows on the smaller side of a join without an equality";
                        let error = QueryError::TooComplex { what, max: PAIRED_ROWS_MAX };
                        return Err(DataFusionError::External(Box::new(error)));
                    }
                    _ => {}
                }
                Ok(batch)
            });
            async move {
                if let Kind::Pause = kind {
                    tokio::task::yield_now().await;
                }
                batch
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), metered)))
    }
}
