//! The keys that records are counted by, in SQL: columns, and places in their JSON.

use std::collections::BTreeMap;

use crate::filter::document;
use crate::model::{RollupKey, Table, literal};
use crate::value::ColumnType;

/// A key that records are counted by.
pub(super) struct Key {
    /// The column, as an identifier.
    column: String,
    ty: ColumnType,
    path: &'static [&'static str],
    ignore_key_case: bool,
}

impl Key {
    pub(super) fn of(table: &'static Table, key: &'static RollupKey) -> Self {
        let column = &table.columns[key.column];
        Self {
            column: column.quoted(),
            ty: column.ty,
            path: key.path,
            ignore_key_case: column.ignore_key_case,
        }
    }

    pub(super) fn is_in_json(&self) -> bool {
        !self.path.is_empty()
    }

    /// The value of a record, which is the same as its text.
    pub(super) fn value(&self) -> String {
        if self.is_in_json() {
            self.text("")
        } else {
            self.column.clone()
        }
    }

    /// The value of a record as text; that of a place in JSON as JSON, and NULL if there is
    /// none. `row` is a prefix of columns.
    pub(super) fn text(&self, row: &str) -> String {
        let column = format!("{row}{}", self.column);
        let (document, path) = match self.path.split_first() {
            None => return format!("{column}::text"),
            Some((first, rest)) if self.ignore_key_case => {
                (document(&column, &literal(first)), rest)
            }
            Some(_) => (column, self.path),
        };
        let path: Vec<String> = path.iter().map(|key| literal(key)).collect();
        format!("({document} #> ARRAY[{}]::text[])::text", path.join(", "))
    }
}

/// The columns that keys are of, as expressions of `keys`, the values of the first of them:
/// each with its name. A column of JSON has the places that are counted by, and no others.
pub(super) fn columns_of_keys(keys: &[Key]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let name = &key.column;
        if keys[..index].iter().any(|other| other.column == *name) {
            continue;
        }
        let value = if key.is_in_json() {
            let places = (1..).zip(keys).filter(|(_, other)| other.column == *name);
            json(places.map(|(place, key)| (place, key.path)).collect())
        } else {
            match key.ty {
                ColumnType::Text => format!("keys[{}]", index + 1),
                other => format!("keys[{}]::{}", index + 1, other.sql()),
            }
        };
        columns.push(format!("{value} AS {name}"));
    }
    columns
}

/// The names of the columns that keys are of.
pub(super) fn names_of_keys(keys: &[Key]) -> Vec<String> {
    let mut names: Vec<String> = keys.iter().map(|key| key.column.clone()).collect();
    let mut known = std::collections::HashSet::new();
    names.retain(|name| known.insert(name.clone()));
    names
}

/// An object with the values of these places at their paths.
fn json(places: Vec<(usize, &[&str])>) -> String {
    let mut members: BTreeMap<&str, Vec<(usize, &[&str])>> = BTreeMap::new();
    for (place, path) in places {
        if let Some((first, rest)) = path.split_first() {
            members.entry(first).or_default().push((place, rest));
        }
    }
    let members = members.into_iter().map(|(name, places)| {
        let name = literal(name);
        match places.as_slice() {
            [(place, [])] => format!(
                "CASE WHEN keys[{place}] IS NULL THEN '{{}}' ELSE jsonb_build_object({name}, keys[{place}]::jsonb) END"
            ),
            _ => format!("jsonb_build_object({name}, {})", json(places)),
        }
    });
    format!("({})", members.collect::<Vec<_>>().join(" || "))
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn json_has_each_place_at_its_path() {
        let value = |place: usize, name: &str| {
            format!(
                "CASE WHEN keys[{place}] IS NULL THEN '{{}}' ELSE \
                 jsonb_build_object('{name}', keys[{place}]::jsonb) END"
            )
        };
        assert_eq!(
            json(vec![(2, &["route"])]),
            format!("({})", value(2, "route"))
        );
        assert_eq!(
            json(vec![(1, &["a", "b"]), (4, &["c"]), (3, &["a", "d"])]),
            format!(
                "(jsonb_build_object('a', ({} || {})) || {})",
                value(1, "b"),
                value(3, "d"),
                value(4, "c")
            )
        );
    }
}
