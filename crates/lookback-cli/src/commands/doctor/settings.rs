//! The settings of a server that make it slow or unsafe, pure.

use super::finding::Finding;

/// A setting of a server, as `pg_settings` shows it.
#[derive(Clone, Debug)]
pub(super) struct SettingRow {
    pub(super) name: String,
    /// In the unit of the setting.
    pub(super) setting: String,
    /// With its unit, for people.
    pub(super) shown: String,
    pub(super) source: String,
    /// The name of the file that sets it, if this role may see that.
    pub(super) file: Option<String>,
    /// Whether a change takes a restart.
    pub(super) needs_restart: bool,
    /// The values of an enum.
    pub(super) values: Vec<String>,
}

/// The database that a setting is of, with its names as identifiers in SQL.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) database: String,
    pub(super) role: String,
    /// The service that manages the server, which sets settings in a way of its own.
    pub(super) service: Option<&'static str>,
    /// Whether it is the private PostgreSQL of this program.
    pub(super) is_private: bool,
}

impl SettingRow {
    fn is_in(&self, file: &str) -> bool {
        self.file.as_deref() == Some(file)
    }
}

/// Finds out who manages a server, by the names of its settings.
pub(super) fn service<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    const SERVICES: [(&str, &str); 5] = [
        (
            "rds.",
            "in the parameter group of the instance (Amazon RDS)",
        ),
        (
            "cloudsql.",
            "in the database flags of the instance (Cloud SQL)",
        ),
        (
            "alloydb.",
            "in the database flags of the instance (AlloyDB)",
        ),
        ("azure.", "in the server parameters (Azure)"),
        ("neon.", "in the settings of the project (Neon)"),
    ];
    names.find_map(|name| {
        let service = SERVICES.iter().find(|(prefix, _)| name.starts_with(prefix));
        service.map(|(_, place)| *place)
    })
}

impl Place {
    /// The statements that give a setting a value, in the place where it is set.
    pub(super) fn fix(&self, row: &SettingRow, value: &str) -> String {
        let name = &row.name;
        match row.source.as_str() {
            "database" => return format!("ALTER DATABASE {} RESET {name};", self.database),
            "user" => return format!("ALTER ROLE {} RESET {name};", self.role),
            "database user" => {
                return format!(
                    "ALTER ROLE {} IN DATABASE {} RESET {name};",
                    self.role, self.database
                );
            }
            _ => {}
        }
        if let Some(service) = self.service {
            let restart = if row.needs_restart {
                ", then restart it"
            } else {
                ""
            };
            return format!("{name} = {value} {service}{restart}");
        }
        if self.is_private && row.source == "command line" {
            return format!(
                "give {name} another value, or leave it out (lookback config says where it is \
                 from); then lookback pg stop, lookback pg start"
            );
        }
        // The computed value is right for the machine.
        let set = if self.is_private && row.is_in("postgresql.auto.conf") {
            format!("ALTER SYSTEM RESET {name};")
        } else {
            format!("ALTER SYSTEM SET {name} = '{value}';")
        };
        match (row.needs_restart, self.is_private) {
            (false, _) => format!("{set} SELECT pg_reload_conf();"),
            (true, true) => format!("{set} then lookback pg stop, lookback pg start"),
            (true, false) => format!("{set} then restart the server"),
        }
    }
}

/// Checks the settings that decide whether an acknowledged write survives a crash.
pub(super) fn durability(rows: &[SettingRow], place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, why) in [
        (
            "fsync",
            "after a crash of the machine the whole database may be corrupted",
        ),
        (
            "full_page_writes",
            "after a crash of the machine pages may be half written, and the database corrupted",
        ),
    ] {
        if let Some(row) = find(rows, name).filter(|row| row.setting == "off") {
            let finding = Finding::problem("durability", format!("{name} is off"));
            findings.push(finding.because(why).fix(place.fix(row, "on")));
        }
    }
    if let Some(row) = find(rows, "synchronous_commit").filter(|row| row.setting == "off") {
        findings.push(
            Finding::advice("durability", "synchronous_commit is off")
                .because(
                    "records that were acknowledged in the last moments before a crash are lost",
                )
                .fix(place.fix(row, "on")),
        );
    }
    findings
}

/// Checks the settings that make a server slower than it could be.
pub(super) fn speed(rows: &[SettingRow], place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut advise = |name: &str, is_bad: &dyn Fn(&SettingRow) -> bool, value: &str, why: &str| {
        let is_computed = |row: &SettingRow| place.is_private && row.is_in("lookback.conf");
        let bad = |row: &&SettingRow| is_bad(row) && !is_computed(row);
        if let Some(row) = find(rows, name).filter(bad) {
            findings.push(
                Finding::advice("settings", format!("{name} is {}", row.shown))
                    .because(why)
                    .fix(place.fix(row, value)),
            );
        }
    };
    let has_lz4 = |row: &SettingRow| row.values.iter().any(|value| value == "lz4");
    let compression = match find(rows, "wal_compression") {
        Some(row) if has_lz4(row) => "lz4",
        _ => "off",
    };
    // In pages of 8 kB.
    advise(
        "shared_buffers",
        &|row| number(row).is_some_and(|pages| pages <= 16_384.0),
        "1GB",
        "it is the default, which suits a machine of 1 GB: on a larger one, an eighth to a quarter \
         of the memory keeps more indexes in it",
    );
    // In megabytes.
    advise(
        "max_wal_size",
        &|row| number(row).is_some_and(|megabytes| megabytes < 2_048.0),
        "4GB",
        "each checkpoint makes the next change of a page write the whole page, and an import \
         forces one after this much WAL; 4 GB of disk have to be free",
    );
    // In seconds.
    advise(
        "checkpoint_timeout",
        &|row| number(row).is_some_and(|seconds| seconds < 900.0),
        "15min",
        "each checkpoint makes the next change of a page write the whole page; a longer time means \
         a longer recovery after a crash",
    );
    // Without lz4 it stays off: pglz takes longer than writing whole pages.
    advise(
        "wal_compression",
        &|row| row.setting == "off" && has_lz4(row),
        "lz4",
        "this server has lz4: whole pages in the WAL then take about a third, for little work",
    );
    advise(
        "wal_compression",
        &|row| row.setting == "pglz",
        compression,
        "compressing whole pages by pglz takes several times longer than writing them",
    );
    advise(
        "default_toast_compression",
        &|row| row.setting == "pglz" && has_lz4(row),
        "lz4",
        "this server has lz4, which compresses long texts and JSON faster than pglz; what is stored \
         stays as it is",
    );
    advise(
        "random_page_cost",
        &|row| number(row).is_some_and(|cost| cost >= 4.0),
        "1.1",
        "it is the cost of a magnetic disk: with an SSD, the planner reads whole tables where an \
         index would be faster",
    );
    advise(
        "jit",
        &|row| row.setting == "on",
        "off",
        "compiling a statement of milliseconds takes longer than running it",
    );
    advise(
        "autovacuum",
        &|row| row.setting == "off",
        "on",
        "tables grow with dead rows, plans are made without statistics, and in the end the server \
         refuses writes",
    );
    advise(
        "track_counts",
        &|row| row.setting == "off",
        "on",
        "autovacuum cannot work without these counts",
    );
    findings
}

/// Checks the time limits of this session.
pub(super) fn limits(rows: &[SettingRow], place: &Place) -> Vec<Finding> {
    // All in milliseconds; 0 is no limit.
    let limit = |name: &str| {
        let row = find(rows, name)?;
        let limit = number(row).filter(|limit| *limit > 0.0)?;
        Some((row, limit))
    };
    let mut findings = Vec::new();
    for (name, least, why) in [
        (
            "statement_timeout",
            300_000.0,
            "migrations, sealing and pruning have statements that take longer on large tables, and \
             are cancelled",
        ),
        (
            "transaction_timeout",
            300_000.0,
            "migrations, sealing and exports have transactions that take longer, and are cancelled",
        ),
        (
            "idle_in_transaction_session_timeout",
            10_000.0,
            "an import or an export that waits for its input or its reader loses its connection",
        ),
        (
            "lock_timeout",
            1_000.0,
            "a statement that waits for another one fails",
        ),
    ] {
        if let Some((row, _)) = limit(name).filter(|(_, limit)| *limit < least) {
            findings.push(
                Finding::advice("time limits", format!("{name} is {}", row.shown))
                    .because(why)
                    .fix(match row.source.as_str() {
                        "database" | "user" | "database user" => place.fix(row, "0"),
                        _ => format!("ALTER ROLE {} SET {} = 0;", place.role, row.name),
                    }),
            );
        }
    }
    findings
}

fn find<'a>(rows: &'a [SettingRow], name: &str) -> Option<&'a SettingRow> {
    rows.iter().find(|row| row.name == name)
}

fn number(row: &SettingRow) -> Option<f64> {
    row.setting.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, setting: &str) -> SettingRow {
        SettingRow {
            name: name.to_owned(),
            setting: setting.to_owned(),
            shown: setting.to_owned(),
            source: "default".to_owned(),
            file: None,
            needs_restart: name == "shared_buffers",
            values: Vec::new(),
        }
    }

    fn place() -> Place {
        Place {
            database: "shop".to_owned(),
            role: "app".to_owned(),
            service: None,
            is_private: false,
        }
    }

    /// Each finding with its first fix.
    fn lines(findings: &[Finding]) -> String {
        findings
            .iter()
            .map(|finding| format!("{}: {}\n", finding.what, finding.fix.join(" ")))
            .collect()
    }

    fn defaults() -> Vec<SettingRow> {
        let mut rows: Vec<SettingRow> = [
            ("shared_buffers", "16384"),
            ("max_wal_size", "1024"),
            ("checkpoint_timeout", "300"),
            ("wal_compression", "off"),
            ("default_toast_compression", "pglz"),
            ("random_page_cost", "4"),
            ("jit", "on"),
            ("autovacuum", "on"),
            ("track_counts", "on"),
            ("fsync", "on"),
        ]
        .map(|(name, setting)| row(name, setting))
        .into();
        for row in &mut rows {
            if row.name.ends_with("_compression") {
                row.values = vec!["pglz".to_owned(), "lz4".to_owned()];
            }
        }
        rows
    }

    #[test]
    fn defaults_of_postgresql_get_advice_with_statements() {
        insta::assert_snapshot!(lines(&speed(&defaults(), &place())), @"
        shared_buffers is 16384: ALTER SYSTEM SET shared_buffers = '1GB'; then restart the server
        max_wal_size is 1024: ALTER SYSTEM SET max_wal_size = '4GB'; SELECT pg_reload_conf();
        checkpoint_timeout is 300: ALTER SYSTEM SET checkpoint_timeout = '15min'; SELECT pg_reload_conf();
        wal_compression is off: ALTER SYSTEM SET wal_compression = 'lz4'; SELECT pg_reload_conf();
        default_toast_compression is pglz: ALTER SYSTEM SET default_toast_compression = 'lz4'; SELECT pg_reload_conf();
        random_page_cost is 4: ALTER SYSTEM SET random_page_cost = '1.1'; SELECT pg_reload_conf();
        jit is on: ALTER SYSTEM SET jit = 'off'; SELECT pg_reload_conf();
        ");
        assert_eq!(durability(&defaults(), &place()), []);
    }

    #[test]
    fn server_without_lz4_is_not_advised_to_use_it() {
        let rows = [
            row("wal_compression", "off"),
            row("default_toast_compression", "pglz"),
        ];
        assert_eq!(speed(&rows, &place()), []);
        assert_eq!(
            lines(&speed(&[row("wal_compression", "pglz")], &place())),
            "wal_compression is pglz: ALTER SYSTEM SET wal_compression = 'off'; SELECT \
             pg_reload_conf();\n"
        );
    }

    #[test]
    fn good_settings_get_no_advice() {
        let rows = [
            ("shared_buffers", "262144"),
            ("max_wal_size", "4096"),
            ("checkpoint_timeout", "900"),
            ("wal_compression", "lz4"),
            ("default_toast_compression", "lz4"),
            ("random_page_cost", "1.1"),
            ("jit", "off"),
            ("autovacuum", "on"),
            ("synchronous_commit", "on"),
            ("statement_timeout", "0"),
            ("idle_in_transaction_session_timeout", "60000"),
        ]
        .map(|(name, setting)| row(name, setting));
        assert_eq!(speed(&rows, &place()), []);
        assert_eq!(durability(&rows, &place()), []);
        assert_eq!(limits(&rows, &place()), []);
    }

    #[test]
    fn fix_is_where_the_setting_is_set() {
        let fix = |source: &str, place: &Place| {
            let mut row = row("jit", "on");
            row.source = source.to_owned();
            place.fix(&row, "off")
        };
        assert_eq!(fix("database", &place()), "ALTER DATABASE shop RESET jit;");
        assert_eq!(fix("user", &place()), "ALTER ROLE app RESET jit;");
        assert_eq!(
            fix("database user", &place()),
            "ALTER ROLE app IN DATABASE shop RESET jit;"
        );
        let mut private = place();
        private.is_private = true;
        assert!(fix("command line", &private).contains("lookback config"));
        assert!(
            private
                .fix(&row("shared_buffers", "1"), "1GB")
                .ends_with("then lookback pg stop, lookback pg start")
        );
        let mut managed = place();
        managed.service = service(["jit", "rds.extensions"].into_iter());
        assert_eq!(
            managed.fix(&row("shared_buffers", "1"), "1GB"),
            "shared_buffers = 1GB in the parameter group of the instance (Amazon RDS), then restart it"
        );
        assert_eq!(service(["jit", "work_mem"].into_iter()), None);
    }

    #[test]
    fn computed_settings_of_the_private_server_get_no_advice() {
        let mut rows = [row("max_wal_size", "512"), row("jit", "on")];
        rows[0].file = Some("lookback.conf".to_owned());
        rows[1].file = Some("postgresql.auto.conf".to_owned());
        let mut private = place();
        private.is_private = true;
        assert_eq!(
            lines(&speed(&rows, &private)),
            "jit is on: ALTER SYSTEM RESET jit; SELECT pg_reload_conf();\n"
        );
        // Another server may have been copied from one.
        assert_eq!(speed(&rows, &place()).len(), 2);
    }

    #[test]
    fn unsafe_settings_are_problems() {
        let rows = [
            row("fsync", "off"),
            row("full_page_writes", "off"),
            row("synchronous_commit", "off"),
        ];
        let found = durability(&rows, &place());
        let severities: Vec<&str> = found
            .iter()
            .map(|finding| finding.severity.name())
            .collect();
        assert_eq!(severities, ["problem", "problem", "advice"]);
    }

    #[test]
    fn short_time_limits_get_advice() {
        let mut rows = [
            row("statement_timeout", "30000"),
            row("idle_in_transaction_session_timeout", "5000"),
            row("lock_timeout", "0"),
        ];
        rows[1].source = "database".to_owned();
        insta::assert_snapshot!(lines(&limits(&rows, &place())), @"
        statement_timeout is 30000: ALTER ROLE app SET statement_timeout = 0;
        idle_in_transaction_session_timeout is 5000: ALTER DATABASE shop RESET idle_in_transaction_session_timeout;
        ");
    }
}
