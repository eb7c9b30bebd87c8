//! `lookback alerts`

use std::time::Duration;

use lookback::{
    AlertChange, AlertComparison, AlertMeasure, AlertRule, AlertSubject, Error, Model as _,
    NewAlertRule,
};
use lookback_server::alerts::{self, AlertReport, AlertSettings};
use serde_json::json;
use sqlx::Connection as _;

use super::records::query_failure;
use crate::args::{AlertCommand, CreateAlertArgs, MeasureArg, SubjectArg};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading};
use crate::privileges;

pub(crate) async fn run(config: &Config, command: AlertCommand) -> Result<(), Failure> {
    let rules = AlertRule::TABLE.name();
    let changes = AlertChange::TABLE.name();
    let needs = match &command {
        AlertCommand::List { .. } => vec![(rules, privileges::READ)],
        AlertCommand::Create(_) => vec![(rules, privileges::ADD)],
        AlertCommand::Delete { .. } => vec![(rules, privileges::CHANGE)],
        AlertCommand::Test { .. } => {
            vec![(rules, privileges::READ), (changes, privileges::CHANGE)]
        }
        AlertCommand::History { .. } => vec![(changes, privileges::READ)],
    };
    match execute(config, command).await {
        Err(failure) => Err(privileges::explain(config, failure, &needs).await),
        done => done,
    }
}

async fn execute(config: &Config, command: AlertCommand) -> Result<(), Failure> {
    match command {
        AlertCommand::List { json } => {
            let mut conn = database::connect(config).await?;
            let reports = alerts::reports(&mut conn, None).await?;
            if json {
                let data: Vec<_> = reports.iter().map(report_json).collect();
                return output::json(&json!({ "data": data }));
            }
            list(&reports)
        }
        AlertCommand::Create(args) => create(config, *args).await,
        AlertCommand::Delete { id } => {
            let mut conn = database::connect(config).await?;
            let deleted = AlertRule::records().delete(&mut conn, id).await;
            deleted.map_err(|error| no_rule(error, id))?;
            output::note(&format!("deleted alert {id}"));
            Ok(())
        }
        AlertCommand::Test { id } => {
            let pool = database::pool(config, 1).await?;
            let tested = alerts::test(&pool, id, &AlertSettings::default()).await;
            let outcome = tested.map_err(|error| no_rule(error, id))?;
            pool.close().await;
            let Some(outcome) = outcome else {
                return Err(Failure::failed(format!("alert {id} has no webhook")));
            };
            match outcome.delivered {
                Ok(status) => {
                    output::note(&format!("delivered: {} answered {status}", outcome.webhook));
                    Ok(())
                }
                Err(problem) => Err(Failure::failed(format!("not delivered: {problem}"))),
            }
        }
        AlertCommand::History { id, limit, json } => {
            let mut query = AlertChange::records()
                .order_by(AlertChange::id().desc())
                .limit(limit)
                .without_total();
            if let Some(id) = id {
                query = query.filter(AlertChange::rule_id().eq(id));
            }
            let mut conn = database::connect(config).await?;
            let page = query.list(&mut conn).await?;
            if json {
                return output::json(&json!({ "data": page.data }));
            }
            history(&page.data)
        }
    }
}

async fn create(config: &Config, args: CreateAlertArgs) -> Result<(), Failure> {
    let subject = match args.subject {
        SubjectArg::Logs => AlertSubject::Logs,
        SubjectArg::Requests => AlertSubject::Requests,
        SubjectArg::Metrics => AlertSubject::Metrics,
    };
    let measure = match args.measure {
        None if subject == AlertSubject::Metrics => AlertMeasure::ErrorRate,
        None | Some(MeasureArg::Count) => AlertMeasure::Count,
        Some(MeasureArg::NewPatterns) => AlertMeasure::NewPatterns,
        Some(MeasureArg::ErrorRate) => AlertMeasure::ErrorRate,
        Some(MeasureArg::P50Latency) => AlertMeasure::P50Latency,
        Some(MeasureArg::P95Latency) => AlertMeasure::P95Latency,
        Some(MeasureArg::P99Latency) => AlertMeasure::P99Latency,
        Some(MeasureArg::TrafficCount) => AlertMeasure::TrafficCount,
    };
    let mut filter = url::form_urlencoded::Serializer::new(String::new());
    let matching = args.matching.iter().map(|text| format!("match={text}"));
    for part in args.filters.iter().cloned().chain(matching) {
        let (name, value) = part.split_once('=').ok_or_else(|| {
            Failure::usage(format!("expected FIELD=VALUE, got `{part}`"))
                .hint("words are given by --match, and the name of the rule as one argument")
        })?;
        filter.append_pair(name, value);
    }
    let filter = filter.finish();
    let mut new = NewAlertRule::new(args.name, subject, measure);
    new.filter = Some(filter).filter(|filter| !filter.is_empty());
    let (comparison, threshold) = match (args.above, args.below) {
        (_, Some(below)) => (AlertComparison::Below, below),
        (above, None) => (AlertComparison::Above, above.unwrap_or(0.0)),
    };
    let new = new
        .comparison(comparison)
        .threshold(threshold)
        .period(seconds(args.period.0))
        .fire_after(seconds(args.fire_after.0))
        .resolve_after(seconds(args.resolve_after.0))
        .webhook_url(args.webhook)
        .enabled(!args.disabled);
    let mut conn = database::connect(config).await?;
    let mut transaction = conn.begin().await?;
    let created = AlertRule::records().create(&mut transaction, new).await;
    let created = created.map_err(query_failure)?;
    let with_webhook = AlertRule::records()
        .with_hidden(AlertRule::webhook_url())
        .get(&mut transaction, created.id)
        .await?;
    alerts::check(&with_webhook)
        .map_err(|(field, problem)| Failure::usage(format!("{field}: {problem}")))?;
    transaction.commit().await?;
    if args.json {
        return output::json(&json!({ "data": created }));
    }
    output::note(&format!("created alert {}: {}", created.id, created.name));
    Ok(())
}

/// Seconds as a column stores them; the column refuses what is too long.
fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

fn no_rule(error: Error, id: i64) -> Failure {
    if error.is_not_found() {
        Failure::failed(format!("no alert {id}")).hint("the ids of all: lookback alerts list")
    } else {
        error.into()
    }
}

fn report_json(report: &AlertReport) -> serde_json::Value {
    json!({
        "rule": report.rule,
        "condition": report.condition,
        "webhook": report.webhook,
        "state": report.state,
        "since": report.since.map(output::time),
        "value": report.value,
        "evaluated_at": report.evaluated_at.map(output::time),
        "problem": report.problem,
    })
}

fn list(reports: &[AlertReport]) -> Result<(), Failure> {
    let headings = [
        Heading::new("ID"),
        Heading::new("STATE"),
        Heading::new("VALUE"),
        Heading::text("CONDITION"),
        Heading::text("NAME"),
    ];
    let rows: Vec<Vec<Cell>> = reports
        .iter()
        .map(|report| {
            let style = match report.state {
                "firing" | "resolving" => output::RED,
                "pending" => output::YELLOW,
                _ => anstyle::Style::new(),
            };
            let value = report
                .value
                .map_or("-".to_owned(), |value| value.to_string());
            vec![
                Cell::new(report.rule.id.to_string()),
                Cell::new(report.state).style(style),
                Cell::new(value),
                Cell::new(report.condition.as_str()),
                Cell::new(report.rule.name.as_str()),
            ]
        })
        .collect();
    output::table(&headings, &rows)?;
    for report in reports {
        if let Some(problem) = &report.problem {
            output::warning(&format!(
                "alert {} cannot be evaluated: {problem}",
                report.rule.id
            ));
        }
    }
    Ok(())
}

fn history(changes: &[AlertChange]) -> Result<(), Failure> {
    let headings = [
        Heading::new("ID"),
        Heading::new("TIME"),
        Heading::new("STATE"),
        Heading::new("DELIVERY"),
        Heading::text("MESSAGE"),
    ];
    let rows: Vec<Vec<Cell>> = changes
        .iter()
        .map(|change| {
            vec![
                Cell::new(change.id.to_string()),
                Cell::new(output::time(change.created_at)),
                Cell::new(change.state.as_str()),
                Cell::new(change.delivery.as_str()),
                Cell::new(change.message.as_str()),
            ]
        })
        .collect();
    output::table(&headings, &rows)?;
    for change in changes {
        if let Some(error) = &change.last_error {
            output::hint(&format!("change {}: {error}", change.id));
        }
    }
    Ok(())
}
