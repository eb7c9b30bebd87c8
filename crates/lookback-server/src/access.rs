//! Who may do what.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use lookback::KeyScope;

use crate::keys;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// A client that may store records.
pub(crate) struct MayIngest {
    /// The id of its key; 0 for an open server.
    pub(crate) key: i64,
}

/// A client that may read records.
pub(crate) struct MayRead;

/// A client that may do anything.
pub(crate) struct IsAdmin;

impl FromRequestParts<Arc<Shared>> for MayIngest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let key = check(parts, shared, &[KeyScope::Ingest, KeyScope::Admin]).await?;
        Ok(Self { key })
    }
}

impl FromRequestParts<Arc<Shared>> for MayRead {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        check(parts, shared, &[KeyScope::Read, KeyScope::Admin]).await?;
        Ok(Self)
    }
}

impl FromRequestParts<Arc<Shared>> for IsAdmin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        check(parts, shared, &[KeyScope::Admin]).await?;
        Ok(Self)
    }
}

/// Checks the key of a request, and returns its id.
async fn check(parts: &Parts, shared: &Shared, allowed: &[KeyScope]) -> Result<i64, Problem> {
    if shared.settings.is_open {
        return Ok(0);
    }
    let refused = || {
        Problem::new(
            Kind::NotAuthenticated,
            "the request has no valid API key: send it as `Authorization: Bearer lb_…`",
        )
    };
    let sent = key_of(parts).ok_or_else(refused)?;
    let now = Utc::now();
    let mut conn = shared.connection().await?;
    let key = keys::find(&mut conn, &sent, now)
        .await
        .map_err(|error| Problem::of(&error, Kind::InvalidQuery))?
        .ok_or_else(refused)?;
    if !allowed.contains(&key.scope) {
        return Err(Problem::new(
            Kind::NotAllowed,
            format!("the key `{}` may only {}", key.name, may(key.scope)),
        ));
    }
    keys::note_use(&mut conn, &key, now)
        .await
        .map_err(|error| Problem::of(&error, Kind::InvalidQuery))?;
    Ok(key.id)
}

fn may(scope: KeyScope) -> &'static str {
    match scope {
        KeyScope::Ingest => "store records",
        KeyScope::Read => "read records",
        KeyScope::Admin => "do everything",
    }
}

/// Returns the key of a request: as a bearer, as the password of Basic (clients of Loki), or as the
/// key of `ApiKey` (clients of Elasticsearch).
fn key_of(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = header.split_once(' ')?;
    let value = value.trim();
    let decoded = || {
        let bytes = BASE64_STANDARD.decode(value).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (_, key) = text.split_once(':')?;
        Some(key.to_owned())
    };
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(value.to_owned()),
        "basic" => decoded(),
        "apikey" => decoded().or_else(|| Some(value.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::key_of;

    #[test]
    fn key_is_found_as_clients_send_it() {
        for (header, expected) in [
            ("Bearer lb_x", Some("lb_x")),
            ("bearer  lb_x", Some("lb_x")),
            ("Basic dXNlcjpsYl94", Some("lb_x")),
            ("ApiKey aWQ6bGJfeA==", Some("lb_x")),
            ("ApiKey lb_x", Some("lb_x")),
            ("Basic !!!", None),
            ("Digest lb_x", None),
            ("lb_x", None),
        ] {
            let request = Request::builder().header("authorization", header);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(key_of(&parts).as_deref(), expected, "{header}");
        }
    }
}
