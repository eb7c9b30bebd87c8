//! Finds unsupported objects, and properties of objects, which a schema cannot describe.

use std::collections::BTreeMap;

use lookback_schema::{Name, quoted};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::Error;
use crate::from_row::from_row;
use crate::introspect::Scope;

mod queries;

struct Row {
    kind: String,
    /// `None` for an object of the database.
    schema: Option<String>,
    name: String,
    /// The object it belongs to, such as the table of a trigger.
    of: Option<String>,
    /// Whether the name is SQL already.
    is_sql: bool,
}

from_row!(Row {
    kind,
    schema,
    name,
    of,
    is_sql
});

impl Row {
    /// Its name, without the schema `default`.
    fn shown(&self, default: &str) -> String {
        let within = |name: &str| {
            let schema = self.schema.as_ref().filter(|schema| *schema != default);
            Name::within(schema.cloned(), name).to_string()
        };
        match &self.of {
            _ if self.is_sql => self.name.clone(),
            Some(of) => format!("{} of {}", quoted(&self.name), within(of)),
            None => within(&self.name),
        }
    }
}

/// The statement that lists the objects of the schemas `$1`, of which `$2` is the default one,
/// without those of extensions.
///
/// Objects that are in the notes of introspection are not listed again.
fn statement() -> String {
    let all = queries::ALL.join("\nUNION ALL");
    format!("{}{all}{}", queries::COMMON, queries::END)
}

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
    creates: fn(&str) -> bool,
) -> Result<Vec<String>, Error> {
    let mut within: Vec<String> = scope.schemas.iter().cloned().collect();
    within.push(default.to_owned());
    // The statement consists of constants.
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(statement()))
        .persistent(false)
        .bind(&within)
        .bind(default)
        .fetch_all(&mut *conn)
        .await?;
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let is_created =
        |row: &Row| matches!(row.kind.as_str(), "function" | "trigger") && creates(&row.name);
    for row in rows.into_iter().filter(|row| !is_created(row)) {
        let shown = row.shown(default);
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
