//! Finds unsupported objects, which a schema cannot describe.

use std::collections::BTreeMap;

use lookback_schema::Name;
use sqlx::PgConnection;

use crate::error::Error;
use crate::from_row::from_row;
use crate::introspect::Scope;

struct Row {
    kind: String,
    schema: String,
    name: String,
    /// The object it belongs to, such as the table of a trigger.
    of: Option<String>,
}

from_row!(Row {
    kind,
    schema,
    name,
    of
});

/// Lists the objects of the schemas `$1`, without those of extensions.
///
/// Objects that are in the notes of introspection are not listed again.
const UNSUPPORTED_OBJECTS: &str = "WITH \
     ours AS (SELECT oid, nspname::text AS schema FROM pg_catalog.pg_namespace \
              WHERE nspname = ANY ($1)), \
     brought AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'), \
     found (class, oid, kind, schema, name, \"of\") AS ( \
       SELECT 'pg_catalog.pg_class'::regclass, c.oid, \
         CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' \
           WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'composite type' END, \
         n.schema, c.relname::text, NULL::text \
       FROM pg_catalog.pg_class AS c JOIN ours AS n ON n.oid = c.relnamespace \
       WHERE c.relpersistence <> 't' AND NOT c.relispartition \
         AND (c.relkind IN ('v', 'm', 'f', 'c') \
           OR (c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d \
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid \
                  AND d.refclassid = 'pg_catalog.pg_class'::regclass \
                  AND d.deptype IN ('a', 'i')))) \
       UNION ALL \
       SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'partition index', n.schema, \
         c.relname::text, t.relname::text \
       FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid \
       JOIN ours AS n ON n.oid = c.relnamespace \
       JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid \
       WHERE t.relispartition AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS h \
            WHERE h.inhrelid = c.oid) \
       UNION ALL \
       SELECT 'pg_catalog.pg_proc'::regclass, p.oid, \
         CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, \
         n.schema, p.proname::text, NULL \
       FROM pg_catalog.pg_proc AS p JOIN ours AS n ON n.oid = p.pronamespace \
       WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d \
            WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid \
              AND d.deptype = 'i') \
       UNION ALL \
       SELECT 'pg_catalog.pg_type'::regclass, t.oid, \
         CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'range type' END, \
         n.schema, t.typname::text, NULL \
       FROM pg_catalog.pg_type AS t JOIN ours AS n ON n.oid = t.typnamespace \
       WHERE t.typtype IN ('d', 'r') \
       UNION ALL \
       SELECT 'pg_catalog.pg_collation'::regclass, l.oid, 'collation', n.schema, \
         l.collname::text, NULL \
       FROM pg_catalog.pg_collation AS l JOIN ours AS n ON n.oid = l.collnamespace \
       UNION ALL \
       SELECT 'pg_catalog.pg_ts_config'::regclass, s.oid, 'text search configuration', n.schema, \
         s.cfgname::text, NULL \
       FROM pg_catalog.pg_ts_config AS s JOIN ours AS n ON n.oid = s.cfgnamespace \
       UNION ALL \
       SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid, 'statistics object', n.schema, \
         s.stxname::text, NULL \
       FROM pg_catalog.pg_statistic_ext AS s JOIN ours AS n ON n.oid = s.stxnamespace \
       UNION ALL \
       SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'trigger', n.schema, t.tgname::text, \
         c.relname::text \
       FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid \
       JOIN ours AS n ON n.oid = c.relnamespace \
       WHERE NOT t.tgisinternal AND t.tgparentid = 0 \
       UNION ALL \
       SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'policy', n.schema, p.polname::text, \
         c.relname::text \
       FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid \
       JOIN ours AS n ON n.oid = c.relnamespace \
       UNION ALL \
       SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'rule', n.schema, r.rulename::text, \
         c.relname::text \
       FROM pg_catalog.pg_rewrite AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class \
       JOIN ours AS n ON n.oid = c.relnamespace \
       WHERE r.rulename <> '_RETURN') \
     SELECT kind, schema, name, \"of\" FROM found \
     WHERE NOT EXISTS (SELECT FROM brought AS b \
          WHERE b.classid = found.class AND b.objid = found.oid)";

/// Lists the schemas that have tables and are not in `$1`.
const OTHER_SCHEMAS: &str = "SELECT n.nspname::text AS name, count(*) AS tables \
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> ALL ($1) \
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
       AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND n.nspname NOT LIKE 'pg\\_toast%' \
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d \
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid \
              AND d.deptype = 'e') \
     GROUP BY n.nspname ORDER BY n.nspname";

/// Describes each kind of unsupported object, and each schema that was not read.
pub(super) async fn read(
    conn: &mut PgConnection,
    default: &str,
    scope: &Scope,
) -> Result<Vec<String>, Error> {
    let mut within: Vec<String> = scope.schemas.iter().cloned().collect();
    within.push(default.to_owned());
    let rows: Vec<Row> = sqlx::query_as(UNSUPPORTED_OBJECTS)
        .persistent(false)
        .bind(&within)
        .fetch_all(&mut *conn)
        .await?;
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let within = |name: &str| {
            let schema = (row.schema != default).then(|| row.schema.clone());
            Name::within(schema, name).to_string()
        };
        let shown = match &row.of {
            Some(of) => format!("{} of {}", lookback_schema::quoted(&row.name), within(of)),
            None => within(&row.name),
        };
        kinds.entry(row.kind).or_default().push(shown);
    }
    let mut notes = Vec::new();
    for (kind, mut names) in kinds {
        names.sort();
        names.dedup();
        notes.push(format!("not in the models: {kind} {}", names.join(", ")));
    }
    let others: Vec<(String, i64)> = sqlx::query_as(OTHER_SCHEMAS)
        .persistent(false)
        .bind(&within)
        .fetch_all(conn)
        .await?;
    for (name, tables) in others {
        let tables = match tables {
            1 => "1 table that is".to_owned(),
            tables => format!("{tables} tables that are"),
        };
        notes.push(format!(
            "the schema {} has {tables} not read",
            Name::new(name)
        ));
    }
    Ok(notes)
}
