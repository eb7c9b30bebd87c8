//! `lookback serve` and `lookback keys`

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use testkit::page::assert_printed;

use crate::support::{Lookback, transcript};

/// A server that runs.
struct Serving {
    child: Child,
    address: String,
    err: BufReader<std::process::ChildStderr>,
    /// What it printed on standard error before it listened.
    before: String,
}

impl Serving {
    fn start(lookback: &Lookback, options: &[&str]) -> Self {
        Self::start_with(lookback, options, &[])
    }

    fn start_with(lookback: &Lookback, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let call = [&["serve", "--listen", "127.0.0.1:0"], options].concat();
        let mut command = lookback.command(&call);
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut before = String::new();
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(err.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some(address) = line.trim().strip_prefix("listening on http") {
                let address = address.trim_start_matches('s').trim_start_matches("://");
                break address.to_owned();
            }
            before.push_str(&line);
        };
        Self {
            child,
            address,
            err,
            before,
        }
    }

    /// Reads what it prints on standard error up to a line that begins so.
    fn read_to(&mut self, start: &str) -> String {
        let mut read = String::new();
        let mut line = String::new();
        while !line.starts_with(start) {
            line.clear();
            assert_ne!(
                self.err.read_line(&mut line).unwrap(),
                0,
                "it ended: {read}"
            );
            read.push_str(&line);
        }
        read
    }

    /// Stops it, and returns what it has printed on standard output.
    fn stop(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut out = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        stdout.read_to_string(&mut out).unwrap();
        out
    }

    fn log_in(&self, email: &str, password: &str) -> String {
        let body = serde_json::json!({ "email": email, "password": password });
        let head = "POST /api/v1/session HTTP/1.1\r\ncontent-type: application/json";
        self.send(head, &body.to_string())
    }

    /// Sends a request, and returns the answer with its head.
    fn send(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let request = format!(
            "{head}\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn post(&self, key: &str, idempotency_key: &str, body: &str) -> String {
        let head = format!(
            "POST /api/v1/logs HTTP/1.1\r\nauthorization: Bearer {key}\r\n\
             idempotency-key: {idempotency_key}\r\ncontent-type: application/x-ndjson"
        );
        self.send(&head, body)
    }
}

fn line(message: &str) -> String {
    format!(r#"{{"source":"API","level":"info","message":"{message}"}}"#)
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let lookback = Lookback::new().await;
    let made = lookback.run(&["keys", "create", "shop", "--scope", "ingest"]);
    let key = made.out.trim().to_owned();
    assert!(key.starts_with("lb_") && key.len() == 52, "{made:#?}");
    assert_eq!(
        made.err,
        "made key 1 (shop, ingest); it is not shown again\n"
    );
    let made = lookback.run(&[
        "keys",
        "create",
        "page",
        "--scope",
        "read",
        "--expires",
        "90d",
        "--json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    assert!(
        json["data"]["expires_at"].is_string() && json["key"].is_string(),
        "{json}"
    );
    assert!(json["data"].get("key_hash").is_none(), "{json}");

    transcript!(lookback.run(&["keys", "revoke", "1"]), @"
$ lookback keys revoke 1
! revoked key 1
");
    transcript!(lookback.run(&["keys", "revoke", "1"]), @"
$ lookback keys revoke 1
! error: no valid key 1
! hint: the ids of all keys: lookback keys list --revoked
[exit code 1]
");
    let listed = lookback.run(&["keys", "list", "--json"]);
    assert!(
        listed.out.contains("page") && !listed.out.contains("shop"),
        "{listed:#?}"
    );
    let listed = lookback.run(&["keys", "list", "--revoked", "--wide"]);
    assert!(
        listed.out.contains("shop") && listed.out.contains("REVOKED"),
        "{listed:#?}"
    );
    assert!(!listed.out.contains(&key[12..]), "{listed:#?}");
    transcript!(lookback.run(&["keys", "create", " ", "--scope", "read"]), @r#"
$ lookback keys create   --scope read
! error: name: must not be blank
[exit code 1]
"#);
}

#[tokio::test]
async fn server_stores_for_a_key_and_stops_on_a_signal() {
    let lookback = Lookback::new().await;
    let made = lookback.run(&["keys", "create", "shop", "--scope", "ingest"]);
    let key = made.out.trim().to_owned();
    let mut serving = Serving::start(&lookback, &[]);
    let answer = serving.post(&key, "1", &line("over HTTP"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = serving.post("lb_wrong", "1", &line("no"));
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let found = lookback.run(&["logs", "list", "--json"]);
    assert!(found.out.contains("over HTTP"), "{found:#?}");

    let pid = i32::try_from(serving.child.id()).unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    assert!(serving.child.wait().unwrap().success());
    let mut rest = String::new();
    serving.err.read_to_string(&mut rest).unwrap();
    assert!(
        rest.ends_with("stopping: no more requests are taken\nstopped\n"),
        "{rest}"
    );
    let page = format!("the page: http://{}/\n", serving.address);
    assert_eq!(rest.contains(&page), lookback_server::has_page(), "{rest}");
}

/// What a server prints that has users and keys. The default address may be taken on the machine
/// of the tests: the program uses another.
#[tokio::test]
async fn server_says_where_it_listens_as_the_page_shows_it() {
    let lookback = Lookback::new().await;
    lookback
        .run_with(
            &["users", "create", "ada@example.com", "--role", "admin"],
            b"correct horse\n",
        )
        .succeeded();
    lookback
        .run(&["keys", "create", "shop", "--scope", "ingest"])
        .succeeded();
    let mut serving = Serving::start(&lookback, &[]);
    assert_eq!(serving.before, "");
    // A program that is built without the page has no address of it to say.
    if lookback_server::has_page() {
        let page = serving.read_to("the page: ");
        let address = &serving.address;
        let printed = format!("$ lookback serve\nlistening on http://{address}\n{page}");
        assert_printed("docs/guide/page.md", "$ lookback serve", &printed);
    }
    assert_eq!(serving.stop(), "");
}

#[tokio::test]
async fn killed_server_has_stored_what_it_acknowledged_once() {
    let lookback = Lookback::new().await;
    let made = lookback.run(&["keys", "create", "shop", "--scope", "ingest"]);
    let key = made.out.trim().to_owned();
    let mut serving = Serving::start(&lookback, &[]);
    let mut acknowledged = 0;
    for batch in 0..60 {
        let lines: Vec<String> = (0..20)
            .map(|n| line(&format!("batch {batch} line {n}")))
            .collect();
        let body = lines.join("\n");
        let name = format!("batch-{batch}");
        if batch % 20 == 10 {
            // Sent, and the server is killed before or after it answers.
            let mut stream = TcpStream::connect(&serving.address).unwrap();
            let request = format!(
                "POST /api/v1/logs HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\
                 idempotency-key: {name}\r\ncontent-type: application/x-ndjson\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(batch));
            serving.child.kill().unwrap();
            serving.child.wait().unwrap();
            serving = Serving::start(&lookback, &[]);
        }
        let answer = serving.post(&key, &name, &body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        acknowledged += 20;
    }
    let pool = &lookback.db.as_ref().unwrap().pool;
    let counts: (i64, i64) = sqlx::query_as("SELECT count(*), count(DISTINCT message) FROM logs")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(counts, (acknowledged, acknowledged));
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
}

#[tokio::test]
async fn wrong_calls_of_serve_say_what_is_wrong() {
    let lookback = Lookback::new().await;
    transcript!(lookback.run(&["serve", "--open", "--listen", "0.0.0.0:4000"]), @"
$ lookback serve --open --listen 0.0.0.0:4000
! error: --open: 0.0.0.0:4000 can be reached from other machines
! hint: leave out --open and make a key (lookback keys create), or listen on 127.0.0.1
[exit code 2]
");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = lookback.run(&["serve", "--listen", &address]).failed(1);
    assert!(
        ran.err
            .starts_with(&format!("error: cannot listen on {address}: ")),
        "{ran:#?}"
    );
}

#[tokio::test]
async fn addresses_of_exporters_are_served_too() {
    let lookback = Lookback::new().await;
    let in_use = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = in_use.local_addr().unwrap().to_string();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free_address = free.local_addr().unwrap().to_string();
    drop(free);
    let options = ["--open", "--otlp-http", &free_address, "--otlp-grpc", "off"];
    let mut serving = Serving::start(&lookback, &options);
    let mut line = String::new();
    serving.err.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        format!("listening on {free_address} for OTLP over HTTP\n")
    );
    let main = std::mem::replace(&mut serving.address, free_address);
    let answer = serving.send("GET /health/live HTTP/1.1", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    serving.address = main;
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();

    let ran = lookback
        .run(&["serve", "--listen", "127.0.0.1:0", "--otlp-grpc", &taken])
        .failed(1);
    assert!(
        ran.err.starts_with(&format!(
            "error: cannot listen on {taken} for OTLP over gRPC: "
        )) && ran.err.contains("--otlp-grpc off"),
        "{ran:#?}"
    );
    transcript!(lookback.run(&["serve", "--open", "--otlp-http", "0.0.0.0:4318"]), @"
$ lookback serve --open --otlp-http 0.0.0.0:4318
! error: --open: 0.0.0.0:4318 can be reached from other machines
! hint: leave out --open and make a key (lookback keys create), or listen on 127.0.0.1
[exit code 2]
");
}

#[tokio::test]
async fn agent_asks_over_standard_streams() {
    let lookback = Lookback::new().await;
    let mut command = lookback.command(&["mcp"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut ask = |message: &str| {
        writeln!(input, "{message}").unwrap();
        if !message.contains("\"id\"") {
            return serde_json::Value::Null;
        }
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let info = ask(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"tests","version":"1"}}}"#,
    );
    assert_eq!(info["result"]["protocolVersion"], "2025-06-18", "{info}");
    ask(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let found = ask(
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"search_logs","arguments":{"words":"disk"}}}"#,
    );
    let answer = &found["result"]["structuredContent"];
    assert_eq!(answer["metadata"]["total"], 0, "{found}");
    drop(input);
    assert!(child.wait().unwrap().success());
    let mut errors = String::new();
    child.stderr.unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}

#[tokio::test]
async fn syslog_is_stored_and_counted_at_the_end() {
    let lookback = Lookback::new().await;
    let options = [
        "--open",
        "--syslog-udp",
        "127.0.0.1:0",
        "--syslog-timezone",
        "+02:00",
    ];
    let mut serving = Serving::start(&lookback, &options);
    let mut line = String::new();
    serving.err.read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on ").unwrap();
    let address = address.strip_suffix(" for syslog over UDP\n").unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .send_to(b"<11>Nov 29 12:00:00 web1 shop[7]: disk full", address)
        .unwrap();
    let started = Instant::now();
    loop {
        let found = lookback.run(&["logs", "list", "--json"]).out;
        if found.contains("disk full") {
            assert!(found.contains("-11-29T10:00:00Z"), "{found}");
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{found}");
    }
    let pid = i32::try_from(serving.child.id()).unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    assert!(serving.child.wait().unwrap().success());
    let mut rest = String::new();
    serving.err.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("syslog: 1 stored\n"), "{rest}");

    transcript!(lookback.run(&["serve", "--syslog-udp", "0.0.0.0:5514"]), @"
$ lookback serve --syslog-udp 0.0.0.0:5514
! error: --syslog-udp: 0.0.0.0:5514 can be reached from other machines, and syslog has no keys
! hint: say who may send, such as --syslog-allow 10.0.0.0/8, or listen on 127.0.0.1
[exit code 2]
");
    transcript!(lookback.run(&["serve", "--syslog-allow", "10.0.0.0/8"]), @"
$ lookback serve --syslog-allow 10.0.0.0/8
! error: --syslog-allow and --syslog-timezone need --syslog-udp or --syslog-tcp
[exit code 2]
");
}

#[tokio::test]
async fn server_goes_on_when_the_database_comes_back() {
    let lookback = Lookback::with(None);
    drop(lookback);
    let server = testkit::KillableServer::durable();
    let running = server.start();
    let url = running.url();
    let lookback = Lookback::with(None);
    let with_url = |call: &[&str]| {
        let mut all = call.to_vec();
        all.extend(["--database-url", &url]);
        lookback.run(&all)
    };
    with_url(&["db", "migrate"]);
    let key = with_url(&["keys", "create", "shop", "--scope", "ingest"])
        .out
        .trim()
        .to_owned();
    let mut serving = Serving::start(&lookback, &["--database-url", &url]);
    assert!(
        serving
            .post(&key, "1", &line("before"))
            .starts_with("HTTP/1.1 200")
    );
    testkit::kill(&running);
    let answer = serving.post(&key, "2", &line("meanwhile"));
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    assert!(
        serving
            .send("GET /health/ready HTTP/1.1", "")
            .starts_with("HTTP/1.1 503")
    );
    assert!(
        serving
            .send("GET /health/live HTTP/1.1", "")
            .starts_with("HTTP/1.1 200")
    );
    server.start();
    let started = Instant::now();
    while !serving
        .post(&key, "2", &line("meanwhile"))
        .starts_with("HTTP/1.1 200")
    {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it did not come back"
        );
        thread::sleep(Duration::from_millis(50));
    }
    let found = with_url(&["logs", "list", "--json"]).out;
    assert_eq!(found.matches("meanwhile").count(), 1, "{found}");
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
}

/// One address with several servers behind it, as a load balancer.
struct Balancer {
    address: String,
    servers: Arc<Mutex<Vec<String>>>,
}

impl Balancer {
    fn start(servers: &[&Serving]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let addresses = servers.iter().map(|serving| serving.address.clone());
        let servers = Arc::new(Mutex::new(addresses.collect::<Vec<_>>()));
        let known = Arc::clone(&servers);
        thread::spawn(move || {
            for (turn, client) in listener.incoming().flatten().enumerate() {
                let known = known.lock().unwrap().clone();
                // A client whose server is away is hung up on, as by a balancer that does not
                // know yet.
                if let Ok(server) = TcpStream::connect(&known[turn % known.len()]) {
                    thread::spawn(move || forward(client, server));
                }
            }
        });
        Self { address, servers }
    }

    fn replace(&self, old: &Serving, new: &Serving) {
        self.remove(old);
        self.servers.lock().unwrap().push(new.address.clone());
    }

    fn remove(&self, server: &Serving) {
        let mut servers = self.servers.lock().unwrap();
        servers.retain(|address| *address != server.address);
    }
}

fn forward(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _cut = std::io::copy(&mut from_client, &mut to_server);
        let _closed = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    let _cut = std::io::copy(&mut from_server, &mut to_client);
    let _closed = to_client.shutdown(Shutdown::Both);
}

/// Sends a batch until it is acknowledged.
fn send_until_stored(address: &str, key: &str, name: &str, body: &str) {
    let request = format!(
        "POST /api/v1/logs HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         authorization: Bearer {key}\r\nidempotency-key: {name}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let send = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    for _ in 0..200 {
        match send() {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") => return,
            Ok(answer) if answer.is_empty() || answer.starts_with("HTTP/1.1 503") => {}
            Ok(answer) => panic!("{answer}"),
            Err(_) => {}
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{name} was not stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_restart_stores_each_acknowledged_batch_once() {
    const SENDERS: usize = 3;
    const LINES: usize = 20;
    let lookback = Lookback::new().await;
    let made = lookback.run(&["keys", "create", "shop", "--scope", "ingest"]);
    let key = made.out.trim().to_owned();
    let mut servers = [
        Serving::start(&lookback, &[]),
        Serving::start(&lookback, &[]),
    ];
    let balancer = Balancer::start(&[&servers[0], &servers[1]]);
    let done = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (address, key, done) = (balancer.address.clone(), key.clone(), Arc::clone(&done));
            thread::spawn(move || {
                let mut batches = 0;
                while !done.load(Relaxed) {
                    let name = format!("{sender}-{batches}");
                    let lines: Vec<String> = (0..LINES)
                        .map(|n| line(&format!("{name} line {n}")))
                        .collect();
                    send_until_stored(&address, &key, &name, &lines.join("\n"));
                    batches += 1;
                }
                batches
            })
        })
        .collect();
    for round in 0..2 {
        for server in &mut servers {
            thread::sleep(Duration::from_millis(300));
            if round == 0 {
                // Announced, as by an orchestrator.
                balancer.remove(server);
                let pid = i32::try_from(server.child.id()).unwrap();
                let pid = nix::unistd::Pid::from_raw(pid);
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
                assert!(server.child.wait().unwrap().success());
            } else {
                // A crash, of which the balancer knows nothing.
                server.child.kill().unwrap();
                server.child.wait().unwrap();
            }
            let new = Serving::start(&lookback, &[]);
            balancer.replace(server, &new);
            *server = new;
        }
    }
    thread::sleep(Duration::from_millis(300));
    done.store(true, Relaxed);
    let batches: usize = senders
        .into_iter()
        .map(|sender| sender.join().unwrap())
        .sum();
    assert!(batches > 20, "{batches}");
    let pool = &lookback.db.as_ref().unwrap().pool;
    let counts: (i64, i64) = sqlx::query_as("SELECT count(*), count(DISTINCT message) FROM logs")
        .fetch_one(pool)
        .await
        .unwrap();
    let expected = i64::try_from(batches * LINES).unwrap();
    assert_eq!(counts, (expected, expected));
    for server in &mut servers {
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
}

#[tokio::test]
async fn first_start_makes_an_admin_with_a_one_time_password() {
    let lookback = Lookback::new().await;
    let serving = Serving::start(&lookback, &[]);
    assert_eq!(
        serving.before,
        "made the first admin, admin@localhost; the password is for one log-in, and not shown \
         again:\n"
    );
    let out = serving.stop();
    let password = out.trim();
    assert_eq!((out.lines().count(), password.len()), (1, 27), "{out:?}");
    // The second start makes none, and prints none.
    let serving = Serving::start(&lookback, &[]);
    assert_eq!(serving.before, "");
    let answer = serving.log_in("admin@localhost", password);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains(r#""must_change_password":true"#),
        "{answer}"
    );
    assert_eq!(serving.stop(), "");
    let listed = lookback.run(&["users", "list", "--json"]);
    assert!(listed.out.contains(r#""role":"admin""#), "{listed:#?}");
    assert!(!listed.out.contains("argon2"), "{listed:#?}");
}

#[tokio::test]
async fn first_admin_is_given_by_the_environment() {
    let lookback = Lookback::new().await;
    let email = ("LOOKBACK_ADMIN_EMAIL", "ada@shop.test");
    let weak = lookback
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .envs([email, ("LOOKBACK_ADMIN_PASSWORD", "password1")])
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&weak.stderr).into_owned();
    assert_eq!(weak.status.code(), Some(1), "{err}");
    assert!(
        err.starts_with("error: the password of the first admin is easy to guess"),
        "{err}"
    );
    assert!(err.contains("hint: set LOOKBACK_ADMIN_EMAIL"), "{err}");
    assert!(!err.contains("password1"), "{err}");

    let password = "correct horse battery staple";
    let variables = [email, ("LOOKBACK_ADMIN_PASSWORD", password)];
    let serving = Serving::start_with(&lookback, &[], &variables);
    assert!(
        serving
            .before
            .contains("made the first admin, ada@shop.test\n"),
        "{}",
        serving.before
    );
    let answer = serving.log_in("ada@shop.test", password);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains(r#""must_change_password":false"#),
        "{answer}"
    );
    assert_eq!(serving.stop(), "");
    // An open server asks nobody, and makes none.
    let lookback = Lookback::new().await;
    let serving = Serving::start(&lookback, &["--open"]);
    assert_eq!(serving.stop(), "");
    assert_eq!(
        lookback
            .run(&["users", "list", "--json"])
            .out
            .matches("email")
            .count(),
        0
    );
}

#[tokio::test]
async fn server_speaks_tls_and_believes_configured_proxies() {
    let lookback = Lookback::new().await;
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../lookback-server/tests/it/tls"
    );
    let (certificate, key) = (
        format!("{folder}/certificate.pem"),
        format!("{folder}/key.pem"),
    );
    let tls = ["--tls-cert", &certificate, "--tls-key", &key];
    let serving = Serving::start(&lookback, &tls);
    // Without a handshake, there is no answer.
    let mut stream = TcpStream::connect(&serving.address).unwrap();
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ended = stream.read_to_end(&mut answer);
    // An alert of TLS.
    assert!(answer.starts_with(&[21, 3]), "{answer:?}");
    serving.stop();

    let serving = Serving::start(
        &lookback,
        &[
            "--trusted-proxy",
            "127.0.0.0/8",
            "--cors-origin",
            "https://status.example",
            "--requests-per-second",
            "1",
        ],
    );
    let head =
        "GET /health/live HTTP/1.1\r\nx-forwarded-proto: https\r\norigin: https://status.example";
    let answer = serving.send(head, "");
    assert!(answer.contains("strict-transport-security: "), "{answer}");
    assert!(
        answer.contains("access-control-allow-origin: https://status.example\r\n"),
        "{answer}"
    );
    let all = (0..10).map(|_| serving.send("GET /health/live HTTP/1.1", ""));
    let refused = all.filter(|answer| answer.starts_with("HTTP/1.1 429"));
    assert!(refused.count() > 0);
    serving.stop();
}

#[tokio::test]
async fn a_renewed_certificate_is_read_again_after_a_hangup() {
    let lookback = Lookback::new().await;
    let pem = |name: &str| {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../lookback-server/tests/it/tls"
        );
        std::fs::read(format!("{folder}/{name}")).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    std::fs::write(&certificate, pem("certificate.pem")).unwrap();
    std::fs::write(&key, pem("key.pem")).unwrap();
    let options = [
        "--tls-cert",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let mut serving = Serving::start(&lookback, &options);
    let hang_up = |serving: &mut Serving, expected: &str| {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(serving.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
        let mut line = String::new();
        while !line.contains(expected) {
            line.clear();
            assert_ne!(serving.err.read_line(&mut line).unwrap(), 0, "it ended");
        }
    };
    // The certificate is there before its key.
    std::fs::write(&certificate, pem("other-certificate.pem")).unwrap();
    hang_up(&mut serving, "the certificate before it is still in use");
    std::fs::write(&key, pem("other-key.pem")).unwrap();
    hang_up(&mut serving, "the certificate was read again");
    serving.stop();
}

#[tokio::test]
async fn wrong_security_options_are_explained() {
    let lookback = Lookback::new().await;
    for (options, expected) in [
        (
            &["--trusted-proxy", "10.0.0.0/99"][..],
            "error: --trusted-proxy: expected an address such as 10.0.0.1 or a range",
        ),
        (
            &["--cors-origin", "*"],
            "expected an origin such as https://status.example.com",
        ),
        (&["--tls-cert", "a.pem"], "--tls-key <FILE>"),
        (
            &["--tls-cert", "no.pem", "--tls-key", "no.pem"],
            "error: --tls-cert: cannot read no.pem: ",
        ),
        (
            &["--tls-cert", "/dev/null", "--tls-key", "/dev/null"],
            "error: TLS: expected a certificate as PEM",
        ),
    ] {
        let ran = lookback.run(&[&["serve"], options].concat()).failed(2);
        assert!(ran.err.contains(expected), "{ran:#?}");
    }
}
