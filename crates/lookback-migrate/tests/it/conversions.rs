//! Changes of a column's type, between all types of which PostgreSQL and some extensions have
//! casts.

use std::collections::BTreeSet;

use lookback_schema::{
    CastContext, Change, Column, DataType, Decisions, Expression, Name, Risk, Schema, Table, casts,
    diff, literal,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

const EXTENSIONS: [&str; 6] = ["citext", "cube", "hstore", "isn", "ltree", "vector"];

async fn database() -> (testkit::Database, PgConnection) {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    for extension in EXTENSIONS {
        let sql = format!("CREATE EXTENSION {extension}");
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    (db, conn)
}

async fn has_version(conn: &mut PgConnection, version: i32) -> bool {
    let row = sqlx::query("SELECT current_setting('server_version_num')::int")
        .fetch_one(conn)
        .await
        .unwrap();
    row.get::<i32, _>(0) >= version
}

/// The table of casts is that of the server.
#[tokio::test]
async fn known_casts_are_those_of_the_server() {
    let (_db, mut conn) = database().await;
    let rows = sqlx::query(
        "SELECT format_type(castsource, NULL), format_type(casttarget, NULL), \
           castcontext::text, castmethod = 'b' \
         FROM pg_cast WHERE castsource <> casttarget",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let live: BTreeSet<(String, String, String, bool)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect();
    let old = !has_version(&mut conn, 180_000).await;
    let known: BTreeSet<(String, String, String, bool)> = casts()
        // Since PostgreSQL 18.
        .filter(|cast| {
            let is_whole = |name| ["smallint", "integer", "bigint"].contains(&name);
            let new = cast.from == "bytea" && is_whole(cast.to)
                || cast.to == "bytea" && is_whole(cast.from);
            !(old && new)
        })
        .map(|cast| {
            let context = match cast.context {
                CastContext::Implicit => "i",
                CastContext::Assignment => "a",
                CastContext::Explicit => "e",
            };
            (
                cast.from.to_owned(),
                cast.to.to_owned(),
                context.to_owned(),
                cast.binary,
            )
        })
        .collect();
    let only = |one: &BTreeSet<_>, other| one.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!((only(&known, &live), only(&live, &known)), (vec![], vec![]));
}

/// Types with values, as texts.
const TYPES: &[(&str, &[&str])] = &[
    ("boolean", &["true", "false"]),
    ("smallint", &["0", "1", "-7", "32767"]),
    ("integer", &["0", "1", "65", "-40000", "2147483647"]),
    ("bigint", &["0", "1", "5", "9223372036854775807"]),
    ("numeric", &["0", "1", "12.345", "-99999999999999999999"]),
    ("numeric(5,2)", &["0", "1", "999.99", "-0.01"]),
    ("numeric(4,0)", &["1", "9999"]),
    ("real", &["0", "1", "0.1", "16777217", "3e38"]),
    (
        "double precision",
        &["0", "1", "0.30000000000000004", "1e300"],
    ),
    ("money", &["0", "1", "12.34", "-90000000000000.07"]),
    (
        "text",
        &[
            "",
            "a",
            "1",
            "1.25",
            "t",
            "{a,b}",
            "[1,2,3]",
            "2020-01-02",
            "2020-01-02 10:11:12.345678+02",
            "101011",
            "a=>1",
        ],
    ),
    ("character varying(8)", &["", "a", "1", "12.5", "t", "1010"]),
    ("character(6)", &["", "a", "abcdef", "12"]),
    ("name", &["a", "public"]),
    ("\"char\"", &["a", "1"]),
    ("citext", &["a", "A", "1"]),
    (
        "bytea",
        &[
            "\\x",
            "\\x05",
            "\\x0102030405060708",
            "\\x010203040506070809",
        ],
    ),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("date", &["2020-01-02", "infinity"]),
    ("time", &["10:11:12.345678"]),
    ("time(0)", &["10:11:12"]),
    ("timetz", &["10:11:12.345678+02"]),
    ("timestamp", &["2020-01-02 10:11:12.345678", "2020-01-02"]),
    ("timestamp(3)", &["2020-01-02 10:11:12.345"]),
    (
        "timestamptz",
        &["2020-01-02 10:11:12.345678+00", "infinity"],
    ),
    ("timestamptz(0)", &["2020-01-02 10:11:12+00"]),
    ("interval", &["3 years 2 days 04:05:06.789", "04:05"]),
    ("interval(0)", &["2 days 04:05:06"]),
    ("interval year to month", &["3 years 2 mons"]),
    ("interval day to hour", &["2 days 04:00:00"]),
    (
        "json",
        &["{\"a\": 1}", "1", "\"x\"", "[1, 2]", "true", "null"],
    ),
    (
        "jsonb",
        &[
            "{\"a\": 1}",
            "1",
            "5.75",
            "\"x\"",
            "[\"a\"]",
            "true",
            "null",
            "\"2020-01-02\"",
        ],
    ),
    ("bit(8)", &["10101010", "00000001"]),
    ("bit(1)", &["0", "1"]),
    ("bit(3)", &["101", "001"]),
    ("bit varying(8)", &["1", "101", "10101010"]),
    (
        "bit varying",
        &[
            "1",
            "0000000000000000000000000000000000000000000000000000000000000000001",
        ],
    ),
    ("inet", &["10.0.0.1/8", "192.168.0.1", "::1"]),
    ("cidr", &["10.0.0.0/8"]),
    ("macaddr", &["08:00:2b:01:02:03"]),
    (
        "macaddr8",
        &["08:00:2b:ff:fe:01:02:03", "08:00:2b:01:02:03:04:05"],
    ),
    ("oid", &["1259", "1"]),
    ("regclass", &["pg_class"]),
    ("regtype", &["integer"]),
    ("xid8", &["5", "8589934592"]),
    ("pg_lsn", &["0/16"]),
    ("point", &["(1,2)"]),
    ("lseg", &["[(0,0),(2,2)]"]),
    ("box", &["(2,3),(0,0)"]),
    ("path", &["((0,0),(1,1),(2,0))", "[(0,0),(1,1)]"]),
    ("polygon", &["((0,0),(1,1),(2,0))"]),
    ("circle", &["<(1,1),2>"]),
    ("int4range", &["[1,3)", "empty"]),
    ("int4multirange", &["{[1,3),[5,7)}"]),
    ("tstzrange", &["[\"2020-01-02 00:00:00+00\",)"]),
    ("tstzmultirange", &["{[\"2020-01-02 00:00:00+00\",)}"]),
    ("tsvector", &["'a' 'b':1"]),
    ("tsquery", &["'a' & 'b'"]),
    ("jsonpath", &["$.\"a\""]),
    ("hstore", &["\"a\"=>\"1\""]),
    ("ltree", &["a.b"]),
    ("cube", &["(1, 2)"]),
    ("isbn", &["0-306-40615-2"]),
    ("ean13", &["978-0-306-40615-7"]),
    ("vector(3)", &["[1,2,3.5]"]),
    ("vector", &["[1,2,3.5]"]),
    ("halfvec(3)", &["[1,2,3.5]"]),
    ("sparsevec(3)", &["{1:1,3:2}/3"]),
    ("mood", &["sad", "ok"]),
    ("state", &["ok"]),
    ("boolean[]", &["{t,f}"]),
    ("integer[]", &["{1,2,3}", "{}"]),
    ("real[]", &["{1,2,3.5}"]),
    ("double precision[]", &["{1,2,3.5}"]),
    ("numeric(5,2)[]", &["{1.00,2.50}"]),
    ("text[]", &["{a,1}", "{}"]),
    ("character varying(3)[]", &["{a,abc}"]),
    ("\"char\"[]", &["{a}"]),
    ("jsonb[]", &["{1}"]),
    ("mood[]", &["{sad}"]),
    ("date[]", &["{2020-01-02}"]),
];

/// The change of the type of `t.v`: its expression, and whether it may fail and lose data.
fn change(from: &str, to: &str) -> (String, bool, bool) {
    let schema = |ty: &str| Schema {
        tables: [(
            Name::new("t"),
            Table {
                columns: vec![Column::new("v", ty.parse::<DataType>().unwrap())],
                ..Table::default()
            },
        )]
        .into(),
        ..Schema::default()
    };
    let plan = diff(&schema(from), &schema(to), &Decisions::default()).unwrap();
    let [step] = plan.steps.as_slice() else {
        panic!("{from} to {to}: {plan:?}");
    };
    let Change::AlterType { using, .. } = &step.change else {
        panic!("{from} to {to}: {plan:?}");
    };
    let using = using.as_ref().map_or("v", Expression::as_str);
    (
        using.to_owned(),
        step.risks
            .iter()
            .any(|risk| matches!(risk, Risk::MayFail(_))),
        step.risks
            .iter()
            .any(|risk| matches!(risk, Risk::LosesData(_))),
    )
}

/// Assigns values of a type to a column of another, and those to one of the first type. Returns
/// the last values as texts; none if only the way back fails.
async fn convert(
    conn: &mut PgConnection,
    (from, there): (usize, &str),
    (to, back): (usize, &str),
    only: Option<usize>,
) -> Result<Option<Vec<String>>, sqlx::Error> {
    let only = only.map_or(String::new(), |place| format!("WHERE n = {place}"));
    let forth = format!("BEGIN; INSERT INTO there_{to} SELECT n, {there} FROM start_{from} {only}");
    let back = format!(
        "INSERT INTO back_{from} SELECT n, {back} FROM there_{to}; \
         SELECT coalesce(v::text, 'NULL') FROM back_{from} ORDER BY n"
    );
    let result = match raw(conn, forth).await {
        Ok(_) => Ok(raw(conn, back).await.ok()),
        Err(error) => Err(error),
    };
    raw(conn, "ROLLBACK".to_owned()).await.unwrap();
    result
}

async fn raw(conn: &mut PgConnection, sql: String) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(conn).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether the value of one type is read from a text, which may spell it in several ways.
fn reads_text(from: &str, conversion: &str) -> bool {
    let strings = ["text", "character", "name", "citext", "json"];
    let is_text = |ty: &str| strings.iter().any(|name| ty.starts_with(name));
    // White space around JSON has no meaning.
    conversion.contains("::text") || is_text(from) && (conversion != "v" || from == "json")
}

/// Every change of type is one that the server knows. A value that it refuses, and one that does
/// not come back as it was, is among the risks.
#[tokio::test]
async fn change_between_any_types_keeps_values_or_names_the_risk() {
    let (_db, mut conn) = database().await;
    conn.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE state AS ENUM ('ok', 'off'); \
         SET TimeZone = 'UTC'",
    )
    .await
    .unwrap();
    let new = has_version(&mut conn, 180_000).await;
    let types: Vec<_> = (TYPES.iter().enumerate())
        .filter(|(_, (ty, _))| new || *ty != "bytea")
        .collect();
    for (place, (ty, values)) in &types {
        let (sql, values) = (
            ["start", "there", "back"]
                .map(|name| format!("CREATE TABLE {name}_{place} (n integer, v {ty})")),
            values
                .iter()
                .enumerate()
                .map(|(n, value)| format!("({n}, {})", literal(value))),
        );
        let values = values.collect::<Vec<_>>().join(", ");
        let sql = format!(
            "{}; INSERT INTO start_{place} VALUES {values}",
            sql.join("; ")
        );
        raw(&mut conn, sql).await.unwrap();
    }
    let mut wrong = Vec::new();
    for (from, (from_type, values)) in &types {
        let before = format!("SELECT v::text FROM start_{from} ORDER BY n");
        let before = raw(&mut conn, before).await.unwrap();
        for (to, (to_type, _)) in &types {
            if from == to {
                continue;
            }
            let (there, may_fail, loses) = change(from_type, to_type);
            let (back, _, back_loses) = change(to_type, from_type);
            let compares =
                !loses && !back_loses && !reads_text(from_type, &there) && !back.contains("::text");
            let mut refused = false;
            for only in std::iter::once(None).chain((0..values.len()).map(Some)) {
                let before = match only {
                    None => &before[..],
                    // All values at once are enough, unless one of them stops the others.
                    Some(_) if !refused => break,
                    Some(place) => &before[place..=place],
                };
                match convert(&mut conn, (*from, &there), (*to, &back), only).await {
                    Ok(Some(after)) if compares && after != before => wrong.push(format!(
                        "{from_type} to {to_type} ({there}) and back ({back}): {before:?} is {after:?}"
                    )),
                    Ok(after) => refused |= after.is_none(),
                    Err(error) => {
                        refused = true;
                        let code = error.as_database_error();
                        let code = code.and_then(sqlx::error::DatabaseError::code);
                        let code = code.unwrap_or_default();
                        // The server has no such cast or function.
                        let unknown = ["42804", "42846", "42883"].contains(&code.as_ref());
                        if !may_fail || unknown {
                            wrong.push(format!(
                                "{from_type} to {to_type} ({there}), {before:?}: {error}"
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
