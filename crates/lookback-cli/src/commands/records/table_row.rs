//! The rows of each model in a printed table.

use anstyle::Style;
use lookback::{Level, Log, Metric, Model, RequestSnapshot, User};

use crate::output::{Cell, DIM, RED, YELLOW};

/// A model whose records are printed as rows of a table.
pub(crate) trait TableRow: Model {
    /// The noun for one record in messages.
    const NAME: &'static str;
    /// The command name, which is also the noun for several records.
    const COMMAND: &'static str;
    /// The headings of the table.
    const HEADINGS: &'static [&'static str];
    /// A row of the table.
    fn cells(&self) -> Vec<Cell>;
}

impl TableRow for Log {
    const NAME: &'static str = "log";
    const COMMAND: &'static str = "logs";
    const HEADINGS: &'static [&'static str] = &["ID", "TIME", "LEVEL", "SOURCE", "MESSAGE"];

    fn cells(&self) -> Vec<Cell> {
        let level = match self.level {
            Level::Error => RED,
            Level::Warn => YELLOW,
            Level::Info => Style::new(),
            Level::Debug => DIM,
        };
        vec![
            Cell::new(self.id.to_string()).style(DIM),
            time(self.created_at),
            Cell::new(self.level.as_str()).style(level),
            Cell::new(&*self.source),
            Cell::new(&*self.message),
        ]
    }
}

impl TableRow for RequestSnapshot {
    const NAME: &'static str = "request";
    const COMMAND: &'static str = "requests";
    const HEADINGS: &'static [&'static str] = &[
        "ID", "TIME", "STATUS", "DURATION", "STAGE", "METHOD", "PATH",
    ];

    fn cells(&self) -> Vec<Cell> {
        let status = match self.status_code {
            None | Some(500..) => RED,
            Some(400..) => YELLOW,
            Some(_) => Style::new(),
        };
        vec![
            Cell::new(self.id.to_string()).style(DIM),
            time(self.timestamp),
            Cell::new(optional(self.status_code)).style(status),
            Cell::new(self.duration.map_or_else(dash, |ms| format!("{ms} ms"))),
            Cell::new(&*self.stage),
            Cell::new(&*self.method),
            Cell::new(&*self.path),
        ]
    }
}

impl TableRow for Metric {
    const NAME: &'static str = "window";
    const COMMAND: &'static str = "metrics";
    const HEADINGS: &'static [&'static str] = &[
        "ID", "WINDOW", "REQUESTS", "ERRORS", "P50 MS", "P95 MS", "P99 MS", "ENDPOINT",
    ];

    fn cells(&self) -> Vec<Cell> {
        let errors = if self.error_rate.per_million() > 0 {
            RED
        } else {
            Style::new()
        };
        vec![
            Cell::new(self.id.to_string()).style(DIM),
            time(self.window_start),
            Cell::new(self.traffic_count.to_string()),
            Cell::new(format!("{:.2} %", self.error_rate.fraction() * 100.0)).style(errors),
            Cell::new(self.p50_latency.to_string()),
            Cell::new(self.p95_latency.to_string()),
            Cell::new(self.p99_latency.to_string()),
            Cell::new(&*self.endpoint),
        ]
    }
}

impl TableRow for User {
    const NAME: &'static str = "user";
    const COMMAND: &'static str = "users";
    const HEADINGS: &'static [&'static str] = &["ID", "CREATED", "ROLE", "EMAIL"];

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::new(self.id.to_string()).style(DIM),
            time(self.created_at),
            Cell::new(self.role.as_str()),
            Cell::new(&*self.email),
        ]
    }
}

/// Formats a time in UTC, with microseconds if it has them.
fn time(time: impl serde::Serialize) -> Cell {
    // The same format as in JSON, which can be pasted into a filter.
    let text = serde_json::to_value(time)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_else(dash);
    Cell::new(text).style(DIM)
}

fn optional(value: Option<i32>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

fn dash() -> String {
    "-".to_owned()
}
