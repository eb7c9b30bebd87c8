//! The signals that end an import.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::stream::EndOfStream;
use crate::failure::Failure;

/// The signals that end an import: SIGINT and SIGTERM. One that comes while nothing waits for it
/// is kept.
pub(super) struct Interrupt {
    signals: mpsc::UnboundedReceiver<()>,
    stream: Arc<Mutex<Option<EndOfStream>>>,
}

impl Interrupt {
    pub(super) fn new() -> Result<Self, Failure> {
        let mut signals = Signals::new()
            .map_err(|error| Failure::failed(format!("cannot wait for signals: {error}")))?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let stream = Arc::new(Mutex::new(None::<EndOfStream>));
        let of_task = Arc::clone(&stream);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = signals.next() => {}
                    () = sender.closed() => return,
                }
                // What waits for more of it ends.
                let stream = of_task.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(end) = &*stream {
                    end.set();
                }
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            signals: receiver,
            stream,
        })
    }

    /// A signal ends this stream from now on, also while a thread waits for what it sends.
    pub(super) fn end_at_signal(&self, stream: EndOfStream) {
        let mut ended = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        *ended = Some(stream);
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) {
        if self.signals.recv().await.is_none() {
            // The runtime is ending.
            std::future::pending::<()>().await;
        }
    }
}

/// The signals as the system sends them.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(windows)]
            interrupt: tokio::signal::windows::ctrl_c()?,
        })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}
