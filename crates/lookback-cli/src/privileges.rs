//! The privileges that a command requires, listed when it fails without them, and tables that the
//! search path does not lead to.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::config::Config;
use crate::database;
use crate::failure::Failure;

/// The tables of search summaries.
pub(crate) const SUMMARIES: [&str; 4] = [
    "sealed_segments",
    "search_blocks",
    "search_postings",
    "search_templates",
];

pub(crate) const READ: &[&str] = &["SELECT"];
pub(crate) const CHANGE: &[&str] = &["SELECT", "UPDATE"];
pub(crate) const ADD: &[&str] = &["SELECT", "INSERT", "UPDATE"];
pub(crate) const ADD_ONLY: &[&str] = &["INSERT"];
pub(crate) const REMOVE: &[&str] = &["SELECT", "DELETE"];
pub(crate) const ALL: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];
/// Ownership, to create and drop partitions.
pub(crate) const OWN: &[&str] = &[OWNER];

const OWNER: &str = "OWNER";

/// A table, and the privileges on it that a command requires.
pub(crate) type Required = (&'static str, &'static [&'static str]);

/// Requires these privileges on each summary table.
pub(crate) fn on_summaries(rights: &'static [&'static str]) -> impl Iterator<Item = Required> {
    SUMMARIES.into_iter().map(move |table| (table, rights))
}

/// Replaces a failure by one that lists missing privileges, if there are any.
pub(crate) async fn explain(config: &Config, failure: Failure, needs: &[Required]) -> Failure {
    if !failure.is_of_setup() {
        return failure;
    }
    // On a new connection, because the transaction of the other one has failed.
    let Ok(mut conn) = database::reconnect(config).await else {
        return failure;
    };
    let missing = find_missing(&mut conn, needs).await;
    let _ = conn.close().await;
    match missing {
        Ok(Some(missing)) => missing.caused_as(failure),
        _ => failure,
    }
}

/// Describes the privileges that the role of a connection lacks; `None` if it has all.
pub(crate) async fn find_missing(
    conn: &mut PgConnection,
    needs: &[Required],
) -> Result<Option<Failure>, sqlx::Error> {
    let each = || {
        needs
            .iter()
            .flat_map(|(table, rights)| rights.iter().map(|right| (*table, *right)))
    };
    let tables: Vec<&str> = each().map(|(table, _)| table).collect();
    let rights: Vec<&str> = each().map(|(_, right)| right).collect();
    let rows = sqlx::query(
        "SELECT n.name, n.need, c.oid IS NOT NULL AS found, quote_ident(current_user) AS role, \
           quote_ident(pg_get_userbyid(c.relowner)) AS owner, \
           (SELECT quote_ident(s.nspname) FROM pg_class AS o JOIN pg_namespace AS s ON s.oid = o.relnamespace \
            WHERE o.relname = n.name AND o.relkind IN ('r', 'p') \
              AND NOT has_schema_privilege(s.oid, 'USAGE') LIMIT 1) AS hidden, \
           (SELECT quote_ident(s.nspname) FROM pg_class AS o JOIN pg_namespace AS s ON s.oid = o.relnamespace \
            WHERE o.relname = n.name AND o.relkind IN ('r', 'p') \
              AND has_schema_privilege(s.oid, 'USAGE') ORDER BY s.nspname <> 'public', 1 LIMIT 1) AS elsewhere, \
           current_setting('search_path') AS path, \
           CASE n.need WHEN 'OWNER' THEN pg_has_role(c.relowner, 'USAGE') \
             ELSE has_table_privilege(c.oid, n.need) END AS has \
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n(name, need, place) \
         LEFT JOIN pg_class AS c ON c.oid = to_regclass(n.name) ORDER BY place",
    )
    .bind(&tables)
    .bind(&rights)
    .fetch_all(conn)
    .await?;
    let mut role = String::new();
    // Missing privileges by table, in the order of `required`.
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (row, (table, right)) in rows.iter().zip(each()) {
        role = row.try_get("role")?;
        if !row.try_get("found")? {
            return Ok(Some(not_found(table, &role, row)?));
        }
        if row.try_get::<Option<bool>, _>("has")? != Some(false) {
            continue;
        }
        if right == OWNER {
            owners.entry(row.try_get("owner")?).or_default().push(table);
            continue;
        }
        match missing.iter_mut().find(|(name, _)| *name == table) {
            Some((_, rights)) => rights.push(right),
            None => missing.push((table, vec![right])),
        }
    }
    Ok(told(&role, &missing, &owners))
}

/// Describes why a role does not see a table.
fn not_found(table: &str, role: &str, row: &PgRow) -> Result<Failure, sqlx::Error> {
    if let Some(schema) = row.try_get::<Option<String>, _>("elsewhere")? {
        let path: String = row.try_get("path")?;
        return Ok(Failure::failed(format!(
            "the table {table} is in the schema {schema}, which is not in the search_path ({path})"
        ))
        .hint(format!(
            "ALTER ROLE {role} SET search_path = {schema} (or reset it where it was set: ALTER \
             DATABASE, PGOPTIONS), or add to the URL: ?options=-csearch_path%3D{schema}"
        )));
    }
    Ok(match row.try_get::<Option<String>, _>("hidden")? {
        Some(schema) => Failure::failed(format!(
            "the role {role} lacks USAGE on the schema {schema}, which contains the table {table}"
        ))
        .hint(format!(
            "as its owner: GRANT USAGE ON SCHEMA {schema} TO {role}"
        )),
        None => Failure::failed(format!("the database has no table {table}"))
            .hint("apply the migrations: lookback db migrate"),
    })
}

/// Describes missing privileges; `None` if none is missing.
fn told(
    role: &str,
    missing: &[(&str, Vec<&str>)],
    owners: &BTreeMap<String, Vec<&str>>,
) -> Option<Failure> {
    // Groups the tables by missing privileges.
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (table, rights) in missing {
        let rights = rights.join(", ");
        match groups.iter_mut().find(|(same, _)| *same == rights) {
            Some((_, tables)) => tables.push(table),
            None => groups.push((rights, vec![table])),
        }
    }
    let (mut problems, mut hints) = (Vec::new(), Vec::new());
    for (rights, tables) in &groups {
        let tables = tables.join(", ");
        problems.push(format!("lacks {rights} on {tables}"));
        hints.push(format!("GRANT {rights} ON {tables} TO {role}"));
    }
    for (owner, tables) in owners {
        problems.push(format!("does not own {}", tables.join(", ")));
        hints.push(format!("GRANT {owner} TO {role}, or run it as {owner}"));
    }
    if problems.is_empty() {
        None
    } else {
        Some(
            Failure::failed(format!("the role {role} {}", problems.join(", and ")))
                .hint(format!("as the owner of the tables: {}", hints.join("; "))),
        )
    }
}
