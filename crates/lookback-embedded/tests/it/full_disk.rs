use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use lookback_embedded::{Remedy, Server, ignore_events, is_root};

use crate::support::{
    TestServer, names, open_folder, query, server_at, start, start_error, until, with_program,
};

#[test]
fn failed_initdb_shows_its_output_and_leaves_nothing() {
    let place = TestServer::new();
    // Files cannot grow beyond some blocks: initdb fails halfway, as on a full disk, and for any
    // user.
    let limited = "ulimit -f 256; exec \"$real\" \"$@\"";
    let broken = with_program(place.folder.path(), "initdb", limited);
    let error = place.server().start(&broken, &ignore_events).unwrap_err();
    assert!(error.to_string().starts_with("initdb failed"), "{error}");
    assert!(error.to_string().contains("File too large"), "{error}");
    assert_eq!(names(place.base()), ["lock"]);

    let running = place.start();
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
}

#[test]
fn full_disk_is_recognized_by_the_output_of_a_program() {
    let place = TestServer::new();
    let full = "mkdir \"$2/base\"; echo 'initdb: error: could not write: No space left on device' \
                >&2; exit 1";
    let broken = with_program(place.folder.path(), "initdb", full);
    let error = place.server().start(&broken, &ignore_events).unwrap_err();
    assert!(error.is_disk_full(), "{error:?}");
    assert_eq!(error.remedy(), Some(Remedy::FreeSpace));
    let text = error.to_string();
    assert!(text.contains("initdb: error: could not write"), "{text}");
    assert_eq!(names(place.base()), ["lock"]);
}

#[test]
fn failed_start_shows_the_end_of_the_log() {
    let place = TestServer::new();
    let server = place.server();
    start(&server);
    server.stop(&ignore_events).unwrap();
    let settings = place.data().join("postgresql.auto.conf");
    let before = fs::read(&settings).unwrap();
    fs::write(&settings, "shared_preload_libraries = 'no_such_library'\n").unwrap();
    let error = start_error(&server);
    let text = error.to_string();
    assert!(
        text.starts_with("pg_ctl start failed")
            && text.contains("server.log:\n")
            && text.contains("no_such_library"),
        "{text}"
    );
    fs::write(&settings, before).unwrap();
    assert!(start(&server).was_started());
}

/// A small file system for one server, which is stopped at the end and the system unmounted.
struct Mount(PathBuf);

impl Mount {
    /// Mounts the file system; `None` if this caller cannot mount.
    fn new(folder: &Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder);
        let mounted = is_root() && mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: this caller cannot mount a file system");
        }
        mounted.then(|| Self(folder.to_owned()))
    }

    fn server(&self) -> Server {
        server_at(&self.0.join("server"))
    }

    fn unmount(&self, options: &[&str]) -> bool {
        let mut umount = Command::new("umount");
        let umount = umount.args(options).arg(&self.0).output();
        umount.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let stopped = self.server().stop(&ignore_events);
        if thread::panicking() {
            // Shows the first failure; a second one would abort all tests.
            println!("{stopped:?}, {}", self.unmount(&["-l"]));
            return;
        }
        stopped.unwrap();
        // A child of a program that failed may live for a moment longer.
        until("it is unmounted", || self.unmount(&[]));
    }
}

#[test]
fn full_disk_is_recognized_when_the_database_is_created() {
    let folder = open_folder();
    let Some(mount) = Mount::new(folder.path(), "size=12m,mode=755") else {
        return;
    };
    let server = mount.server();
    let error = start_error(&server);
    assert!(error.is_disk_full(), "{error:?}");
    assert!(
        error.to_string().contains("No space left on device"),
        "{error}"
    );
    assert_eq!(names(server.base()), ["lock"]);
}

#[test]
fn full_disk_is_recognized_when_the_server_starts() {
    let folder = open_folder();
    let Some(mount) = Mount::new(folder.path(), "size=120m,mode=755") else {
        return;
    };
    let server = mount.server();
    start(&server);
    server.stop(&ignore_events).unwrap();
    let filler = mount.0.join("filler");
    // Fails once the disk is full, as intended.
    fs::write(&filler, vec![1; 150 << 20]).unwrap_err();
    let error = start_error(&server);
    assert!(error.is_disk_full(), "{error:?}");

    fs::remove_file(&filler).unwrap();
    let running = start(&server);
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
}

#[test]
fn start_on_a_read_only_file_system_fails() {
    let folder = open_folder();
    let Some(mount) = Mount::new(folder.path(), "ro,size=1m,mode=755") else {
        return;
    };
    let error = start_error(&mount.server());
    assert!(
        error.to_string().contains("Read-only file system"),
        "{error}"
    );
    assert!(
        matches!(error.remedy(), Some(Remedy::MakeWritable { .. })),
        "{error:?}"
    );
}
