//! Where an export goes: standard output, or a file that is there when it is
//! whole.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use tempfile::TempPath;
use tokio::sync::mpsc;

use super::unfinished;
use crate::failure::Failure;

/// Bytes that are handed to the thread at a time, and how many of these wait.
const PIECE: usize = 256 * 1024;
const WAITING: usize = 4;

/// Where an export goes.
pub(super) enum Target {
    Stdout,
    /// A device or a named pipe: nothing that can be replaced.
    Device {
        file: File,
        path: PathBuf,
    },
    File {
        file: File,
        whole: Whole,
        overwrite: bool,
    },
}

/// A file that is to have its name when it is whole.
pub(super) struct Whole {
    /// Removed when it is dropped.
    written: TempPath,
    path: PathBuf,
    /// Has the lock by which others know that this process lives.
    _lock: File,
}

impl Target {
    /// Standard output, or a file beside the one that is to be written.
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
        // What a link leads to, too: /dev/stdout is one.
        if let Ok(there) = path.metadata()
            && !there.is_file()
        {
            let file = File::options().write(true).open(path);
            return Ok(Self::Device {
                file: file.map_err(|error| cannot(path, &error))?,
                path: path.to_owned(),
            });
        }
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(there(path));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            let (path, folder) = (path.display(), folder.display());
            return Err(Failure::usage(format!(
                "--out: {path} cannot be written: there is no folder {folder}"
            )));
        }
        let prefix = unfinished::prefix(path);
        unfinished::remove(folder, &prefix);
        let (file, lock, written) =
            unfinished::create(folder, &prefix).map_err(|error| cannot(path, &error))?;
        Ok(Self::File {
            file,
            whole: Whole {
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

    /// Starts the thread that writes.
    pub(super) fn start(self) -> Result<Writing, Failure> {
        let (chunks, received) = mpsc::channel(WAITING);
        let (thread, to) = match self {
            Self::Stdout => (
                spawn(received, || Ok(io::stdout().lock()), |_| Ok(()))?,
                To::Stdout,
            ),
            Self::Device { file, path } => {
                (spawn(received, || Ok(file), |_| Ok(()))?, To::Device(path))
            }
            Self::File {
                file,
                whole,
                overwrite,
            } => (
                spawn(received, || Ok(file), |file| file.sync_all())?,
                To::File { whole, overwrite },
            ),
        };
        Ok(Writing {
            chunks,
            thread: Some(thread),
            to,
        })
    }
}

/// Writes what comes, until there is no more, then ends it.
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

/// An export on its way.
pub(super) struct Writing {
    chunks: mpsc::Sender<Vec<u8>>,
    thread: Option<JoinHandle<io::Result<()>>>,
    to: To,
}

enum To {
    Stdout,
    Device(PathBuf),
    File { whole: Whole, overwrite: bool },
}

impl Writing {
    /// Hands over what there is, when the thread is no more than a few chunks
    /// behind.
    pub(super) async fn send(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        // In pieces: what waits is counted by them, and a row group is large.
        for piece in out.chunks(PIECE) {
            if self.chunks.send(piece.to_vec()).await.is_err() {
                // The thread has ended, and knows why.
                return Err(self
                    .joined()
                    .err()
                    .unwrap_or_else(|| Failure::failed("writing ended before the records did")));
            }
        }
        out.clear();
        Ok(())
    }

    /// Waits until all is written, and gives the file its name.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        let (closed, _) = mpsc::channel(1);
        self.chunks = closed;
        let (to, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = self.joined();
            (self.to, outcome)
        })
        .await
        .map_err(|error| Failure::failed(format!("writing failed: {error}")))?;
        outcome?;
        let To::File { whole, overwrite } = to else {
            return Ok(());
        };
        // The lock is let go once it has its name: see `unfinished.rs`.
        let Whole {
            written,
            path,
            _lock,
        } = whole;
        readable_as_usual(&written);
        let named = match overwrite {
            true => written.persist(&path),
            false => written.persist_noclobber(&path),
        };
        named.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => there(&path),
            _ => cannot(&path, &error.error),
        })
    }

    fn joined(&mut self) -> Result<(), Failure> {
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(match &self.to {
                To::File { whole, .. } => cannot(&whole.path, &error),
                To::Device(path) => cannot(path, &error),
                // Whoever reads it has gone: that is no failure.
                To::Stdout if error.kind() == io::ErrorKind::BrokenPipe => error.into(),
                To::Stdout => cannot(Path::new("standard output"), &error),
            }),
            Some(Err(_)) => Err(Failure::failed("writing failed")),
        }
    }
}

/// A temporary file is for its owner alone; what it becomes is as any other.
fn readable_as_usual(file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What the umask leaves of 666 is known only of a file that is made.
        let like = tempfile::Builder::new()
            .prefix(unfinished::PREFIX)
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(file.parent().unwrap_or(Path::new(".")));
        if let Ok(permissions) = like.and_then(|like| Ok(like.as_file().metadata()?.permissions()))
        {
            // If it cannot be, the file stays its owner's.
            let _ = std::fs::set_permissions(file, permissions);
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

fn there(path: &Path) -> Failure {
    Failure::usage(format!("--out: {} is there already", path.display()))
        .hint("give another name, or --overwrite")
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {error}", path.display()))
}

/// Waits for Ctrl-C, or for whoever ends the program.
pub(super) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut ended) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = ended.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
