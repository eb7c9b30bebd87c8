//! A session in which no statement takes longer than it may.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, Postgres, Row as _};
use sqlx_core::transaction::TransactionManager as _;

use super::{CloseOnDrop, Session};
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;

/// What keeps account of transactions.
type Transactions = <Postgres as sqlx::Database>::TransactionManager;

/// How often the server looks whether whoever asked is still there.
const LOOK: &str = "1000";

/// A session in which no statement takes longer than it may.
///
/// The limit is set in a transaction of its own, which is rolled back in the
/// end: nothing is written in it, and with it goes the limit. In a transaction
/// of the caller's it is set back.
pub(crate) struct Limited<'c>(State<'c>);

enum State<'c> {
    /// Without a limit, for one statement.
    Plain(Session<'c>),
    /// Without a limit, for several that belong together.
    Whole(CloseOnDrop<'c>),
    Limited(Limit<'c>),
    /// Between two of the others.
    Changing,
}

struct Limit<'c> {
    /// `None` once it was ended.
    session: Option<CloseOnDrop<'c>>,
    timeout: Duration,
    since: Instant,
    /// In the caller's transaction: what was set before, in the order of
    /// [`SETTINGS`].
    before: Option<Vec<Option<String>>>,
}

const SETTINGS: [&str; 2] = ["statement_timeout", "client_connection_check_interval"];

impl<'c> Limited<'c> {
    pub(super) async fn begin(
        session: Session<'c>,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let Some(timeout) = timeout else {
            return Ok(Self(State::Plain(session)));
        };
        let mut session = CloseOnDrop::new(session);
        let callers = session.conn().is_in_transaction();
        if !callers {
            Transactions::begin(session.conn(), None).await?;
        }
        let mut limit = Limit {
            session: Some(session),
            timeout,
            since: Instant::now(),
            before: callers.then(Vec::new),
        };
        // Whether a client has gone can be seen on some systems only, and setting it on
        // another is an error. What was set before is read first: `OFFSET 0` keeps the two apart.
        let mut sql = Sql::new(
            "SELECT was.before, set_config('statement_timeout', was.timeout, TRUE), \
             CASE WHEN version() ILIKE '%linux%' \
             THEN set_config('client_connection_check_interval', was.look, TRUE) END FROM (SELECT ",
        );
        sql.bind(milliseconds(timeout))?;
        sql.push("::text AS timeout, ");
        sql.bind(LOOK)?;
        sql.push(&format!(
            "::text AS look, ARRAY[{}] AS before OFFSET 0) AS was",
            SETTINGS
                .map(|name| format!("current_setting('{name}', TRUE)"))
                .join(", ")
        ));
        let row = sql.fetch_optional(limit.conn()).await?;
        if let (Some(row), Some(before)) = (row, &mut limit.before) {
            *before = row.try_get("before")?;
        }
        limit.since = Instant::now();
        Ok(Self(State::Limited(limit)))
    }

    /// For one statement.
    pub(crate) fn session(&mut self) -> &mut Session<'c> {
        match &mut self.0 {
            State::Plain(session) => session,
            State::Whole(session) => session.session(),
            State::Limited(limit) => limit.session(),
            State::Changing => unreachable!("`whole` puts another in its place"),
        }
    }

    /// For several statements: dropped half-way, it does not go back to a pool.
    pub(crate) fn whole(&mut self) -> &mut Session<'c> {
        self.0 = match std::mem::replace(&mut self.0, State::Changing) {
            State::Plain(session) => State::Whole(CloseOnDrop::new(session)),
            other => other,
        };
        self.session()
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.session().conn()
    }

    /// What came of it: the session is as it was before.
    pub(crate) async fn end<T>(
        self,
        table: &'static Table,
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        let mut limit = match self.0 {
            State::Plain(_) | State::Changing => return outcome,
            State::Whole(session) => {
                session.release();
                return outcome;
            }
            State::Limited(limit) => limit,
        };
        let outcome = outcome.map_err(|error| match error {
            // The server may be set to less, and a person may stop a statement.
            Error::Timeout(_) if limit.since.elapsed() >= limit.timeout => Error::TooSlow {
                table: table.name,
                timeout: limit.timeout,
            },
            other => other,
        });
        let ended = match limit.before.take() {
            None => Transactions::rollback(limit.conn()).await,
            Some(before) => set_back(limit.conn(), before).await,
        };
        if let Some(session) = limit.session.take() {
            match ended {
                Ok(()) => session.release(),
                Err(_) => drop(session),
            }
        }
        match (outcome, ended) {
            (Ok(value), Ok(())) => Ok(value),
            (Ok(_), Err(error)) => Err(error.into()),
            // In a transaction that failed nothing can be set, and it will be rolled back.
            (Err(error), _) => Err(error),
        }
    }
}

impl<'c> Limit<'c> {
    fn session(&mut self) -> &mut Session<'c> {
        match &mut self.session {
            Some(session) => session.session(),
            None => unreachable!("only `end` and `drop` take the session"),
        }
    }

    fn conn(&mut self) -> &mut PgConnection {
        self.session().conn()
    }
}

impl Drop for Limit<'_> {
    fn drop(&mut self) {
        // A connection of a pool is closed; one of the caller's rolls back when it is next used.
        if self.before.is_none()
            && let Some(session) = &mut self.session
            && let Session::Borrowed(conn) = session.session()
        {
            Transactions::start_rollback(conn);
        }
    }
}

async fn set_back(conn: &mut PgConnection, before: Vec<Option<String>>) -> Result<(), sqlx::Error> {
    let mut sql = Sql::new("SELECT ");
    for (place, (name, value)) in SETTINGS.iter().zip(before).enumerate() {
        if place > 0 {
            sql.push(", ");
        }
        sql.push(&format!("set_config('{name}', "));
        sql.bind(value)
            .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        sql.push(", TRUE)");
    }
    sql.fetch_optional(conn).await.map(drop)
}

/// At least one: zero is no limit to the server, which counts in 31 bits.
fn milliseconds(timeout: Duration) -> String {
    timeout
        .as_millis()
        .clamp(1, i32::MAX.unsigned_abs().into())
        .to_string()
}
