//! Parameters of statements: `?` in the order of the text, or `$1`, `$2` and so on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use weir_model::SqlParameter;

use crate::error::QueryError;
use crate::statement::STATEMENT_BYTES_MAX;

fn scalar(parameter: SqlParameter) -> ScalarValue {
    match parameter {
        SqlParameter::Null => ScalarValue::Null,
        SqlParameter::Bool(value) => ScalarValue::Boolean(Some(value)),
        SqlParameter::I64(value) => ScalarValue::Int64(Some(value)),
        SqlParameter::U64(value) => ScalarValue::UInt64(Some(value)),
        SqlParameter::F64(value) => ScalarValue::Float64(Some(value)),
        SqlParameter::Text(value) => ScalarValue::Utf8View(Some(value)),
        SqlParameter::Time(nanos) => {
            ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into()))
        }
    }
}

/// A statement whose question marks are numbered.
pub(crate) fn numbered(sql: &str) -> Result<Cow<'_, str>, QueryError> {
    // What is too long is refused by whoever reads it as a statement.
    if !sql.contains('?') || sql.len() > STATEMENT_BYTES_MAX {
        return Ok(Cow::Borrowed(sql));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| QueryError::Statement(error.to_string()))?;
    let (mut marks, mut is_numbered) = (Vec::new(), false);
    for token in tokens {
        match token.token {
            Token::Placeholder(text) if text == "?" => {
                marks.push((token.span.start.line, token.span.start.column));
            }
            Token::Placeholder(_) => is_numbered = true,
            _ => {}
        }
    }
    if marks.is_empty() {
        return Ok(Cow::Borrowed(sql));
    }
    if is_numbered {
        let text = "write all parameters as ? or all as $1, $2 and so on";
        return Err(QueryError::Statement(text.to_owned()));
    }
    let mut marks = marks.into_iter().zip(1..).peekable();
    let mut text = String::with_capacity(sql.len() + 4);
    let (mut line, mut column) = (1, 1);
    for letter in sql.chars() {
        match marks.next_if(|(place, _)| *place == (line, column)) {
            Some((_, number)) => text.push_str(&format!("${number}")),
            None => text.push(letter),
        }
        (line, column) = if letter == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    Ok(Cow::Owned(text))
}

/// Puts values in for the parameters, if there are any values.
pub(crate) fn put_in(
    plan: LogicalPlan,
    values: Vec<SqlParameter>,
) -> Result<LogicalPlan, QueryError> {
    let count = named(&plan)?.len();
    if values.is_empty() {
        return Ok(plan);
    }
    if values.len() != count {
        let given = values.len();
        let text = format!("the statement has {count} parameters, and {given} values were bound");
        return Err(QueryError::Statement(text));
    }
    let values: Vec<ScalarValue> = values.into_iter().map(scalar).collect();
    plan.with_param_values(values).map_err(|error| QueryError::of(error, 0))
}

/// That no parameter is left without a value.
pub(crate) fn all_put_in(plan: &LogicalPlan) -> Result<(), QueryError> {
    match named(plan)?.len() {
        0 => Ok(()),
        left => {
            let text = format!("the statement has {left} parameters; bind a value to each");
            Err(QueryError::Statement(text))
        }
    }
}

/// The parameters as columns, in the order of their numbers.
pub(crate) fn fields(plan: &LogicalPlan) -> Result<SchemaRef, QueryError> {
    let fields = named(plan)?.into_iter().map(|(number, field)| {
        let kind = field.map(|field| field.data_type().clone());
        let kind = match kind {
            None | Some(DataType::Null | DataType::Utf8View) => DataType::Utf8,
            Some(kind) => kind,
        };
        Field::new(format!("${number}"), kind, true)
    });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// The parameters that a plan has, by number: 1, 2, 3 and so on, none left out.
fn named(plan: &LogicalPlan) -> Result<BTreeMap<usize, Option<FieldRef>>, QueryError> {
    let found = plan.get_parameter_fields().map_err(|error| QueryError::of(error, 0))?;
    let mut numbered = BTreeMap::new();
    for (name, field) in found {
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let Some(number) = number else {
            let text = format!("the parameter {name} has no number; write ? or $1, $2 and so on");
            return Err(QueryError::Statement(text));
        };
        numbered.insert(number, field);
    }
    let is_gapless = numbered.keys().zip(1..).all(|(number, place)| *number == place);
    if is_gapless {
        return Ok(numbered);
    }
    let text = "the parameters are numbered from $1 on, and none is left out";
    Err(QueryError::Statement(text.to_owned()))
}
