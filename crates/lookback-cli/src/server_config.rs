//! The settings of `lookback serve`: `[server]` of `lookback.toml`, variables, and options.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use lookback_server::{MetricsAccess, Settings};

use crate::config::{Origin, ReadTimeout, Setting, first_set, variable};
use crate::failure::Failure;
use crate::retention::Size;

/// `[server]` of `lookback.toml`.
pub(crate) type ServerSection = BTreeMap<String, toml::Value>;

/// The format of the server's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// What the settings say.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    pub(crate) listen: SocketAddr,
    /// The connections to the database.
    pub(crate) connections: u32,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: tracing::Level,
    /// Whether this process evaluates the alert rules.
    pub(crate) has_alerts: bool,
    pub(crate) settings: Settings,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4000)),
            connections: 16,
            log_format: LogFormat::Text,
            log_level: tracing::Level::WARN,
            has_alerts: true,
            settings: Settings::default(),
        }
    }
}

/// A setting.
struct ServerKey {
    /// Its name in `[server]`; as an option with `-`.
    name: &'static str,
    variable: &'static str,
    flag: &'static str,
    default: &'static str,
    expected: &'static str,
    /// Sets it from its text; `None` if that is not what is expected.
    apply: fn(&mut ServerOptions, &str) -> Option<()>,
}

macro_rules! key {
    ($name:literal, $variable:literal, $flag:literal, $default:literal, $expected:expr, $apply:expr) => {
        ServerKey {
            name: $name,
            variable: concat!("LOOKBACK_SERVER_", $variable),
            flag: concat!("--", $flag),
            default: $default,
            expected: $expected,
            apply: $apply,
        }
    };
}

const BYTES: &str = "a size such as 500kB, 32MiB or 1GB";
const TIME: &str = "a time such as 500ms, 30s or 5m";
const NUMBER: &str = "a whole number from 1 to 1000000";

const KEYS: &[ServerKey] = &[
    key!(
        "listen",
        "LISTEN",
        "listen",
        "127.0.0.1:4000",
        "an address and a port such as 127.0.0.1:4000",
        |to, text| set(&mut to.listen, text.parse().ok())
    ),
    key!("source", "SOURCE", "source", "app", "a name", |to, text| {
        let name = Some(text).filter(|text| !text.trim().is_empty());
        set(&mut to.settings.source, name.map(str::to_owned))
    }),
    key!(
        "replay_targets",
        "REPLAY_TARGETS",
        "replay-targets",
        "",
        "URLs such as https://staging.example.com, with commas between them",
        |to, text| {
            let targets = text
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty());
            let targets = targets.map(|text| text.parse().ok()).collect();
            set(&mut to.settings.replay_targets, targets)
        }
    ),
    key!(
        "connections",
        "CONNECTIONS",
        "connections",
        "16",
        "a whole number from 4 to 1000",
        |to, text| {
            let number = text.parse().ok();
            set(
                &mut to.connections,
                number.filter(|number| (4..=1_000).contains(number)),
            )
        }
    ),
    key!(
        "body_bytes",
        "BODY_BYTES",
        "body-bytes",
        "32MiB",
        BYTES,
        |to, text| set(&mut to.settings.body_bytes, bytes(text))
    ),
    key!(
        "decompressed_bytes",
        "DECOMPRESSED_BYTES",
        "decompressed-bytes",
        "64MiB",
        BYTES,
        |to, text| set(&mut to.settings.decompressed_bytes, bytes(text))
    ),
    key!(
        "all_body_bytes",
        "ALL_BODY_BYTES",
        "all-body-bytes",
        "256MiB",
        BYTES,
        |to, text| set(&mut to.settings.all_body_bytes, bytes(text))
    ),
    key!(
        "page_bytes",
        "PAGE_BYTES",
        "page-bytes",
        "16MiB",
        BYTES,
        |to, text| set(&mut to.settings.page_bytes, bytes(text))
    ),
    key!(
        "ingests",
        "INGESTS",
        "ingests",
        "256",
        NUMBER,
        |to, text| { set(&mut to.settings.ingests, number(text)) }
    ),
    key!(
        "body_timeout",
        "BODY_TIMEOUT",
        "body-timeout",
        "30s",
        TIME,
        |to, text| set(&mut to.settings.body_timeout, time(text))
    ),
    key!(
        "connection_timeout",
        "CONNECTION_TIMEOUT",
        "connection-timeout",
        "5s",
        TIME,
        |to, text| set(&mut to.settings.connection_timeout, time(text))
    ),
    key!(
        "exports",
        "EXPORTS",
        "exports",
        "4",
        NUMBER,
        |to, text| set(&mut to.settings.exports, number(text))
    ),
    key!(
        "replay_timeout",
        "REPLAY_TIMEOUT",
        "replay-timeout",
        "30s",
        TIME,
        |to, text| set(&mut to.settings.replay_timeout, time(text))
    ),
    key!(
        "request_timeout",
        "REQUEST_TIMEOUT",
        "request-timeout",
        "2m",
        TIME,
        |to, text| set(&mut to.settings.request_timeout, time(text))
    ),
    key!(
        "shutdown_timeout",
        "SHUTDOWN_TIMEOUT",
        "shutdown-timeout",
        "30s",
        TIME,
        |to, text| set(&mut to.settings.shutdown_timeout, time(text))
    ),
    key!(
        "metrics_access",
        "METRICS_ACCESS",
        "metrics-access",
        "readers",
        "readers, everybody or nobody",
        |to, text| {
            let access = match text {
                "readers" => MetricsAccess::Readers,
                "everybody" => MetricsAccess::Everybody,
                "nobody" => MetricsAccess::Nobody,
                _ => return None,
            };
            set(&mut to.settings.metrics_access, Some(access))
        }
    ),
    key!(
        "log_format",
        "LOG_FORMAT",
        "log-format",
        "text",
        "text or json",
        |to, text| {
            let format = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return None,
            };
            set(&mut to.log_format, Some(format))
        }
    ),
    key!(
        "log_level",
        "LOG_LEVEL",
        "log-level",
        "warn",
        "error, warn, info or debug",
        |to, text| {
            let is_level = matches!(text, "error" | "warn" | "info" | "debug");
            set(&mut to.log_level, text.parse().ok().filter(|_| is_level))
        }
    ),
    key!(
        "tail_readers",
        "TAIL_READERS",
        "tail-readers",
        "256",
        NUMBER,
        |to, text| set(&mut to.settings.tail.readers, number(text))
    ),
    key!(
        "tail_poll_interval",
        "TAIL_POLL_INTERVAL",
        "tail-poll-interval",
        "200ms",
        TIME,
        |to, text| set(&mut to.settings.tail.poll_interval, time(text))
    ),
    key!(
        "tail_heartbeat",
        "TAIL_HEARTBEAT",
        "tail-heartbeat",
        "15s",
        TIME,
        |to, text| set(&mut to.settings.tail.heartbeat, time(text))
    ),
    key!(
        "tail_patience",
        "TAIL_PATIENCE",
        "tail-patience",
        "30s",
        TIME,
        |to, text| set(&mut to.settings.tail.patience, time(text))
    ),
    key!(
        "tail_access_interval",
        "TAIL_ACCESS_INTERVAL",
        "tail-access-interval",
        "10s",
        TIME,
        |to, text| set(&mut to.settings.tail.access_interval, time(text))
    ),
    key!(
        "client_connections",
        "CLIENT_CONNECTIONS",
        "client-connections",
        "512",
        NUMBER,
        |to, text| set(&mut to.settings.connections, number(text))
    ),
    key!(
        "connections_per_address",
        "CONNECTIONS_PER_ADDRESS",
        "connections-per-address",
        "256",
        NUMBER,
        |to, text| set(&mut to.settings.connections_per_address, number(text))
    ),
    key!(
        "head_bytes",
        "HEAD_BYTES",
        "head-bytes",
        "64KiB",
        BYTES,
        |to, text| set(&mut to.settings.head_bytes, bytes(text))
    ),
    key!(
        "head_timeout",
        "HEAD_TIMEOUT",
        "head-timeout",
        "15s",
        TIME,
        |to, text| set(&mut to.settings.head_timeout, time(text))
    ),
    key!(
        "idle_timeout",
        "IDLE_TIMEOUT",
        "idle-timeout",
        "75s",
        TIME,
        |to, text| set(&mut to.settings.idle_timeout, time(text))
    ),
    key!(
        "write_timeout",
        "WRITE_TIMEOUT",
        "write-timeout",
        "30s",
        TIME,
        |to, text| set(&mut to.settings.write_timeout, time(text))
    ),
    key!(
        "requests_per_second",
        "REQUESTS_PER_SECOND",
        "requests-per-second",
        "1000",
        "a whole number from 0 to 1000000",
        |to, text| set(&mut to.settings.requests_per_second, limit(text))
    ),
    key!(
        "logins_per_minute",
        "LOGINS_PER_MINUTE",
        "logins-per-minute",
        "30",
        "a whole number from 0 to 1000000",
        |to, text| set(&mut to.settings.logins_per_minute, limit(text))
    ),
    key!(
        "session_idle",
        "SESSION_IDLE",
        "session-idle",
        "12h",
        TIME,
        |to, text| set(&mut to.settings.session_idle, time(text))
    ),
    key!(
        "session_lifetime",
        "SESSION_LIFETIME",
        "session-lifetime",
        "168h",
        TIME,
        |to, text| set(&mut to.settings.session_lifetime, time(text))
    ),
    key!(
        "alerts",
        "ALERTS",
        "alerts",
        "on",
        "on or off",
        |to, text| {
            let is_on = match text {
                "on" | "true" => true,
                "off" | "false" => false,
                _ => return None,
            };
            set(&mut to.has_alerts, Some(is_on))
        }
    ),
    key!(
        "alert_interval",
        "ALERT_INTERVAL",
        "alert-interval",
        "15s",
        TIME,
        |to, text| set(&mut to.settings.alerts.interval, time(text))
    ),
];

fn set<T>(to: &mut T, value: Option<T>) -> Option<()> {
    *to = value?;
    Some(())
}

fn bytes(text: &str) -> Option<usize> {
    let size: Size = text.parse().ok()?;
    usize::try_from(size.0).ok().filter(|bytes| *bytes > 0)
}

fn time(text: &str) -> Option<Duration> {
    ReadTimeout::parse(text)
        .map(|time| time.0)
        .filter(|time| !time.is_zero())
}

fn number(text: &str) -> Option<usize> {
    let number = text.parse().ok();
    number.filter(|number| (1..=1_000_000).contains(number))
}

/// A number for which 0 is no limit.
fn limit(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number <= 1_000_000)
}

/// The settings with their origins.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerConfig(Vec<Setting<String>>);

impl ServerConfig {
    /// Reads the environment and `[server]`.
    pub(crate) fn load(section: &ServerSection, file_origin: &Origin) -> Result<Self, Failure> {
        let is_known = |name: &&String| KEYS.iter().any(|key| key.name == **name);
        if let Some(name) = section.keys().find(|name| !is_known(name)) {
            let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            return Err(Failure::usage(format!(
                "server.{name} (from {file_origin}): there is no such setting"
            ))
            .hint(format!("the settings are {}", names.join(", "))));
        }
        let mut values = Vec::with_capacity(KEYS.len());
        for key in KEYS {
            let value = section.get(key.name).map(text_of);
            values.push(first_set(
                (None, key.flag),
                (variable(key.variable)?, key.variable),
                (value, file_origin.clone()),
            ));
        }
        let config = Self(values);
        config.options()?;
        Ok(config)
    }

    /// Puts options in front, by their names with `_`.
    pub(crate) fn with_flags<'a>(
        mut self,
        flags: impl IntoIterator<Item = (&'static str, &'a Option<String>)>,
    ) -> Self {
        for (name, value) in flags {
            let place = KEYS.iter().position(|key| key.name == name);
            let (Some(place), Some(value)) = (place, value) else {
                continue;
            };
            self.0[place] = Setting {
                value: Some(value.clone()),
                origin: Origin::Flag(KEYS[place].flag),
            };
        }
        self
    }

    /// Returns what the settings say.
    pub(crate) fn options(&self) -> Result<ServerOptions, Failure> {
        let mut options = ServerOptions::default();
        for (key, setting) in KEYS.iter().zip(&self.0) {
            let Some(text) = &setting.value else { continue };
            (key.apply)(&mut options, text).ok_or_else(|| {
                let origin = &setting.origin;
                Failure::usage(format!(
                    "server.{} (from {origin}): expected {}, got {text}",
                    key.name, key.expected
                ))
            })?;
        }
        Ok(options)
    }

    /// Returns each setting with its value and its origin.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (String, Option<String>, String)> {
        KEYS.iter().zip(&self.0).map(|(key, setting)| {
            let value = setting.value.as_deref().unwrap_or(key.default);
            let value = if value.is_empty() { "none" } else { value };
            (
                format!("server.{}", key.name),
                Some(value.to_owned()),
                setting.origin.to_string(),
            )
        })
    }
}

fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(is_on) => is_on.to_string(),
        // No setting is one.
        _ => "a list or a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS, ServerOptions};

    #[test]
    fn defaults_are_those_of_the_server() {
        for key in KEYS {
            let mut options = ServerOptions::default();
            let before = format!("{options:?}");
            assert!(
                (key.apply)(&mut options, key.default).is_some(),
                "{}",
                key.name
            );
            assert_eq!(format!("{options:?}"), before, "{}", key.name);
            let flag = key.name.replace('_', "-");
            assert_eq!(key.flag, format!("--{flag}"));
            let variable = key.name.to_uppercase();
            assert_eq!(key.variable, format!("LOOKBACK_SERVER_{variable}"));
        }
    }
}
