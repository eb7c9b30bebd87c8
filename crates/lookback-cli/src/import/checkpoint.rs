//! How far an import has come, kept in the database.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use lookback::{Import, ImportPatch, Model, NewImport};
use sqlx::{PgConnection, Postgres, Row as _, Transaction};

use super::Input;
use super::lines::Mark;
use crate::args::Kind;
use crate::failure::Failure;

/// How far an import has come.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) kind: Kind,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing is stored yet.
    Fresh {
        name: String,
    },
    Kept(Box<Import>),
}

impl Checkpoint {
    pub(crate) fn fresh(input: &Input, kind: Kind) -> Self {
        Self {
            kind,
            state: State::Fresh {
                name: input.name().to_owned(),
            },
        }
    }

    pub(crate) fn resumed(import: Import, kind: Kind) -> Self {
        Self {
            kind,
            state: State::Kept(Box::new(import)),
        }
    }

    pub(crate) fn target(&self) -> &'static str {
        target(self.kind)
    }

    pub(crate) fn position(&self) -> u64 {
        self.kept(|import| import.position)
    }

    pub(crate) fn lines(&self) -> u64 {
        self.kept(|import| import.lines)
    }

    pub(crate) fn stored(&self) -> u64 {
        self.kept(|import| import.stored)
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.kept(|import| import.rejected)
    }

    fn kept(&self, number: impl Fn(&Import) -> i64) -> u64 {
        match &self.state {
            State::Fresh { .. } => 0,
            State::Kept(import) => number(import).unsigned_abs(),
        }
    }

    /// The checkpoint after a batch, written in the transaction that stores it.
    pub(crate) async fn moved(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        end: &Mark,
        stored: u64,
        rejected: u64,
        finished: bool,
    ) -> Result<Self, lookback::Error> {
        let finished_at: Option<DateTime<Utc>> = finished.then(Utc::now);
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (position, lines) = (number(end.position), number(end.lines));
        let stored = number(self.stored() + stored);
        let rejected = number(self.rejected() + rejected);
        let import = match &self.state {
            State::Fresh { name } => {
                let mut new = NewImport::new(
                    name.as_str(),
                    self.target(),
                    position,
                    lines,
                    stored,
                    rejected,
                    end.sha256(),
                );
                new.finished_at = finished_at;
                Import::records().create(transaction, new).await?
            }
            State::Kept(import) => {
                let patch = ImportPatch::new()
                    .position(position)
                    .lines(lines)
                    .stored(stored)
                    .rejected(rejected)
                    .prefix_sha256(end.sha256())
                    .finished_at(finished_at);
                Import::records()
                    .update(transaction, import.id, patch)
                    .await?
            }
        };
        Ok(Self {
            kind: self.kind,
            state: State::Kept(Box::new(import)),
        })
    }
}

fn target(kind: Kind) -> &'static str {
    match kind {
        Kind::Logs => lookback::Log::TABLE.name,
        Kind::Requests => lookback::RequestSnapshot::TABLE.name,
    }
}

/// The kind of an earlier import.
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

/// The last import of an input of this name.
pub(crate) async fn earlier(
    conn: &mut PgConnection,
    input: &Input,
) -> Result<Option<Import>, Failure> {
    let Some(name) = input.known_name() else {
        return Ok(None);
    };
    Ok(Import::records()
        .filter(Import::name().eq(name))
        .first(conn)
        .await?)
}

/// One import at a time of an input of this name. The lock is the
/// connection's: it is gone as soon as the server notices that the process is.
pub(crate) async fn lock(conn: &mut PgConnection, input: &Input) -> Result<(), Failure> {
    const LOCK: &str =
        "SELECT pg_try_advisory_lock(hashtextextended('lookback import ' || $1, 0)) AS got";
    /// Enough for a server to notice that the last import was killed.
    const PATIENCE: Duration = Duration::from_secs(10);
    let Some(name) = input.known_name() else {
        return Ok(());
    };
    let deadline = Instant::now() + PATIENCE;
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
