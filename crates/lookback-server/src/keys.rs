//! API keys: making them, what is stored of them, and admins that do it over HTTP.
//!
//! A key is `lb_`, eight letters and digits by which it is found, `_`, and 40 random ones. Its
//! SHA-256 is stored: it is long and random, so a slow hash would only cost time.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use lookback::value::Bytes;
use lookback::{ApiKey, ApiKeyPatch, KeyScope, NewApiKey, json};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use subtle::ConstantTimeEq as _;

use crate::access::IsAdmin;
use crate::body;
use crate::ingest::{json_response, object};
use crate::openapi::models::{self, object_with};
use crate::openapi::{Access, Operation};
use crate::problem::{Kind, Problem};
use crate::records;
use crate::server::Shared;

const START: &str = "lb_";
const PREFIX: usize = 8;
const SECRET: usize = 40;

/// A key that was just made. It is shown once.
pub struct SecretKey(String);

impl SecretKey {
    /// Makes a key.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn generate() -> std::io::Result<Self> {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut random = [0; PREFIX + SECRET];
        getrandom::fill(&mut random)?;
        let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
        let prefix: String = random[..PREFIX].iter().map(letter).collect();
        let secret: String = random[PREFIX..].iter().map(letter).collect();
        Ok(Self(format!("{START}{prefix}_{secret}")))
    }

    /// Returns the key.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// Makes a key and stores what is needed to recognise it.
///
/// # Errors
///
/// [`Error::is_invalid`](lookback::Error::is_invalid) for a blank name; those of the database.
pub async fn create(
    conn: &mut PgConnection,
    name: &str,
    scope: KeyScope,
    expires_at: Option<DateTime<Utc>>,
) -> Result<(ApiKey, SecretKey), lookback::Error> {
    let key = SecretKey::generate().map_err(sqlx::Error::Io)?;
    let prefix = prefix_of(key.reveal()).unwrap_or_default().to_owned();
    let hash = Bytes(hash(key.reveal()).to_vec());
    let mut new = NewApiKey::new(name, prefix, hash, scope);
    new.expires_at = expires_at;
    let stored = ApiKey::records().create(conn, new).await?;
    Ok((stored, key))
}

/// Returns the key that a client sent, if it is valid now.
pub(crate) async fn find(
    conn: &mut PgConnection,
    key: &str,
    now: DateTime<Utc>,
) -> Result<Option<ApiKey>, lookback::Error> {
    let Some(prefix) = prefix_of(key) else {
        return Ok(None);
    };
    let found = ApiKey::records()
        .filter(ApiKey::prefix().eq(prefix))
        .with_hidden(ApiKey::key_hash())
        .first(&mut *conn)
        .await?;
    Ok(found.filter(|found| {
        let is_same = found
            .key_hash
            .get()
            .is_some_and(|stored| bool::from(stored.0.ct_eq(&hash(key))));
        is_same && found.expires_at.is_none_or(|end| now < end)
    }))
}

/// Notes that a key is used, once a minute.
pub(crate) async fn note_use(
    conn: &mut PgConnection,
    key: &ApiKey,
    now: DateTime<Utc>,
) -> Result<(), lookback::Error> {
    const MINUTE: chrono::TimeDelta = chrono::TimeDelta::minutes(1);
    if key.last_used_at.is_some_and(|last| now - last < MINUTE) {
        return Ok(());
    }
    let used = ApiKey::records()
        .filter(ApiKey::id().eq(key.id))
        .update_all(conn, ApiKeyPatch::default().last_used_at(now))
        .await;
    used.map(drop)
}

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/keys", get(list).post(create_key))
        .route("/keys/{id}", axum::routing::delete(revoke))
}

pub(crate) fn operations() -> Vec<Operation> {
    let text = || json!({ "type": "string" });
    let new = object_with(
        [
            ("name", text()),
            ("scope", json!({ "enum": ["ingest", "read", "admin"] })),
        ],
        [("expires_at", models::nullable(text()))],
    );
    let key = models::record::<ApiKey>;
    vec![
        Operation::get(
            "/api/v1/keys",
            "A page of API keys, without secrets",
            Access::Admin,
        )
        .query::<ApiKey>(records::LIST)
        .json(
            200,
            "The keys.",
            records::page_of(json!({ "anyOf": [key(), models::hit::<ApiKey>()] })),
        ),
        Operation::post("/api/v1/keys", "Makes an API key", Access::Admin)
            .body(&[("application/json", new)])
            .json(
                201,
                "The key, which is shown this once.",
                models::object([("data", key()), ("key", text())]),
            )
            .problems(&[Kind::InvalidRecord]),
        Operation::delete("/api/v1/keys/{id}", "Revokes an API key", Access::Admin)
            .answer(204, "It is revoked.", &[])
            .problems(&[Kind::NotFound]),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    name: String,
    scope: KeyScope,
    expires_at: Option<DateTime<Utc>>,
}

async fn list(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    records::page::<ApiKey>(&shared, query.as_deref()).await
}

async fn create_key(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let new: CreateKey = body::object(&shared, &parts.headers, body).await?;
    let mut conn = shared.connection().await?;
    let (stored, key) = create(&mut conn, &new.name, new.scope, new.expires_at)
        .await
        .map_err(|error| Problem::of(&error, Kind::InvalidRecord))?;
    tracing::info!(key = stored.id, "made a key");
    let data = records::record_json(&stored)?;
    let response = json_response(&object([("data", data), ("key", key.reveal().into())]));
    Ok((StatusCode::CREATED, response).into_response())
}

async fn revoke(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = records::id_of::<ApiKey>(&id)?;
    let mut conn = shared.connection().await?;
    ApiKey::records()
        .delete(&mut *conn, id)
        .await
        .map_err(|error| Problem::of(&error, Kind::InvalidRecord))?;
    tracing::info!(key = id, "revoked a key");
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn prefix_of(key: &str) -> Option<&str> {
    let (prefix, secret) = key.strip_prefix(START)?.split_once('_')?;
    let is_key = prefix.len() == PREFIX
        && secret.len() == SECRET
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_key.then_some(prefix)
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::{SecretKey, prefix_of};

    #[test]
    fn keys_are_long_and_each_is_another() {
        let (one, other) = (
            SecretKey::generate().unwrap(),
            SecretKey::generate().unwrap(),
        );
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), 3 + 8 + 1 + 40);
        assert_eq!(prefix_of(one.reveal()).unwrap(), &one.reveal()[3..11]);
        assert_eq!(format!("{one:?}"), "SecretKey(…)");
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "lb_", "lb_abcdefgh_", "lb_abcdefgh_short", "Bearer x"] {
            assert_eq!(prefix_of(text), None, "{text}");
        }
        let with_sign = format!("lb_abcdefgh_{}'", "a".repeat(39));
        assert_eq!(prefix_of(&with_sign), None);
    }
}
