//! The partitions of a table, read from the catalog.

use std::ops::Range;

use sqlx::{PgConnection, Row as _};

use crate::db::constraints::TIME_RANGE;
use crate::db::{Sql, is_distributed, one, row, sequence};
use crate::error::Error;
use crate::model::{ColumnRole, Table, quote_identifier};

/// A partition of a table that is partitioned by range of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// The first id; `None` without a lower bound, as for the default partition.
    pub from: Option<i64>,
    /// The first id after it; `None` without an upper bound.
    pub to: Option<i64>,
    /// Whether it receives the rows that belong to no other partition.
    pub is_default: bool,
    /// The size on disk in bytes, with indexes.
    pub bytes: u64,
    /// The planner's estimate of its rows: 0 before the first `ANALYZE`.
    pub estimated_rows: u64,
    /// Whether it is frozen: the planner knows the range of times of its records.
    pub is_frozen: bool,
    pub(super) schema: String,
}

/// `$1` is [`TIME_RANGE`], `$2` whether to read sizes; a partition dropped meanwhile has none.
const PARTITIONS: &str = "SELECT c.relname::text AS name, n.nspname::text AS schema, \
       pg_get_expr(c.relpartbound, c.oid) AS bound, \
       CASE WHEN $2 THEN coalesce(pg_total_relation_size(c.oid), 0) ELSE 0 END AS bytes, \
       greatest(c.reltuples, 0)::bigint AS rows, \
       EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conrelid = c.oid \
               AND k.conname = $1 AND k.convalidated) AS frozen \
     FROM pg_inherits AS i \
     JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition \
     JOIN pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE NOT i.inhdetachpending AND i.inhparent = ";

impl Partition {
    /// The name as an identifier in SQL, with its schema.
    pub(super) fn quoted(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// Its first id, `i64::MIN` without a lower bound.
    pub(super) fn first(&self) -> i64 {
        self.from.unwrap_or(i64::MIN)
    }

    /// Whether all its ids are sealed, given the last sealed id of the table.
    pub(super) fn is_sealed(&self, until: Option<i64>) -> bool {
        match (self.to, until) {
            (Some(to), Some(until)) => !self.is_default && to - 1 <= until,
            _ => false,
        }
    }

    /// Its ids; without an upper bound, up to the greatest one.
    pub(super) fn ids(&self) -> Range<i64> {
        self.first()..self.to.unwrap_or(i64::MAX)
    }
}

/// A name with its schema, as an identifier in SQL.
pub(super) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}

/// The partitions of a table in the order of their ids, the default partition last.
///
/// # Errors
///
/// [`Error::is_setup`] if there is no such table; [`Error::is_invalid`] if it
/// is not partitioned by range of its id; those of the database.
pub async fn partitions(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Vec<Partition>, Error> {
    let partitions = list_partitions(conn, table, true).await?;
    partitions.ok_or_else(|| not_partitioned_by_id(table))
}

/// Lists the partitions; `None` for a table that is not partitioned. Sizes are 0 without
/// `with_sizes`.
pub(super) async fn list_partitions(
    conn: &mut PgConnection,
    table: &'static Table,
    with_sizes: bool,
) -> Result<Option<Vec<Partition>>, Error> {
    match partition_key(conn, table).await? {
        (Some(key), expected) if key == expected => {}
        (Some(_), _) => return Err(not_partitioned_by_id(table)),
        (None, _) => return Ok(None),
    }
    let mut sql = Sql::default();
    sql.argument(TIME_RANGE)?;
    sql.argument(with_sizes)?;
    if with_sizes && is_distributed(conn, table).await? {
        sql.push(&PARTITIONS.replace("pg_total_relation_size", "citus_total_relation_size"));
    } else {
        sql.push(PARTITIONS);
    }
    sql.push("to_regclass(");
    sql.bind(table.quoted())?;
    sql.push(")");
    let mut partitions = Vec::new();
    for row in sql.fetch_all(conn).await? {
        let bound: String = row.try_get("bound")?;
        let (from, to) = parse_bounds(&bound).ok_or_else(|| not_partitioned_by_id(table))?;
        partitions.push(Partition {
            name: row.try_get("name")?,
            from,
            to,
            is_default: bound == "DEFAULT",
            bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
            estimated_rows: row.try_get::<i64, _>("rows")?.unsigned_abs(),
            is_frozen: row.try_get("frozen")?,
            schema: row.try_get("schema")?,
        });
    }
    partitions.sort_by_key(|partition| (partition.is_default, partition.first()));
    Ok(Some(partitions))
}

/// The size of a partition on disk, with indexes.
pub(super) async fn bytes(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<u64, Error> {
    let size = if is_distributed(conn, table).await? {
        "citus_total_relation_size"
    } else {
        "pg_total_relation_size"
    };
    let mut sql = Sql::new(&format!("SELECT coalesce({size}(to_regclass("));
    sql.bind(partition.quoted())?;
    sql.push(")), 0)");
    Ok(one::<i64>(conn, sql).await?.unsigned_abs())
}

/// Whether a partition is still attached to the table, with the same bounds.
pub(super) async fn is_attached_unchanged(
    conn: &mut PgConnection,
    table: &'static Table,
    partition: &Partition,
) -> Result<bool, Error> {
    let mut sql = Sql::new(
        "SELECT pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits AS i \
         JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition \
         WHERE NOT i.inhdetachpending AND c.oid = to_regclass(",
    );
    sql.bind(partition.quoted())?;
    sql.push(") AND i.inhparent = to_regclass(");
    sql.bind(table.quoted())?;
    sql.push(")");
    let Some(row) = sql.fetch_optional(conn).await? else {
        return Ok(false);
    };
    let bound: String = row.try_get("bound")?;
    Ok(parse_bounds(&bound) == Some((partition.from, partition.to)))
}

/// The partition key of a table, and the expected one.
async fn partition_key(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<(Option<String>, String), Error> {
    let mut sql = Sql::new("SELECT c.oid IS NOT NULL AS found, pg_get_partkeydef(c.oid) AS key, ");
    sql.push("format('RANGE (%I)', ");
    sql.bind(table.column_of(ColumnRole::Id).name)?;
    sql.push("::text) AS expected FROM (SELECT to_regclass(");
    sql.bind(table.quoted())?;
    sql.push(")) AS c (oid)");
    let row = row(conn, sql).await?;
    if !row.try_get("found")? {
        return Err(Error::no_table(table.name));
    }
    Ok((row.try_get("key")?, row.try_get("expected")?))
}

pub(super) fn not_partitioned_by_id(table: &'static Table) -> Error {
    Error::invalid_field(
        table.name,
        table.column_of(ColumnRole::Id).name,
        format!(
            "cannot maintain {}: it must be partitioned by range of this column",
            table.name
        ),
    )
}

/// Parses the bounds of `FOR VALUES FROM ('1') TO ('9')`.
fn parse_bounds(text: &str) -> Option<(Option<i64>, Option<i64>)> {
    if text == "DEFAULT" {
        return Some((None, None));
    }
    let (from, to) = text
        .strip_prefix("FOR VALUES FROM (")?
        .strip_suffix(')')?
        .split_once(") TO (")?;
    let parse = |end: &str| match end {
        "MINVALUE" | "MAXVALUE" => Some(None),
        number => number.trim_matches('\'').parse().ok().map(Some),
    };
    Some((parse(from)?, parse(to)?))
}

/// The greatest id that the sequence assigned or the table has.
pub(super) async fn newest_id(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<i64, Error> {
    let id = table.column_of(ColumnRole::Id);
    // Before PostgreSQL 18, the function fails for a role without a right on the sequence.
    let mut sql = Sql::new("SELECT coalesce(greatest(CASE WHEN has_sequence_privilege(");
    sequence::push(&mut sql, table)?;
    sql.push(", 'USAGE, SELECT') THEN pg_sequence_last_value(");
    sequence::push(&mut sql, table)?;
    sql.push(&format!(
        ") END, (SELECT max({}) FROM {})), 0)",
        id.quoted(),
        table.quoted()
    ));
    one(conn, sql).await
}

#[cfg(test)]
mod tests {
    use super::parse_bounds;

    #[test]
    fn parse_bounds_reads_ranges_of_ids_only() {
        assert_eq!(
            parse_bounds("FOR VALUES FROM ('1048576') TO ('2097152')"),
            Some((Some(1_048_576), Some(2_097_152)))
        );
        assert_eq!(
            parse_bounds("FOR VALUES FROM (MINVALUE) TO ('-5')"),
            Some((None, Some(-5)))
        );
        assert_eq!(parse_bounds("DEFAULT"), Some((None, None)));
        assert_eq!(parse_bounds("FOR VALUES IN ('a')"), None);
        assert_eq!(
            parse_bounds("FOR VALUES FROM ('2026-01-01') TO ('x')"),
            None
        );
    }
}
