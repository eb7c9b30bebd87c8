//! Printing what arrives, on a thread of its own: a reader that does not read delays the records, but
//! not Ctrl-C.

use std::io::{self, Write as _};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;
use crate::output;

type Printed = oneshot::Receiver<io::Result<()>>;

/// A thread that prints, and the position after what it has printed.
pub(super) struct Printer<P> {
    texts: mpsc::Sender<(String, oneshot::Sender<io::Result<()>>)>,
    /// The position after the last record that was printed.
    printed: Option<P>,
    /// What is being printed, and the position after it.
    printing: Option<(Printed, Option<P>)>,
}

impl<P> Printer<P> {
    /// Starts the thread, which has printed everything before a position.
    pub(super) fn spawn(is_json: bool, position: Option<P>) -> Self {
        let (sender, mut texts) = mpsc::channel::<(String, oneshot::Sender<_>)>(1);
        std::thread::spawn(move || {
            while let Some((text, printed)) = texts.blocking_recv() {
                let done = if is_json {
                    let mut out = io::stdout();
                    out.write_all(text.as_bytes()).and_then(|()| out.flush())
                } else {
                    output::text(&text)
                };
                // Nobody waits for it after an interrupt.
                let _ = printed.send(done);
            }
        });
        Self {
            texts: sender,
            printed: position,
            printing: None,
        }
    }

    /// Sets the position without printing: nothing before it is to be printed.
    pub(super) fn begin_at(&mut self, position: Option<P>) {
        self.printed = position;
    }

    /// The position after the last record that was printed.
    pub(super) fn position(&self) -> Option<&P> {
        self.printed.as_ref()
    }

    /// Prints a text, behind which is a position.
    pub(super) async fn print(&mut self, text: String, position: Option<P>) -> Result<(), Failure> {
        let (sender, printed) = oneshot::channel();
        let sent = self.texts.send((text, sender)).await;
        sent.map_err(|_| Self::ended())?;
        let (printed, position) = self.printing.insert((printed, position));
        let done = printed.await.map_err(|_| Self::ended())?;
        if position.is_some() {
            self.printed = position.take();
        }
        self.printing = None;
        done.map_err(output::stdout_error)?;
        Ok(())
    }

    /// Waits a moment for what is being printed when an interrupt comes, which counts as printed;
    /// returns the position after it.
    pub(super) async fn end(mut self) -> Option<P> {
        const MOMENT: Duration = Duration::from_millis(500);
        if let Some((printed, position)) = self.printing.take() {
            let ended = tokio::time::timeout(MOMENT, printed).await;
            if matches!(ended, Ok(Ok(Ok(())))) {
                self.printed = position;
            }
        }
        self.printed
    }

    fn ended() -> Failure {
        Failure::failed("the thread that prints has ended: this is a bug in lookback")
    }
}
