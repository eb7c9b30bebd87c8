//! The tables of a database.
//!
//! From here on they are the source, edited by hand: migrations are generated from
//! their changes.
//! A database does not store which fields feed `embedding`: name them in `search(…)`.
//! Needs the features `rust_decimal` and `uuid` of `lookback`.

// Objects of the database that these models lack or simplify:
// - table cache has storage parameters, which are not in the schema: fillfactor=70
// - table cache is unlogged, which is not in the schema
// - table heirs is left out: it inherits from another, which is not in the schema
// - table numbered: the sequence of id has options, which are not in the schema: START WITH 1000
// - table orders has row-level security, which is not in the schema
// - table invoices is schema_only: Lookback cannot write a money, and the column total has no default

use chrono::{DateTime, NaiveDate, Utc};
use lookback::embedding::Embedding;
use lookback::migrate::Models;
use lookback::value::{Bytes, Decimal, Hidden, Inet, Opaque, Uuid, Vector};
use lookback::{ColumnEnum, Json, model};

/// A row of the table `"2 of 3"`.
#[model(table = "2 of 3", schema_only)]
pub struct _2Of3 {}

/// A row of the table `"a.b"`.
#[model(table = r#""a.b""#, schema_only)]
pub struct AB {
    pub c: Option<i32>,
}

/// A row of the table `abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefgs`.
#[model(
    table = "abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefgs",
    schema_only,
    constraint(
        "abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abc_pkey",
        "PRIMARY KEY (id)"
    )
)]
pub struct AbcdefghijAbcdefghijAbcdefghijAbcdefghijAbcdefghijAbcdefg {
    pub id: i32,
}

/// A row of the table `cache`.
#[model(
    table = "cache",
    schema_only,
    constraint("cache_pkey", "PRIMARY KEY (key)")
)]
pub struct Cache {
    pub key: String,
    pub value: Option<Json>,
}

/// A row of the table `events`.
#[model(
    table = "events",
    schema_only,
    constraint("events_pkey", "PRIMARY KEY (id, kind, at)"),
    index("events_kind_idx", "(kind)"),
    partition_by = "RANGE (at, id)",
    partition("events_default", "DEFAULT"),
    partition(
        "events_old",
        "FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2020-01-01', '5')",
        partition_by = "LIST (kind)",
        partition(
            "events_old_ab",
            "FOR VALUES IN ('a', 'b')",
            partition_by = "HASH (id)",
            partition(r#""events ""1""""#, "FOR VALUES WITH (modulus 2, remainder 1)"),
            partition(
                r#""sales"."events_old_ab_0""#,
                "FOR VALUES WITH (modulus 2, remainder 0)"
            )
        )
    )
)]
pub struct Event {
    pub id: i64,
    pub kind: String,
    pub at: NaiveDate,
    #[column(stored = "id * 2")]
    pub double: Option<i64>,
}

/// A row of the table `invoices`.
#[model(
    table = "invoices",
    schema_only,
    constraint("invoices_pkey", "PRIMARY KEY (id)")
)]
pub struct Invoice {
    #[column(identity = "always")]
    pub id: i64,
    #[column(type = "money")]
    pub total: Opaque,
    #[column(sql_default = "now()")]
    pub created_at: DateTime<Utc>,
    #[column(sql_default = "now()")]
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub embedding: Option<Embedding>,
}

/// A row of the table `numbered`.
#[model(table = "numbered", schema_only)]
pub struct Numbered {
    #[column(identity = "always")]
    pub id: i32,
}

/// A row of the table `"order"`.
#[model(
    table = "order",
    schema_only,
    constraint(r#"Odd "key""#, r#"UNIQUE ("Odd ""name""", self)"#),
    constraint(
        "order_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefg_check",
        "CHECK (abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefgh <> '')"
    ),
    constraint("order_pkey", "PRIMARY KEY (self)")
)]
pub struct Order {
    #[column(name = "self", identity = "by default")]
    pub self_: i16,
    #[column(name = "crate")]
    pub crate_: Option<String>,
    #[column(name = "Self")]
    pub self_2: Option<String>,
    #[column(name = "userId")]
    pub user_id_: Option<i32>,
    pub user_id: Option<i32>,
    #[column(name = "2fa")]
    pub _2fa: Option<bool>,
    #[column(name = r#"Odd "name""#, sql_default = r#"'a\b "c"'"#)]
    pub odd_name: Option<String>,
    #[column(type = r#""char""#)]
    pub r#fn: Option<Opaque>,
    pub größe: Option<f32>,
    #[column(name = "日本")]
    pub column_10: Option<String>,
    #[column(name = "a__b")]
    pub a_b: Option<String>,
    #[column(name = "_")]
    pub column_12: Option<String>,
    pub abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefgh: Option<String>,
}

/// A row of the table `orders`.
#[model(
    table = "orders",
    schema_only,
    constraint(
        "orders_buyer_fkey",
        "FOREIGN KEY (buyer) REFERENCES sales.customers (id) ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE"
    ),
    constraint(
        "orders_no_overlap",
        "EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (room > 0)"
    ),
    constraint(
        "orders_parent_fkey",
        "FOREIGN KEY (parent_a, parent_b) REFERENCES orders (a, b) MATCH FULL ON DELETE SET NULL (parent_b)"
    ),
    constraint("orders_pkey", "PRIMARY KEY (a, b) INCLUDE (state)"),
    constraint("orders_room_idx", "CHECK (room > 0) NO INHERIT"),
    constraint(
        "orders_room_key",
        "UNIQUE NULLS NOT DISTINCT (room, parent_a) DEFERRABLE INITIALLY DEFERRED"
    ),
    index("orders_room_idx", "USING brin (room) WITH (pages_per_range = 16)")
)]
pub struct Orders {
    pub a: i32,
    pub b: i32,
    #[column(sql_default = "'open'")]
    pub state: State,
    pub states: Option<Vec<State>>,
    pub buyer: Option<i64>,
    pub room: Option<i32>,
    #[column(type = "tsrange")]
    pub during: Option<Opaque>,
    pub parent_a: Option<i32>,
    pub parent_b: Option<i32>,
    #[column(sql_default = "'127.0.0.1'")]
    pub ip: Option<Inet>,
    #[column(sql_default = "ARRAY['new', 'web']")]
    pub tags: Vec<String>,
    #[column(type = "varchar(5)[]")]
    pub codes: Option<Vec<String>>,
    #[column(type = "timetz")]
    pub at: Option<Opaque>,
}

/// A row of the table `"Odd schema"."Options"`.
#[model(
    table = "Options",
    schema = "Odd schema",
    schema_only,
    constraint("Options_Some_key", r#"UNIQUE ("Some")"#)
)]
pub struct OddSchemaOption {
    #[column(name = "Some")]
    pub some: i32,
}

/// A row of the table `sales.customers`.
#[model(
    table = "customers",
    schema = "sales",
    comment = "who buys, and\nwhat for",
    search(),
    constraint("customers_born_check", "CHECK (born > '1900-01-01'::date) NOT VALID"),
    constraint(
        "customers_visits_check",
        "CHECK ((visits >= 0) AND ((visits < 1000) OR vip))"
    ),
    index("customers_email_key", "UNIQUE (email) WHERE deleted_at IS NULL"),
    index(
        "customers_name_idx",
        r"(lower((name)::text) text_pattern_ops DESC NULLS LAST, visits) INCLUDE (born) WHERE (name)::text ~ '\S'"
    ),
    index(
        "customers_taste_idx",
        "USING hnsw (taste vector_cosine_ops) WITH (ef_construction = 32, m = 8)"
    ),
    index("customers_words_idx", "USING gin (words)")
)]
pub struct Customer {
    #[column(comment = "the number of the customer")]
    pub id: i64,
    #[column(type = "citext")]
    pub email: String,
    #[column(type = "varchar(80)", default = "nobody".to_owned(), collate = "C")]
    pub name: Option<String>,
    #[column(default = r#"it's "new"\"#.to_owned())]
    pub motto: String,
    #[column(default = Mood::ItsFine)]
    pub feeling: Mood,
    #[column(type = "mood[]", sql_default = "'{}'")]
    pub feelings: Opaque,
    #[column(sql_default = "'{}'")]
    pub labels: Vec<String>,
    #[column(sql_default = "ARRAY[1, 2]")]
    pub limits: Option<Vec<i32>>,
    pub friends: Option<Vec<i64>>,
    pub rates: Option<Vec<f64>>,
    pub answers: Option<Vec<bool>>,
    pub visited: Option<Vec<DateTime<Utc>>>,
    #[column(type = "varchar(5)[]")]
    pub codes: Option<Opaque>,
    pub state: Option<State>,
    #[column(default = false)]
    pub vip: bool,
    #[column(default = 0)]
    pub visits: i32,
    #[column(default = -5, comment = "cents")]
    pub owes: i64,
    #[column(default = 1.0)]
    pub discount: f64,
    #[column(type = "numeric(10,2)", sql_default = "0")]
    pub credit: Decimal,
    #[column(type = "timestamptz(3)", sql_default = "now()")]
    pub seen: Option<DateTime<Utc>>,
    pub born: Option<NaiveDate>,
    #[column(sql_default = "'{}'")]
    pub settings: Json,
    pub photo: Option<Bytes>,
    pub taste: Hidden<Option<Embedding>>,
    pub face: Option<Vector<3>>,
    #[column(sql_default = "gen_random_uuid()")]
    pub token: Uuid,
    #[column(name = "new")]
    pub new_: Option<bool>,
    #[column(name = "records")]
    pub records_: Option<i32>,
    pub r#type: Option<String>,
    #[column(
        type = "tsvector",
        stored = "to_tsvector('simple'::regconfig, (COALESCE(name, ''::character varying))::text)"
    )]
    pub words: Option<Opaque>,
    #[column(stored = "CASE WHEN (visits > 10) THEN 'big' ELSE 'small' END")]
    pub size: String,
    #[column(serial)]
    pub number: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    pub embedding: Hidden<Option<Embedding>>,
}

/// The enum type `mood`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
#[column_enum(type = "mood")]
pub enum Mood {
    Sad,
    #[column_enum(name = "so-so")]
    SoSo,
    #[column_enum(name = r#"it's "fine""#)]
    ItsFine,
    VeryHappy,
    #[column_enum(name = "self")]
    Self_,
    #[column_enum(name = "3rd")]
    _3rd,
}

/// The enum type `sales."State"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
#[column_enum(type = r#"sales."State""#)]
pub enum State {
    Open,
    #[column_enum(name = "inProgress")]
    InProgress,
    #[column_enum(name = "PAID")]
    Paid,
}

/// The enum type `sales.unused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
#[column_enum(type = "sales.unused")]
pub enum Unused {
    A,
}

/// All of these.
pub fn models() -> Models {
    Models::new()
        .extension("btree_gist")
        .enum_type::<Unused>()
        .model::<_2Of3>()
        .model::<AB>()
        .model::<AbcdefghijAbcdefghijAbcdefghijAbcdefghijAbcdefghijAbcdefg>()
        .model::<Cache>()
        .model::<Event>()
        .model::<Invoice>()
        .model::<Numbered>()
        .model::<Order>()
        .model::<Orders>()
        .model::<OddSchemaOption>()
        .model::<Customer>()
}
