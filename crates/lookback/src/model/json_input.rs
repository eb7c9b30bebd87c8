//! From a JSON object to an insert type or a patch, with every mistake found
//! in one go.

use crate::error::{Error, FieldError};
use crate::model::{ColumnDef, ColumnRole, Model, Table, nearest};
use crate::value::Patch;
use crate::value::{ColumnValue, Json, JsonMap, Problem};

/// A JSON object being read field by field; used by generated code.
#[derive(Debug)]
pub struct JsonInput {
    table: &'static Table,
    map: JsonMap,
    wrong: Vec<FieldError>,
}

impl JsonInput {
    /// Starts to read an object for a model.
    pub fn new<M: Model>(map: JsonMap) -> Self {
        Self {
            table: M::TABLE,
            map,
            wrong: Vec::new(),
        }
    }

    /// A field that must be there.
    pub fn required<T: ColumnValue>(&mut self, column: usize) -> Option<T> {
        let column = self.column(column);
        match self.map.remove(column.name) {
            None => self.refuse(column, Problem::new("is required")),
            Some(Json::Null) => self.refuse(column, Problem::new("is required, not null")),
            Some(json) => self.read(column, json),
        }
    }

    /// A field that may be absent or null.
    pub fn optional<T: ColumnValue>(&mut self, column: usize) -> Option<T> {
        let column = self.column(column);
        match self.map.remove(column.name) {
            None | Some(Json::Null) => None,
            Some(json) => self.read(column, json),
        }
    }

    /// A field of a patch.
    pub fn patch<T: ColumnValue>(&mut self, column: usize) -> Patch<T> {
        let column = self.column(column);
        let read = match self.map.remove(column.name) {
            None => None,
            Some(Json::Null) => self.refuse(column, Problem::new("must not be null")),
            Some(json) => self.read(column, json),
        };
        read.map_or(Patch::Keep, Patch::Set)
    }

    /// A field of a patch that may be set to null.
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

    /// The value, if nothing was wrong and nothing is left over.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every wrong, missing and unknown field.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Error> {
        let map = std::mem::take(&mut self.map);
        for (name, _) in map {
            let problem = self.unknown(&name);
            self.wrong.push(FieldError::new(name, problem));
        }
        match value {
            Some(value) if self.wrong.is_empty() => Ok(value),
            _ => Err(Error::invalid(self.table.name, self.wrong)),
        }
    }

    fn column(&self, index: usize) -> &'static ColumnDef {
        &self.table.columns[index]
    }

    fn read<T: ColumnValue>(&mut self, column: &ColumnDef, json: Json) -> Option<T> {
        match T::from_json(json) {
            Ok(value) => Some(value),
            // The value of a hidden field is not for an error message.
            Err(_) if column.hidden => self.refuse(column, Problem::new("is not of its type")),
            Err(problem) => self.refuse(column, problem),
        }
    }

    fn refuse<T>(&mut self, column: &ColumnDef, problem: Problem) -> Option<T> {
        self.wrong.push(FieldError::new(column.name, problem));
        None
    }

    /// What to say of a field that no column takes.
    fn unknown(&self, name: &str) -> String {
        if let Some(column) = self.table.column(name) {
            return match column.role {
                ColumnRole::CreatedAt => "is set when the record is made".to_owned(),
                ColumnRole::Plain => "is filled in by the database and cannot be given".to_owned(),
                _ => "is filled in by Lookback and cannot be given".to_owned(),
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
