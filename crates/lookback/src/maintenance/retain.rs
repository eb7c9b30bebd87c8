//! Carrying out what retention was worked out to take.

use std::ops::ControlFlow;
use std::time::Duration;

use sqlx::PgConnection;

use super::clean::clean;
use super::one_by_one;
use super::partitions::is_there;
use super::plan::{Dropped, Retention, has_newer};
use super::turns::{self, Turns};
use crate::db::Sql;
use crate::db::{CloseOnDrop, Db};
use crate::error::Error;
use crate::model::Table;
use crate::search::index;

/// How long locks are asked for; the next call goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// And how long for the lock of the summaries, to clean up: a keeper goes on, too.
const CLEANING: Duration = Duration::from_secs(10);

/// What [`retain`] has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// Partitions that are dropped.
    pub partitions: u64,
    /// Records that are gone, those of the partitions with them.
    pub rows: u64,
    /// Bytes that are free on the disk.
    pub bytes: u64,
    /// Partitions that stay, since they have newer records by now.
    pub kept: Vec<String>,
}

/// Told how far it is, and asked whether to go on.
pub(super) type Say<'a> = &'a mut (dyn FnMut(&Retained) -> ControlFlow<()> + Send);

/// Takes what a [`Retention`] says, partition by partition, and tells `say`
/// after each and after each ten thousand records, which may end it there.
///
/// What is done is done for good; cut short, what is left goes with the next
/// retention that is worked out. A partition that has got a newer record
/// meanwhile, or that is not the same any more, stays.
///
/// What search keeps about a partition is not read any more once it is dropped,
/// and is deleted after that: here, or by whoever comes next if this is cut
/// short (a keeper, the next retention, [`compact`](super::compact)).
///
/// Dropping a partition locks the table from everyone, for some milliseconds;
/// others are waited for 200 ms at a time at most. All of it is done on one
/// connection, outside of a transaction of the caller's. On the one that it was
/// worked out on, nothing has to be looked up anew.
///
/// # Errors
///
/// [`Error::is_timeout`] if others held their locks for a minute; those of the
/// database.
pub async fn retain<'c>(
    db: impl Into<Db<'c>>,
    table: &'static Table,
    retention: &Retention,
    say: Say<'_>,
) -> Result<Retained, Error> {
    if table.name != retention.table {
        let problem = format!("is of {}, not of {}", retention.table, table.name);
        return Err(Error::invalid_field(table.name, "retention", problem));
    }
    let mut session = CloseOnDrop::new(db.into().session().await?);
    let retained = retain_on(session.conn(), table, retention, say).await;
    session.release();
    retained
}

async fn retain_on(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
    say: Say<'_>,
) -> Result<Retained, Error> {
    let mut retained = Retained::default();
    let goes_on = drop_all(conn, table, retention, &mut retained, say).await?;
    if table.sealed {
        clean(conn, table, CLEANING).await?;
    }
    if !goes_on {
        return Ok(retained);
    }
    one_by_one::delete(conn, table, retention, &mut retained, say).await?;
    if table.sealed && retention.of.is_overdue {
        clean(conn, table, CLEANING).await?;
    }
    Ok(retained)
}

/// Drops the partitions that go, and returns whether to go on after them.
async fn drop_all(
    conn: &mut PgConnection,
    table: &'static Table,
    retention: &Retention,
    retained: &mut Retained,
    say: Say<'_>,
) -> Result<bool, Error> {
    for dropped in &retention.partitions {
        let mut turns = Turns::new(PATIENCE);
        loop {
            match drop_partition(conn, table, dropped, retention).await {
                Ok(Gone::Yes) => {
                    retained.partitions += 1;
                    retained.rows += dropped.rows;
                    retained.bytes += dropped.bytes;
                    break;
                }
                Ok(Gone::Busy) if turns.pause().await => {}
                Ok(Gone::No | Gone::Busy) => {
                    retained.kept.push(dropped.name.clone());
                    break;
                }
                Err(error) if turns.again(&error).await => {}
                Err(error) => return Err(error),
            }
        }
        if say(retained).is_break() {
            return Ok(false);
        }
    }
    Ok(true)
}

enum Gone {
    Yes,
    No,
    Busy,
}

async fn drop_partition(
    conn: &mut PgConnection,
    table: &'static Table,
    dropped: &Dropped,
    retention: &Retention,
) -> Result<Gone, Error> {
    // With those who make partitions: they look where the last one ends.
    let Some(mut transaction) = turns::begin(conn, table, "partitions").await? else {
        return Ok(Gone::Busy);
    };
    let partition = &dropped.partition;
    if !is_there(&mut transaction, table, partition).await? {
        transaction.rollback().await?;
        return Ok(Gone::No);
    }
    if let (Some(cutoff), true) = (retention.of.created_before, dropped.is_old) {
        // Whoever writes there comes to an end first, and may have written newer records.
        let sql = Sql::new(&format!(
            "LOCK TABLE ONLY {} IN SHARE MODE",
            partition.quoted()
        ));
        sql.execute(&mut transaction).await?;
        if has_newer(&mut transaction, table, partition, cutoff).await? {
            transaction.rollback().await?;
            return Ok(Gone::No);
        }
    }
    let (first, end) = (partition.first(), partition.to.unwrap_or(i64::MAX));
    let is_open = index::forget_segments(&mut transaction, table, first, end).await?;
    // The last, as it locks the table. It is not detached first: PostgreSQL removes the file, which
    // takes longest, after it has let go of the locks.
    let sql = Sql::new(&format!("DROP TABLE {}", partition.quoted()));
    sql.define(&mut transaction).await?;
    if is_open {
        // Whoever read the partition has ended, and may have sealed some of it meanwhile.
        index::forget_segments(&mut transaction, table, first, end).await?;
    }
    transaction.commit().await?;
    Ok(Gone::Yes)
}
