//! Pages by offset of search results, which have no keys for a cursor.

use super::cursor::{Cursor, PageStart};
use crate::db::Sql;
use crate::error::Error;
use crate::json;
use crate::model::{ColumnRole, Table};
use crate::value::Problem;

/// The range of hits on a page.
///
/// Its cursors contain the newest id before the first page: later records are on
/// none of the other pages, so that no hit moves from one page to another.
#[derive(Clone, Debug)]
pub(super) struct OffsetPage {
    /// Identifies the list; cursors of another one are rejected.
    list: String,
    pub(super) offset: u64,
    pub(super) limit: u32,
    /// The length of full pages; the first page may be shorter.
    full_length: u32,
    /// The greatest id of the list.
    pub(super) until: Option<i64>,
}

impl OffsetPage {
    pub(super) fn new(
        table: &'static Table,
        list: String,
        offset: u64,
        limit: u32,
        start: Option<&PageStart>,
    ) -> Result<Self, Error> {
        let mut page = Self {
            list,
            offset,
            limit,
            full_length: limit,
            until: None,
        };
        let (field, text) = match start {
            None => return Ok(page),
            Some(PageStart::After(text)) => ("after", text),
            Some(PageStart::Before(text)) => ("before", text),
        };
        let place = page
            .place(table, text)
            .map_err(|problem| Error::invalid_field(table.name, field, problem))?;
        let (place, until) = place;
        page.until = until;
        if field == "before" {
            page.offset = place.saturating_sub(u64::from(limit));
            page.limit = u32::try_from(place - page.offset).unwrap_or(limit);
        } else {
            page.offset = place;
        }
        Ok(page)
    }

    fn place(&self, table: &'static Table, text: &str) -> Result<(u64, Option<i64>), Problem> {
        let json = Cursor::decode(table, text)?;
        if json[2].as_str() != Some(&self.list) {
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

    /// Appends ` AND …`: no record added since the first page.
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

    /// The offset after the page.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.limit))
    }

    /// The number of hits to read to know whether there is a next page.
    pub(super) fn with_next(&self) -> u64 {
        match self.limit {
            0 => 0,
            limit => u64::from(limit) + 1,
        }
    }

    /// The cursors of the next page, if there is more, and of the previous page.
    pub(super) fn beside(
        &self,
        table: &'static Table,
        more: bool,
    ) -> (Option<Cursor>, Option<Cursor>) {
        let cursor = |place: u64| {
            Cursor::encode(&json!([
                Cursor::VERSION,
                table.name,
                self.list,
                [place, self.until]
            ]))
        };
        let next = (more && self.full_length > 0).then(|| cursor(self.end()));
        let previous = (self.offset > 0 && self.full_length > 0).then(|| cursor(self.offset));
        (next, previous)
    }
}
