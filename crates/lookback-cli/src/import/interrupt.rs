//! The signals that end an import.

use crate::failure::Failure;

/// The signals that end an import: SIGINT and SIGTERM. One that comes while nothing waits for it
/// is kept.
pub(super) struct Interrupt {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Interrupt {
    pub(super) fn new() -> Result<Self, Failure> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};

        let cannot =
            |error: std::io::Error| Failure::failed(format!("cannot wait for signals: {error}"));
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate()).map_err(cannot)?,
            #[cfg(windows)]
            interrupt: tokio::signal::windows::ctrl_c().map_err(cannot)?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}
