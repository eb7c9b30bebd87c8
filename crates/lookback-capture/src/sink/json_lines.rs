//! Captured records in files of JSON lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use lookback_json::Json;

use super::{Sink, SinkError};
use crate::record::{Batch, CapturedLog, CapturedRequest};
use crate::window::Window;

/// Writes records to files of JSON lines, which `lookback import` reads.
///
/// The folder has `requests.jsonl`, `logs.jsonl` and `metrics.jsonl`. One that has become large is
/// renamed to `requests.1.jsonl`, that to `requests.2.jsonl`, and so on; the oldest is deleted.
/// A window that was flushed more than once is several lines: `lookback metrics rebuild` computes
/// the whole from the requests.
#[derive(Debug)]
pub struct JsonLinesSink {
    requests: LineFile,
    logs: LineFile,
    metrics: LineFile,
}

impl JsonLinesSink {
    /// Opens the files in a folder, which is created if it is missing.
    ///
    /// A file has about 64 MiB at most, and five of a kind are kept: about a gigabyte in all. Only
    /// their owner can read them. The folder is for one process: two would rotate each other's files.
    ///
    /// # Errors
    ///
    /// The folder cannot be created, or a file not opened.
    pub fn open(folder: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(folder, 64 * 1024 * 1024, 5)
    }

    /// Same as [`open`](Self::open), with the most bytes of a file, and the number of files of each
    /// kind, at least 1.
    ///
    /// # Errors
    ///
    /// As those of [`open`](Self::open).
    pub fn open_with(folder: impl AsRef<Path>, bytes: u64, files: usize) -> io::Result<Self> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder)?;
        let open = |name: &'static str| LineFile::open(folder.to_owned(), name, bytes, files);
        Ok(Self {
            requests: open("requests")?,
            logs: open("logs")?,
            metrics: open("metrics")?,
        })
    }
}

impl Sink for JsonLinesSink {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        let error = |error: io::Error| SinkError::temporary(error);
        self.requests
            .append(&mut batch.requests, CapturedRequest::to_json)
            .map_err(error)?;
        self.logs
            .append(&mut batch.logs, CapturedLog::to_json)
            .map_err(error)?;
        self.metrics
            .append(&mut batch.windows, Window::to_json)
            .map_err(error)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        for file in [&self.requests, &self.logs, &self.metrics] {
            file.file.sync_data().map_err(SinkError::temporary)?;
        }
        Ok(())
    }
}

/// A file of JSON lines, and its older ones.
#[derive(Debug)]
struct LineFile {
    folder: PathBuf,
    name: &'static str,
    file: File,
    size: u64,
    most: u64,
    files: usize,
}

impl LineFile {
    fn open(folder: PathBuf, name: &'static str, most: u64, files: usize) -> io::Result<Self> {
        let path = folder.join(format!("{name}.jsonl"));
        let file = open_file(&path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            folder,
            name,
            file,
            size,
            most,
            files: files.max(1),
        })
    }

    /// Appends a line for each record, all or none, and takes the records out.
    fn append<T>(&mut self, records: &mut Vec<T>, json: impl Fn(&T) -> Json) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        for record in records.iter() {
            writeln!(lines, "{}", json(record))?;
        }
        if self.size > 0 && self.size + lines.len() as u64 > self.most {
            self.rotate()?;
        }
        if let Err(error) = self.file.write_all(&lines) {
            // No half line stays; if that fails, too, the next line is on its own all the same.
            let _cut = self.file.set_len(self.size);
            return Err(error);
        }
        self.size += lines.len() as u64;
        records.clear();
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let path = |number: usize| {
            self.folder.join(match number {
                0 => format!("{}.jsonl", self.name),
                number => format!("{}.{number}.jsonl", self.name),
            })
        };
        for number in (1..self.files).rev() {
            match fs::rename(path(number - 1), path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.files == 1 {
            fs::remove_file(path(0))?;
        }
        self.file = open_file(&path(0))?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use chrono::DateTime;
    use lookback_json::Json;

    use super::{JsonLinesSink, Sink as _};
    use crate::record::{Batch, CapturedLog, Level};

    fn log(message: &str) -> CapturedLog {
        CapturedLog {
            timestamp: DateTime::from_timestamp(1_800_000_000, 5_000).unwrap(),
            source: "API".to_owned(),
            level: Level::Warn,
            message: message.to_owned(),
            meta: None,
            trace_id: None,
        }
    }

    #[tokio::test]
    async fn files_are_rotated_and_the_oldest_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = JsonLinesSink::open_with(folder.path(), 200, 3).unwrap();
        for number in 0..8 {
            let mut batch = Batch {
                logs: vec![log(&format!("line {number}"))],
                ..Batch::default()
            };
            sink.store(&mut batch).await.unwrap();
            assert!(batch.is_empty());
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let all = [
            read("logs.2.jsonl"),
            read("logs.1.jsonl"),
            read("logs.jsonl"),
        ]
        .concat();
        let messages: Vec<String> = all
            .lines()
            .map(|line| {
                line.parse::<Json>().unwrap()["message"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let expected: Vec<String> = (2..8).map(|number| format!("line {number}")).collect();
        assert_eq!(messages, expected);
        assert!(!folder.path().join("logs.3.jsonl").exists());
        assert_eq!(
            all.lines().next().unwrap(),
            r#"{"created_at":"2027-01-15T08:00:00.000005Z","level":"warn","message":"line 2","source":"API"}"#
        );
    }
}
