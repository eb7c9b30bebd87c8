//! Models straight into a database, for development.

use lookback_schema::{Change, Decisions, Plan, Risk, Schema, diff};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::error::Error;
use crate::migrate::generate::undecided;
use crate::migrate::{Scope, canonical, introspect};

/// What [`push`] would do: the difference between `models` and the database.
///
/// Tables of the database that neither `models` nor `known` (the newest
/// snapshot) has are not ours and are left alone.
///
/// # Errors
///
/// Those of the database; [`Error::is_setup`] if the difference cannot be told
/// from a rename without a decision.
pub async fn difference(
    conn: &mut PgConnection,
    models: &Schema,
    known: &Schema,
    decisions: &Decisions,
) -> Result<Plan, Error> {
    let live = introspect(conn, &Scope::of([models, known])).await?;
    let wanted = canonical(conn, models).await?;
    let decisions = Decisions {
        one_transaction: true,
        ..decisions.clone()
    };
    diff(&live, &wanted, &decisions).map_err(undecided)
}

/// The objects whose data a plan loses, as flags name them.
pub fn data_lost_by(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .filter(|step| {
            step.risks
                .iter()
                .any(|risk| matches!(risk, Risk::LosesData(_)))
        })
        .map(|step| step.change.object())
        .collect()
}

/// Makes the changes of a plan, all in one transaction.
///
/// `allow_data_loss` names each object that may lose data. No row is changed
/// or removed to make a change fit: what does not fit is refused.
///
/// # Errors
///
/// [`Error::is_setup`] for an object that would lose data and is not named;
/// whatever the database refuses, with the statement. Nothing is changed then.
pub async fn push(
    conn: &mut PgConnection,
    plan: &Plan,
    allow_data_loss: &[String],
) -> Result<(), Error> {
    let lost: Vec<String> = data_lost_by(plan)
        .into_iter()
        .filter(|object| !allow_data_loss.contains(object))
        .collect();
    if !lost.is_empty() {
        return Err(Error::Setup {
            problem: format!("this loses data: {}", lost.join(", ")),
            hint: format!(
                "if that is meant, add {}",
                lost.iter()
                    .map(|object| format!("--allow-data-loss '{object}'"))
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        });
    }
    let mut transaction = conn.begin().await?;
    for step in &plan.steps {
        for statement in step.change.statements() {
            // The differ writes it: names in quotes, expressions of the models.
            if let Err(error) = transaction.execute(AssertSqlSafe(statement.as_str())).await {
                return Err(refused(&step.change, &statement, error));
            }
        }
    }
    transaction.commit().await?;
    Ok(())
}

fn refused(change: &Change, statement: &str, error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(refusal) => Error::Setup {
            problem: format!(
                "{}: {} (SQLSTATE {})",
                change.summary(),
                refusal.message(),
                refusal.code().unwrap_or_default()
            ),
            hint: format!("nothing was changed; the statement was:\n    {statement}"),
        },
        _ => error.into(),
    }
}
