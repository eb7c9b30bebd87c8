//! The migration lock, held by one process at a time, and its session.

use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::{ApplyOptions, query};
use crate::error::{Error, LockError};
use crate::event::{Event, EventSink, Holder};
use crate::session_settings;

/// A session that holds the lock, and its earlier settings.
#[derive(Debug)]
pub(super) struct LockSession {
    pid: i32,
    key: i64,
    role: String,
    /// Parameters that were already changed when the run began.
    settings: Vec<(String, String)>,
    check_interval: Option<String>,
}

/// Reads the lock key, one for each database and schema. Advisory locks are local to a database.
const SESSION: &str = "SELECT pg_backend_pid() AS pid, \
     hashtextextended('lookback migrate ' || coalesce(current_schema(), ''), 0) AS key, \
     current_setting('role') AS role, \
     current_setting('client_connection_check_interval', true) AS check_interval";

/// Reads the parameters that were set in this session.
const SETTINGS: &str = "SELECT name, setting FROM pg_settings WHERE source = 'session'";

/// Finds the session that holds the lock with this key.
const HOLDER: &str = "SELECT pid, coalesce(activity.application_name, '') AS program, \
     coalesce(activity.query, '') AS query, \
     coalesce(activity.query_start::text, '') AS since \
     FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid) \
     WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1 \
     AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND (held.classid::bigint << 32 | held.objid::bigint) = $1";
const IS_MINE: &str = "SELECT EXISTS (SELECT FROM pg_locks AS held \
     WHERE held.pid = pg_backend_pid() \
     AND held.locktype = 'advisory' AND held.granted AND held.objsubid = 1 \
     AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND (held.classid::bigint << 32 | held.objid::bigint) = $1) AS mine";
/// Finds transactions with table locks in this database, oldest first.
const BLOCKERS: &str = "SELECT pid, coalesce(application_name, '') AS program, \
     coalesce(query, '') AS query, coalesce(xact_start::text, '') AS since \
     FROM pg_stat_activity AS activity \
     WHERE pid <> pg_backend_pid() AND datname = current_database() AND xact_start IS NOT NULL \
     AND EXISTS (SELECT FROM pg_locks AS held WHERE held.pid = activity.pid AND held.granted \
       AND held.locktype = 'relation' AND held.relation >= 16384) \
     ORDER BY xact_start LIMIT 3";

impl LockSession {
    /// Waits for the lock and takes it.
    pub(super) async fn start(
        conn: &mut PgConnection,
        options: &ApplyOptions,
        events: EventSink<'_>,
    ) -> Result<Self, Error> {
        if let Some((host, port)) = options.pooler() {
            events(Event::Pooler { host, port });
        }
        let row = query(SESSION).fetch_one(&mut *conn).await?;
        let mut session = Self {
            pid: row.try_get("pid")?,
            key: row.try_get("key")?,
            role: row.try_get("role")?,
            settings: Vec::new(),
            check_interval: row.try_get("check_interval")?,
        };
        session.lock(conn, options.lock_timeout, events).await?;
        // If this process is killed, the server notices within a second, cancels its statement and
        // releases the lock. Not every platform supports that.
        if session.check_interval.is_some() {
            let set = "SELECT set_config('client_connection_check_interval', '1s', false)";
            let _ = query(set).execute(&mut *conn).await;
        }
        let rows = query(SETTINGS).fetch_all(&mut *conn).await?;
        for row in rows {
            session
                .settings
                .push((row.try_get("name")?, row.try_get("setting")?));
        }
        session_settings::set_for_session(conn).await?;
        Ok(session)
    }

    async fn lock(
        &self,
        conn: &mut PgConnection,
        timeout: Duration,
        events: EventSink<'_>,
    ) -> Result<(), Error> {
        const PAUSE: Duration = Duration::from_millis(100);
        const REPORT_INTERVAL: Duration = Duration::from_secs(10);
        let begun = Instant::now();
        let mut reported: Option<Instant> = None;
        // Session locks are counted: a lock left by a dropped run would outlive this run.
        self.unlock(conn).await?;
        loop {
            let row = query("SELECT pg_try_advisory_lock($1) AS got")
                .bind(self.key)
                .fetch_one(&mut *conn)
                .await?;
            if row.try_get("got")? {
                return Ok(());
            }
            let is_over = begun.elapsed() >= timeout;
            // Reported at least once, even if this process is late.
            let is_due = match reported {
                Some(reported) => !is_over && reported.elapsed() >= REPORT_INTERVAL,
                None => !timeout.is_zero(),
            };
            if is_due {
                reported = Some(Instant::now());
                let holder = self.holder(conn).await?;
                events(Event::WaitingForLock { holder });
            }
            if is_over {
                break;
            }
            tokio::time::sleep(PAUSE.min(timeout.saturating_sub(begun.elapsed()))).await;
        }
        let holder = self.holder(conn).await?;
        Err(LockError::Held { timeout, holder }.into())
    }

    async fn holder(&self, conn: &mut PgConnection) -> Result<Option<Holder>, Error> {
        let row = query(HOLDER).bind(self.key).fetch_optional(conn).await?;
        row.as_ref().map(holder).transpose()
    }

    /// Releases the lock as many times as this session holds it.
    async fn unlock(&self, conn: &mut PgConnection) -> Result<(), Error> {
        while self.is_held(conn).await? {
            query("SELECT pg_advisory_unlock($1)")
                .bind(self.key)
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }

    /// Whether the current session of the connection holds the lock.
    async fn is_held(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let row = query(IS_MINE).bind(self.key).fetch_one(conn).await?;
        Ok(row.try_get("mine")?)
    }

    /// Checks that the session is the same and still holds the lock.
    pub(super) async fn check(&self, conn: &mut PgConnection, file: &str) -> Result<(), Error> {
        let row = query("SELECT pg_backend_pid() AS pid")
            .fetch_one(&mut *conn)
            .await?;
        let pid: i32 = row.try_get("pid")?;
        if pid != self.pid {
            return Err(LockError::Moved {
                file: file.to_owned(),
                pid,
                lock_pid: self.pid,
            }
            .into());
        }
        if !self.is_held(conn).await? {
            let file = file.to_owned();
            return Err(LockError::Released { file }.into());
        }
        Ok(())
    }

    /// Resets the settings that a file changed for the session to those that files run with.
    pub(super) async fn reset(&self, conn: &mut PgConnection) -> Result<(), Error> {
        self.restore(conn).await?;
        Ok(session_settings::set_for_session(conn).await?)
    }

    /// Resets the settings to those before the run.
    ///
    /// Custom parameters that no module has declared are lost: the server does not list them, so
    /// they cannot be restored.
    async fn restore(&self, conn: &mut PgConnection) -> Result<(), Error> {
        query("SELECT set_config('role', $1, false)")
            .bind(&self.role)
            .execute(&mut *conn)
            .await?;
        query("RESET ALL").execute(&mut *conn).await?;
        for (name, setting) in &self.settings {
            query("SELECT set_config($1, $2, false)")
                .bind(name)
                .bind(setting)
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }

    /// Releases the lock and restores the session.
    pub(super) async fn end(self, conn: &mut PgConnection) -> Result<(), Error> {
        self.restore(conn).await?;
        if let Some(interval) = &self.check_interval {
            let _ = query("SELECT set_config('client_connection_check_interval', $1, false)")
                .bind(interval)
                .execute(&mut *conn)
                .await;
        }
        self.unlock(conn).await
    }
}

/// Finds the sessions that may hold table locks.
pub(super) async fn blockers(conn: &mut PgConnection) -> Result<Vec<Holder>, Error> {
    let rows = query(BLOCKERS).fetch_all(conn).await?;
    rows.iter().map(holder).collect()
}

fn holder(row: &PgRow) -> Result<Holder, Error> {
    const LONGEST: usize = 120;
    let query: String = row.try_get("query")?;
    let mut words = query.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > LONGEST {
        words = words.chars().take(LONGEST).chain(['…']).collect();
    }
    Ok(Holder {
        pid: row.try_get("pid")?,
        program: row.try_get("program")?,
        query: words,
        since: row.try_get("since")?,
    })
}
