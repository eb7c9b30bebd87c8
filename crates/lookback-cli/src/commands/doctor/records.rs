//! Checks of the tables, of who may use them, and of the state of their partitions.

use lookback::maintenance::{self, PartitionState};
use lookback::migrate::{self, MigrationState};
use lookback::{Log, Metric, Model as _, RequestSnapshot, User};
use sqlx::{PgConnection, Row as _};

use super::finding::Finding;
use crate::failure::Failure;
use crate::failure::remedy;
use crate::output::{self, counted};
use crate::privileges::{self, Required};

/// More than five segments.
const MANY_UNSEALED: u64 = 5 * 16_384;

/// Checks whether all migrations of this version are applied.
pub(super) async fn migrations(conn: &mut PgConnection) -> Result<Vec<Finding>, Failure> {
    let all = migrate::status(conn, &migrate::built_in_migrations()).await?;
    let names = |wanted: &dyn Fn(MigrationState) -> bool| -> Vec<String> {
        let found = all.iter().filter(|one| wanted(one.state));
        found
            .map(|one| format!("{}_{}", one.version, one.description.replace(' ', "_")))
            .collect()
    };
    let count = |names: &[String], what: &str| {
        counted(u64::try_from(names.len()).unwrap_or(u64::MAX), what)
    };
    let mut findings = Vec::new();
    let pending = names(&|state| {
        !matches!(
            state,
            MigrationState::Applied | MigrationState::Edited | MigrationState::Missing
        )
    });
    if !pending.is_empty() {
        let are = if pending.len() == 1 { "is" } else { "are" };
        let what = format!(
            "{} {are} not applied: {}",
            count(&pending, "migration"),
            pending.join(", ")
        );
        findings.push(
            Finding::problem("migrations", what)
                .because("this version of Lookback needs them")
                .fix("lookback db migrate"),
        );
    }
    let edited = names(&|state| state == MigrationState::Edited);
    if !edited.is_empty() {
        let what = format!("applied in another form: {}", edited.join(", "));
        findings.push(
            Finding::advice("migrations", what)
                .because("the tables may differ from what this version expects")
                .fix("lookback db status"),
        );
    }
    let newer = names(&|state| state == MigrationState::Missing);
    if !newer.is_empty() {
        let what = format!("unknown to this version: {}", newer.join(", "));
        findings.push(
            Finding::advice("migrations", what)
                .because("a newer Lookback, or another program, has applied them")
                .fix("use the version of Lookback that has applied them"),
        );
    }
    Ok(findings)
}

/// Checks what this role may do: read, store, and maintain partitions.
pub(super) async fn privileges(conn: &mut PgConnection) -> Result<Vec<Finding>, Failure> {
    let tables = [
        Log::TABLE,
        RequestSnapshot::TABLE,
        Metric::TABLE,
        User::TABLE,
    ];
    let all = |rights: &'static [&'static str]| -> Vec<Required> {
        let records = tables.iter().map(|table| (table.name(), rights));
        records.chain(privileges::on_summaries(rights)).collect()
    };
    let partitioned = [Log::TABLE, RequestSnapshot::TABLE];
    let own = partitioned
        .iter()
        .map(|table| (table.name(), privileges::OWN));
    for (needs, is_problem, why) in [
        (
            all(privileges::READ),
            true,
            "with this role nothing can be listed or searched",
        ),
        (
            all(privileges::ALL),
            false,
            "with this role records can be read, and not all of import, update and delete work",
        ),
        (
            own.collect(),
            false,
            "with this role partitions can be neither created nor dropped: another one has to run \
             lookback storage seal --watch, and lookback storage prune",
        ),
    ] {
        let missing = privileges::find_missing(conn, &needs)
            .await
            .map_err(|error| Failure::from(lookback::Error::from(error)))?;
        if let Some(missing) = missing {
            let finding = if is_problem {
                Finding::problem("privileges", missing.message())
            } else {
                Finding::advice("privileges", missing.message())
            };
            let hint = missing.hint_text().unwrap_or_default();
            return Ok(vec![finding.because(why).fix(hint)]);
        }
    }
    Ok(Vec::new())
}

/// Checks whether this version of the encoder computed the vectors.
pub(super) async fn encoder(conn: &mut PgConnection) -> Result<Vec<Finding>, Failure> {
    match lookback::setup::check_encoder(conn).await {
        Err(error) if error.remedy() == Some(lookback::error::Remedy::RecomputeVectors) => {
            let finding = Finding::problem("encoder", error.to_string());
            Ok(vec![finding.fix(remedy::library::hint(
                &lookback::error::Remedy::RecomputeVectors,
            ))])
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Vec::new()),
    }
}

/// Checks whether maintenance keeps up: partitions ahead, and few records that are not sealed.
pub(super) async fn partitions(conn: &mut PgConnection) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for table in [Log::TABLE, RequestSnapshot::TABLE] {
        let name = table.name();
        let status = maintenance::status(conn, table).await?;
        let default: i64 = sqlx::query(
            "SELECT coalesce(sum(pg_relation_size(partdefid)), 0)::bigint AS bytes \
             FROM pg_partitioned_table WHERE partrelid = to_regclass($1) AND partdefid <> 0",
        )
        .bind(name)
        .fetch_one(&mut *conn)
        .await
        .and_then(|row| row.try_get("bytes"))
        .map_err(|error| Failure::from(lookback::Error::from(error)))?;
        if default > 0 {
            let what = format!(
                "the default partition of {name} has records ({})",
                output::bytes(default.unsigned_abs())
            );
            findings.push(
                Finding::advice("partitions", what)
                    .because(
                        "they arrived when there was no partition for their ids; retention never \
                         drops the default partition",
                    )
                    .fix("lookback storage seal"),
            );
        } else if !status.partitions.is_empty() && status.count(PartitionState::Precreated) == 0 {
            findings.push(
                Finding::advice("partitions", format!("{name} has no pre-created partition"))
                    .because("once the newest one is full, records go into the default partition")
                    .fix("lookback storage seal, or continuously: lookback storage seal --watch"),
            );
        }
        if status.unsealed_rows > MANY_UNSEALED {
            let what = format!(
                "{name} has {} that are not sealed",
                counted(status.unsealed_rows, "record")
            );
            findings.push(
                Finding::advice("partitions", what)
                    .because("a search reads each of them")
                    .fix("lookback storage seal, or continuously: lookback storage seal --watch"),
            );
        }
    }
    Ok(findings)
}
