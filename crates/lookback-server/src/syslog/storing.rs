//! From the queue to records.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::FixedOffset;
use lookback::Json;
use lookback_formats::{Entry, Options, syslog_message};
use tokio::sync::{mpsc, watch};

use super::{Counts, DRAIN, Message, add};
use crate::ingest::{Decoded, store_decoded};
use crate::problem::{Kind, Problem};
use crate::server::Shared;

/// The most messages that are stored together.
const BATCH: usize = 1_000;
/// How long the first message of a batch waits for others.
const WAIT: Duration = Duration::from_millis(50);
/// How long a database that cannot be used is left alone.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Storing {
    pub(super) shared: Arc<Shared>,
    pub(super) offset: FixedOffset,
    pub(super) counts: Arc<Counts>,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Storing {
    /// Stores messages until the queue has ended.
    pub(super) async fn run(self, mut queue: mpsc::UnboundedReceiver<Message>) {
        let mut stopped = self.stopped.clone();
        let overdue = async {
            // It borrows what it returns.
            drop(stopped.wait_for(|is_stopping| *is_stopping).await);
            tokio::time::sleep(DRAIN).await;
        };
        let mut batch = Vec::new();
        let storing = async {
            while queue.recv_many(&mut batch, BATCH).await > 0 {
                if batch.len() < BATCH {
                    tokio::time::sleep(WAIT).await;
                    while batch.len() < BATCH
                        && let Ok(message) = queue.try_recv()
                    {
                        batch.push(message);
                    }
                }
                self.store(&mut batch).await;
            }
        };
        tokio::select! {
            () = storing => return,
            () = overdue => {}
        }
        queue.close();
        let mut waiting = batch.len() as u64;
        while queue.try_recv().is_ok() {
            waiting += 1;
        }
        add(&self.counts.dropped, waiting);
    }

    /// Stores a batch, of which those that the database refuses are left out. The batch is emptied
    /// when all of it is done.
    async fn store(&self, batch: &mut Vec<Message>) {
        let mut parts = VecDeque::new();
        parts.push_back(0..batch.len());
        while let Some(part) = parts.pop_front() {
            let (stored, problem) = loop {
                let stored = async {
                    let decoded = self.decode(&batch[part.clone()]).await?;
                    store_decoded(&self.shared, decoded).await
                };
                match stored.await {
                    Ok(outcome) => break (Some(outcome), None),
                    Err(problem) if is_passing(&problem) => tokio::time::sleep(PAUSE).await,
                    Err(problem) => break (None, Some(problem)),
                }
            };
            if let Some(outcome) = stored {
                add(&self.counts.stored, outcome.stored());
                add(&self.counts.refused, outcome.rejected());
            } else if part.len() > 1 {
                let middle = part.start + part.len() / 2;
                parts.push_front(middle..part.end);
                parts.push_front(part.start..middle);
            } else {
                if let Some(problem) = problem {
                    tracing::warn!("a message of syslog is not stored: {}", problem.detail());
                }
                add(&self.counts.refused, 1);
            }
        }
        // Their room is free again.
        batch.clear();
    }

    async fn decode(&self, messages: &[Message]) -> Result<Decoded, Problem> {
        let options = Options {
            source: self.shared.settings.source.clone(),
            offset: self.offset,
            now: chrono::Utc::now(),
            ..Options::default()
        };
        let messages: Vec<(Bytes, IpAddr)> = messages
            .iter()
            .map(|message| (message.bytes.clone(), message.from))
            .collect();
        let decoding = tokio::task::spawn_blocking(move || {
            let mut decoded = Decoded::default();
            for (number, (bytes, from)) in (1..).zip(messages) {
                decoded.push_entry(with_sender(syslog_message(&bytes, &options, number), from));
            }
            decoded
        });
        decoding
            .await
            .map_err(|_| Problem::new(Kind::Internal, "a message could not be decoded"))
    }
}

/// Notes who sent a message that names no host.
fn with_sender(mut entry: Entry, from: IpAddr) -> Entry {
    if let Some(log) = &mut entry.log {
        let meta = log.meta.get_or_insert_with(|| lookback::json!({}));
        if let Json::Object(meta) = meta
            && !meta.contains_key("host")
        {
            meta.insert("host".to_owned(), from.to_canonical().to_string().into());
        }
    }
    entry
}

/// Whether a problem may be gone in a moment.
fn is_passing(problem: &Problem) -> bool {
    matches!(problem.status().as_u16(), 503 | 504)
}
