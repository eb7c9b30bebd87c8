//! The rows of each model in a printed table.

use anstyle::Style;
use chrono::{DateTime, Utc};
use lookback::table::ColumnValues as _;
use lookback::value::{Hidden, JsonMap};
use lookback::{
    Level, Log, Metric, Model, NewLog, NewRequestSnapshot, QueryBuilder, RequestSnapshot, User,
};

use crate::output::{self, Cell, DIM, Heading, RED, YELLOW};

/// A model whose records are printed as rows of a table.
pub(crate) trait TableRow: Model {
    /// The noun for one record in messages.
    const NAME: &'static str;
    /// The command name, which is also the noun for several records.
    const COMMAND: &'static str;
    /// The headings of the table.
    fn headings() -> Vec<Heading>;
    /// A row of the table.
    fn cells(&self) -> Vec<Cell>;
    /// Makes a query read when each record was deleted.
    fn read_deleted_at(query: QueryBuilder<Self>) -> QueryBuilder<Self>;
    /// When the record was deleted; `None` if the query did not read it.
    fn deleted_at(&self) -> Option<Option<DateTime<Utc>>>;
    /// Converts a record of a server, without the time of its deletion; `None` if servers do not
    /// send records of this model as they arrive.
    fn received(_record: JsonMap) -> Option<Result<Self, String>> {
        None
    }
    /// The request, if the record is one.
    fn as_request(&self) -> Option<&RequestSnapshot> {
        None
    }
}

/// Takes the columns out of a record that no insert sets.
fn take_own(record: &mut JsonMap) -> Result<(i64, DateTime<Utc>), String> {
    record.remove("deleted_at");
    let id = record.remove("id").and_then(|id| id.as_i64());
    let updated_at = record.remove("updated_at");
    let updated_at = updated_at.and_then(|time| time.as_str()?.parse().ok());
    id.zip(updated_at)
        .ok_or_else(|| "it has no id or no updated_at".to_owned())
}

/// Implements the methods of [`TableRow`] on the time of deletion.
macro_rules! deletion {
    () => {
        fn read_deleted_at(query: QueryBuilder<Self>) -> QueryBuilder<Self> {
            query.with_hidden(Self::deleted_at())
        }

        fn deleted_at(&self) -> Option<Option<DateTime<Utc>>> {
            self.deleted_at.get().copied()
        }
    };
}

impl TableRow for Log {
    const NAME: &'static str = "log";
    const COMMAND: &'static str = "logs";

    fn received(mut record: JsonMap) -> Option<Result<Self, String>> {
        let received = take_own(&mut record).and_then(|(id, updated_at)| {
            let new = NewLog::from_json(record).map_err(|error| error.to_string())?;
            Ok(Self {
                id,
                source: new.source,
                level: new.level,
                message: new.message,
                meta: new.meta,
                trace_id: new.trace_id,
                created_at: new.created_at.unwrap_or(updated_at),
                updated_at,
                deleted_at: Hidden::default(),
                embedding: Hidden::default(),
            })
        });
        Some(received)
    }

    fn headings() -> Vec<Heading> {
        vec![
            Heading::new("ID"),
            Heading::new("TIME"),
            Heading::new("LEVEL"),
            Heading::text("SOURCE"),
            Heading::text("MESSAGE"),
        ]
    }

    deletion!();

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

    fn received(mut record: JsonMap) -> Option<Result<Self, String>> {
        let received = take_own(&mut record).and_then(|(id, updated_at)| {
            let new = NewRequestSnapshot::from_json(record).map_err(|error| error.to_string())?;
            Ok(Self {
                id,
                method: new.method,
                path: new.path,
                query: new.query,
                body: new.body,
                headers: new.headers,
                user_id: new.user_id,
                timestamp: new.timestamp,
                version: new.version,
                stage: new.stage,
                status_code: new.status_code,
                response_body: new.response_body,
                response_headers: new.response_headers,
                duration: new.duration,
                geo_country: new.geo_country,
                geo_region: new.geo_region,
                geo_city: new.geo_city,
                geo_lat: new.geo_lat,
                geo_lon: new.geo_lon,
                geo_source: new.geo_source,
                trace_id: new.trace_id,
                created_at: new.created_at.unwrap_or(updated_at),
                updated_at,
                deleted_at: Hidden::default(),
                embedding: Hidden::default(),
            })
        });
        Some(received)
    }

    fn as_request(&self) -> Option<&RequestSnapshot> {
        Some(self)
    }

    fn headings() -> Vec<Heading> {
        vec![
            Heading::new("ID"),
            Heading::new("TIME"),
            Heading::new("STATUS"),
            Heading::extra("DURATION"),
            Heading::extra("STAGE"),
            Heading::text("METHOD"),
            Heading::text("PATH"),
        ]
    }

    deletion!();

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

    fn headings() -> Vec<Heading> {
        vec![
            Heading::new("ID"),
            Heading::new("WINDOW"),
            Heading::new("REQUESTS"),
            Heading::new("ERRORS"),
            Heading::extra("P50 MS"),
            Heading::new("P95 MS"),
            Heading::extra("P99 MS"),
            Heading::text("ENDPOINT"),
        ]
    }

    deletion!();

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

    fn headings() -> Vec<Heading> {
        vec![
            Heading::new("ID"),
            Heading::new("CREATED"),
            Heading::new("ROLE"),
            Heading::text("EMAIL"),
        ]
    }

    deletion!();

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
fn time(time: DateTime<Utc>) -> Cell {
    // The same format as in JSON, which can be pasted into a filter.
    Cell::new(output::time(time)).style(DIM)
}

fn optional(value: Option<i32>) -> String {
    value.map_or_else(dash, |value| value.to_string())
}

fn dash() -> String {
    "-".to_owned()
}
