//! Reads an insert type or a patch from a JSON object, and finds all errors at
//! once.

use crate::error::{Error, FieldError};
use crate::model::{ColumnDef, ColumnRole, Model, Table, nearest};
use crate::value::Patch;
use crate::value::{ColumnValue, Json, JsonMap, Problem};

/// Reads a JSON object field by field; used by generated code.
#[derive(Debug)]
pub struct JsonInput {
    table: &'static Table,
    map: JsonMap,
    errors: Vec<FieldError>,
}

impl JsonInput {
    /// Starts reading an object for a model.
    pub fn new<M: Model>(map: JsonMap) -> Self {
        Self {
            table: M::TABLE,
            map,
            errors: Vec::new(),
        }
    }

    /// Reads a required field.
    pub fn required<T: ColumnValue>(&mut self, column: usize) -> Option<T> {
        let column = self.column(column);
        match self.map.remove(column.name) {
            None => self.reject(column, Problem::new("is required")),
            Some(Json::Null) => self.reject(column, Problem::new("is required, not null")),
            Some(json) => self.read(column, json),
        }
    }

    /// Reads a field that may be absent or null.
    pub fn optional<T: ColumnValue>(&mut self, column: usize) -> Option<T> {
        let column = self.column(column);
        match self.map.remove(column.name) {
            None | Some(Json::Null) => None,
            Some(json) => self.read(column, json),
        }
    }

    /// Reads a field of a patch.
    pub fn patch<T: ColumnValue>(&mut self, column: usize) -> Patch<T> {
        let column = self.column(column);
        let read = match self.map.remove(column.name) {
            None => None,
            Some(Json::Null) => self.reject(column, Problem::new("must not be null")),
            Some(json) => self.read(column, json),
        };
        read.map_or(Patch::Keep, Patch::Set)
    }

    /// Reads a field of a patch that may be set to null.
    pub fn patch_nullable<T: ColumnValue>(&mut self, column: usize) -> Patch<Option<T>> {
        let column = self.column(column);
        match self.map.remove(column.name) {
            None => Patch::Keep,
            Some(Json::Null) => Patch::Set(None),
            Some(json) => self
                .read(column, json)
                .map_or(Patch::Keep, |value| Patch::Set(Some(value))),
        }
    }

    /// Returns the value, if all fields were valid and none is left.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every invalid, missing and unknown field.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Error> {
        let map = std::mem::take(&mut self.map);
        for (name, _) in map {
            let problem = self.unknown(&name);
            self.errors.push(FieldError::new(name, problem));
        }
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(Error::invalid(self.table.name, self.errors)),
        }
    }

    fn column(&self, index: usize) -> &'static ColumnDef {
        &self.table.columns[index]
    }

    fn read<T: ColumnValue>(&mut self, column: &ColumnDef, json: Json) -> Option<T> {
        match T::from_json(json) {
            Ok(value) => Some(value),
            // An error must not contain the value of a hidden field.
            Err(_) if column.hidden => self.reject(column, Problem::new("is not of its type")),
            Err(problem) => self.reject(column, problem),
        }
    }

    fn reject<T>(&mut self, column: &ColumnDef, problem: Problem) -> Option<T> {
        self.errors.push(FieldError::new(column.name, problem));
        None
    }

    /// The error of a field that cannot be set.
    fn unknown(&self, name: &str) -> String {
        if let Some(column) = self.table.column(name) {
            return match column.role {
                ColumnRole::CreatedAt => "is set when the record is created".to_owned(),
                ColumnRole::Plain => "is filled in by the database and cannot be set".to_owned(),
                _ => "is filled in by Lookback and cannot be set".to_owned(),
            };
        }
        let taken = || {
            self.table
                .columns
                .iter()
                .filter(|column| matches!(column.role, ColumnRole::Plain | ColumnRole::CreatedAt))
                .filter(|column| !column.generated)
                .map(|column| column.name)
        };
        match nearest(name, taken()) {
            Some(near) => format!(
                "is not a field of {}; did you mean {near}?",
                self.table.name
            ),
            None => format!(
                "is not a field of {}, which has {}",
                self.table.name,
                taken().collect::<Vec<_>>().join(", ")
            ),
        }
    }
}
