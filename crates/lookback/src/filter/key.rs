//! What stands left of the `=`: a field, a path into it, and a lookup.

use crate::error::{Error, FieldError};
use crate::filter::lookup::documents;
use crate::filter::scan::{Scanner, shown};
use crate::model::{ColumnDef, ColumnRole, Table, nearest};
use crate::value::{ColumnType, Problem};

/// The place that a filter asks about.
#[derive(Debug)]
pub(super) struct Place {
    /// The place of the column in its model.
    pub(super) column: usize,
    /// The path into JSON; empty for the column itself.
    pub(super) path: Vec<String>,
}

/// Reads `field`, `field__lookup` or `field.key."odd key".0__lookup`: where,
/// and the name of the lookup.
pub(super) fn read<'a>(
    table: &'static Table,
    key: &'a str,
) -> Result<(Place, &'a str), FieldError> {
    let (field, lookup) = split_field(table, key);
    let lookup = lookup.unwrap_or("eq");
    if let Some(column) = place_of(table, field) {
        let path = Vec::new();
        return Ok((Place { column, path }, lookup));
    }
    let wrong = |problem: Problem| FieldError::new(shown(key), problem);
    let mut names = path_of(field).map_err(wrong)?;
    // The name of a column may have a dot in it: the longest that is one counts.
    let known = (1..=names.len().min(most_names(table)))
        .rev()
        .find_map(|count| place_of(table, &names[..count].join(".")).map(|at| (count, at)));
    let Some((count, column)) = known else {
        return Err(unknown(table, &names[0]));
    };
    let path = names.split_off(count);
    let def = &table.columns[column];
    if !path.is_empty() && def.ty != ColumnType::Jsonb {
        return Err(wrong(Problem::new(format!(
            "{} is {} and no JSON with keys in it{}",
            def.name,
            def.ty.sql(),
            documents(table)
        ))));
    }
    Ok((Place { column, path }, lookup))
}

/// How many names with dots between them the name of a column may be.
fn most_names(table: &Table) -> usize {
    let dots = |column: &ColumnDef| column.name.matches('.').count();
    table.columns.iter().map(dots).max().unwrap_or(0) + 1
}

/// A field, and what follows it after the last `__`: a lookup of a filter, a
/// place for null of an order, a function or a stretch of an aggregate.
///
/// What is the name of a column as a whole is not split, and a name in quotes
/// may hold anything.
pub(crate) fn split_field<'a>(table: &'static Table, text: &'a str) -> (&'a str, Option<&'a str>) {
    if place_of(table, text).is_some() {
        return (text, None);
    }
    let unquoted_from = text.rfind('"').map_or(0, |at| at + 1);
    match text[unquoted_from..].rfind("__") {
        // `__typename` is a name.
        Some(at) if unquoted_from + at > 0 && !text[..unquoted_from + at].ends_with('.') => {
            let at = unquoted_from + at;
            (&text[..at], Some(&text[at + 2..]))
        }
        _ => (text, None),
    }
}

/// Reads `user.id`, `tags.0` or `"odd.key".id`.
pub(super) fn path_of(text: &str) -> Result<Vec<String>, Problem> {
    let mut scanner = Scanner::new(text);
    let mut names = Vec::new();
    loop {
        let name = match scanner.quoted()? {
            Some(name) => name,
            None => scanner.until(&['.', '"']).to_owned(),
        };
        if name.is_empty() && !text[..scanner.at()].ends_with('"') && scanner.peek() != Some('"') {
            return Err(Problem::new(format!(
                "a name is missing at character {} (\"\" is the empty key)",
                scanner.position()
            )));
        }
        names.push(name);
        if scanner.is_at_end() {
            return Ok(names);
        }
        scanner.expect('.', "a dot between two names, or the end")?;
    }
}

/// The place of a column that text may filter and order by.
///
/// Hidden columns are not: what cannot be read cannot be asked about either,
/// or a pattern could spell a password hash out letter by letter. The one
/// exception is `deleted_at`, which holds no secret.
pub(crate) fn searchable(table: &'static Table, name: &str) -> Result<usize, Error> {
    place_of(table, name).ok_or_else(|| Error::invalid(table.name, vec![unknown(table, name)]))
}

fn place_of(table: &'static Table, name: &str) -> Option<usize> {
    let mut columns = table.columns.iter();
    columns.position(|column| column.name == name && is_open(column))
}

pub(super) fn is_open(column: &ColumnDef) -> bool {
    !column.hidden || column.role == ColumnRole::DeletedAt
}

fn unknown(table: &'static Table, name: &str) -> FieldError {
    let open = table.columns.iter().filter(|column| is_open(column));
    let names: Vec<&str> = open.map(|column| column.name).collect();
    let problem = match nearest(name, names.iter().copied()) {
        Some(near) => format!("is not a field of {}; did you mean {near}?", table.name),
        None => format!(
            "is not a field of {}, which has {}",
            table.name,
            names.join(", ")
        ),
    };
    FieldError::new(shown(name), problem)
}
