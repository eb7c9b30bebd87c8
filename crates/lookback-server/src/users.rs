//! Users: made and changed by admins, and the first admin.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::Utc;
use lookback::value::JsonMap;
use lookback::{Error, NewUser, User, UserPatch, UserRole, json, password};
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use crate::access::IsAdmin;
use crate::body;
use crate::openapi::models::{object, object_with, record};
use crate::openapi::{Access, Operation};
use crate::passwords::{self, WeakPassword};
use crate::problem::{Kind, Problem, WrongField};
use crate::records::{self, aggregate, export};
use crate::server::Shared;
use crate::sessions::store;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/users", get(records::list::<User>).post(create))
        .route(
            "/users/{id}",
            get(records::read::<User>).patch(change).delete(delete),
        )
        .route("/users/{id}/password", post(set_password))
        .route("/users/{id}/restore", post(restore))
        .route("/users/stats", get(aggregate::stats::<User>))
        .route("/users/export", get(export::export::<User>))
}

/// The operations that only users have.
pub(crate) fn operations() -> Vec<Operation> {
    let text = || json!({ "type": "string" });
    let one_time = || ("is_one_time", json!({ "type": "boolean" }));
    let new = object_with(
        [("email", text()), ("password", text())],
        [("role", json!({ "enum": ["user", "admin"] })), one_time()],
    );
    let password = object_with([("password", text())], [one_time()]);
    vec![
        Operation::post("/api/v1/users", "Makes a user", Access::Admin)
            .body(&[("application/json", new)])
            .json(201, "The user.", object([("data", record::<User>())]))
            .problems(&[Kind::InvalidRecord, Kind::Conflict]),
        Operation::post(
            "/api/v1/users/{id}/password",
            "Sets the password of a user, and ends the user's sessions",
            Access::Admin,
        )
        .body(&[("application/json", password)])
        .answer(204, "It is set.", &[])
        .problems(&[Kind::InvalidRecord, Kind::NotFound, Kind::Conflict]),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateUser {
    email: String,
    password: String,
    #[serde(default = "plain")]
    role: UserRole,
    #[serde(default)]
    is_one_time: bool,
}

fn plain() -> UserRole {
    UserRole::User
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPassword {
    password: String,
    #[serde(default)]
    is_one_time: bool,
}

fn refused(error: &Error) -> Problem {
    Problem::of(error, Kind::InvalidRecord)
}

async fn create(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let new: CreateUser = body::object(&shared, &parts.headers, body).await?;
    let hash = passwords::hash(&shared, new.password, &new.email).await?;
    let mut conn = shared.connection().await?;
    let mut transaction = conn.begin().await?;
    let user = NewUser::new(new.email, hash).role(new.role);
    let user = User::records()
        .create(&mut *transaction, user)
        .await
        .map_err(|error| refused(&error))?;
    store::note_one_time(&mut transaction, user.id, new.is_one_time, Utc::now()).await?;
    transaction.commit().await?;
    tracing::info!(user = user.id, "made a user");
    let response = records::record_response(&user)?;
    Ok((StatusCode::CREATED, response).into_response())
}

async fn change(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = records::id_of::<User>(&id)?;
    let (parts, body) = request.into_parts();
    let fields: JsonMap = body::map(&shared, &parts.headers, body).await?;
    let wrong = fields.keys().filter(|name| !is_changed(name));
    let wrong: Vec<WrongField> = wrong
        .map(|name| WrongField {
            record: None,
            field: name.clone(),
            problem: "cannot be changed: expected email or role".to_owned(),
        })
        .collect();
    if let Some(first) = wrong.first() {
        let detail = format!("{}: {}", first.field, first.problem);
        return Err(Problem::new(Kind::InvalidRecord, detail).with_fields(wrong));
    }
    let patch = <UserPatch as lookback::table::ColumnValues>::from_json(fields);
    let patch = patch.map_err(|error| refused(&error))?;
    let mut conn = shared.connection().await?;
    let mut transaction = conn.begin().await?;
    let admins = lock_admins(&mut transaction).await?;
    let user = User::records()
        .update(&mut *transaction, id, patch)
        .await
        .map_err(|error| refused(&error))?;
    if user.role != UserRole::Admin {
        keep_one(&admins, id)?;
    }
    store::end_all(&mut transaction, id).await?;
    transaction.commit().await?;
    tracing::info!(user = id, "changed a user");
    records::record_response(&user)
}

/// The fields that a change has. A password has a path of its own, and its hash is never sent.
fn is_changed(name: &str) -> bool {
    matches!(name, "email" | "role")
}

async fn set_password(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = records::id_of::<User>(&id)?;
    let (parts, body) = request.into_parts();
    let new: SetPassword = body::object(&shared, &parts.headers, body).await?;
    let mut conn = shared.connection().await?;
    let user = User::records().get(&mut *conn, id).await;
    let user = user.map_err(|error| refused(&error))?;
    drop(conn);
    let hash = passwords::hash(&shared, new.password, &user.email).await?;
    let mut conn = shared.connection().await?;
    store_password(&mut conn, id, hash, new.is_one_time)
        .await
        .map_err(|error| refused(&error))?;
    tracing::info!(user = id, "set the password of a user");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Stores the hash of a new password, and ends the sessions of the user.
async fn store_password(
    conn: &mut PgConnection,
    id: i64,
    hash: String,
    is_one_time: bool,
) -> Result<(), Error> {
    let mut transaction = conn.begin().await?;
    let patch = UserPatch::default().password_hash(hash);
    User::records().update(&mut *transaction, id, patch).await?;
    store::note_one_time(&mut transaction, id, is_one_time, Utc::now()).await?;
    store::end_all(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(())
}

/// Why a password cannot be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetPasswordError {
    /// The password is too weak.
    #[error("password: {0}")]
    Weak(#[from] WeakPassword),
    /// No user has the e-mail, or the user is deleted.
    #[error("there is no user {0}")]
    NoUser(String),
    /// It cannot be hashed, or the operating system has no random numbers.
    #[error("the password cannot be made: {0}")]
    Hash(String),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Sets the password of the user with an e-mail, and ends the user's sessions. Without a password the
/// user gets a random one, which is returned, and has to be changed at the first log-in.
///
/// # Errors
///
/// A weak password; an e-mail that no user has; those of the database.
pub async fn set_password_of(
    conn: &mut PgConnection,
    email: &str,
    password: Option<&str>,
) -> Result<Option<String>, SetPasswordError> {
    let user = store::user_of(conn, email)
        .await
        .map_err(Error::from)?
        .ok_or_else(|| SetPasswordError::NoUser(email.to_owned()))?;
    let hash_error = |error: &dyn std::fmt::Display| SetPasswordError::Hash(error.to_string());
    let random = match password {
        Some(given) => {
            passwords::check(given, &user.email)?;
            None
        }
        None => Some(passwords::random().map_err(|error| hash_error(&error))?),
    };
    let new = random.as_deref().or(password).unwrap_or_default();
    let hash = password::hash(new).map_err(|error| hash_error(&error))?;
    store_password(conn, user.id, hash, random.is_some()).await?;
    Ok(random)
}

async fn delete(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = records::id_of::<User>(&id)?;
    let mut conn = shared.connection().await?;
    let mut transaction = conn.begin().await?;
    let admins = lock_admins(&mut transaction).await?;
    User::records()
        .delete(&mut *transaction, id)
        .await
        .map_err(|error| refused(&error))?;
    keep_one(&admins, id)?;
    store::end_all(&mut transaction, id).await?;
    transaction.commit().await?;
    tracing::info!(user = id, "deleted a user");
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn restore(
    State(shared): State<Arc<Shared>>,
    _access: IsAdmin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = records::id_of::<User>(&id)?;
    let mut conn = shared.connection().await?;
    let user = User::records().restore(&mut *conn, id).await;
    records::record_response(&user.map_err(|error| refused(&error))?)
}

/// Returns the admins who can log in. Until the end of the transaction, no other takes one away.
async fn lock_admins(transaction: &mut Transaction<'_, Postgres>) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM users WHERE role = 'admin' AND deleted_at IS NULL \
         AND password_hash <> $1 ORDER BY id FOR UPDATE",
    )
    .bind(password::NO_PASSWORD)
    .fetch_all(&mut **transaction)
    .await
}

/// Checks that there is an admin without this one.
fn keep_one(admins: &[i64], without: i64) -> Result<(), Problem> {
    if admins == [without] {
        return Err(Problem::new(
            Kind::Conflict,
            format!("user {without} is the last admin: make another first"),
        ));
    }
    Ok(())
}

/// Whether there was an admin, and the one that was made otherwise.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirstAdmin {
    /// There is an admin who can log in.
    Exists,
    /// One was made with the password that was given.
    Made,
    /// One was made with a password for one log-in. It is shown once.
    MadeWithPassword(String),
}

impl std::fmt::Debug for FirstAdmin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Exists => "Exists",
            Self::Made => "Made",
            Self::MadeWithPassword(_) => "MadeWithPassword(…)",
        })
    }
}

/// Why the first admin cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirstAdminError {
    /// The password that was given is too weak.
    #[error("the password of the first admin {0}")]
    Weak(#[from] WeakPassword),
    /// The e-mail is invalid or that of another user, or the database cannot be used.
    #[error("cannot make the first admin: {0}")]
    Database(#[from] Error),
}

/// Makes an admin if there is none who can log in. Several servers that start at a time make one.
///
/// Without a password it gets a random one, which has to be changed at the first log-in.
///
/// # Errors
///
/// A weak password; an invalid e-mail, or that of another user; those of the database.
pub async fn first_admin(
    conn: &mut PgConnection,
    email: &str,
    password: Option<&str>,
) -> Result<FirstAdmin, FirstAdminError> {
    /// Any number that no other advisory lock has.
    const LOCK: i64 = 0x6c6f_6f6b_6164_6d69;
    let error = |error: sqlx::Error| FirstAdminError::Database(error.into());
    let mut transaction = conn.begin().await.map_err(error)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(error)?;
    let admins = lock_admins(&mut transaction).await.map_err(error)?;
    if !admins.is_empty() {
        return Ok(FirstAdmin::Exists);
    }
    let made = match password {
        Some(given) => {
            passwords::check(given, email)?;
            given.to_owned()
        }
        None => passwords::random().map_err(|io| error(sqlx::Error::Io(io)))?,
    };
    let hash = password::hash(&made).map_err(|problem| {
        let io = std::io::Error::other(problem.to_string());
        error(sqlx::Error::Io(io))
    })?;
    let user = NewUser::new(email, hash).role(UserRole::Admin);
    let user = User::records().create(&mut *transaction, user).await?;
    let is_one_time = password.is_none();
    store::note_one_time(&mut transaction, user.id, is_one_time, Utc::now())
        .await
        .map_err(error)?;
    transaction.commit().await.map_err(error)?;
    Ok(if is_one_time {
        FirstAdmin::MadeWithPassword(made)
    } else {
        FirstAdmin::Made
    })
}
