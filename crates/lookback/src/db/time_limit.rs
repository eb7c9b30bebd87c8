//! Sessions in which no statement takes longer than a limit.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::{CloseOnDrop, LocalSetting, LocalSettings, Session};
use crate::error::{Error, ErrorKind};
use crate::model::Table;

/// How often the server checks that the client is still connected, in ms.
const CHECK_INTERVAL: &str = "1000";

/// Whether the server can detect that a client has disconnected.
///
/// Only some systems can. On others, setting the interval is an error.
const SEES_CLIENTS: &str = "version() ILIKE '%linux%'";

/// A session in which no statement takes longer than a limit.
pub(crate) struct Limited<'c>(LimitState<'c>);

enum LimitState<'c> {
    /// Without a limit, for one statement.
    Plain(Session<'c>),
    /// Without a limit, for several statements that belong together.
    CloseOnDrop(CloseOnDrop<'c>),
    Limited(Limit<'c>),
    /// Between two of the others.
    Changing,
}

struct Limit<'c> {
    settings: LocalSettings<CloseOnDrop<'c>>,
    timeout: Duration,
    since: Instant,
}

impl<'c> Limited<'c> {
    pub(super) async fn begin(
        session: Session<'c>,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let Some(timeout) = timeout else {
            return Ok(Self(LimitState::Plain(session)));
        };
        let milliseconds = milliseconds(timeout);
        let settings = [
            LocalSetting::new("statement_timeout", &milliseconds),
            LocalSetting {
                condition: Some(SEES_CLIENTS),
                ..LocalSetting::new("client_connection_check_interval", CHECK_INTERVAL)
            },
        ];
        let session = CloseOnDrop::new(session);
        let begun = LocalSettings::begin(session, &settings, |_| Ok(String::new()));
        let (settings, _) = begun.await?;
        Ok(Self(LimitState::Limited(Limit {
            settings,
            timeout,
            since: Instant::now(),
        })))
    }

    /// Returns the session, for one statement.
    pub(crate) fn session(&mut self) -> &mut Session<'c> {
        match &mut self.0 {
            LimitState::Plain(session) => session,
            LimitState::CloseOnDrop(session) => session.session(),
            LimitState::Limited(limit) => limit.settings.connection().session(),
            LimitState::Changing => unreachable!("`whole` puts another in its place"),
        }
    }

    /// Returns the session, for several statements.
    ///
    /// If the session is dropped before it ends, its connection does not return to the
    /// pool.
    pub(crate) fn whole(&mut self) -> &mut Session<'c> {
        self.0 = match std::mem::replace(&mut self.0, LimitState::Changing) {
            LimitState::Plain(session) => LimitState::CloseOnDrop(CloseOnDrop::new(session)),
            other => other,
        };
        self.session()
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.session().conn()
    }

    /// Ends the limit, restores the session, and returns the outcome.
    pub(crate) async fn end<T>(
        self,
        table: &'static Table,
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        let limit = match self.0 {
            LimitState::Plain(_) | LimitState::Changing => return outcome,
            LimitState::CloseOnDrop(session) => {
                session.release();
                return outcome;
            }
            LimitState::Limited(limit) => limit,
        };
        let outcome = outcome.map_err(|error| {
            // A lower limit of the server, or another user, may have cancelled the
            // statement.
            if error.is_timeout() && limit.since.elapsed() >= limit.timeout {
                return ErrorKind::TooSlow {
                    table: table.name,
                    timeout: limit.timeout,
                }
                .into();
            }
            error
        });
        let (session, ended) = limit.settings.end().await;
        match ended {
            Ok(()) => session.release(),
            Err(_) => drop(session),
        }
        match (outcome, ended) {
            (Ok(value), Ok(())) => Ok(value),
            (Ok(_), Err(error)) => Err(error.into()),
            // A failed transaction accepts no settings, and will be rolled back.
            (Err(error), _) => Err(error),
        }
    }
}

/// Formats a timeout in milliseconds, as a number of 31 bits.
///
/// The minimum is 1, because zero means no limit to the server.
fn milliseconds(timeout: Duration) -> String {
    timeout
        .as_millis()
        .clamp(1, i32::MAX.unsigned_abs().into())
        .to_string()
}
