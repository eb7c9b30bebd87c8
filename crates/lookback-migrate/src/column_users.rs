//! What uses a column in such a way that PostgreSQL cannot change its type.

use lookback_schema::retyped_columns;
use sqlx::PgConnection;

use crate::sqlstate;

/// Views, rules, policies, triggers, functions and publications that use these columns.
///
/// PostgreSQL names only the first one that it finds.
const USERS: &str = "\
SELECT DISTINCT CASE WHEN r.rulename = '_RETURN'
    THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
    ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END COLLATE \"C\" AS name
FROM unnest($2::text[]) AS c (name)
JOIN pg_attribute AS a ON a.attrelid = to_regclass($1) AND a.attname = c.name
JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
    AND d.refobjsubid = a.attnum
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass,
        'pg_proc'::regclass)
    OR d.classid = 'pg_publication_rel'::regclass
        AND d.objid IN (SELECT p.oid FROM pg_publication_rel AS p WHERE p.prqual IS NOT NULL)
ORDER BY name";

/// The objects because of which the server refused to change the type of a column, in words; none
/// if the error has another cause.
pub(crate) async fn find(conn: &mut PgConnection, sql: &str, error: &sqlx::Error) -> Vec<String> {
    if sqlstate::code(error) != Some(sqlstate::FEATURE_NOT_SUPPORTED) {
        return Vec::new();
    }
    let Some((table, columns)) = retyped_columns(sql) else {
        return Vec::new();
    };
    let users = sqlx::query_scalar(USERS)
        .persistent(false)
        .bind(table.to_string())
        .bind(columns)
        .fetch_all(conn)
        .await;
    // The error of the statement is the one to report.
    users.unwrap_or_default()
}
