//! The types of random columns, with values, defaults and checks.
//!
//! Every value and default of a type satisfies every check of the type, also after a
//! [conversion](CONVERSIONS) to another type. Values depend on the number of the row: two columns
//! whose types convert have the same value in the same row, so that a foreign key between them is
//! valid.

/// A type, and SQL for it.
///
/// `{}` is the number of the row in `value`, and the column in checks.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name as printed by PostgreSQL.
    pub(super) sql: &'static str,
    /// A value for a row.
    pub(super) value: &'static str,
    /// Whether each row has a distinct value, before and after conversions.
    ///
    /// Only such a column can be a key.
    pub(super) key: bool,
    /// Whether btree indexes support it.
    pub(super) ordered: bool,
    /// Defaults, in SQL that the server prints in another form.
    pub(super) defaults: &'static [&'static str],
    /// Checks that hold for every value.
    pub(super) checks: &'static [&'static str],
    /// The family: checks and generated columns of a type are valid for all its types.
    pub(super) family: &'static str,
}

const fn kind(
    sql: &'static str,
    family: &'static str,
    value: &'static str,
    defaults: &'static [&'static str],
    checks: &'static [&'static str],
) -> Kind {
    Kind {
        sql,
        value,
        key: false,
        ordered: true,
        defaults,
        checks,
        family,
    }
}

impl Kind {
    const fn key(self) -> Self {
        Self { key: true, ..self }
    }

    const fn unordered(self) -> Self {
        Self {
            ordered: false,
            ..self
        }
    }
}

const WHOLE: &[&str] = &[
    "0",
    "42",
    "-1",
    "1 + 2 * 3",
    "(7)",
    "abs(-7)",
    "+5",
    "'3'",
    "cast(9 as smallint)",
    "null",
];
const NUMBER: &[&str] = &[
    "0",
    "1.5",
    "-2",
    ".5 + 1",
    "1e2",
    "'7'",
    "round(2.5)",
    "cast('4' as numeric)",
];
const POSITIVE: &[&str] = &[
    "{} > -100",
    "{} BETWEEN -100 AND 2000000",
    "{} NOT BETWEEN -300 AND -200",
    "{} NOT IN (-101, -102)",
    "{} IN (-1) OR {} <> -77 AND {} <> -78",
    "COALESCE({}, 0) >= -50",
    "{} IS DISTINCT FROM -99",
    "CASE WHEN {} IS NULL THEN true ELSE {} > -100 END",
    "NOT ({} < -100)",
    "{} > -100::smallint",
    "{} + 1 > -99 AND ({} - 1 > -200 OR {} IS NULL)",
    "({}, 1) <> (-77, 1)",
];
const STRING: &[&str] = &[
    "''",
    "'x'",
    "'it''s'",
    "lower('ABC')",
    "'a' || 'b'",
    "E'a\\tb'",
    "$$q$$",
    "concat('a', 1)",
    "null",
];
const WORDS: &[&str] = &[
    "length({}) < 1000",
    "{} <> 'never'",
    "{} !~ '^never'",
    "{} !~* 'NEVER$'",
    "{} NOT LIKE 'nev%er'",
    "{} NOT ILIKE 'never_'",
    "{} NOT IN ('never', 'ever')",
    "{} NOT SIMILAR TO '(never|ever)'",
    "coalesce(nullif({}, ''), 'x') <> 'never'",
    "position('never' in {}) = 0",
    "substring({} from 1 for 5) <> 'never'",
    "trim(both from {}) <> 'never'",
    "char_length({}) < 2000 and upper({}) != 'NEVER'",
    "left({}, 5) != all (array['never', 'ever!'])",
];
const DAYS: &[&str] = &[
    "{} > '1900-01-01'",
    "{} BETWEEN '1900-01-01' AND '2100-01-01'",
    "{} < date '2100-01-01' OR {} IS NULL",
    "extract(year from {}) > 1900",
    "{} + interval '1 day' > '1900-01-01'",
    "date_part('year', {}) < 2100",
    "isfinite({})",
];
const NONE: &[&str] = &[];

/// The types, the simplest first.
pub(super) const KINDS: &[Kind] = &[
    kind("integer", "whole", "{}", WHOLE, POSITIVE).key(),
    kind("text", "words", "'row {}'", STRING, WORDS).key(),
    kind("bigint", "whole", "{}", WHOLE, POSITIVE).key(),
    kind("smallint", "whole", "{}", WHOLE, POSITIVE).key(),
    kind(
        "boolean",
        "boolean",
        "{} % 2 = 0",
        &["true", "FALSE", "not true", "'t'", "1 > 2"],
        &[
            "{} IS NOT UNKNOWN OR true",
            "{} IN (true, false)",
            "{} OR NOT {}",
        ],
    ),
    kind(
        "timestamp with time zone",
        "days",
        "timestamptz '2020-01-01 00:00:00Z' + {} * interval '36 hours'",
        &[
            "now()",
            "current_timestamp",
            "CURRENT_TIMESTAMP(3)",
            "'2020-01-01 00:00Z'",
            "now() - interval '1 day'",
            "date_trunc('day', now())",
            "transaction_timestamp()",
        ],
        DAYS,
    )
    .key(),
    kind("numeric", "number", "{}.25", NUMBER, POSITIVE).key(),
    kind("numeric(12,3)", "number", "{}.25", NUMBER, POSITIVE).key(),
    kind("numeric(10,2)", "number", "{}.25", NUMBER, POSITIVE).key(),
    kind("double precision", "number", "{}.25", NUMBER, POSITIVE).key(),
    kind("real", "number", "{}.25", NUMBER, POSITIVE),
    kind("character varying", "words", "'row {}'", STRING, WORDS).key(),
    kind("character varying(40)", "words", "'row {}'", STRING, WORDS).key(),
    kind("character varying(80)", "words", "'row {}'", STRING, WORDS).key(),
    kind(
        "character(8)",
        "char",
        "'row {}'",
        &["'x'", "'y'::char(8)"],
        &["{} <> 'never'"],
    ),
    kind(
        "citext",
        "citext",
        "'row {}'",
        &["'x'", "''::citext"],
        &["{} <> 'never'", "{} !~ '^never'"],
    ),
    kind(
        "uuid",
        "uuid",
        "md5('{}')::uuid",
        &[
            "gen_random_uuid()",
            "'6f2c0ff4-1d3b-4b8a-9d3f-000000000001'",
        ],
        &["{} <> '6f2c0ff4-1d3b-4b8a-9d3f-00000000000f'"],
    )
    .key(),
    kind(
        "jsonb",
        "json",
        "jsonb_build_object('row', {})",
        &[
            "'{}'",
            "'{\"a\": [1, 2]}'::jsonb",
            "jsonb_build_object('a', 1)",
            "'[]'",
        ],
        &[
            "jsonb_typeof({}) = 'object' or jsonb_typeof({}) <> 'number'",
            "NOT {} ? 'never'",
            "{} ->> 'never' IS NULL",
            "{} #>> '{never,ever}' IS NULL",
            "({} -> 'row')::text is not null or true",
            "NOT {} @> '{\"never\": 1}'",
        ],
    ),
    kind(
        "json",
        "json text",
        "json_build_object('row', {})",
        &["'{}'", "'null'"],
        &["{} ->> 'never' IS NULL", "json_typeof({}) <> 'boolean'"],
    )
    .unordered(),
    kind(
        "date",
        "days",
        "date '2020-01-01' + {}",
        &[
            "current_date",
            "'2020-01-01'",
            "CURRENT_DATE + 7",
            "date '2020-02-29'",
            "('now'::text)::date",
        ],
        DAYS,
    )
    .key(),
    kind(
        "timestamp without time zone",
        "days",
        "timestamp '2020-01-01 12:00' + {} * interval '36 hours'",
        &[
            "localtimestamp",
            "now() at time zone 'utc'",
            "'2020-01-01'",
            "timestamp '2020-01-01 10:00'",
            "to_timestamp(0) at time zone 'UTC'",
        ],
        DAYS,
    )
    .key(),
    kind(
        "timestamp(3) with time zone",
        "days",
        "timestamptz '2020-01-01 00:00:00Z' + {} * interval '36 hours'",
        &["now()", "current_timestamp(3)"],
        DAYS,
    )
    .key(),
    kind(
        "time without time zone",
        "time",
        "time '10:00' + {} * interval '1 minute'",
        &["localtime", "'12:00'", "current_time"],
        &["{} < '24:00'", "extract(hour from {}) < 24"],
    ),
    kind(
        "time(0) with time zone",
        "timetz",
        "timetz '10:00Z' + {} * interval '1 minute'",
        &["current_time", "'12:00+02'"],
        &["{} <> '24:00:00Z'"],
    ),
    kind(
        "interval",
        "interval",
        "{} * interval '1 hour'",
        &[
            "'1 day'",
            "interval '2 hours 3 minutes'",
            "interval '1' year",
            "make_interval(days => 10)",
            "'P1Y2M'::interval",
        ],
        &[
            "{} < '100 years'",
            "{} >= interval '-1 day' AND {} < make_interval(years => 100)",
        ],
    ),
    kind(
        "interval day to second(3)",
        "interval",
        "{} * interval '1 hour'",
        &["'1 day'"],
        &["{} < interval '100' year"],
    ),
    kind(
        "bytea",
        "bytea",
        "decode(md5('{}'), 'hex')",
        &["'\\x'", "E'\\\\xDEAD'", "decode('00ff', 'hex')"],
        &["octet_length({}) < 1000", "{} <> '\\xff00ff'"],
    ),
    kind(
        "inet",
        "inet",
        "'10.0.0.{}'::inet",
        &["'127.0.0.1'", "inet '::1'"],
        &[
            "NOT {} << '192.168.0.0/16'",
            "family({}) IN (4, 6)",
            "host({}) <> 'never'",
        ],
    ),
    kind(
        "cidr",
        "cidr",
        "'10.{}.0.0/16'::cidr",
        &["'10.0.0.0/8'"],
        &["masklen({}) > 0"],
    ),
    kind(
        "macaddr",
        "mac",
        "('08:00:2b:01:02:0' || {})::macaddr",
        &["'08:00:2b:01:02:03'"],
        &["{} <> 'ff:ff:ff:ff:ff:ff'"],
    ),
    kind(
        "macaddr8",
        "mac8",
        "('08:00:2b:01:02:03:04:0' || {})::macaddr8",
        NONE,
        NONE,
    ),
    kind(
        "bit(8)",
        "bit",
        "{}::bit(8)",
        &["B'10101010'", "X'0F'", "'11110000'"],
        &[
            "length({}) = 8",
            "{} <> B'11111111'",
            "get_bit({}, 0) IN (0, 1)",
        ],
    ),
    kind(
        "bit varying(16)",
        "varbit",
        "{}::bit(8)::varbit",
        &["B'1'", "'101'"],
        &["length({}) <= 16"],
    ),
    kind(
        "money",
        "money",
        "{}::money",
        &["1.5", "'2.5'", "0::money"],
        &["{} < 1000000::money"],
    ),
    kind(
        "name",
        "name",
        "'row {}'",
        &["'x'", "current_user", "current_schema", "session_user"],
        &["{} <> 'never'"],
    ),
    kind(
        "\"char\"",
        "small char",
        "chr(96 + {})::\"char\"",
        &["'x'"],
        &["{} <> '!'"],
    ),
    kind(
        "oid",
        "oid",
        "{}::oid",
        &["0", "'7'::oid"],
        &["{} <> 4000000000"],
    ),
    kind(
        "point",
        "point",
        "point({}, {})",
        &["'(0,0)'", "point(1, 2)"],
        &["{} <-> point '(0,0)' >= 0", "{}[0] > -1000"],
    )
    .unordered(),
    kind(
        "box",
        "box",
        "box(point({}, {}), point(0, 0))",
        &["'(1,1),(0,0)'"],
        &["area({}) >= 0"],
    )
    .unordered(),
    kind(
        "circle",
        "circle",
        "circle(point({}, 0), 1)",
        &["'<(0,0),1>'"],
        &["radius({}) < 1000"],
    )
    .unordered(),
    kind(
        "line",
        "line",
        "line(point(0, 0), point({}, 1))",
        NONE,
        NONE,
    )
    .unordered(),
    kind(
        "lseg",
        "lseg",
        "lseg(point(0, 0), point({}, 1))",
        NONE,
        NONE,
    )
    .unordered(),
    kind("path", "path", "'[(0,0),({},1)]'::path", NONE, NONE).unordered(),
    kind(
        "polygon",
        "polygon",
        "'((0,0),(0,1),({},1))'::polygon",
        NONE,
        NONE,
    )
    .unordered(),
    kind(
        "int4range",
        "range",
        "int4range({}, {} + 1)",
        &["'[1,5)'", "int4range(1, 2, '[]')", "'empty'"],
        &[
            "lower({}) > -1000 OR isempty({})",
            "NOT {} @> -1000",
            "{} << int4range(1000000, null) or isempty({})",
        ],
    ),
    kind(
        "int8range",
        "range8",
        "int8range({}, {} + 1)",
        &["'(,)'"],
        NONE,
    ),
    kind(
        "numrange",
        "numrange",
        "numrange({}, {} + 1)",
        &["'[1.1,2.2)'"],
        &["NOT {} @> -1000.5"],
    ),
    kind(
        "tstzrange",
        "tstzrange",
        "tstzrange(timestamptz '2020-01-01 00:00Z' + {} * interval '1 day', timestamptz '2020-01-02 00:00Z' + {} * interval '1 day')",
        &["tstzrange(now(), null)"],
        &["NOT {} @> timestamptz '1900-01-01 00:00Z'"],
    ),
    kind(
        "daterange",
        "daterange",
        "daterange(date '2020-01-01' + {}, date '2020-01-02' + {})",
        &["'[2020-01-01,2020-02-01)'"],
        &["upper_inf({}) OR upper({}) < '2100-01-01' or isempty({})"],
    ),
    kind(
        "int4multirange",
        "multirange",
        "int4multirange(int4range({}, {} + 1))",
        &["'{}'", "'{[1,2), [5,9)}'"],
        &["NOT {} @> -1000"],
    ),
    kind(
        "tsvector",
        "tsvector",
        "to_tsvector('simple', 'row {}')",
        &["''", "to_tsvector('simple', 'a b')"],
        &["NOT {} @@ 'never'::tsquery"],
    ),
    kind(
        "tsquery",
        "tsquery",
        "'row & {}'::tsquery",
        &["'a & b'"],
        NONE,
    ),
    kind(
        "integer[]",
        "wholes",
        "ARRAY[{}, 0]",
        &[
            "'{}'",
            "ARRAY[1, 2]",
            "array[]::integer[]",
            "'{1,2}'::int[]",
        ],
        &[
            "cardinality({}) < 1000",
            "NOT -77 = ANY ({})",
            "{}[1] > -100",
            "array_length({}, 1) < 9 OR {} = '{ }'",
            "-77 <> ALL ({})",
            "NOT {} && ARRAY[-77]",
        ],
    ),
    kind(
        "text[]",
        "texts",
        "ARRAY['row {}']",
        &[
            "'{}'",
            "ARRAY['a', 'b']",
            "array['a', null]",
            "string_to_array('a,b', ',')",
            "'{\"a b\",c}'",
        ],
        &[
            "'never' <> ALL ({})",
            "NOT {} @> ARRAY['never']",
            "cardinality({}) < 100",
            "{}[1:2] <> '{never,ever}'",
            "array_position({}, 'never') IS NULL",
        ],
    ),
    kind(
        "character varying(40)[]",
        "texts",
        "ARRAY['row {}']",
        &["'{}'"],
        &["cardinality({}) < 100"],
    ),
    kind(
        "numeric(10,2)[]",
        "numbers",
        "ARRAY[{}.25]",
        &["'{1.5}'", "ARRAY[1, 2.5]"],
        NONE,
    ),
    kind(
        "timestamp with time zone[]",
        "times",
        "ARRAY[timestamptz '2020-01-01 00:00Z']",
        &["ARRAY[now()]"],
        NONE,
    ),
    kind(
        "jsonb[]",
        "jsonbs",
        "ARRAY['{\"row\": {}}'::jsonb]",
        &["'{}'"],
        NONE,
    ),
    kind(
        "uuid[]",
        "uuids",
        "ARRAY[md5('{}')::uuid]",
        &["'{}'::uuid[]"],
        NONE,
    ),
    kind(
        "vector(3)",
        "vector",
        "'[{},0,1]'::vector",
        &["'[0,0,1]'", "array[1,2,3]::vector(3)"],
        &["{} <-> '[0,0,0]' >= 0", "vector_dims({}) < 100"],
    ),
    kind(
        "vector(4)",
        "vector",
        "'[{},0,1,2]'::vector",
        &["'[0,0,1,1]'"],
        &["vector_dims({}) < 100"],
    ),
    kind(
        "halfvec(3)",
        "halfvec",
        "'[{},0,1]'::halfvec",
        &["'[0,0,1]'::halfvec(3)"],
        NONE,
    ),
    kind(
        "sparsevec(5)",
        "sparsevec",
        "'{1:{},3:2}/5'::sparsevec",
        &["'{1:1}/5'"],
        NONE,
    ),
    kind("pg_lsn", "lsn", "'0/{}'::pg_lsn", &["'0/0'"], NONE),
    kind(
        "jsonpath",
        "jsonpath",
        "'$.row'::jsonpath",
        &["'$.a'"],
        NONE,
    )
    .unordered(),
    kind("pg_snapshot", "snapshot", "'1:1:'::pg_snapshot", NONE, NONE).unordered(),
    kind(
        "regclass",
        "regclass",
        "'pg_class'::regclass",
        &["'pg_catalog.pg_type'"],
        NONE,
    ),
];

/// Returns the type with this name.
pub(super) fn known(sql: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.sql == sql)
}

/// Conversions from one type to another, with an expression if there is no assignment cast.
///
/// Distinct values of a key stay distinct.
pub(super) const CONVERSIONS: &[(&str, &str, Option<&str>)] = &[
    ("integer", "bigint", None),
    ("bigint", "integer", None),
    ("integer", "smallint", None),
    ("smallint", "integer", None),
    ("smallint", "bigint", None),
    ("bigint", "smallint", None),
    ("text", "character varying(40)", None),
    ("text", "character varying", None),
    ("character varying(40)", "text", None),
    ("character varying(40)", "character varying(80)", None),
    ("character varying(80)", "character varying(40)", None),
    ("character varying", "text", None),
    ("integer", "text", None),
    ("integer", "numeric", None),
    ("integer", "numeric(12,3)", None),
    ("integer", "double precision", None),
    ("bigint", "numeric(10,2)", None),
    ("numeric", "integer", None),
    ("numeric(10,2)", "numeric(12,3)", None),
    ("numeric(12,3)", "numeric(10,2)", None),
    ("numeric(12,3)", "numeric", None),
    ("numeric", "numeric(12,3)", None),
    ("numeric", "text", None),
    ("double precision", "numeric(10,2)", None),
    ("integer", "boolean", Some("{} <> 0")),
    ("boolean", "integer", Some("{}::integer")),
    ("boolean", "text", None),
    (
        "boolean",
        "smallint",
        Some("CASE WHEN {} THEN 1 ELSE 0 END"),
    ),
    ("text", "citext", None),
    ("citext", "text", None),
    ("text", "jsonb", Some("to_jsonb({})")),
    ("text", "text[]", Some("ARRAY[{}]")),
    ("text", "bytea", Some("convert_to({}, 'UTF8')")),
    ("text[]", "text", Some("{}[1]")),
    ("text[]", "character varying(40)[]", None),
    ("integer[]", "text[]", None),
    ("jsonb", "json", None),
    ("json", "jsonb", None),
    ("jsonb", "text", None),
    ("uuid", "text", None),
    ("date", "timestamp without time zone", None),
    ("date", "timestamp with time zone", None),
    ("timestamp without time zone", "date", None),
    (
        "timestamp without time zone",
        "timestamp with time zone",
        Some("{} AT TIME ZONE 'UTC'"),
    ),
    (
        "timestamp with time zone",
        "timestamp without time zone",
        Some("{} AT TIME ZONE 'UTC'"),
    ),
    (
        "timestamp with time zone",
        "timestamp(3) with time zone",
        None,
    ),
    (
        "timestamp(3) with time zone",
        "timestamp with time zone",
        None,
    ),
    ("date", "text", None),
    ("interval", "interval day to second(3)", None),
    ("cidr", "inet", None),
    ("inet", "text", None),
    ("bit(8)", "bit varying(16)", None),
    ("character(8)", "text", None),
    ("vector(3)", "halfvec(3)", None),
    ("halfvec(3)", "vector(3)", None),
    ("int4range", "int4multirange", Some("{}::int4multirange")),
];
