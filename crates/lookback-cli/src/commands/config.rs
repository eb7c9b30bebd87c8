//! `lookback config`

use std::fmt::Display;
use std::path::PathBuf;

use serde_json::json;

use crate::config::{Config, Origin, Setting};
use crate::database::without_password;
use crate::failure::Failure;
use crate::output::{self, Cell};

/// A setting: its name, its value without secrets, and its origin.
type SettingRow = (&'static str, Option<String>, String);

fn settings(config: &Config) -> [SettingRow; 9] {
    let path = |setting: &Setting<PathBuf>| display(setting, |path| path.display().to_string());
    [
        (
            "database_url",
            display(&config.database_url, |url| without_password(url)),
            config.database_url.origin.to_string(),
        ),
        (
            "data_dir",
            path(&config.data_dir),
            config.data_dir.origin.to_string(),
        ),
        (
            "pg_bin",
            path(&config.pg_bin),
            config.pg_bin.origin.to_string(),
        ),
        (
            "pg_port",
            display(&config.pg_port, ToString::to_string),
            config.pg_port.origin.to_string(),
        ),
        (
            "pg_user",
            display(&config.pg_user, Clone::clone),
            config.pg_user.origin.to_string(),
        ),
        (
            "retention.older_than",
            display(&config.retention.older_than, ToString::to_string),
            config.retention.older_than.origin.to_string(),
        ),
        (
            "retention.larger_than",
            display(&config.retention.larger_than, ToString::to_string),
            config.retention.larger_than.origin.to_string(),
        ),
        (
            "retention.deleted_older_than",
            display(&config.retention.deleted_older_than, ToString::to_string),
            config.retention.deleted_older_than.origin.to_string(),
        ),
        (
            "timeout",
            Some(config.read_timeout().to_string()),
            config.timeout.origin.to_string(),
        ),
    ]
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
            .map(|(name, value, from)| (name.to_owned(), json!({"value": value, "from": from})))
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
    output::table(&["SETTING", "VALUE", "FROM"], &rows)?;
    Ok(())
}

fn display<T, S: Display>(setting: &Setting<T>, show: impl Fn(&T) -> S) -> Option<String> {
    setting.value.as_ref().map(|value| show(value).to_string())
}
