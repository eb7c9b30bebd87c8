//! What a command needs of the database, told where it fails for want of it.

use std::collections::BTreeMap;

use sqlx::{Connection as _, PgConnection, Row as _};

use crate::config::Config;
use crate::database;
use crate::failure::Failure;

/// What search keeps about sealed records.
pub(crate) const SUMMARIES: [&str; 4] = [
    "sealed_segments",
    "search_blocks",
    "search_kinds",
    "search_templates",
];

pub(crate) const READ: &[&str] = &["SELECT"];
pub(crate) const CHANGE: &[&str] = &["SELECT", "UPDATE"];
pub(crate) const ADD: &[&str] = &["SELECT", "INSERT", "UPDATE"];
pub(crate) const REMOVE: &[&str] = &["SELECT", "DELETE"];
pub(crate) const ALL: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];
/// To make and drop partitions.
pub(crate) const OWN: &[&str] = &[OWNER];

const OWNER: &str = "OWNER";

/// The rights on a table that a command makes use of.
pub(crate) type Need = (&'static str, &'static [&'static str]);

/// These rights on each summary.
pub(crate) fn on_summaries(rights: &'static [&'static str]) -> impl Iterator<Item = Need> {
    SUMMARIES.into_iter().map(move |table| (table, rights))
}

/// The failure of a command that needs these, in words that say which of them
/// are missing; as it is, if none is.
pub(crate) async fn explained(config: &Config, failure: Failure, needs: &[Need]) -> Failure {
    if !failure.is_of_setup() {
        return failure;
    }
    // On a connection of its own: the transaction of the other has failed.
    let Ok(mut conn) = database::connect(config).await else {
        return failure;
    };
    let missing = missing(&mut conn, needs).await;
    let _ = conn.close().await;
    match missing {
        Ok(Some(missing)) => missing,
        _ => failure,
    }
}

async fn missing(conn: &mut PgConnection, needs: &[Need]) -> Result<Option<Failure>, sqlx::Error> {
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
    // What is missing on each table, by table, in the order of needs.
    let mut lacking: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (row, (table, right)) in rows.iter().zip(each()) {
        role = row.try_get("role")?;
        if !row.try_get("found")? {
            return Ok(Some(match row.try_get::<Option<String>, _>("hidden")? {
                Some(schema) => Failure::failed(format!(
                    "the role {role} may not use the schema {schema}, in which the table {table} is"
                ))
                .hint(format!(
                    "as its owner: GRANT USAGE ON SCHEMA {schema} TO {role}"
                )),
                None => Failure::failed(format!("the database has no table {table}"))
                    .hint("apply the migrations: lookback db migrate"),
            }));
        }
        if row.try_get::<Option<bool>, _>("has")? != Some(false) {
            continue;
        }
        if right == OWNER {
            owners.entry(row.try_get("owner")?).or_default().push(table);
            continue;
        }
        match lacking.iter_mut().find(|(name, _)| *name == table) {
            Some((_, rights)) => rights.push(right),
            None => lacking.push((table, vec![right])),
        }
    }
    Ok(told(&role, &lacking, &owners))
}

/// What is missing, in words; `None` if nothing is.
fn told(
    role: &str,
    lacking: &[(&str, Vec<&str>)],
    owners: &BTreeMap<String, Vec<&str>>,
) -> Option<Failure> {
    // Tables on which the same is missing go together.
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for (table, rights) in lacking {
        let rights = rights.join(", ");
        match alike.iter_mut().find(|(same, _)| *same == rights) {
            Some((_, tables)) => tables.push(table),
            None => alike.push((rights, vec![table])),
        }
    }
    let (mut problems, mut hints) = (Vec::new(), Vec::new());
    for (rights, tables) in &alike {
        let tables = tables.join(", ");
        problems.push(format!("has no right to {rights} on {tables}"));
        hints.push(format!("GRANT {rights} ON {tables} TO {role}"));
    }
    for (owner, tables) in owners {
        problems.push(format!("does not own {}", tables.join(", ")));
        hints.push(format!("GRANT {owner} TO {role}, or run it as {owner}"));
    }
    match problems.is_empty() {
        true => None,
        false => Some(
            Failure::failed(format!("the role {role} {}", problems.join(", and ")))
                .hint(format!("as the owner of the tables: {}", hints.join("; "))),
        ),
    }
}
