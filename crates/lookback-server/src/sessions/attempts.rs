//! Attempts to log in that failed, and how long it is until the next: in the database, so that
//! several servers know of them.
//!
//! An attempt counts for the network that it comes from, and for the account. After some, each
//! other has to wait: for a second, then two, four and so on up to 15 minutes. An account is never
//! locked for good, and a network from which its user has logged in is counted by itself: others
//! who guess at the password do not keep the user out.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lookback::User;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, Row as _};

use crate::problem::Problem;

/// The attempts that may fail before the next has to wait: of an account, and of a network, behind
/// which there may be many people.
const FREE: (i32, i32) = (5, 20);

/// The longest time that an attempt has to wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// After this time without a failed attempt, those before do not count.
const FORGIVEN: TimeDelta = TimeDelta::hours(1);

/// How long it is known from where a user has logged in.
const KNOWN: TimeDelta = TimeDelta::days(30);

/// An attempt that is under way. It counts as failed until it succeeds.
#[derive(Debug)]
pub(super) struct Attempt {
    network: Option<String>,
    account: String,
    /// The account from this network.
    known: Option<String>,
}

impl Attempt {
    /// Counts an attempt, or returns how long it is until the next is taken.
    ///
    /// It is counted before the password is checked: many at a time are no way around.
    pub(super) async fn begin(
        conn: &mut PgConnection,
        email: &str,
        network: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<Result<Self, Duration>, Problem> {
        let email = User::stored_email(email).to_lowercase();
        let known = network.map(|network| subject("known", &format!("{network} {email}")));
        let mut account = subject("account", &email);
        if let Some(known) = &known
            && has_succeeded(conn, known, now).await?
        {
            account.clone_from(known);
        }
        let network = network.map(|network| subject("network", &network.to_string()));
        if let Some(network) = &network
            && let Some(wait) = count(conn, network, FREE.1, now).await?
        {
            return Ok(Err(wait));
        }
        if let Some(wait) = count(conn, &account, FREE.0, now).await? {
            return Ok(Err(wait));
        }
        Ok(Ok(Self {
            network,
            account,
            known,
        }))
    }

    /// Notes that the password was right.
    pub(super) async fn succeed(
        self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<(), Problem> {
        // Others of the network may guess at other accounts: only this attempt is taken back.
        sqlx::query(
            "UPDATE login_attempts SET failures = greatest(failures - 1, 0), blocked_until = $2 \
             WHERE subject = $1",
        )
        .bind(&self.network)
        .bind(now)
        .execute(&mut *conn)
        .await?;
        sqlx::query("DELETE FROM login_attempts WHERE subject = $1")
            .bind(&self.account)
            .execute(&mut *conn)
            .await?;
        if let Some(known) = &self.known {
            sqlx::query(
                "INSERT INTO login_attempts (subject, failures, blocked_until, succeeded_at) \
                 VALUES ($1, 0, $2, $2) ON CONFLICT (subject) \
                 DO UPDATE SET failures = 0, blocked_until = $2, succeeded_at = $2",
            )
            .bind(known)
            .bind(now)
            .execute(conn)
            .await?;
        }
        Ok(())
    }
}

/// Forgets attempts that no longer count.
pub(crate) async fn forget(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query(
        "DELETE FROM login_attempts WHERE blocked_until <= $1 \
         AND coalesce(last_failed_at <= $2, true) AND coalesce(succeeded_at <= $3, true)",
    )
    .bind(now)
    .bind(now - FORGIVEN)
    .bind(now - KNOWN)
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}

async fn has_succeeded(
    conn: &mut PgConnection,
    subject: &str,
    now: DateTime<Utc>,
) -> Result<bool, Problem> {
    let found = sqlx::query("SELECT FROM login_attempts WHERE subject = $1 AND succeeded_at > $2")
        .bind(subject)
        .bind(now - KNOWN)
        .fetch_optional(conn)
        .await?;
    Ok(found.is_some())
}

/// Counts a failed attempt, or returns how long it is until the next is taken.
async fn count(
    conn: &mut PgConnection,
    subject: &str,
    free: i32,
    now: DateTime<Utc>,
) -> Result<Option<Duration>, Problem> {
    // One statement: of two at a time, the second sees what the first did. Two to the power of 20
    // seconds is longer than the longest wait.
    let counted = sqlx::query(
        "INSERT INTO login_attempts AS a (subject, failures, last_failed_at, blocked_until) \
         VALUES ($1, 1, $2, $2) ON CONFLICT (subject) DO UPDATE SET \
         failures = CASE WHEN a.last_failed_at > $3 THEN least(a.failures, 1000000) + 1 ELSE 1 END, \
         blocked_until = CASE WHEN a.last_failed_at > $3 AND a.failures + 1 >= $4 \
         THEN $2 + make_interval(secs => \
         least($5, power(2, least(a.failures + 1 - $4, 20)))) ELSE $2 END, \
         last_failed_at = $2 WHERE a.blocked_until <= $2 RETURNING true",
    )
    .bind(subject)
    .bind(now)
    .bind(now - FORGIVEN)
    .bind(free)
    .bind(LONGEST.as_secs_f64())
    .fetch_optional(&mut *conn)
    .await?;
    if counted.is_some() {
        return Ok(None);
    }
    let row = sqlx::query("SELECT blocked_until FROM login_attempts WHERE subject = $1")
        .bind(subject)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else {
        // Another attempt succeeded in between.
        return Ok(Some(Duration::from_secs(1)));
    };
    let until: DateTime<Utc> = row.try_get("blocked_until")?;
    Ok(Some((until - now).to_std().unwrap_or_default()))
}

/// The key of a row. E-mails that are no user's, and addresses, are not to be read from it.
fn subject(kind: &str, of: &str) -> String {
    let hash = Sha256::digest(format!("{kind} {of}"));
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind} {hash}")
}
