//! Errors as answers: `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use lookback::{Error, Json, json};

/// The address of the pages about errors.
const PAGES: &str = "https://github.com/lookback-db/lookback/blob/main/docs/errors/";

/// Why a request is not answered with what it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    /// What is wrong with each field.
    fields: Vec<WrongField>,
    /// The seconds after which a client may try again.
    retry_after: Option<u32>,
}

/// A field that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct WrongField {
    /// The number of its record in the body, from 1.
    pub(crate) record: Option<usize>,
    pub(crate) field: String,
    pub(crate) problem: String,
}

/// A kind of problem, which has a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    InvalidQuery,
    InvalidBody,
    InvalidRecord,
    NotAuthenticated,
    WrongCredentials,
    NotAllowed,
    PasswordChangeRequired,
    CrossSite,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedType,
    KeyReused,
    Timeout,
    TooSlow,
    TooManyRequests,
    Busy,
    Unavailable,
    Internal,
}

impl Kind {
    /// All kinds, in the order of their statuses.
    pub(crate) const ALL: [Self; 20] = [
        Self::InvalidQuery,
        Self::InvalidBody,
        Self::NotAuthenticated,
        Self::WrongCredentials,
        Self::NotAllowed,
        Self::PasswordChangeRequired,
        Self::CrossSite,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedType,
        Self::InvalidRecord,
        Self::KeyReused,
        Self::TooManyRequests,
        Self::Internal,
        Self::Busy,
        Self::Unavailable,
        Self::TooSlow,
    ];

    pub(crate) fn status(self) -> StatusCode {
        self.parts().0
    }

    pub(crate) fn title(self) -> &'static str {
        self.parts().2
    }

    /// The address of its page, which is the `type` of a problem.
    pub(crate) fn page(self) -> String {
        format!("{PAGES}{}.md", self.parts().1)
    }

    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidQuery => (StatusCode::BAD_REQUEST, "invalid-query", "Invalid query"),
            Self::InvalidBody => (StatusCode::BAD_REQUEST, "invalid-body", "Invalid body"),
            Self::InvalidRecord => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-record",
                "Invalid record",
            ),
            Self::NotAuthenticated => (
                StatusCode::UNAUTHORIZED,
                "not-authenticated",
                "Not authenticated",
            ),
            Self::WrongCredentials => (
                StatusCode::UNAUTHORIZED,
                "wrong-credentials",
                "Wrong e-mail or password",
            ),
            Self::NotAllowed => (StatusCode::FORBIDDEN, "not-allowed", "Not allowed"),
            Self::PasswordChangeRequired => (
                StatusCode::FORBIDDEN,
                "password-change-required",
                "Password change required",
            ),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross-site", "Cross-site request"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
            ),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::UnsupportedType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-type",
                "Unsupported type",
            ),
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "Idempotency-Key reused",
            ),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout", "Timeout"),
            Self::TooSlow => (StatusCode::GATEWAY_TIMEOUT, "too-slow", "Too slow"),
            Self::TooManyRequests => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests",
            ),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy"),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Database unavailable",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Internal error",
            ),
        }
    }
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let retry_after = match kind {
            Kind::Busy => Some(1),
            Kind::Unavailable => Some(5),
            _ => None,
        };
        Self {
            kind,
            detail: detail.into(),
            fields: Vec::new(),
            retry_after,
        }
    }

    /// The problem of a client that has sent too much, and how long it should wait.
    pub(crate) fn too_many_requests(whose: &str, wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        let seconds = seconds
            .saturating_add(u32::from(wait.subsec_nanos() > 0))
            .max(1);
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                Kind::TooManyRequests,
                format!("too many {whose}: try again in {seconds} s"),
            )
        }
    }

    /// The problem of an error of the library. Invalid fields are of `what` the client sent.
    pub(crate) fn of(error: &Error, what: Kind) -> Self {
        let kind = if error.is_too_slow() {
            Kind::TooSlow
        } else if error.is_invalid() {
            what
        } else if error.is_not_found() {
            Kind::NotFound
        } else if error.is_conflict() {
            Kind::Conflict
        } else if error.is_unavailable()
            || error.is_retryable()
            || error.is_timeout()
            || error.is_setup()
            || error.is_permission_denied()
        {
            Kind::Unavailable
        } else {
            Kind::Internal
        };
        // Of the last two, what the server knows is for its operator.
        let detail = match kind {
            Kind::Internal => {
                tracing::error!("{error}");
                "the error is in the log of the server".to_owned()
            }
            Kind::Unavailable => {
                tracing::warn!("{error}");
                "the database cannot be used now; the log of the server says why".to_owned()
            }
            _ => error.to_string(),
        };
        let fields = error.fields().iter().filter(|_| kind == what);
        Self {
            fields: fields
                .map(|field| WrongField {
                    record: field.row.map(|row| row + 1),
                    field: field.field.clone(),
                    problem: field.problem.clone(),
                })
                .collect(),
            ..Self::new(kind, detail)
        }
    }

    pub(crate) fn with_fields(mut self, fields: Vec<WrongField>) -> Self {
        self.fields = fields;
        self
    }

    /// Names another field in place of one: what the library calls it is no parameter.
    pub(crate) fn renamed(mut self, from: &str, to: &str) -> Self {
        for field in &mut self.fields {
            if field.field == from {
                to.clone_into(&mut field.field);
            }
        }
        self.detail = self
            .detail
            .replace(&format!("{from}: "), &format!("{to}: "));
        self
    }

    /// The body of its answer.
    pub(crate) fn to_json(&self) -> Json {
        let (status, _, title) = self.kind.parts();
        let mut body = json!({
            "type": self.kind.page(),
            "title": title,
            "status": u64::from(status.as_u16()),
            "detail": self.detail.as_str(),
        });
        if let Json::Object(map) = &mut body
            && !self.fields.is_empty()
        {
            let fields = self.fields.iter().map(WrongField::to_json);
            map.insert("errors".to_owned(), fields.collect());
        }
        body
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.kind.parts().0
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The seconds after which a client may try again.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }
}

impl WrongField {
    pub(crate) fn to_json(&self) -> Json {
        let mut json = json!({ "field": self.field.as_str(), "problem": self.problem.as_str() });
        if let (Some(record), Json::Object(map)) = (self.record, &mut json) {
            map.insert("record".to_owned(), Json::from(record as u64));
        }
        json
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        // Of a pool: there is no connection, or none becomes free.
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::new(Kind::Busy, "all connections to the database are in use");
        }
        Self::of(&Error::from(error), Kind::InvalidBody)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.to_json().to_string();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
