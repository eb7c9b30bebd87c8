//! Pages of what is found, which has no keys to go on from but its place.

use serde_json::json;

use super::cursor::{Cursor, Start};
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnRole, Table};
use crate::value::Problem;

/// Which of the hits are on a page.
///
/// Its cursors name the newest record there was before the first page: what is added
/// later is on none of the others, and so moves nothing from one to the next.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// What the list is of: cursors of another one are refused.
    of: String,
    pub(super) offset: u64,
    pub(super) limit: u32,
    /// The length of the pages, when the first of them is shorter.
    pages: u32,
    /// No record with a greater id is looked at.
    pub(super) until: Option<i64>,
}

impl Window {
    pub(super) fn new(
        table: &'static Table,
        of: String,
        offset: u64,
        limit: u32,
        start: Option<&Start>,
    ) -> Result<Self, Error> {
        let mut window = Self {
            of,
            offset,
            limit,
            pages: limit,
            until: None,
        };
        let (field, text) = match start {
            None => return Ok(window),
            Some(Start::After(text)) => ("after", text),
            Some(Start::Before(text)) => ("before", text),
        };
        let place = window
            .place(table, text)
            .map_err(|problem| Error::invalid_field(table.name, field, problem))?;
        let (place, until) = place;
        window.until = until;
        if field == "before" {
            window.offset = place.saturating_sub(u64::from(limit));
            window.limit = u32::try_from(place - window.offset).unwrap_or(limit);
        } else {
            window.offset = place;
        }
        Ok(window)
    }

    fn place(&self, table: &'static Table, text: &str) -> Result<(u64, Option<i64>), Problem> {
        let json = Cursor::decode(table, text)?;
        if json[2].as_str() != Some(&self.of) {
            return Err(Problem::new("is a cursor of another list than this search"));
        }
        let place = json[3][0]
            .as_u64()
            .filter(|place| i64::try_from(*place).is_ok());
        match (place, json[3][1].as_i64()) {
            (Some(place), until) => Ok((place, until)),
            (None, _) => Err(Problem::new("is a cursor that was changed, or cut")),
        }
    }

    /// Appends ` AND …`: no record that was added since the first page.
    pub(super) fn push_until(&self, table: &'static Table, sql: &mut Sql) -> Result<(), Error> {
        if let Some(until) = self.until {
            sql.push(&format!(
                " AND {} <= ",
                table.column_of(ColumnRole::Id).quoted()
            ));
            sql.bind(until)?;
        }
        Ok(())
    }

    /// The place after the last of the page.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.limit))
    }

    /// How many to read to know whether there is a next page.
    pub(super) fn with_next(&self) -> u64 {
        match self.limit {
            0 => 0,
            limit => u64::from(limit) + 1,
        }
    }

    /// The cursors of the next page, if there is more, and of the one before.
    pub(super) fn beside(
        &self,
        table: &'static Table,
        more: bool,
    ) -> (Option<Cursor>, Option<Cursor>) {
        let cursor = |place: u64| {
            Cursor::encode(&json!([
                Cursor::VERSION,
                table.name,
                self.of,
                [place, self.until]
            ]))
        };
        let next = (more && self.pages > 0).then(|| cursor(self.end()));
        let previous = (self.offset > 0 && self.pages > 0).then(|| cursor(self.offset));
        (next, previous)
    }
}
