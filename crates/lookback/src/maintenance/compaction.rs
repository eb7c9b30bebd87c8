//! Compaction: merging the search summaries of a partition.

use sqlx::PgConnection;

use super::partitions::Partition;
use crate::error::Error;
use crate::model::Table;
use crate::search::index;

/// Merges the search summaries of a partition whose ids are all sealed.
///
/// Rows with the same template are listed once for the partition instead of once a
/// segment, and templates that no row uses any more are deleted. Searches find the same;
/// one over all times reads less, one over a short time reads more. Returns the number
/// of postings before and after, or `None` if another process is sealing the table.
///
/// # Errors
///
/// [`Error::is_invalid`] for a partition without an upper bound, such as the default
/// partition; those of the database.
pub async fn compact(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<Option<(u64, u64)>, Error> {
    let Some(to) = partition.to else {
        let problem = format!("{} has no upper bound and cannot be sealed", partition.name);
        return Err(Error::invalid_field(table.name, "partition", problem));
    };
    // The first partition has no lower bound; its segments have.
    let ids = partition.first()..to;
    match index::first_sealed_id_within(conn, table, ids).await? {
        Some(first) => index::merge_postings(conn, table, first, to - 1).await,
        None => Ok(Some((0, 0))),
    }
}
