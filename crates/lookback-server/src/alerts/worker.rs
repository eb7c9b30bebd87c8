//! Evaluates rules and delivers changes, in the background.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lookback::{AlertChange, AlertDelivery, AlertState, Error, Json};
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::measure::{Measured, measure};
use super::phase::{Holds, Phase, next};
use super::store::{self, ClaimedChange, ClaimedRule, Delivered};
use super::webhook::Webhooks;
use super::{AlertSettings, condition};
use crate::server::Shared;

/// How often it is looked for rules whose time has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked for changes that wait: those of other processes, and those that are sent
/// again.
const DELIVER_EVERY: Duration = Duration::from_secs(2);
/// The changes that are sent at a time.
const DELIVERIES: usize = 8;
/// The pause after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// A background task that evaluates the rules and delivers the changes.
///
/// Any number of processes may run one.
#[derive(Debug)]
pub struct AlertWorker {
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

impl AlertWorker {
    pub(crate) fn spawn(shared: &Arc<Shared>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let changed = Arc::new(Notify::new());
        let evaluator = Evaluator {
            shared: Arc::clone(shared),
            changed: Arc::clone(&changed),
        };
        let deliverer = Deliverer {
            shared: Arc::clone(shared),
            webhooks: Arc::default(),
            changed,
        };
        Self {
            tasks: [
                tokio::spawn(evaluator.run(stopped.clone())),
                tokio::spawn(deliverer.run(stopped)),
            ],
            stop,
        }
    }

    /// Stops: a rule that is being evaluated, and changes that are being sent, are ended first.
    pub async fn stop(self) {
        let _receivers = self.stop.send(true);
        for task in self.tasks {
            // One that panicked has ended, too.
            let _ended = task.await;
        }
    }
}

/// Waits, unless a stop is requested; returns whether it is.
async fn pause(stopped: &mut watch::Receiver<bool>, time: Duration) -> bool {
    // An error: the worker was dropped.
    tokio::time::timeout(time, stopped.changed()).await.is_ok()
}

struct Evaluator {
    shared: Arc<Shared>,
    changed: Arc<Notify>,
}

impl Evaluator {
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut reported = None;
        while !*stopped.borrow() {
            let time = match self.evaluate_next().await {
                Ok(true) => {
                    reported = None;
                    continue;
                }
                Ok(false) => LOOK_EVERY,
                Err(error) => {
                    let error = error.to_string();
                    if reported.as_ref() != Some(&error) {
                        tracing::warn!("alerts cannot be evaluated: {error}");
                        reported = Some(error);
                    }
                    AFTER_ERROR
                }
            };
            if pause(&mut stopped, time).await {
                return;
            }
        }
    }

    /// Evaluates a rule whose time has come; returns whether there was one.
    async fn evaluate_next(&self) -> Result<bool, Error> {
        let settings = &self.shared.settings.alerts;
        let pool = &self.shared.pool;
        let claimed = {
            let mut conn = pool.acquire().await?;
            store::claim_rule(&mut conn, settings.lease).await?
        };
        let Some(claimed) = claimed else {
            return Ok(false);
        };
        let measured = if claimed.is_live {
            measure(pool, &claimed.rule, claimed.now, settings).await
        } else {
            Ok(Measured::default())
        };
        let mut conn = pool.acquire().await?;
        match measured {
            Ok(measured) => {
                let (phase, change) = outcome(&claimed, &measured);
                let finished = store::finish(
                    &mut conn,
                    &claimed,
                    phase,
                    &measured,
                    change,
                    settings.interval,
                );
                if finished.await? && change.is_some() {
                    self.changed.notify_one();
                }
            }
            Err(error) => {
                let problem = error.to_string();
                tracing::warn!("alert {} cannot be evaluated: {problem}", claimed.rule.id);
                store::fail(&mut conn, &claimed, &problem, settings.interval).await?;
            }
        }
        Ok(true)
    }
}

/// The phase of a rule after a measurement, and its change.
fn outcome(claimed: &ClaimedRule, measured: &Measured) -> (Phase, Option<AlertState>) {
    let rule = &claimed.rule;
    if !claimed.is_live {
        let fires = matches!(claimed.phase, Phase::Firing | Phase::Resolving);
        return (Phase::Ok, fires.then_some(AlertState::Resolved));
    }
    let seconds = |seconds: i32| chrono::TimeDelta::seconds(seconds.into());
    let holds = Holds {
        fire_after: seconds(rule.fire_after),
        resolve_after: seconds(rule.resolve_after),
    };
    let does_hold = condition::holds(rule, measured.value);
    next(claimed.phase, claimed.since, does_hold, claimed.now, holds)
}

struct Deliverer {
    shared: Arc<Shared>,
    webhooks: Arc<Webhooks>,
    changed: Arc<Notify>,
}

impl Deliverer {
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut sending = JoinSet::new();
        while !*stopped.borrow() {
            while sending.try_join_next().is_some() {}
            let has_place = sending.len() < DELIVERIES;
            let claimed = if has_place { self.claim().await } else { None };
            if let Some(change) = claimed {
                let shared = Arc::clone(&self.shared);
                let webhooks = Arc::clone(&self.webhooks);
                sending.spawn(async move { deliver(&shared, &webhooks, change).await });
                continue;
            }
            tokio::select! {
                is_stopped = pause(&mut stopped, DELIVER_EVERY) => if is_stopped { break },
                () = self.changed.notified() => {}
                // A change that waited for this one may follow.
                Some(_) = sending.join_next(), if !sending.is_empty() => {}
            }
        }
        while sending.join_next().await.is_some() {}
    }

    async fn claim(&self) -> Option<ClaimedChange> {
        let claimed = async {
            let mut conn = self.shared.pool.acquire().await?;
            store::claim_change(&mut conn, self.shared.settings.alerts.lease).await
        };
        claimed
            .await
            .map_err(|error: Error| tracing::debug!("changes of alerts wait: {error}"))
            .ok()
            .flatten()
    }
}

/// Sends a change, and stores what became of it.
async fn deliver(shared: &Shared, webhooks: &Webhooks, change: ClaimedChange) {
    let settings = &shared.settings.alerts;
    let delivered = match &change.url {
        None => Delivered::NoWebhook,
        Some(url) => match send(webhooks, url, &change, settings.webhook_timeout).await {
            Ok(_) => Delivered::Yes,
            Err(problem) if change.is_last => Delivered::Failed(problem),
            Err(problem) => {
                let doublings = change.attempts.clamp(1, 20).unsigned_abs() - 1;
                let (first, longest) = settings.back_off;
                let pause = first.saturating_mul(1 << doublings).min(longest);
                Delivered::Later(problem, pause)
            }
        },
    };
    if let Delivered::Later(problem, _) | Delivered::Failed(problem) = &delivered {
        tracing::warn!(
            "change {} of an alert was not delivered: {problem}",
            change.id
        );
    }
    let counter = usize::from(delivered != Delivered::Yes);
    if delivered != Delivered::NoWebhook {
        shared.telemetry.alert_deliveries[counter].fetch_add(1, Ordering::Relaxed);
    }
    let noted = async {
        let mut conn = shared.pool.acquire().await?;
        store::note_delivery(&mut conn, change.id, &delivered).await
    };
    // It is sent again when the claim has run out.
    if let Err(error) = noted.await {
        tracing::warn!("change {} of an alert: {error}", change.id);
    }
}

/// Sends a change; returns the status of 200 to 299, or why it was not delivered.
async fn send(
    webhooks: &Webhooks,
    url: &str,
    change: &ClaimedChange,
    timeout: Duration,
) -> Result<u16, String> {
    let mut payload = change.payload.clone();
    if let Json::Object(fields) = &mut payload {
        fields.insert("id".to_owned(), change.id.into());
    }
    let host = condition::masked(url);
    match webhooks
        .send(url, &change.delivery_key, &payload, timeout)
        .await
    {
        Ok(status @ 200..300) => Ok(status),
        Ok(status) => Err(format!("{host} answered {status}")),
        Err(problem) => Err(format!("{host}: {problem}")),
    }
}

/// What became of a test of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestOutcome {
    /// The id of the change.
    pub change_id: i64,
    /// The webhook without its secrets.
    pub webhook: String,
    /// The status of its answer, or why it was not delivered.
    pub delivered: Result<u16, String>,
}

/// Sends a change `test` to the webhook of a rule now, and stores it; it is not sent again.
///
/// `None` if the rule has no webhook.
///
/// # Errors
///
/// [`Error::is_not_found`] if there is no such rule; those of the database.
pub async fn test(
    pool: &PgPool,
    id: i64,
    settings: &AlertSettings,
) -> Result<Option<TestOutcome>, Error> {
    let mut conn = pool.acquire().await?;
    let rule = lookback::AlertRule::records()
        .with_hidden(lookback::AlertRule::webhook_url())
        .get(&mut conn, id)
        .await?;
    let Some(url) = rule.webhook_url.get().cloned().flatten() else {
        return Ok(None);
    };
    let measured = Measured::default();
    let mut new = store::new_change(&rule, AlertState::Test, &measured, chrono::Utc::now())?;
    // Until it is delivered.
    new.delivery = AlertDelivery::Failed;
    let stored = AlertChange::records().create(&mut conn, new).await?;
    drop(conn);
    let change = ClaimedChange {
        id: stored.id,
        payload: stored.payload,
        delivery_key: stored.delivery_key,
        attempts: 1,
        is_last: true,
        url: None,
    };
    let delivered = send(
        &Webhooks::default(),
        &url,
        &change,
        settings.webhook_timeout,
    )
    .await;
    let noted = match &delivered {
        Ok(_) => Delivered::Yes,
        Err(problem) => Delivered::Failed(problem.clone()),
    };
    let mut conn = pool.acquire().await?;
    store::note_delivery(&mut conn, change.id, &noted).await?;
    Ok(Some(TestOutcome {
        change_id: change.id,
        webhook: condition::masked(&url),
        delivered,
    }))
}
