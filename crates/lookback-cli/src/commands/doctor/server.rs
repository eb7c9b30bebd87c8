//! Checks of the server, whatever tables it has.

use lookback_embedded::Machine;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::finding::Finding;
use super::settings::{self, Place, SettingRow};
use crate::failure::Failure;
use crate::failure::remedy;
use crate::output::{self, grouped};

/// What is known of a server.
#[derive(Debug)]
pub(super) struct Facts {
    /// Such as `18.6`.
    pub(super) version: String,
    /// The size of the database.
    pub(super) bytes: u64,
    pub(super) place: Place,
    pub(super) settings: Vec<SettingRow>,
    /// Settings that were changed and wait for a restart.
    waiting: Vec<String>,
    /// Whether this role sees the sessions of others.
    sees_sessions: bool,
}

impl Facts {
    pub(super) async fn read(conn: &mut PgConnection, is_private: bool) -> Result<Self, Failure> {
        let row = sqlx::query(
            "SELECT split_part(current_setting('server_version'), ' ', 1) AS version, \
               pg_database_size(current_database()) AS bytes, \
               quote_ident(current_database()) AS database, quote_ident(current_user) AS role, \
               pg_has_role('pg_read_all_stats', 'USAGE') AS sees_sessions",
        )
        .fetch_one(&mut *conn)
        .await
        .map_err(failed)?;
        let rows = sqlx::query(
            "SELECT name, setting, coalesce(current_setting(name, TRUE), setting) AS shown, source, \
               regexp_replace(sourcefile, '.*/', '') AS file, \
               context = 'postmaster' AS needs_restart, pending_restart, \
               coalesce(enumvals, '{}') AS values FROM pg_settings ORDER BY name",
        )
        .fetch_all(conn)
        .await
        .map_err(failed)?;
        let setting = |row: &PgRow| -> Result<SettingRow, sqlx::Error> {
            Ok(SettingRow {
                name: row.try_get("name")?,
                setting: row.try_get("setting")?,
                shown: row.try_get("shown")?,
                source: row.try_get("source")?,
                file: row.try_get("file")?,
                needs_restart: row.try_get("needs_restart")?,
                values: row.try_get("values")?,
            })
        };
        let facts = || -> Result<Self, sqlx::Error> {
            let settings = rows.iter().map(setting).collect::<Result<Vec<_>, _>>()?;
            let mut waiting = Vec::new();
            for row in &rows {
                if row.try_get("pending_restart")? {
                    waiting.push(row.try_get("name")?);
                }
            }
            Ok(Self {
                version: row.try_get("version")?,
                bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
                place: Place {
                    database: row.try_get("database")?,
                    role: row.try_get("role")?,
                    service: settings::service(settings.iter().map(|row| row.name.as_str())),
                    is_private,
                },
                settings,
                waiting,
                sees_sessions: row.try_get("sees_sessions")?,
            })
        };
        facts().map_err(failed)
    }
}

fn failed(error: sqlx::Error) -> Failure {
    Failure::from(lookback::Error::from(error))
}

/// Keeps a check from taking long.
pub(super) async fn limit_time(conn: &mut PgConnection) {
    // Without it the check is slower, and no less right.
    let _ = sqlx::query("SET statement_timeout = '30s'")
        .execute(conn)
        .await;
}

/// Checks whether transactions of one connection run in different sessions of the server.
///
/// A pooler gives a transaction any session that is free. So the first one of this connection is
/// given to the transaction of another connection, and this connection gets the next.
pub(super) async fn pooler(
    conn: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<Vec<Finding>, Failure> {
    let first = session(conn).await?;
    let mut other = PgConnection::connect_with(options).await.map_err(failed)?;
    let mut held = other.begin().await.map_err(failed)?;
    let of_other = session(&mut held).await?;
    let second = session(conn).await?;
    let _ = held.rollback().await;
    let _ = other.close().await;
    Ok(if is_pooled(first, of_other, second) {
        vec![
            Finding::advice(
                "connection",
                "a pooler runs the transactions of a connection in different sessions",
            )
            .because(
                "locks and settings of a session get lost: run migrations, imports, storage \
                 commands and tails on a connection of their own",
            )
            .fix("give the URL of the server itself, or of a pool in session mode (pool_mode = session)"),
        ]
    } else {
        Vec::new()
    })
}

fn is_pooled(first: i32, of_other: i32, second: i32) -> bool {
    first != second || first == of_other
}

async fn session(conn: &mut PgConnection) -> Result<i32, Failure> {
    let row = sqlx::query("SELECT pg_backend_pid() AS pid").fetch_one(conn);
    row.await.and_then(|row| row.try_get("pid")).map_err(failed)
}

/// Checks the version of PostgreSQL, pgvector and `pg_trgm`.
pub(super) async fn extensions(conn: &mut PgConnection) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    match lookback::setup::check_server(conn).await {
        Err(error) if error.is_setup() => {
            let finding = Finding::problem("extensions", error.to_string());
            findings.push(match error.remedy() {
                Some(remedy) => finding.fix(remedy::library::hint(&remedy)),
                None => finding,
            });
        }
        checked => checked?,
    }
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm') AS installed, \
           EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') AS available",
    )
    .fetch_one(conn)
    .await
    .map_err(failed)?;
    let has = |column: &str| row.try_get::<bool, _>(column).map_err(failed);
    if !has("installed")? && !has("available")? {
        findings.push(
            Finding::problem("extensions", "the server has no pg_trgm")
                .because("the tables of Lookback need it")
                .fix("install the contrib package of this PostgreSQL, such as postgresql-contrib"),
        );
    }
    Ok(findings)
}

/// Reports settings that were changed and are not in force.
pub(super) fn waiting(facts: &Facts) -> Vec<Finding> {
    if facts.waiting.is_empty() {
        return Vec::new();
    }
    let what = format!("changed and not in force: {}", facts.waiting.join(", "));
    let restart = if facts.place.is_private {
        "lookback pg stop, then lookback pg start"
    } else {
        "restart the server"
    };
    vec![
        Finding::advice("restart", what)
            .because("PostgreSQL reads them only at its start")
            .fix(restart),
    ]
}

/// Checks for indexes whose build failed.
pub(super) async fn invalid_indexes(conn: &mut PgConnection) -> Result<Vec<Finding>, Failure> {
    let rows = sqlx::query(
        "SELECT i.indexrelid::regclass::text AS name FROM pg_index AS i \
         JOIN pg_class AS c ON c.oid = i.indexrelid \
         WHERE NOT i.indisvalid AND c.relkind = 'i' \
           AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid) \
         ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let finding = |row: &PgRow| -> Result<Finding, sqlx::Error> {
        let name: String = row.try_get("name")?;
        Ok(Finding::advice(
            "indexes",
            format!("the index {name} is INVALID: a build of it failed"),
        )
        .because("it serves no query, and each write maintains it")
        .fix(format!("DROP INDEX {name};")))
    };
    let findings: Result<Vec<_>, _> = rows.iter().map(finding).collect();
    findings.map_err(failed)
}

/// Checks for tables that autovacuum does not keep up with.
pub(super) async fn dead_rows(conn: &mut PgConnection) -> Result<Vec<Finding>, Failure> {
    let rows = sqlx::query(
        "SELECT relid::regclass::text AS name, n_live_tup, n_dead_tup FROM pg_stat_user_tables \
         WHERE n_dead_tup > 50000 AND n_dead_tup > n_live_tup / 2 ORDER BY n_dead_tup DESC LIMIT 5",
    )
    .fetch_all(conn)
    .await
    .map_err(failed)?;
    let finding = |row: &PgRow| -> Result<Finding, sqlx::Error> {
        let name: String = row.try_get("name")?;
        let (live, dead): (i64, i64) = (row.try_get("n_live_tup")?, row.try_get("n_dead_tup")?);
        let what = format!(
            "{name} has {} dead rows beside {}",
            grouped(dead.unsigned_abs()),
            grouped(live.unsigned_abs())
        );
        Ok(Finding::advice("dead rows", what)
            .because("each scan reads them, and their space is not used again")
            .fix(format!("VACUUM (ANALYZE) {name};")))
    };
    let findings: Result<Vec<_>, _> = rows.iter().map(finding).collect();
    findings.map_err(failed)
}

/// Checks for old transactions, and for the age of the oldest row.
pub(super) async fn transactions(
    conn: &mut PgConnection,
    facts: &Facts,
) -> Result<Vec<Finding>, Failure> {
    let rows = sqlx::query(
        "SELECT pid, coalesce(nullif(application_name, ''), '-') AS application, state, \
           extract(epoch FROM now() - xact_start)::bigint / 60 AS minutes \
         FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
           AND xact_start < now() - interval '1 hour' ORDER BY xact_start LIMIT 5",
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    let finding = |row: &PgRow| -> Result<Finding, sqlx::Error> {
        let (pid, minutes): (i32, i64) = (row.try_get("pid")?, row.try_get("minutes")?);
        let (application, state): (String, Option<String>) =
            (row.try_get("application")?, row.try_get("state")?);
        let what = format!(
            "process {pid} ({application}, {}) has had a transaction open for {minutes} minutes",
            state.unwrap_or_default()
        );
        Ok(Finding::advice("transactions", what)
            .because("no row that was deleted since can be vacuumed")
            .fix(format!("SELECT pg_terminate_backend({pid});")))
    };
    let mut findings = rows
        .iter()
        .map(finding)
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let age: i32 = sqlx::query(
        "SELECT age(datfrozenxid) AS age FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(conn)
    .await
    .and_then(|row| row.try_get("age"))
    .map_err(failed)?;
    // The server stops to accept writes short of 2.1 billion.
    if age > 1_000_000_000 {
        let what = format!(
            "the oldest transaction id is {} transactions old",
            grouped(age.unsigned_abs().into())
        );
        findings.push(
            Finding::problem("transactions", what)
                .because("at 2.1 billion the server refuses writes: autovacuum does not keep up")
                .fix("VACUUM (FREEZE);"),
        );
    }
    if !facts.sees_sessions {
        findings.push(
            Finding::unseen(
                "transactions",
                "the sessions of other roles, and so how long their transactions are open",
            )
            .fix(format!("GRANT pg_read_all_stats TO {};", facts.place.role)),
        );
    }
    Ok(findings)
}

/// Checks for replication slots that hold WAL, and whether the server is a standby.
pub(super) async fn replication(conn: &mut PgConnection) -> Result<Vec<Finding>, Failure> {
    let rows = sqlx::query(
        "SELECT slot_name::text AS name, quote_literal(slot_name) AS literal, \
           pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
                           ELSE pg_current_wal_lsn() END, restart_lsn)::bigint AS held \
         FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed)?;
    let finding = |row: &PgRow| -> Result<Finding, sqlx::Error> {
        let (name, literal): (String, String) = (row.try_get("name")?, row.try_get("literal")?);
        let held = row.try_get::<i64, _>("held")?.max(0).unsigned_abs();
        let what = format!(
            "nobody reads the replication slot {name}, which holds {} of WAL",
            output::bytes(held)
        );
        Ok(Finding::advice("replication", what)
            .because("the server keeps all WAL since then, until its disk is full")
            .fix(format!("SELECT pg_drop_replication_slot({literal});")))
    };
    let mut findings = rows
        .iter()
        .map(finding)
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let is_standby: bool = sqlx::query("SELECT pg_is_in_recovery() AS standby")
        .fetch_one(conn)
        .await
        .and_then(|row| row.try_get("standby"))
        .map_err(failed)?;
    if is_standby {
        findings.push(
            Finding::advice("replication", "the server is a standby")
                .because("nothing can be stored or maintained there, only read")
                .fix("for everything else, give the URL of its primary"),
        );
    }
    Ok(findings)
}

/// Checks the free space of the disk of the private PostgreSQL.
pub(super) fn disk(machine: Machine, facts: &Facts) -> Vec<Finding> {
    let least = (facts.bytes / 10).max(1 << 30);
    match machine.disk {
        Some(free) if free < least => vec![
            Finding::advice("disk", format!("its disk has {} left", output::bytes(free)))
                .because("an import and its WAL need space; a full disk stops all writes")
                .fix("lookback storage prune --dry-run, or move the folder: --data-dir DIR"),
        ],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use lookback_embedded::Machine;

    use super::*;

    #[test]
    fn sessions_that_move_are_those_of_a_pooler() {
        assert!(!is_pooled(1, 2, 1));
        // The other transaction has got the session, and this connection another one.
        assert!(is_pooled(1, 1, 2));
        assert!(is_pooled(1, 2, 3));
        // It waited until the session was free again.
        assert!(is_pooled(1, 1, 1));
    }

    #[test]
    fn small_rest_of_a_disk_gets_advice() {
        let facts = |bytes| Facts {
            version: "18.6".to_owned(),
            bytes,
            place: Place {
                database: "shop".to_owned(),
                role: "app".to_owned(),
                service: None,
                is_private: true,
            },
            settings: Vec::new(),
            waiting: Vec::new(),
            sees_sessions: true,
        };
        let on = |free, bytes| disk(Machine::new(None, 1, free), &facts(bytes)).len();
        assert_eq!(on(Some(2 << 30), 1 << 30), 0);
        assert_eq!(on(Some(2 << 30), 40 << 30), 1);
        assert_eq!(on(Some(1 << 20), 1), 1);
        assert_eq!(on(None, 1), 0);
    }
}
