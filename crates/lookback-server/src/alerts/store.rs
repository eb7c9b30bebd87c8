//! The states of rules and the delivery of changes in the database, with the claims on both.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lookback::{
    AlertChange, AlertDelivery, AlertRule, AlertState, Error, Json, NewAlertChange, json,
};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::condition::{self, text};
use super::measure::Measured;
use super::phase::Phase;

/// A rule that this process evaluates until its claim has run out.
#[derive(Debug)]
pub(super) struct ClaimedRule {
    pub(super) rule: AlertRule,
    /// Whether it is neither deleted nor disabled.
    pub(super) is_live: bool,
    pub(super) phase: Phase,
    pub(super) since: DateTime<Utc>,
    /// The time of the database.
    pub(super) now: DateTime<Utc>,
    claim: i64,
}

/// A change that this process delivers.
#[derive(Debug)]
pub(super) struct ClaimedChange {
    pub(super) id: i64,
    pub(super) payload: Json,
    pub(super) delivery_key: String,
    pub(super) attempts: i32,
    /// Whether it is so old that it is given up.
    pub(super) is_last: bool,
    /// `None` if the rule has no webhook any more.
    pub(super) url: Option<String>,
}

/// Claims a rule whose time has come; `None` if there is none.
pub(super) async fn claim_rule(
    conn: &mut PgConnection,
    lease: Duration,
) -> Result<Option<ClaimedRule>, Error> {
    sqlx::query(
        "INSERT INTO alert_statuses (rule_id, phase, since, next_at, claim) \
         SELECT id, 'ok', now(), now(), 0 FROM alert_rules AS rule \
         WHERE enabled AND deleted_at IS NULL \
         AND NOT EXISTS (SELECT FROM alert_statuses WHERE rule_id = rule.id) \
         ON CONFLICT (rule_id) DO NOTHING",
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query(
        "UPDATE alert_statuses SET claim = claim + 1, next_at = now() + make_interval(secs => $1) \
         WHERE rule_id = (SELECT status.rule_id FROM alert_statuses AS status \
         JOIN alert_rules AS rule ON rule.id = status.rule_id WHERE status.next_at <= now() \
         AND ((rule.enabled AND rule.deleted_at IS NULL) OR status.phase <> 'ok') \
         ORDER BY status.next_at LIMIT 1 FOR UPDATE OF status SKIP LOCKED) \
         RETURNING rule_id, phase, since, claim, now() AS now",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let rule = rule_with_webhook(conn, row.try_get("rule_id")?).await?;
    let phase: String = row.try_get("phase")?;
    Ok(Some(ClaimedRule {
        is_live: rule.enabled && rule.deleted_at.get().is_some_and(Option::is_none),
        rule,
        phase: Phase::of(&phase),
        since: row.try_get("since")?,
        now: row.try_get("now")?,
        claim: row.try_get("claim")?,
    }))
}

/// Reads a rule with its webhook, also a deleted one.
pub(super) async fn rule_with_webhook(
    conn: &mut PgConnection,
    id: i64,
) -> Result<AlertRule, Error> {
    AlertRule::records()
        .with_deleted()
        .with_hidden(AlertRule::webhook_url())
        .with_hidden(AlertRule::deleted_at())
        .get(conn, id)
        .await
}

/// Stores what became of an evaluation, and the change that follows from it, in one transaction.
///
/// Returns whether it was stored: not if the claim has run out, and another process has the rule.
pub(super) async fn finish(
    conn: &mut PgConnection,
    claimed: &ClaimedRule,
    phase: Phase,
    measured: &Measured,
    change: Option<AlertState>,
    interval: Duration,
) -> Result<bool, Error> {
    let since = if phase == claimed.phase {
        claimed.since
    } else {
        claimed.now
    };
    let mut transaction = conn.begin().await?;
    let updated = sqlx::query(
        "UPDATE alert_statuses SET phase = $3, since = $4, value = $5, evaluated_at = $6, \
         problem = NULL, next_at = now() + make_interval(secs => $7) \
         WHERE rule_id = $1 AND claim = $2",
    )
    .bind(claimed.rule.id)
    .bind(claimed.claim)
    .bind(phase.name())
    .bind(since)
    .bind(measured.value)
    .bind(claimed.now)
    .bind(interval.as_secs_f64())
    .execute(&mut *transaction)
    .await?;
    if updated.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(state) = change {
        let mut new = new_change(&claimed.rule, state, measured, claimed.now)?;
        let has_webhook = matches!(claimed.rule.webhook_url.get(), Some(Some(_)));
        if has_webhook {
            new.delivery = AlertDelivery::Pending;
            new.next_attempt_at = Some(claimed.now);
        }
        AlertChange::records().create(&mut transaction, new).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Stores why a rule could not be evaluated. Its state stays.
pub(super) async fn fail(
    conn: &mut PgConnection,
    claimed: &ClaimedRule,
    problem: &str,
    interval: Duration,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE alert_statuses SET problem = $3, next_at = now() + make_interval(secs => $4) \
         WHERE rule_id = $1 AND claim = $2",
    )
    .bind(claimed.rule.id)
    .bind(claimed.claim)
    .bind(problem)
    .bind(interval.as_secs_f64())
    .execute(conn)
    .await?;
    Ok(())
}

/// Creates the change of a rule, without a delivery.
pub(super) fn new_change(
    rule: &AlertRule,
    state: AlertState,
    measured: &Measured,
    now: DateTime<Utc>,
) -> Result<NewAlertChange, Error> {
    let message = match state {
        AlertState::Test => format!("{}: a test of the webhook ({})", rule.name, text(rule)),
        state => condition::message(rule, state.as_str(), measured.value),
    };
    let examples: Json = measured.examples.iter().map(String::as_str).collect();
    let payload = json!({
        "state": state.as_str(),
        "at": now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "rule": { "id": rule.id, "name": rule.name.as_str() },
        "subject": rule.subject.as_str(),
        "filter": rule.filter.as_deref(),
        "measure": rule.measure.as_str(),
        "comparison": rule.comparison.as_str(),
        "threshold": rule.threshold,
        "period": rule.period,
        "value": measured.value,
        "message": message.as_str(),
        "text": message.as_str(),
        "examples": examples,
    });
    let key = delivery_key().map_err(sqlx::Error::Io)?;
    let mut new = NewAlertChange::new(
        rule.id,
        rule.name.clone(),
        state,
        message,
        payload,
        key,
        AlertDelivery::None,
    );
    new.value = measured.value;
    Ok(new)
}

/// Makes a key: 32 random hexadecimal digits.
fn delivery_key() -> std::io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(random)))
}

/// Claims a change that waits to be sent; `None` if there is none. A change waits for earlier ones
/// of its rule.
pub(super) async fn claim_change(
    conn: &mut PgConnection,
    lease: Duration,
) -> Result<Option<ClaimedChange>, Error> {
    let row = sqlx::query(
        "UPDATE alert_changes SET attempts = attempts + 1, updated_at = now(), \
         next_attempt_at = now() + make_interval(secs => $1) \
         WHERE id = (SELECT id FROM alert_changes AS change WHERE delivery = 'pending' \
         AND next_attempt_at <= now() AND deleted_at IS NULL AND NOT EXISTS (\
         SELECT FROM alert_changes AS earlier WHERE earlier.rule_id = change.rule_id \
         AND earlier.delivery = 'pending' AND earlier.deleted_at IS NULL \
         AND earlier.id < change.id) \
         ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) \
         RETURNING id, rule_id, payload::text AS payload, delivery_key, attempts, \
         created_at < now() - interval '1 day' AS is_last",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let rule = rule_with_webhook(conn, row.try_get("rule_id")?).await;
    let url = match rule {
        Ok(rule) => rule.webhook_url.into_inner().flatten(),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    let payload: String = row.try_get("payload")?;
    Ok(Some(ClaimedChange {
        id: row.try_get("id")?,
        payload: payload.parse().unwrap_or(Json::Null),
        delivery_key: row.try_get("delivery_key")?,
        attempts: row.try_get("attempts")?,
        is_last: row.try_get("is_last")?,
        url,
    }))
}

/// What becomes of a change after it was sent, or was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// The webhook has it.
    Yes,
    /// It is sent again after a pause.
    Later(String, Duration),
    /// It is given up.
    Failed(String),
    /// There is no webhook.
    NoWebhook,
}

/// Stores what became of a change. One that was delivered meanwhile by another process stays so.
pub(super) async fn note_delivery(
    conn: &mut PgConnection,
    id: i64,
    delivered: &Delivered,
) -> Result<(), Error> {
    let (delivery, error, pause) = match delivered {
        Delivered::Yes => (AlertDelivery::Delivered, None, None),
        Delivered::Later(error, pause) => (AlertDelivery::Pending, Some(error), Some(*pause)),
        Delivered::Failed(error) => (AlertDelivery::Failed, Some(error), None),
        Delivered::NoWebhook => (AlertDelivery::None, None, None),
    };
    sqlx::query(
        "UPDATE alert_changes SET delivery = $2, last_error = $3, updated_at = now(), \
         next_attempt_at = now() + make_interval(secs => $4), \
         delivered_at = CASE WHEN $2 = 'delivered' THEN now() END \
         WHERE id = $1 AND delivery <> 'delivered'",
    )
    .bind(id)
    .bind(delivery.as_str())
    .bind(error)
    .bind(pause.map(|pause| pause.as_secs_f64()))
    .execute(conn)
    .await?;
    Ok(())
}

/// A rule with its state, for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AlertReport {
    /// The rule.
    pub rule: AlertRule,
    /// Its condition: `logs in the last 5m > 20`.
    pub condition: String,
    /// The webhook without its secrets: `https://hooks.example.com/…`.
    pub webhook: Option<String>,
    /// `ok`, `pending`, `firing` or `resolving`; `disabled` if it is not evaluated.
    pub state: &'static str,
    /// Since when; `None` if it was never evaluated.
    pub since: Option<DateTime<Utc>>,
    /// What was measured last.
    pub value: Option<f64>,
    /// When.
    pub evaluated_at: Option<DateTime<Utc>>,
    /// Why it could not be evaluated.
    pub problem: Option<String>,
}

/// Reads the live rules with their states: all, or one.
///
/// # Errors
///
/// [`Error::is_not_found`] for an id without a rule; those of the database.
pub async fn reports(conn: &mut PgConnection, id: Option<i64>) -> Result<Vec<AlertReport>, Error> {
    /// The most rules that are listed.
    const MOST: u32 = 1_000;
    let query = AlertRule::records().with_hidden(AlertRule::webhook_url());
    let rules = match id {
        Some(id) => vec![query.get(&mut *conn, id).await?],
        None => {
            let query = query.order_by(AlertRule::id().asc()).limit(MOST);
            query.without_total().list(&mut *conn).await?.data
        }
    };
    let ids: Vec<i64> = rules.iter().map(|rule| rule.id).collect();
    let rows = sqlx::query(
        "SELECT rule_id, phase, since, value, evaluated_at, problem FROM alert_statuses \
         WHERE rule_id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let mut statuses = HashMap::new();
    for row in rows {
        statuses.insert(row.try_get::<i64, _>("rule_id")?, row);
    }
    rules
        .into_iter()
        .map(|rule| {
            let status = statuses.get(&rule.id);
            let phase: Option<String> = status.map(|row| row.try_get("phase")).transpose()?;
            let webhook = rule.webhook_url.get().and_then(Option::as_deref);
            Ok(AlertReport {
                condition: text(&rule),
                webhook: webhook.map(condition::masked),
                state: if rule.enabled {
                    Phase::of(phase.as_deref().unwrap_or_default()).name()
                } else {
                    "disabled"
                },
                since: status.map(|row| row.try_get("since")).transpose()?,
                value: status
                    .map(|row| row.try_get("value"))
                    .transpose()?
                    .flatten(),
                evaluated_at: status
                    .map(|row| row.try_get("evaluated_at"))
                    .transpose()?
                    .flatten(),
                problem: status
                    .map(|row| row.try_get("problem"))
                    .transpose()?
                    .flatten(),
                rule,
            })
        })
        .collect()
}
