//! Pages that end early because of the bytes of their records.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::select::Shape;
use super::{QueryBuilder, hit_page::HitPage, hit_page::TakenHits};
use crate::db::Sql;
use crate::error::Error;
use crate::model::{ColumnDef, ColumnRole, Model};
use crate::value::ColumnType;

/// The bytes of a value of a type that has few.
const FEW: usize = 16;

/// Returns the SQL for about the bytes of a row with these columns, without reading what is
/// stored beside the row and not compressed.
pub(super) fn of_columns(columns: impl Iterator<Item = &'static ColumnDef>) -> String {
    let mut few = 0;
    let mut terms = Vec::new();
    for column in columns {
        let name = column.quoted();
        let bytes = match column.ty {
            ColumnType::Text | ColumnType::Bytea => format!("octet_length({name})"),
            // Its size is that of what is stored, which may be a hundredth.
            ColumnType::Jsonb => format!(
                "CASE WHEN pg_column_compression({name}) IS NULL THEN pg_column_size({name}) \
                 ELSE octet_length({name}::text) END"
            ),
            ColumnType::Array(_) | ColumnType::Vector(_) | ColumnType::HalfVector(_) => {
                format!("pg_column_size({name})")
            }
            _ => {
                few += FEW;
                continue;
            }
        };
        terms.push(if column.nullable {
            format!("coalesce({bytes}, 0)")
        } else {
            bytes
        });
    }
    terms.push(few.to_string());
    format!("({})::bigint", terms.join(" + "))
}

/// Returns the statement of a page that ends with the first record by which it has more than
/// `most` bytes. `page` is that without an end, with further columns.
pub(super) fn limited(
    page: &dyn Fn(&str) -> String,
    bytes: &str,
    most: u64,
    order: &str,
) -> String {
    format!(
        "SELECT * FROM (\
           SELECT page.*, count(*) OVER () AS __rows, \
             sum(__bytes) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING) - __bytes AS __before \
           FROM ({page}) AS page) AS page WHERE __before < {most}",
        page = page(&format!(", {bytes} AS __bytes")),
    )
}

/// Returns the number of rows that a [`limited`] page would have without its end, from its
/// first row.
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
        sql.push(&format!(
            "SELECT count(*) FROM (\
               SELECT sum(__bytes) OVER (ORDER BY place ROWS UNBOUNDED PRECEDING) - __bytes AS __before \
               FROM unnest({ids}::bigint[]) WITH ORDINALITY AS k(id, place) \
               LEFT JOIN LATERAL (\
                 SELECT {bytes} AS of_row FROM {from} WHERE {id} = k.id OFFSET 0) AS r ON TRUE \
               CROSS JOIN LATERAL (SELECT coalesce(of_row, 0) AS __bytes) AS b) AS page \
             WHERE __before < {most}",
            from = table.quoted(),
        ));
        let kept: i64 = crate::db::one(conn, sql).await?;
        page.keep(taken, usize::try_from(kept).unwrap_or(usize::MAX).max(1));
        Ok(())
    }
}
