//! Prints the bounds of partitions with a bounded number of locks.
//!
//! Each relation that a transaction creates is locked until its end, and the server has room for
//! some thousands of locks. A rollback to a savepoint releases them.

use std::collections::BTreeMap;
use std::pin::Pin;

use lookback_schema::{Change, Name, Partition, PartitionBy, Table};
use sqlx::PgConnection;

use super::{Part, ServerError, columns_of, execute};
use crate::error::{Error, SchemaError};
use crate::from_row::from_row;

/// The largest number of partitions that exist at the same time, on each level.
const AT_ONCE: usize = 100;

/// A partition that the server rejects, and its error.
pub(super) struct RefusedPartition {
    pub(super) part: Part,
    pub(super) error: ServerError,
}

/// The reason why partitions cannot be printed.
pub(super) enum PartitionError {
    Refused(RefusedPartition),
    Other(Error),
}

impl From<Error> for PartitionError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<ServerError> for PartitionError {
    fn from(error: ServerError) -> Self {
        Self::Other(error.into())
    }
}

impl From<sqlx::Error> for PartitionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Other(error.into())
    }
}

/// The partitions of the table `name` as the server prints them.
///
/// They are created for a table with the same columns and nothing else.
pub(super) async fn print(
    conn: &mut PgConnection,
    name: &Name,
    table: &Table,
) -> Result<BTreeMap<Name, Partition>, PartitionError> {
    if table.partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let bare = Table {
        columns: columns_of(table),
        partition_by: table.partition_by.clone(),
        ..Table::default()
    };
    let create = Change::CreateTable {
        name: name.clone(),
        table: Box::new(bare),
    };
    execute(conn, "SAVEPOINT lookback_bounds".to_owned()).await?;
    execute(conn, create.statements().join("; ")).await?;
    let printed = level(conn, name, &table.partitions).await?;
    roll_back(conn, "lookback_bounds").await?;
    Ok(printed)
}

type Printed<'a> =
    Pin<Box<dyn Future<Output = Result<BTreeMap<Name, Partition>, PartitionError>> + Send + 'a>>;

/// The partitions of `parent`, and those below them.
fn level<'a>(
    conn: &'a mut PgConnection,
    parent: &'a Name,
    partitions: &'a BTreeMap<Name, Partition>,
) -> Printed<'a> {
    Box::pin(async move {
        let all: Vec<(&Name, &Partition)> = partitions.iter().collect();
        let mut printed = BTreeMap::new();
        for some in all.chunks(AT_ONCE) {
            execute(conn, "SAVEPOINT lookback_partitions".to_owned()).await?;
            create(conn, parent, some).await?;
            for ((name, partition), row) in some.iter().zip(read(conn, some).await?) {
                let below = level(conn, name, &partition.partitions).await?;
                printed.insert((*name).clone(), row.partition(name, below)?);
            }
            roll_back(conn, "lookback_partitions").await?;
        }
        Ok(printed)
    })
}

/// Creates partitions, without those below them.
async fn create(
    conn: &mut PgConnection,
    parent: &Name,
    partitions: &[(&Name, &Partition)],
) -> Result<(), PartitionError> {
    let statement = |(name, partition): &(&Name, &Partition)| {
        let alone = Partition {
            partitions: BTreeMap::new(),
            ..(*partition).clone()
        };
        let create = Change::CreatePartition {
            table: parent.clone(),
            name: (*name).clone(),
            partition: alone,
        };
        create.statements().join("; ")
    };
    let statements: Vec<String> = partitions.iter().map(statement).collect();
    execute(conn, "SAVEPOINT lookback_create".to_owned()).await?;
    if execute(conn, statements.join("; ")).await.is_ok() {
        return Ok(execute(conn, "RELEASE SAVEPOINT lookback_create".to_owned()).await?);
    }
    roll_back(conn, "lookback_create").await?;
    // Again, one by one, to find the one that is refused.
    for ((name, _), statement) in partitions.iter().zip(statements) {
        if let Err(error) = execute(conn, statement).await {
            let part = Part::Partition((*name).clone());
            return Err(PartitionError::Refused(RefusedPartition { part, error }));
        }
    }
    Ok(())
}

struct PartitionRow {
    bound: String,
    partition_by: Option<String>,
}

from_row!(PartitionRow {
    bound,
    partition_by
});

impl PartitionRow {
    fn partition(
        self,
        name: &Name,
        partitions: BTreeMap<Name, Partition>,
    ) -> Result<Partition, Error> {
        let by = self.partition_by.as_deref().map(str::parse::<PartitionBy>);
        let partition_by = by.transpose().map_err(|error| SchemaError::Unreadable {
            object: format!("partition {name}"),
            problem: error.to_string(),
        })?;
        Ok(Partition {
            bound: self.bound,
            partition_by,
            partitions,
        })
    }
}

async fn read(
    conn: &mut PgConnection,
    partitions: &[(&Name, &Partition)],
) -> Result<Vec<PartitionRow>, sqlx::Error> {
    let names: Vec<String> = partitions
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    sqlx::query_as(
        "SELECT pg_catalog.pg_get_expr(c.relpartbound, 0) AS bound, \
           CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS partition_by \
         FROM unnest($1::text[]) WITH ORDINALITY AS f (name, place) \
         JOIN pg_catalog.pg_class AS c ON c.oid = f.name::regclass ORDER BY f.place",
    )
    .bind(names)
    .fetch_all(conn)
    .await
}

async fn roll_back(conn: &mut PgConnection, savepoint: &str) -> Result<(), ServerError> {
    let sql = format!("ROLLBACK TO SAVEPOINT {savepoint}; RELEASE SAVEPOINT {savepoint}");
    execute(conn, sql).await
}
