//! `lookback config`, and the precedence of values.

use crate::support::{Lookback, transcript};

#[test]
fn flag_overrides_environment_overrides_file_overrides_default() {
    let lookback = Lookback::with(None);
    transcript!(lookback.run(&["config"]), @"
$ lookback config
SETTING                         VALUE           FROM
config                          -               default
database_url                    -               default
data_dir                        -               default
pg_bin                          -               default
pg_port                         -               default
pg_user                         -               default
retention.older_than            -               default
retention.larger_than           -               default
retention.deleted_older_than    -               default
timeout                         30s             default
server.listen                   127.0.0.1:[port]  default
server.source                   app             default
server.replay_targets           none            default
server.connections              16              default
server.body_bytes               32MiB           default
server.decompressed_bytes       64MiB           default
server.all_body_bytes           256MiB          default
server.page_bytes               16MiB           default
server.ingests                  256             default
server.body_timeout             30s             default
server.connection_timeout       5s              default
server.exports                  4               default
server.replay_timeout           30s             default
server.request_timeout          2m              default
server.shutdown_timeout         30s             default
server.metrics_access           readers         default
server.log_format               text            default
server.log_level                warn            default
server.tail_readers             256             default
server.tail_poll_interval       200ms           default
server.tail_heartbeat           15s             default
server.tail_patience            30s             default
server.tail_access_interval     10s             default
server.client_connections       512             default
server.connections_per_address  256             default
server.head_bytes               64KiB           default
server.head_timeout             15s             default
server.idle_timeout             75s             default
server.write_timeout            30s             default
server.requests_per_second      1000            default
server.logins_per_minute        30              default
server.session_idle             12h             default
server.session_lifetime         168h            default
server.alerts                   on              default
server.alert_interval           15s             default
");
    lookback.write(
        "lookback.toml",
        "database_url = \"postgres://file:pw@db/shop\"\npg_port = 5444\n",
    );
    transcript!(lookback.run(&["config", "--pg-user", "me"]), @"
$ lookback config --pg-user me
SETTING                         VALUE                        FROM
config                          lookback.toml                default
database_url                    postgres://file:***@db/shop  lookback.toml
data_dir                        -                            default
pg_bin                          -                            default
pg_port                         5444                         lookback.toml
pg_user                         me                           --pg-user
retention.older_than            -                            default
retention.larger_than           -                            default
retention.deleted_older_than    -                            default
timeout                         30s                          default
server.listen                   127.0.0.1:[port]               default
server.source                   app                          default
server.replay_targets           none                         default
server.connections              16                           default
server.body_bytes               32MiB                        default
server.decompressed_bytes       64MiB                        default
server.all_body_bytes           256MiB                       default
server.page_bytes               16MiB                        default
server.ingests                  256                          default
server.body_timeout             30s                          default
server.connection_timeout       5s                           default
server.exports                  4                            default
server.replay_timeout           30s                          default
server.request_timeout          2m                           default
server.shutdown_timeout         30s                          default
server.metrics_access           readers                      default
server.log_format               text                         default
server.log_level                warn                         default
server.tail_readers             256                          default
server.tail_poll_interval       200ms                        default
server.tail_heartbeat           15s                          default
server.tail_patience            30s                          default
server.tail_access_interval     10s                          default
server.client_connections       512                          default
server.connections_per_address  256                          default
server.head_bytes               64KiB                        default
server.head_timeout             15s                          default
server.idle_timeout             75s                          default
server.write_timeout            30s                          default
server.requests_per_second      1000                         default
server.logins_per_minute        30                           default
server.session_idle             12h                          default
server.session_lifetime         168h                         default
server.alerts                   on                           default
server.alert_interval           15s                          default
");
    let ran = lookback
        .command(&["config", "--json", "--pg-port", "1"])
        .env("DATABASE_URL", "postgres://env:s3cret@db/shop")
        .env("LOOKBACK_PG_PORT", "2")
        .env("LOOKBACK_PG_USER", "")
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let (url, port) = (&json["data"]["database_url"], &json["data"]["pg_port"]);
    assert_eq!(
        (url["value"].as_str(), url["from"].as_str()),
        (Some("postgres://env:***@db/shop"), Some("DATABASE_URL"))
    );
    assert_eq!(
        (port["value"].as_str(), port["from"].as_str()),
        (Some("1"), Some("--pg-port"))
    );
    assert_eq!(json["data"]["pg_user"]["from"], "default");
}

#[test]
fn invalid_configuration_is_a_usage_error() {
    let lookback = Lookback::with(None);
    transcript!(lookback.run(&["config", "--config", "none.toml"]), @"
$ lookback config --config none.toml
! error: cannot read the configuration file none.toml: No such file or directory (os error 2)
[exit code 2]
");
    lookback.write("lookback.toml", "databse_url = \"x\"\n");
    transcript!(lookback.run(&["config"]), @"
$ lookback config
! error: the configuration file lookback.toml is invalid: line 1, column 1: unknown field `databse_url`, expected one of `database_url`, `data_dir`, `pg_bin`, `pg_port`, `pg_user`, `pg_settings`, `retention`, `timeout`, `server`
[exit code 2]
");
    lookback.write("lookback.toml", "pg_port = 70000\n");
    transcript!(lookback.run(&["config"]), @"
$ lookback config
! error: the configuration file lookback.toml is invalid: line 1, column 11: invalid value: integer `70000`, expected u16
[exit code 2]
");
    lookback.write("lookback.toml", "timeout = \"soon\"\n");
    transcript!(lookback.run(&["config"]), @"
$ lookback config
! error: timeout (from lookback.toml): expected a time such as 500ms, 30s or 5m, or 0s for no limit, got soon
[exit code 2]
");
    lookback.write("lookback.toml", "");
    transcript!(lookback.run(&["logs", "list", "--database-url", "mysql://me:pw@db/shop"]), @"
$ lookback logs list --database-url mysql://me:pw@db/shop
! error: database_url (from --database-url): (not a PostgreSQL URL) cannot be used
! hint: expected a URL such as postgres://user:password@host:5432/database
[exit code 2]
");
    transcript!(lookback.run(&["logs", "list", "--database-url", "me:pw"]), @"
$ lookback logs list --database-url me:pw
! error: database_url (from --database-url): (not a PostgreSQL URL) cannot be used
! hint: expected a URL such as postgres://user:password@host:5432/database
[exit code 2]
");
    transcript!(lookback.run(&["logs", "list", "--database-url", "postgres://me:pw@127.0.0.1:1/shop"]), @"
$ lookback logs list --database-url postgres://me:pw@127.0.0.1:[port]/shop
! error: cannot connect to postgres://me:***@127.0.0.1:[port]/shop: error communicating with database: Connection refused (os error 111)
! hint: the database is set by --database-url; without one, Lookback uses a private PostgreSQL
[exit code 1]
");
}

#[test]
fn error_of_invalid_configuration_shows_no_password() {
    let lookback = Lookback::with(None);
    lookback.write(
        "lookback.toml",
        "pg_port = 5444\n  database_url = postgres://lb:sEcret@db/shop\n",
    );
    transcript!(lookback.run(&["config"]), @"
$ lookback config
! error: the configuration file lookback.toml is invalid: line 2, column 18: string values must be quoted, expected literal string
[exit code 2]
");
    lookback.write(
        "lookback.toml",
        "pg_port = 5444\ndatabase_url = [\"postgres://lb:sEcret@db/shop\"]\n",
    );
    transcript!(lookback.run(&["config"]), @"
$ lookback config
! error: the configuration file lookback.toml is invalid: line 2, column 16: invalid type: sequence, expected a string
[exit code 2]
");
    lookback.write("lookback.toml", "");
    let call = ["logs", "list", "--database-url"];
    transcript!(lookback.run(&[&call[..], &["postgres://lb:12?sEcret@db/x"]].concat()), @"
$ lookback logs list --database-url postgres://lb:12?sEcret@db/x
! error: database_url (from --database-url): (an ambiguous URL) cannot be used
! hint: in a user name or a password, @ is written %40, / is %2F, ? is %3F, # is %23, % is %25
[exit code 2]
");
}

#[test]
fn limits_of_single_tables_are_shown_with_their_file() {
    let lookback = Lookback::with(None);
    lookback.write(
        "lookback.toml",
        "[retention]\ndeleted_older_than = \"7d\"\n\
         [retention.logs]\nolder_than = \"14d\"\nlarger_than = \"50GB\"\n\
         [retention.users]\ndeleted_older_than = \"30d\"\n",
    );
    transcript!(lookback.run(&["config"]), @"
$ lookback config
SETTING                             VALUE           FROM
config                              lookback.toml   default
database_url                        -               default
data_dir                            -               default
pg_bin                              -               default
pg_port                             -               default
pg_user                             -               default
retention.older_than                -               default
retention.larger_than               -               default
retention.deleted_older_than        1w              lookback.toml
retention.logs.older_than           2w              lookback.toml
retention.logs.larger_than          50GB            lookback.toml
retention.users.deleted_older_than  30d             lookback.toml
timeout                             30s             default
server.listen                       127.0.0.1:[port]  default
server.source                       app             default
server.replay_targets               none            default
server.connections                  16              default
server.body_bytes                   32MiB           default
server.decompressed_bytes           64MiB           default
server.all_body_bytes               256MiB          default
server.page_bytes                   16MiB           default
server.ingests                      256             default
server.body_timeout                 30s             default
server.connection_timeout           5s              default
server.exports                      4               default
server.replay_timeout               30s             default
server.request_timeout              2m              default
server.shutdown_timeout             30s             default
server.metrics_access               readers         default
server.log_format                   text            default
server.log_level                    warn            default
server.tail_readers                 256             default
server.tail_poll_interval           200ms           default
server.tail_heartbeat               15s             default
server.tail_patience                30s             default
server.tail_access_interval         10s             default
server.client_connections           512             default
server.connections_per_address      256             default
server.head_bytes                   64KiB           default
server.head_timeout                 15s             default
server.idle_timeout                 75s             default
server.write_timeout                30s             default
server.requests_per_second          1000            default
server.logins_per_minute            30              default
server.session_idle                 12h             default
server.session_lifetime             168h            default
server.alerts                       on              default
server.alert_interval               15s             default
");
    let json = lookback.run(&["config", "--json"]).succeeded().json();
    assert_eq!(json["data"]["retention.logs.older_than"]["value"], "2w");
    assert_eq!(json["data"]["config"]["value"], "lookback.toml");
}

/// The file of a folder must not choose the programs that run in it.
#[test]
fn programs_are_set_only_by_an_explicit_file() {
    let lookback = Lookback::with(None);
    lookback.write("lookback.toml", "pg_bin = \"bin\"\npg_user = \"me\"\n");
    transcript!(lookback.run(&["config"]), @"
$ lookback config
! error: the configuration file lookback.toml sets pg_bin, which is allowed only in a file given explicitly
! hint: if you trust the file, add --config lookback.toml or set LOOKBACK_CONFIG=lookback.toml; otherwise use --pg-bin or LOOKBACK_PG_BIN
[exit code 2]
");
    transcript!(lookback.run(&["config", "--config", "lookback.toml"]), @"
$ lookback config --config lookback.toml
SETTING                         VALUE           FROM
config                          lookback.toml   --config
database_url                    -               default
data_dir                        -               default
pg_bin                          bin             lookback.toml
pg_port                         -               default
pg_user                         me              lookback.toml
retention.older_than            -               default
retention.larger_than           -               default
retention.deleted_older_than    -               default
timeout                         30s             default
server.listen                   127.0.0.1:[port]  default
server.source                   app             default
server.replay_targets           none            default
server.connections              16              default
server.body_bytes               32MiB           default
server.decompressed_bytes       64MiB           default
server.all_body_bytes           256MiB          default
server.page_bytes               16MiB           default
server.ingests                  256             default
server.body_timeout             30s             default
server.connection_timeout       5s              default
server.exports                  4               default
server.replay_timeout           30s             default
server.request_timeout          2m              default
server.shutdown_timeout         30s             default
server.metrics_access           readers         default
server.log_format               text            default
server.log_level                warn            default
server.tail_readers             256             default
server.tail_poll_interval       200ms           default
server.tail_heartbeat           15s             default
server.tail_patience            30s             default
server.tail_access_interval     10s             default
server.client_connections       512             default
server.connections_per_address  256             default
server.head_bytes               64KiB           default
server.head_timeout             15s             default
server.idle_timeout             75s             default
server.write_timeout            30s             default
server.requests_per_second      1000            default
server.logins_per_minute        30              default
server.session_idle             12h             default
server.session_lifetime         168h            default
server.alerts                   on              default
server.alert_interval           15s             default
");
    lookback.write("lookback.toml", "pg_user = \"me\"\n");
    transcript!(lookback.run(&["pg", "start"]), @"
$ lookback pg start
! error: the configuration file lookback.toml sets pg_user, which is allowed only in a file given explicitly
! hint: if you trust the file, add --config lookback.toml or set LOOKBACK_CONFIG=lookback.toml; otherwise use --pg-user or LOOKBACK_PG_USER
[exit code 2]
");
    let ran = lookback
        .command(&["config", "--json"])
        .env("LOOKBACK_CONFIG", "lookback.toml")
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(json["data"]["pg_user"]["value"], "me");
}

#[test]
fn settings_of_the_server_are_merged_by_name() {
    let lookback = Lookback::with(None);
    lookback.write(
        "lookback.toml",
        "[pg_settings]\nwork_mem = \"8MB\"\njit = true\nrandom_page_cost = 1.5\n\
         max_parallel_workers = 4\n",
    );
    let call = ["config", "--pg-setting", "Work_Mem=32MB"];
    let mut command = lookback.command(&[&call[..], &["--pg-setting", "a.b=x=y; z"]].concat());
    let variable = " work_mem=16MB; JIT = off ;;";
    let output = command
        .env("LOOKBACK_PG_SETTINGS", variable)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let settings: Vec<&str> = (text.lines())
        .filter(|line| line.starts_with("pg_settings"))
        .collect();
    insta::assert_snapshot!(settings.join("\n"), @r"
    pg_settings.a.b                   x=y; z          --pg-setting
    pg_settings.jit                   off             LOOKBACK_PG_SETTINGS
    pg_settings.max_parallel_workers  4               lookback.toml
    pg_settings.random_page_cost      1.5             lookback.toml
    pg_settings.work_mem              32MB            --pg-setting
    ");
}

#[test]
fn setting_of_the_server_that_cannot_be_given_is_a_usage_error() {
    let lookback = Lookback::with(None);
    for (setting, message) in [
        (
            "work_mem",
            "error: --pg-setting: expected NAME=VALUE, got work_mem\n",
        ),
        (
            "port=5432",
            "error: the setting port cannot be given: Lookback sets it itself (from --pg-setting)\n",
        ),
        (
            "work mem=1",
            "error: the setting work mem cannot be given: expected the name",
        ),
    ] {
        let ran = lookback
            .run(&["pg", "status", "--pg-setting", setting])
            .failed(2);
        assert!(ran.err.starts_with(message), "{ran:#?}");
    }
    lookback.write("lookback.toml", "[pg_settings]\nwork_mem = [1]\n");
    let ran = lookback.run(&["config"]).failed(2);
    assert!(
        ran.err
            .contains("pg_settings.work_mem (from lookback.toml)"),
        "{ran:#?}"
    );
}

/// The file of a folder must not load libraries into the server, or make commits less durable.
#[test]
fn found_file_sets_only_harmless_settings_of_the_server() {
    let lookback = Lookback::with(None);
    lookback.write("lookback.toml", "[pg_settings]\nwork_mem = \"8MB\"\n");
    lookback.run(&["config"]).succeeded();
    for setting in [
        "fsync = false",
        "shared_preload_libraries = \"x\"",
        "archive_command = \"x\"",
    ] {
        lookback.write("lookback.toml", format!("[pg_settings]\n{setting}\n"));
        let ran = lookback.run(&["config"]).failed(2);
        assert!(
            ran.err.contains("allowed only in a file given explicitly"),
            "{ran:#?}"
        );
        lookback
            .run(&["config", "--config", "lookback.toml"])
            .succeeded();
    }
}
