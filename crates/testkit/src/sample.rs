//! Sample data: log lines and requests of a small shop, deterministic by seed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

mod lines;
mod searches;
mod templates;

pub use lines::{line_time, log_lines};
pub use searches::{Search, searches};

/// A portable random number generator, SplitMix64.
///
/// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// The numbers to return instead.
    choices: Option<std::vec::IntoIter<u64>>,
}

impl Random {
    /// Creates a generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            choices: None,
        }
    }

    /// Creates a generator of these numbers, then of zeros.
    ///
    /// With numbers of proptest, a value that is drawn from it shrinks with them:
    /// write what draws it so that fewer and smaller numbers give a simpler value.
    pub fn of_choices(choices: Vec<u64>) -> Self {
        Self {
            state: 0,
            choices: Some(choices.into_iter()),
        }
    }

    fn next(&mut self) -> u64 {
        if let Some(choices) = &mut self.choices {
            return choices.next().unwrap_or(0);
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Draws one of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        &items[index]
    }
}

/// Source, level, weight, and a message with `{}` for a number.
const LINES: &[(&str, &str, u64, &str)] = &[
    ("API", "info", 30, "GET /orders/{} answered 200"),
    (
        "API",
        "info",
        12,
        "POST /orders answered 201, order {} created",
    ),
    ("API", "warn", 4, "rate limit reached for client {}"),
    (
        "API",
        "error",
        2,
        "request {} failed: upstream closed the connection",
    ),
    ("API", "info", 5, "GET /products?page={} answered 200"),
    (
        "API",
        "warn",
        2,
        "request body of client {} is not valid JSON",
    ),
    ("DB", "debug", 10, "query finished, {} rows"),
    ("DB", "warn", 3, "slow query: SELECT on orders took {} ms"),
    (
        "DB",
        "error",
        2,
        "connection refused by the database on port {}",
    ),
    (
        "DB",
        "error",
        1,
        "deadlock detected, transaction {} rolled back",
    ),
    ("DB", "info", 2, "checkpoint complete, {} buffers written"),
    ("WORKER", "info", 12, "job {} finished"),
    ("WORKER", "warn", 3, "job {} is retried, attempt 2 of 5"),
    (
        "WORKER",
        "error",
        2,
        "job {} failed: payment gateway timeout",
    ),
    ("WORKER", "info", 4, "e-mail for order {} sent"),
    (
        "WORKER",
        "error",
        1,
        "e-mail for order {} bounced: mailbox full",
    ),
    ("AUTH", "info", 6, "user {} logged in"),
    ("AUTH", "warn", 3, "wrong password for user {}"),
    (
        "AUTH",
        "error",
        1,
        "token of user {} has an invalid signature",
    ),
    ("CACHE", "debug", 6, "cache miss for product {}"),
    ("CACHE", "warn", 1, "evicted {} keys, memory is nearly full"),
];

/// Generates log lines for an import, a few hundred milliseconds apart.
pub fn logs(seed: u64, count: usize) -> Vec<Value> {
    let mut random = Random::new(seed);
    let weight: u64 = LINES.iter().map(|(_, _, weight, _)| weight).sum();
    let mut time = start();
    (0..count)
        .map(|_| {
            time += TimeDelta::milliseconds(i64::try_from(50 + random.below(900)).unwrap_or(50));
            let mut at = random.below(weight);
            let (source, level, _, message) = LINES
                .iter()
                .find(|(_, _, weight, _)| {
                    let found = at < *weight;
                    at = at.saturating_sub(*weight);
                    found
                })
                .unwrap_or(&LINES[0]);
            let number = random.below(100_000);
            let mut line = json!({
                "source": source,
                "level": level,
                "message": message.replace("{}", &number.to_string()),
                "meta": {"host": format!("shop-{}", random.below(3)), "pid": 1000 + random.below(50)},
                "created_at": time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            });
            if *source == "API" {
                line["trace_id"] = json!(format!("{:016x}{:016x}", random.next(), random.next()));
            }
            line
        })
        .collect()
}

/// Generates captured requests for an import.
pub fn requests(seed: u64, count: usize) -> Vec<Value> {
    let mut random = Random::new(seed);
    let mut time = start();
    (0..count)
        .map(|_| {
            time +=
                TimeDelta::milliseconds(i64::try_from(100 + random.below(2_000)).unwrap_or(100));
            request(&mut random, time)
        })
        .collect()
}

fn request(random: &mut Random, time: DateTime<Utc>) -> Value {
    let id = random.below(5_000);
    let (method, path, query, body) = match random.below(6) {
        0 => (
            "POST",
            "/orders".to_owned(),
            Value::Null,
            json!({"product": id, "count": 1 + random.below(4)}),
        ),
        1 => (
            "GET",
            "/products".to_owned(),
            json!({"page": random.below(30).to_string()}),
            Value::Null,
        ),
        2 => (
            "POST",
            "/login".to_owned(),
            Value::Null,
            json!({"email": format!("user{id}@shop.example"), "password": "[redacted]"}),
        ),
        3 => ("DELETE", format!("/carts/{id}"), Value::Null, Value::Null),
        _ => ("GET", format!("/orders/{id}"), Value::Null, Value::Null),
    };
    let status = *random.pick(&[
        200, 200, 200, 200, 200, 201, 204, 304, 400, 401, 404, 404, 429, 500, 503,
    ]);
    let response = match status {
        200 | 201 => json!({"id": id, "state": random.pick(&["open", "paid", "shipped"])}),
        400.. => json!({"type": "about:blank", "title": title(status), "status": status}),
        _ => Value::Null,
    };
    let duration = match status {
        503 => 3_000 + random.below(2_000),
        _ => 2 + random.below(180),
    };
    let (country, city) = *random.pick(&[
        ("DE", "Berlin"),
        ("FR", "Lyon"),
        ("US", "Denver"),
        ("JP", "Osaka"),
    ]);
    json!({
        "method": method,
        "path": path,
        "query": query,
        "body": body,
        "headers": {"accept": "application/json", "authorization": "[redacted]"},
        "user_id": if random.below(3) == 0 { Value::Null } else { json!(format!("user-{id}")) },
        "timestamp": time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "version": format!("1.{}.0", 4 + random.below(2)),
        "stage": "production",
        "status_code": status,
        "response_body": response,
        "response_headers": {"content-type": "application/json"},
        "duration": duration,
        "geo_country": country,
        "geo_city": city,
        "geo_source": "ip",
        "trace_id": format!("{:016x}{:016x}", random.next(), random.next()),
    })
}

fn title(status: i32) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_258_000, 0).unwrap_or_default()
}

/// Formats values as JSON lines.
pub fn json_lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}
