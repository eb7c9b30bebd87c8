//! The tables in the database match the design and the models.

use std::collections::BTreeMap;

use lookback::migrate::Models;
use lookback::schema::{Constraint, CreateIndex, Fill, Index, Name, Partition, PartitionBy};
use lookback::table::{ColumnRole, Table};
use lookback::{Log, Metric, Model, RequestSnapshot, User};
use sqlx::{PgPool, Row as _};

/// Name, type, nullable.
type Column = (&'static str, &'static str, bool);

/// The tables of the design.
const DESIGN: &[(&str, &[Column])] = &[
    (
        "users",
        &[
            ("email", "text", false),
            ("password_hash", "text", false),
            ("role", "user_role", false),
        ],
    ),
    (
        "logs",
        &[
            ("source", "text", false),
            ("level", "text", false),
            ("message", "text", false),
            ("meta", "jsonb", true),
            ("trace_id", "text", true),
        ],
    ),
    (
        "metrics",
        &[
            ("window_start", "timestamptz", false),
            ("window_end", "timestamptz", false),
            ("endpoint", "text", false),
            ("p50_latency", "int4", false),
            ("p95_latency", "int4", false),
            ("p99_latency", "int4", false),
            ("error_rate", "int4", false),
            ("traffic_count", "int4", false),
            ("request_size", "int8", true),
            ("response_size", "int8", true),
            ("latency_sketch", "bytea", true),
        ],
    ),
    (
        "request_snapshots",
        &[
            ("method", "text", false),
            ("path", "text", false),
            ("query", "jsonb", true),
            ("body", "jsonb", true),
            ("headers", "jsonb", true),
            ("user_id", "text", true),
            ("timestamp", "timestamptz", false),
            ("version", "text", false),
            ("stage", "text", false),
            ("status_code", "int4", true),
            ("response_body", "jsonb", true),
            ("response_headers", "jsonb", true),
            ("duration", "int4", true),
            ("geo_country", "text", true),
            ("geo_region", "text", true),
            ("geo_city", "text", true),
            ("geo_lat", "float8", true),
            ("geo_lon", "float8", true),
            ("geo_source", "text", true),
            ("trace_id", "text", true),
        ],
    ),
];

/// Column, type, nullable, default, identity, as `information_schema` has them.
async fn columns(
    pool: &PgPool,
    table: &str,
) -> Vec<(String, String, bool, Option<String>, String)> {
    sqlx::query(
        "SELECT column_name::text, udt_name::text, is_nullable = 'YES' AS nullable, \
         column_default::text, coalesce(identity_generation, '')::text AS identity \
         FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position",
    )
    .bind(table)
    .fetch_all(pool)
    .await
    .unwrap()
    .iter()
    .map(|row| {
        (
            row.get("column_name"),
            row.get("udt_name"),
            row.get("nullable"),
            row.get("column_default"),
            row.get("identity"),
        )
    })
    .collect()
}

#[tokio::test]
async fn tables_have_the_columns_of_the_design() {
    let db = testkit::database().await;
    for (table, own) in DESIGN {
        let mut expected: Vec<(&str, &str, bool)> = vec![("id", "int8", false)];
        expected.extend_from_slice(own);
        expected.extend([
            ("created_at", "timestamptz", false),
            ("updated_at", "timestamptz", false),
            ("deleted_at", "timestamptz", true),
            ("embedding", "vector", true),
        ]);
        let found = columns(&db.pool, table).await;
        let found_types: Vec<(&str, &str, bool)> = found
            .iter()
            .map(|(name, ty, nullable, ..)| (name.as_str(), ty.as_str(), *nullable))
            .collect();
        assert_eq!(found_types, expected, "{table}");
        for (name, _, _, default, identity) in &found {
            let expected = match name.as_str() {
                "created_at" | "updated_at" => Some("now()"),
                "role" => Some("'user'::user_role"),
                _ => None,
            };
            assert_eq!(default.as_deref(), expected, "{table}.{name}");
            assert_eq!(
                identity,
                if name == "id" { "ALWAYS" } else { "" },
                "{table}.{name}"
            );
        }
    }
}

#[tokio::test]
async fn models_have_the_columns_of_their_tables() {
    async fn compare(pool: &PgPool, table: &'static Table) {
        let rows = sqlx::query(
            "SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type, \
             NOT attnotnull AS nullable, (atthasdef AND attgenerated = '') AS has_default \
             FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped \
             ORDER BY attnum",
        )
        .bind(table.name())
        .fetch_all(pool)
        .await
        .unwrap();
        let found: Vec<(String, String, bool)> = rows
            .iter()
            .map(|row| (row.get("name"), row.get("type"), row.get("nullable")))
            .collect();
        let expected: Vec<(String, String, bool)> = table
            .columns()
            .iter()
            .map(|column| {
                (
                    column.name().to_owned(),
                    column.column_type().sql().into_owned(),
                    column.is_nullable(),
                )
            })
            .collect();
        assert_eq!(found, expected, "{}", table.name());
        for (row, column) in rows.iter().zip(table.columns()) {
            let filled = matches!(column.role(), ColumnRole::CreatedAt | ColumnRole::UpdatedAt);
            assert_eq!(
                row.get::<bool, _>("has_default"),
                column.has_default() || filled,
                "{}.{}",
                table.name(),
                column.name()
            );
        }
    }
    let db = testkit::database().await;
    for table in [
        Log::TABLE,
        Metric::TABLE,
        RequestSnapshot::TABLE,
        User::TABLE,
    ] {
        compare(&db.pool, table).await;
    }
}

/// Compares constraints, indexes, defaults, comments and partitions with the catalog, as
/// definitions and not as text.
#[tokio::test]
async fn schema_of_models_equals_the_catalog() {
    let db = testkit::database_without_ranges().await;
    let schema = Models::lookback().to_schema().unwrap();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(
        schema.enums,
        [
            ("api_key_scope".into(), texts(&["ingest", "read", "admin"])),
            ("user_role".into(), texts(&["admin", "user"])),
        ]
        .into()
    );
    assert_eq!(schema.extensions, ["vector".to_owned()].into());
    let tables = list(
        &db.pool,
        "SELECT relname::text, '' FROM pg_class WHERE relnamespace = 'public'::regnamespace \
         AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> '_sqlx_migrations'",
        "",
    )
    .await;
    assert_eq!(
        schema
            .tables
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        tables.keys().cloned().collect::<Vec<_>>()
    );
    for (name, table) in &schema.tables {
        let name = name.to_string();
        let constraints = list(
            &db.pool,
            "SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE conrelid = $1::regclass AND contype <> 'n'",
            &name,
        )
        .await;
        let constraints: BTreeMap<String, Constraint> = constraints
            .into_iter()
            .map(|(name, text)| (name, text.parse().unwrap()))
            .collect();
        assert_eq!(table.constraints, constraints, "{name}");

        let indexes = list(
            &db.pool,
            "SELECT relname::text, pg_get_indexdef(indexrelid) FROM pg_index \
             JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = $1::regclass \
             AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
            &name,
        )
        .await;
        let indexes: BTreeMap<String, Index> = indexes
            .into_iter()
            .map(|(name, text)| (name, text.parse::<CreateIndex>().unwrap().index))
            .collect();
        assert_eq!(table.indexes, indexes, "{name}");

        let defaults = list(
            &db.pool,
            "SELECT attname::text, pg_get_expr(adbin, adrelid) FROM pg_attrdef \
             JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum \
             WHERE adrelid = $1::regclass",
            &name,
        )
        .await;
        let comments = list(
            &db.pool,
            "SELECT attname::text, col_description(attrelid, attnum) FROM pg_attribute \
             WHERE attrelid = $1::regclass AND col_description(attrelid, attnum) IS NOT NULL",
            &name,
        )
        .await;
        for column in &table.columns {
            let fill = match defaults.get(&column.name) {
                Some(text) => Fill::Default(text.parse().unwrap()),
                None if column.name == "id" => Fill::IdentityAlways,
                None => Fill::None,
            };
            assert!(
                column.fill.is_same(&fill, &column.data_type),
                "{name}.{}: {:?} and {fill:?}",
                column.name,
                column.fill
            );
            assert_eq!(column.comment.as_ref(), comments.get(&column.name));
        }

        let partition_by = list(
            &db.pool,
            "SELECT '', pg_get_partkeydef(oid) FROM pg_class \
             WHERE oid = $1::regclass AND relkind = 'p'",
            &name,
        )
        .await;
        let partition_by: Option<PartitionBy> = partition_by
            .into_values()
            .next()
            .map(|text| text.parse().unwrap());
        assert_eq!(table.partition_by, partition_by, "{name}");
        let partitions = list(
            &db.pool,
            "SELECT relname::text, pg_get_expr(relpartbound, oid) FROM pg_class \
             WHERE oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::regclass)",
            &name,
        )
        .await;
        let partitions: BTreeMap<Name, Partition> = partitions
            .into_iter()
            .map(|(name, bound)| (Name::new(name), Partition::new(bound)))
            .collect();
        assert_eq!(table.partitions, partitions, "{name}");
        assert_eq!(table.open_partitions, partition_by.is_some());
        assert_eq!(table.comment, None);
    }
}

/// Returns pairs of text as a map.
async fn list(pool: &PgPool, sql: &'static str, table: &str) -> BTreeMap<String, String> {
    let query = if sql.contains("$1") {
        sqlx::query(sql).bind(table.to_owned())
    } else {
        sqlx::query(sql)
    };
    let rows = query.fetch_all(pool).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn constraints_explained_by_models_exist() {
    let db = testkit::database().await;
    for table in [
        Log::TABLE,
        Metric::TABLE,
        RequestSnapshot::TABLE,
        User::TABLE,
    ] {
        for constraint in table.constraints() {
            let found: bool = sqlx::query(
                "SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = $1 AND conrelid = $2::regclass) \
                 OR EXISTS (SELECT FROM pg_indexes WHERE indexname = $1 AND tablename = $2) AS found",
            )
            .bind(constraint.name())
            .bind(table.name())
            .fetch_one(&db.pool)
            .await
            .unwrap()
            .get("found");
            assert!(found, "{} of {}", constraint.name(), table.name());
        }
    }
}

/// The database checks rows itself, whichever program writes them.
#[tokio::test]
async fn check_constraints_refuse_invalid_rows() {
    let db = testkit::database().await;
    let refused = [
        "INSERT INTO logs (source, level, message) VALUES ('s', 'verbose', 'm')",
        "INSERT INTO logs (source, level, message) VALUES ('s', 'info', E' \\n\\t ')",
        "INSERT INTO request_snapshots (method, path, timestamp, version, stage, status_code) \
         VALUES ('GET', '/', now(), '1', 'test', 700)",
        "INSERT INTO request_snapshots (method, path, timestamp, version, stage, geo_source) \
         VALUES ('GET', '/', now(), '1', 'test', 'guess')",
        "INSERT INTO metrics (window_start, window_end, endpoint, p50_latency, p95_latency, \
         p99_latency, error_rate, traffic_count) VALUES ('2026-01-01 00:00:30Z', \
         '2026-01-01 00:01:30Z', '/', 1, 1, 1, 0, 1)",
        "INSERT INTO metrics (window_start, window_end, endpoint, p50_latency, p95_latency, \
         p99_latency, error_rate, traffic_count) VALUES ('2026-01-01 00:00:00Z', \
         '2026-01-01 00:02:00Z', '/', 1, 1, 1, 0, 1)",
    ];
    for sql in refused {
        let error = sqlx::query(sql).execute(&db.pool).await.unwrap_err();
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .map(std::borrow::Cow::into_owned);
        assert_eq!(code.as_deref(), Some("23514"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn logs_and_requests_are_partitioned_by_id() {
    let db = testkit::database().await;
    for table in ["logs", "request_snapshots"] {
        let row = sqlx::query(
            "SELECT pg_get_partkeydef($1::regclass) AS key, \
             (SELECT string_agg(inhrelid::regclass::text, ',' ORDER BY inhrelid::regclass::text) \
              FROM pg_inherits WHERE inhparent = $1::regclass) AS partitions",
        )
        .bind(table)
        .fetch_one(&db.pool)
        .await
        .unwrap();
        assert_eq!(row.get::<String, _>("key"), "RANGE (id)");
        assert_eq!(
            row.get::<String, _>("partitions"),
            format!(
                "{table}_default,{table}_p0000000000000000,{table}_p0000000004194304,\
                 {table}_p0000000008388608"
            )
        );
    }
}
