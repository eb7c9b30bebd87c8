//! Binary `COPY` of many records.
//!
//! The format is in the PostgreSQL manual, "COPY", section "Binary Format".

use sqlx::PgConnection;
use sqlx::encode::IsNull;
use sqlx::postgres::PgArgumentBuffer;

use super::row::{given_columns, now, quoted_list, visit_row};
use crate::db::TransactionScope;
use crate::model::{ColumnDef, ColumnValues, Model as _, Table};
use crate::value::Value;

/// The signature, the flags (none) and the length of the header extension (none).
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
pub(crate) const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// The size in bytes at which the buffer is sent.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Copies records, all or none.
///
/// It is one COPY if all records leave the same columns to the database, as in
/// most models. An error comes with the number of records before its COPY.
pub(crate) async fn copy_all<N: ColumnValues>(
    conn: &mut PgConnection,
    records: &[N],
) -> Result<u64, (usize, sqlx::Error)> {
    let at_start = |error| (0, error);
    let runs: Vec<&[N]> = if N::Model::TABLE.columns.iter().any(|c| c.database_default) {
        records.chunk_by(|a, b| omits_same_columns(a, b)).collect()
    } else {
        vec![records]
    };
    if let [run] = runs.as_slice() {
        return copy_in(conn, run).await.map_err(at_start);
    }
    let mut transaction = TransactionScope::begin(conn).await.map_err(at_start)?;
    let (mut before, mut copied) = (0, 0);
    for run in runs {
        copied += copy_in(transaction.conn(), run)
            .await
            .map_err(|error| (before, error))?;
        before += run.len();
    }
    transaction.commit().await.map_err(at_start)?;
    Ok(copied)
}

/// Whether two records leave the same columns to the database.
pub(crate) fn omits_same_columns<N: ColumnValues>(a: &N, b: &N) -> bool {
    let columns = N::Model::TABLE.columns.iter().enumerate();
    columns
        .filter(|(_, column)| column.database_default)
        .all(|(index, _)| a.value(index).is_some() == b.value(index).is_some())
}

/// Records in the form of a COPY.
#[derive(Debug)]
pub(crate) struct EncodedCopy {
    statement: String,
    bytes: Vec<u8>,
    pub(crate) records: usize,
}

impl EncodedCopy {
    /// Encodes records; `None` if there are none, or if they leave different columns to the
    /// database.
    pub(crate) fn new<N: ColumnValues>(
        records: &[N],
    ) -> Result<Option<Self>, sqlx::error::BoxDynError> {
        let Some(first) = records.first() else {
            return Ok(None);
        };
        if !records.iter().all(|one| omits_same_columns(one, first)) {
            return Ok(None);
        }
        let now = now();
        let mut bytes = PgArgumentBuffer::default();
        bytes.extend_from_slice(HEADER);
        for record in records {
            encode(record, now, &mut bytes)?;
        }
        bytes.extend_from_slice(&TRAILER);
        Ok(Some(Self {
            statement: statement(N::Model::TABLE, &given_columns(first)),
            bytes: std::mem::take(&mut *bytes),
            records: records.len(),
        }))
    }

    /// Copies the records, all or none.
    pub(crate) async fn send(&self, conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let mut copy = conn.copy_in_raw(&self.statement).await?;
        for chunk in self.bytes.chunks(CHUNK) {
            copy.send(chunk).await?;
        }
        copy.finish().await
    }
}

async fn copy_in<N: ColumnValues>(
    conn: &mut PgConnection,
    records: &[N],
) -> Result<u64, sqlx::Error> {
    let columns = records.first().map(given_columns).unwrap_or_default();
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

/// The COPY of rows with these columns.
pub(crate) fn statement(table: &'static Table, columns: &[&'static ColumnDef]) -> String {
    format!(
        "COPY {} ({}) FROM STDIN (FORMAT binary)",
        table.quoted(),
        quoted_list(columns)
    )
}

/// Appends one row: the number of fields, then each field with its length.
pub(crate) fn encode<N: ColumnValues>(
    record: &N,
    now: chrono::DateTime<chrono::Utc>,
    buffer: &mut PgArgumentBuffer,
) -> Result<(), sqlx::error::BoxDynError> {
    let start = buffer.len();
    buffer.extend_from_slice(&0_i16.to_be_bytes());
    let mut fields = 0_i16;
    visit_row(record, now, |_, value| {
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
    if matches!(value.encode_into(buffer)?, IsNull::No) {
        let length = i32::try_from(buffer.len() - start - 4)?;
        buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}
