//! Roll-ups: counts of sealed records, from which aggregates and totals are answered.
//!
//! For each segment, [`counting`] stores how many records there are by minute, quarter of
//! an hour, hour and day, by the columns that the model lists and by whether they are
//! deleted; [`merging`] adds up those of neighbouring segments. [`trigger`] writes a
//! correction for each record that is changed or removed later, in the transaction that
//! changes it. [`reading`] adds counts, corrections and the records that are not counted,
//! in one statement, so that the sum is that of reading every record.
//!
//! Three facts make it exact:
//!
//! - A range has the set of the ids that it counts. Only another id can be inserted, and
//!   records with other ids are read; it does not matter who inserts them, when they are
//!   committed, or whether they are beyond the sealed ones or between them.
//! - The statement that counts a range deletes the corrections of its ids that the same
//!   snapshot sees. A change is either in the counts or in a correction.
//! - A range has the file and the trigger of each partition that it counts. Without that
//!   trigger, or with another file after a `TRUNCATE`, the range is not used.
//!
//! `docs/decisions/0017-roll-ups.md` has the reasons and the measurements.

use sqlx::PgConnection;

use crate::db::{Sql, one};
use crate::error::Error;
use crate::model::{ColumnRole, RollupKey, Table, literal};

mod counting;
mod key;
mod merging;
mod reading;
mod text_notes;
mod trigger;
mod upkeep;
mod windows;

use key::Key;

pub(super) use counting::{MIN_GAP_LIMIT, RECORDS_PER_GAP, count_sealed};
pub(super) use merging::merge_ranges;
pub(crate) use reading::{RollupScan, find_rollups, push_rollup_scan};
pub(crate) use text_notes::known_identities;
pub(super) use text_notes::{WatchedPartitions, delete_text_notes, watch};
#[cfg(feature = "migrate")]
pub(crate) use trigger::is_created_name;
pub(crate) use trigger::{TRIGGER, is_trigger_current, trigger_statements};
pub(super) use upkeep::{delete_ranges_between, delete_rollups};
pub(crate) use upkeep::{delete_rollups_and_notes, do_task, next_task};
pub(crate) use windows::{MINUTE, UNITS, Windows, microseconds};

/// The tables of roll-ups.
pub(super) const TABLES: [&str; 3] = ["rollup_ranges", "rollup_cells", "rollup_corrections"];

/// The times that are counted; records of other times are read. Between them, a number of
/// minutes fits into an `integer`, and PostgreSQL computes the time of a bucket exactly.
const FIRST_TIME: &str = "timestamptz '1900-01-01 00:00:00+00'";
const END_TIME: &str = "timestamptz '2200-01-01 00:00:00+00'";

/// The length of a value in JSON, in bytes, up to which it is counted.
const MAX_KEY_BYTES: usize = 1_024;

/// The start of the first bucket.
const EPOCH: &str = "timestamptz '2000-01-01 00:00:00+00'";

/// The names that the statements need of a table, as SQL.
struct Names {
    /// The table, as an identifier and as a `regclass`.
    table: String,
    regclass: String,
    id: String,
    /// The time that records are counted by.
    time: String,
    deleted_at: String,
    keys: Vec<Key>,
}

impl Names {
    /// The names of a table that has roll-ups.
    fn of(table: &'static Table) -> Self {
        Self {
            table: table.quoted(),
            regclass: format!("{}::regclass", literal(&table.quoted())),
            id: table.column_of(ColumnRole::Id).quoted(),
            time: table.columns[time(table)].quoted(),
            deleted_at: table.column_of(ColumnRole::DeletedAt).quoted(),
            keys: keys(table).iter().map(|key| Key::of(table, key)).collect(),
        }
    }

    /// The condition that a record can be counted, beside that on its id.
    fn countable(&self) -> String {
        let time = &self.time;
        let mut countable = format!("{time} >= {FIRST_TIME} AND {time} < {END_TIME}");
        for key in self.keys.iter().filter(|key| key.is_in_json()) {
            // Not a document, which would be in the counts of each length of buckets.
            let text = key.text("");
            countable.push_str(&format!(
                " AND coalesce(octet_length({text}), 0) <= {MAX_KEY_BYTES}"
            ));
        }
        countable
    }

    /// The values of a record, as an array of texts.
    fn keys_of(&self, row: &str) -> String {
        let keys: Vec<String> = self.keys.iter().map(|key| key.text(row)).collect();
        format!("ARRAY[{}]::text[]", keys.join(", "))
    }
}

/// The keys that records are counted by.
pub(super) fn keys(table: &'static Table) -> &'static [RollupKey] {
    table.rollup.map_or(&[], |rollup| rollup.keys)
}

/// The index of the column of the time that records are counted by.
fn time(table: &'static Table) -> usize {
    match table.rollup {
        Some(rollup) => rollup.time,
        None => table.index_of(ColumnRole::CreatedAt),
    }
}

/// The definition of a table's roll-ups, as an expression: the columns, their places in the
/// table, and the paths into them. It changes if the model lists others, or if a column gets
/// another's name.
fn definition(table: &'static Table) -> String {
    let columns = [
        table.index_of(ColumnRole::Id),
        time(table),
        table.index_of(ColumnRole::DeletedAt),
    ];
    let columns = columns.into_iter().map(|column| (column, &[][..]));
    let keys = keys(table).iter().map(|key| (key.column, key.path));
    let (mut names, mut paths) = (Vec::new(), Vec::new());
    for (column, path) in columns.chain(keys) {
        names.push(literal(table.columns[column].name));
        paths.push(match path {
            [] => "NULL".to_owned(),
            path => literal(&format!("{path:?}")),
        });
    }
    format!(
        "(SELECT coalesce(string_agg(concat_ws(' ', d.name, a.attnum, d.path), ', ' ORDER BY d.place), '') \
          FROM unnest(ARRAY[{names}], ARRAY[{paths}]::text[]) WITH ORDINALITY AS d(name, path, place) \
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = {regclass} AND a.attname = d.name \
            AND NOT a.attisdropped)",
        names = names.join(", "),
        paths = paths.join(", "),
        regclass = Names::of(table).regclass,
    )
}

/// The query of the partitions whose changes are noted, and the identity of each: its file,
/// and its trigger. The row of the trigger changes if it is disabled and enabled again.
pub(crate) fn watched_partitions(table: &'static Table) -> String {
    let regclass = Names::of(table).regclass;
    format!(
        "SELECT c.oid, concat_ws('/', c.oid, pg_relation_filenode(c.oid), t.oid, t.xmin) AS identity \
         FROM (SELECT {regclass}::oid AS oid \
           UNION SELECT relid::oid FROM pg_partition_tree({regclass}) WHERE isleaf) AS c \
         JOIN pg_catalog.pg_class AS k ON k.oid = c.oid AND k.relkind IN ('r', 'p') AND k.relpersistence = 'p' \
         JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = c.oid AND t.tgname = {name} AND t.tgenabled = 'A'",
        name = literal(TRIGGER),
    )
}

/// Returns whether the tables of roll-ups exist, and the role may read them.
pub(crate) async fn may_read(conn: &mut PgConnection) -> Result<bool, Error> {
    has_rights(conn, &["SELECT"]).await
}

/// Returns whether the tables of roll-ups exist, and the role may change them.
pub(crate) async fn may_write(conn: &mut PgConnection) -> Result<bool, Error> {
    has_rights(conn, &["SELECT", "INSERT", "DELETE"]).await
}

async fn has_rights(conn: &mut PgConnection, rights: &[&str]) -> Result<bool, Error> {
    let each = TABLES.iter().flat_map(|name| {
        rights.iter().map(move |right| {
            format!("coalesce(has_table_privilege(to_regclass('{name}'), '{right}'), FALSE)")
        })
    });
    let each = each.collect::<Vec<_>>().join(" AND ");
    one(conn, Sql::new(&format!("SELECT {each}"))).await
}

/// Takes the lock of a table's roll-ups until the transaction ends, or returns false.
///
/// It is not that of the summaries, for which changes of sealed text wait. A transaction that
/// keeps an older snapshot does not get it: it might not see a change whose correction was
/// deleted.
async fn try_lock(conn: &mut PgConnection, table: &'static Table) -> Result<bool, Error> {
    let mut sql = Sql::new(
        "SELECT CASE WHEN current_setting('transaction_isolation') = 'read committed' \
         THEN pg_try_advisory_xact_lock(hashtextextended(",
    );
    sql.bind(format!("lookback roll up {}", table.name))?;
    sql.push(" || ' ' || coalesce(current_schema(), ''), 0)) ELSE FALSE END");
    one(conn, sql).await
}
