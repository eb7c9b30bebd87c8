//! Pushes a schema into a database, for development.

use lookback_schema::{Change, Decisions, Name, Plan, Risk, Schema};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::canonical::canonical_beside;
use crate::error::{ColumnNeed, Error, GenerateError, SchemaError};
use crate::introspect::{Scope, introspect};
use crate::{column_users, session_settings, sqlstate};

/// The live schema and the models' schema, both in canonical form.
///
/// [`lookback_schema::diff`] compares them. A database table is left out if
/// neither `models` nor `known` (the newest snapshot) has it, unless
/// `decisions` renames it.
///
/// # Errors
///
/// Those of the database; an expression of the models that the database
/// rejects.
pub async fn comparable_schemas(
    conn: &mut PgConnection,
    models: &Schema,
    known: &Schema,
    decisions: &Decisions,
) -> Result<(Schema, Schema), Error> {
    let mut scope = Scope::of([models, known]);
    for (from, _) in &decisions.renames {
        // The path of a column gives a name that no table has.
        if let Ok(name) = from.to_string().parse::<Name>() {
            scope.schemas.extend(name.schema.clone());
            scope.tables.get_or_insert_default().insert(name.clone());
            scope.enums.get_or_insert_default().insert(name);
        }
    }
    let live = introspect(conn, &scope).await?;
    let wanted = canonical_beside(conn, models, &live).await?;
    Ok((live, wanted))
}

/// Lists the tables that `plan` creates, each with a similar table of the
/// database.
///
/// A similar table is in no model and has most of the columns. It may be the
/// same table with another name.
///
/// # Errors
///
/// Those of the database.
pub async fn similar_tables(
    conn: &mut PgConnection,
    plan: &Plan,
    live: &Schema,
) -> Result<Vec<(Name, Name)>, Error> {
    let created = plan.steps.iter().filter_map(|step| match &step.change {
        Change::CreateTable { name, table } if !live.tables.contains_key(name) => {
            Some((name, table))
        }
        _ => None,
    });
    let created: Vec<_> = created.collect();
    if created.is_empty() {
        return Ok(Vec::new());
    }
    let scope = Scope {
        schemas: created
            .iter()
            .filter_map(|(name, _)| name.schema.clone())
            .collect(),
        ..Scope::default()
    };
    let all = introspect(conn, &scope).await?;
    let others = all
        .tables
        .iter()
        .filter(|(name, _)| !live.tables.contains_key(name));
    Ok(others
        .flat_map(|(other, there)| {
            let alike = created.iter().filter(move |(_, table)| {
                let shared = table.columns.iter().filter(|column| {
                    there
                        .column(&column.name)
                        .is_some_and(|c| c.data_type == column.data_type)
                });
                2 * shared.count() > table.columns.len().max(there.columns.len())
            });
            alike.map(move |(name, _)| ((*name).clone(), other.clone()))
        })
        .collect())
}

/// The objects whose data a plan loses, such as `logs.message`.
pub fn objects_losing_data(plan: &Plan) -> Vec<String> {
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

/// Rejects a plan that loses data of an object that is not in `allowed`.
///
/// # Errors
///
/// [`Error::is_generate`], with all objects in its remedy.
pub fn check_data_loss(plan: &Plan, allowed: &[String]) -> Result<(), Error> {
    let lost: Vec<String> = objects_losing_data(plan)
        .into_iter()
        .filter(|object| !allowed.contains(object))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(GenerateError::DataLoss { objects: lost }.into())
}

/// Executes a plan in one transaction.
///
/// `allow_data_loss` lists the objects that may lose data. No row is changed or
/// deleted to make a change possible.
///
/// # Errors
///
/// Those of [`check_data_loss`]; [`Error::is_schema`] if the database rejects a
/// statement. Nothing is changed then.
pub async fn push(
    conn: &mut PgConnection,
    plan: &Plan,
    allow_data_loss: &[String],
) -> Result<(), Error> {
    check_data_loss(plan, allow_data_loss)?;
    let mut transaction = conn.begin().await?;
    let earlier = session_settings::set_for_transaction(&mut transaction).await?;
    for batch in plan.batches() {
        // If one of several changes fails, they are made one by one, to find out which.
        let [step] = batch.steps else {
            transaction.execute("SAVEPOINT lookback_batch").await?;
            if execute(&mut transaction, &batch.statements()).await.is_ok() {
                continue;
            }
            transaction
                .execute("ROLLBACK TO SAVEPOINT lookback_batch")
                .await?;
            for step in batch.steps {
                make(&mut transaction, &step.change).await?;
            }
            continue;
        };
        make(&mut transaction, &step.change).await?;
    }
    // In the caller's transaction they would hold until its end.
    earlier.restore(&mut transaction).await?;
    transaction.commit().await?;
    Ok(())
}

async fn make(conn: &mut PgConnection, change: &Change) -> Result<(), Error> {
    let statements = change.statements();
    let may_have_users = matches!(change, Change::AlterType { .. });
    if may_have_users {
        conn.execute("SAVEPOINT lookback_change").await?;
    }
    let result = execute(conn, &statements).await;
    let Err((statement, error)) = result else {
        return Ok(());
    };
    let mut users = None;
    if matches!(change, Change::CheckEnumUsers { .. })
        && sqlstate::code(&error) == Some(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST)
    {
        users = Some(Vec::new());
    }
    if may_have_users && sqlstate::server_error(&error).is_some() {
        conn.execute("ROLLBACK TO SAVEPOINT lookback_change")
            .await?;
        let found = column_users::find(conn, statement, &error).await;
        users = Some(found).filter(|found| !found.is_empty());
    }
    Err(refused(change, statement, error, users))
}

/// Runs statements; returns the one that fails, and its error.
async fn execute<'s>(
    conn: &mut PgConnection,
    statements: &'s [String],
) -> Result<(), (&'s str, sqlx::Error)> {
    for statement in statements {
        // The diff creates the statement: names are quoted, expressions are from the models.
        if let Err(error) = conn.execute(AssertSqlSafe(statement.as_str())).await {
            return Err((statement, error));
        }
    }
    Ok(())
}

fn refused(
    change: &Change,
    statement: &str,
    source: sqlx::Error,
    users: Option<Vec<String>>,
) -> Error {
    let Some(code) = sqlstate::code(&source).map(str::to_owned) else {
        return source.into();
    };
    SchemaError::ChangeRefused {
        change: change.summary(),
        column: needed(change, &code),
        code,
        statement: statement.to_owned(),
        users,
        source,
    }
    .into()
}

/// The expression that existing rows need before the change is possible.
fn needed(change: &Change, code: &str) -> Option<ColumnNeed> {
    let object = change.object();
    match change {
        Change::AddColumn { .. } | Change::SetNotNull { .. }
            if code == sqlstate::NOT_NULL_VIOLATION =>
        {
            Some(ColumnNeed::Fill(object))
        }
        Change::AlterType { .. }
            if code.starts_with(sqlstate::DATA_EXCEPTION)
                || code == sqlstate::DATATYPE_MISMATCH =>
        {
            Some(ColumnNeed::Using(object))
        }
        _ => None,
    }
}
