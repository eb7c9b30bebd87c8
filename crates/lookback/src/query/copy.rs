//! Many records at once, by binary COPY.
//!
//! The format: PostgreSQL manual, "COPY", section "Binary Format".

use sqlx::encode::IsNull;
use sqlx::postgres::PgArgumentBuffer;
use sqlx::{Connection as _, PgConnection};

use super::QueryBuilder;
use super::few::{self, are_few};
use super::write::{check_record, given, now, quoted_list, row};
use crate::db::{Db, Together, Whole};
use crate::error::{Error, FieldError};
use crate::model::{Assign, ColumnDef, Model, Table};
use crate::value::Value;

/// Signature, flags (none) and length of the header extension (none).
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
pub(crate) const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Sent as soon as it has grown to this many bytes.
pub(crate) const CHUNK: usize = 256 * 1024;

impl<M: Model> QueryBuilder<M> {
    /// Inserts many records in one statement, all or none of them, and returns
    /// how many: by binary COPY, or by `INSERT` if they are few.
    ///
    /// Every record is checked before the first is sent; the times and the
    /// embedding are filled in as in [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] with every wrong field of every wrong record, or
    /// with the first that the database itself refuses; each names the place
    /// of its record, from 0. [`Error::is_conflict`] if one clashes.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, it stores nothing. With a pool that is all;
    /// a connection or transaction of the caller's is then in the middle of a
    /// COPY and has to be closed.
    pub async fn create_many<'c>(
        &self,
        db: impl Into<Db<'c>>,
        records: &[M::New],
    ) -> Result<u64, Error> {
        let table = M::TABLE;
        self.nothing_asked("records to create")?;
        self.not_only_deleted("records to create")?;
        let wrong: Vec<FieldError> = records
            .iter()
            .enumerate()
            .filter_map(|(place, record)| Some((place, check_record(record).err()?)))
            .flat_map(|(place, wrong)| wrong.into_iter().map(move |field| field.at_row(place)))
            .collect();
        if !wrong.is_empty() {
            return Err(Error::invalid(table.name, wrong));
        }
        if records.is_empty() {
            return Ok(0);
        }
        let mut session = Whole::new(db.into().session().await?);
        let are_alike = records
            .iter()
            .all(|record| leaves_the_same(record, &records[0]));
        if are_alike && are_few(records) && !session.conn().is_in_transaction() {
            match insert_few(session.conn(), records).await {
                // Nothing is stored: a COPY says which record it is.
                Err(error) if error.is_invalid() || error.is_conflict() => {}
                Err(error) => return Err(error),
                Ok(inserted) => {
                    session.give_back();
                    return Ok(inserted);
                }
            }
        }
        let copied = copy_runs(session.conn(), records).await;
        if matches!(copied, Ok(_) | Err((_, sqlx::Error::Database(_)))) {
            session.give_back();
        }
        copied.map_err(|(before, error)| Error::of_table(table, error).after_rows(before))
    }
}

/// In a transaction: an `INSERT` by itself is stored once it is on its way, also
/// if nobody waits for it any more.
async fn insert_few<N: Assign>(conn: &mut PgConnection, records: &[N]) -> Result<u64, Error> {
    let mut transaction = conn.begin().await?;
    let inserted = few::insert(&mut transaction, records).await?;
    transaction.commit().await?;
    Ok(inserted)
}

/// Copies records, all or none: with one COPY, if all of them leave the same
/// columns to the database, as all records of most models do. An error comes
/// with the number of records before its COPY.
async fn copy_runs<N: Assign>(
    conn: &mut PgConnection,
    records: &[N],
) -> Result<u64, (usize, sqlx::Error)> {
    let at_start = |error| (0, error);
    let runs: Vec<&[N]> = match N::Model::TABLE.columns.iter().any(|c| c.database_default) {
        true => records.chunk_by(|a, b| leaves_the_same(a, b)).collect(),
        false => vec![records],
    };
    if let [run] = runs.as_slice() {
        return copy_in(conn, run).await.map_err(at_start);
    }
    let mut together = Together::begin(conn).await.map_err(at_start)?;
    let (mut before, mut copied) = (0, 0);
    for run in runs {
        copied += copy_in(together.conn(), run)
            .await
            .map_err(|error| (before, error))?;
        before += run.len();
    }
    together.commit().await.map_err(at_start)?;
    Ok(copied)
}

fn leaves_the_same<N: Assign>(a: &N, b: &N) -> bool {
    let columns = N::Model::TABLE.columns.iter().enumerate();
    columns
        .filter(|(_, column)| column.database_default)
        .all(|(index, _)| a.value(index).is_some() == b.value(index).is_some())
}

async fn copy_in<N: Assign>(conn: &mut PgConnection, records: &[N]) -> Result<u64, sqlx::Error> {
    let columns = records.first().map(given).unwrap_or_default();
    let statement = statement(N::Model::TABLE, &columns);
    let now = now();
    let mut copy = conn.copy_in_raw(&statement).await?;
    let mut buffer = PgArgumentBuffer::default();
    buffer.extend_from_slice(HEADER);
    for record in records {
        if let Err(error) = encode(record, now, &mut buffer) {
            copy.abort("a record could not be encoded").await?;
            return Err(sqlx::Error::Encode(error));
        }
        if buffer.len() >= CHUNK {
            copy.send(&buffer[..]).await?;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(&TRAILER);
    copy.send(&buffer[..]).await?;
    copy.finish().await
}

/// The COPY of rows that have a value for these columns.
pub(crate) fn statement(table: &'static Table, columns: &[&'static ColumnDef]) -> String {
    format!(
        "COPY {} ({}) FROM STDIN (FORMAT binary)",
        table.quoted(),
        quoted_list(columns)
    )
}

/// Appends one row: the number of fields, then each with its length.
pub(crate) fn encode<N: Assign>(
    record: &N,
    now: chrono::DateTime<chrono::Utc>,
    buffer: &mut PgArgumentBuffer,
) -> Result<(), sqlx::error::BoxDynError> {
    let start = buffer.len();
    buffer.extend_from_slice(&0_i16.to_be_bytes());
    let mut fields = 0_i16;
    row(record, now, |_, value| {
        fields += 1;
        encode_field(&value, buffer)
    })?;
    buffer[start..start + 2].copy_from_slice(&fields.to_be_bytes());
    Ok(())
}

fn encode_field(
    value: &Value<'_>,
    buffer: &mut PgArgumentBuffer,
) -> Result<(), sqlx::error::BoxDynError> {
    let start = buffer.len();
    buffer.extend_from_slice(&(-1_i32).to_be_bytes());
    if let IsNull::No = value.encode_into(buffer)? {
        let length = i32::try_from(buffer.len() - start - 4)?;
        buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}
