//! `lookback config`

use std::fmt::Display;
use std::path::PathBuf;

use serde_json::json;

use crate::args::StorageTable;
use crate::config::{Config, Origin, Setting};
use crate::database::without_password;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading};

/// A setting: its name, its value without secrets, and its origin.
type SettingRow = (String, Option<String>, String);

/// All settings, and the values for single tables that are set.
fn settings(config: &Config) -> Vec<SettingRow> {
    let path = |setting: &Setting<PathBuf>| display(setting, |path| path.display().to_string());
    let retention = &config.retention;
    let mut rows: Vec<SettingRow> = [
        ("config", path(&config.file), &config.file.origin),
        (
            "database_url",
            display(&config.database_url, |url| without_password(url)),
            &config.database_url.origin,
        ),
        ("data_dir", path(&config.data_dir), &config.data_dir.origin),
        ("pg_bin", path(&config.pg_bin), &config.pg_bin.origin),
        (
            "pg_port",
            display(&config.pg_port, ToString::to_string),
            &config.pg_port.origin,
        ),
        (
            "pg_user",
            display(&config.pg_user, Clone::clone),
            &config.pg_user.origin,
        ),
        (
            "retention.older_than",
            display(&retention.older_than, ToString::to_string),
            &retention.older_than.origin,
        ),
        (
            "retention.larger_than",
            display(&retention.larger_than, ToString::to_string),
            &retention.larger_than.origin,
        ),
        (
            "retention.deleted_older_than",
            display(&retention.deleted_older_than, ToString::to_string),
            &retention.deleted_older_than.origin,
        ),
    ]
    .into_iter()
    .map(|(name, value, from)| (name.to_owned(), value, from.to_string()))
    .collect();
    let given = config.pg_settings.iter().map(|(setting, origin)| {
        (
            format!("pg_settings.{}", setting.name()),
            Some(setting.value().to_owned()),
            origin.to_string(),
        )
    });
    rows.extend(given);
    rows.extend(table_retention(config));
    rows.push((
        "timeout".to_owned(),
        Some(config.read_timeout().to_string()),
        config.timeout.origin.to_string(),
    ));
    rows.extend(config.server.rows());
    rows
}

/// The limits for single tables, which only a file can set.
fn table_retention(config: &Config) -> Vec<SettingRow> {
    let Some(file) = &config.file.value else {
        return Vec::new();
    };
    let tables = [
        ("logs", StorageTable::Logs),
        ("requests", StorageTable::Requests),
        ("metrics", StorageTable::Metrics),
        ("users", StorageTable::Users),
    ];
    let mut rows = Vec::new();
    for (section, table) in tables {
        let (older, larger, deleted) = config.retention.file.of(table);
        let limits = [
            ("older_than", older.map(|limit| limit.to_string())),
            ("larger_than", larger.map(|limit| limit.to_string())),
            ("deleted_older_than", deleted.map(|limit| limit.to_string())),
        ];
        for (name, limit) in limits {
            if limit.is_some() {
                let name = format!("retention.{section}.{name}");
                rows.push((name, limit, file.display().to_string()));
            }
        }
    }
    rows
}

/// Prints the settings and their origins as details.
pub(crate) fn tell(config: &Config) {
    for (name, value, from) in settings(config) {
        if let Some(value) = value
            && from != Origin::Default.to_string()
        {
            output::detail(&format!("{name} is {value} (from {from})"));
        }
    }
}

pub(crate) fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let settings = settings(config);
    if json {
        let data: serde_json::Map<_, _> = settings
            .into_iter()
            .map(|(name, value, from)| (name, json!({"value": value, "from": from})))
            .collect();
        return output::json(&json!({ "data": data }));
    }
    let rows: Vec<Vec<Cell>> = settings
        .into_iter()
        .map(|(name, value, from)| {
            vec![
                Cell::new(name),
                Cell::new(value.unwrap_or_else(|| "-".to_owned())),
                Cell::new(from),
            ]
        })
        .collect();
    let headings = [
        Heading::new("SETTING"),
        Heading::text("VALUE"),
        Heading::text("FROM"),
    ];
    output::table(&headings, &rows)?;
    Ok(())
}

fn display<T, S: Display>(setting: &Setting<T>, show: impl Fn(&T) -> S) -> Option<String> {
    setting.value.as_ref().map(|value| show(value).to_string())
}
