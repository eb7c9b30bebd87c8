//! A full disk while a file of another program is imported, or followed: nothing is lost, nothing is
//! stored twice, and it goes on once there is space.

use std::path::PathBuf;
use std::process::Command;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use crate::support::{Lookback, Running, line_with_request};

const ALL: i64 = 20_000;

fn lines(numbers: std::ops::Range<i64>) -> String {
    numbers.map(line_with_request).collect()
}

const LOGS: &str = "SELECT count(*) FROM logs";
const STORED: &str = "SELECT coalesce(max(stored), 0) FROM imports";
const RECORDS: &str =
    "SELECT (SELECT count(*) FROM logs) + (SELECT count(*) FROM request_snapshots)";

/// The records are those of the lines up to the position, each once.
async fn assert_whole(lookback: &Lookback, shown: &str) -> i64 {
    let logs = lookback.number(LOGS).await;
    for count in [
        "SELECT count(DISTINCT message) FROM logs",
        "SELECT count(DISTINCT path) FROM request_snapshots",
        "SELECT count(*) FROM request_snapshots",
        "SELECT coalesce(max(lines), 0) FROM imports",
        "SELECT 1 + coalesce(max(substring(message FROM '\\d+')::int), -1) FROM logs",
    ] {
        assert_eq!(lookback.number(count).await, logs, "{count}: {shown}");
    }
    assert_eq!(
        lookback.number(STORED).await,
        lookback.number(RECORDS).await,
        "{shown}"
    );
    logs
}

fn assert_names_the_disk(err: &str) {
    for part in [
        "No space left on device (SQLSTATE 53100)",
        "hint: the disk of the server is full: free space on it",
        "to continue: the same command",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
}

/// Imports a file while the disk becomes full, and again when it is not any more.
async fn import_while_full(lookback: &Lookback, free: impl AsyncFnOnce()) {
    lookback.write("app.log", lines(0..ALL));
    let call = ["import", "app.log", "--batch", "2000"];
    let resumed = [&call[..], &["--resume"]].concat();
    let full = lookback.run(&call).failed(1);
    assert_names_the_disk(&full.err);
    let stored = assert_whole(lookback, &full.err).await;
    assert!(0 < stored && stored < ALL, "{stored}: {}", full.err);
    let says = "records stored, 0 lines rejected; to continue: the same command with --resume";
    assert!(full.err.contains(says), "{}", full.err);
    let again = lookback.run(&resumed).failed(1);
    assert_names_the_disk(&again.err);
    assert!(assert_whole(lookback, &again.err).await >= stored);
    free().await;
    let last = lookback.run(&resumed).succeeded();
    assert_eq!(assert_whole(lookback, &last.err).await, ALL);
}

async fn follow_while_full(lookback: &Lookback, free: impl AsyncFnOnce()) {
    use std::io::Write as _;

    lookback.write("app.log", lines(0..ALL - 10));
    let call = ["import", "--follow", "app.log", "--batch", "2000"];
    for _ in 0..2 {
        // A supervisor starts it again.
        let (code, err) = Running::start(lookback, &call).wait();
        assert_eq!(code, Some(1), "{err}");
        assert_names_the_disk(&err);
        let stored = assert_whole(lookback, &err).await;
        assert!(0 < stored && stored < ALL, "{stored}: {err}");
    }
    let path = lookback.folder().join("app.log");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(lines(ALL - 10..ALL).as_bytes()).unwrap();
    free().await;
    let follower = Running::start(lookback, &call);
    lookback.wait_for(LOGS, ALL).await;
    follower.terminate();
    let (code, err) = follower.wait();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(assert_whole(lookback, &err).await, ALL);
}

/// Makes the server report a full disk behind this number of requests.
async fn fill(lookback: &Lookback, records: u32) {
    for sql in [
        "CREATE SEQUENCE inserted",
        &format!(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF nextval('inserted') > {records} THEN \
             RAISE EXCEPTION 'could not extend file \"base/1/2\": No space left on device' \
             USING ERRCODE = '53100'; END IF; RETURN NEW; END $$"
        ),
        "CREATE TRIGGER full_disk BEFORE INSERT ON request_snapshots \
         FOR EACH ROW EXECUTE FUNCTION full_disk()",
    ] {
        lookback.execute(sql).await;
    }
}

const FREE: &str = "DROP TRIGGER full_disk ON request_snapshots";

#[tokio::test]
async fn import_goes_on_after_the_server_reported_a_full_disk() {
    let lookback = Lookback::new().await;
    fill(&lookback, 7_200).await;
    import_while_full(&lookback, async || lookback.execute(FREE).await).await;
}

#[tokio::test]
async fn follower_goes_on_after_the_server_reported_a_full_disk() {
    let lookback = Lookback::new().await;
    fill(&lookback, 7_200).await;
    follow_while_full(&lookback, async || lookback.execute(FREE).await).await;
}

/// A small file system that has the logs and the requests of a database.
#[cfg(target_os = "linux")]
struct SmallDisk {
    folder: PathBuf,
    tablespace: String,
    database: String,
}

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// `None` if this user cannot mount one, or the server is elsewhere.
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    async fn new(lookback: &Lookback) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;

        let text = async |sql: &str| -> String {
            let pool = &lookback.db.as_ref().unwrap().pool;
            let row = sqlx::query(AssertSqlSafe(format!("SELECT ({sql})::text AS text")));
            row.fetch_one(pool).await.unwrap().get("text")
        };
        let data = text("current_setting('data_directory')").await;
        let database = text("current_database()").await;
        let owner = std::fs::metadata(&data).ok()?;
        let folder = std::env::temp_dir().join(format!("lookback-disk-{database}"));
        std::fs::create_dir(&folder).unwrap();
        let options = format!("size=6m,mode=700,uid={},gid={}", owner.uid(), owner.gid());
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&folder)
            .output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            println!("skipped: this user cannot mount a file system");
            std::fs::remove_dir(&folder).unwrap();
            return None;
        }
        let disk = Self {
            folder,
            tablespace: format!("disk_of_{database}"),
            database,
        };
        let place = disk.folder.display();
        let space = &disk.tablespace;
        lookback
            .execute(&format!("CREATE TABLESPACE {space} LOCATION '{place}'"))
            .await;
        // New partitions are where their table has to be.
        let move_all = format!(
            "DO $do$ DECLARE part regclass; BEGIN \
             FOR part IN SELECT relid FROM (VALUES ('logs'), ('request_snapshots')) AS t (name), \
             pg_partition_tree(name::regclass) LOOP \
             EXECUTE format('ALTER TABLE %s SET TABLESPACE {space}', part); END LOOP; END $do$"
        );
        lookback.execute(&move_all).await;
        Some(disk)
    }

    fn enlarge(&self) {
        let mut command = Command::new("mount");
        let remounted = command.args(["-o", "remount,size=256m"]).arg(&self.folder);
        assert!(remounted.status().unwrap().success());
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    /// The database has to go first, also that of a failed test.
    fn drop(&mut self) {
        let sql = [
            format!("DROP DATABASE {} WITH (FORCE)", self.database),
            format!("DROP TABLESPACE {}", self.tablespace),
        ];
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut conn = PgConnection::connect(testkit::server_url()).await?;
                for sql in sql {
                    conn.execute(AssertSqlSafe(sql)).await?;
                }
                Ok::<_, sqlx::Error>(())
            })
        });
        let dropped = dropped.join();
        let unmounted = Command::new("umount").arg(&self.folder).status();
        let removed = std::fs::remove_dir(&self.folder);
        if !std::thread::panicking() {
            dropped.unwrap().unwrap();
            assert!(unmounted.unwrap().success());
            removed.unwrap();
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn import_goes_on_after_the_disk_was_full() {
    let lookback = Lookback::new().await;
    let Some(disk) = SmallDisk::new(&lookback).await else {
        return;
    };
    import_while_full(&lookback, async || disk.enlarge()).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn follower_goes_on_after_the_disk_was_full() {
    let lookback = Lookback::new().await;
    let Some(disk) = SmallDisk::new(&lookback).await else {
        return;
    };
    follow_while_full(&lookback, async || disk.enlarge()).await;
}

/// A rejected line is in its file before the lines behind it are stored.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn full_disk_of_the_rejects_loses_no_line() {
    let lookback = Lookback::new().await;
    let text = format!("{}no known format\n{}", lines(0..700), lines(700..900));
    lookback.write("app.log", text);
    let call = [
        "import",
        "app.log",
        "--strict",
        "--on-error",
        "skip",
        "--batch",
        "500",
    ];
    let full = lookback
        .run(&[&call[..], &["--rejects", "/dev/full"]].concat())
        .failed(1);
    for part in [
        "--rejects: cannot write /dev/full: No space left on device",
        "hint: free some space there, or write to another disk",
        "to continue: the same command with --resume",
    ] {
        assert!(full.err.contains(part), "{part}: {}", full.err);
    }
    let stored = lookback.number(LOGS).await;
    assert!(0 < stored && stored <= 700, "{stored}");
    lookback
        .run(&[&call[..], &["--rejects", "bad.log", "--resume"]].concat())
        .succeeded();
    assert_eq!(lookback.read("bad.log"), b"no known format\n");
    for count in [LOGS, "SELECT count(DISTINCT message) FROM logs"] {
        assert_eq!(lookback.number(count).await, 900, "{count}");
    }
}
