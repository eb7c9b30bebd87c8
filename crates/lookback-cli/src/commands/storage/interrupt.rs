//! Ctrl-C: the first ends after the step that is under way, the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;
use crate::output;

/// Whether this was interrupted.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on.
    pub(super) fn listen() -> Self {
        let interrupted = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&interrupted);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            tell.store(true, Ordering::Relaxed);
            output::note("interrupted: ending after this step; once more ends it at once");
            if tokio::signal::ctrl_c().await.is_ok() {
                // Each step is a transaction: the server undoes it.
                std::process::exit(130);
            }
        });
        Self(interrupted)
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails if it was interrupted, with what goes on with the rest.
    pub(super) fn check(&self, command: &str) -> Result<(), Failure> {
        match self.is_set() {
            false => Ok(()),
            true => Err(Failure::interrupted("interrupted").hint(format!(
                "what is done stays so: lookback storage {command} goes on with the rest"
            ))),
        }
    }
}
