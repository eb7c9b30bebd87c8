//! The web page. What is embedded depends on whether the page was built; files of both kinds of
//! pages are tested in `src/page.rs`.

use lookback_server::has_page;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Answer, TestServer};

/// Checks an answer that is the page, or says that there is none; returns its text.
fn check_page(path: &str, answer: &Answer) -> String {
    let expected = if has_page() { 200 } else { 404 };
    assert_eq!(answer.status, expected, "{path}: {answer:?}");
    for (name, expected) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(answer.headers[name], expected, "{path}: {name}");
    }
    let policies = answer.headers.get_all("content-security-policy");
    let policies: Vec<_> = policies.iter().collect();
    assert_eq!(policies.len(), 1);
    let policy = policies[0].to_str().unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("<title>"), "{text}");
    // The policy forbids a script that is in the page.
    for (at, _) in text.match_indices("<script") {
        let tag = text[at..].split('>').next().unwrap();
        assert!(tag.contains("src=\"/ui/"), "{tag}");
    }
    text
}

#[tokio::test]
async fn root_leads_to_the_page() {
    let server = TestServer::start().await;
    for path in ["/", "/ui"] {
        let answer = server.send("GET", path, &[], "").await;
        assert_eq!(answer.status, 307, "{path}");
        assert_eq!(answer.headers["location"], "/ui/");
    }
    let answer = server.send("POST", "/", &[], "").await;
    assert_eq!(answer.problem(), "method-not-allowed");
}

#[tokio::test]
async fn page_is_for_everybody_and_answers_its_views() {
    let server = TestServer::start().await;
    let page = check_page("/ui/", &server.send("GET", "/ui/", &[], "").await);
    for path in ["/ui/logs", "/ui/traces/a.b", "/ui/logs?level=error"] {
        let answer = server.send("GET", path, &[], "").await;
        assert_eq!(check_page(path, &answer), page);
    }
    let head = server.send("HEAD", "/ui/", &[], "").await;
    assert_eq!(head.status, if has_page() { 200 } else { 404 });
    assert!(head.body.is_empty());
    assert_eq!(head.headers["content-type"], "text/html; charset=utf-8");
    let metrics = server.get("/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(metrics.contains("route=\"/ui/{*path}\""), "{metrics}");
    assert!(!metrics.contains("/ui/logs"), "{metrics}");
}

/// Every file that the page names is there, kept for good if its name changes with its content.
#[tokio::test]
async fn files_of_the_page_are_served() {
    let server = TestServer::start().await;
    let answer = server.send("GET", "/ui/", &[], "").await;
    let page = check_page("/ui/", &answer);
    if !has_page() {
        assert!(page.contains("make page"), "{page}");
        return;
    }
    assert_eq!(answer.headers["cache-control"], "no-cache");
    let tag = answer.headers["etag"].to_str().unwrap();
    let again = server
        .send("GET", "/ui/logs", &[("if-none-match", tag)], "")
        .await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let named = page.split('"').filter(|text| text.starts_with("/ui/"));
    let named: Vec<&str> = named.collect();
    assert!(named.iter().any(|path| path.starts_with("/ui/assets/")));
    for path in named {
        let gzip = [("accept-encoding", "gzip")];
        let file = server.send("GET", path, &gzip, "").await;
        assert_eq!(file.status, 200, "{path}");
        let expected = match path.rsplit('.').next().unwrap() {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("{path}: {other}"),
        };
        assert_eq!(file.headers["content-type"], expected, "{path}");
        if path.starts_with("/ui/assets/") {
            let kept = file.headers["cache-control"].to_str().unwrap();
            assert!(kept.contains("immutable"), "{path}: {kept}");
        }
        let plain = server.send("GET", path, &[], "").await;
        assert!(plain.body.len() >= file.body.len(), "{path}");
    }
    let gone = server.send("GET", "/ui/assets/gone.js", &[], "").await;
    assert_eq!((gone.status, gone.problem()), (404, "not-found".to_owned()));
}

/// A path that is sent as it is: no client makes it shorter.
#[tokio::test]
async fn nothing_outside_of_the_page_is_reached() {
    let server = TestServer::start().await;
    for path in [
        "/ui/../Cargo.toml",
        "/ui/../../../../../../etc/passwd",
        "/ui/%2e%2e/%2e%2e/Cargo.toml",
        "/ui/..%2f..%2fCargo.toml",
        "/ui/..%5c..%5cCargo.toml",
        "/ui/..\\..\\Cargo.toml",
        "/ui//etc/passwd",
        "/ui/%2fetc%2fpasswd",
        "/ui/assets/../../src/page.rs",
        "/ui/assets/%2e%2e/.gitkeep",
        "/ui/.gitkeep",
        "/ui/index.html%00.js",
        "/ui/\0",
        "/ui/%ff",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let status: u16 = answer[9..12].parse().unwrap();
        assert!([200, 400, 404].contains(&status), "{path}: {answer}");
        // The page itself, or that there is none.
        assert!(
            status != 200 || (has_page() && answer.contains("<title>")),
            "{path}: {answer}"
        );
        for secret in ["[package]", "root:", "rust_embed"] {
            assert!(!answer.contains(secret), "{path}: {answer}");
        }
    }
}
