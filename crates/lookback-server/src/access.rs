//! Who may do what: by an API key, or by the cookie of a session.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use lookback::{ApiKey, KeyScope, UserRole};
use subtle::ConstantTimeEq as _;

use crate::client::Client;
use crate::keys;
use crate::problem::{Kind, Problem};
use crate::server::Shared;
use crate::sessions::{self, SignedIn};

pub(crate) mod cookie;
pub(crate) mod origin;

/// A client that may store records.
pub(crate) struct MayIngest {
    /// The id of its key, or the negative id of its user; 0 for an open server.
    pub(crate) key: i64,
}

/// A client that may read records.
pub(crate) struct MayRead;

/// A client that may do anything.
pub(crate) struct IsAdmin;

/// A client that may change the saved searches of the team: every user, and keys that may do anything.
pub(crate) struct MaySaveSearches {
    /// The user; `None` for a key, and on an open server.
    pub(crate) user: Option<i64>,
}

/// A user that is logged in, who may have to change the password first; `None` on an open server,
/// which asks nobody.
pub(crate) struct IsSignedIn(pub(crate) Option<SignedIn>);

/// Who sends a request.
enum Caller {
    /// Somebody, of an open server.
    Anybody,
    Key(ApiKey),
    User(SignedIn),
}

/// A permission that a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Ingest,
    Read,
    SaveSearches,
    Admin,
}

impl FromRequestParts<Arc<Shared>> for MayIngest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let key = match check(parts, shared, Need::Ingest).await? {
            Caller::Anybody => 0,
            Caller::Key(key) => key.id,
            Caller::User(user) => -user.id,
        };
        Ok(Self { key })
    }
}

impl FromRequestParts<Arc<Shared>> for MayRead {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        check(parts, shared, Need::Read).await.map(|_| Self)
    }
}

impl FromRequestParts<Arc<Shared>> for IsAdmin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        check(parts, shared, Need::Admin).await.map(|_| Self)
    }
}

impl FromRequestParts<Arc<Shared>> for MaySaveSearches {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let user = match check(parts, shared, Need::SaveSearches).await? {
            Caller::User(user) => Some(user.id),
            Caller::Anybody | Caller::Key(_) => None,
        };
        Ok(Self { user })
    }
}

impl FromRequestParts<Arc<Shared>> for IsSignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        match authenticate(parts, shared).await? {
            Caller::Anybody => Ok(Self(None)),
            Caller::User(user) => Ok(Self(Some(user))),
            Caller::Key(key) => Err(Problem::new(
                Kind::NotAllowed,
                format!("the key `{}` has no session: a user logs in", key.name),
            )),
        }
    }
}

/// Finds out who sends a request, and whether that one may have what the route asks for. This is
/// the one place where it is decided.
async fn check(parts: &Parts, shared: &Shared, need: Need) -> Result<Caller, Problem> {
    let caller = authenticate(parts, shared).await?;
    match &caller {
        Caller::Anybody => {}
        Caller::Key(key) => {
            let is_allowed = match key.scope {
                KeyScope::Ingest => need == Need::Ingest,
                KeyScope::Read => need == Need::Read,
                KeyScope::Admin => true,
            };
            if !is_allowed {
                let detail = format!("the key `{}` may only {}", key.name, may(key.scope));
                return Err(Problem::new(Kind::NotAllowed, detail));
            }
        }
        Caller::User(user) if user.must_change_password => {
            return Err(Problem::new(
                Kind::PasswordChangeRequired,
                "the password is for one log-in: set another by POST /api/v1/session/password",
            ));
        }
        Caller::User(user) => {
            let may_all = matches!(need, Need::Read | Need::SaveSearches);
            if user.role != UserRole::Admin && !may_all {
                let detail = format!("the user {} may only read records", user.email);
                return Err(Problem::new(Kind::NotAllowed, detail));
            }
        }
    }
    Ok(caller)
}

async fn authenticate(parts: &Parts, shared: &Shared) -> Result<Caller, Problem> {
    let changes = !parts.method.is_safe();
    if shared.settings.is_open {
        if !origin::is_local_name(parts) {
            return Err(Problem::new(
                Kind::CrossSite,
                "an open server is asked by the name localhost, or by its address",
            ));
        }
        if changes && origin::is_cross_site(parts) {
            return Err(cross_site());
        }
        return Ok(Caller::Anybody);
    }
    // A key is chosen over a cookie, which a browser sends by itself.
    if parts.headers.contains_key(AUTHORIZATION) {
        let key = key_caller(parts, shared).await?;
        return Ok(Caller::Key(key));
    }
    let Some(token) = cookie::token(&parts.headers, Client::of(parts)) else {
        return Err(refused());
    };
    let now = Utc::now();
    let mut conn = shared.connection().await?;
    let user = sessions::store::find(&mut conn, &token, &shared.settings, now)
        .await?
        .ok_or_else(refused)?;
    drop(conn);
    if changes {
        if origin::is_cross_site(parts) {
            return Err(cross_site());
        }
        let sent = parts.headers.get(CSRF_TOKEN);
        let sent = sent.map(HeaderValue::as_bytes).unwrap_or_default();
        if !bool::from(sent.ct_eq(user.csrf_token.as_bytes())) {
            return Err(Problem::new(
                Kind::CrossSite,
                "a change with the cookie of a session needs the header x-csrf-token, with the \
                 token that GET /api/v1/session returns",
            ));
        }
    }
    shared.take_request(-user.id, "requests of the user")?;
    Ok(Caller::User(user))
}

/// The header of the token by which a page shows that it is the server's own.
const CSRF_TOKEN: &str = "x-csrf-token";

fn refused() -> Problem {
    Problem::new(
        Kind::NotAuthenticated,
        "the request has no valid API key and no valid session: send a key as \
         `Authorization: Bearer lb_…`, or log in by POST /api/v1/session",
    )
}

pub(crate) fn cross_site() -> Problem {
    Problem::new(
        Kind::CrossSite,
        "the page of another origin cannot do this: use an API key",
    )
}

/// Finds the key of a request.
async fn key_caller(parts: &Parts, shared: &Shared) -> Result<ApiKey, Problem> {
    let sent = key_of(parts).ok_or_else(refused)?;
    let now = Utc::now();
    let mut conn = shared.connection().await?;
    let key = keys::find(&mut conn, &sent, now)
        .await
        .map_err(|error| Problem::of(&error, Kind::InvalidQuery))?
        .ok_or_else(refused)?;
    shared.take_request(key.id, "requests of the key")?;
    keys::note_use(&mut conn, &key, now)
        .await
        .map_err(|error| Problem::of(&error, Kind::InvalidQuery))?;
    Ok(key)
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
