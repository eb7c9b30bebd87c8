//! The search fields of a table, in SQL.

use super::Table;
use crate::value::ColumnType;

/// What is searched of a row: its search fields in lower case, each on a line
/// of its own. A trigram index that serves a search is on this expression.
pub(crate) fn search_text(table: &'static Table) -> String {
    let fields = search_texts(table);
    match fields.is_empty() {
        true => "''::text".to_owned(),
        false => format!("lower({})", fields.join(" || E'\\n' || ")),
    }
}

/// The texts of the search fields of a row as an array, each cut to a number of
/// characters.
pub(crate) fn search_fields(table: &'static Table, cut: Option<u32>) -> String {
    let fields: Vec<String> = search_texts(table)
        .into_iter()
        .map(|text| match cut {
            Some(cut) => format!("left({text}, {cut})"),
            None => text,
        })
        .collect();
    format!("ARRAY[{}]::text[]", fields.join(", "))
}

/// The text of each search field of a row, in their order.
pub(crate) fn search_texts(table: &'static Table) -> Vec<String> {
    let text = |index: &usize| {
        let column = &table.columns[*index];
        let text = match column.ty {
            ColumnType::Text => column.quoted(),
            _ => format!("{}::text", column.quoted()),
        };
        match column.nullable {
            true => format!("coalesce({text}, '')"),
            false => text,
        }
    };
    table.search.iter().map(text).collect()
}

/// The search fields, as text, in SQL.
pub(crate) fn encoder_texts(table: &'static Table) -> Vec<String> {
    table
        .search
        .iter()
        .map(|index| match table.columns[*index].ty {
            ColumnType::Array(_) => {
                format!("array_to_json({})::text", table.columns[*index].quoted())
            }
            _ => format!("{}::text", table.columns[*index].quoted()),
        })
        .collect()
}
