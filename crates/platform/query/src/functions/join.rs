//! What `a || b` stands for: one text behind the other, of a bounded length.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::bounded;

/// The function, which has no name that could be written.
pub(crate) fn function() -> Arc<ScalarUDF> {
    static JOIN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::exact(vec![DataType::Utf8; 2], Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Join { signature }))
    });
    Arc::clone(&JOIN)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Join {
    signature: Signature,
}

impl ScalarUDFImpl for Join {
    fn name(&self) -> &str {
        "||"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        bounded::check(&args)?;
        let scalars = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalars { 1 } else { args.number_rows };
        let sides: Vec<ArrayRef> =
            args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<_>>()?;
        let [left, right] = [sides[0].as_string::<i32>(), sides[1].as_string::<i32>()];
        let mut joined = StringBuilder::with_capacity(rows, 0);
        for row in 0..rows {
            if left.is_null(row) || right.is_null(row) {
                joined.append_null();
            } else {
                joined.append_value([left.value(row), right.value(row)].concat());
            }
        }
        let joined: ArrayRef = Arc::new(joined.finish());
        if scalars {
            return Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(
                &joined, 0,
            )?));
        }
        Ok(ColumnarValue::Array(joined))
    }
}
