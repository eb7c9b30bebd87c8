//! The rows of sessions.
//!
//! A row has a hash of its user's password, role and time of change. A session is valid while they
//! are the same, so it ends with any change of the user, whatever program makes it.

use chrono::{DateTime, TimeDelta, Utc};
use lookback::{User, UserRole};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, Row as _};

use super::SignedIn;
use crate::problem::Problem;
use crate::settings::Settings;

/// The SQL of the hash of a user. The time is of microseconds since 1970, in any time zone.
macro_rules! user_hash {
    () => {
        "sha256(convert_to(concat_ws(' ', u.role, u.password_hash, \
         extract(epoch FROM u.updated_at)), 'UTF8'))"
    };
}

/// A user as a log-in finds it.
pub(crate) struct FoundUser {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) password_hash: String,
}

/// Finds the user of an e-mail.
pub(crate) async fn user_of(
    conn: &mut PgConnection,
    email: &str,
) -> Result<Option<FoundUser>, sqlx::Error> {
    // No text of PostgreSQL has it.
    if email.contains('\0') {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT id, email, password_hash FROM users \
         WHERE lower(email COLLATE \"C\") = lower($1 COLLATE \"C\") AND deleted_at IS NULL",
    )
    .bind(User::stored_email(email).as_ref())
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(FoundUser {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        password_hash: row.try_get("password_hash")?,
    }))
}

/// Stores a session of a user that is what it was when its password was checked; `false` if it is
/// another by now.
pub(super) async fn create(
    conn: &mut PgConnection,
    token: &str,
    (user, password_hash): (i64, &str),
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, Problem> {
    let stored = sqlx::query(concat!(
        "INSERT INTO sessions (token_hash, user_id, user_hash, created_at, last_used_at, expires_at) \
         SELECT $1, u.id, ",
        user_hash!(),
        ", $2, $2, $3 FROM users u \
         WHERE u.id = $4 AND u.password_hash = $5 AND u.deleted_at IS NULL"
    ))
    .bind(hash(token))
    .bind(now)
    .bind(expires_at)
    .bind(user)
    .bind(password_hash)
    .execute(conn)
    .await?;
    Ok(stored.rows_affected() == 1)
}

/// Finds the user of a session, if it is valid now, and notes its use once a minute.
pub(crate) async fn find(
    conn: &mut PgConnection,
    token: &str,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Option<SignedIn>, Problem> {
    const MINUTE: TimeDelta = TimeDelta::minutes(1);
    let idle = TimeDelta::from_std(settings.session_idle).unwrap_or(TimeDelta::MAX);
    let row = sqlx::query(concat!(
        "SELECT u.id, u.email, u.role, s.expires_at, s.last_used_at, \
         EXISTS (SELECT FROM one_time_passwords o WHERE o.user_id = u.id \
         AND o.password_hash_hash = sha256(convert_to(u.password_hash, 'UTF8'))) AS must_change \
         FROM sessions s JOIN users u ON u.id = s.user_id AND u.deleted_at IS NULL \
         AND s.user_hash = ",
        user_hash!(),
        " WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.last_used_at > $3"
    ))
    .bind(hash(token))
    .bind(now)
    .bind(now.checked_sub_signed(idle).unwrap_or(DateTime::UNIX_EPOCH))
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let last: DateTime<Utc> = row.try_get("last_used_at")?;
    if now - last >= MINUTE {
        sqlx::query("UPDATE sessions SET last_used_at = $1 WHERE token_hash = $2")
            .bind(now)
            .bind(hash(token))
            .execute(conn)
            .await?;
    }
    Ok(Some(SignedIn {
        id: row.try_get("id")?,
        email: row.try_get("email")?,
        role: row.try_get::<UserRole, _>("role")?,
        expires_at: row.try_get("expires_at")?,
        must_change_password: row.try_get("must_change")?,
        csrf_token: csrf_token(token),
        token: token.to_owned(),
    }))
}

/// Ends a session.
pub(super) async fn end(conn: &mut PgConnection, token: &str) -> Result<(), Problem> {
    sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
        .bind(hash(token))
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends all sessions of a user.
pub(crate) async fn end_all(conn: &mut PgConnection, user: i64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1")
        .bind(user)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that a user has to change the password that was just set, or that it need not.
pub(crate) async fn note_one_time(
    conn: &mut PgConnection,
    user: i64,
    is_one_time: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM one_time_passwords WHERE user_id = $1")
        .bind(user)
        .execute(&mut *conn)
        .await?;
    if is_one_time {
        sqlx::query(
            "INSERT INTO one_time_passwords (user_id, password_hash_hash, created_at) \
             SELECT id, sha256(convert_to(password_hash, 'UTF8')), $2 FROM users WHERE id = $1",
        )
        .bind(user)
        .bind(now)
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Forgets sessions that are over, and returns their number.
pub(crate) async fn forget(
    conn: &mut PgConnection,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let idle = TimeDelta::from_std(settings.session_idle).unwrap_or(TimeDelta::MAX);
    let deleted = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1 OR last_used_at <= $2")
        .bind(now)
        .bind(now.checked_sub_signed(idle).unwrap_or(DateTime::UNIX_EPOCH))
        .execute(conn)
        .await?;
    Ok(deleted.rows_affected())
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// The token by which a page shows that it is the server's own. Who has the cookie can compute it,
/// and nobody can compute the cookie from it: it is not stored.
fn csrf_token(token: &str) -> String {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(format!("x-csrf-token {token}")))
}
