//! Captured records in memory, for tests.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Sink, SinkError};
use crate::record::Batch;

/// Keeps all records in memory: for tests of an application.
///
/// Clones share their records.
///
/// ```
/// use std::time::Duration;
/// use lookback_capture::{Capture, MemorySink};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sink = MemorySink::new();
/// let capture = Capture::builder().start(sink.clone())?;
/// // … requests …
/// capture.flush(Duration::from_secs(5)).await?;
/// assert_eq!(sink.records().requests.len(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemorySink(Arc<Mutex<Batch>>);

impl MemorySink {
    /// Creates a sink without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all records so far.
    #[must_use]
    pub fn records(&self) -> Batch {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Sink for MemorySink {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.requests.append(&mut batch.requests);
        records.logs.append(&mut batch.logs);
        records.windows.append(&mut batch.windows);
        Ok(())
    }
}
