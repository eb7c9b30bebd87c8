//! The progress of an import, stored in the database.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Postgres, Row as _, Transaction};

use super::Input;
use super::content::Content;
use super::lines::Mark;
use super::store::BEGIN;
use crate::failure::Failure;
use crate::output;

/// A row of `imports`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) id: i64,
    name: String,
    pub(crate) target: String,
    pub(crate) position: i64,
    pub(crate) lines: i64,
    pub(crate) stored: i64,
    pub(crate) rejected: i64,
    pub(crate) prefix_sha256: String,
    pub(crate) is_finished: bool,
}

impl Import {
    pub(super) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            target: row.try_get("target")?,
            position: row.try_get("position")?,
            lines: row.try_get("lines")?,
            stored: row.try_get("stored")?,
            rejected: row.try_get("rejected")?,
            prefix_sha256: row.try_get("prefix_sha256")?,
            is_finished: row.try_get("is_finished")?,
        })
    }
}

impl Import {
    /// Whether a later import of this input finds it by its name.
    pub(crate) fn is_of(&self, input: &Input) -> bool {
        input.known_name() == Some(&*self.name)
    }

    /// The stored name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name for messages.
    pub(crate) fn shown_name(&self) -> String {
        if self.name == super::input::UNNAMED {
            "standard input".to_owned()
        } else {
            output::printable(&self.name)
        }
    }
}

/// The progress of an import.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) content: Content,
    state: CheckpointState,
}

#[derive(Clone, Debug)]
enum CheckpointState {
    /// Nothing is stored yet.
    Fresh {
        name: String,
        /// Whether a later import can find this one by its name.
        is_known: bool,
        /// The id of the last import of this name, when this one began.
        earlier: Option<i64>,
        /// Lines that were rejected so far.
        rejected: u64,
        /// The import of the same content under another name, which this one continues.
        continues: Option<Box<Import>>,
    },
    Saved(Box<Import>),
}

impl Checkpoint {
    pub(crate) fn fresh(input: &Input, content: Content, earlier: Option<i64>) -> Self {
        Self {
            content,
            state: CheckpointState::Fresh {
                name: input.name().to_owned(),
                is_known: input.known_name().is_some(),
                earlier,
                rejected: 0,
                continues: None,
            },
        }
    }

    /// Counts rejected lines before the first record is stored: there is no row for them yet.
    pub(crate) fn reject_before_first(&mut self, lines: u64) {
        if let CheckpointState::Fresh { rejected, .. } = &mut self.state {
            *rejected += lines;
        }
    }

    /// Whether another process has moved the position since this one read it.
    ///
    /// It takes the lock of the import until the transaction ends, and so works through a
    /// connection pooler.
    pub(crate) async fn is_overtaken(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
    ) -> Result<bool, sqlx::Error> {
        lock(transaction, self.lock_name()).await?;
        let (name, expected) = match &self.state {
            CheckpointState::Fresh {
                is_known: false, ..
            } => return Ok(false),
            CheckpointState::Fresh { name, earlier, .. } => (name, earlier.map(|id| (id, None))),
            CheckpointState::Saved(import) => {
                if import.name == super::input::UNNAMED {
                    return Ok(false);
                }
                let is_finished = import.is_finished;
                let state = (import.position, is_finished);
                (&import.name, Some((import.id, Some(state))))
            }
        };
        let newest = sqlx::query(NEWEST)
            .bind(name)
            .fetch_optional(&mut **transaction)
            .await?;
        let newest = newest.as_ref().map(Import::from_row).transpose()?;
        Ok(match (newest, expected) {
            (None, None) => false,
            (Some(newest), Some((id, state))) => {
                let moved =
                    state.is_some_and(|state| state != (newest.position, newest.is_finished));
                newest.id != id || moved
            }
            _ => true,
        })
    }

    /// Returns the checkpoint behind a batch that may have been stored when its connection was
    /// lost; `None` if it was not.
    ///
    /// The row of the first batch is found by what was read, since its id is not known.
    pub(crate) async fn stored_behind(
        &self,
        conn: &mut PgConnection,
        end: &Mark,
        is_end: bool,
        begun: DateTime<Utc>,
    ) -> Result<Option<Self>, sqlx::Error> {
        let position = i64::try_from(end.position).unwrap_or(i64::MAX);
        let query = match &self.state {
            CheckpointState::Saved(import) => sqlx::query(
                "SELECT *, finished_at IS NOT NULL AS is_finished FROM imports \
                 WHERE id = $1 AND position >= $2",
            )
            .bind(import.id)
            .bind(position),
            CheckpointState::Fresh { name, .. } => sqlx::query(
                "SELECT *, finished_at IS NOT NULL AS is_finished FROM imports \
                 WHERE name = $1 AND position = $2 AND prefix_sha256 = $3 AND created_at >= $4 \
                 ORDER BY id DESC LIMIT 1",
            )
            .bind(name)
            .bind(position)
            .bind(end.sha256())
            .bind(begun),
        };
        let mut transaction = conn.begin_with(BEGIN).await?;
        // The server may still be storing the batch for the lost connection.
        lock(&mut transaction, self.lock_name()).await?;
        let row = query.fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        let import = row.as_ref().map(Import::from_row).transpose()?;
        let import = import.filter(|import| import.is_finished || !is_end);
        Ok(import.map(|import| Self {
            content: self.content,
            state: CheckpointState::Saved(Box::new(import)),
        }))
    }

    /// Continues an earlier import; one of another name keeps its row.
    pub(crate) fn resumed(
        input: &Input,
        import: Import,
        content: Content,
        earlier: Option<i64>,
    ) -> Self {
        if import.is_of(input) {
            return Self {
                content,
                state: CheckpointState::Saved(Box::new(import)),
            };
        }
        let mut fresh = Self::fresh(input, content, earlier);
        if let CheckpointState::Fresh {
            rejected,
            continues,
            ..
        } = &mut fresh.state
        {
            *rejected = import.rejected.unsigned_abs();
            *continues = Some(Box::new(import));
        }
        fresh
    }

    /// What is locked while a batch is stored: the name, or for an unnamed input this process.
    fn lock_name(&self) -> &str {
        static PROCESS: OnceLock<String> = OnceLock::new();
        let name = match &self.state {
            CheckpointState::Fresh { name, .. } => name,
            CheckpointState::Saved(import) => &import.name,
        };
        if name == super::input::UNNAMED {
            PROCESS.get_or_init(|| format!("- {} {}", std::process::id(), Utc::now()))
        } else {
            name
        }
    }

    pub(crate) fn target(&self) -> &'static str {
        self.content.target()
    }

    pub(crate) fn position(&self) -> u64 {
        self.saved(|import| import.position)
    }

    pub(crate) fn lines(&self) -> u64 {
        self.saved(|import| import.lines)
    }

    pub(crate) fn stored(&self) -> u64 {
        self.saved(|import| import.stored)
    }

    pub(crate) fn rejected(&self) -> u64 {
        match &self.state {
            CheckpointState::Fresh { rejected, .. } => *rejected,
            CheckpointState::Saved(import) => import.rejected.unsigned_abs(),
        }
    }

    fn saved(&self, number: impl Fn(&Import) -> i64) -> u64 {
        match &self.state {
            CheckpointState::Fresh { continues, .. } => continues
                .as_deref()
                .map_or(0, |import| number(import).unsigned_abs()),
            CheckpointState::Saved(import) => number(import).unsigned_abs(),
        }
    }

    /// Writes the checkpoint after a batch, in the transaction of the batch.
    pub(crate) async fn advance(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        end: &Mark,
        stored: u64,
        rejected: u64,
        finished: bool,
    ) -> Result<Self, lookback::Error> {
        let now = Utc::now();
        let finished_at = finished.then_some(now);
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (position, lines) = (number(end.position), number(end.lines));
        let stored = number(self.stored() + stored);
        let rejected = number(self.rejected() + rejected);
        let sql = match &self.state {
            CheckpointState::Fresh { .. } => {
                "INSERT INTO imports \
                   (position, lines, stored, rejected, prefix_sha256, start_sha256, finished_at, \
                    updated_at, created_at, name, target) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10) RETURNING *, finished_at IS NOT NULL AS is_finished"
            }
            CheckpointState::Saved(_) => {
                "UPDATE imports SET position = $1, lines = $2, stored = $3, rejected = $4, \
                   prefix_sha256 = $5, start_sha256 = $6, finished_at = $7, updated_at = $8 \
                 WHERE id = $9 RETURNING *, finished_at IS NOT NULL AS is_finished"
            }
        };
        let query = sqlx::query(sql)
            .bind(position)
            .bind(lines)
            .bind(stored)
            .bind(rejected)
            .bind(end.sha256())
            .bind(end.start_sha256())
            .bind(finished_at)
            .bind(now);
        let query = match &self.state {
            CheckpointState::Fresh { name, .. } => query.bind(name).bind(self.target()),
            CheckpointState::Saved(import) => query.bind(import.id),
        };
        let import = Import::from_row(&query.fetch_one(&mut **transaction).await?)?;
        Ok(Self {
            content: self.content,
            state: CheckpointState::Saved(Box::new(import)),
        })
    }
}

/// Returns what an earlier import imported.
pub(crate) fn content(import: &Import) -> Result<Content, Failure> {
    Content::of_target(&import.target).ok_or_else(|| {
        Failure::failed(format!(
            "the earlier import went into {}, which this version of lookback does not know",
            import.target
        ))
    })
}

/// The newest import of a name.
const NEWEST: &str = "SELECT *, finished_at IS NOT NULL AS is_finished \
     FROM imports WHERE name = $1 ORDER BY id DESC LIMIT 1";

/// Finds the last import of an input with this name.
///
/// It waits for a process that stores a batch of this input, or that was killed while it did.
pub(crate) async fn find_earlier(
    conn: &mut PgConnection,
    input: &Input,
) -> Result<Option<Import>, Failure> {
    let Some(name) = input.known_name() else {
        return Ok(None);
    };
    // It is free again when the statement ends: only who had it before matters.
    if !try_lock(conn, name).await? {
        let mut transaction = conn.begin_with(BEGIN).await?;
        lock(&mut transaction, name).await.map_err(|error| {
            if is_lock_timeout(&error) {
                busy(input)
            } else {
                error.into()
            }
        })?;
        transaction.commit().await?;
    }
    let row = sqlx::query(NEWEST).bind(name).fetch_optional(conn).await?;
    Ok(row.as_ref().map(Import::from_row).transpose()?)
}

/// The failure of an import that another process is storing.
pub(crate) fn busy(input: &Input) -> Failure {
    Failure::failed(format!(
        "another process is importing {} right now",
        input.shown()
    ))
}

/// Locks a name against other imports until the transaction ends.
///
/// A lock of the session would stay on a connection of a pooler.
async fn lock(transaction: &mut Transaction<'_, Postgres>, name: &str) -> Result<(), sqlx::Error> {
    /// The time within which a batch ends, or the server notices that its process was killed.
    const LOCK_TIMEOUT: &str = "10s";
    if try_lock(transaction, name).await? {
        return Ok(());
    }
    let set = "SELECT set_config('lock_timeout', $1, true)";
    let before: String = sqlx::query("SELECT current_setting('lock_timeout') AS before")
        .fetch_one(&mut **transaction)
        .await?
        .try_get("before")?;
    sqlx::query(set)
        .bind(LOCK_TIMEOUT)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('lookback import ' || $1, 0))")
        .bind(name)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(set)
        .bind(before)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Locks a name as [`lock`] does, unless another process has it.
///
/// It also makes the server notice within two seconds that this process was killed, where it can:
/// otherwise the server would continue the statement of a dead process and keep its lock. A server
/// that cannot notices it when it sends its next response.
async fn try_lock(conn: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('lookback import ' || $1, 0)) AS locked, \
         CASE WHEN version() ILIKE '%linux%' \
         THEN set_config('client_connection_check_interval', '2s', true) END",
    )
    .bind(name)
    .fetch_one(conn)
    .await?
    .try_get("locked")
}

/// Whether others held the lock for too long.
pub(crate) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "55P03")
}
