//! Where requests are sent.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};

use super::body::header;
use crate::RequestSnapshot;

/// Where requests are sent: scheme, host, port and the path before theirs.
///
/// It is parsed from a URL such as `https://staging.example.com` or `http://localhost:3000/shop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end.
    base: String,
}

impl Target {
    /// Returns where a request was sent when it was captured; `None` if its headers do not tell.
    ///
    /// The scheme is that of `x-forwarded-proto`, or `http`.
    #[must_use]
    pub fn captured(snapshot: &RequestSnapshot) -> Option<Self> {
        let headers = snapshot.headers.as_ref()?.as_object()?;
        let text = |name: &str| header(headers, name);
        let host = text("host").or_else(|| text(":authority"))?;
        let scheme = match text("x-forwarded-proto").or_else(|| text(":scheme")) {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => Scheme::HTTPS,
            _ => Scheme::HTTP,
        };
        let authority: Authority = host.parse().ok()?;
        let is_host = !authority.as_str().contains('@') && !authority.host().is_empty();
        is_host.then(|| Self {
            scheme,
            authority,
            base: String::new(),
        })
    }

    /// Returns host and port, as in the header `host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// Returns the URL of a path, with its query.
    pub(super) fn url(&self, path_and_query: &str) -> Option<Uri> {
        let path = format!("{}{path_and_query}", self.base);
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path);
        uri.build().ok()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base)
    }
}

/// A text that is not the URL of a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a URL such as https://staging.example.com or http://localhost:3000, got `{text}`: {problem}"
)]
pub struct TargetError {
    text: String,
    problem: &'static str,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        // A password is not repeated.
        let shown = match text.rsplit_once('@') {
            Some((_, rest)) => format!("…@{rest}"),
            None => text.to_owned(),
        };
        let error = |problem| TargetError {
            text: shown.clone(),
            problem,
        };
        if text.contains('#') {
            return Err(error("it must not have a fragment"));
        }
        let uri: Uri = text.parse().map_err(|_| error("it is not a URL"))?;
        let parts = uri.into_parts();
        let scheme = match parts.scheme {
            Some(scheme) if scheme == Scheme::HTTP || scheme == Scheme::HTTPS => scheme,
            _ => return Err(error("it must begin with http:// or https://")),
        };
        let authority = parts.authority.ok_or_else(|| error("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(error(
                "credentials are not taken from a URL: set the header authorization",
            ));
        }
        if authority.host().is_empty() {
            return Err(error("it has no host"));
        }
        let path = parts.path_and_query;
        if path.as_ref().is_some_and(|path| path.query().is_some()) {
            return Err(error("it must not have a query"));
        }
        let base = path.map_or_else(String::new, |path| {
            path.path().trim_end_matches('/').to_owned()
        });
        Ok(Self {
            scheme,
            authority,
            base,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn target_is_parsed_and_joined_with_paths() {
        for (text, shown, url) in [
            (
                "http://localhost:3000",
                "http://localhost:3000",
                "http://localhost:3000/a?b=1",
            ),
            (
                "https://x.example/",
                "https://x.example",
                "https://x.example/a?b=1",
            ),
            (
                "https://x.example/v2/",
                "https://x.example/v2",
                "https://x.example/v2/a?b=1",
            ),
            (
                "http://[::1]:80",
                "http://[::1]:80",
                "http://[::1]:80/a?b=1",
            ),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(target.url("/a?b=1").unwrap().to_string(), url);
        }
    }

    #[test]
    fn invalid_targets_say_what_is_wrong() {
        for (text, problem) in [
            ("localhost:3000", "must begin with"),
            ("ftp://x.example", "must begin with"),
            ("/orders", "must begin with"),
            ("http://x.example/?a=1", "must not have a query"),
            ("http://x.example/#a", "must not have a fragment"),
            ("http://me:s3cret@x.example", "credentials"),
            ("", "not a URL"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
