//! The settings of a server: those computed from the machine, and those that a caller gives.

use std::fmt::{self, Write as _};

use crate::machine::Machine;
use crate::{Error, ErrorKind, Result};

const KB: u64 = 1 << 10;
const MB: u64 = 1 << 20;
const GB: u64 = 1 << 30;

/// The names of the settings that [`ServerSetting::computed`] may return.
pub const COMPUTED_SETTINGS: [&str; 19] = [
    "shared_buffers",
    "effective_cache_size",
    "work_mem",
    "maintenance_work_mem",
    "autovacuum_work_mem",
    "wal_buffers",
    "max_wal_size",
    "min_wal_size",
    "checkpoint_timeout",
    "wal_compression",
    "default_toast_compression",
    "temp_file_limit",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_parallel_maintenance_workers",
    "jit",
    "random_page_cost",
    "effective_io_concurrency",
    "maintenance_io_concurrency",
];

/// Settings that decide where a server is and who can reach it, which [`Server`] itself sets.
///
/// [`Server`]: crate::Server
const RESERVED: [&str; 8] = [
    "config_file",
    "data_directory",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "port",
    "unix_socket_directories",
];

/// A setting of PostgreSQL: its name, and its value as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerSetting {
    name: String,
    value: String,
}

/// What a PostgreSQL knows that another one may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerFeatures {
    /// The major version.
    pub major: u32,
    /// Whether it was built with LZ4.
    pub lz4: bool,
    /// Whether the operating system has `posix_fadvise`, without which versions before 18 refuse
    /// values of `effective_io_concurrency`.
    pub fadvise: bool,
}

impl ServerFeatures {
    /// Creates the features of a version, without any that is optional.
    #[must_use]
    pub fn new(major: u32) -> Self {
        Self {
            major,
            lz4: false,
            fadvise: false,
        }
    }
}

impl ServerSetting {
    /// Creates a setting; whether PostgreSQL knows it shows at the start of the server.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_setting`] if the name is not one of a setting, if the setting decides
    /// where the server is or who can reach it, and if the value has control characters.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Result<Self> {
        let (name, value) = (name.into().to_ascii_lowercase(), value.into());
        let invalid = |reason: &str| {
            Error::from(ErrorKind::InvalidSetting {
                name: name.clone(),
                reason: reason.to_owned(),
            })
        };
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
        if !starts_well || !name.chars().all(is_part) {
            return Err(invalid("expected the name of a setting, such as work_mem"));
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(invalid("Lookback sets it itself"));
        }
        if value.chars().any(char::is_control) {
            return Err(invalid("the value must not have control characters"));
        }
        Ok(Self { name, value })
    }

    /// The name, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as text, such as `64MB`.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Computes the settings of a private server that runs beside other programs.
    ///
    /// A setting is left out if the machine does not tell what it depends on, or if this PostgreSQL
    /// does not know it. No setting makes a commit less durable.
    #[must_use]
    pub fn computed(machine: &Machine, features: &ServerFeatures) -> Vec<Self> {
        let mut settings = Vec::new();
        let mut set = |name: &str, value: String| {
            settings.push(Self {
                name: name.to_owned(),
                value,
            });
        };
        if let Some(memory) = machine.memory {
            set("shared_buffers", size((memory / 8).clamp(16 * MB, 2 * GB)));
            set(
                "effective_cache_size",
                size((memory / 2).clamp(64 * MB, 1024 * GB)),
            );
            // A statement takes it per sort and per hash, in each of its processes.
            set("work_mem", size((memory / 512).clamp(4 * MB, 64 * MB)));
            set(
                "maintenance_work_mem",
                size((memory / 32).clamp(16 * MB, 512 * MB)),
            );
            // Three processes take it.
            set(
                "autovacuum_work_mem",
                size((memory / 128).clamp(8 * MB, 128 * MB)),
            );
            if memory >= GB {
                set("wal_buffers", size(16 * MB));
            }
        }
        if let Some(disk) = machine.disk {
            // In steps of a factor of two, so that they are the same at most starts.
            let wal = power_of_two(disk / 4).clamp(64 * MB, 4 * GB);
            set("max_wal_size", size(wal));
            set("min_wal_size", size((wal / 4).max(32 * MB)));
            let temp = power_of_two(disk / 4).clamp(GB, 1024 * GB);
            set("temp_file_limit", size(temp));
        }
        set("checkpoint_timeout", "15min".to_owned());
        // pglz takes longer than writing whole pages without compression.
        if features.lz4 {
            set("wal_compression", "lz4".to_owned());
            set("default_toast_compression", "lz4".to_owned());
        }
        // Not below PostgreSQL's default of 2, which was faster on two processors, too.
        let workers = match machine.processors {
            0 | 1 => 0,
            processors => (processors / 2).clamp(2, 4),
        };
        set(
            "max_parallel_workers",
            machine.processors.clamp(1, 8).to_string(),
        );
        set("max_parallel_workers_per_gather", workers.to_string());
        set("max_parallel_maintenance_workers", workers.to_string());
        set("jit", "off".to_owned());
        set("random_page_cost", "1.1".to_owned());
        // The default of PostgreSQL 18 and later.
        if features.major < 18 && features.fadvise {
            set("effective_io_concurrency", "16".to_owned());
            set("maintenance_io_concurrency", "16".to_owned());
        }
        settings
    }

    /// The setting as a line of a configuration file.
    pub(crate) fn line(&self) -> String {
        // https://www.postgresql.org/docs/current/config-setting.html: a quote is doubled, and a
        // backslash escapes.
        let value = self.value.replace('\\', "\\\\").replace('\'', "''");
        format!("{} = '{value}'", self.name)
    }

    /// The setting as an option of `postgres`, quoted for the shell of `pg_ctl`.
    pub(crate) fn option(&self) -> String {
        format!("-c {}='{}'", self.name, self.value.replace('\'', "'\\''"))
    }

    /// The setting in the file that PostgreSQL writes at a start: each argument in quotes, as it is.
    pub(crate) fn started_with(&self) -> String {
        format!("\"{}={}\"", self.name, self.value)
    }

    /// Parses the lines of a configuration file that [`line`](Self::line) wrote.
    pub(crate) fn parse_lines(text: &str) -> Vec<Self> {
        let setting = |line: &str| {
            let (name, value) = line.split_once(" = '")?;
            let value = value.strip_suffix('\'')?;
            let value = value.replace("''", "'").replace("\\\\", "\\");
            Self::new(name, value).ok()
        };
        text.lines().filter_map(setting).collect()
    }
}

impl fmt::Display for ServerSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.value)
    }
}

/// Describes a machine, as a comment of a configuration file.
pub(crate) fn describe(machine: &Machine) -> String {
    let mut text = match machine.memory {
        Some(memory) => format!("{} of memory", size(memory)),
        None => "an unknown memory".to_owned(),
    };
    // Writing to a string cannot fail.
    let _ = match machine.processors {
        1 => write!(text, ", 1 processor"),
        processors => write!(text, ", {processors} processors"),
    };
    if let Some(disk) = machine.disk {
        let _ = write!(text, ", {} of free disk", size(disk));
    }
    text
}

/// A number of bytes in PostgreSQL's units, rounded down to whole megabytes from one on.
fn size(bytes: u64) -> String {
    match bytes {
        0..MB => format!("{}kB", bytes / KB),
        _ if bytes.is_multiple_of(GB) => format!("{}GB", bytes / GB),
        _ => format!("{}MB", bytes / MB),
    }
}

/// The greatest power of two that is not above the number; 0 for 0.
fn power_of_two(number: u64) -> u64 {
    number.checked_ilog2().map_or(0, |exponent| 1 << exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(machine: &Machine, features: &ServerFeatures) -> String {
        ServerSetting::computed(machine, features)
            .iter()
            .map(|setting| format!("{setting}\n"))
            .collect()
    }

    fn laptop() -> Machine {
        Machine::new(Some(24 * GB), 8, Some(250 * GB))
    }

    #[test]
    fn laptop_gets_a_share_of_its_memory() {
        let features = ServerFeatures::new(18);
        assert_eq!(
            lines(&laptop(), &features),
            "shared_buffers = 2GB\neffective_cache_size = 12GB\nwork_mem = 48MB\n\
             maintenance_work_mem = 512MB\nautovacuum_work_mem = 128MB\nwal_buffers = 16MB\n\
             max_wal_size = 4GB\nmin_wal_size = 1GB\ntemp_file_limit = 32GB\n\
             checkpoint_timeout = 15min\nmax_parallel_workers = 8\n\
             max_parallel_workers_per_gather = 4\nmax_parallel_maintenance_workers = 4\n\
             jit = off\nrandom_page_cost = 1.1\n"
        );
    }

    #[test]
    fn small_machine_with_a_small_disk_keeps_room_for_others() {
        let machine = Machine::new(Some(512 * MB), 1, Some(3 * GB));
        assert_eq!(
            lines(&machine, &ServerFeatures::new(18)),
            "shared_buffers = 64MB\neffective_cache_size = 256MB\nwork_mem = 4MB\n\
             maintenance_work_mem = 16MB\nautovacuum_work_mem = 8MB\nmax_wal_size = 512MB\n\
             min_wal_size = 128MB\ntemp_file_limit = 1GB\ncheckpoint_timeout = 15min\n\
             max_parallel_workers = 1\n\
             max_parallel_workers_per_gather = 0\nmax_parallel_maintenance_workers = 0\n\
             jit = off\nrandom_page_cost = 1.1\n"
        );
    }

    #[test]
    fn unknown_machine_keeps_the_defaults_of_memory_and_disk() {
        let machine = Machine::new(None, 2, None);
        assert_eq!(
            lines(&machine, &ServerFeatures::new(18)),
            "checkpoint_timeout = 15min\nmax_parallel_workers = 2\n\
             max_parallel_workers_per_gather = 2\nmax_parallel_maintenance_workers = 2\n\
             jit = off\nrandom_page_cost = 1.1\n"
        );
    }

    #[test]
    fn features_decide_what_is_set() {
        let mut features = ServerFeatures::new(15);
        let has = |features: &ServerFeatures, line: &str| lines(&laptop(), features).contains(line);
        assert!(!has(&features, "effective_io_concurrency"));
        assert!(!has(&features, "lz4"));
        features.lz4 = true;
        features.fadvise = true;
        assert!(has(&features, "effective_io_concurrency = 16\n"));
        assert!(has(&features, "wal_compression = lz4\n"));
        assert!(has(&features, "default_toast_compression = lz4\n"));
        features.major = 18;
        assert!(!has(&features, "io_concurrency"));
    }

    #[test]
    fn value_is_quoted_for_the_file_and_for_the_shell() {
        let setting = ServerSetting::new("Search_Path", "a'b, \\$(x) \"c\"").unwrap();
        assert_eq!(setting.line(), "search_path = 'a''b, \\\\$(x) \"c\"'");
        assert_eq!(setting.option(), "-c search_path='a'\\''b, \\$(x) \"c\"'");
        let text = format!("# comment\n{}\nwork_mem 5\n", setting.line());
        assert_eq!(ServerSetting::parse_lines(&text), [setting]);
    }

    #[test]
    fn setting_that_cannot_be_given_is_an_error() {
        for (name, value, part) in [
            ("", "1", "expected the name"),
            ("work mem", "1", "expected the name"),
            ("-c", "1", "expected the name"),
            ("work_mem;", "1", "expected the name"),
            ("port", "5432", "itself"),
            ("Listen_Addresses", "*", "itself"),
            ("work_mem", "1\n2", "control characters"),
        ] {
            let error = ServerSetting::new(name, value).unwrap_err();
            assert!(error.is_invalid_setting(), "{error}");
            assert!(error.to_string().contains(part), "{name}: {error}");
        }
        assert_eq!(ServerSetting::new("a.b_2", "").unwrap().name(), "a.b_2");
    }

    /// A value in bytes.
    fn bytes(value: &str) -> u64 {
        let number: u64 = value[..value.len() - 2].parse().unwrap();
        number
            * match &value[value.len() - 2..] {
                "kB" => KB,
                "MB" => MB,
                "GB" => GB,
                unit => panic!("{unit}"),
            }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn settings_leave_most_of_a_machine_to_others(
            memory in prop_oneof![0..2 * GB, 0..64 * GB, any::<u64>()],
            processors in prop_oneof![0..9usize, any::<usize>()],
            disk in prop_oneof![0..4 * GB, 0..1024 * GB, any::<u64>()],
            major in 15..19u32,
            lz4: bool,
            fadvise: bool,
        ) {
            let machine = Machine::new(Some(memory), processors, Some(disk));
            let features = ServerFeatures { major, lz4, fadvise };
            let settings = ServerSetting::computed(&machine, &features);
            let of = |name: &str| {
                let found = settings.iter().find(|setting| setting.name() == name);
                found.map(|setting| setting.value().to_owned())
            };
            let size_of = |name: &str| of(name).map_or(0, |value| bytes(&value));
            for setting in &settings {
                prop_assert!(COMPUTED_SETTINGS.contains(&setting.name()), "{}", setting);
                // It passes the checks of what a person gives.
                prop_assert_eq!(
                    &ServerSetting::new(setting.name(), setting.value()).unwrap(), setting
                );
            }
            let durable = ["fsync", "full_page_writes", "synchronous_commit"];
            prop_assert!(durable.iter().all(|name| of(name).is_none()));

            // The memory that the server takes as a whole, and what a statement of two processes
            // with two sorts takes.
            let held = size_of("shared_buffers") + size_of("wal_buffers");
            let work = size_of("maintenance_work_mem") + 3 * size_of("autovacuum_work_mem");
            prop_assert!(held <= (memory / 8 + 16 * MB).max(16 * MB), "{}", held);
            prop_assert!(held + work <= (memory / 4).max(80 * MB), "{} {}", held, work);
            prop_assert!(4 * size_of("work_mem") <= (memory / 128).max(16 * MB));
            prop_assert!(size_of("effective_cache_size") <= (memory / 2).max(64 * MB));

            // PostgreSQL needs two segments of 16 MB.
            let wal = size_of("max_wal_size");
            prop_assert!(size_of("min_wal_size") >= 32 * MB);
            prop_assert!(size_of("min_wal_size") < wal && wal <= (disk / 4).max(64 * MB));
            prop_assert!(size_of("temp_file_limit") <= (disk / 4).max(GB));

            let per_gather: usize = of("max_parallel_workers_per_gather").unwrap().parse().unwrap();
            let most = if processors < 2 { 0 } else { (processors / 2).max(2) };
            prop_assert!(per_gather <= most);
            prop_assert_eq!(of("effective_io_concurrency").is_some(), fadvise && major < 18);
        }
    }
}
