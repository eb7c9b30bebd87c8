//! The configuration: a flag, then the environment, then `lookback.toml`, then a default.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::args::Options;
use crate::failure::Failure;
use crate::retention::{Age, Retention, RetentionSection, Size};
use crate::server_config::{ServerConfig, ServerSection};
use crate::server_settings::{self, ServerSettings, SettingsSection};

/// The effective configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) database_url: Setting<String>,
    pub(crate) data_dir: Setting<PathBuf>,
    pub(crate) pg_bin: Setting<PathBuf>,
    pub(crate) pg_port: Setting<u16>,
    pub(crate) pg_user: Setting<String>,
    pub(crate) pg_settings: ServerSettings,
    /// The configuration file that was read.
    pub(crate) file: Setting<PathBuf>,
    pub(crate) retention: Retention,
    pub(crate) timeout: Setting<ReadTimeout>,
    pub(crate) server: ServerConfig,
}

/// The time limit of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadTimeout(pub(crate) Duration);

impl ReadTimeout {
    const DEFAULT: Self = Self(Duration::from_secs(30));

    /// Parses `500ms`, `30s`, `5m` or `1h`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let time = Duration::from_millis(number.checked_mul(milliseconds)?);
        // The largest value of PostgreSQL's setting.
        (time.as_millis() <= i32::MAX.unsigned_abs().into()).then_some(Self(time))
    }
}

impl fmt::Display for ReadTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{}s", self.0.as_secs()),
            _ => write!(f, "{}ms", self.0.as_millis()),
        }
    }
}

/// A value, or `None` for the default, and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Setting<T> {
    pub(crate) value: Option<T>,
    pub(crate) origin: Origin,
}

impl Setting<String> {
    /// Parses the text.
    fn parse<T>(self, parse: fn(&str) -> Option<T>, expected: &str) -> Result<Setting<T>, Failure> {
        let origin = self.origin;
        let value = match self.value {
            None => None,
            Some(text) => Some(parse(&text).ok_or_else(|| {
                Failure::usage(format!(
                    "timeout (from {origin}): expected {expected}, got {text}"
                ))
            })?),
        };
        Ok(Setting { value, origin })
    }
}

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Environment(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// `lookback.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    database_url: Option<String>,
    data_dir: Option<PathBuf>,
    pg_bin: Option<PathBuf>,
    pg_port: Option<u16>,
    pg_user: Option<String>,
    #[serde(default)]
    pg_settings: SettingsSection,
    #[serde(default)]
    retention: RetentionSection,
    timeout: Option<String>,
    #[serde(default)]
    server: ServerSection,
}

const FILE_NAME: &str = "lookback.toml";

impl Config {
    pub(crate) fn load(options: &Options) -> Result<Self, Failure> {
        let (read, path, file) = ConfigFile::read(options)?;
        let file_origin = || Origin::File(path.clone());
        let timeout = first_set(
            (options.timeout.clone(), "--timeout"),
            (variable("LOOKBACK_TIMEOUT")?, "LOOKBACK_TIMEOUT"),
            (file.timeout, file_origin()),
        );
        let server = ServerConfig::load(&file.server, &file_origin())?;
        Ok(Self {
            server,
            file: read,
            database_url: first_set(
                (options.database_url.clone(), "--database-url"),
                (variable("DATABASE_URL")?, "DATABASE_URL"),
                (file.database_url, file_origin()),
            ),
            data_dir: first_set(
                (options.data_dir.clone(), "--data-dir"),
                (path_variable("LOOKBACK_DATA_DIR"), "LOOKBACK_DATA_DIR"),
                (file.data_dir, file_origin()),
            ),
            pg_bin: first_set(
                (options.pg_bin.clone(), "--pg-bin"),
                (path_variable("LOOKBACK_PG_BIN"), "LOOKBACK_PG_BIN"),
                (file.pg_bin, file_origin()),
            ),
            pg_port: first_set(
                (options.pg_port, "--pg-port"),
                (port_variable("LOOKBACK_PG_PORT")?, "LOOKBACK_PG_PORT"),
                (file.pg_port, file_origin()),
            ),
            pg_user: first_set(
                (options.pg_user.clone(), "--pg-user"),
                (variable("LOOKBACK_PG_USER")?, "LOOKBACK_PG_USER"),
                (file.pg_user, file_origin()),
            ),
            pg_settings: ServerSettings::merge(
                &options.pg_setting,
                variable(server_settings::VARIABLE)?.as_deref(),
                &file.pg_settings,
                &file_origin(),
            )?,
            retention: Retention {
                older_than: first_set(
                    (None, "--older-than"),
                    (
                        parsed_variable("LOOKBACK_RETENTION_OLDER_THAN")?,
                        "LOOKBACK_RETENTION_OLDER_THAN",
                    ),
                    (file.retention.older_than, file_origin()),
                ),
                larger_than: first_set(
                    (None, "--larger-than"),
                    (
                        parsed_variable::<Size>("LOOKBACK_RETENTION_LARGER_THAN")?,
                        "LOOKBACK_RETENTION_LARGER_THAN",
                    ),
                    (file.retention.larger_than, file_origin()),
                ),
                deleted_older_than: first_set(
                    (None, "--deleted-older-than"),
                    (
                        parsed_variable::<Age>("LOOKBACK_RETENTION_DELETED_OLDER_THAN")?,
                        "LOOKBACK_RETENTION_DELETED_OLDER_THAN",
                    ),
                    (file.retention.deleted_older_than, file_origin()),
                ),
                file: file.retention,
            },
            timeout: timeout.parse(
                ReadTimeout::parse,
                "a time such as 500ms, 30s or 5m, or 0s for no limit",
            )?,
        })
    }

    /// The time limit of a read; zero for no limit.
    pub(crate) fn timeout(&self) -> Duration {
        self.read_timeout().0
    }

    pub(crate) fn read_timeout(&self) -> ReadTimeout {
        self.timeout.value.unwrap_or(ReadTimeout::DEFAULT)
    }
}

impl ConfigFile {
    /// Reads the given file, or the file in the current folder if it exists.
    ///
    /// The setting has no value if there is no file.
    fn read(options: &Options) -> Result<(Setting<PathBuf>, PathBuf, Self), Failure> {
        let mut setting = first_set(
            (options.config.clone(), "--config"),
            (path_variable("LOOKBACK_CONFIG"), "LOOKBACK_CONFIG"),
            (None, Origin::Default),
        );
        let named = setting.value.clone();
        let path = named.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let file = parse_file(&path, &text)?;
                if named.is_none() {
                    file.check_implicit(&path)?;
                }
                setting.value = Some(path.clone());
                Ok((setting, path, file))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                Ok((setting, path, Self::default()))
            }
            Err(error) => Err(Failure::usage(format!(
                "cannot read the configuration file {}: {error}",
                path.display()
            ))),
        }
    }
}

impl ConfigFile {
    /// Rejects settings that are allowed only in an explicitly given file.
    ///
    /// A file in the current folder may come from another person. It must not choose programs, an
    /// account, or a data folder, because the `postgresql.conf` in a data folder contains programs,
    /// too. Some settings of PostgreSQL load programs as well.
    fn check_implicit(&self, path: &Path) -> Result<(), Failure> {
        let forbidden = [
            ("data_dir", self.data_dir.is_some()),
            ("pg_bin", self.pg_bin.is_some()),
            ("pg_user", self.pg_user.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name));
        let path = path.display();
        let Some(name) = forbidden else {
            let Some(name) = server_settings::forbidden(&self.pg_settings) else {
                return Ok(());
            };
            return Err(Failure::usage(format!(
                "the configuration file {path} sets pg_settings.{name}, which is allowed only in a \
                 file given explicitly"
            ))
            .hint(format!(
                "if you trust the file, add --config {path} or set LOOKBACK_CONFIG={path}; \
                 otherwise use {} {name}=VALUE",
                server_settings::OPTION
            )));
        };
        let flag = name.replace('_', "-");
        let variable = name.to_uppercase();
        Err(Failure::usage(format!(
            "the configuration file {path} sets {name}, which is allowed only in a file given explicitly"
        ))
        .hint(format!(
            "if you trust the file, add --config {path} or set LOOKBACK_CONFIG={path}; otherwise use --{flag} or LOOKBACK_{variable}"
        )))
    }
}

fn parse_file(path: &Path, text: &str) -> Result<ConfigFile, Failure> {
    toml::from_str(text).map_err(|error| {
        Failure::usage(format!(
            "the configuration file {} is invalid: {}",
            path.display(),
            describe_error(text, &error)
        ))
    })
}

/// Formats an error with its position, without the line, because it may contain a password.
fn describe_error(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let start = before.rfind('\n').map_or(0, |end| end + 1);
            let column = before[start..].chars().count() + 1;
            format!("line {line}, column {column}: {}", error.message())
        }
        None => error.message().to_owned(),
    }
}

pub(crate) fn first_set<T>(
    flag: (Option<T>, &'static str),
    environment: (Option<T>, &'static str),
    file: (Option<T>, Origin),
) -> Setting<T> {
    let found = [
        (flag.0, Origin::Flag(flag.1)),
        (environment.0, Origin::Environment(environment.1)),
        file,
    ]
    .into_iter()
    .find(|(value, _)| value.is_some());
    match found {
        Some((value, origin)) => Setting { value, origin },
        None => Setting {
            value: None,
            origin: Origin::Default,
        },
    }
}

/// Reads an environment variable; an empty one counts as not set.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{name} must be valid UTF-8")))
        }
    }
}

fn path_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn parsed_variable<T: FromStr<Err = String>>(name: &str) -> Result<Option<T>, Failure> {
    let value = variable(name)?.map(|value| value.parse());
    value
        .transpose()
        .map_err(|problem: String| Failure::usage(format!("{name}: {problem}")))
}

fn port_variable(name: &str) -> Result<Option<u16>, Failure> {
    variable(name)?
        .map(|value| {
            value.parse().map_err(|_| {
                Failure::usage(format!(
                    "{name}: expected a port from 1 to 65535, got {value}"
                ))
            })
        })
        .transpose()
}
