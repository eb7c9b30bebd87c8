//! The right to create objects in a schema, which a role may lack.

use sqlx::{PgConnection, Row as _};

use crate::sqlstate;

/// A schema in which the role may not create objects, and the role, both in SQL.
#[derive(Clone, Debug)]
pub(crate) struct MissingCreate {
    pub(crate) schema: String,
    pub(crate) role: String,
}

impl MissingCreate {
    /// Finds out whether `error` has this cause: the right is missing in the first schema of the
    /// search path, or in the schema that the name `object` has, if it has one.
    pub(crate) async fn find(
        conn: &mut PgConnection,
        error: &sqlx::Error,
        object: Option<&str>,
    ) -> Option<Self> {
        if sqlstate::code(error) != Some(sqlstate::INSUFFICIENT_PRIVILEGE) {
            return None;
        }
        let row = sqlx::query(
            "SELECT quote_ident(nspname) AS schema, quote_ident(current_user) AS role \
             FROM pg_namespace WHERE nspname = coalesce((SELECT name[cardinality(name) - 1] \
                 FROM parse_ident($1) AS name), current_schema()) \
               AND NOT has_schema_privilege(oid, 'CREATE')",
        )
        .bind(object)
        .fetch_optional(conn)
        .await;
        let row = row.ok()??;
        Some(Self {
            schema: row.try_get("schema").ok()?,
            role: row.try_get("role").ok()?,
        })
    }
}
