//! The canonical form of schemas.

use std::time::Duration;

use lookback_migrate::{Scope, canonical, introspect};
use lookback_schema::{Column, Constraint, Decisions, Expression, Fill, Name, Schema, Table, diff};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

/// Types, each with a default: every form that the manual shows for `DEFAULT`
/// (CREATE TABLE, ALTER TABLE, "Default Values", "Identity Columns",
/// "Constants", "Type Casts", "Date/Time Types", …), reworded.
const DEFAULTS: &[(&str, &str)] = &[
    ("integer", "7"),
    ("integer", "-7"),
    ("integer", "- 7"),
    ("integer", "+7"),
    ("integer", "(7)"),
    ("integer", "0x1F"),
    ("integer", "1_000"),
    ("integer", "'7'"),
    ("integer", "CAST ('7' AS integer)"),
    ("integer", "integer '7'"),
    ("integer", "int4(7.2)"),
    ("integer", "7::int2"),
    ("integer", "2 + 3 * 4 - 1"),
    ("integer", "(2 + 3) * 4"),
    ("integer", "10 % 3"),
    ("integer", "@ -3"),
    ("integer", "7 & 3 | 8"),
    ("integer", "~1"),
    ("integer", "1 << 4"),
    ("integer", "length('abc')"),
    ("integer", "nextval('numbers')"),
    ("integer", "nextval('numbers'::regclass)"),
    ("bigint", "nextval('odd.\"Numbers\"')"),
    ("bigint", "9999999999"),
    ("bigint", "-9223372036854775808"),
    ("bigint", "currval('numbers') + 1"),
    ("bigint", "extract(epoch from now())"),
    ("smallint", "1"),
    ("smallint", "'-1'"),
    ("numeric", "9.99"),
    ("numeric", ".5"),
    ("numeric", "5."),
    ("numeric", "1e10"),
    ("numeric", "1.925e-3"),
    ("numeric", "'NaN'"),
    ("numeric(6,2)", "9.99"),
    ("numeric(6,2)", "-9"),
    ("numeric(6,2)", "round(9.999, 2)"),
    ("real", "1.5"),
    ("real", "'Infinity'"),
    ("double precision", "random()"),
    ("double precision", "2 ^ 0.5"),
    ("double precision", "|/ 25.0"),
    ("double precision", "pi()"),
    ("boolean", "TRUE"),
    ("boolean", "'yes'"),
    ("boolean", "NOT false"),
    ("boolean", "true AND NOT false OR false"),
    ("boolean", "1 = ANY (ARRAY[1, 2])"),
    ("boolean", "'2'::text IN ('1', '2')"),
    ("boolean", "(1, 2) = (1, 2)"),
    ("boolean", "ROW (1, 2) < ROW (1, 3)"),
    ("boolean", "ROW (1, NULL) IS DISTINCT FROM ROW (1, 2)"),
    (
        "boolean",
        "(DATE '2001-02-16', DATE '2001-12-21') OVERLAPS (DATE '2001-10-30', DATE '2002-10-30')",
    ),
    ("boolean", "1 BETWEEN SYMMETRIC 3 AND 0"),
    ("boolean", "true IS NOT UNKNOWN"),
    ("text", "''"),
    ("text", "'a string'"),
    ("text", "'it''s'"),
    ("text", "E'tab\\tline\\n'"),
    ("text", "E'back\\\\slash'"),
    ("text", "U&'d\\0061t\\+000061'"),
    ("text", "$$dollars$$"),
    ("text", "$tag$it's$tag$"),
    ("text", "N'national'"),
    ("text", "'one ' || 'two ' || 3"),
    ("text", "'foo'::text"),
    ("text", "'foo'::varchar"),
    ("text", "'foo'::varchar(2)"),
    ("text", "CURRENT_USER"),
    ("text", "current_role"),
    ("text", "SESSION_USER"),
    ("text", "USER"),
    ("text", "current_catalog"),
    ("text", "current_schema"),
    ("text", "current_schema()"),
    ("text", "current_database()"),
    ("text", "current_setting('application_name')"),
    ("text", "upper('x')"),
    ("text", "md5(random()::text)"),
    ("text", "substring('Thomas' from 2 for 3)"),
    ("text", "substring('Thomas', 2, 3)"),
    ("text", "substring('Thomas' from '...$')"),
    (
        "text",
        "substring('Thomas' similar '%#\"o_a#\"_' escape '#')",
    ),
    ("text", "trim(both 'xyz' from 'yxTomxx')"),
    ("text", "trim(leading from '  x')"),
    ("text", "overlay('Txxxxas' placing 'hom' from 2 for 4)"),
    ("text", "normalize(U&'\\0061\\0308bc', NFC)"),
    ("text", "format('Hello %s', 'World')"),
    ("text", "concat_ws(',', 'a', NULL, 'b')"),
    ("text", "to_char(now(), 'YYYY-MM-DD')"),
    ("text", "CASE WHEN 1 > 2 THEN 'a' ELSE 'b' END"),
    ("text", "CASE 3 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END"),
    ("text", "COALESCE(NULL, 'none')"),
    ("text", "NULLIF('a', 'b')"),
    ("text", "greatest('a', 'b', 'c')"),
    ("text", "LEAST('a', 'b')"),
    ("text", "('{a,b}'::text[])[1]"),
    ("text", "(ARRAY['a', 'b'])[2]"),
    ("text", "'a' COLLATE \"C\""),
    ("text", "quote_literal(E'O\\'Reilly')"),
    ("text", "encode('\\xdead', 'base64')"),
    ("text", "array_to_string(ARRAY[1, 2, NULL], ',', '*')"),
    ("text", "NULL"),
    ("text", "NULL::text"),
    ("character varying(10)", "'abc'"),
    ("character varying(10)", "'abc'::character varying(10)"),
    ("character varying(10)", "'abc'::text"),
    ("character(3)", "'abc'"),
    ("character(3)", "'a'::bpchar"),
    ("\"char\"", "'a'"),
    ("name", "'a'"),
    ("bytea", "'\\xDEADBEEF'"),
    ("bytea", "E'\\\\000'"),
    ("bytea", "decode('1234', 'hex')"),
    ("uuid", "gen_random_uuid()"),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"),
    ("date", "CURRENT_DATE"),
    ("date", "current_date + 7"),
    ("date", "'today'::text::date"),
    ("date", "'1999-01-08'"),
    ("date", "DATE '1999-01-08'"),
    ("date", "date 'January 8, 1999'"),
    ("date", "now()"),
    ("date", "('now'::text)::date"),
    ("date", "make_date(2020, 1, 2)"),
    ("time", "LOCALTIME"),
    ("time", "localtime(0)"),
    ("time", "'04:05:06.789'"),
    ("time", "TIME '04:05'"),
    ("time with time zone", "CURRENT_TIME"),
    ("time with time zone", "current_time(2)"),
    ("time(3) with time zone", "'04:05:06-08:00'"),
    ("timestamptz", "now()"),
    ("timestamptz", "CURRENT_TIMESTAMP"),
    ("timestamptz", "CURRENT_TIMESTAMP(3)"),
    ("timestamptz", "transaction_timestamp()"),
    ("timestamptz", "statement_timestamp()"),
    ("timestamptz", "clock_timestamp()"),
    ("timestamptz", "now() + interval '1 day'"),
    ("timestamptz", "now() - '1 hour'::interval * 2"),
    ("timestamptz", "'infinity'"),
    ("timestamptz", "'epoch'"),
    (
        "timestamptz",
        "TIMESTAMP WITH TIME ZONE '2004-10-19 10:23:54+02'",
    ),
    ("timestamptz", "timestamptz '2004-10-19'"),
    ("timestamptz", "to_timestamp(1284352323)"),
    ("timestamptz", "date_trunc('hour', now())"),
    ("timestamptz", "timezone('utc', now())"),
    ("timestamptz(0)", "now()"),
    ("timestamp", "now()"),
    ("timestamp", "LOCALTIMESTAMP"),
    ("timestamp", "localtimestamp(3)"),
    ("timestamp", "now() AT TIME ZONE 'utc'"),
    ("timestamp", "(now() AT TIME ZONE 'utc')::timestamp(0)"),
    ("timestamp", "timezone('utc'::text, now())"),
    ("timestamp", "'2004-10-19 10:23:54'"),
    ("timestamp", "timestamp(3) '2004-10-19 10:23:54.5'"),
    ("timestamp", "make_timestamp(2013, 7, 15, 8, 15, 23.5)"),
    ("interval", "'1 day'"),
    ("interval", "interval '1-2'"),
    ("interval", "INTERVAL '1' YEAR"),
    ("interval", "interval '3 4:05' day to minute"),
    ("interval", "interval(2) '1.234 s'"),
    ("interval", "'P1Y2M3DT4H5M6S'"),
    ("interval", "make_interval(days => 10, hours => 2)"),
    ("interval", "2 * interval '1 day'"),
    ("interval", "justify_hours('27 hours')"),
    (
        "interval",
        "age(timestamp '2001-04-10', timestamp '1957-06-13')",
    ),
    ("interval year to month", "'1-2'"),
    ("json", "'{}'"),
    ("json", "'{\"a\": 1}'::json"),
    ("json", "json_build_object('a', 1, 'b', ARRAY[1, 2])"),
    ("jsonb", "'[]'"),
    ("jsonb", "'{\"b\": 1, \"a\": 2}'"),
    ("jsonb", "to_jsonb('x'::text)"),
    ("jsonb", "'{\"a\": {\"b\": 1}}'::jsonb -> 'a'"),
    ("jsonb", "'{\"a\": 1}'::jsonb || '{\"b\": 2}'"),
    ("jsonb", "jsonb_set('{}', '{a}', '1')"),
    ("jsonb", "('[1, 2]'::jsonb)[1]"),
    ("jsonpath", "'$.a[*] ? (@ > 1)'"),
    ("integer[]", "'{}'"),
    ("integer[]", "'{1,2,3}'::integer[]"),
    ("integer[]", "ARRAY[1, 2, 3]"),
    ("integer[]", "ARRAY[]::integer[]"),
    ("integer[]", "array[1, 2] || 3"),
    ("integer[]", "ARRAY[[1, 2], [3, 4]]"),
    ("integer[]", "array_fill(0, ARRAY[3])"),
    ("integer[]", "(ARRAY[1, 2, 3])[1:2]"),
    ("bigint[]", "ARRAY[1, 2]"),
    ("text[]", "ARRAY['a', 'b']"),
    ("text[]", "ARRAY['a', 'b']::text[]"),
    ("text[]", "'{\"a b\", c, NULL}'"),
    ("text[]", "string_to_array('a,b', ',')"),
    ("character varying(5)[]", "ARRAY['a']"),
    ("mood", "'sad'"),
    ("mood", "'sad'::mood"),
    ("mood", "enum_first(NULL::mood)"),
    ("mood[]", "ARRAY['sad']::mood[]"),
    ("mood[]", "'{sad,ok}'"),
    ("odd.\"State\"", "'open'"),
    ("odd.\"State\"", "'open'::odd.\"State\""),
    ("odd.\"State\"[]", "ARRAY['open'::odd.\"State\"]"),
    ("bit(3)", "B'101'"),
    ("bit(3)", "'101'"),
    ("bit(8)", "X'1F'"),
    ("bit varying(5)", "B'00'"),
    ("bit varying(5)", "B'10' || B'1'"),
    ("inet", "'192.168.0.1/24'"),
    ("inet", "inet '::1'"),
    ("cidr", "'10.0.0.0/8'"),
    ("macaddr", "'08:00:2b:01:02:03'"),
    ("money", "'12.34'"),
    ("money", "12.34"),
    ("point", "'(1,2)'"),
    ("point", "point(1, 2)"),
    ("box", "box '((0,0),(1,1))'"),
    ("circle", "'<(0,0),1>'"),
    ("int4range", "'[1,10)'"),
    ("int4range", "int4range(1, 10, '[]')"),
    ("numrange", "numrange(NULL, 2.2)"),
    ("daterange", "daterange(current_date, NULL)"),
    ("tstzrange", "tstzrange(now(), 'infinity', '[)')"),
    ("int4multirange", "'{[1,2), [5,9)}'"),
    ("int4multirange", "int4multirange(int4range(1, 2))"),
    ("tsvector", "to_tsvector('english', 'a fat cat')"),
    ("tsvector", "''"),
    ("tsquery", "to_tsquery('english', 'fat & cat')"),
    ("tsquery", "tsquery 'fat' && 'cat'"),
    ("regclass", "'numbers'"),
    ("oid", "0"),
    ("oid", "'numbers'::regclass"),
    ("vector(3)", "'[1,2,3]'"),
    ("vector(3)", "ARRAY[1, 2, 3]"),
    ("vector(3)", "array_fill(0, ARRAY[3])::vector"),
    ("pg_lsn", "'0/0'"),
    ("integer", "default_tax(2)"),
    ("integer", "odd.\"Tax\"(rate => 2)"),
];

/// Columns that the checks refer to.
const COLUMNS: &[(&str, &str)] = &[
    ("price", "numeric"),
    ("discounted", "numeric(10,2)"),
    ("n", "integer"),
    ("big", "bigint"),
    ("small", "smallint"),
    ("ratio", "double precision"),
    ("ok", "boolean"),
    ("t", "text"),
    ("v", "character varying(20)"),
    ("fixed", "character(4)"),
    ("d", "date"),
    ("ts", "timestamp"),
    ("tz", "timestamptz"),
    ("tm", "time"),
    ("gap", "interval"),
    ("j", "jsonb"),
    ("a", "integer[]"),
    ("texts", "text[]"),
    ("feeling", "mood"),
    ("state", "odd.\"State\""),
    ("r", "int4range"),
    ("during", "tstzrange"),
    ("addr", "inet"),
    ("bits", "bit(8)"),
    ("by", "bytea"),
    ("p", "point"),
    ("area", "box"),
    ("tsv", "tsvector"),
    ("id", "uuid"),
    ("e", "vector(3)"),
    ("Odd name", "text"),
];

/// Conditions of checks: every form that the manual shows ("Check Constraints",
/// and the operators and functions of its chapter 9).
const CHECKS: &[&str] = &[
    "price > 0",
    "price > 0 AND price > discounted",
    "price > 0 and (discounted > 0 or n is null)",
    "(price > 0)",
    "NOT (price <= 0)",
    "not ok",
    "ok",
    "ok = true",
    "ok IS TRUE OR ok IS NOT FALSE OR ok IS UNKNOWN",
    "n <> 0",
    "n != 0",
    "n = -1 OR n = - 1",
    "n BETWEEN 1 AND 10",
    "n NOT BETWEEN 1 AND 10",
    "n BETWEEN SYMMETRIC 10 AND 1",
    "n IN (1, 2, 3)",
    "n NOT IN (1, 2, 3)",
    "n IN (1)",
    "n = ANY (ARRAY[1, 2])",
    "n = SOME ('{1,2}'::int[])",
    "n <> ALL (ARRAY[1, 2])",
    "n IS NULL",
    "n NOTNULL",
    "n IS DISTINCT FROM 3",
    "n IS NOT DISTINCT FROM big",
    "n + small * 2 - 1 > -n",
    "(n + small) * 2 > 0",
    "n / 2 % 3 = 1",
    "2 ^ 3 ^ 2 > n",
    "n > small AND small > big",
    "n > 1.5",
    "n::bigint > 3000000000",
    "big > 0",
    "big >= 3000000000",
    "small >= 0",
    "small IN (1, 2)",
    "ratio >= 0 AND ratio <= 1",
    "ratio BETWEEN 0 AND 0.5",
    "price >= 0.00",
    "price IN (1, 2.5)",
    "discounted::int = 3",
    "mod(n, 2) = 0",
    "abs(n) < 100",
    "coalesce(n, 0) >= 0",
    "num_nonnulls(n, big, small) = 1",
    "num_nulls(n, big) < 2",
    "(n IS NULL) <> (big IS NULL)",
    "greatest(n, 0) > least(big, 3)",
    "CASE WHEN ok THEN n > 0 ELSE n < 0 END",
    "CASE n WHEN 1 THEN true WHEN 2 THEN false END",
    "(n, big) > (1, 2)",
    "(n, t) = (1, 'a')",
    "ROW (n, big) IS NOT NULL",
    "(n, big) IN ((1, 2), (3, 4))",
    "t <> ''",
    "t <> 'it''s'",
    "t = 'a' or t = 'b'",
    "t IN ('debug', 'info')",
    "t NOT IN ('a', 'b')",
    "t = ANY (ARRAY['a', 'b'])",
    "t = ANY ('{a,b}')",
    "t LIKE 'a%'",
    "t NOT LIKE '%x_'",
    "t LIKE 'a!%%' ESCAPE '!'",
    "t ILIKE 'a%'",
    "t not ilike any (array['a%', 'b%'])",
    "t SIMILAR TO '%(b|d)%'",
    "t NOT SIMILAR TO 'a_' ESCAPE '#'",
    "t ~ '^[a-z]+$'",
    "t !~* 'x'",
    "t ~ E'^\\\\w+$'",
    "t ^@ 'prefix'",
    "starts_with(t, 'a')",
    "length(t) > 3",
    "char_length(t) BETWEEN 1 AND 255",
    "octet_length(t) < 8",
    "lower(t) = t",
    "trim(t) <> ''",
    "btrim(t) <> ''",
    "trim(both from t) = trim(leading 'x' from t)",
    "position('@' in t) > 1",
    "strpos(t, '@') > 1",
    "substring(t from 1 for 2) = 'ab'",
    "substring(t from '^.') = 'x'",
    "overlay(t placing 'x' from 1) <> 'x'",
    "t || '!' <> v",
    "t COLLATE \"C\" > 'a'",
    "t < 'b' COLLATE \"POSIX\"",
    "t IS NFC NORMALIZED",
    "regexp_like(t, '^a')",
    "t::int > 0",
    "cast(t as date) > '2000-01-01'",
    "v <> 'x'",
    "v IN ('a', 'b')",
    "v NOT IN ('a')",
    "v LIKE 'a%' AND length(v) > 1",
    "v = t",
    "v::text = 'a'",
    "lower(v) IN ('a', 'b')",
    "fixed = 'abcd'",
    "fixed IN ('abcd', 'efgh')",
    "\"Odd name\" <> 'x'",
    "d > '2000-01-01'",
    "d > DATE '2000-01-01'",
    "d BETWEEN '2000-01-01' AND '2099-12-31'",
    "d <= ts",
    "d + 7 > '2000-01-01'",
    "d - '2000-01-01' > 7",
    "extract(year from d) >= 2000",
    "extract('dow' from d) NOT IN (0, 6)",
    "date_part('hour', ts) < 12",
    "ts < tz",
    "ts + interval '1 hour' > ts",
    "tz >= '2000-01-01 00:00+00'",
    "tz AT TIME ZONE 'UTC' > '2000-01-01'",
    "ts AT TIME ZONE 'Europe/Berlin' < tz",
    "tz = date_trunc('minute', tz, 'UTC')",
    "date_trunc('day', tz) = tz",
    "tz <= now()",
    "isfinite(tz)",
    "(d, d + 1) OVERLAPS (d, d + 2)",
    "tm >= '09:00' AND tm < TIME '17:00'",
    "gap > '0'",
    "gap <= INTERVAL '1' DAY",
    "extract(epoch from gap) > 60",
    "j ? 'a'",
    "j ?| ARRAY['a', 'b']",
    "j ?& '{a,b}'",
    "j @> '{\"a\": 1}'",
    "j ->> 'a' = 'x'",
    "(j ->> 'a')::int > 0",
    "j #>> '{a,b}' IS NOT NULL",
    "j -> 'a' -> 0 IS NULL",
    "j['a'] IS NOT NULL",
    "jsonb_typeof(j) = 'object'",
    "jsonb_typeof(j -> 'a') IN ('string', 'null')",
    "j @? '$.a[*] ? (@ > 2)'",
    "jsonb_path_exists(j, '$.a')",
    "t IS JSON",
    "t IS NOT JSON OBJECT WITH UNIQUE KEYS",
    "a[1] > 0",
    "a[1:2] = ARRAY[1, 2]",
    "a = '{1,2}'",
    "a @> ARRAY[1]",
    "1 = ANY (a)",
    "0 <> ALL (a)",
    "array_length(a, 1) > 0",
    "cardinality(a) <= 10",
    "a && '{1}'::int[] OR a <@ array[1, 2]",
    "array_position(a, NULL) IS NULL",
    "'x' = ANY (texts)",
    "texts <@ ARRAY['a', 'b']",
    "texts <@ ARRAY['a', 'b']::text[]",
    "feeling <> 'sad'",
    "feeling IN ('sad', 'ok')",
    "feeling > 'sad'::mood",
    "feeling::text LIKE 's%'",
    "state = 'open'",
    "state IN ('open'::odd.\"State\", 'paid')",
    "r @> 3",
    "NOT isempty(r)",
    "lower(r) >= 0 AND upper(r) < 100",
    "r && int4range(1, 10)",
    "r <> 'empty'",
    "upper_inf(during)",
    "during -|- '[2000-01-01,2001-01-01)'",
    "addr << '10.0.0.0/8'",
    "family(addr) = 4",
    "bits & B'00000001' = B'00000001'",
    "get_bit(bits, 0) = 1",
    "bits <> X'FF'",
    "by <> '\\x'",
    "octet_length(by) = 16",
    "p <-> '(0,0)' < 10",
    "p[0] > 0",
    "area @> p",
    "tsv @@ to_tsquery('english', 'cat')",
    "tsv @@ 'cat'",
    "id <> '00000000-0000-0000-0000-000000000000'",
    "e <-> '[0,0,0]' < 1",
    "vector_norm(e) = 1",
    "e OPERATOR(public.<->) '[0,0,0]' < 1",
    "n OPERATOR(pg_catalog.+) 1 > 0",
    "n > default_tax(1)",
    "n > odd.\"Tax\"(1)",
    "n > odd.\"Tax\"(rate := 1)",
    "n is null or n > 0 -- a remark",
    "((n)) > ((0))",
    "true",
    "n = ALL ('{1}') IS NOT TRUE",
    "- n < 0",
    "n = 1 IS TRUE",
    "NOT n = 1 AND NOT n > 2 OR NOT ok",
    "ok AND (n > 0 AND (big > 0 AND small > 0))",
    "(ok OR n > 0) OR big > 0",
    "xmlparse(content t) IS DOCUMENT",
];

/// Types and expressions of generated columns.
const GENERATED: &[(&str, &str)] = &[
    ("numeric", "n / 2.54"),
    ("integer", "n * 2"),
    ("text", "t || ' ' || v"),
    ("text", "coalesce(t, '') || coalesce(v, '')"),
    ("tsvector", "to_tsvector('english', coalesce(t, ''))"),
    (
        "tsvector",
        "setweight(to_tsvector('simple', t), 'A') || to_tsvector('simple'::regconfig, v)",
    ),
    ("text", "lower(t)"),
    ("text", "j ->> 'name'"),
    ("integer", "(j ->> 'age')::int"),
    ("date", "(ts)::date"),
    ("timestamp", "tz AT TIME ZONE 'UTC'"),
    ("boolean", "n > 0 AND ok"),
    ("integer", "array_length(a, 1)"),
    ("text", "CASE WHEN n > 0 THEN 'more' ELSE 'less' END"),
    ("text", "md5(t)"),
    ("int4range", "int4range(n, n + 1)"),
    ("double precision", "ratio * 2"),
    ("numeric(10,2)", "price * 1.19"),
    ("character varying(5)", "t"),
];

/// Creates the objects that the forms refer to.
const SETUP: &str = "SET TimeZone = 'UTC'; CREATE EXTENSION vector; CREATE SCHEMA odd; CREATE SEQUENCE numbers; \
     CREATE SEQUENCE odd.\"Numbers\"; \
     CREATE FUNCTION default_tax(rate int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT rate'; \
     CREATE FUNCTION odd.\"Tax\"(rate int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT rate'";

async fn prepared_database() -> (testkit::Database, PgConnection) {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute(SETUP).await.unwrap();
    (db, conn)
}

fn version_of(expression: &str) -> i32 {
    // Syntax that the oldest server does not have.
    if ["0x", "1_000", "IS JSON", "IS NOT JSON"]
        .iter()
        .any(|new| expression.contains(new))
    {
        160_000
    } else {
        0
    }
}

fn column(name: String, ty: &str, fill: impl FnOnce(Expression) -> Fill, text: &str) -> Column {
    let mut column = Column::new(name, ty.parse().unwrap());
    column.fill = fill(Expression::new(text).unwrap());
    column
}

/// Returns all forms as one schema.
fn forms(server: i32) -> Schema {
    let plain = |(name, ty): &(&str, &str)| Column::new(*name, ty.parse().unwrap());
    let fit = |text: &str| version_of(text) <= server;
    let mut defaults = Table::default();
    let mut checks = Table {
        columns: COLUMNS.iter().map(plain).collect(),
        ..Table::default()
    };
    let mut generated = Table {
        columns: COLUMNS.iter().map(plain).collect(),
        ..Table::default()
    };
    for (number, (ty, text)) in DEFAULTS
        .iter()
        .enumerate()
        .filter(|(_, (_, text))| fit(text))
    {
        defaults
            .columns
            .push(column(format!("d{number:03}"), ty, Fill::Default, text));
    }
    for (number, text) in CHECKS.iter().enumerate().filter(|(_, text)| fit(text)) {
        let check = Constraint::Check {
            expression: Expression::new(*text).unwrap(),
            no_inherit: false,
            not_valid: false,
            not_enforced: false,
        };
        checks.constraints.insert(format!("c{number:03}"), check);
    }
    for (number, (ty, text)) in GENERATED.iter().enumerate() {
        generated
            .columns
            .push(column(format!("g{number:03}"), ty, Fill::Stored, text));
    }
    let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    let schema = Schema {
        enums: [
            (Name::new("mood"), labels(&["sad", "ok"])),
            (
                Name::within(Some("odd"), "State"),
                labels(&["open", "paid"]),
            ),
        ]
        .into(),
        tables: [
            (Name::new("defaults"), defaults),
            (Name::new("checks"), checks),
            (Name::within(Some("odd"), "Generated"), generated),
        ]
        .into(),
        ..Schema::default()
    };
    schema.completed().unwrap()
}

async fn server_version(conn: &mut PgConnection) -> i32 {
    sqlx::query("SELECT current_setting('server_version_num')::int")
        .fetch_one(conn)
        .await
        .unwrap()
        .get(0)
}

async fn run(conn: &mut PgConnection, schema: &Schema) {
    for sql in testkit::schemas::create(schema) {
        if sql != "CREATE SCHEMA odd" {
            let result = conn.execute(AssertSqlSafe(sql.clone())).await;
            assert!(result.is_ok(), "{sql}: {result:?}");
        }
    }
}

fn scope() -> Scope {
    Scope::schemas(["odd"])
}

/// Every form of the manual is introspected as `canonical` predicts it. The snapshot
/// lists the forms that differ from the written ones: it can only become shorter.
#[tokio::test]
async fn canonical_equals_introspection_of_applied_schema() {
    let (_db, mut conn) = prepared_database().await;
    let server = server_version(&mut conn).await;
    let written = forms(server);
    let predicted = canonical(&mut conn, &written).await.unwrap();
    run(&mut conn, &written).await;
    let read = introspect(&mut conn, &scope()).await.unwrap();
    assert_eq!(read.enums, predicted.enums);
    for (name, table) in &predicted.tables {
        for column in &table.columns {
            assert_eq!(read.tables[name].column(&column.name), Some(column));
        }
        assert_eq!(read.tables[name], *table);
    }

    let mut differ = Vec::new();
    for (name, table) in &written.tables {
        let read = &read.tables[name];
        for column in &table.columns {
            let found = read.column(&column.name).unwrap();
            if found != column {
                differ.push(format!("{} | {}", text(&column.fill), text(&found.fill)));
            }
        }
        for (name, constraint) in &table.constraints {
            let found = &read.constraints[name];
            if found != constraint {
                differ.push(format!("{constraint} | {found}"));
            }
        }
    }
    // Other versions print a few forms differently.
    if server / 10_000 == 18 {
        insta::assert_snapshot!(differ.join("\n"));
    }
}

fn text(fill: &Fill) -> String {
    match fill {
        Fill::Default(expression) | Fill::Stored(expression) | Fill::Virtual(expression) => {
            expression.to_string()
        }
        other => format!("{other:?}"),
    }
}

fn one_table(columns: &[(&str, &str)], constraints: &[(&str, &str)]) -> Schema {
    let table = Table {
        columns: columns
            .iter()
            .map(|(n, ty)| Column::new(*n, ty.parse().unwrap()))
            .collect(),
        constraints: constraints
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.parse().unwrap()))
            .collect(),
        ..Table::default()
    };
    Schema {
        tables: [(Name::new("orders"), table)].into(),
        ..Schema::default()
    }
}

async fn catalog(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT 'relation ' || oid::text || relname FROM pg_class \
         UNION ALL SELECT 'type ' || oid::text || typname FROM pg_type \
         UNION ALL SELECT 'schema ' || nspname FROM pg_namespace \
         UNION ALL SELECT 'extension ' || extname FROM pg_extension ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

/// Another session has locked the tables against any use, and the catalog is the same
/// afterwards.
#[tokio::test]
async fn canonical_needs_no_table_locks_and_leaves_no_objects() {
    let (db, mut conn) = prepared_database().await;
    let schema = {
        let mut schema = one_table(
            &[("id", "integer"), ("email", "citext"), ("owner", "integer")],
            &[
                ("orders_pkey", "PRIMARY KEY (id)"),
                ("checked", "CHECK (owner IN (1, 2))"),
                (
                    "outside",
                    "FOREIGN KEY (owner) REFERENCES people (id) ON DELETE CASCADE",
                ),
                ("inside", "FOREIGN KEY (owner) REFERENCES orders (id)"),
            ],
        )
        .completed()
        .unwrap();
        schema
            .tables
            .get_mut(&Name::new("orders"))
            .unwrap()
            .open_partitions = true;
        schema
    };
    conn.execute(
        "CREATE TABLE people (id int PRIMARY KEY); CREATE TABLE orders (id int PRIMARY KEY)",
    )
    .await
    .unwrap();
    let before = catalog(&mut conn).await;
    let mut other = PgConnection::connect(&db.url).await.unwrap();
    other
        .execute("BEGIN; LOCK TABLE people, orders IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();

    let limit = Duration::from_secs(20);
    let printed = tokio::time::timeout(limit, canonical(&mut conn, &schema))
        .await
        .unwrap()
        .unwrap();
    let table = &printed.tables[&Name::new("orders")];
    let texts: Vec<String> = table
        .constraints
        .values()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(texts.join("\n"), @"
    CHECK (owner = ANY (ARRAY[1, 2]))
    FOREIGN KEY (owner) REFERENCES orders (id)
    PRIMARY KEY (id)
    FOREIGN KEY (owner) REFERENCES people (id) ON DELETE CASCADE
    ");
    assert!(table.open_partitions && printed.extensions.contains("citext"));
    assert_eq!(catalog(&mut conn).await, before);

    // In the caller's transaction, which continues.
    conn.execute("BEGIN; CREATE TABLE kept (a int)")
        .await
        .unwrap();
    let again = tokio::time::timeout(limit, canonical(&mut conn, &schema))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again, printed);
    let path: String = sqlx::query("SHOW search_path")
        .fetch_one(&mut conn)
        .await
        .unwrap()
        .get(0);
    assert_eq!(path, "\"$user\", public");
    conn.execute("COMMIT; DROP TABLE kept").await.unwrap();
    assert_eq!(catalog(&mut conn).await, before);
}

/// The error has the table, the part of it, and the server's message.
#[tokio::test]
async fn canonical_of_invalid_schema_names_the_object() {
    let (_db, mut conn) = prepared_database().await;
    let mut messages = Vec::new();
    let columns = [("id", "integer"), ("t", "text")];
    let good = || one_table(&columns, &[("a_check", "CHECK (id > 0)")]);
    let mut invalid = vec![
        one_table(
            &columns,
            &[("a_check", "CHECK (id > 0)"), ("b_check", "CHECK (it > 0)")],
        ),
        one_table(&columns, &[("unlike", "CHECK (t > 1)")]),
        one_table(&[("id", "integer"), ("c", "colour")], &[]),
        one_table(&columns, &[("mine", "EXCLUDE USING gist (t WITH =)")]),
    ];
    let mut schema = good();
    schema.extensions.insert("no_such".to_owned());
    invalid.push(schema);
    let edits: [fn(&mut Table); 5] = [
        |table| table.columns[0].fill = Fill::Default("'seven'".parse().unwrap()),
        |table| table.columns[1].fill = Fill::Stored("now()::text".parse().unwrap()),
        |table| {
            drop(
                table
                    .indexes
                    .insert("i".to_owned(), "USING gin (t)".parse().unwrap()),
            );
        },
        |table| table.columns[1].collation = Some(Name::new("klingon")),
        |table| {
            table.partition_by = Some("RANGE (id)".parse().unwrap());
            let bound = "FOR VALUES FROM ('x') TO ('y')";
            table
                .partitions
                .insert(Name::new("p"), lookback_schema::Partition::new(bound));
        },
    ];
    for edit in edits {
        let mut schema = good();
        edit(schema.tables.get_mut(&Name::new("orders")).unwrap());
        invalid.push(schema);
    }
    let mut schema = one_table(&columns, &[]);
    let table = schema.tables.remove(&Name::new("orders")).unwrap();
    let key = "FOREIGN KEY (t) REFERENCES odd.orders (id)"
        .parse()
        .unwrap();
    let mut target = table.clone();
    target
        .constraints
        .insert("pk".to_owned(), "PRIMARY KEY (id)".parse().unwrap());
    target.constraints.insert("fk".to_owned(), key);
    schema
        .tables
        .insert(Name::within(Some("odd"), "orders"), target);
    invalid.push(schema.completed().unwrap());

    for schema in invalid {
        let error = canonical(&mut conn, &schema).await.unwrap_err();
        assert!(error.is_schema(), "{error:?}");
        messages.push(error.to_string());
    }
    // As the newest PostgreSQL prints it: 16 prints more about an extension, and less about a
    // key.
    let messages = messages
        .join("\n")
        .lines()
        .map(|line| line.split(": Could not open").next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
        .replace(
            r#"Key columns "t" and "id" are of"#,
            r#"Key columns "t" of the referencing table and "id" of the referenced table are of"#,
        );
    insta::assert_snapshot!(messages, @r#"
    table orders, check b_check: column "it" does not exist
    table orders, check unlike: operator does not exist: text > integer
    table orders, column c: type "colour" does not exist
    table orders, exclusion constraint mine: data type text has no default operator class for access method "gist"
    extension no_such: extension "no_such" is not available
    table orders, column id: invalid input syntax for type integer: "seven"
    table orders, column t: generation expression is not immutable
    table orders, index i: data type text has no default operator class for access method "gin"
    table orders, column t: collation "klingon" for encoding "UTF8" does not exist
    table orders, partition p: invalid input syntax for type integer: "x"
    table odd.orders, foreign key fk: foreign key constraint "fk" cannot be implemented: Key columns "t" of the referencing table and "id" of the referenced table are of incompatible types: text and integer.
    "#);
    // The connection is still usable.
    canonical(&mut conn, &good()).await.unwrap();
}

/// Without privileges the schema cannot be created anywhere.
#[tokio::test]
async fn canonical_without_privileges_returns_schema_unchanged() {
    let (_db, mut conn) = prepared_database().await;
    let schema = one_table(&[("n", "integer")], &[("c", "CHECK (n IN (1, 2))")]);
    let text = |schema: &Schema| schema.tables[&Name::new("orders")].constraints["c"].to_string();
    let printed = canonical(&mut conn, &schema).await.unwrap();
    assert_eq!(text(&printed), "CHECK (n = ANY (ARRAY[1, 2]))");

    conn.execute("SET default_transaction_read_only = on")
        .await
        .unwrap();
    let given = canonical(&mut conn, &schema).await.unwrap();
    assert_eq!(text(&given), "CHECK (n IN (1, 2))");
    conn.execute("RESET default_transaction_read_only")
        .await
        .unwrap();

    let name: String = sqlx::query("SELECT current_database()::text")
        .fetch_one(&mut conn)
        .await
        .unwrap()
        .get(0);
    let role = format!("{name}_reader");
    let sql = format!("CREATE ROLE {role}; SET ROLE {role}");
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
    let given = canonical(&mut conn, &schema).await.unwrap();
    assert_eq!(text(&given), "CHECK (n IN (1, 2))");
    let sql = format!("RESET ROLE; DROP ROLE {role}");
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
}

/// A function over a type of the schema has no twin for the copy of the type: what calls it is
/// compared as it is written.
#[tokio::test]
async fn canonical_of_calls_over_own_types_keeps_them_as_given() {
    let (_db, mut conn) = prepared_database().await;
    conn.execute(
        "CREATE SCHEMA own; SET search_path = own, public; \
         CREATE TYPE level AS ENUM ('low', 'high'); \
         CREATE FUNCTION weight(level) RETURNS integer LANGUAGE sql IMMUTABLE \
           AS $$ SELECT CASE $1 WHEN 'low' THEN 1 ELSE 2 END $$; \
         CREATE DOMAIN some_level AS level CHECK (VALUE <> 'high'); \
         CREATE TABLE tasks (id integer, l level, s some_level DEFAULT 'low', n integer DEFAULT 3, \
           w integer GENERATED ALWAYS AS (weight(l)) STORED, \
           CONSTRAINT heavy CHECK (weight(l) > 0), CONSTRAINT same CHECK (s::level = l), CONSTRAINT plain CHECK (n IN (1, 2, 3))); \
         CREATE FUNCTION is_done(tasks) RETURNS boolean LANGUAGE sql IMMUTABLE \
           AS $$ SELECT $1.n > 2 $$; \
         ALTER TABLE tasks ADD CONSTRAINT whole CHECK (is_done(tasks.*)); \
         CREATE INDEX tasks_weight ON tasks (weight(l), n) WHERE weight(l) > 0; \
         CREATE INDEX tasks_n ON tasks (n)",
    )
    .await
    .unwrap();
    let live = introspect(&mut conn, &Scope::default()).await.unwrap();
    assert_eq!(
        canonical(&mut conn, &live).await.unwrap().tables,
        live.tables
    );

    let mut written = live.clone();
    let table = written.tables.get_mut(&Name::new("tasks")).unwrap();
    for (name, check) in [
        ("heavy", "CHECK (( weight( l ) > 0 ))"),
        ("plain", "CHECK (n = 1 OR n = 2)"),
    ] {
        table
            .constraints
            .insert(name.to_owned(), check.parse().unwrap());
    }
    let printed = canonical(&mut conn, &written).await.unwrap();
    let plan = diff(&live, &printed, &Decisions::default()).unwrap();
    let summaries: Vec<String> = plan
        .steps
        .iter()
        .map(|step| step.change.summary())
        .collect();
    assert_eq!(
        summaries,
        ["drop constraint tasks.plain", "add check tasks.plain"]
    );

    // A function that does not exist at all is an error.
    let table = written.tables.get_mut(&Name::new("tasks")).unwrap();
    table.constraints.insert(
        "heavy".to_owned(),
        "CHECK (nonsense(l) > 0)".parse().unwrap(),
    );
    assert!(
        canonical(&mut conn, &written)
            .await
            .unwrap_err()
            .is_schema()
    );
}
