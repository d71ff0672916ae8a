//! The mark of a join that is none of the engine's: a function that is planned away.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Its name, which nobody writes by chance.
pub(super) const NAME: &str = "asof join";

/// `"asof join"(left, right, sign)`.
pub(crate) fn mark() -> Arc<ScalarUDF> {
    static MARK: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Mark { signature }))
    });
    Arc::clone(&MARK)
}

/// Whether a function is the mark.
pub(crate) fn is_mark(name: &str) -> bool {
    name == NAME
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Mark {
    signature: Signature,
}

impl ScalarUDFImpl for Mark {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right, sign] = types else {
            return plan_err!("{NAME} is no function to be called");
        };
        match comparison_coercion(left, right) {
            Some(both) => Ok(vec![both.clone(), both, sign.clone()]),
            None => plan_err!("MATCH_CONDITION cannot compare {left} with {right}"),
        }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        plan_err!("an ASOF join cannot stand here")
    }
}
