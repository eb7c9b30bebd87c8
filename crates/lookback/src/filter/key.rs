//! The key of a filter, left of the `=`: a field, a path into it, and a lookup.

use crate::db::Sql;
use crate::error::{Error, FieldError};
use crate::filter::format::quote_key;
use crate::filter::lexer::{Lexer, excerpt};
use crate::filter::lookup::{DEFAULT, json_columns};
use crate::filter::validate::validate_path;
use crate::letters::lower_sql;
use crate::model::{ColumnDef, Table, nearest};
use crate::value::{ColumnType, Parameter, Problem, Value};

/// A column, or a path into its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldPath {
    /// The index of the column in its model.
    pub(crate) column: usize,
    /// The path into JSON; empty for the column itself.
    pub(crate) path: Vec<String>,
}

impl FieldPath {
    /// The column itself.
    pub(crate) fn of_column(column: usize) -> Self {
        Self {
            column,
            path: Vec::new(),
        }
    }

    /// Whether it is a place in JSON.
    pub(crate) fn is_in_json(&self) -> bool {
        !self.path.is_empty()
    }

    /// The value at the path in SQL, whose keys are bound; NULL where JSON has none, or null.
    pub(crate) fn json_value(&self, table: &Table, sql: &mut Sql) -> Result<String, Error> {
        let (document, keys) = document_and_keys(&table.columns[self.column], &self.path, sql)?;
        Ok(format!("nullif({document} #> {keys}, 'null')"))
    }

    /// Formats the column and the path as in a key.
    ///
    /// A column without a path is its name.
    pub(crate) fn to_text(&self, column: &ColumnDef) -> String {
        if self.path.is_empty() {
            return column.name.to_owned();
        }
        let mut text = quote_key(column.name);
        for key in &self.path {
            text.push('.');
            text.push_str(&quote_key(key));
        }
        text
    }
}

/// The document in SQL that a path leads into, and the bound array of the keys in it.
///
/// If the case of the first key is ignored, the document is the value of that key.
pub(super) fn document_and_keys(
    column: &ColumnDef,
    path: &[String],
    sql: &mut Sql,
) -> Result<(String, String), Error> {
    let name = column.quoted();
    let (document, path) = match path.split_first() {
        Some((first, rest)) if column.ignore_key_case => {
            let key = sql.argument(Parameter {
                ty: ColumnType::Text,
                value: Value::Text(first.as_str().into()),
            })?;
            (document(&name, &key), rest)
        }
        _ => (name, path),
    };
    let keys = path.iter().map(|key| Value::Text(key.as_str().into()));
    let keys = sql.argument(Parameter {
        ty: ColumnType::Array(&ColumnType::Text),
        value: Value::Array(&ColumnType::Text, keys.collect()),
    })?;
    Ok((document, keys))
}

/// The value of a key in a document, in SQL, if it is an object, in upper and lower case. One
/// with the same case is taken before others.
pub(crate) fn document(name: &str, key: &str) -> String {
    let (lower_name, lower_key) = (lower_sql("__member.key"), lower_sql(key));
    // The members of a value that is not an object would be an error.
    format!(
        "(SELECT __member.value FROM jsonb_each(CASE jsonb_typeof({name}) WHEN 'object' \
         THEN {name} END) AS __member WHERE ({lower_name}) = ({lower_key}) \
         ORDER BY __member.key <> {key}, __member.key COLLATE \"C\" LIMIT 1)"
    )
}

/// The suffix of a key whose value is the name of another field.
pub(super) const FIELD: &str = "field";

/// Removes the suffix of a key whose value is the name of another field; `None` if it has
/// none.
pub(super) fn without_field_suffix<'a>(table: &'static Table, key: &'a str) -> Option<&'a str> {
    match split_field(table, key) {
        (rest, Some(FIELD)) => Some(rest),
        _ => None,
    }
}

/// Parses `field`, `field__lookup` or `field.key."odd key".0__lookup` into the
/// path and the name of the lookup.
pub(super) fn parse<'a>(
    table: &'static Table,
    key: &'a str,
) -> Result<(FieldPath, &'a str), FieldError> {
    let (field, lookup) = split_field(table, key);
    let lookup = lookup.unwrap_or(DEFAULT);
    let path = resolve(table, field, key)?;
    Ok((path, lookup))
}

/// Parses a field that is ordered by, selected, grouped by or measured.
pub(crate) fn field_path(table: &'static Table, field: &str) -> Result<FieldPath, Error> {
    let invalid = |error| Error::invalid(table.name, vec![error]);
    let path = resolve(table, field, field).map_err(invalid)?;
    validate_path(&path.path)
        .map_err(|problem| invalid(FieldError::new(excerpt(field), problem)))?;
    Ok(path)
}

/// Finds the column of a field and the path into it; an error names `key`.
fn resolve(table: &'static Table, field: &str, key: &str) -> Result<FieldPath, FieldError> {
    if let Some(column) = column_index(table, field) {
        return Ok(FieldPath::of_column(column));
    }
    let invalid = |problem: Problem| FieldError::new(excerpt(key), problem);
    let mut names = parse_path(field).map_err(invalid)?;
    // The name of a column may contain a dot: the longest name that is a column counts.
    let known = (1..=names.len().min(max_name_parts(table)))
        .rev()
        .find_map(|count| column_index(table, &names[..count].join(".")).map(|at| (count, at)));
    let Some((count, column)) = known else {
        return Err(unknown(table, &names[0]));
    };
    let path = names.split_off(count);
    let def = &table.columns[column];
    if !path.is_empty() && def.ty != ColumnType::Jsonb {
        return Err(invalid(Problem::new(format!(
            "{} is {} and no JSON with keys in it{}",
            def.name,
            def.ty.sql(),
            json_columns(table)
        ))));
    }
    Ok(FieldPath { column, path })
}

/// The most parts, separated by dots, that the name of a column has.
fn max_name_parts(table: &Table) -> usize {
    let dots = |column: &ColumnDef| column.name.matches('.').count();
    table.columns.iter().map(dots).max().unwrap_or(0) + 1
}

/// Splits a field from its suffix after the last `__`: the lookup of a filter,
/// the place of NULL in an order, the function or bucket of an aggregate.
///
/// The whole name of a column is not split, and a name in quotes may contain any
/// character.
pub(crate) fn split_field<'a>(table: &'static Table, text: &'a str) -> (&'a str, Option<&'a str>) {
    if column_index(table, text).is_some() {
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

/// Parses `user.id`, `tags.0` or `"odd.key".id`.
pub(super) fn parse_path(text: &str) -> Result<Vec<String>, Problem> {
    let mut lexer = Lexer::new(text);
    let mut names = Vec::new();
    loop {
        let name = match lexer.quoted()? {
            Some(name) => name,
            None => lexer.until(&['.', '"']).to_owned(),
        };
        if name.is_empty() && !text[..lexer.at()].ends_with('"') && lexer.peek() != Some('"') {
            return Err(Problem::new(format!(
                "a name is missing at character {} (\"\" is the empty key)",
                lexer.position()
            )));
        }
        names.push(name);
        if lexer.is_at_end() {
            return Ok(names);
        }
        lexer.expect('.', "a dot between two names, or the end")?;
    }
}

/// The index of a column that text may filter, order and select by.
///
/// Hidden columns are excluded: otherwise patterns could find out a password hash
/// letter by letter. The exception is `deleted_at`, which has no secret.
pub(crate) fn searchable(table: &'static Table, name: &str) -> Result<usize, Error> {
    column_index(table, name).ok_or_else(|| Error::invalid(table.name, vec![unknown(table, name)]))
}

pub(super) fn column_index(table: &'static Table, name: &str) -> Option<usize> {
    let mut columns = table.columns.iter();
    columns.position(|column| column.name == name && is_open(column))
}

pub(super) fn is_open(column: &ColumnDef) -> bool {
    column.is_filterable()
}

fn unknown(table: &'static Table, name: &str) -> FieldError {
    let open = table.columns.iter().filter(|column| is_open(column));
    let names: Vec<&str> = open.map(|column| column.name).collect();
    if let Some((column, keys)) = name.split_once("__")
        && table
            .columns
            .iter()
            .any(|def| def.name == column && is_open(def) && def.ty == ColumnType::Jsonb)
    {
        let path = format!("{column}.{}", keys.replace("__", "."));
        let problem = format!(
            "is not a field of {}; a path into JSON has dots: {path}",
            table.name
        );
        return FieldError::new(excerpt(name), problem);
    }
    if ["and", "or", "not"]
        .iter()
        .any(|group| name.eq_ignore_ascii_case(group))
    {
        let group = name.to_ascii_lowercase();
        let problem = format!(
            "is not a field of {}; did you mean a group, {group}=(…)?",
            table.name
        );
        return FieldError::new(excerpt(name), problem);
    }
    let problem = match nearest(name, names.iter().copied()) {
        Some(near) => format!("is not a field of {}; did you mean {near}?", table.name),
        None => format!(
            "is not a field of {}, which has {}",
            table.name,
            names.join(", ")
        ),
    };
    FieldError::new(excerpt(name), problem)
}
