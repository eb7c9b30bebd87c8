//! The web page: `GET /ui/`.
//!
//! Its files are built from `dashboard/` into the folder `page/` of this crate, and embedded.
//! docs/decisions/0024

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    LOCATION, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use lookback::json;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use crate::openapi::{Access, Operation};
use crate::problem::{Kind, Problem};
use crate::records;
use crate::server::Shared;

mod gzip;

/// The folder, which has no page in a checkout where nobody has built it.
#[derive(RustEmbed)]
#[folder = "page/"]
#[allow_missing = true]
struct Embedded;

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let files = Embedded::iter().filter_map(|path| {
        let file = Embedded::get(&path)?;
        Some((path.into_owned(), Bytes::from(file.data.into_owned())))
    });
    Page::new(files)
});

/// Where the page is.
const ADDRESS: &str = "/ui/";
const INDEX: &str = "index.html";
/// The folder of the files whose names change with their content.
const ASSETS: &str = "assets/";

/// The page loads nothing from elsewhere, runs no script that is in it, and is in no frame. Its
/// forms are sent by its script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(redirect))
        .route("/ui", get(redirect))
        .route("/ui/", get(file))
        .route("/ui/{*path}", get(file))
}

pub(crate) fn operations() -> Vec<Operation> {
    let open = |path, summary| Operation::get(path, summary, Access::Open);
    let text = |media_type| (media_type, json!({ "type": "string" }));
    let files = [
        "text/html",
        "text/javascript",
        "text/css",
        "text/plain",
        "image/svg+xml",
        "font/woff2",
        "application/json",
        "application/octet-stream",
    ];
    vec![
        open("/", "Leads to the page").answer(307, "The page is at `/ui/`.", &[]),
        open("/ui", "Leads to the page").answer(307, "The page is at `/ui/`.", &[]),
        open("/ui/", "The page, on which people look at records")
            .answer(200, "The page.", &[text("text/html")])
            .answer(304, "It has not changed.", &[])
            .problems(&[Kind::NotFound])
            .problems_as("text/html", json!({ "type": "string" })),
        open("/ui/{*path}", "A view or a file of the page")
            .about("A path that is no file is a view of the page, and answered by the page.")
            .answer(200, "The page, or the file.", &files.map(text))
            .answer(304, "It has not changed.", &[])
            .problems(&[Kind::NotFound])
            .problems_as("text/html", json!({ "type": "string" })),
    ]
}

/// Whether this program has the page.
#[must_use]
pub fn has_page() -> bool {
    PAGE.files.contains_key(INDEX)
}

/// Leads to the page. Browsers keep no temporary redirect: another program may have this address
/// next.
async fn redirect() -> Response {
    let location = HeaderValue::from_static(ADDRESS);
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response()
}

async fn file(uri: Uri, headers: HeaderMap) -> Response {
    // As it was sent: the names of files need no decoding, and views decode their paths themselves.
    let path = uri.path().strip_prefix(ADDRESS).unwrap_or_default();
    PAGE.answer(path, &headers)
}

/// A page: its files by their paths.
#[derive(Debug)]
struct Page {
    files: BTreeMap<String, PageFile>,
}

#[derive(Debug)]
struct PageFile {
    media_type: &'static str,
    is_asset: bool,
    content: Bytes,
    tag: String,
    /// The content compressed once it was asked for; `None` if it is not smaller then.
    compressed: OnceLock<Option<Bytes>>,
}

impl Page {
    fn new(files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let files = files.into_iter().filter(|(path, _)| !path.starts_with('.'));
        Self {
            files: files
                .map(|(path, content)| {
                    let file = PageFile::new(&path, content);
                    (path, file)
                })
                .collect(),
        }
    }

    /// Answers with a file, or with the page if the path is one of its views.
    fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        let Some(index) = self.files.get(INDEX) else {
            return missing_page();
        };
        if let Some(file) = self.files.get(path) {
            return file.answer(headers);
        }
        // Views have names without a dot, and what they are asked for below: `traces/a.b`.
        let is_file = path.starts_with(ASSETS) || (path.contains('.') && !path.contains('/'));
        if is_file {
            let detail = format!("the page has no file {path}");
            return Problem::new(Kind::NotFound, detail).into_response();
        }
        index.answer(headers)
    }
}

impl PageFile {
    fn new(path: &str, content: Bytes) -> Self {
        let hash = Sha256::digest(&content);
        let hash = hash[..12].iter().map(|byte| format!("{byte:02x}"));
        // Weak: it is the same for an answer that is compressed.
        let tag = format!("W/\"{}\"", hash.collect::<String>());
        Self {
            media_type: media_type(path),
            is_asset: path.starts_with(ASSETS),
            content,
            tag,
            compressed: OnceLock::new(),
        }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let cache = if self.is_asset {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let mut response = if records::knows_tag(headers, &self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            self.content(headers)
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(ETAG, tag);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        protect(headers);
        response
    }

    fn content(&self, headers: &HeaderMap) -> Response {
        let media_type = (CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        let takes_gzip = gzip::is_accepted(headers.get_all(ACCEPT_ENCODING));
        let compressed = takes_gzip.then(|| {
            self.compressed
                .get_or_init(|| gzip::compress(&self.content))
        });
        match compressed {
            Some(Some(compressed)) => {
                let encoding = (CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                ([media_type, encoding], Body::from(compressed.clone())).into_response()
            }
            _ => ([media_type], Body::from(self.content.clone())).into_response(),
        }
    }
}

/// The answer of a program that has no page. It is not an error of the server, which others watch.
fn missing_page() -> Response {
    let media_type = HeaderValue::from_static("text/html; charset=utf-8");
    let text = include_str!("page/missing.html");
    let mut response = (StatusCode::NOT_FOUND, [(CONTENT_TYPE, media_type)], text).into_response();
    protect(response.headers_mut());
    response
}

fn protect(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use axum::body::to_bytes;
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use axum::response::Response;
    use bytes::Bytes;
    use flate2::read::GzDecoder;

    use super::{Page, media_type};

    fn page() -> Page {
        let script = "export const answer = 42;\n".repeat(100);
        let files = [
            (".gitkeep", ""),
            ("index.html", "<!doctype html><title>Lookback</title>"),
            ("assets/index-B2x.js", &script),
            ("icon.svg", "<svg/>"),
        ];
        Page::new(files.map(|(path, text)| (path.to_owned(), Bytes::from(text.to_owned()))))
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        });
        pairs.collect()
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        let value = response.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    async fn body(response: Response) -> Vec<u8> {
        to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec()
    }

    #[tokio::test]
    async fn views_are_answered_by_the_page_and_missing_files_are_not() {
        let page = page();
        let none = HeaderMap::new();
        for path in [
            "",
            "logs",
            "traces/a.b",
            "requests/7/logs",
            "logs/",
            "../../etc/passwd",
        ] {
            let response = page.answer(path, &none);
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(
                header(&response, "content-type"),
                "text/html; charset=utf-8"
            );
            assert_eq!(header(&response, "cache-control"), "no-cache", "{path}");
            let policy = header(&response, "content-security-policy").to_owned();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
            assert!(
                String::from_utf8(body(response).await)
                    .unwrap()
                    .contains("Lookback")
            );
        }
        for path in [
            "assets/gone-A1b.js",
            "assets/",
            "assets/logs",
            "favicon.ico",
            ".gitkeep",
        ] {
            let response = page.answer(path, &none);
            assert_eq!(response.status(), 404, "{path}");
            assert_eq!(
                header(&response, "content-type"),
                "application/problem+json"
            );
        }
    }

    #[tokio::test]
    async fn assets_are_kept_for_good_and_others_are_asked_for_again() {
        let page = page();
        let asset = page.answer("assets/index-B2x.js", &HeaderMap::new());
        assert_eq!(
            header(&asset, "content-type"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(
            header(&asset, "cache-control"),
            "public, max-age=31536000, immutable"
        );
        for path in ["index.html", "icon.svg", "assets/index-B2x.js"] {
            let response = page.answer(path, &HeaderMap::new());
            let tag = header(&response, "etag").to_owned();
            assert!(tag.starts_with("W/\""), "{tag}");
            let again = page.answer(path, &headers(&[("if-none-match", &tag)]));
            assert_eq!(again.status(), 304, "{path}");
            assert_eq!(header(&again, "etag"), tag);
            assert!(body(again).await.is_empty());
            let other = page.answer(path, &headers(&[("if-none-match", "W/\"other\"")]));
            assert_eq!(other.status(), 200, "{path}");
        }
    }

    #[tokio::test]
    async fn file_is_compressed_for_those_who_take_it() {
        let page = page();
        let path = "assets/index-B2x.js";
        let plain = page.answer(path, &HeaderMap::new());
        assert_eq!(header(&plain, "content-encoding"), "");
        assert_eq!(header(&plain, "vary"), "accept-encoding");
        let plain = body(plain).await;
        for _ in 0..2 {
            let response = page.answer(path, &headers(&[("accept-encoding", "br, gzip")]));
            assert_eq!(header(&response, "content-encoding"), "gzip");
            assert_eq!(header(&response, "vary"), "accept-encoding");
            let compressed = body(response).await;
            assert!(compressed.len() < plain.len() / 10);
            let mut read = Vec::new();
            GzDecoder::new(&*compressed).read_to_end(&mut read).unwrap();
            assert_eq!(read, plain);
        }
        // It is larger when it is compressed.
        let icon = page.answer("icon.svg", &headers(&[("accept-encoding", "gzip")]));
        assert_eq!(header(&icon, "content-encoding"), "");
    }

    #[tokio::test]
    async fn program_without_a_page_says_how_to_get_it() {
        let page = Page::new([(".gitkeep".to_owned(), Bytes::new())]);
        for path in ["", "logs", "assets/index.js"] {
            let response = page.answer(path, &HeaderMap::new());
            assert_eq!(response.status(), 404);
            assert_eq!(
                header(&response, "content-type"),
                "text/html; charset=utf-8"
            );
            assert!(header(&response, "content-security-policy").contains("script-src 'self'"));
            let text = String::from_utf8(body(response).await).unwrap();
            assert!(
                text.contains("make page") && text.contains("/docs"),
                "{text}"
            );
            assert!(
                !text.contains("<script") && !text.contains("style"),
                "{text}"
            );
        }
    }

    #[test]
    fn media_types_are_those_of_the_names() {
        for (path, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("assets/a-B.js", "text/javascript; charset=utf-8"),
            ("assets/a.b.css", "text/css; charset=utf-8"),
            ("icon.svg", "image/svg+xml"),
            ("assets/f.woff2", "font/woff2"),
            ("licenses.txt", "text/plain; charset=utf-8"),
            ("about.json", "application/json"),
            ("LICENSE", "application/octet-stream"),
        ] {
            assert_eq!(media_type(path), expected, "{path}");
        }
    }
}
