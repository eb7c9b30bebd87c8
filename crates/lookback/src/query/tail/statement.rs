//! The statements of a tail.

use sqlx::{PgConnection, Row as _};

use super::Arrived;
use crate::db::{Sql, is_distributed, row, sequence};
use crate::error::{Error, Remedy};
use crate::model::{ColumnRole, Model, Table};
use crate::query::QueryBuilder;

/// The number of records that one statement reads.
pub(super) const PAGE: usize = 1_000;

/// The state of the sequence of a table.
#[derive(Debug)]
pub(super) struct Control {
    /// The last id that it has assigned; `None` if the role may not read it.
    pub(super) assigned: Option<i64>,
    /// The transactions that hold its lock; empty if they were not read.
    pub(super) holders: Vec<String>,
    /// The least id that it assigns.
    pub(super) least: i64,
}

impl Control {
    /// Reads the state of the sequence.
    ///
    /// # Errors
    ///
    /// [`Error::is_setup`] on a standby, [`Error::is_invalid`] for a sequence whose ids do not tell
    /// what can still arrive.
    pub(super) async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        with_holders: bool,
    ) -> Result<Self, Error> {
        let holders = if with_holders {
            // The lock that `nextval` takes, and stronger ones.
            "ARRAY(SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' \
             AND relation = source.sequence AND granted \
             AND mode NOT IN ('AccessShareLock', 'RowShareLock') \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        } else {
            "'{}'::text[]"
        };
        let mut sql = Sql::new(&format!(
            "SELECT pg_is_in_recovery() AS is_standby, seqcache, seqincrement, seqmin, \
             CASE WHEN has_sequence_privilege(seqrelid, 'USAGE, SELECT') \
             THEN coalesce(pg_sequence_last_value(seqrelid), seqstart - 1) END AS assigned, \
             {holders} AS holders FROM (SELECT "
        ));
        sequence::push(&mut sql, table)?;
        sql.push(
            "::oid AS sequence) AS source LEFT JOIN pg_sequence ON seqrelid = source.sequence",
        );
        let row = row(conn, sql).await?;
        if row.try_get("is_standby")? {
            return Err(Error::setup(
                "the server is a standby, which does not know the running transactions; a tail \
                 needs the primary server",
                Remedy::ConnectToPrimary,
            ));
        }
        let column = table.column_of(ColumnRole::Id).name;
        let refuse = |problem: String| Err(Error::invalid_field(table.name, "tail", problem));
        let Some(cache) = row.try_get::<Option<i64>, _>("seqcache")? else {
            return refuse(format!(
                "needs ids of a sequence, and {}.{column} has none; if it has a default by \
                 nextval: ALTER SEQUENCE … OWNED BY {}.{column}",
                table.name, table.name
            ));
        };
        if cache > 1 {
            return refuse(format!(
                "needs a sequence without a cache: a session may use an id that it took long ago; \
                 run ALTER SEQUENCE … CACHE 1 on that of {}.{column}",
                table.name
            ));
        }
        if row.try_get::<i64, _>("seqincrement")? < 0 {
            return refuse(format!(
                "needs ids that ascend, and the sequence of {}.{column} descends",
                table.name
            ));
        }
        Ok(Self {
            assigned: row.try_get("assigned")?,
            holders: row.try_get("holders")?,
            least: row.try_get("seqmin")?,
        })
    }
}

/// Whether a record has this id or a greater one.
pub(super) async fn has_id_from(
    conn: &mut PgConnection,
    table: &'static Table,
    id: i64,
) -> Result<bool, Error> {
    let mut sql = Sql::new(&format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {} >= ",
        table.quoted(),
        table.column_of(ColumnRole::Id).quoted()
    ));
    sql.bind(id)?;
    sql.push(") AS found");
    let row = sql
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    Ok(row.ok_or(sqlx::Error::RowNotFound)?.try_get("found")?)
}

/// Reads the first [`PAGE`] visible ids in these ranges, in ascending order, with the records that
/// match the query.
pub(super) async fn read_ranges<M: Model>(
    query: &QueryBuilder<M>,
    conn: &mut PgConnection,
    ranges: &[(i64, i64)],
) -> Result<Vec<Arrived<M>>, Error> {
    let table = M::TABLE;
    let is_distributed = is_distributed(conn, table).await?;
    let rows = statement(query, ranges, is_distributed)?
        .fetch_all(conn)
        .await
        .map_err(|error| Error::from_driver(table, error))?;
    let mut page = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: i64 = row.try_get("__id")?;
        let record = row.try_get::<bool, _>("__matches")?.then(|| {
            let record = M::from_row(row);
            record.map_err(|error| Error::of_record(table, format!("record {id}"), error))
        });
        page.push(Arrived { id, record });
    }
    Ok(page)
}

/// The statement that reads ranges of ids.
///
/// Records that do not match are read, too, but only their ids: otherwise, each would look like an
/// id that may still arrive. The ranges are parameters of nested loops, so that PostgreSQL skips
/// the partitions of other ids when it runs a cached plan.
pub(super) fn statement<M: Model>(
    query: &QueryBuilder<M>,
    ranges: &[(i64, i64)],
    is_distributed: bool,
) -> Result<Sql, Error> {
    let table = M::TABLE;
    let (from, id) = (table.quoted(), table.column_of(ColumnRole::Id).quoted());
    let mut sql = Sql::default();
    let list = query.selected();
    let condition = sql.fragment(|sql| query.push_condition(sql))?;
    if is_distributed {
        // One scan of each shard, by the ranges as they are.
        let bound = |id: i64| format!("'{id}'::bigint");
        let within = ranges
            .iter()
            .map(|(first, last)| format!("{id} BETWEEN {} AND {}", bound(*first), bound(*last)));
        let within: Vec<String> = within.collect();
        let columns = query.selected_columns();
        let columns = columns.map(|column| {
            let name = column.quoted();
            format!(", CASE WHEN __matches THEN {name} END AS {name}")
        });
        sql.push(&format!(
            "SELECT __id, __matches{columns} FROM (\
               SELECT *, {id} AS __id, ({condition}) AS __matches FROM {from} \
               WHERE {within} ORDER BY {id} LIMIT {PAGE}) AS visible ORDER BY __id",
            columns = columns.collect::<String>(),
            within = within.join(" OR "),
        ));
        return Ok(sql);
    }
    let (first, last): (Vec<i64>, Vec<i64>) = ranges.iter().copied().unzip();
    let (first, last) = (sql.argument(first)?, sql.argument(last)?);
    sql.push(&format!(
        "SELECT visible.__id, visible.__matches, record.* FROM (SELECT ids.__id, ids.__matches \
         FROM unnest({first}::bigint[], {last}::bigint[]) AS ranges (__first, __last) \
         CROSS JOIN LATERAL (SELECT {id} AS __id, ({condition}) AS __matches FROM {from} \
         WHERE {id} BETWEEN ranges.__first AND ranges.__last ORDER BY {id} LIMIT {PAGE}) AS ids \
         ORDER BY ids.__id LIMIT {PAGE}) AS visible \
         LEFT JOIN LATERAL (SELECT {list} FROM {from} \
         WHERE visible.__matches AND {id} = visible.__id OFFSET 0) AS record ON TRUE \
         ORDER BY visible.__id"
    ));
    Ok(sql)
}
