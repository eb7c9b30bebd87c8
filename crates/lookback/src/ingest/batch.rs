//! A batch: rows of a COPY, encoded once, and who waits for them.

use sqlx::postgres::PgArgumentBuffer;

use super::intake::Waiter;
use crate::error::Error;
use crate::model::{ColumnDef, ColumnValues, Model as _};
use crate::write::copy::{HEADER, TRAILER, encode};
use crate::write::given_columns;

/// Records that are stored in one transaction. Their rows do not change any
/// more.
#[derive(Debug)]
pub(super) struct Batch {
    /// The number of its first record; none if it is of another process.
    pub(super) first: Option<u64>,
    pub(super) groups: Vec<Group>,
}

/// Rows that have a value for the same columns: all rows of a batch, unless
/// records of the model may leave columns to the database.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) columns: Vec<&'static ColumnDef>,
    /// The whole COPY, with its header and its end.
    pub(super) bytes: Vec<u8>,
    /// Where each row ends.
    pub(super) ends: Vec<usize>,
    /// Who waits for which row, in the order of the rows.
    pub(super) waiters: Vec<(usize, Waiter)>,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where the rows `from..to` are in `bytes`.
    pub(super) fn span(&self, from: usize, to: usize) -> std::ops::Range<usize> {
        let end_of = |rows: usize| match rows.checked_sub(1) {
            Some(last) => self.ends[last],
            None => HEADER.len(),
        };
        end_of(from)..end_of(to)
    }

    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.span(row, row + 1)]
    }
}

impl Batch {
    pub(super) fn rows(&self) -> usize {
        self.groups.iter().map(Group::len).sum()
    }
}

/// A batch being made.
pub(super) struct Building {
    first: u64,
    groups: Vec<Open>,
    rows: usize,
    bytes: usize,
}

struct Open {
    /// The columns that its records leave to the database, by their places.
    left: Vec<usize>,
    columns: Vec<&'static ColumnDef>,
    buffer: PgArgumentBuffer,
    ends: Vec<usize>,
    waiters: Vec<(usize, Waiter)>,
}

impl Building {
    pub(super) fn new(first: u64) -> Self {
        Self {
            first,
            groups: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a record, or gives back who waits for it.
    ///
    /// `room` is about how many bytes and rows the batch will have.
    pub(super) fn add<N: ColumnValues>(
        &mut self,
        record: &N,
        waiter: Option<Waiter>,
        now: chrono::DateTime<chrono::Utc>,
        room: (usize, usize),
    ) -> Result<(), (Option<Waiter>, Error)> {
        let left = left_to_the_database(record);
        let known = self.groups.iter().position(|group| group.left == left);
        let group = match known {
            Some(place) => &mut self.groups[place],
            None => {
                // Only the first is likely to be a large one.
                let (bytes, rows) = if self.groups.is_empty() { room } else { (0, 0) };
                let mut buffer = PgArgumentBuffer::default();
                buffer.reserve(bytes);
                buffer.extend_from_slice(HEADER);
                self.groups.push(Open {
                    left,
                    columns: given_columns(record),
                    buffer,
                    ends: Vec::with_capacity(rows),
                    waiters: Vec::new(),
                });
                let last = self.groups.len() - 1;
                &mut self.groups[last]
            }
        };
        let before = group.buffer.len();
        if let Err(error) = encode(record, now, &mut group.buffer) {
            group.buffer.truncate(before);
            return Err((waiter, Error::Driver(sqlx::Error::Encode(error))));
        }
        if let Some(waiter) = waiter {
            group.waiters.push((group.ends.len(), waiter));
        }
        group.ends.push(group.buffer.len());
        self.rows += 1;
        self.bytes += group.buffer.len() - before;
        Ok(())
    }

    pub(super) fn finish(self) -> Batch {
        let groups = self.groups.into_iter().map(|mut open| {
            open.buffer.extend_from_slice(&TRAILER);
            Group {
                columns: open.columns,
                bytes: std::mem::take(&mut *open.buffer),
                ends: open.ends,
                waiters: open.waiters,
            }
        });
        Batch {
            first: Some(self.first),
            groups: groups.collect(),
        }
    }
}

fn left_to_the_database<N: ColumnValues>(record: &N) -> Vec<usize> {
    let columns = N::Model::TABLE.columns.iter().enumerate();
    columns
        .filter(|(index, column)| column.database_default && record.value(*index).is_none())
        .map(|(index, _)| index)
        .collect()
}
