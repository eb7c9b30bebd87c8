//! The HTTP client: HTTP/1.1, one server, no redirects.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use lookback_json::Json;

use super::HttpSinkError;
use super::chunk::Chunk;
use crate::http_client::HttpClient;

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The records are stored, but for this many, which it cannot store.
    Stored { rejected: usize },
    /// They are too many for one body.
    TooLarge(String),
    /// It will never store them.
    Refused(String),
    /// It may store them later: not before this time, if it says one.
    Later(String, Option<Duration>),
}

/// Sends chunks to a server.
#[derive(Debug)]
pub(super) struct Client {
    client: HttpClient,
    /// The URL, without a slash at its end.
    base: String,
    authorization: HeaderValue,
    pub(super) timeout: Duration,
}

impl Client {
    pub(super) fn new(url: &str, key: &str) -> Result<Self, HttpSinkError> {
        let invalid = |problem: &str| HttpSinkError::new(format!("the URL {problem}"));
        let uri: Uri = url
            .parse()
            .map_err(|error| invalid(&format!("cannot be read ({error}): {FORM}")))?;
        let authority = uri
            .authority()
            .ok_or_else(|| invalid(&format!("has no host: {FORM}")))?;
        if authority.as_str().contains('@') {
            return Err(invalid("has a user: give the key by itself"));
        }
        if uri.query().is_some() {
            return Err(invalid(&format!("has a query: {FORM}")));
        }
        let client = match uri.scheme_str() {
            Some("http") => HttpClient::plain(),
            Some("https") => HttpClient::tls().map_err(HttpSinkError::new)?,
            _ => {
                return Err(invalid(&format!(
                    "does not begin with http:// or https://: {FORM}"
                )));
            }
        };
        let mut authorization = HeaderValue::try_from(format!("Bearer {key}"))
            .ok()
            .filter(|_| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or_else(|| {
                HttpSinkError::new("the key is no API key: it is empty, or has other characters than letters, digits and signs of ASCII")
            })?;
        authorization.set_sensitive(true);
        Ok(Self {
            client,
            base: url.trim_end_matches('/').to_owned(),
            authorization,
            timeout: Duration::from_secs(30),
        })
    }

    /// Sends a chunk.
    pub(super) async fn send(&self, chunk: &Chunk) -> Answer {
        let path = format!("{}/api/v1/{}", self.base, chunk.kind.name());
        let request = Request::post(&path)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .header(CONTENT_ENCODING, "gzip")
            .header(
                USER_AGENT,
                concat!("lookback-capture/", env!("CARGO_PKG_VERSION")),
            )
            .header("idempotency-key", &chunk.key)
            .body(Full::new(chunk.body.clone()));
        let request = match request {
            Ok(request) => request,
            Err(error) => return Answer::Refused(error.to_string()),
        };
        match self.client.send(request, self.timeout).await {
            Ok((head, body)) => answer(&path, &head, &body),
            Err(problem) => Answer::Later(format!("{}: {problem}", self.base), None),
        }
    }
}

const FORM: &str = "it has the form https://host:port";

fn answer(path: &str, head: &http::response::Parts, body: &[u8]) -> Answer {
    let status = head.status;
    let body = std::str::from_utf8(body)
        .ok()
        .and_then(|text| text.parse::<Json>().ok());
    let text = |name: &str| {
        let value = body.as_ref()?.as_object()?.get(name)?;
        value.as_str().map(str::to_owned)
    };
    let problem = || {
        let mut problem = format!("{path} answered {status}");
        for name in ["title", "detail"] {
            if let Some(text) = text(name) {
                let _written = write!(problem, ": {text}");
            }
        }
        problem
    };
    let seconds = head.headers.get(RETRY_AFTER).and_then(|value| {
        let seconds = value.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    });
    match status.as_u16() {
        200..=299 => {
            let rejected = body.as_ref().and_then(|body| {
                body.as_object()?
                    .get("data")?
                    .as_object()?
                    .get("rejected")?
                    .as_u64()
            });
            let rejected = rejected.and_then(|number| usize::try_from(number).ok());
            Answer::Stored {
                rejected: rejected.unwrap_or(0),
            }
        }
        413 => Answer::TooLarge(problem()),
        // Of a wrong key or URL, of a key that is in use, and of a server that is busy: what is
        // wrong with them can be corrected, and the records stay.
        300..=399 | 401 | 403 | 404 | 405 | 407 | 408 | 409 | 421 | 425 | 429 | 500.. => {
            Answer::Later(problem(), seconds)
        }
        _ => Answer::Refused(problem()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Response;

    use super::{Answer, Client, answer};

    #[test]
    fn urls_and_keys_that_cannot_be_right_are_refused() {
        for (url, key, expected) in [
            ("lookback:4000", "k", "does not begin with http"),
            ("/lookback", "k", "has no host"),
            ("http:///x", "k", "cannot be read"),
            ("ftp://a", "k", "does not begin with http"),
            ("http://a/?x=1", "k", "has a query"),
            ("http://ada:pw@a", "k", "has a user"),
            ("http://a", "", "the key is no API key"),
            ("http://a", "a\nb: c", "the key is no API key"),
            ("http://a", "clé", "the key is no API key"),
        ] {
            let error = Client::new(url, key).map(drop).unwrap_err().to_string();
            assert!(error.contains(expected), "{url}: {error}");
            assert!(!error.contains("pw"), "{error}");
        }
        for url in ["http://a", "http://[::1]:4000/", "http://a/lookback/"] {
            Client::new(url, "lb_1234").unwrap();
        }
    }

    #[test]
    fn statuses_say_what_becomes_of_the_records() {
        let read = |status: u16, wait: Option<&str>, body: &str| {
            let mut builder = Response::builder().status(status);
            if let Some(wait) = wait {
                builder = builder.header("retry-after", wait);
            }
            answer(
                "/p",
                &builder.body(()).unwrap().into_parts().0,
                body.as_bytes(),
            )
        };
        assert_eq!(read(200, None, "ok"), Answer::Stored { rejected: 0 });
        let body = r#"{"data":{"stored":8,"rejected":2}}"#;
        assert_eq!(read(202, None, body), Answer::Stored { rejected: 2 });
        assert!(matches!(read(413, None, ""), Answer::TooLarge(_)));
        let problem = r#"{"title":"Invalid body","detail":"line 3 is no JSON"}"#;
        let refused = "/p answered 400 Bad Request: Invalid body: line 3 is no JSON";
        assert_eq!(
            read(400, None, problem),
            Answer::Refused(refused.to_owned())
        );
        for (status, wait, expected) in [
            (401, None, None),
            (404, Some("soon"), None),
            (429, Some("7"), Some(Duration::from_secs(7))),
            (503, Some("1"), Some(Duration::from_secs(1))),
            (302, None, None),
        ] {
            let Answer::Later(problem, later) = read(status, wait, "[]") else {
                panic!("{status}");
            };
            assert!(
                problem.contains(&status.to_string()) && later == expected,
                "{problem}"
            );
        }
    }
}
