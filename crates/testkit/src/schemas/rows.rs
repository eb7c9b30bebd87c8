//! Rows for a schema, and queries that compare their values.

use std::collections::{BTreeMap, BTreeSet};

use lookback_schema::{Column, Constraint, DataType, Name, Schema, literal, quoted};

use super::types::known;

/// The number of rows of each table; row 1 of a table refers to row 1 of another.
const ROWS: usize = 3;

/// Returns the statements that fill every table with a few rows.
///
/// Columns of a key, here or in one of `keys`, have a value in every row; other nullable columns
/// are sometimes NULL. Enums in `labels` use only the labels listed there. Triggers, and so foreign
/// keys, are off while the statements run, because a referenced row may be inserted later. This
/// requires a superuser.
pub(super) fn fill(
    schema: &Schema,
    keys: &BTreeSet<(Name, String)>,
    labels: &BTreeMap<Name, Vec<String>>,
) -> Vec<String> {
    let mut sql = vec!["SET session_replication_role = replica".to_owned()];
    for (name, table) in &schema.tables {
        let columns: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| column.fill.generated().is_none())
            .collect();
        if columns.is_empty() {
            continue;
        }
        let names: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
        let rows = (1..=ROWS).map(|row| {
            let values = columns.iter().enumerate().map(|(place, column)| {
                let key = keys.contains(&(name.clone(), column.name.clone()));
                if !key && !column.not_null && (row + place) % 3 == 0 {
                    return "NULL".to_owned();
                }
                value(schema, &column.data_type, labels, row)
            });
            format!("({})", values.collect::<Vec<_>>().join(", "))
        });
        sql.push(format!(
            "INSERT INTO {name} ({}) OVERRIDING SYSTEM VALUE VALUES {}",
            names.join(", "),
            rows.collect::<Vec<_>>().join(", ")
        ));
    }
    sql.push("SET session_replication_role = origin".to_owned());
    sql
}

/// Returns the SQL of a value of a row.
fn value(
    schema: &Schema,
    ty: &DataType,
    labels: &BTreeMap<Name, Vec<String>>,
    row: usize,
) -> String {
    if let Some(kind) = known(&ty.to_string()) {
        return format!("({})::{ty}", kind.value.replace("{}", &row.to_string()));
    }
    let Some(labels) = labels.get(&ty.name).or_else(|| schema.enums.get(&ty.name)) else {
        return "NULL".to_owned();
    };
    let label = literal(&labels[row % labels.len()]);
    if ty.array {
        format!("ARRAY[{label}]::{ty}")
    } else {
        format!("{label}::{ty}")
    }
}

/// Returns a value that every row of a NOT NULL column may have.
pub(super) fn any_value(schema: &Schema, ty: &DataType) -> String {
    value(schema, ty, &BTreeMap::new(), 1)
}

/// Returns the columns that are part of a key.
pub(super) fn keys(schema: &Schema) -> BTreeSet<(Name, String)> {
    let mut keys = BTreeSet::new();
    for (name, table) in &schema.tables {
        for constraint in table.constraints.values() {
            let columns: Vec<String> = match constraint {
                Constraint::PrimaryKey(key) | Constraint::Unique(key) => key.columns.clone(),
                Constraint::ForeignKey(key) => {
                    let target = key.references.iter();
                    keys.extend(target.map(|column| (key.table.clone(), column.clone())));
                    key.columns.clone()
                }
                Constraint::Exclude(exclusion) => {
                    let elements = exclusion.elements.iter();
                    elements
                        .filter_map(|(key, _)| key.expression.as_column())
                        .collect()
                }
                Constraint::Check { .. } => Vec::new(),
            };
            keys.extend(columns.into_iter().map(|column| (name.clone(), column)));
        }
        let unique = table.indexes.values().filter(|index| index.unique);
        for key in unique.flat_map(|index| &index.keys) {
            keys.extend(
                key.expression
                    .as_column()
                    .map(|column| (name.clone(), column)),
            );
        }
        let by = table.partition_by.iter().flat_map(|by| &by.keys);
        keys.extend(by.filter_map(|key| Some((name.clone(), key.expression.as_column()?))));
    }
    keys
}

/// Returns a query for the values of a table as sorted texts.
///
/// The query has one text column, made of these expressions.
pub(super) fn values(table: &Name, expressions: &[String]) -> String {
    let parts: Vec<String> = expressions
        .iter()
        .map(|expression| format!(", coalesce(({expression})::text, '(null)')"))
        .collect();
    format!(
        "SELECT concat_ws(' | ', ''{}) COLLATE \"C\" AS row FROM {table} ORDER BY 1",
        parts.concat()
    )
}
