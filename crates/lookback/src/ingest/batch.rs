//! Batches: encoded rows of a COPY, and the callers that wait for them.

use sqlx::postgres::PgArgumentBuffer;

use super::queue::Waiter;
use crate::error::Error;
use crate::model::{ColumnDef, ColumnValues, Model as _};
use crate::write::copy::{HEADER, TRAILER, encode};
use crate::write::given_columns;

/// Records that are stored in one transaction; their rows no longer change.
#[derive(Debug)]
pub(super) struct Batch {
    /// The number of its first record; `None` for a batch of another process.
    pub(super) first: Option<u64>,
    pub(super) groups: Vec<Group>,
}

/// Rows with values for the same columns.
///
/// All rows of a batch, unless records of the model may leave columns to the database.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) columns: Vec<&'static ColumnDef>,
    /// The whole COPY, with header and trailer.
    pub(super) bytes: Vec<u8>,
    /// The end of each row in `bytes`.
    pub(super) ends: Vec<usize>,
    /// The callers that wait, by row, in the order of the rows.
    pub(super) waiters: Vec<(usize, Waiter)>,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The range of the rows `from..to` in `bytes`.
    pub(super) fn byte_range(&self, from: usize, to: usize) -> std::ops::Range<usize> {
        let end_of = |rows: usize| match rows.checked_sub(1) {
            Some(last) => self.ends[last],
            None => HEADER.len(),
        };
        end_of(from)..end_of(to)
    }

    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.byte_range(row, row + 1)]
    }
}

impl Batch {
    pub(super) fn rows(&self) -> usize {
        self.groups.iter().map(Group::len).sum()
    }
}

/// A batch that is being built.
pub(super) struct BatchBuilder {
    first: u64,
    groups: Vec<GroupBuilder>,
    rows: usize,
    bytes: usize,
}

struct GroupBuilder {
    /// Indexes of the columns that its records leave to the database.
    left: Vec<usize>,
    columns: Vec<&'static ColumnDef>,
    buffer: PgArgumentBuffer,
    ends: Vec<usize>,
    waiters: Vec<(usize, Waiter)>,
}

impl BatchBuilder {
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

    /// Appends a record, or returns its waiter with the error.
    ///
    /// `room` is the approximate number of bytes and rows of a full batch.
    pub(super) fn add<N: ColumnValues>(
        &mut self,
        record: &N,
        waiter: Option<Waiter>,
        now: chrono::DateTime<chrono::Utc>,
        room: (usize, usize),
    ) -> Result<(), (Option<Waiter>, Error)> {
        let left = database_defaults(record);
        let known = self.groups.iter().position(|group| group.left == left);
        let group = match known {
            Some(place) => &mut self.groups[place],
            None => {
                // Only the first group is likely to be large.
                let (bytes, rows) = if self.groups.is_empty() { room } else { (0, 0) };
                let mut buffer = PgArgumentBuffer::default();
                buffer.reserve(bytes);
                buffer.extend_from_slice(HEADER);
                self.groups.push(GroupBuilder {
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
            return Err((waiter, Error::from(sqlx::Error::Encode(error))));
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
        let groups = self.groups.into_iter().map(|mut group| {
            group.buffer.extend_from_slice(&TRAILER);
            Group {
                columns: group.columns,
                bytes: std::mem::take(&mut *group.buffer),
                ends: group.ends,
                waiters: group.waiters,
            }
        });
        Batch {
            first: Some(self.first),
            groups: groups.collect(),
        }
    }
}

fn database_defaults<N: ColumnValues>(record: &N) -> Vec<usize> {
    let columns = N::Model::TABLE.columns.iter().enumerate();
    columns
        .filter(|(index, column)| column.database_default && record.value(*index).is_none())
        .map(|(index, _)| index)
        .collect()
}
