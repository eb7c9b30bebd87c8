//! The trigger that writes corrections.
//!
//! It belongs to the table, and PostgreSQL clones it to each partition. It has no `WHEN` and
//! names no column, because a migration could then not change or drop that column. New
//! records have no trigger.

use sqlx::{PgConnection, Row as _};

use super::Names;
use crate::db::{Sql, row};
use crate::error::Error;
use crate::model::{Table, literal, quote_identifier};

/// The name of the trigger.
pub(crate) const TRIGGER: &str = "lookback_changes";

/// The name of the function, without its schema and the name of the table.
const FUNCTION: &str = "lookback_changes_of_";

/// Returns whether this module creates a trigger or a function of this name.
#[cfg(feature = "migrate")]
pub(crate) fn is_created_name(name: &str) -> bool {
    name == TRIGGER || name.starts_with(FUNCTION)
}

/// The name of the function, in the schema of the table if the model has one.
fn function(table: &'static Table) -> String {
    let name = quote_identifier(&format!("{FUNCTION}{}", table.name));
    match table.schema {
        Some(schema) => format!("{}.{name}", quote_identifier(schema)),
        None => name,
    }
}

/// The body of the function. `corrections` is the table of corrections with its schema.
///
/// It must never fail, because a write would fail with it. The block that reads columns
/// catches what happens when one was renamed: that is noted, and no roll-up is used any
/// more. The block writes nothing, so it takes no transaction id.
fn function_body(table: &'static Table, corrections: &str) -> String {
    let names = Names::of(table);
    let (id, time, deleted_at) = (&names.id, &names.time, &names.deleted_at);
    let target = literal(table.name);
    let columns = "(target, record_id, amount, is_removal, created_at, keys, is_deleted)";
    format!(
        "
DECLARE
    old_keys text[];
    new_keys text[];
    is_counted boolean := TRUE;
    is_other_text boolean := TRUE;
    is_known boolean := TRUE;
BEGIN
    BEGIN
        old_keys := {old_keys};
        is_counted := OLD.{id} IS NOT NULL OR OLD.{time} IS NULL OR OLD.{deleted_at} IS NULL;
        IF TG_OP = 'UPDATE' THEN
            new_keys := {new_keys};
            is_counted := OLD.{id} IS DISTINCT FROM NEW.{id}
                OR OLD.{time} IS DISTINCT FROM NEW.{time}
                OR (OLD.{deleted_at} IS NULL) IS DISTINCT FROM (NEW.{deleted_at} IS NULL)
                OR old_keys IS DISTINCT FROM new_keys;
            is_other_text := OLD.{id} IS DISTINCT FROM NEW.{id}{other_texts};
        END IF;
    EXCEPTION WHEN OTHERS THEN
        is_known := FALSE;
    END;
    IF to_regclass({corrections_name}) IS NULL THEN
        RETURN NULL;
    END IF;
    IF NOT is_known THEN
        INSERT INTO {corrections} {columns}
        VALUES ({target}, NULL, 0, FALSE, NULL, NULL, FALSE);
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO {corrections} {columns}
        VALUES ({target}, OLD.{id}, -1, TRUE, OLD.{time}, old_keys, OLD.{deleted_at} IS NOT NULL);
    ELSIF is_counted THEN
        INSERT INTO {corrections} {columns}
        VALUES
            ({target}, OLD.{id}, -1, OLD.{id} IS DISTINCT FROM NEW.{id}, OLD.{time}, old_keys,
                OLD.{deleted_at} IS NOT NULL),
            ({target}, NEW.{id}, 1, FALSE, NEW.{time}, new_keys, NEW.{deleted_at} IS NOT NULL);
    END IF;
    IF is_known AND is_other_text THEN
        INSERT INTO {corrections} {columns} VALUES ({target}, OLD.{id}, 0, FALSE, NULL, NULL, FALSE);
        IF TG_OP = 'UPDATE' AND OLD.{id} IS DISTINCT FROM NEW.{id} THEN
            INSERT INTO {corrections} {columns} VALUES ({target}, NEW.{id}, 0, FALSE, NULL, NULL, FALSE);
        END IF;
    END IF;
    RETURN NULL;
END
",
        other_texts = other_texts(table),
        old_keys = names.keys_of("OLD."),
        new_keys = names.keys_of("NEW."),
        corrections_name = literal(corrections),
    )
}

/// Returns ` OR …`: the condition that a search field has another text.
fn other_texts(table: &'static Table) -> String {
    let fields = table.search.iter().map(|place| {
        let name = table.columns[*place].quoted();
        // Some collations take different texts for equal.
        let text = |row: &str| format!("({row}.{name}::text COLLATE \"C\")");
        format!(" OR {} IS DISTINCT FROM {}", text("OLD"), text("NEW"))
    });
    fields.collect()
}

/// Returns whether the table has the trigger, as this version of the library creates it, and
/// each change since was understood.
pub(crate) async fn is_trigger_current(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<bool, Error> {
    let corrections = corrections_name(conn).await?;
    let mut sql = Sql::default();
    let (relation, name) = (sql.argument(table.quoted())?, sql.argument(TRIGGER)?);
    let body = sql.argument(function_body(table, &corrections))?;
    let target = sql.argument(table.name)?;
    sql.push(&format!(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger AS t \
             JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid \
             WHERE t.tgrelid = to_regclass({relation}) AND t.tgname = {name} \
               AND t.tgenabled = 'A' AND p.prosrc = {body}) \
           AND NOT EXISTS (SELECT 1 FROM rollup_corrections \
             WHERE target = {target} AND record_id IS NULL) AS is_current"
    ));
    Ok(row(conn, sql).await?.try_get("is_current")?)
}

async fn corrections_name(conn: &mut PgConnection) -> Result<String, Error> {
    let sql = Sql::new(
        "SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_class AS c \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.oid = 'rollup_corrections'::regclass",
    );
    Ok(row(conn, sql).await?.try_get("name")?)
}

/// Returns the statements that create the trigger, also in place of an older one, for a
/// transaction that has locked the table.
///
/// All other writers have ended then, and their corrections, in the form of the older
/// trigger, are deleted with the ranges.
pub(crate) async fn trigger_statements(
    conn: &mut PgConnection,
    table: &'static Table,
) -> Result<Vec<Sql>, Error> {
    let corrections = corrections_name(conn).await?;
    let (relation, function) = (table.quoted(), function(table));
    let mut statements = vec![
        Sql::new(&format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql \
             SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {body}",
            body = literal(&function_body(table, &corrections)),
        )),
        // Dropping it would lock out readers.
        Sql::new(&format!(
            "CREATE OR REPLACE TRIGGER {TRIGGER} AFTER UPDATE OR DELETE ON {relation} \
             FOR EACH ROW EXECUTE FUNCTION {function}()"
        )),
        // Also for sessions that apply the changes of another server.
        Sql::new(&format!(
            "ALTER TABLE {relation} ENABLE ALWAYS TRIGGER {TRIGGER}"
        )),
    ];
    for of in [
        "DELETE FROM rollup_cells WHERE range_id IN (SELECT id FROM rollup_ranges WHERE target = ",
        "DELETE FROM rollup_ranges WHERE (target = ",
        "DELETE FROM rollup_corrections WHERE (target = ",
    ] {
        let mut sql = Sql::new(of);
        sql.bind(table.name)?;
        sql.push(")");
        statements.push(sql);
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::{function, function_body};
    use crate::{Log, Model as _};

    #[test]
    fn function_body_names_all_counted_columns() {
        let body = function_body(Log::TABLE, "public.rollup_corrections");
        for key in keys(Log::TABLE) {
            let column = Log::TABLE.columns[key.column].quoted();
            assert!(body.contains(&format!("OLD.{column}::text")));
        }
        assert_eq!(function(Log::TABLE), "\"lookback_changes_of_logs\"");
    }
}
