//! The one place that renders a filter to SQL.

use crate::error::Error;
use crate::filter::{Comparison, Node, Test};
use crate::model::{ColumnDef, Table};
use crate::search::{containing, searched};
use crate::sql::Sql;
use crate::value::Value;

impl Node {
    /// Appends the filter as a boolean expression that is never null.
    pub(crate) fn render(&self, table: &'static Table, sql: &mut Sql) -> Result<(), Error> {
        match self {
            Self::All(nodes) => joined(nodes, " AND ", "TRUE", table, sql),
            Self::Any(nodes) => joined(nodes, " OR ", "FALSE", table, sql),
            Self::Not(node) => {
                sql.push("NOT (");
                node.render(table, sql)?;
                sql.push(")");
                Ok(())
            }
            Self::Test { column, test } => render_test(*column, test, table, sql),
            Self::Searched(text) => {
                // In lower case by the database's own hand, as in the index.
                sql.push(&format!("{} LIKE lower(", searched(table)));
                sql.bind(containing(text))?;
                sql.push(")");
                Ok(())
            }
            Self::Wrong(field) => Err(Error::invalid(table.name, vec![field.clone()])),
        }
    }
}

fn joined(
    nodes: &[Node],
    operator: &str,
    empty: &str,
    table: &'static Table,
    sql: &mut Sql,
) -> Result<(), Error> {
    if nodes.is_empty() {
        sql.push(empty);
        return Ok(());
    }
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            sql.push(operator);
        }
        sql.push("(");
        node.render(table, sql)?;
        sql.push(")");
    }
    Ok(())
}

fn render_test(
    index: usize,
    test: &Test,
    table: &'static Table,
    sql: &mut Sql,
) -> Result<(), Error> {
    let column = &table.columns[index];
    if let Test::Compare(comparison, Value::Text(text)) = test
        && column.is_listed_text()
        && comparison.is_order()
    {
        let passing = listed_that_pass(column, *comparison, text);
        return render_test(index, &Test::In(passing), table, sql);
    }
    let name = column.quoted();
    // `x > 1` is null where x is: said to be false, so that NOT is its exact opposite.
    let may_be_null = column.nullable && !matches!(test, Test::IsNull(_));
    let (open, close) = match test {
        Test::Compare(Comparison::Ne, _) => ("", ""),
        _ if may_be_null => ("(", ") IS TRUE"),
        _ => ("", ""),
    };
    sql.push(open);
    match test {
        Test::Compare(comparison, value) => {
            let operator = match comparison {
                Comparison::Eq => "=",
                Comparison::Ne => "IS DISTINCT FROM",
                Comparison::Gt => ">",
                Comparison::Gte => ">=",
                Comparison::Lt => "<",
                Comparison::Lte => "<=",
            };
            sql.push(&format!("{name} {operator} "));
            sql.bind_value(column, value.clone())?;
        }
        Test::In(values) if values.is_empty() => sql.push("FALSE"),
        Test::In(values) => {
            if values.len() > MAX_IN {
                return Err(Error::invalid_field(
                    table.name,
                    column.name,
                    format!("`in` takes at most {MAX_IN} values, not {}", values.len()),
                ));
            }
            sql.push(&format!("{name} IN ("));
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    sql.push(", ");
                }
                sql.bind_value(column, value.clone())?;
            }
            sql.push(")");
        }
        Test::IsNull(null) => {
            sql.push(&format!(
                "{name} IS {}NULL",
                if *null { "" } else { "NOT " }
            ));
        }
        Test::Like {
            pattern,
            ignore_case,
        } => {
            let operator = if *ignore_case { "ILIKE" } else { "LIKE" };
            sql.push(&format!("{name} {operator} "));
            sql.bind(pattern.clone())?;
        }
    }
    sql.push(close);
    Ok(())
}

/// The values of a list that compare to `text` as asked, by their place in it.
fn listed_that_pass(column: &ColumnDef, comparison: Comparison, text: &str) -> Vec<Value<'static>> {
    let place = column.variants.iter().position(|variant| *variant == text);
    let passes = |at: usize| {
        place.is_some_and(|place| match comparison {
            Comparison::Eq => at == place,
            Comparison::Ne => at != place,
            Comparison::Gt => at > place,
            Comparison::Gte => at >= place,
            Comparison::Lt => at < place,
            Comparison::Lte => at <= place,
        })
    };
    let listed = column.variants.iter().enumerate();
    listed
        .filter(|(at, _)| passes(*at))
        .map(|(_, variant)| Value::Text((*variant).into()))
        .collect()
}

/// Half of the parameters a statement can have; `Sql` refuses what comes to more in all.
const MAX_IN: usize = 32_000;
