//! Alerts: rules that are evaluated, and changes that are delivered to webhooks.
//!
//! `phase` is the state of a rule, pure; `measure` reads what a rule measures; `store` has the
//! claims by which one process evaluates a rule and delivers a change; `worker` does both in the
//! background; `webhook` sends; `routes` are the rules over HTTP. Decision 0021,
//! docs/guide/alerts.md.

use std::time::Duration;

mod condition;
mod measure;
mod phase;
pub(crate) mod routes;
mod store;
mod webhook;
mod worker;

pub use condition::check;
pub use store::{AlertReport, reports};
pub use worker::{AlertWorker, TestOutcome, test};

/// How rules are evaluated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AlertSettings {
    /// The time between two evaluations of a rule; 15 s by default.
    pub interval: Duration,
    /// The longest time of a measurement; 30 s by default. Less than a minute.
    pub timeout: Duration,
    /// How long a webhook may take to answer; 10 s by default.
    pub webhook_timeout: Duration,
    /// The pauses before a change is sent again: the first, which doubles, and the longest; 5 s
    /// and 10 minutes by default.
    pub back_off: (Duration, Duration),
    /// How long another process waits for one that has claimed a rule or a change and died; a
    /// minute by default. Longer than a measurement and an answer may take.
    pub lease: Duration,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(30),
            webhook_timeout: Duration::from_secs(10),
            back_off: (Duration::from_secs(5), Duration::from_secs(600)),
            lease: Duration::from_secs(60),
        }
    }
}
