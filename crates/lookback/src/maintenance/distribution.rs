//! Tables whose rows are in shards on several servers, by the extension Citus.
//!
//! A table is distributed by its id, with its partitions: each of them has the same shards. All
//! other tables stay where they are, on the coordinator. Citus has no triggers of rows, so that
//! nothing notes what changes: the counts of roll-ups are deleted, and records are counted by the
//! servers that have them.

use lookback_json::json;
use sqlx::{PgConnection, Row as _};

use super::partitions::{self, Partition};
use crate::db::{Sql, begin, is_distributed, one, row};
use crate::error::Error;
use crate::model::{ColumnRole, Table, literal, quote_identifier};
use crate::search::index::rollups::{TRIGGER, delete_rollups_and_notes};
use crate::value::Json;

/// The Citus that a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// The version of Citus, such as `12.1`.
    pub version: String,
    /// Whether this server is the coordinator, through which tables are distributed.
    pub is_coordinator: bool,
    /// The servers that take shards, as `host:port`.
    pub workers: Vec<String>,
}

/// The shards of a table on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardServer {
    /// The server, as `host:port`.
    pub server: String,
    /// The number of shards.
    pub shards: u64,
    /// Their size on disk with indexes, in bytes.
    pub bytes: u64,
}

/// The shards of a distributed table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shards {
    /// By server.
    pub servers: Vec<ShardServer>,
}

impl Shards {
    /// The number of shards.
    pub fn count(&self) -> u64 {
        self.servers.iter().map(|server| server.shards).sum()
    }

    /// The size of the largest server by the mean: 1 if all have as much.
    #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes")]
    pub fn skew(&self) -> f64 {
        let bytes = self.servers.iter().map(|server| server.bytes);
        let (all, most) = (bytes.clone().sum::<u64>(), bytes.max().unwrap_or(0));
        if all == 0 {
            return 1.0;
        }
        most as f64 * self.servers.len() as f64 / all as f64
    }

    pub(super) fn to_json(&self) -> Json {
        let servers = self.servers.iter().map(|server| {
            json!({ "server": server.server, "shards": server.shards, "bytes": server.bytes })
        });
        json!({ "count": self.count(), "skew": self.skew(), "servers": servers.collect::<Json>() })
    }
}

/// Returns the Citus of a database; `None` without it.
///
/// # Errors
///
/// Those of the database.
pub async fn cluster(conn: &mut PgConnection) -> Result<Option<Cluster>, Error> {
    let sql = "SELECT max(extversion) FROM pg_catalog.pg_extension WHERE extname = 'citus'";
    let version: Option<String> = one(conn, Sql::new(sql)).await?;
    let Some(version) = version else {
        return Ok(None);
    };
    let row = row(
        conn,
        Sql::new(
            "SELECT coalesce((SELECT groupid FROM pg_dist_local_group), 0) = 0 AS is_coordinator, \
             ARRAY(SELECT nodename || ':' || nodeport FROM pg_dist_node \
               WHERE isactive AND noderole = 'primary' AND shouldhaveshards \
               ORDER BY nodename, nodeport) AS workers",
        ),
    )
    .await?;
    Ok(Some(Cluster {
        version: version.split('-').next().unwrap_or_default().to_owned(),
        is_coordinator: row.try_get("is_coordinator")?,
        workers: row.try_get("workers")?,
    }))
}

/// Returns the shards of a table; `None` if it is not distributed.
///
/// # Errors
///
/// Those of the database.
pub async fn shards(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Option<Shards>, Error> {
    if !is_distributed(conn, table).await? {
        return Ok(None);
    }
    let mut sql = Sql::default();
    let name = sql.argument(table.quoted())?;
    // Each partition has the shards of the table, on the same servers.
    sql.push(&format!(
        "SELECT nodename || ':' || nodeport AS server, \
           count(*) FILTER (WHERE table_name = to_regclass({name})) AS shards, \
           coalesce(sum(shard_size), 0)::bigint AS bytes \
         FROM citus_shards WHERE table_name = to_regclass({name}) \
           OR table_name IN (SELECT relid FROM pg_partition_tree(to_regclass({name}))) \
         GROUP BY 1 ORDER BY 1"
    ));
    let mut shards = Shards::default();
    for row in sql.fetch_all(conn).await? {
        shards.servers.push(ShardServer {
            server: row.try_get("server")?,
            shards: row.try_get::<i64, _>("shards")?.unsigned_abs(),
            bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
        });
    }
    Ok(Some(shards))
}

/// Distributes a table into shards by its id, and moves its rows there; returns false if it is
/// distributed already.
///
/// The table is locked until its rows are copied, in one transaction: after an interruption, it
/// is as before. What its partitions had here is removed then; if that is interrupted, the next
/// call does it.
///
/// # Errors
///
/// Those of the database, for example for a table with triggers of its own.
pub async fn distribute(
    conn: &mut PgConnection,
    table: &'static Table,
    shards: u32,
) -> Result<bool, Error> {
    let is_new = !is_distributed(conn, table).await?;
    if is_new {
        let mut transaction = begin(conn).await?;
        lock(&mut transaction, table).await?;
        let drop = format!("DROP TRIGGER IF EXISTS {TRIGGER} ON {}", table.quoted());
        Sql::new(&drop).define(&mut transaction).await?;
        delete_rollups_and_notes(&mut transaction, table).await?;
        let mut sql = Sql::new("SELECT create_distributed_table(");
        let name = sql.argument(table.quoted())?;
        let id = sql.argument(table.column_of(ColumnRole::Id).name)?;
        let shards = sql.argument(i32::try_from(shards).unwrap_or(i32::MAX))?;
        sql.push(&format!(
            "{name}::regclass, {id}, colocate_with => 'none', shard_count => {shards})"
        ));
        execute(&mut transaction, table, sql).await?;
        transaction.commit().await?;
    }
    // The copies here are hidden, and take room.
    let mut sql = Sql::default();
    let name = sql.argument(table.quoted())?;
    sql.push(&format!(
        "SELECT truncate_local_data_after_distributing_table({name}::regclass) \
         WHERE (SELECT coalesce(sum(pg_relation_size(relid)), 0) \
           FROM pg_partition_tree({name}::regclass)) > 0"
    ));
    execute(conn, table, sql).await?;
    Ok(is_new)
}

async fn execute(conn: &mut PgConnection, table: &'static Table, sql: Sql) -> Result<(), Error> {
    let executed = sql.once().execute(conn).await;
    executed.map_err(|error| Error::from_driver(table, error))?;
    Ok(())
}

async fn lock(conn: &mut PgConnection, table: &'static Table) -> Result<(), Error> {
    let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", table.quoted());
    Ok(Sql::new(&lock).define(conn).await?)
}

/// The name of the table while it is made.
const MADE: &str = "lookback_undistributed";

/// Moves the rows of a distributed table back to this server; returns false if it is not
/// distributed.
///
/// In one transaction, which locks the table: partition by partition is copied, and then takes
/// the place of the distributed one. Upkeep creates the trigger of roll-ups again, and counts.
///
/// # Errors
///
/// [`Error::is_invalid`] for a table that other objects depend on in a way that a copy would
/// lose: policies, triggers, publications, views, rights on columns. Those of the database.
pub async fn undistribute(conn: &mut PgConnection, table: &'static Table) -> Result<bool, Error> {
    if !is_distributed(conn, table).await? {
        return Ok(false);
    }
    let mut transaction = begin(conn).await?;
    // Citus refuses to change a table after it was read on several connections.
    let sequential = Sql::new("SET LOCAL citus.multi_shard_modify_mode = 'sequential'");
    sequential.define(&mut transaction).await?;
    lock(&mut transaction, table).await?;
    check_plain(&mut transaction, table).await?;
    let partitions = partitions::list_partitions(&mut transaction, table, false).await?;
    let partitions = partitions.unwrap_or_default();
    let old = Identity::of(&mut transaction, table).await?;
    let made = sibling(table, MADE);
    let id = table.column_of(ColumnRole::Id).quoted();
    let by_id = if partitions.is_empty() {
        String::new()
    } else {
        format!(" PARTITION BY RANGE ({id})")
    };
    let create = format!(
        "CREATE TABLE {made} (LIKE {} INCLUDING ALL){by_id}",
        table.quoted()
    );
    Sql::new(&create).define(&mut transaction).await?;
    let mut copies = Vec::new();
    for (place, partition) in partitions.iter().enumerate() {
        copies.push(copy(&mut transaction, table, &made, place, partition).await?);
    }
    if partitions.is_empty() {
        let insert = format!(
            "INSERT INTO {made} OVERRIDING SYSTEM VALUE SELECT * FROM {}",
            table.quoted()
        );
        execute(&mut transaction, table, Sql::new(&insert)).await?;
    }
    let drop = format!("DROP TABLE {}", table.quoted());
    execute(&mut transaction, table, Sql::new(&drop)).await?;
    for (copied, partition, indexes) in copies {
        let name = quote_identifier(&partition.name);
        rename(&mut transaction, "TABLE", &copied, &name).await?;
        rename_indexes(&mut transaction, table, &partition.quoted(), &indexes).await?;
    }
    let name = quote_identifier(table.name);
    rename(&mut transaction, "TABLE", &made, &name).await?;
    rename_indexes(&mut transaction, table, &table.quoted(), &old.indexes).await?;
    old.restore(&mut transaction, table).await?;
    transaction.commit().await?;
    Ok(true)
}

/// A name in the schema of a table.
fn sibling(table: &'static Table, name: &str) -> String {
    match table.schema {
        Some(schema) => format!("{}.{}", quote_identifier(schema), quote_identifier(name)),
        None => quote_identifier(name),
    }
}

async fn rename(conn: &mut PgConnection, kind: &str, old: &str, new: &str) -> Result<(), Error> {
    let rename = format!("ALTER {kind} {old} RENAME TO {new}");
    Ok(Sql::new(&rename).define(conn).await?)
}

/// Gives the indexes of a relation the names that others of the same definitions had.
async fn rename_indexes(
    conn: &mut PgConnection,
    table: &'static Table,
    relation: &str,
    names: &[Index],
) -> Result<(), Error> {
    for index in indexes(conn, relation).await? {
        let same = names.iter().find(|old| old.definition == index.definition);
        if let Some(old) = same.filter(|old| old.name != index.name) {
            let new = quote_identifier(&old.name);
            rename(conn, "INDEX", &sibling(table, &index.name), &new).await?;
        }
    }
    Ok(())
}

/// Copies a partition into one of the table that is made; returns the copy, and the indexes of
/// the partition.
async fn copy(
    conn: &mut PgConnection,
    table: &'static Table,
    made: &str,
    place: usize,
    partition: &Partition,
) -> Result<(String, Partition, Vec<Index>), Error> {
    let copied = sibling(table, &format!("{MADE}_{place}"));
    let of = partition.quoted();
    let indexes = indexes(conn, &of).await?;
    let create = format!("CREATE TABLE {copied} (LIKE {of} INCLUDING ALL)");
    Sql::new(&create).define(&mut *conn).await?;
    let insert = format!("INSERT INTO {copied} SELECT * FROM {of}");
    execute(conn, table, Sql::new(&insert)).await?;
    let bound = if partition.is_default {
        "DEFAULT".to_owned()
    } else {
        let bound =
            |id: Option<i64>, or: &str| id.map_or_else(|| or.to_owned(), |id| format!("'{id}'"));
        let (from, to) = (
            bound(partition.from, "MINVALUE"),
            bound(partition.to, "MAXVALUE"),
        );
        format!("FOR VALUES FROM ({from}) TO ({to})")
    };
    let attach = format!("ALTER TABLE {made} ATTACH PARTITION {copied} {bound}");
    Sql::new(&attach).define(conn).await?;
    Ok((copied, partition.clone(), indexes))
}

/// The query of a table, an expression of its name, and of its partitions.
fn tree(name: &str) -> String {
    format!(
        "SELECT to_regclass({name}) AS relid \
         UNION SELECT relid FROM pg_partition_tree(to_regclass({name}))"
    )
}

/// Refuses a table with objects that a copy would not have.
async fn check_plain(conn: &mut PgConnection, table: &'static Table) -> Result<(), Error> {
    let mut sql = Sql::default();
    let name = sql.argument(table.quoted())?;
    sql.push(&format!(
        "SELECT ARRAY(SELECT 'the policy ' || polname FROM pg_catalog.pg_policy \
             WHERE polrelid = to_regclass({name}) \
           UNION ALL SELECT 'the trigger ' || tgname FROM pg_catalog.pg_trigger \
             WHERE tgrelid = to_regclass({name}) AND NOT tgisinternal \
           UNION ALL SELECT 'the replica identity of ' || c.oid::regclass::text \
             FROM ({tree}) AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid WHERE c.relreplident <> 'd' \
           UNION ALL SELECT 'the rights on the column ' || attname FROM pg_catalog.pg_attribute \
             WHERE attrelid = to_regclass({name}) AND attacl IS NOT NULL \
           UNION ALL SELECT 'the publication ' || p.pubname FROM pg_catalog.pg_publication_rel AS r \
             JOIN pg_catalog.pg_publication AS p ON p.oid = r.prpubid \
             WHERE r.prrelid = to_regclass({name}) \
           UNION ALL SELECT DISTINCT 'the view ' || r.ev_class::regclass::text \
             FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid \
             WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = to_regclass({name}) \
               AND r.ev_class <> to_regclass({name})) AS others",
        tree = tree(&name),
    ));
    let others: Vec<String> = row(conn, sql).await?.try_get("others")?;
    if others.is_empty() {
        return Ok(());
    }
    Err(Error::invalid_field(
        table.name,
        "table",
        format!(
            "cannot be moved back with {}, which would be lost; drop it, and create it again afterwards",
            others.join(", ")
        ),
    ))
}

/// What a copy of a table lacks, as statements: names, rights, the comment, the next id.
struct Identity {
    statements: Vec<String>,
    indexes: Vec<Index>,
    sequence: Option<Sequence>,
}

/// The sequence of the ids.
struct Sequence {
    /// With its schema, as an identifier.
    sequence: String,
    name: String,
    last: i64,
    is_called: bool,
}

/// An index.
struct Index {
    name: String,
    /// Its definition behind the name of the table.
    definition: String,
}

/// The query of the indexes of a table.
const INDEXES: &str = "SELECT c.relname::text AS name, \
       substring(pg_get_indexdef(c.oid) FROM ' USING .*') AS definition \
     FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid \
     WHERE i.indrelid = to_regclass(";

impl Identity {
    async fn of(conn: &mut PgConnection, table: &'static Table) -> Result<Self, Error> {
        let mut sql = Sql::default();
        let (name, plain) = (sql.argument(table.quoted())?, literal(&table.quoted()));
        let id = literal(table.column_of(ColumnRole::Id).name);
        sql.push(&format!(
            "SELECT ARRAY(\
               SELECT format('COMMENT ON TABLE %s IS %L', {plain}::text, d) \
                 FROM obj_description(to_regclass({name}), 'pg_class') AS d WHERE d IS NOT NULL \
               UNION ALL SELECT format('ALTER TABLE %s SET (%s)', c.oid::regclass, array_to_string(c.reloptions, ', ')) \
                 FROM ({tree}) AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid WHERE c.reloptions IS NOT NULL \
               UNION ALL SELECT format('ALTER TABLE %s OWNER TO %s', c.oid::regclass, c.relowner::regrole) \
                 FROM ({tree}) AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid \
                 WHERE c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user) \
               UNION ALL SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, c.oid::regclass, \
                   CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, \
                   CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
                 FROM ({tree}) AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.relid, aclexplode(c.relacl) AS a \
                 WHERE a.grantee <> c.relowner) AS statements, \
             pg_get_serial_sequence({plain}, {id}) AS sequence",
            tree = tree(&name),
        ));
        let found = row(conn, sql).await?;
        let sequence: Option<String> = found.try_get("sequence")?;
        let sequence = match sequence {
            Some(sequence) => {
                let state = format!(
                    "SELECT last_value, is_called, (SELECT relname::text FROM pg_catalog.pg_class \
                       WHERE oid = {}::regclass) AS name FROM {sequence}",
                    literal(&sequence)
                );
                let state = row(conn, Sql::new(&state)).await?;
                Some(Sequence {
                    name: state.try_get("name")?,
                    last: state.try_get("last_value")?,
                    is_called: state.try_get("is_called")?,
                    sequence,
                })
            }
            None => None,
        };
        Ok(Self {
            statements: found.try_get("statements")?,
            indexes: indexes(conn, &table.quoted()).await?,
            sequence,
        })
    }

    /// Gives a table what its copy lacks.
    async fn restore(self, conn: &mut PgConnection, table: &'static Table) -> Result<(), Error> {
        let mut statements = self.statements;
        if let Some(Sequence {
            sequence,
            name,
            last,
            is_called,
        }) = self.sequence
        {
            let mut sql = Sql::new("SELECT pg_get_serial_sequence(");
            sql.bind(table.quoted())?;
            sql.push(", ");
            sql.bind(table.column_of(ColumnRole::Id).name)?;
            sql.push(")");
            let new: Option<String> = one(conn, sql).await?;
            if let Some(new) = new {
                let set = format!("SELECT setval({}, {last}, {is_called})", literal(&new));
                statements.push(set);
                if new != sequence {
                    statements.push(format!(
                        "ALTER SEQUENCE {new} RENAME TO {}",
                        quote_identifier(&name)
                    ));
                }
            }
        }
        for statement in statements {
            Sql::new(&statement).define(&mut *conn).await?;
        }
        Ok(())
    }
}

async fn indexes(conn: &mut PgConnection, relation: &str) -> Result<Vec<Index>, Error> {
    let mut sql = Sql::new(INDEXES);
    sql.bind(relation)?;
    sql.push(") ORDER BY 1");
    let mut indexes = Vec::new();
    for row in sql.fetch_all(conn).await? {
        indexes.push(Index {
            name: row.try_get("name")?,
            definition: row.try_get("definition")?,
        });
    }
    Ok(indexes)
}
