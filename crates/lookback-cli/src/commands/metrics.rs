//! `lookback metrics`: `rebuild`, and the commands for all records.

use chrono::{DateTime, Utc};
use lookback::capture::{RebuildOptions, RebuildReport, rebuild_windows};
use lookback::maintenance::cutoff_clock;
use lookback::value::parse_time;
use lookback::{Metric, Model as _, RequestSnapshot};
use serde_json::json;

use super::records;
use crate::args::{MetricCommand, RebuildArgs};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted};
use crate::privileges;

pub(crate) async fn run(config: &Config, command: MetricCommand) -> Result<(), Failure> {
    match command {
        MetricCommand::Rebuild(args) => match rebuild(config, &args).await {
            Err(failure) => {
                let needs = [
                    (RequestSnapshot::TABLE.name(), privileges::READ),
                    (Metric::TABLE.name(), privileges::ADD),
                ];
                Err(privileges::explain(config, failure, &needs).await)
            }
            done => done,
        },
        MetricCommand::Records(command) => records::run::<Metric>(config, command).await,
    }
}

async fn rebuild(config: &Config, args: &RebuildArgs) -> Result<(), Failure> {
    // Rejects an invalid time before connecting to the database, whose clock is used later.
    range(args, Utc::now())?;
    let pool = database::pool(config, 2).await?;
    let now = cutoff_clock(&mut *pool.acquire().await?).await?;
    let (from, until) = range(args, now)?;
    let mut options = RebuildOptions::default();
    options.dry_run = args.dry_run;
    options.lower = args.lower;

    let minutes = |from: DateTime<Utc>, until: DateTime<Utc>| {
        u64::try_from((until - from).num_minutes()).unwrap_or(0)
    };
    let bar = output::bar(minutes(from, until));
    let mut last = None;
    let work = rebuild_windows(&pool, from, until, options, |reached, report| {
        bar.set_position(minutes(from, reached));
        bar.set_message(counted(report.requests, "request"));
        last = Some((reached, *report));
    });
    let done = tokio::select! {
        done = work => done.map_err(Failure::from),
        () = records::interrupted() => Err(Failure::interrupted("interrupted")),
    };
    bar.finish_and_clear();
    match done {
        Ok(report) => show(args, from, until, &report),
        Err(failure) => {
            // Each hour is a transaction.
            Err(match last {
                Some((reached, report)) => {
                    show(args, from, reached, &report)?;
                    failure.hint(format!(
                        "the rest: lookback metrics rebuild --from {}",
                        output::time(reached)
                    ))
                }
                None => failure,
            })
        }
    }
}

fn range(
    args: &RebuildArgs,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
    let time = |name: &str, text: &str| {
        parse_time(text, now)
            .map_err(|problem| Failure::usage(format!("--{name}: `{text}` {problem}")))
    };
    let (from, until) = (time("from", &args.from)?, time("until", &args.until)?);
    if from >= until {
        return Err(Failure::usage(format!(
            "--from ({}) must be before --until ({})",
            output::time(from),
            output::time(until)
        )));
    }
    Ok((from, until))
}

fn show(
    args: &RebuildArgs,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    report: &RebuildReport,
) -> Result<(), Failure> {
    if args.json {
        return output::json(&json!({
            "data": {
                "from": output::time(from),
                "until": output::time(until),
                "requests": report.requests,
                "created": report.created,
                "changed": report.changed,
                "unchanged": report.unchanged,
                "kept": report.kept,
            },
            "metadata": { "dry_run": args.dry_run },
        }));
    }
    let windows = [
        (report.created, "created"),
        (report.changed, "changed"),
        (report.unchanged, "unchanged"),
        (report.kept, "kept"),
    ];
    let windows: Vec<String> = windows
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", output::grouped(count)))
        .collect();
    let windows = match windows.as_slice() {
        [] => "no windows".to_owned(),
        windows => format!("windows: {}", windows.join(", ")),
    };
    output::note(&format!(
        "{} from {} to {}; {windows}",
        counted(report.requests, "request"),
        output::time(from),
        output::time(until)
    ));
    if report.kept > 0 {
        output::hint(&format!(
            "{} more requests than are stored, because of sampling or deleted records; to replace \
             them, too: --lower",
            if report.kept == 1 {
                "1 window counts".to_owned()
            } else {
                format!("{} windows count", output::grouped(report.kept))
            }
        ));
    }
    if args.dry_run {
        output::note("dry run: nothing was changed");
    }
    Ok(())
}
