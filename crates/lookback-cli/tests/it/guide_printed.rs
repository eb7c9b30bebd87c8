//! What the pages of the guide show as printed is what the program prints.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use chrono::{DateTime, TimeDelta, Utc};
use lookback::{Level, Log, NewLog};
use testkit::page::{assert_printed, blocks, page};

use crate::guide::{Shell, pages};
use crate::records;
use crate::support::{Lookback, Running};

/// Each printed text of the guide, by its page and start, and the test that compares it.
const PRINTED: [(&str, &str, &str); 18] = [
    (
        "docs/guide/alerts.md",
        "$ lookback alerts create \"shop",
        "here",
    ),
    ("docs/guide/export.md", "# request 3", "replay.rs"),
    (
        "docs/guide/import.md",
        "$ lookback import collector.pb",
        "protobuf.rs",
    ),
    (
        "docs/guide/import.md",
        "error: logs.jsonl, line 4",
        "bad_input.rs",
    ),
    ("docs/guide/masking.md", "POST /login", "here"),
    (
        "docs/guide/migrations.md",
        "$ cargo db generate\n",
        "examples/shop/tests/guide.rs",
    ),
    (
        "docs/guide/migrations.md",
        "$ cargo db generate --rename",
        "examples/shop/tests/guide.rs",
    ),
    (
        "docs/guide/migrations.md",
        "$ cargo db migrate\napplying [file]_change_orders.sql",
        "examples/shop/tests/guide.rs",
    ),
    (
        "docs/guide/migrations.md",
        "$ cargo db migrate\napplying [file]_change_orders_validate.sql",
        "examples/shop/tests/guide.rs",
    ),
    ("docs/guide/migrations.md", "error: migration ", "rebase.rs"),
    (
        "docs/guide/migrations.md",
        "error: [file]_next.sql",
        "migrate.rs",
    ),
    ("docs/guide/migrations.md", "error: the role", "here"),
    ("docs/guide/page.md", "$ lookback serve", "serve.rs"),
    ("docs/guide/replay.md", "$ lookback replay", "replay.rs"),
    (
        "docs/guide/replay.md",
        "--header",
        "a list of options: replay.rs uses each",
    ),
    ("docs/guide/search.md", "ID  TIME", "here"),
    ("docs/guide/search.md", "ID   TIME", "here"),
    ("docs/guide/search.md", "COUNT", "here"),
];

#[test]
fn each_printed_text_is_compared() {
    let mut found = Vec::new();
    for name in pages() {
        let printed = blocks(&page(&name))
            .into_iter()
            .filter(|block| block.language == "text");
        found.extend(printed.map(|block| (name.clone(), block.text)));
    }
    let with_versions = |text: &str| {
        let mut words = String::new();
        for word in text.split_inclusive(' ') {
            let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
            if word.len() - rest.len() == 14 {
                words.push_str("[file]");
                words.push_str(rest);
            } else {
                words.push_str(word);
            }
        }
        words
    };
    let mut unknown = String::new();
    for (name, text) in &found {
        let text = with_versions(text);
        let is_of = |(of, start, _): &&(&str, &str, &str)| of == name && text.starts_with(start);
        if PRINTED.iter().filter(is_of).count() != 1 {
            writeln!(unknown, "{name}:\n{text}").unwrap();
        }
    }
    assert_eq!(unknown, "");
    assert_eq!(found.len(), PRINTED.len());
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Logs of one pattern, spread evenly over a span.
fn spread(count: i32, first: &str, last: &str, log: impl Fn(i32) -> NewLog) -> Vec<NewLog> {
    let (first, last) = (time(first), time(last));
    let span = (last - first).num_seconds();
    let at = |place: i32| {
        let seconds = span * i64::from(place) / i64::from((count - 1).max(1));
        log(place).created_at(first + TimeDelta::seconds(seconds))
    };
    (0..count).map(at).collect()
}

fn failed_logins(count: i32) -> Vec<NewLog> {
    let (first, last) = ("2026-01-01T09:00:03Z", "2026-01-01T10:02:00Z");
    spread(count, first, last, |place| {
        let message = format!("user {} login failed", 4_311 - count + place);
        NewLog::new("API", Level::Error, message)
    })
}

async fn store(lookback: &Lookback, mut logs: Vec<NewLog>) {
    logs.sort_by_key(|log| log.created_at);
    let pool = &lookback.db.as_ref().unwrap().pool;
    for logs in logs.chunks(5_000) {
        Log::records().create_many(pool, logs).await.unwrap();
    }
}

/// The commands before the printed text of a page that begins so.
fn commands_before(path: &str, start: &str) -> Vec<String> {
    let blocks = blocks(&page(path));
    let at = blocks
        .iter()
        .position(|block| block.text.starts_with(start));
    let commands = &blocks[at.unwrap() - 1];
    assert_eq!(commands.language, "sh");
    commands.text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn search_is_explained_as_the_page_shows_it() {
    let shell = Shell::new(records::shop().await);
    let command = &commands_before("docs/guide/search.md", "ID  TIME")[0];
    assert_printed("docs/guide/search.md", "ID  TIME", &shell.printed(command));
}

#[tokio::test]
async fn hits_are_folded_as_the_page_shows_it() {
    let shell = Shell::new(Lookback::new().await);
    let mut logs = failed_logins(804);
    let admin = NewLog::new("API", Level::Warn, "login of admin failed: wrong password");
    logs.push(admin.created_at(time("2026-01-01T10:01:12Z")));
    store(&shell.lookback, logs).await;
    let command = &commands_before("docs/guide/search.md", "ID   TIME")[0];
    assert_printed("docs/guide/search.md", "ID   TIME", &shell.printed(command));
}

#[tokio::test]
async fn patterns_are_counted_as_the_page_shows_it() {
    let shell = Shell::new(Lookback::new().await);
    let mut logs = failed_logins(1_204);
    logs.extend(spread(
        18_310,
        "2026-01-01T09:00:00Z",
        "2026-01-01T10:02:44Z",
        |place| {
            let (user, host) = (place % 5_000, place % 250);
            NewLog::new(
                "API",
                Level::Info,
                format!("user {user} logged in from 10.0.7.{host}"),
            )
        },
    ));
    logs.extend(spread(
        517,
        "2026-01-01T09:58:10Z",
        "2026-01-01T10:01:58Z",
        |place| {
            NewLog::new(
                "DB",
                Level::Error,
                format!("connection {} refused", 8_298 + place),
            )
        },
    ));
    store(&shell.lookback, logs).await;
    let command = &commands_before("docs/guide/search.md", "COUNT")[0];
    assert_printed("docs/guide/search.md", "COUNT", &shell.printed(command));
}

/// A webhook that answers 200 to all.
fn webhook() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            while !request.ends_with(b"}") {
                let read = stream.read(&mut bytes).unwrap();
                assert_ne!(read, 0);
                request.extend_from_slice(&bytes[..read]);
            }
            let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(ok.as_bytes()).unwrap();
        }
    });
    address
}

#[tokio::test]
async fn alerts_are_as_the_page_shows_them() {
    const START: &str = "$ lookback alerts create \"shop";
    let shell = Shell::new(Lookback::new().await);
    let lookback = &shell.lookback;
    let broken = NewLog::new("shop", Level::Error, "broken").created_at(Utc::now());
    store(lookback, vec![broken; 3]).await;
    let shown = testkit::page::printed("docs/guide/alerts.md", START);
    let hook = webhook();
    let mut printed = String::new();
    // A command may go on in the next line.
    let commands = shown.replace("\\\n", "\\\u{0}");
    let typed = commands.lines().filter_map(|line| line.strip_prefix("$ "));
    for command in typed.map(|command| command.replace('\u{0}', "\n")) {
        if command.ends_with("alerts list") {
            // The rule has been evaluated.
            let serve = [
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--alert-interval",
                "500ms",
            ];
            let server = Running::start(lookback, &serve);
            let evaluated = "SELECT count(*) FROM alert_statuses WHERE value = 3";
            lookback.wait_for(evaluated, 1).await;
            drop(server);
        }
        writeln!(printed, "$ {command}").unwrap();
        printed += &shell
            .printed(&command.replace("https://hooks.example.com", &format!("http://{hook}")));
    }
    let printed = printed.replace(&format!("http://{hook}"), "https://hooks.example.com");
    assert_printed("docs/guide/alerts.md", START, &printed);
}

#[tokio::test]
async fn missing_right_to_create_pgvector_is_as_the_page_shows_it() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    let database = lookback.db.as_ref().unwrap().name().to_owned();
    // Roles belong to the server: one for each database.
    let role = database.replace("test", "app");
    lookback
        .execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'app'"))
        .await;
    lookback
        .execute(&format!("GRANT ALL ON SCHEMA public TO {role}"))
        .await;
    let url = lookback.url_as(&role, "app");
    let ran = lookback
        .run(&["db", "migrate", "--database-url", &url])
        .failed(1);
    let error = ran.err.find("error: ").unwrap();
    let printed = ran.err[error..]
        .replace(&role, "app")
        .replace(&database, "shop");
    assert_printed("docs/guide/migrations.md", "error: the role", &printed);
}

/// What is imported is masked as the page says.
#[tokio::test]
async fn secrets_are_masked_as_the_page_shows_it() {
    let shown = testkit::page::printed("docs/guide/masking.md", "POST /login");
    let (given, stored): (Vec<&str>, Vec<&str>) = shown
        .lines()
        .map(|line| line.split_once("→").unwrap())
        .map(|(given, stored)| (given.trim(), stored.trim()))
        .unzip();
    let [line, authorization, cookie, body] = given.as_slice() else {
        panic!("{given:?}");
    };
    let header = |header: &str| {
        let (name, value) = header.split_once(": ").unwrap();
        serde_json::json!({"name": name, "value": value})
    };
    let target = line.strip_prefix("POST ").unwrap();
    let har = serde_json::json!({"log": {"entries": [{
        "startedDateTime": "2026-01-02T03:04:05Z",
        "request": {
            "method": "POST",
            "url": format!("https://shop.example{target}"),
            "headers": [header(authorization), header(cookie)],
            "postData": {"mimeType": "application/json", "text": body},
        },
        "response": {"status": 200},
    }]}});
    let lookback = Lookback::new().await;
    lookback.write("login.har", har.to_string());
    lookback.run(&["import", "login.har"]).succeeded();
    let request = lookback.run(&["requests", "get", "1", "--json"]).json();
    let request = &request["data"];
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let next = text(&request["query"]["next"]).replace('/', "%2F");
    let read = [
        format!(
            "POST {}?next={next}&token={}",
            text(&request["path"]),
            text(&request["query"]["token"])
        ),
        format!(
            "Authorization: {}",
            text(&request["headers"]["authorization"])
        ),
        format!("Cookie: {}", text(&request["headers"]["cookie"])),
        format!(
            "{{\"user\": {}, \"password\": {}}}",
            request["body"]["user"], request["body"]["password"]
        ),
    ];
    assert_eq!(read.as_slice(), stored);
}
