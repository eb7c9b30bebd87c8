//! Requests that the page of another origin makes a browser send.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Uri};

use crate::client::{self, Client};

/// The origin of a page, such as `https://status.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub(crate) HeaderValue);

/// A text that is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an origin such as https://status.example.com, got {0:?}")]
pub struct OriginError(String);

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let wrong = || OriginError(text.to_owned());
        let uri = Uri::from_str(text).map_err(|_| wrong())?;
        let scheme = uri.scheme_str().filter(|scheme| scheme.starts_with("http"));
        let authority = uri.authority().ok_or_else(wrong)?;
        // As a browser sends it, with which it is compared.
        let written = format!("{}://{authority}", scheme.ok_or_else(wrong)?).to_ascii_lowercase();
        if authority.as_str().contains('@') || written != text.trim_end_matches('/') {
            return Err(wrong());
        }
        HeaderValue::from_str(&written)
            .map(Self)
            .map_err(|_| wrong())
    }
}

/// Whether a browser sends this for the page of another origin.
///
/// `sec-fetch-site` tells, which no page can set; over http, browsers send only `origin`. A program
/// sends neither.
pub(crate) fn is_cross_site(parts: &Parts) -> bool {
    if let Some(site) = parts.headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = parts.headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
    let host = host(parts);
    match (origin, host) {
        (Some((_, origin)), Some(host)) => !origin.eq_ignore_ascii_case(host.as_str()),
        _ => true,
    }
}

/// Whether a request names its server as this machine, or by an address. The page of a domain
/// whose address becomes that of this machine (DNS rebinding) still sends the name of its domain.
pub(crate) fn is_local_name(parts: &Parts) -> bool {
    let Some(host) = host(parts) else {
        return parts.headers.get(HOST).is_none();
    };
    let name = host.host();
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.to_ascii_lowercase();
    inner.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

/// The host that the client sees.
fn host(parts: &Parts) -> Option<Authority> {
    let forwarded = Client::of(parts)
        .is_behind_proxy
        .then(|| client::last(&parts.headers, "x-forwarded-host"))
        .flatten();
    let named = || parts.headers.get(HOST)?.to_str().ok();
    let authority = parts.uri.authority().map(Authority::as_str);
    forwarded.or(authority).or_else(named)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use axum::http::request::Parts;

    use super::{Origin, is_cross_site, is_local_name};

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/api/v1/logs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn pages_of_other_origins_are_recognised() {
        let host = ("host", "logs.example.com:4000");
        for (header, expected) in [
            (("sec-fetch-site", "same-origin"), false),
            (("sec-fetch-site", "none"), false),
            (("sec-fetch-site", "same-site"), true),
            (("sec-fetch-site", "cross-site"), true),
            (("sec-fetch-site", ""), true),
            (("origin", "http://logs.example.com:4000"), false),
            (("origin", "https://LOGS.example.com:4000"), false),
            (("origin", "http://logs.example.com"), true),
            (("origin", "http://evil.example"), true),
            (("origin", "null"), true),
            (("user-agent", "curl"), false),
        ] {
            assert_eq!(
                is_cross_site(&parts(&[host, header])),
                expected,
                "{header:?}"
            );
        }
        let both = [
            host,
            ("origin", "http://logs.example.com:4000"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert!(is_cross_site(&parts(&both)));
        assert!(is_cross_site(&parts(&[("origin", "http://a")])));
    }

    #[test]
    fn names_of_this_machine_are_recognised() {
        for (host, expected) in [
            ("127.0.0.1:4000", true),
            ("[::1]:4000", true),
            ("localhost", true),
            ("LOCALHOST:4000", true),
            ("shop.localhost:4000", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:4000", false),
            ("a b", false),
        ] {
            assert_eq!(is_local_name(&parts(&[("host", host)])), expected, "{host}");
        }
        assert!(is_local_name(&parts(&[])));
    }

    #[test]
    fn origin_is_written_as_browsers_write_it() {
        for text in [
            "https://a.example",
            "http://localhost:3000",
            "https://a.example/",
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.0, text.trim_end_matches('/'));
        }
        for text in [
            "",
            "*",
            "a.example",
            "ftp://a",
            "https://a/b",
            "https://u@a",
            "https://A",
        ] {
            let error = text.parse::<Origin>().unwrap_err().to_string();
            assert!(error.starts_with("expected an origin such as"), "{text}");
        }
    }
}
