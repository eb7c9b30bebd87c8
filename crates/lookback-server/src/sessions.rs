//! Logging in and out: sessions of users, whose token is in a cookie.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use lookback::{Json, User, UserPatch, UserRole, json};
use serde::Deserialize;

use crate::access::{IsSignedIn, cookie, cross_site, origin};
use crate::body;
use crate::client::Client;
use crate::ingest::json_response;
use crate::openapi::models::{nullable, object};
use crate::openapi::{Access, Operation};
use crate::passwords;
use crate::problem::{Kind, Problem};
use crate::server::Shared;

pub(crate) mod attempts;
pub(crate) mod store;

use attempts::Attempt;

/// A user that is logged in.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) role: UserRole,
    pub(crate) expires_at: DateTime<Utc>,
    /// Whether the password is for one log-in.
    pub(crate) must_change_password: bool,
    pub(crate) csrf_token: String,
    /// The token of the cookie.
    token: String,
}

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/session", get(current).post(log_in).delete(log_out))
        .route("/session/password", post(change_password))
}

pub(crate) fn operations() -> Vec<Operation> {
    let text = || json!({ "type": "string" });
    let flag = || json!({ "type": "boolean" });
    let user = object([
        ("id", json!({ "type": "integer" })),
        ("email", text()),
        ("role", json!({ "enum": ["user", "admin"] })),
    ]);
    let session = || {
        let data = object([
            ("user", nullable(user.clone())),
            ("csrf_token", nullable(text())),
            ("expires_at", nullable(text())),
            ("must_change_password", flag()),
            ("is_open", flag()),
        ]);
        object([("data", data)])
    };
    let log_in = object([("email", text()), ("password", text())]);
    let passwords = object([("current", text()), ("new", text())]);
    vec![
        Operation::get("/api/v1/session", "Who is logged in", Access::Session).json(
            200,
            "The user, and the token for changes.",
            session(),
        ),
        Operation::post("/api/v1/session", "Logs a user in", Access::Open)
            .body(&[("application/json", log_in)])
            .json(200, "The session, whose token is in a cookie.", session())
            .problems(&[
                Kind::WrongCredentials,
                Kind::CrossSite,
                Kind::Conflict,
                Kind::Internal,
                Kind::Busy,
                Kind::Unavailable,
            ]),
        Operation::delete("/api/v1/session", "Logs the user out", Access::Session).answer(
            204,
            "The session has ended.",
            &[],
        ),
        Operation::post(
            "/api/v1/session/password",
            "Changes the password of the user, and ends all other sessions",
            Access::Session,
        )
        .body(&[("application/json", passwords)])
        .json(200, "The new session.", session())
        .problems(&[Kind::WrongCredentials, Kind::InvalidRecord, Kind::Conflict]),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    email: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    current: String,
    new: String,
}

/// Says who is logged in.
async fn current(IsSignedIn(user): IsSignedIn) -> Response {
    json_response(&json!({ "data": shown(user.as_ref()) }))
}

/// Starts a session.
async fn log_in(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let client = Client::of(&parts);
    // Otherwise another page could log its visitor in as somebody else.
    if origin::is_cross_site(&parts) {
        return Err(cross_site());
    }
    if let Some(network) = client.network() {
        shared.rates.logins.take(network).map_err(|wait| {
            Problem::too_many_requests("attempts to log in of its address", wait)
        })?;
    }
    let LogIn { email, password } = body::object(&shared, &parts.headers, body).await?;
    let now = Utc::now();
    let user = check_password(&shared, &email, password, client, now).await?;
    let mut conn = shared.connection().await?;
    // A token that somebody else chose, or knows, does not become that of this session.
    if let Some(before) = cookie::token(&parts.headers, client) {
        store::end(&mut conn, &before).await?;
    }
    tracing::info!(user = user.id, "logged in");
    start(&shared, &mut conn, &user, client, now).await
}

/// Ends the session.
async fn log_out(
    State(shared): State<Arc<Shared>>,
    IsSignedIn(user): IsSignedIn,
    request: Request,
) -> Result<Response, Problem> {
    if let Some(user) = user {
        let mut conn = shared.connection().await?;
        store::end(&mut conn, &user.token).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let client = Client::of(&request.into_parts().0);
    if let Some(cookie) = cookie::remove(client) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Changes the password of the user that is logged in, and ends all other sessions.
async fn change_password(
    State(shared): State<Arc<Shared>>,
    IsSignedIn(user): IsSignedIn,
    request: Request,
) -> Result<Response, Problem> {
    let Some(signed_in) = user else {
        return Err(Problem::new(
            Kind::NotAllowed,
            "an open server has no users that are logged in",
        ));
    };
    let (parts, body) = request.into_parts();
    let client = Client::of(&parts);
    let NewPassword { current, new } = body::object(&shared, &parts.headers, body).await?;
    let now = Utc::now();
    // Who finds an open browser cannot guess at the password either.
    let is_same = current == new;
    let user = check_password(&shared, &signed_in.email, current, client, now).await?;
    if is_same {
        return Err(passwords::refuse("must be another than before"));
    }
    let hash = passwords::hash(&shared, new, &user.email).await?;
    let mut conn = shared.connection().await?;
    User::records()
        .update(
            &mut *conn,
            user.id,
            UserPatch::default().password_hash(hash.as_str()),
        )
        .await
        .map_err(|error| Problem::of(&error, Kind::InvalidRecord))?;
    store::note_one_time(&mut conn, user.id, false, now).await?;
    store::end_all(&mut conn, user.id).await?;
    tracing::info!(user = user.id, "changed the password");
    let user = store::FoundUser {
        password_hash: hash,
        ..user
    };
    start(&shared, &mut conn, &user, client, now).await
}

/// Finds the user of an e-mail, if this is the password. Both refusals are the same.
async fn check_password(
    shared: &Shared,
    email: &str,
    password: String,
    client: Client,
    now: DateTime<Utc>,
) -> Result<store::FoundUser, Problem> {
    let mut conn = shared.connection().await?;
    let attempt = Attempt::begin(&mut conn, email, client.network(), now).await?;
    let attempt = attempt.map_err(|wait| {
        tracing::warn!("refused an attempt to log in after others failed");
        Problem::too_many_requests("failed attempts to log in", wait)
    })?;
    let user = store::user_of(&mut conn, email).await?;
    // Hashing takes long.
    drop(conn);
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let is_right = passwords::verify(shared, password, hash).await?;
    let Some(user) = user.filter(|_| is_right) else {
        return Err(Problem::new(
            Kind::WrongCredentials,
            "the e-mail or the password is wrong",
        ));
    };
    let mut conn = shared.connection().await?;
    attempt.succeed(&mut conn, now).await?;
    Ok(user)
}

/// Starts a session of a user whose password was checked.
async fn start(
    shared: &Shared,
    conn: &mut sqlx::PgConnection,
    user: &store::FoundUser,
    client: Client,
    now: DateTime<Utc>,
) -> Result<Response, Problem> {
    let token = cookie::new_token().map_err(sqlx::Error::Io)?;
    let lifetime = TimeDelta::from_std(shared.settings.session_lifetime);
    let expires_at = lifetime
        .ok()
        .and_then(|lifetime| now.checked_add_signed(lifetime))
        .unwrap_or(DateTime::<Utc>::MAX_UTC);
    let of = (user.id, user.password_hash.as_str());
    let is_stored = store::create(&mut *conn, &token, of, (now, expires_at)).await?;
    let found = store::find(conn, &token, &shared.settings, now).await?;
    let Some(signed_in) = found.filter(|_| is_stored) else {
        return Err(Problem::new(
            Kind::Conflict,
            "the user was changed meanwhile: log in again",
        ));
    };
    let mut response = json_response(&json!({ "data": shown(Some(&signed_in)) }));
    if let Some(cookie) = cookie::set(&token, client, expires_at, now) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A session as it is shown to its user; without one, that the server is open.
fn shown(user: Option<&SignedIn>) -> Json {
    let Some(user) = user else {
        return json!({
            "user": Json::Null,
            "csrf_token": Json::Null,
            "expires_at": Json::Null,
            "must_change_password": false,
            "is_open": true,
        });
    };
    json!({
        "user": { "id": user.id, "email": user.email.as_str(), "role": user.role.as_str() },
        "csrf_token": user.csrf_token.as_str(),
        "expires_at": user.expires_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        "must_change_password": user.must_change_password,
        "is_open": false,
    })
}
