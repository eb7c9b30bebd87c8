//! The target of an export: standard output, or a file that appears once it is complete.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use tempfile::TempPath;
use tokio::sync::mpsc;

use super::temp_files;
use crate::failure::{Failure, io_hint};

/// The size of a chunk for the thread, and the number of queued chunks.
const CHUNK_BYTES: usize = 256 * 1024;
const MAX_QUEUED_CHUNKS: usize = 4;

/// The target of an export.
pub(super) enum Target {
    Stdout,
    /// A device or a named pipe, which cannot be replaced by another file.
    Device {
        file: File,
        path: PathBuf,
    },
    File {
        file: File,
        pending: PendingFile,
        overwrite: bool,
    },
}

/// A file that gets its final name when it is complete.
pub(super) struct PendingFile {
    /// Removed when dropped.
    written: TempPath,
    path: PathBuf,
    /// Its lock shows other processes that this process is alive.
    _lock: File,
}

impl Target {
    /// Opens standard output, or a temporary file beside the file to write.
    pub(super) fn open(path: Option<&Path>, overwrite: bool) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::Stdout);
        };
        if path.is_dir() {
            return Err(Failure::usage(format!(
                "--out: {} is a folder",
                path.display()
            )));
        }
        // Follows links, for example `/dev/stdout`.
        if let Ok(there) = path.metadata()
            && !there.is_file()
        {
            let file = File::options().write(true).open(path);
            return Ok(Self::Device {
                file: file.map_err(|error| write_failure(path, &error))?,
                path: path.to_owned(),
            });
        }
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(already_exists(path));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            let (path, folder) = (path.display(), folder.display());
            return Err(Failure::usage(format!(
                "--out: cannot write {path}: there is no folder {folder}"
            )));
        }
        let prefix = temp_files::prefix(path);
        temp_files::remove_stale(folder, &prefix);
        let (file, lock, written) =
            temp_files::create(folder, &prefix).map_err(|error| write_failure(path, &error))?;
        Ok(Self::File {
            file,
            pending: PendingFile {
                written,
                path: path.to_owned(),
                _lock: lock,
            },
            overwrite,
        })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout) && io::stdout().is_terminal()
    }

    /// Starts the writing thread.
    pub(super) fn start(self) -> Result<ExportWriter, Failure> {
        let (chunks, received) = mpsc::channel(MAX_QUEUED_CHUNKS);
        let (thread, destination) = match self {
            Self::Stdout => (
                spawn(received, || Ok(io::stdout().lock()), |_| Ok(()))?,
                Destination::Stdout,
            ),
            Self::Device { file, path } => (
                spawn(received, || Ok(file), |_| Ok(()))?,
                Destination::Device(path),
            ),
            Self::File {
                file,
                pending,
                overwrite,
            } => (
                spawn(received, || Ok(file), |file| file.sync_all())?,
                Destination::File { pending, overwrite },
            ),
        };
        Ok(ExportWriter {
            chunks,
            thread: Some(thread),
            destination,
        })
    }
}

/// Spawns a thread that writes all received chunks, and then calls `end`.
fn spawn<W: Write>(
    mut received: mpsc::Receiver<Vec<u8>>,
    open: impl FnOnce() -> io::Result<W> + Send + 'static,
    end: impl FnOnce(&mut W) -> io::Result<()> + Send + 'static,
) -> Result<JoinHandle<io::Result<()>>, Failure> {
    let thread = std::thread::Builder::new().name("export".to_owned());
    Ok(thread.spawn(move || {
        let mut target = open()?;
        while let Some(chunk) = received.blocking_recv() {
            target.write_all(&chunk)?;
        }
        target.flush()?;
        end(&mut target)
    })?)
}

/// The sending half of a running export.
pub(super) struct ExportWriter {
    chunks: mpsc::Sender<Vec<u8>>,
    thread: Option<JoinHandle<io::Result<()>>>,
    destination: Destination,
}

enum Destination {
    Stdout,
    Device(PathBuf),
    File {
        pending: PendingFile,
        overwrite: bool,
    },
}

impl ExportWriter {
    /// Sends the output to the thread; waits while too many chunks are queued.
    pub(super) async fn send(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        // In chunks, because the queue counts chunks: a row group is large.
        for piece in out.chunks(CHUNK_BYTES) {
            if self.chunks.send(piece.to_vec()).await.is_err() {
                // The thread has ended; joining it returns the reason.
                return Err(self
                    .join()
                    .err()
                    .unwrap_or_else(|| Failure::failed("writing stopped before the last record")));
            }
        }
        out.clear();
        Ok(())
    }

    /// Waits until all bytes are written, and renames the file to its target.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        let (closed, _) = mpsc::channel(1);
        self.chunks = closed;
        let (destination, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = self.join();
            (self.destination, outcome)
        })
        .await
        .map_err(|error| Failure::failed(format!("writing failed: {error}")))?;
        outcome?;
        let Destination::File { pending, overwrite } = destination else {
            return Ok(());
        };
        // The lock is released after the rename: see `temp_files.rs`.
        let PendingFile {
            written,
            path,
            _lock,
        } = pending;
        apply_umask(&written);
        let named = if overwrite {
            written.persist(&path)
        } else {
            written.persist_noclobber(&path)
        };
        named.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => already_exists(&path),
            _ => write_failure(&path, &error.error),
        })
    }

    fn join(&mut self) -> Result<(), Failure> {
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(match &self.destination {
                Destination::File { pending, .. } => write_failure(&pending.path, &error),
                Destination::Device(path) => write_failure(path, &error),
                // The reader has closed the pipe, which is no failure.
                Destination::Stdout if error.kind() == io::ErrorKind::BrokenPipe => error.into(),
                Destination::Stdout => write_failure(Path::new("standard output"), &error),
            }),
            Some(Err(_)) => Err(Failure::failed("writing failed")),
        }
    }
}

/// Gives a temporary file the permissions of a new file; until then only its owner can read it.
fn apply_umask(file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Only the permissions of a new file show the umask.
        let sample = tempfile::Builder::new()
            .prefix(temp_files::PREFIX)
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(file.parent().unwrap_or(Path::new(".")));
        if let Ok(permissions) =
            sample.and_then(|sample| Ok(sample.as_file().metadata()?.permissions()))
        {
            // If this fails, only the owner can read the file.
            let _ = std::fs::set_permissions(file, permissions);
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

fn already_exists(path: &Path) -> Failure {
    Failure::usage(format!("--out: {} already exists", path.display()))
        .hint("give another name, or --overwrite")
}

fn write_failure(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::failed(format!("cannot write {}: {error}", path.display()));
    match io_hint(error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Waits for Ctrl-C or SIGTERM, from the call on and not from the first poll: a signal in
/// between would end the process at once.
pub(crate) fn interrupted() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate())
            .and_then(|ended| Ok((ended, signal(SignalKind::interrupt())?)))
    };
    async move {
        #[cfg(unix)]
        if let Ok((mut ended, mut interrupt)) = signals {
            tokio::select! {
                _ = ended.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}
