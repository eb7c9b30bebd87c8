//! Pages that end early because of the bytes of their records.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::QueryBuilder;
use super::hit_page::{HitPage, TakenHits};
use super::select::Shape;
use crate::db::{Sql, one};
use crate::error::Error;
use crate::model::{ColumnDef, ColumnRole, Model};
use crate::value::ColumnType;

/// The bytes of a value of a type that has few.
const FEW: usize = 16;

/// The SQL for about the bytes of a row.
#[derive(Clone, Debug)]
pub(super) struct RowBytes {
    /// As they are stored, which is known without reading what is stored beside the row.
    stored: String,
    /// As they are sent.
    sent: String,
}

impl RowBytes {
    /// Returns those of a row with these columns.
    pub(super) fn of_columns(columns: impl Iterator<Item = &'static ColumnDef>) -> Self {
        let mut few = 0;
        let (mut stored, mut sent) = (Vec::new(), Vec::new());
        for column in columns {
            let name = column.quoted();
            let (size, all) = match column.ty {
                ColumnType::Text | ColumnType::Bytea => (
                    format!("pg_column_size({name})"),
                    format!("octet_length({name})"),
                ),
                ColumnType::Vector(_) | ColumnType::HalfVector(_) => (
                    format!("pg_column_size({name})"),
                    format!("pg_column_size({name})"),
                ),
                // What is stored may be a hundredth.
                ColumnType::Jsonb | ColumnType::Array(_) | ColumnType::Numeric => (
                    format!("pg_column_size({name})"),
                    format!(
                        "CASE WHEN pg_column_compression({name}) IS NULL THEN pg_column_size({name}) \
                         ELSE octet_length({name}::text) END"
                    ),
                ),
                _ => {
                    few += FEW;
                    continue;
                }
            };
            for (terms, bytes) in [(&mut stored, size), (&mut sent, all)] {
                terms.push(format!("coalesce({bytes}, 0)"));
            }
        }
        let sum = |terms: Vec<String>| {
            let terms: Vec<String> = terms.iter().map(|term| format!(" + {term}")).collect();
            format!("({few}::bigint{})", terms.concat())
        };
        Self {
            stored: sum(stored),
            sent: sum(sent),
        }
    }

    /// Returns those of a row whose texts are sent twice.
    pub(super) fn twice(&self) -> Self {
        Self {
            stored: self.stored.clone(),
            sent: format!("2 * {}", self.sent),
        }
    }

    /// Returns the statement of a page that ends with the record by which it has more than
    /// `most` bytes. `page` is that without an end, and `order` its order.
    ///
    /// First by what is stored, so that no more is decompressed than may be on the page.
    pub(super) fn limit(&self, page: &str, most: u64, order: &str) -> String {
        let Self { stored, sent } = self;
        let before = |bytes: &str| {
            format!("sum({bytes}) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING) - {bytes}")
        };
        format!(
            "SELECT * FROM (\
               SELECT page.*, {sent_before} AS __sent_before FROM (\
                 SELECT page.*, {sent} AS __sent FROM (\
                   SELECT page.*, count(*) OVER () AS __rows, {stored_before} AS __stored_before \
                   FROM (SELECT page.*, {stored} AS __stored FROM ({page}) AS page) AS page) AS page \
                 WHERE __stored_before < {most} OFFSET 0) AS page) AS page \
             WHERE __sent_before < {most}",
            sent_before = before("__sent"),
            stored_before = before("__stored"),
        )
    }
}

/// Returns the number of rows that a page with a [limit](RowBytes::limit) would have without
/// it, from its first row.
pub(super) fn rows_read(row: &PgRow) -> Result<usize, sqlx::Error> {
    let rows: Option<i64> = row.try_get("__rows")?;
    Ok(rows
        .and_then(|rows| usize::try_from(rows).ok())
        .unwrap_or(0))
}

impl<M: Model> QueryBuilder<M> {
    /// Ends a page of hits early, because of the bytes of their records.
    pub(super) async fn end_page<S: Shape<M>, T>(
        &self,
        conn: &mut PgConnection,
        shape: &S,
        page: &HitPage,
        taken: &mut TakenHits<T>,
        id: impl Fn(&T) -> i64,
    ) -> Result<(), Error> {
        let Some((most, bytes)) = self.bytes_of_page(shape) else {
            return Ok(());
        };
        if taken.hits.len() < 2 {
            return Ok(());
        }
        let table = M::TABLE;
        let mut ids: Vec<i64> = taken.hits.iter().map(id).collect();
        if page.is_backwards() {
            ids.reverse();
        }
        let id = table.column_of(ColumnRole::Id).quoted();
        let mut sql = Sql::default();
        let ids = sql.argument(ids)?;
        // A record that is gone has no bytes.
        let records = format!(
            "SELECT k.place AS __place, r.* FROM unnest({ids}::bigint[]) WITH ORDINALITY AS k(id, place) \
             JOIN {from} AS r ON r.{id} = k.id",
            from = table.quoted(),
        );
        // The place of the last one on the page, or NULL if all are.
        sql.push(&format!(
            "SELECT CASE WHEN count(*) < min(__rows) THEN max(__place) END FROM ({}) AS page",
            bytes.limit(&records, most, "__place"),
        ));
        let last: Option<i64> = one(conn, sql).await?;
        if let Some(last) = last {
            page.keep(taken, usize::try_from(last).unwrap_or(usize::MAX));
        }
        Ok(())
    }
}
