//! Queries and scopes for tests of the statements of a search.

use chrono::DateTime;

use super::parse::query::Query;
use super::parse::terms::Terms;
use super::scope::Scope;
use crate::db::Sql;
use crate::filter::Comparison;
use crate::value::Value;
use crate::{Log, Model as _};

/// Parses a search of logs.
pub(super) fn query(text: &str) -> Query {
    Query::new(&Terms::parse(Log::TABLE, text))
}

/// Calls a function with a scope that binds a value in each of its conditions.
pub(super) fn with_scope<T>(call: impl FnOnce(&Scope<'_>) -> T) -> T {
    let records = |sql: &mut Sql| {
        sql.push(" WHERE \"deleted_at\" IS NULL AND (\"level\" = ");
        sql.bind("error")?;
        sql.push(")");
        Ok(())
    };
    let exclusion = |sql: &mut Sql| {
        sql.push("(NOT (\"level\" = ");
        sql.bind("error")?;
        sql.push(") AND \"level\"::text !~ '[0-9]')");
        Ok(())
    };
    let since = Value::Timestamptz(DateTime::UNIX_EPOCH);
    call(&Scope::new(
        &records,
        &exclusion,
        &[(Comparison::Gte, &since)],
    ))
}

/// Formats a statement for a snapshot, a clause on each line.
pub(crate) fn lines(sql: &Sql) -> String {
    let mut text = sql.text().to_owned();
    for clause in [
        "SELECT ",
        "FROM ",
        "WHERE ",
        "CROSS JOIN ",
        "LEFT JOIN ",
        "UNION ",
        "ORDER BY ",
    ] {
        text = text.replace(&format!(" {clause}"), &format!("\n{clause}"));
        text = text.replace(&format!("({clause}"), &format!("(\n{clause}"));
    }
    text
}
