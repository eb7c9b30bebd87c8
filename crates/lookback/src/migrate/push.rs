//! Models straight into a database, for development.

use lookback_schema::{Change, Plan, Risk, Schema};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::error::Error;
use crate::migrate::{Scope, canonical, introspect};

/// The database and the models, both as the server prints them, to be
/// compared by [`lookback_schema::diff`].
///
/// Tables of the database that neither `models` nor `known` (the newest
/// snapshot) has are not ours: they are in neither.
///
/// # Errors
///
/// Those of the database; an expression of the models that it refuses.
pub async fn both(
    conn: &mut PgConnection,
    models: &Schema,
    known: &Schema,
) -> Result<(Schema, Schema), Error> {
    let live = introspect(conn, &Scope::of([models, known])).await?;
    let wanted = canonical(conn, models).await?;
    Ok((live, wanted))
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

/// Refuses a plan that loses data of an object that is not named.
///
/// # Errors
///
/// [`Error::is_setup`], with the flag for each object.
pub fn check_data_loss(plan: &Plan, allowed: &[String]) -> Result<(), Error> {
    let lost: Vec<String> = data_lost_by(plan)
        .into_iter()
        .filter(|object| !allowed.contains(object))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    let flags: Vec<String> = lost
        .iter()
        .map(|object| format!("--allow-data-loss '{object}'"))
        .collect();
    Err(Error::Setup {
        problem: format!("this loses data: {}", lost.join(", ")),
        hint: format!("if that is meant, add {}", flags.join(" ")),
    })
}

/// Makes the changes of a plan, all in one transaction.
///
/// `allow_data_loss` names each object that may lose data. No row is changed
/// or removed to make a change fit: what does not fit is refused.
///
/// # Errors
///
/// Those of [`check_data_loss`]; whatever the database refuses, with the
/// statement. Nothing is changed then.
pub async fn push(
    conn: &mut PgConnection,
    plan: &Plan,
    allow_data_loss: &[String],
) -> Result<(), Error> {
    check_data_loss(plan, allow_data_loss)?;
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
    let sqlx::Error::Database(refusal) = &error else {
        return error.into();
    };
    let code = refusal.code().unwrap_or_default();
    let mut hint = format!("nothing was changed; the statement was:\n    {statement}");
    if let Some(flag) = flag_for(change, &code) {
        hint.push_str(&format!("\n{flag}"));
    }
    Error::Setup {
        problem: format!(
            "{}: {} (SQLSTATE {code})",
            change.summary(),
            refusal.message()
        ),
        hint,
    }
}

/// The flag that says what the rows that are in the way get.
fn flag_for(change: &Change, code: &str) -> Option<String> {
    let object = change.object();
    match change {
        Change::AddColumn { .. } | Change::SetNotNull { .. } if code == "23502" => Some(format!(
            "say what rows get that have no value: --fill '{object}=SQL'"
        )),
        // Values that do not fit (class 22), and types without a cast.
        Change::AlterType { .. } if code.starts_with("22") || code == "42804" => Some(format!(
            "say how a value becomes one of the new type: --using '{object}=SQL'"
        )),
        _ => None,
    }
}
