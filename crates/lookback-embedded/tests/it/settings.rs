//! The computed settings of a server, and those that take precedence.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use lookback_embedded::{
    COMPUTED_SETTINGS, Event, Machine, Remedy, Server, ServerFeatures, ServerSetting, ignore_events,
};

use crate::support::{
    TestServer, installation, mode, query, start, start_error, start_with_events, with_program,
};

fn setting(name: &str, value: &str) -> ServerSetting {
    ServerSetting::new(name, value).unwrap()
}

/// The value of a setting, and the name of the file that sets it.
fn shown(url: &str, name: &str) -> String {
    let sql = format!(
        "SELECT current_setting(name) || ' ' || source || ' ' || \
         coalesce(regexp_replace(sourcefile, '.*/', ''), '-') FROM pg_settings WHERE name = '{name}'"
    );
    query(url, &sql)
}

fn append(file: &Path, line: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn restart(server: &Server) -> String {
    server.stop(&ignore_events).unwrap();
    start(server).url()
}

#[test]
fn each_source_takes_precedence_over_those_before() {
    let place = TestServer::new();
    let server = place.server();
    let url = start(&server).url();
    assert_eq!(
        shown(&url, "checkpoint_timeout"),
        "15min configuration file lookback.conf"
    );
    // A line of initdb does not hide the computed value.
    assert!(shown(&url, "shared_buffers").ends_with("configuration file lookback.conf"));
    for (name, value) in [
        ("jit", "off"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
    ] {
        assert_eq!(query(&url, &format!("SHOW {name}")), value, "{name}");
    }
    assert_eq!(mode(&server.settings_path()), 0o600);
    let known = format!(
        "SELECT count(*) FROM pg_settings WHERE sourcefile LIKE '%lookback.conf' \
         AND name IN ('{}') AND NOT pending_restart",
        COMPUTED_SETTINGS.join("', '")
    );
    let written = fs::read_to_string(server.settings_path()).unwrap();
    let written = written.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(query(&url, &known), written.count().to_string());

    append(
        &place.data().join("postgresql.conf"),
        "shared_buffers = 128MB",
    );
    append(&place.data().join("postgresql.conf"), "work_mem = 7MB");
    let url = restart(&server);
    let in_file = "configuration file postgresql.conf";
    assert_eq!(shown(&url, "work_mem"), format!("7MB {in_file}"));
    // Also if it is the value that initdb had written.
    assert_eq!(shown(&url, "shared_buffers"), format!("128MB {in_file}"));

    query(&url, "ALTER SYSTEM SET work_mem = '8MB'");
    let url = restart(&server);
    let altered = "8MB configuration file postgresql.auto.conf";
    assert_eq!(shown(&url, "work_mem"), altered);

    let given = server.clone().settings(vec![
        setting("work_mem", "9MB"),
        setting("search_path", "a'b, \"$user\""),
    ]);
    assert_eq!(given.waiting_settings().unwrap().len(), 2);
    let running = start(&given);
    assert!(!running.was_started(), "a running server is not restarted");
    assert_eq!(shown(&running.url(), "work_mem"), altered);
    let url = restart(&given);
    assert_eq!(shown(&url, "work_mem"), "9MB command line -");
    assert_eq!(query(&url, "SHOW search_path"), "a'b, \"$user\"");
    assert_eq!(given.waiting_settings().unwrap(), []);
}

#[test]
fn data_folder_from_before_gets_the_settings_at_its_next_start() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    server.stop(&ignore_events).unwrap();
    // As initdb has written it.
    let main = place.data().join("postgresql.conf");
    let text = fs::read_to_string(&main).unwrap();
    let (_, old) = text
        .split_once("include_if_exists = 'lookback.conf'\n\n")
        .unwrap();
    let old = old.replace("#shared_buffers = 128MB", "shared_buffers = 128MB");
    fs::write(&main, &old).unwrap();
    fs::remove_file(server.settings_path()).unwrap();

    let url = restart(&server);
    assert!(shown(&url, "shared_buffers").ends_with("lookback.conf"));
    assert!(fs::read_to_string(&main).unwrap() == text);

    // Without the line, PostgreSQL's defaults.
    let out = text.replace("\ninclude_if_exists", "\n#include_if_exists");
    fs::write(&main, &out).unwrap();
    let url = restart(&server);
    assert_eq!(shown(&url, "checkpoint_timeout"), "5min default -");
    assert!(fs::read_to_string(&main).unwrap() == out);
}

#[test]
fn refused_setting_is_named_with_its_origin() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    server.stop(&ignore_events).unwrap();

    let given = server.clone().settings(vec![setting("work_mem", "lots")]);
    let error = start_error(&given);
    assert!(error.is_invalid_setting(), "{error}");
    assert_eq!(
        error.to_string(),
        "PostgreSQL refuses the setting work_mem: invalid value for parameter \"work_mem\": \"lots\""
    );
    let change = |name: &str, file: Option<&str>| Remedy::ChangeSetting {
        name: name.to_owned(),
        file: file.map(|file| place.data().join(file)),
    };
    assert_eq!(error.remedy(), Some(change("work_mem", None)));

    // What memory can be had is known only at the start.
    let altered = place.data().join("postgresql.auto.conf");
    append(&altered, "shared_buffers = '8000GB'");
    let error = start_error(&server);
    let auto = Some("postgresql.auto.conf");
    assert_eq!(
        error.remedy(),
        Some(change("shared_buffers", auto)),
        "{error}"
    );
    assert!(
        error.to_string().contains(&altered.display().to_string()),
        "{error}"
    );
    // A given setting is the way out.
    let enough = server
        .clone()
        .settings(vec![setting("shared_buffers", "16MB")]);
    let url = start(&enough).url();
    query(&url, "ALTER SYSTEM RESET shared_buffers");
    restart(&server);
}

/// A machine that gives less than it has promised.
#[test]
fn refused_computed_settings_are_left_out() {
    let place = TestServer::new();
    // As `postgres` would, whose own folder `pg_ctl` insists on.
    let scripted = with_program(
        place.folder.path(),
        "pg_ctl",
        "previous=\n\
         for argument; do\n\
           case $previous in --pgdata) data=$argument;; --log) log=$argument;; esac\n\
           previous=$argument\n\
         done\n\
         if grep -qs ^shared_buffers \"$data/lookback.conf\"; then\n\
           echo 'FATAL:  could not map anonymous shared memory: Cannot allocate memory' >>\"$log\"\n\
           exit 1\n\
         fi\n\
         exec \"$real\" \"$@\"",
    );
    let events = std::cell::RefCell::new(Vec::new());
    let record = |event: &Event| events.borrow_mut().push(event.clone());
    let running = place.server().start(&scripted, &record).unwrap();
    let refused = |event: &Event| matches!(event, Event::SettingsRefused { name, .. } if name == "shared_buffers");
    assert!(events.borrow().iter().any(refused), "{events:?}");
    assert_eq!(
        shown(&running.url(), "checkpoint_timeout"),
        "5min default -"
    );
    let text = fs::read_to_string(place.server().settings_path()).unwrap();
    assert!(text.contains("Cannot allocate memory"), "{text}");
}

#[cfg(unix)]
#[test]
fn configuration_that_is_a_link_is_left_alone() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    server.stop(&ignore_events).unwrap();
    let (main, moved) = (
        place.data().join("postgresql.conf"),
        place.data().join("my.conf"),
    );
    let text = fs::read_to_string(&main).unwrap();
    let (_, old) = text
        .split_once("include_if_exists = 'lookback.conf'\n\n")
        .unwrap();
    fs::write(&main, old).unwrap();
    fs::rename(&main, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &main).unwrap();
    let (running, events) = start_with_events(&server);
    running.unwrap();
    let told =
        |event: &Event| matches!(event, Event::SettingsNotIncluded { file, .. } if *file == main);
    assert!(events.iter().any(told), "{events:?}");
    assert!(fs::read_to_string(&moved).unwrap() == old);
}

/// PostgreSQL accepts what is computed for machines of all sizes.
#[test]
fn settings_of_any_machine_are_accepted() {
    const GB: u64 = 1 << 30;
    let place = TestServer::new();
    start(&place.server());
    place.server().stop(&ignore_events).unwrap();
    let mut features = ServerFeatures::new(installation().version().major());
    features.fadvise = cfg!(target_os = "linux");
    for machine in [
        Machine::new(Some(0), 0, Some(0)),
        Machine::new(Some(GB / 2), 1, Some(GB / 2)),
        Machine::new(Some(3 * GB), 4, Some(40 * GB)),
        Machine::new(Some(4096 * GB), 512, Some(65_536 * GB)),
        Machine::new(Some(u64::MAX), usize::MAX, Some(u64::MAX)),
        Machine::new(None, 1, None),
    ] {
        let mut postgres = Command::new(installation().program("postgres"));
        // Root may do this, if it is the first argument.
        postgres.args(["-C", "jit", "-D"]).arg(place.data());
        for setting in ServerSetting::computed(&machine, &features) {
            let (name, value) = (setting.name(), setting.value());
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        let done = postgres.output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{machine:?}: {err}");
    }
}
