//! `pg status`: the state of the private PostgreSQL, and its settings with their origins.

use std::path::Path;

use lookback_embedded::{
    COMPUTED_SETTINGS, RunningServer, Server, ServerFeatures, ServerSetting, ServerStatus,
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading, counted};

/// A setting of the running server.
struct SettingInForce {
    name: String,
    value: String,
    from: String,
    /// The value that the next start would bring, if it is another one.
    next: Option<String>,
}

pub(super) async fn run(config: &Config, server: &Server, json: bool) -> Result<(), Failure> {
    let status = server.status()?;
    let (state, pid, port) = match &status {
        ServerStatus::Running(running) => ("running", Some(running.pid()), Some(running.port())),
        ServerStatus::NotReady { pid } => ("starting or stopping", Some(*pid), None),
        _ => ("stopped", None, None),
    };
    let settings = match &status {
        ServerStatus::Running(running) => match settings(config, server, running).await {
            Ok(settings) => settings,
            // The state is known without them.
            Err(failure) => {
                output::warning(failure.message());
                Vec::new()
            }
        },
        _ => Vec::new(),
    };
    if json {
        let settings: Vec<Value> = settings
            .iter()
            .map(|one| {
                json!({
                    "name": one.name, "value": one.value, "from": one.from,
                    "at_next_start": one.next,
                })
            })
            .collect();
        return output::json(&json!({"data": {
            "state": state, "pid": pid, "port": port, "folder": server.base(),
            "settings": settings,
        }}));
    }
    output::line(&format!("state   {state}"))?;
    if let Some(pid) = pid {
        output::line(&format!("pid     {pid}"))?;
    }
    if let Some(port) = port {
        output::line(&format!("port    {port}"))?;
    }
    output::line(&format!("folder  {}", server.base().display()))?;
    if !settings.is_empty() {
        output::line("")?;
        print(&settings)?;
    }
    Ok(())
}

fn print(settings: &[SettingInForce]) -> Result<(), Failure> {
    let waiting = settings.iter().filter(|one| one.next.is_some()).count();
    let mut headings = vec![
        Heading::new("SETTING"),
        Heading::text("VALUE"),
        Heading::new("FROM"),
    ];
    if waiting > 0 {
        headings.push(Heading::text("AT NEXT START"));
    }
    let rows: Vec<Vec<Cell>> = settings
        .iter()
        .map(|one| {
            let mut row = vec![
                Cell::new(one.name.clone()),
                Cell::new(one.value.clone()),
                Cell::new(one.from.clone()),
            ];
            if waiting > 0 {
                row.push(Cell::new(
                    one.next.clone().unwrap_or_else(|| "-".to_owned()),
                ));
            }
            row
        })
        .collect();
    output::table(&headings, &rows)?;
    if waiting > 0 {
        let number = u64::try_from(waiting).unwrap_or(u64::MAX);
        let wait = if waiting == 1 { "waits" } else { "wait" };
        hint_at_restart(&format!("{} {wait}", counted(number, "setting")));
    }
    Ok(())
}

/// Says which of the given settings a running server was not started with.
pub(super) fn tell_waiting(waiting: &[ServerSetting]) {
    if waiting.is_empty() {
        return;
    }
    let names: Vec<&str> = waiting.iter().map(ServerSetting::name).collect();
    let wait = if waiting.len() == 1 { "waits" } else { "wait" };
    hint_at_restart(&format!("{} {wait}", names.join(", ")));
}

fn hint_at_restart(what: &str) {
    output::hint(&format!(
        "{what} for a restart: lookback pg stop, then lookback pg start"
    ));
}

/// Settings that are shown, although nothing computes them: who relies on the data wants to know.
const SHOWN: [&str; 4] = [
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "autovacuum",
];

/// Settings of each data folder, from initdb or from this program.
const HIDDEN: [&str; 14] = [
    "autovacuum_worker_slots",
    "datestyle",
    "default_text_search_config",
    "dynamic_shared_memory_type",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "listen_addresses",
    "log_timezone",
    "max_connections",
    "port",
    "timezone",
    "unix_socket_directories",
];

/// Reads the settings in force: those that are computed, and those that somebody has set.
async fn settings(
    config: &Config,
    server: &Server,
    running: &RunningServer,
) -> Result<Vec<SettingInForce>, Failure> {
    let mut conn = database::connect_private(running).await?;
    let read = read(config, server, &mut conn).await;
    let _ = conn.close().await;
    read.map_err(|error| Failure::from(lookback::Error::from(error)))?
}

async fn read(
    config: &Config,
    server: &Server,
    conn: &mut PgConnection,
) -> Result<Result<Vec<SettingInForce>, Failure>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT s.name, current_setting(s.name) AS value, s.source, s.sourcefile, s.sourceline, \
           f.setting AS waiting, \
           current_setting('server_version_num')::int / 10000 AS major, \
           EXISTS (SELECT FROM pg_settings AS c WHERE c.name = 'wal_compression' AND 'lz4' = ANY (c.enumvals)) AS lz4 \
         FROM pg_settings AS s \
         LEFT JOIN LATERAL (SELECT setting FROM pg_file_settings WHERE name = s.name AND error IS NOT NULL \
                            ORDER BY seqno DESC LIMIT 1) AS f ON TRUE \
         WHERE s.name = ANY ($1) OR (s.source IN ('command line', 'configuration file', 'database', 'user', 'database user') \
           AND s.name <> ALL ($2)) \
         ORDER BY array_position($1, s.name), s.name",
    )
    .bind(COMPUTED_SETTINGS.iter().chain(&SHOWN).copied().collect::<Vec<_>>())
    .bind(&HIDDEN[..])
    .fetch_all(conn)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(Ok(Vec::new()));
    };
    let mut features = ServerFeatures::new(first.try_get::<i32, _>("major")?.unsigned_abs());
    features.lz4 = first.try_get("lz4")?;
    features.fadvise = cfg!(target_os = "linux");
    let computed = ServerSetting::computed(&server.machine(), &features);
    let (written, waiting) = match (server.written_settings(), server.waiting_settings()) {
        (Ok(written), Ok(waiting)) => (written, waiting),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error.into())),
    };
    let mut settings = Vec::new();
    for row in &rows {
        let name: String = row.try_get("name")?;
        let source: String = row.try_get("source")?;
        let file: Option<String> = row.try_get("sourcefile")?;
        let value_in = |settings: &[ServerSetting]| {
            let found = settings.iter().find(|setting| setting.name() == name);
            found.map(|setting| setting.value().to_owned())
        };
        let mut from = origin(&source, file.as_deref(), row.try_get("sourceline")?);
        let given = value_in(&waiting);
        if source == "command line"
            && given.is_none()
            && let Some((_, origin)) = config.pg_settings.get(&name)
        {
            from = origin.to_string();
        }
        let mut next = given;
        // A given setting hides those in files.
        if next.is_none() && source != "command line" {
            next = row.try_get("waiting")?;
        }
        if next.is_none() && from == COMPUTED {
            next = value_in(&computed).filter(|value| Some(value) != value_in(&written).as_ref());
        }
        settings.push(SettingInForce {
            value: row.try_get("value")?,
            name,
            from,
            next,
        });
    }
    // PostgreSQL knows no setting of an extension before something has set it.
    for setting in waiting {
        if !settings.iter().any(|one| one.name == setting.name()) {
            settings.push(SettingInForce {
                name: setting.name().to_owned(),
                value: "-".to_owned(),
                from: "-".to_owned(),
                next: Some(setting.value().to_owned()),
            });
        }
    }
    Ok(Ok(settings))
}

const COMPUTED: &str = "computed";

/// Who set a setting, by `source`, `sourcefile` and `sourceline` of `pg_settings`.
fn origin(source: &str, file: Option<&str>, line: Option<i32>) -> String {
    let name = file.and_then(|file| Path::new(file).file_name()?.to_str());
    match (source, name) {
        ("configuration file", Some("lookback.conf")) => COMPUTED.to_owned(),
        ("configuration file", Some("postgresql.auto.conf")) => "ALTER SYSTEM".to_owned(),
        ("configuration file", Some(name)) => match line {
            Some(line) => format!("{name}:{line}"),
            None => name.to_owned(),
        },
        ("database", _) => "ALTER DATABASE".to_owned(),
        ("user" | "database user", _) => "ALTER ROLE".to_owned(),
        ("command line", _) => "its start".to_owned(),
        _ => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn origin_is_named_as_a_person_would() {
        let in_file = |name| origin("configuration file", Some(name), Some(7));
        assert_eq!(in_file("/srv/data/lookback.conf"), "computed");
        assert_eq!(in_file("/srv/data/postgresql.auto.conf"), "ALTER SYSTEM");
        assert_eq!(in_file("/srv/data/postgresql.conf"), "postgresql.conf:7");
        assert_eq!(
            origin("configuration file", None, None),
            "configuration file"
        );
        assert_eq!(origin("database", None, None), "ALTER DATABASE");
        assert_eq!(origin("database user", None, None), "ALTER ROLE");
        assert_eq!(origin("command line", None, None), "its start");
        assert_eq!(origin("default", None, None), "default");
    }
}
