//! What may be asked: one statement that reads, of a bounded size.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Cte, ObjectName, Query, Statement as Sql, Visit, Visitor, visit_relations,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::QueryError;
use crate::{asof, session};

/// Longest statement in bytes: room for some thousand identifiers in a list.
pub(crate) const STATEMENT_BYTES_MAX: usize = 64 << 10;

/// Most tables that a statement joins, counted as often as they are read: planning takes time and
/// memory of its own, which nothing else bounds.
pub(crate) const TABLES_MAX: usize = 64;

/// Most operators, brackets and key words of a statement: a long sum is a deep tree, and each level of it
/// takes stack where it is planned. Lists of values have commas instead.
pub(crate) const OPERATORS_MAX: usize = 1000;

/// How deep queries that are named with WITH may stand in each other.
const NAMED_DEPTH_MAX: usize = 32;

/// Most steps of a plan.
const STEPS_MAX: usize = 2000;

/// Most parts of the expressions of a plan.
const PARTS_MAX: usize = 100_000;

/// Reads one statement that reads.
pub(crate) fn parse(sql: &str) -> Result<Statement, QueryError> {
    if sql.len() > STATEMENT_BYTES_MAX {
        return Err(QueryError::TooLong { bytes_max: STATEMENT_BYTES_MAX });
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    let tokens = tokens.map_err(|error| QueryError::Statement(error.to_string()))?;
    if tokens.iter().filter(|token| is_operator(token)).count() > OPERATORS_MAX {
        return Err(QueryError::TooComplex { what: "operators", max: OPERATORS_MAX });
    }
    let wrong = |error| QueryError::of(error, 0);
    let parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build();
    let mut statements = parser.and_then(|mut p| p.parse_statements()).map_err(wrong)?;
    let mut statement = match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => statement,
        (None, _) => return Err(QueryError::Statement("there is no statement".to_owned())),
        _ => return Err(QueryError::Statement("send one statement at a time".to_owned())),
    };
    reads(&statement)?;
    write_joins(&mut statement)?;
    Ok(statement)
}

/// Whether a token may make a tree deeper.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::EOF
        | Token::Number(..)
        | Token::SingleQuotedString(_) => false,
        _ => true,
    }
}

fn reads(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Explain(explain) => reads(&explain.statement),
        Statement::Statement(sql) => match sql.as_ref() {
            Sql::Query(query) => bounded(query),
            Sql::Explain { statement, .. } => {
                reads(&Statement::Statement(Box::new(statement.as_ref().clone())))
            }
            Sql::ExplainTable { .. } | Sql::ShowTables { .. } | Sql::ShowColumns { .. } => Ok(()),
            other => Err(QueryError::NotReading(first_words(&other.to_string()))),
        },
        other => Err(QueryError::NotReading(first_words(&other.to_string()))),
    }
}

/// Writes ASOF joins as what is planned.
fn write_joins(statement: &mut Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Explain(explain) => write_joins(&mut explain.statement),
        Statement::Statement(sql) => asof::write_joins(sql),
        _ => Ok(()),
    }
}

/// The words in capitals that a statement begins with.
fn first_words(sql: &str) -> String {
    let words = sql.split_whitespace().take_while(|w| w.chars().all(|c| c.is_ascii_uppercase()));
    let words: Vec<&str> = words.take(3).collect();
    if words.is_empty() { "this statement".to_owned() } else { words.join(" ") }
}

/// Bounds how often tables are read. A named query is put in wherever its name stands, so that names
/// of names multiply.
fn bounded(query: &Query) -> Result<(), QueryError> {
    let mut named = Named::default();
    let endless = QueryError::Statement("WITH RECURSIVE is not there".to_owned());
    for _ in 0..NAMED_DEPTH_MAX {
        let before = named.tables.clone();
        let _ = query.visit(&mut named);
        if named.recursive {
            return Err(endless);
        }
        if named.tables == before {
            let tables = named.tables_of(query);
            return if tables <= TABLES_MAX {
                Ok(())
            } else {
                Err(QueryError::TooComplex { what: "tables", max: TABLES_MAX })
            };
        }
    }
    Err(QueryError::TooComplex { what: "queries inside each other", max: NAMED_DEPTH_MAX })
}

/// How many tables each named query reads.
#[derive(Default)]
struct Named {
    tables: HashMap<String, usize>,
    /// Whether one may read itself.
    recursive: bool,
}

impl Named {
    fn tables_of(&self, query: &Query) -> usize {
        let mut tables = 0usize;
        let _ = visit_relations(query, |name: &ObjectName| {
            let read = self.tables.get(&name.to_string().to_lowercase()).copied().unwrap_or(1);
            tables = tables.saturating_add(read.max(1)).min(TABLES_MAX + 1);
            ControlFlow::<()>::Continue(())
        });
        tables
    }
}

impl Visitor for Named {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.recursive |= query.with.as_ref().is_some_and(|with| with.recursive);
        for Cte { alias, query, .. } in query.with.iter().flat_map(|with| &with.cte_tables) {
            let tables = self.tables_of(query);
            let known = self.tables.entry(alias.name.to_string().to_lowercase()).or_default();
            *known = tables.max(*known);
        }
        ControlFlow::Continue(())
    }
}

/// Checks a plan before it is worked on: nothing that writes, no function that is not on the list, not
/// too many steps.
pub(crate) fn check(plan: &LogicalPlan) -> Result<(), QueryError> {
    let reading = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(plan);
    reading.map_err(|_| QueryError::NotReading("this statement".to_owned()))?;
    let (mut steps, mut parts, mut refused) = (0, 0, None);
    let walked = plan.apply_with_subqueries(|step| {
        steps += 1;
        step.apply_expressions(|expr| {
            expr.apply(|part| {
                parts += 1;
                refused = refused_part(part);
                Ok(if parts > PARTS_MAX || refused.is_some() {
                    TreeNodeRecursion::Stop
                } else {
                    TreeNodeRecursion::Continue
                })
            })
        })?;
        Ok(if steps > STEPS_MAX || parts > PARTS_MAX || refused.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    walked.map_err(|error| QueryError::of(error, 0))?;
    match refused {
        Some(name) => Err(QueryError::Function(name)),
        None if steps > STEPS_MAX => Err(QueryError::TooComplex { what: "steps", max: STEPS_MAX }),
        None if parts > PARTS_MAX => Err(QueryError::TooComplex { what: "parts", max: PARTS_MAX }),
        None => Ok(()),
    }
}

/// The function that a part of an expression calls, if it is none of ours: the grammar has words that
/// call functions without looking for them in the list.
fn refused_part(part: &Expr) -> Option<String> {
    match part {
        Expr::ScalarFunction(call) if !session::is_listed(call.name()) => {
            Some(call.name().to_owned())
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => Some("||".to_owned()),
        _ => None,
    }
}
