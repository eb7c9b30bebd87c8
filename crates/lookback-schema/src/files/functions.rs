//! Functions of the application that take an enum which the same plan creates.
//!
//! They can only be created after the type, and before the tables that call them.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Change, Plan};
use crate::schema::{Schema, Table};
use crate::syntax::{DataType, Expression, Name};

/// The enums that the plan creates and that functions of the application take, each with the names
/// of these functions.
pub(super) fn functions(plan: &Plan, to: &Schema) -> BTreeMap<Name, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for step in &plan.steps {
        let Change::CreateEnum { name, .. } = &step.change else {
            continue;
        };
        if plan.frees(name) {
            continue;
        }
        let tables = to.tables.values();
        let functions: BTreeSet<String> = tables.flat_map(|table| over(table, name)).collect();
        if !functions.is_empty() {
            found.insert(name.clone(), functions);
        }
    }
    found
}

impl Plan {
    /// Whether another object has to give up this name first.
    fn frees(&self, name: &Name) -> bool {
        self.steps.iter().any(|step| match &step.change {
            Change::RenameEnum { from, .. }
            | Change::RenameTable { from, .. }
            | Change::DropTable(from) => from == name,
            _ => false,
        })
    }
}

/// The functions that the table calls with a value of the enum `name`.
fn over(table: &Table, name: &Name) -> BTreeSet<String> {
    let columns = table.columns.iter().filter(|c| c.data_type.name == *name);
    let columns: BTreeSet<&str> = columns.map(|column| column.name.as_str()).collect();
    let is_of_type = |argument: &&str| {
        let mut argument = *argument;
        while let Some(inner) = argument
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
        {
            argument = inner;
        }
        let cast = argument.rsplit_once("::");
        let ty = cast.and_then(|(_, ty)| ty.parse::<DataType>().ok());
        let column = Expression::new(argument).ok().and_then(|e| e.as_column());
        ty.is_some_and(|ty| ty.name == *name)
            || column.is_some_and(|column| columns.contains(column.as_str()))
    };
    let mut functions = BTreeSet::new();
    for expression in table.expressions() {
        for (function, arguments) in expression.calls() {
            let function_of_postgres = ANY_TYPE.contains(&function.to_lowercase().as_str());
            if !function_of_postgres && arguments.iter().any(is_of_type) {
                functions.insert(function);
            }
        }
    }
    functions
}

/// Functions of PostgreSQL that take a value of any type, and words before a parenthesis.
#[rustfmt::skip]
const ANY_TYPE: &[&str] = &[
    "all", "and", "any", "any_value", "array", "array_agg", "array_append", "array_cat",
    "array_fill", "array_position", "array_positions", "array_prepend", "array_remove",
    "array_replace", "between", "case", "cast", "coalesce", "concat", "concat_ws", "count", "else",
    "enum_first", "enum_larger", "enum_last", "enum_range", "enum_smaller", "format", "greatest",
    "hashenum", "hashenumextended", "in", "is", "json_array", "json_build_array",
    "json_build_object", "json_object", "jsonb_build_array", "jsonb_build_object", "least", "max",
    "min", "not", "nullif", "num_nonnulls", "num_nulls", "or", "pg_column_size", "pg_typeof",
    "quote_literal", "quote_nullable", "row", "some", "then", "to_json", "to_jsonb", "when", "xmlforest",
];

#[cfg(test)]
mod tests {
    use crate::schema::{Column, Table};
    use crate::syntax::Name;

    #[test]
    fn functions_over_an_enum_are_found() {
        let over = |check: &str| {
            let mut table = Table {
                columns: vec![
                    Column::new("s", "state".parse().unwrap()),
                    Column::new("n", "integer".parse().unwrap()),
                ],
                ..Table::default()
            };
            let check = format!("CHECK ({check})").parse().unwrap();
            table.constraints.insert("c".to_owned(), check);
            super::over(&table, &Name::new("state"))
                .into_iter()
                .collect::<Vec<_>>()
        };
        for (check, wanted) in [
            ("rank(s) > 0", &["rank"][..]),
            (
                "n > app.rank(n, ('open')::state) + \"Other\"(s)",
                &["Other", "rank"],
            ),
            (
                "lower(s::text) = 'a' AND coalesce(s, 'open') IN ('open')",
                &[],
            ),
            ("abs(n) > 0", &[]),
            ("f(g(s), (s))", &["f", "g"]),
            ("s = ANY (ARRAY['open'::state])", &[]),
        ] {
            assert_eq!(over(check), wanted, "{check}");
        }
    }
}
