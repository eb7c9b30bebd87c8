//! A model with a column of every kind, and a generator of its values.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use lookback::embedding::Embedding;
use lookback::json;
use lookback::value::{Decimal, Hidden, Uuid};
use lookback::{ColumnEnum, Json, model};
use testkit::sample::Random;

/// A column of every kind.
#[model(table = "things", search())]
pub(super) struct Thing {
    pub(super) id: i64,
    /// A column with the database's own collation.
    pub(super) text: Option<String>,
    /// A column with the collation "C".
    #[column(collate = "C")]
    pub(super) name: String,
    pub(super) small: Option<i32>,
    #[column(name = "big.num__ber")]
    pub(super) big: i64,
    pub(super) ratio: Option<f64>,
    pub(super) flag: Option<bool>,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) shade: Option<Shade>,
    pub(super) mood: Option<Mood>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) numbers: Vec<i64>,
    pub(super) shades: Option<Vec<Shade>>,
    pub(super) times: Option<Vec<DateTime<Utc>>>,
    pub(super) tiny: Option<i16>,
    pub(super) single: Option<f32>,
    pub(super) price: Option<Decimal>,
    pub(super) key: Option<Uuid>,
    pub(super) keys: Option<Vec<Uuid>>,
    pub(super) day: Option<NaiveDate>,
    pub(super) clock: Option<NaiveTime>,
    pub(super) local: Option<NaiveDateTime>,
    pub(super) wait: Option<Duration>,
    pub(super) host: Option<IpAddr>,
    pub(super) doc: Option<Json>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) deleted_at: Hidden<Option<DateTime<Utc>>>,
    pub(super) embedding: Hidden<Option<Embedding>>,
}

/// An enum that is stored as text, in an order that is not alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ColumnEnum)]
pub(super) enum Shade {
    White,
    #[column_enum(name = "dark, grey)")]
    Grey,
    Black,
}

/// An enum type of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ColumnEnum)]
#[column_enum(type = "mood")]
pub(super) enum Mood {
    Sad,
    Ok,
    #[column_enum(name = "very \"happy\"")]
    Happy,
}

pub(super) const CREATE: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'very \"happy\"'); \
     CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text, \
     name text COLLATE \"C\" NOT NULL, small integer, \"big.num__ber\" bigint NOT NULL, \
     ratio double precision, flag boolean, at timestamptz, shade text, mood mood, tags text[], \
     numbers bigint[] NOT NULL, shades text[], times timestamptz[], tiny smallint, single real, \
     price numeric, key uuid, keys uuid[], day date, clock time, local timestamp, wait interval, \
     host inet, doc jsonb, \
     created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz, \
     embedding vector(16)); \
     CREATE INDEX ON things USING gin (doc jsonb_path_ops)";

/// Letters of generated texts: letters that have another case, letters whose other case
/// is not one letter or not ASCII, letters with a meaning in a pattern, a list or a
/// group, and letters outside of the basic plane.
pub(super) const LETTERS: [&str; 24] = [
    "a", "A", "b", "B", "é", "É", "ß", "Ж", "ж", "Σ", "σ", "𐐀", "𐐨", "%", "_", "\\", "\"", ",",
    "(", ")", "'", " ", "=", "[",
];

pub(super) fn word(random: &mut Random) -> String {
    let length = random.below(4);
    (0..length).map(|_| *random.pick(&LETTERS)).collect()
}

/// Generates texts, some of which are parts of others.
pub(super) fn text(random: &mut Random) -> String {
    match random.below(4) {
        0 => (*random.pick(&["abc", "ABC", "aBc%", "Émile", "éMILE", "жук", "ЖУК"])).to_owned(),
        _ => word(random) + &word(random),
    }
}

pub(super) fn moment(random: &mut Random) -> DateTime<Utc> {
    let start = crate::time("2026-01-31T23:59:58Z");
    start + TimeDelta::milliseconds(i64::try_from(random.below(10)).unwrap() * 500)
}

pub(super) const RATIOS: [f64; 8] = [0.0, -0.0, 1.5, -2.25, 1e300, 5e-324, 0.1, 1.0];

pub(super) fn number(random: &mut Random) -> i64 {
    i64::try_from(random.below(7)).unwrap() - 3
}

pub(super) const SINGLES: [f32; 6] = [0.0, 0.1, -2.25, 1e30, 1e-40, 1.0];

pub(super) fn tiny(random: &mut Random) -> i16 {
    i16::try_from(number(random)).unwrap()
}

/// Generates prices that are equal with other digits: 1.5 and 1.50.
pub(super) fn price(random: &mut Random) -> Decimal {
    let scale = u32::try_from(random.below(3)).unwrap();
    Decimal::new(number(random) * 10_i64.pow(scale) / 2, scale)
}

pub(super) fn uuid(random: &mut Random) -> Uuid {
    Uuid::from_u128(u128::from(random.below(4)) << 126 | 7)
}

pub(super) fn day(random: &mut Random) -> NaiveDate {
    moment(random).date_naive()
}

pub(super) fn clock(random: &mut Random) -> NaiveTime {
    moment(random).time()
}

pub(super) fn local(random: &mut Random) -> NaiveDateTime {
    moment(random).naive_utc()
}

pub(super) fn wait(random: &mut Random) -> Duration {
    Duration::from_millis(random.below(5) * 40_000_500)
}

pub(super) fn host(random: &mut Random) -> IpAddr {
    let last = u8::try_from(random.below(4)).unwrap();
    if random.below(2) == 0 {
        [10, 0, last, 1].into()
    } else {
        u128::from(last).to_be_bytes().into()
    }
}

pub(super) fn tag(random: &mut Random) -> String {
    (*random.pick(&["a", "b", "c", "", "a,b", "42", "null"])).to_owned()
}

pub(super) fn scalar(random: &mut Random) -> Json {
    let texts = [
        "1",
        "1.0",
        "42",
        "-3.5",
        "100",
        "1e2",
        "12345678901234567890",
        "\"42\"",
        "\"1\"",
        "\"true\"",
        "\"null\"",
        "\"a\"",
        "\"aB%\"",
        "\"É\"",
        "\"\"",
        "\"2026-01-31\"",
        "\"2026-02-01\"",
        "true",
        "false",
        "null",
    ];
    let text: &str = random.pick::<&str>(&texts);
    serde_json::from_str(text).unwrap()
}

pub(super) const KEYS: [&str; 8] = ["a", "b", "c.d", "0", "1", "", "x\"y", "__z"];

pub(super) fn document(random: &mut Random, depth: u32) -> Json {
    match random.below(if depth == 0 { 2 } else { 6 }) {
        0 | 1 => scalar(random),
        2 => (0..random.below(4)).map(|_| scalar(random)).collect(),
        3 => json!([document(random, depth - 1), scalar(random)]),
        _ => {
            let keys = 1 + random.below(4);
            (0..keys)
                .map(|_| {
                    let key = (*random.pick(&KEYS)).to_owned();
                    (key, document(random, depth - 1))
                })
                .collect()
        }
    }
}

pub(super) fn thing(random: &mut Random) -> NewThing {
    fn some<T>(random: &mut Random, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
        (random.below(5) > 0).then(|| make(random))
    }
    fn many<T>(random: &mut Random, make: impl Fn(&mut Random) -> T) -> Vec<T> {
        (0..random.below(4)).map(|_| make(random)).collect()
    }
    let mut new = NewThing::new(text(random), number(random), many(random, number));
    new.text = some(random, text);
    new.small = some(random, |r| i32::try_from(number(r)).unwrap());
    new.ratio = some(random, |r| *r.pick(&RATIOS));
    new.flag = some(random, |r| r.below(2) == 0);
    new.at = some(random, moment);
    new.shade = some(random, |r| *r.pick(Shade::ALL));
    new.mood = some(random, |r| *r.pick(Mood::ALL));
    new.tags = some(random, |r| many(r, tag));
    new.shades = some(random, |r| many(r, |r| *r.pick(Shade::ALL)));
    new.times = some(random, |r| many(r, moment));
    new.tiny = some(random, tiny);
    new.single = some(random, |r| *r.pick(&SINGLES));
    new.price = some(random, price);
    new.key = some(random, uuid);
    new.keys = some(random, |r| many(r, uuid));
    new.day = some(random, day);
    new.clock = some(random, clock);
    new.local = some(random, local);
    new.wait = some(random, wait);
    new.host = some(random, host);
    new.doc = some(random, |r| document(r, 3));
    new
}
