//! The progress of an import, stored in the database.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use lookback::Model;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Row as _, Transaction};

use super::Input;
use super::lines::Mark;
use crate::args::Kind;
use crate::failure::Failure;

/// A row of `imports`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    id: i64,
    pub(crate) target: String,
    pub(crate) position: i64,
    pub(crate) lines: i64,
    pub(crate) stored: i64,
    pub(crate) rejected: i64,
    pub(crate) prefix_sha256: String,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

impl Import {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            target: row.try_get("target")?,
            position: row.try_get("position")?,
            lines: row.try_get("lines")?,
            stored: row.try_get("stored")?,
            rejected: row.try_get("rejected")?,
            prefix_sha256: row.try_get("prefix_sha256")?,
            finished_at: row.try_get("finished_at")?,
        })
    }
}

/// The progress of an import.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) kind: Kind,
    state: CheckpointState,
}

#[derive(Clone, Debug)]
enum CheckpointState {
    /// Nothing is stored yet.
    Fresh {
        name: String,
    },
    Saved(Box<Import>),
}

impl Checkpoint {
    pub(crate) fn fresh(input: &Input, kind: Kind) -> Self {
        Self {
            kind,
            state: CheckpointState::Fresh {
                name: input.name().to_owned(),
            },
        }
    }

    pub(crate) fn resumed(import: Import, kind: Kind) -> Self {
        Self {
            kind,
            state: CheckpointState::Saved(Box::new(import)),
        }
    }

    pub(crate) fn target(&self) -> &'static str {
        target(self.kind)
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
        self.saved(|import| import.rejected)
    }

    fn saved(&self, number: impl Fn(&Import) -> i64) -> u64 {
        match &self.state {
            CheckpointState::Fresh { .. } => 0,
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
                   (position, lines, stored, rejected, prefix_sha256, finished_at, updated_at, \
                    created_at, name, target) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) RETURNING *"
            }
            CheckpointState::Saved(_) => {
                "UPDATE imports SET position = $1, lines = $2, stored = $3, rejected = $4, \
                   prefix_sha256 = $5, finished_at = $6, updated_at = $7 \
                 WHERE id = $8 RETURNING *"
            }
        };
        let query = sqlx::query(sql)
            .bind(position)
            .bind(lines)
            .bind(stored)
            .bind(rejected)
            .bind(end.sha256())
            .bind(finished_at)
            .bind(now);
        let query = match &self.state {
            CheckpointState::Fresh { name } => query.bind(name).bind(self.target()),
            CheckpointState::Saved(import) => query.bind(import.id),
        };
        let import = Import::from_row(&query.fetch_one(&mut **transaction).await?)?;
        Ok(Self {
            kind: self.kind,
            state: CheckpointState::Saved(Box::new(import)),
        })
    }
}

fn target(kind: Kind) -> &'static str {
    match kind {
        Kind::Logs => lookback::Log::TABLE.name(),
        Kind::Requests => lookback::RequestSnapshot::TABLE.name(),
    }
}

/// Returns the kind of an earlier import.
pub(crate) fn kind(import: &Import) -> Result<Kind, Failure> {
    [Kind::Logs, Kind::Requests]
        .into_iter()
        .find(|kind| target(*kind) == import.target)
        .ok_or_else(|| {
            Failure::failed(format!(
                "the earlier import went into {}, which this version of lookback does not know",
                import.target
            ))
        })
}

/// Finds the last import of an input with this name.
pub(crate) async fn find_earlier(
    conn: &mut PgConnection,
    input: &Input,
) -> Result<Option<Import>, Failure> {
    let Some(name) = input.known_name() else {
        return Ok(None);
    };
    let row = sqlx::query("SELECT * FROM imports WHERE name = $1 ORDER BY id DESC LIMIT 1")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(row.as_ref().map(Import::from_row).transpose()?)
}

/// Locks the name of the input against other imports.
///
/// The lock belongs to the connection: it is released as soon as the server
/// notices that the process has ended.
pub(crate) async fn lock(conn: &mut PgConnection, input: &Input) -> Result<(), Failure> {
    const LOCK: &str =
        "SELECT pg_try_advisory_lock(hashtextextended('lookback import ' || $1, 0)) AS got";
    /// The time within which the server notices that the last import was killed.
    const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
    let Some(name) = input.known_name() else {
        return Ok(());
    };
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        let row = sqlx::query(LOCK).bind(name).fetch_one(&mut *conn).await?;
        if row.try_get("got")? {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Failure::failed(format!(
                "another process is importing {} right now",
                input.shown()
            )));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
