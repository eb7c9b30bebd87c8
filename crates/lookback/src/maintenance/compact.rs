//! Less for a search to compare.

use sqlx::PgConnection;

use super::partitions::Partition;
use crate::db::Sql;
use crate::db::one;
use crate::error::Error;
use crate::model::Table;
use crate::search::index;

/// Makes one kind of all that have the same template in a partition whose ids are
/// all sealed, forgets templates that nothing has any more, and returns how many
/// kinds there were and are: `None` if another process is sealing the table.
/// Searches find the same; there is less for them to read, and more for one of a
/// short time.
///
/// # Errors
///
/// [`Error::is_invalid`] for a partition that has no end, as the default
/// partition; those of the database.
pub async fn compact(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<Option<(u64, u64)>, Error> {
    let Some(to) = partition.to else {
        let problem = format!("{} has no end, and cannot be sealed", partition.name);
        return Err(Error::invalid_field(table.name, "partition", problem));
    };
    // The first partition has no least id; its segments have.
    let mut sql = Sql::default();
    let of_it = partition.summaries(&mut sql, table)?;
    sql.push(&format!(
        "SELECT min(first_id) FROM sealed_segments WHERE deleted_at IS NULL AND {of_it}"
    ));
    match one::<Option<i64>>(conn, sql).await? {
        Some(first) => index::compact(conn, table, first, to - 1).await,
        None => Ok(Some((0, 0))),
    }
}

/// Vacuums the tables of what search keeps, and tells the planner how they are.
///
/// # Errors
///
/// Those of the database.
pub async fn vacuum_summaries(conn: &mut PgConnection) -> Result<(), Error> {
    for summaries in super::SUMMARIES.into_iter().chain([super::TEMPLATES]) {
        Sql::new(&format!("VACUUM (ANALYZE) {summaries}"))
            .define(conn)
            .await?;
    }
    Ok(())
}
