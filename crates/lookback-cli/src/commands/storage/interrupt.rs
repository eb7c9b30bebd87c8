//! Ctrl-C: the first one stops after the current step, the second one at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;
use crate::output;

/// A flag that Ctrl-C sets.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen for Ctrl-C.
    pub(super) fn listen() -> Self {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupted);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            flag.store(true, Ordering::Relaxed);
            output::note("interrupted: stopping after this step; Ctrl-C again stops at once");
            if tokio::signal::ctrl_c().await.is_ok() {
                // Each step is a transaction, which the server rolls back.
                std::process::exit(130);
            }
        });
        Self(interrupted)
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns an error if it was interrupted, with a hint on how to continue.
    pub(super) fn check(&self, command: &str) -> Result<(), Failure> {
        if self.is_set() {
            Err(Failure::interrupted("interrupted").hint(format!(
                "completed steps are kept: lookback storage {command} continues with the rest"
            )))
        } else {
            Ok(())
        }
    }
}
