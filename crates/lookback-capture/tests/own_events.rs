//! Capture never records itself. In a process of its own, since it needs a subscriber for all
//! threads.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use lookback_capture::{Batch, Capture, MemorySink, Sink, SinkError};
use tracing::{error, error_span, info};
use tracing_subscriber::layer::SubscriberExt as _;

const GENEROUS: Duration = Duration::from_secs(30);

/// A sink that logs whatever it does.
struct Talking(MemorySink);

impl Sink for Talking {
    async fn store(&mut self, batch: &mut Batch) -> Result<(), SinkError> {
        error!("storing {} lines", batch.logs.len());
        tokio::spawn(async { error!("in a task of the sink") })
            .await
            .unwrap();
        self.0.store(batch).await
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        let span = error_span!("flushing");
        span.in_scope(|| error!("flushing"));
        Ok(())
    }
}

#[test]
fn capture_never_records_itself() {
    let memory = MemorySink::new();
    let capture = Capture::builder().start(Talking(memory.clone())).unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    for number in 0..100 {
        info!(number, "of the application");
        if number % 10 == 0 {
            capture.flush_blocking(GENEROUS).unwrap();
        }
    }
    std::thread::sleep(Duration::from_millis(20));
    capture.flush_blocking(GENEROUS).unwrap();
    let logs = memory.records().logs;
    assert_eq!(
        logs.len(),
        100,
        "nothing is lost at exit, and nothing feeds on itself"
    );
    assert!(logs.iter().all(|log| log.message == "of the application"));
}
