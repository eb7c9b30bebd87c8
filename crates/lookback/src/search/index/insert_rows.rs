//! Inserting rows of summaries.

use sqlx::PgConnection;

use crate::db::Sql;
use crate::error::Error;
use crate::write::MAX_INSERT_VALUES;

/// Inserts rows into a table of summaries, by as few statements as fit.
///
/// Not by COPY: see `write/insert.rs`. `bind` binds the values of a row and returns
/// their placeholders.
pub(super) async fn insert_rows<R, const N: usize>(
    conn: &mut PgConnection,
    summaries: &str,
    columns: [&str; N],
    rows: &[R],
    bind: impl Fn(&R, &mut Sql) -> Result<[String; N], Error>,
) -> Result<(), Error> {
    for rows in rows.chunks(MAX_INSERT_VALUES / N) {
        let mut sql = Sql::default();
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            values.push(format!("({})", bind(row, &mut sql)?.join(", ")));
        }
        sql.push(&format!(
            "INSERT INTO {summaries} ({}) VALUES {}",
            columns.join(", "),
            values.join(", ")
        ));
        sql.once().execute(&mut *conn).await?;
    }
    Ok(())
}
