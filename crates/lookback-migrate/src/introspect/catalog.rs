//! Queries to `pg_catalog`, each for all tables at once, and their rows.

use std::collections::BTreeSet;

use lookback_schema::Name;
use sqlx::postgres::types::Oid;
use sqlx::{PgConnection, Row as _};

use crate::error::{Error, SchemaError};
use crate::from_row::from_row;
use crate::introspect::{MIGRATIONS_TABLE, Scope};

/// The rows that are read from the catalog.
pub(super) struct CatalogRows {
    pub(super) extensions: Vec<String>,
    pub(super) schemas: Vec<String>,
    pub(super) enums: Vec<EnumRow>,
    pub(super) tables: Vec<TableRow>,
    pub(super) columns: Vec<ColumnRow>,
    pub(super) constraints: Vec<ConstraintRow>,
    pub(super) indexes: Vec<IndexRow>,
    /// Tables that are left out because they inherit.
    pub(super) inheriting_tables: Vec<TableRow>,
}

pub(super) struct EnumRow {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) labels: Vec<String>,
}

from_row!(EnumRow {
    schema,
    name,
    labels
});

/// A table or a partition; the parent of a partition comes before it.
pub(super) struct TableRow {
    pub(super) oid: Oid,
    /// The table or partition that it is a partition of.
    pub(super) parent: Option<Oid>,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) comment: Option<String>,
    pub(super) partition_by: Option<String>,
    pub(super) bound: Option<String>,
    pub(super) unlogged: bool,
    pub(super) is_foreign: bool,
    pub(super) typed: bool,
    /// Its storage parameters.
    pub(super) options: Option<Vec<String>>,
    /// Whether it has row-level security.
    pub(super) has_row_security: bool,
    /// Whether it inherits from another table without being its partition.
    pub(super) inherits: bool,
}

from_row!(TableRow {
    oid,
    parent,
    schema,
    name,
    comment,
    partition_by,
    bound,
    unlogged,
    is_foreign,
    typed,
    options,
    has_row_security,
    inherits
});

pub(super) struct ColumnRow {
    pub(super) table_oid: Oid,
    pub(super) name: String,
    pub(super) data_type: String,
    pub(super) not_null: bool,
    pub(super) identity: String,
    pub(super) generated: String,
    pub(super) expression: Option<String>,
    pub(super) serial: bool,
    /// The options of the sequence that it owns, if they are not the default ones.
    pub(super) sequence_options: Option<String>,
    /// The type of the sequence that it owns.
    pub(super) sequence_type: Option<String>,
    pub(super) collation_schema: Option<String>,
    pub(super) collation: Option<String>,
    pub(super) comment: Option<String>,
}

from_row!(ColumnRow {
    table_oid,
    name,
    data_type,
    not_null,
    identity,
    generated,
    expression,
    serial,
    sequence_options,
    sequence_type,
    collation_schema,
    collation,
    comment
});

pub(super) struct ConstraintRow {
    pub(super) table_oid: Oid,
    pub(super) name: String,
    pub(super) definition: String,
    /// The table that a foreign key refers to.
    pub(super) target_schema: Option<String>,
    pub(super) target: Option<String>,
    pub(super) kind: String,
}

from_row!(ConstraintRow {
    table_oid,
    name,
    definition,
    target_schema,
    target,
    kind
});

pub(super) struct IndexRow {
    pub(super) table_oid: Oid,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) definition: String,
    pub(super) valid: bool,
}

from_row!(IndexRow {
    table_oid,
    schema,
    name,
    definition,
    valid
});

pub(crate) async fn current_schema(conn: &mut PgConnection) -> Result<String, Error> {
    let row = sqlx::query(
        "SELECT current_schema()::text AS name, current_setting('search_path') AS path",
    )
    .fetch_one(conn)
    .await?;
    let name: Option<String> = row.try_get("name")?;
    if let Some(name) = name {
        Ok(name)
    } else {
        let search_path = row.try_get("path")?;
        Err(SchemaError::NoCurrentSchema { search_path }.into())
    }
}

/// Sets the search path for the transaction: the schema `default`, the schemas
/// `also`, and the schemas of extensions that are not in `named`.
pub(crate) async fn set_search_path(
    conn: &mut PgConnection,
    default: &str,
    also: &[String],
    named: &BTreeSet<String>,
) -> Result<(), Error> {
    let mut first = vec![default.to_owned()];
    first.extend(also.iter().cloned());
    let named: Vec<String> = named.iter().cloned().collect();
    // The schema of temporary tables is put last: by default the server puts it first.
    sqlx::query(
        "SELECT set_config('search_path', ( \
           SELECT string_agg(quote_ident(path.name), ', ' ORDER BY path.place, path.name) \
             || ', pg_temp' \
           FROM (SELECT name, place FROM unnest($1::text[]) WITH ORDINALITY AS f (name, place) \
                 UNION ALL \
                 SELECT DISTINCT n.nspname::text, 1000 FROM pg_catalog.pg_extension AS e \
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace \
                 WHERE n.nspname <> 'pg_catalog' AND n.nspname <> ALL ($1 || $2::text[]) \
                ) AS path \
         ), true)",
    )
    .bind(first)
    .bind(named)
    .execute(conn)
    .await?;
    Ok(())
}

const EXTENSIONS: &str = "SELECT extname::text AS name FROM pg_catalog.pg_extension \
     WHERE extname NOT IN ('plpgsql', 'citus', 'citus_columnar')";

const SCHEMAS: &str = "SELECT nspname::text AS name FROM pg_catalog.pg_namespace \
     WHERE nspname = ANY ($1)";

/// Reads the enums in the schemas `$1`: those with schema `$2` and name `$3`, or all if null.
const ENUMS: &str = "SELECT n.nspname::text AS schema, t.typname::text AS name, \
       array(SELECT e.enumlabel::text FROM pg_catalog.pg_enum AS e \
             WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels \
     FROM pg_catalog.pg_type AS t \
     JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace \
     WHERE t.typtype = 'e' AND n.nspname = ANY ($1) \
       AND ($2::text[] IS NULL OR EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS w (s, t2) \
            WHERE w.s = n.nspname AND w.t2 = t.typname)) \
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d \
            WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid \
              AND d.deptype = 'e')";

/// Reads the tables in the schemas `$1`, and their partitions.
///
/// A bound contains no columns, so the server need not open the partition to print it.
const TABLES: &str = "WITH RECURSIVE ours (oid, parent, depth) AS ( \
       SELECT c.oid, NULL::oid, 0 \
       FROM pg_catalog.pg_class AS c \
       JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
       WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' \
         AND c.relname <> $4 \
         AND array(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a \
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
               ORDER BY a.attnum) <> ARRAY['version', 'description', 'installed_on', 'success', \
               'checksum', 'execution_time'] \
         AND ($2::text[] IS NULL OR EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS w (s, t) \
              WHERE w.s = n.nspname AND w.t = c.relname)) \
         AND NOT c.relispartition \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d \
              WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid \
                AND d.deptype = 'e') \
       UNION ALL \
       SELECT c.oid, ours.oid, ours.depth + 1 \
       FROM ours JOIN pg_catalog.pg_inherits AS i ON i.inhparent = ours.oid \
       JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition \
     ) \
     SELECT ours.oid, ours.parent, n.nspname::text AS schema, c.relname::text AS name, \
       pg_catalog.obj_description(c.oid, 'pg_class') AS comment, \
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS partition_by, \
       pg_catalog.pg_get_expr(c.relpartbound, 0) AS bound, \
       c.relpersistence = 'u' AS unlogged, c.relkind = 'f' AS is_foreign, \
       c.reloftype <> 0 AS typed, c.reloptions AS options, c.relrowsecurity AS has_row_security, \
       ours.parent IS NULL AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS i \
         WHERE i.inhrelid = c.oid) AS inherits \
     FROM ours JOIN pg_catalog.pg_class AS c USING (oid) \
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
     ORDER BY ours.depth, ours.oid";

/// Reads the columns of the tables `$1`.
///
/// The options of a sequence are those that `CREATE SEQUENCE` would need. A serial column is one whose default reads a
/// sequence that the column owns (`pg_depend` of type `a`). The server prints the sequence's name
/// without the `E` that `format` puts before a backslash.
const COLUMNS: &str = "SELECT a.attrelid AS table_oid, a.attname::text AS name, \
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS data_type, a.attnotnull AS not_null, \
       a.attidentity::text AS identity, a.attgenerated::text AS generated, \
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression, \
       EXISTS (SELECT FROM pg_catalog.pg_depend AS own \
               JOIN pg_catalog.pg_class AS s ON s.oid = own.objid AND s.relkind = 'S' \
               WHERE own.classid = 'pg_catalog.pg_class'::regclass \
                 AND own.refclassid = 'pg_catalog.pg_class'::regclass \
                 AND own.refobjid = a.attrelid AND own.refobjsubid = a.attnum \
                 AND own.deptype = 'a' AND a.attnotnull \
                 AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) \
                 AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) \
                   = 'nextval(''' || pg_catalog.replace(s.oid::regclass::text, '''', '''''') \
                     || '''::regclass)') AS serial, \
       (SELECT nullif(string_agg(concat_ws(' ', \
                   CASE WHEN s.seqstart <> CASE WHEN s.seqincrement > 0 THEN s.seqmin \
                     ELSE s.seqmax END THEN 'START WITH ' || s.seqstart END, \
                   CASE WHEN s.seqincrement <> 1 THEN 'INCREMENT BY ' || s.seqincrement END, \
                   CASE WHEN s.seqmin <> CASE WHEN s.seqincrement > 0 THEN 1 \
                     ELSE -ends.largest - 1 END THEN 'MINVALUE ' || s.seqmin END, \
                   CASE WHEN s.seqmax <> CASE WHEN s.seqincrement > 0 THEN ends.largest \
                     ELSE -1 END THEN 'MAXVALUE ' || s.seqmax END, \
                   CASE WHEN s.seqcache <> 1 THEN 'CACHE ' || s.seqcache END, \
                   CASE WHEN s.seqcycle THEN 'CYCLE' END), ' ' ORDER BY s.seqrelid), '') \
               FROM pg_catalog.pg_depend AS own \
               JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = own.objid \
               CROSS JOIN LATERAL (SELECT CASE s.seqtypid WHEN 'int2'::regtype THEN 32767 \
                 WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END AS largest) \
                 AS ends \
               WHERE own.classid = 'pg_catalog.pg_class'::regclass \
                 AND own.refclassid = 'pg_catalog.pg_class'::regclass \
                 AND own.refobjid = a.attrelid AND own.refobjsubid = a.attnum \
                 AND own.deptype IN ('a', 'i')) AS sequence_options, \
       (SELECT pg_catalog.format_type(s.seqtypid, NULL) \
               FROM pg_catalog.pg_depend AS own \
               JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = own.objid \
               WHERE own.classid = 'pg_catalog.pg_class'::regclass \
                 AND own.refclassid = 'pg_catalog.pg_class'::regclass \
                 AND own.refobjid = a.attrelid AND own.refobjsubid = a.attnum \
                 AND own.deptype = 'a' \
               ORDER BY s.seqrelid LIMIT 1) AS sequence_type, \
       CASE WHEN NOT pg_catalog.pg_collation_is_visible(l.oid) THEN ln.nspname::text END \
         AS collation_schema, l.collname::text AS collation, \
       pg_catalog.col_description(a.attrelid, a.attnum) AS comment \
     FROM pg_catalog.pg_attribute AS a \
     JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid \
     LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
     LEFT JOIN pg_catalog.pg_collation AS l \
       ON l.oid = a.attcollation AND a.attcollation <> t.typcollation \
     LEFT JOIN pg_catalog.pg_namespace AS ln ON ln.oid = l.collnamespace \
     WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped \
     ORDER BY a.attrelid, a.attnum";

/// Reads the constraints that are declared on the tables `$1`.
///
/// A foreign key to a partitioned table has further constraints, one for each partition. Since
/// PostgreSQL 18, NOT NULL is a constraint, too; it is read only if it is not valid for all rows.
const CONSTRAINTS: &str = "SELECT c.conrelid AS table_oid, c.conname::text AS name, \
       pg_catalog.pg_get_constraintdef(c.oid) AS definition, \
       tn.nspname::text AS target_schema, t.relname::text AS target, c.contype::text AS kind \
     FROM pg_catalog.pg_constraint AS c \
     LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.confrelid AND c.contype = 'f' \
     LEFT JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace \
     WHERE c.conrelid = ANY ($1) AND c.conparentid = 0 \
       AND (c.contype IN ('p', 'u', 'f', 'c', 'x') OR (c.contype = 'n' AND NOT c.convalidated)) \
     ORDER BY c.conrelid, c.conname";

/// Reads the indexes of the tables `$1` that do not belong to a constraint.
///
/// Invalid indexes of their partitions (`$2`) are read, too.
const INDEXES: &str = "SELECT i.indrelid AS table_oid, n.nspname::text AS schema, \
       c.relname::text AS name, \
       pg_catalog.pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AS valid \
     FROM pg_catalog.pg_index AS i \
     JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid \
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
     WHERE (i.indrelid = ANY ($1) OR (i.indrelid = ANY ($2) AND NOT i.indisvalid)) \
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k \
            WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid \
              AND k.contype IN ('p', 'u', 'x')) \
     ORDER BY i.indrelid, c.relname";

impl CatalogRows {
    pub(super) async fn read(
        conn: &mut PgConnection,
        default: &str,
        scope: &Scope,
    ) -> Result<Self, Error> {
        let mut within: Vec<String> = scope.schemas.iter().cloned().collect();
        within.push(default.to_owned());
        let names = async |conn: &mut PgConnection, sql: &'static str, bound: Option<&[String]>| {
            let mut query = sqlx::query_scalar::<_, String>(sql);
            if let Some(bound) = bound {
                query = query.bind(bound.to_owned());
            }
            query.fetch_all(conn).await
        };
        let extensions = names(&mut *conn, EXTENSIONS, None).await?;
        let named: Vec<String> = scope
            .schemas
            .iter()
            .filter(|name| *name != default)
            .cloned()
            .collect();
        let schemas = names(&mut *conn, SCHEMAS, Some(&named)).await?;
        let (of, wanted) = wanted(default, scope.enums.as_ref());
        let enums = sqlx::query_as(ENUMS)
            .bind(&within)
            .bind(of)
            .bind(wanted)
            .fetch_all(&mut *conn)
            .await?;
        let (of, wanted) = self::wanted(default, scope.tables.as_ref());
        let found: Vec<TableRow> = sqlx::query_as(TABLES)
            .bind(&within)
            .bind(of)
            .bind(wanted)
            .bind(MIGRATIONS_TABLE)
            .fetch_all(&mut *conn)
            .await?;
        let (inheriting_tables, tables): (Vec<TableRow>, Vec<TableRow>) =
            found.into_iter().partition(|table| table.inherits);
        let (partitions, roots): (Vec<&TableRow>, Vec<&TableRow>) =
            tables.iter().partition(|table| table.parent.is_some());
        let oids = |rows: &[&TableRow]| rows.iter().map(|table| table.oid).collect::<Vec<Oid>>();
        let (roots, partitions) = (oids(&roots), oids(&partitions));
        Ok(Self {
            extensions,
            schemas,
            enums,
            columns: sqlx::query_as(COLUMNS)
                .bind(&roots)
                .fetch_all(&mut *conn)
                .await?,
            constraints: sqlx::query_as(CONSTRAINTS)
                .bind(&roots)
                .fetch_all(&mut *conn)
                .await?,
            indexes: sqlx::query_as(INDEXES)
                .bind(&roots)
                .bind(&partitions)
                .fetch_all(conn)
                .await?,
            tables,
            inheriting_tables,
        })
    }
}

/// The schemas and names of the requested objects; `None` for all.
fn wanted(
    default: &str,
    names: Option<&BTreeSet<Name>>,
) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let Some(names) = names else {
        return (None, None);
    };
    let (schemas, names) = names
        .iter()
        .map(|name| {
            (
                name.schema.clone().unwrap_or_else(|| default.to_owned()),
                name.name.clone(),
            )
        })
        .unzip();
    (Some(schemas), Some(names))
}
