//! The step that joins two sorted inputs.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexRequirement, OrderingRequirements, PhysicalExpr,
    PhysicalSortExpr, PhysicalSortRequirement,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};

use super::Match;
use super::merge::{self, Side};

type Expr = Arc<dyn PhysicalExpr>;
type Plan = Arc<dyn ExecutionPlan>;

/// Joins two inputs, each of which comes in order of what is equal and then of what is compared.
#[derive(Debug, Clone)]
pub(super) struct AsofJoinExec {
    left: Plan,
    right: Plan,
    on: Vec<(Expr, Expr)>,
    at: (Expr, Expr),
    how: Match,
    properties: Arc<PlanProperties>,
}

impl AsofJoinExec {
    pub(super) fn new(
        (left, right): (Plan, Plan),
        on: Vec<(Expr, Expr)>,
        at: (Expr, Expr),
        how: Match,
    ) -> Result<Self> {
        for (a, b) in on.iter().chain([&at]) {
            let types = (a.data_type(&left.schema())?, b.data_type(&right.schema())?);
            if types.0 != types.1 {
                return plan_err!("an ASOF join cannot compare {} with {}", types.0, types.1);
            }
        }
        let fields = left.schema().fields().iter().cloned().collect::<Vec<_>>();
        let others = right
            .schema()
            .fields()
            .iter()
            .map(|field| Arc::new(field.as_ref().clone().with_nullable(true)))
            .collect::<Vec<_>>();
        let schema: SchemaRef = Arc::new(Schema::new([fields, others].concat()));
        // The left side's columns have the same places in what is given.
        let order = on.iter().map(|(a, _)| a).chain([&at.0]).cloned();
        let order = order.map(PhysicalSortExpr::new_default).collect::<Vec<_>>();
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, [order]),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { left, right, on, at, how, properties: Arc::new(properties) })
    }

    fn order(&self, of: impl Fn(&(Expr, Expr)) -> &Expr) -> Option<OrderingRequirements> {
        let exprs = self.on.iter().chain([&self.at]).map(of).cloned();
        let order =
            exprs.map(|expr| PhysicalSortRequirement::from(PhysicalSortExpr::new_default(expr)));
        LexRequirement::new(order).map(OrderingRequirements::new)
    }

    fn with(&self, children: Vec<Plan>) -> Result<Plan> {
        let [left, right] = <[Plan; 2]>::try_from(children)
            .or_else(|_| plan_err!("an ASOF join has two inputs"))?;
        Ok(Arc::new(Self::new((left, right), self.on.clone(), self.at.clone(), self.how)?))
    }
}

impl DisplayAs for AsofJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsofJoinExec: {} {} {}", self.at.0, self.how.sign(), self.at.1)?;
        self.on.iter().try_for_each(|(left, right)| write!(f, ", {left} = {right}"))
    }
}

impl ExecutionPlan for AsofJoinExec {
    fn name(&self) -> &str {
        "AsofJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.left, &self.right]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 2])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.order(|pair| &pair.0), self.order(|pair| &pair.1)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true, false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; 2]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Expr) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for (left, right) in self.on.iter().chain([&self.at]) {
            for expr in [left, right] {
                if visit(expr)? == TreeNodeRecursion::Stop {
                    return Ok(TreeNodeRecursion::Stop);
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Plan>,
        _: ReplaceChildrenOptions,
    ) -> Result<Plan> {
        self.with(children)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.with(children)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let held = MemoryConsumer::new("asof join").register(context.memory_pool());
        let side = |plan: &Plan, of: fn(&(Expr, Expr)) -> &Expr| {
            let rows = plan.execute(partition, Arc::clone(&context))?;
            let on = self.on.iter().map(|pair| Arc::clone(of(pair))).collect();
            Side::new(rows, on, Arc::clone(of(&self.at)))
        };
        let (left, right) = (side(&self.left, |pair| &pair.0)?, side(&self.right, |pair| &pair.1)?);
        let schema = self.schema();
        let joined = merge::join(left, right, self.how, Arc::clone(&schema), held);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, joined)))
    }
}
