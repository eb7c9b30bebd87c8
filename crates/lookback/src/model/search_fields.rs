//! The search fields of a table, in SQL.

use super::Table;
use crate::letters::lower_sql;
use crate::value::ColumnType;

/// The searched text of a row: its search fields in lower case, one per line. A
/// trigram index for searches is on this expression.
pub(crate) fn search_text(table: &'static Table) -> String {
    let fields = search_texts(table);
    if fields.is_empty() {
        "''::text".to_owned()
    } else {
        format!("({})", lower_sql(&fields.join(" || E'\\n' || ")))
    }
}

/// Returns the SQL condition that a search field of a row is not of ASCII characters
/// alone.
pub(crate) fn search_is_not_ascii(table: &'static Table) -> String {
    // Listed values are names in code.
    let texts = table.search.iter().zip(search_texts(table));
    let texts = texts.filter(|(index, _)| table.columns[**index].variants.is_empty());
    let fields = texts.map(|(_, text)| format!("octet_length({text}) > length({text})"));
    let fields: Vec<String> = fields.collect();
    if fields.is_empty() {
        "FALSE".to_owned()
    } else {
        fields.join(" OR ")
    }
}

/// The texts of the search fields of a row as an array, each truncated to a number
/// of characters.
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

/// The text of each search field of a row, in order. NULL is the empty text.
pub(crate) fn search_texts(table: &'static Table) -> Vec<String> {
    let text = |index: &usize| {
        let column = &table.columns[*index];
        let text = match column.ty {
            ColumnType::Text => column.quoted(),
            _ => format!("{}::text", column.quoted()),
        };
        if column.nullable {
            format!("coalesce({text}, '')")
        } else {
            text
        }
    };
    table.search.iter().map(text).collect()
}

/// The search fields as text for the encoder, in order.
///
/// They differ from [`search_texts`]: NULL stays NULL, and an array is JSON, because
/// the encoder reads its elements (`write::search_values`). A search uses the text of
/// the column itself.
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
