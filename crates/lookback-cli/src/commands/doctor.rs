//! `lookback doctor`: checks the database in use, and says how to fix what it finds.

use lookback_embedded::Machine;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::config::{Config, Origin};
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted};

mod finding;
mod records;
mod server;
mod settings;

use finding::{Finding, Report, Severity};

/// The database that was checked.
struct Checked {
    /// Its URL without its password.
    url: String,
    is_private: bool,
    facts: Option<server::Facts>,
}

pub(crate) async fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let mut report = Report::default();
    let is_private = config.database_url.origin == Origin::Default;
    let mut checked = Checked {
        url: "the private PostgreSQL".to_owned(),
        is_private,
        facts: None,
    };
    if let Some(url) = &config.database_url.value {
        checked.url = database::without_password(url);
    }
    match database::connect_to(config).await {
        Ok((mut conn, options)) => {
            let machine = is_private
                .then(|| database::private_server(config))
                .transpose()?
                .map(|(_, server)| server.machine());
            checked.facts = check(&mut conn, &options, machine, &mut report).await;
            let _ = conn.close().await;
        }
        Err(failure) if failure.is_usage() => return Err(failure),
        Err(failure) => report.add("connection", vec![of_failure("connection", &failure)]),
    }
    if json {
        output::json(&as_json(&checked, &report))?;
    } else {
        print(&checked, &report)?;
    }
    match report.count(Severity::Problem) {
        0 => Ok(()),
        problems => Err(Failure::failed(format!(
            "{} found",
            counted(problems, "problem")
        ))),
    }
}

/// Runs all checks on a connection.
async fn check(
    conn: &mut PgConnection,
    options: &PgConnectOptions,
    machine: Option<Machine>,
    report: &mut Report,
) -> Option<server::Facts> {
    let pooled = server::pooler(conn, options).await;
    let may_set = matches!(&pooled, Ok(found) if found.is_empty());
    add(report, "connection", pooled);
    let facts = match server::Facts::read(conn, machine.is_some()).await {
        Ok(facts) => facts,
        Err(failure) => {
            report.add("server", vec![of_failure("server", &failure)]);
            return None;
        }
    };
    // Behind a pooler the limit could stay for the next client.
    if may_set {
        server::limit_time(conn).await;
    }
    add(report, "extensions", server::extensions(conn).await);
    let migrations = records::migrations(conn).await;
    let has_tables = !has_problem(&migrations);
    add(report, "migrations", migrations);
    if has_tables {
        let privileges = records::privileges(conn).await;
        let may_read = !has_problem(&privileges);
        add(report, "privileges", privileges);
        if may_read {
            add(report, "encoder", records::encoder(conn).await);
            add(report, "partitions", records::partitions(conn).await);
        }
    }
    report.add(
        "durability",
        settings::durability(&facts.settings, &facts.place),
    );
    report.add("settings", settings::speed(&facts.settings, &facts.place));
    report.add(
        "time limits",
        settings::limits(&facts.settings, &facts.place),
    );
    report.add("restart", server::waiting(&facts));
    add(report, "indexes", server::invalid_indexes(conn).await);
    add(report, "dead rows", server::dead_rows(conn).await);
    add(
        report,
        "transactions",
        server::transactions(conn, &facts).await,
    );
    add(report, "replication", server::replication(conn).await);
    if let Some(machine) = machine {
        report.add("disk", server::disk(machine, &facts));
    }
    Some(facts)
}

fn has_problem(found: &Result<Vec<Finding>, Failure>) -> bool {
    let is_problem = |finding: &Finding| finding.severity == Severity::Problem;
    found
        .as_ref()
        .is_ok_and(|found| found.iter().any(is_problem))
}

/// Adds the findings of a check, or why it could not be made.
fn add(report: &mut Report, check: &'static str, found: Result<Vec<Finding>, Failure>) {
    let found = found.unwrap_or_else(|failure| {
        let unseen = Finding::unseen(check, failure.message());
        vec![match failure.hint_text() {
            Some(hint) => unseen.fix(hint),
            None => unseen,
        }]
    });
    report.add(check, found);
}

/// A failure as a problem.
fn of_failure(check: &'static str, failure: &Failure) -> Finding {
    let finding = Finding::problem(check, failure.message());
    match failure.hint_text() {
        Some(hint) => finding.fix(hint),
        None => finding,
    }
}

fn print(checked: &Checked, report: &Report) -> Result<(), Failure> {
    output::line(&format!("database  {}", output::printable(&checked.url)))?;
    if let Some(facts) = &checked.facts {
        let whose = if checked.is_private { ", private" } else { "" };
        output::line(&format!("server    PostgreSQL {}{whose}", facts.version))?;
        output::line(&format!("size      {}", output::bytes(facts.bytes)))?;
    }
    if !report.passed.is_empty() {
        output::line(&format!("ok        {}", report.passed.join(", ")))?;
    }
    for finding in &report.findings {
        output::line("")?;
        let (severity, check) = (finding.severity.name(), finding.check);
        let what = output::printable_lines(&finding.what);
        output::line(&format!("{severity} ({check}): {what}"))?;
        if !finding.why.is_empty() {
            output::line(&format!("  why: {}", output::printable(&finding.why)))?;
        }
        for fix in &finding.fix {
            output::line(&format!("  fix: {}", output::printable_lines(fix)))?;
        }
    }
    if report.count(Severity::Problem) == 0 {
        let advice = match report.count(Severity::Advice) {
            0 => "no advice".to_owned(),
            1 => "1 piece of advice".to_owned(),
            count => format!("{count} pieces of advice"),
        };
        output::note(&format!("no problem found, {advice}"));
    }
    Ok(())
}

fn as_json(checked: &Checked, report: &Report) -> Value {
    let findings: Vec<Value> = report.findings.iter().map(Finding::as_json).collect();
    let facts = checked.facts.as_ref();
    json!({"data": {
        "database": checked.url, "is_private": checked.is_private,
        "version": facts.map(|facts| &facts.version), "bytes": facts.map(|facts| facts.bytes),
        "passed": report.passed, "findings": findings,
    }})
}
