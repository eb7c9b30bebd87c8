//! A model with a column of every type, in every place where a type appears.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use futures_util::TryStreamExt as _;
use lookback::embedding::Embedding;
use lookback::json;
use lookback::migrate::{
    ApplyOptions, Folder, GenerateOptions, Migrations, Models, Scope, apply, canonical, generate,
    introspect, rust_code,
};
use lookback::query::{Cursor, Distance, DistanceTo, Order};
use lookback::value::{
    Bytes, Cidr, Decimal, HalfVector, Hidden, Inet, JsonNumber, PgInterval, Uuid, Vector,
};
use lookback::{ColumnEnum, Filter, Json, Model as _, QueryBuilder, model};
use lookback_schema::{Decisions, Schema, diff};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, Row as _};
use testkit::sample::Random;

#[model(
    table = "kinds",
    search(name, small, network),
    index("kinds_vector_idx", "USING hnsw (vector vector_l2_ops)"),
    index("kinds_half_idx", "USING hnsw (maybe_half halfvec_cosine_ops)")
)]
struct Kind {
    id: i64,
    flag: bool,
    #[column(range(-3_000, 3_000), default = -7)]
    small: i16,
    int: i32,
    big: i64,
    #[column(default = 0.5)]
    single: f32,
    double: f64,
    #[column(range(-1_000, 1_000))]
    price: Decimal,
    #[column(type = "numeric(20,3)")]
    exact: JsonNumber,
    name: String,
    #[column(type = "citext")]
    label: String,
    #[column(sql_default = "gen_random_uuid()")]
    key: Uuid,
    #[column(default = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap_or_default())]
    day: NaiveDate,
    clock: NaiveTime,
    local: NaiveDateTime,
    at: DateTime<Utc>,
    span: PgInterval,
    #[column(default = Duration::from_millis(1_500))]
    wait: Duration,
    delta: TimeDelta,
    address: IpAddr,
    host: Inet,
    network: Cidr,
    data: Vec<u8>,
    raw: Bytes,
    doc: Json,
    shade: Shade,
    mood: Mood,
    vector: Vector<3>,
    half: HalfVector<3>,

    maybe_flag: Option<bool>,
    maybe_small: Option<i16>,
    maybe_int: Option<i32>,
    maybe_big: Option<i64>,
    maybe_single: Option<f32>,
    maybe_double: Option<f64>,
    maybe_price: Option<Decimal>,
    maybe_exact: Option<JsonNumber>,
    maybe_name: Option<String>,
    #[column(type = "citext")]
    maybe_label: Option<String>,
    maybe_key: Option<Uuid>,
    maybe_day: Option<NaiveDate>,
    maybe_clock: Option<NaiveTime>,
    maybe_local: Option<NaiveDateTime>,
    maybe_at: Option<DateTime<Utc>>,
    maybe_span: Option<PgInterval>,
    maybe_wait: Option<Duration>,
    maybe_delta: Option<TimeDelta>,
    maybe_address: Option<IpAddr>,
    maybe_host: Option<Inet>,
    maybe_network: Option<Cidr>,
    maybe_data: Option<Vec<u8>>,
    maybe_raw: Option<Bytes>,
    maybe_doc: Option<Json>,
    maybe_shade: Option<Shade>,
    maybe_mood: Option<Mood>,
    maybe_vector: Option<Vector<3>>,
    maybe_half: Option<HalfVector<3>>,

    flags: Vec<bool>,
    smalls: Vec<i16>,
    ints: Vec<i32>,
    bigs: Vec<i64>,
    singles: Vec<f32>,
    doubles: Vec<f64>,
    #[column(type = "numeric(10,2)[]")]
    prices: Vec<Decimal>,
    exacts: Vec<JsonNumber>,
    names: Vec<String>,
    keys: Vec<Uuid>,
    days: Vec<NaiveDate>,
    clocks: Vec<NaiveTime>,
    locals: Vec<NaiveDateTime>,
    times: Vec<DateTime<Utc>>,
    spans: Vec<PgInterval>,
    waits: Vec<Duration>,
    addresses: Vec<IpAddr>,
    hosts: Vec<Inet>,
    networks: Vec<Cidr>,
    datas: Vec<Vec<u8>>,
    shades: Vec<Shade>,
    maybe_keys: Option<Vec<Uuid>>,

    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ColumnEnum)]
enum Shade {
    White,
    Grey,
    Black,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ColumnEnum)]
#[column_enum(type = "kinds_mood")]
enum Mood {
    Sad,
    Happy,
}

/// A value of each type for a small number, in the order of the numbers.
trait Drawn: Sized {
    fn drawn(number: u64) -> Self;

    fn many(random: &mut Random) -> Vec<Self> {
        let count = random.below(4);
        (0..count).map(|_| Self::drawn(random.below(6))).collect()
    }
}

macro_rules! drawn {
    ($($ty:ty: |$number:ident| $value:expr;)+) => {
        $(impl Drawn for $ty {
            fn drawn($number: u64) -> Self {
                $value
            }
        })+
    };
}

fn signed(number: u64) -> i16 {
    i16::try_from(number).unwrap() - 3
}

drawn! {
    bool: |n| n % 2 == 1;
    i16: |n| signed(n) * 1_000;
    i32: |n| i32::from(signed(n)) * 700_000_000;
    i64: |n| i64::from(signed(n)) * 3_000_000_000_000_000_000;
    f32: |n| f32::from(signed(n)) * 0.1;
    f64: |n| f64::from(signed(n)) * 1e300;
    Decimal: |n| Decimal::new(i64::from(signed(n)) * 10_010, 2);
    JsonNumber: |n| format!("{}.125", i64::from(signed(n)) * 1_234_567_890_123_456).parse().unwrap();
    String: |n| ["", "a", "a,b", "b \"c\"", "c\\", "d(e)"][usize::try_from(n).unwrap()].to_owned();
    Uuid: |n| Uuid::from_u128(u128::from(n) << 124 | 0x67e5_5044);
    NaiveDate: |n| NaiveDate::from_ymd_opt(-43 + 700 * i32::try_from(n).unwrap(), 3, 15).unwrap();
    NaiveTime: |n| NaiveTime::from_hms_micro_opt(u32::try_from(n).unwrap() * 4, 30, 0, 500_001).unwrap();
    NaiveDateTime: |n| NaiveDate::drawn(n).and_time(NaiveTime::drawn(n));
    DateTime<Utc>: |n| NaiveDateTime::drawn(n).and_utc();
    PgInterval: |n| PgInterval {
        months: i32::from(signed(n)),
        days: i32::from(signed(n)) * 3,
        microseconds: i64::from(signed(n)) * 3_600_000_001,
    };
    Duration: |n| Duration::from_micros(n * 40_000_000_001);
    TimeDelta: |n| TimeDelta::microseconds(i64::from(signed(n)) * 90_000_000_007);
    IpAddr: |n| match n {
        0..=2 => IpAddr::from([10, 0, 0, u8::try_from(n).unwrap()]),
        _ => IpAddr::from(u128::from(n).to_be_bytes()),
    };
    Inet: |n| Inet::new(IpAddr::drawn(n), 32).unwrap();
    Cidr: |n| Cidr::from(IpAddr::drawn(n));
    Vec<u8>: |n| vec![0, 255, u8::try_from(n).unwrap()];
    Bytes: |n| Bytes(Vec::drawn(n));
    Json: |n| json!({"n": n, "list": [1.5, null, "x"]});
    Shade: |n| Shade::ALL[usize::try_from(n).unwrap() / 2];
    Mood: |n| Mood::ALL[usize::try_from(n).unwrap() / 3];
    Vector<3>: |n| Vector::from([0.1, f32::from(signed(n)), -1.0]);
    HalfVector<3>: |n| HalfVector::from([0.1, f32::from(signed(n)), -1.0]);
}

/// A new record: each column has a value for a number that is drawn.
fn kind(random: &mut Random) -> NewKind {
    fn any<T: Drawn>(random: &mut Random) -> T {
        T::drawn(random.below(6))
    }
    fn maybe<T: Drawn>(random: &mut Random) -> Option<T> {
        (random.below(4) > 0).then(|| any(random))
    }
    let r = random;
    NewKind {
        flag: any(r),
        small: Some(any(r)),
        int: any(r),
        big: any(r),
        single: Some(any(r)),
        double: any(r),
        price: any(r),
        exact: any(r),
        name: any(r),
        label: any(r),
        key: Some(any(r)),
        day: Some(any(r)),
        clock: any(r),
        local: any(r),
        at: any(r),
        span: any(r),
        wait: Some(any(r)),
        delta: any(r),
        address: any(r),
        host: any(r),
        network: any(r),
        data: any(r),
        raw: any(r),
        doc: any(r),
        shade: any(r),
        mood: any(r),
        vector: any(r),
        half: any(r),
        maybe_flag: maybe(r),
        maybe_small: maybe(r),
        maybe_int: maybe(r),
        maybe_big: maybe(r),
        maybe_single: maybe(r),
        maybe_double: maybe(r),
        maybe_price: maybe(r),
        maybe_exact: maybe(r),
        maybe_name: maybe(r),
        maybe_label: maybe(r),
        maybe_key: maybe(r),
        maybe_day: maybe(r),
        maybe_clock: maybe(r),
        maybe_local: maybe(r),
        maybe_at: maybe(r),
        maybe_span: maybe(r),
        maybe_wait: maybe(r),
        maybe_delta: maybe(r),
        maybe_address: maybe(r),
        maybe_host: maybe(r),
        maybe_network: maybe(r),
        maybe_data: maybe(r),
        maybe_raw: maybe(r),
        maybe_doc: maybe(r),
        maybe_shade: maybe(r),
        maybe_mood: maybe(r),
        maybe_vector: maybe(r),
        maybe_half: maybe(r),
        flags: Drawn::many(r),
        smalls: Drawn::many(r),
        ints: Drawn::many(r),
        bigs: Drawn::many(r),
        singles: Drawn::many(r),
        doubles: Drawn::many(r),
        prices: Drawn::many(r),
        exacts: Drawn::many(r),
        names: Drawn::many(r),
        keys: Drawn::many(r),
        days: Drawn::many(r),
        clocks: Drawn::many(r),
        locals: Drawn::many(r),
        times: Drawn::many(r),
        spans: Drawn::many(r),
        waits: Drawn::many(r),
        addresses: Drawn::many(r),
        hosts: Drawn::many(r),
        networks: Drawn::many(r),
        datas: Drawn::many(r),
        shades: Drawn::many(r),
        maybe_keys: (r.below(3) > 0).then(|| Drawn::many(r)),
        created_at: None,
    }
}

/// The names of the columns of a model.
macro_rules! columns {
    (ordered $call:ident!($($context:tt)*)) => {
        $call! { $($context)*;
            small int big single double price exact name label key day clock local at span wait
            delta address host network shade mood
            maybe_small maybe_int maybe_big maybe_single maybe_double maybe_price maybe_exact
            maybe_name maybe_label maybe_key maybe_day maybe_clock maybe_local maybe_at maybe_span
            maybe_wait maybe_delta maybe_address maybe_host maybe_network maybe_shade maybe_mood
        }
    };
    (equal $call:ident!($($context:tt)*)) => {
        columns! { ordered $call!($($context)*) }
        $call! { $($context)*; flag data raw doc maybe_flag maybe_data maybe_raw maybe_doc }
    };
    (arrays $call:ident!($($context:tt)*)) => {
        $call! { $($context)*;
            flags smalls ints bigs singles doubles prices exacts names keys days clocks locals
            times spans waits addresses hosts networks datas shades
        }
    };
}

/// Returns a value of a column that is not NULL, whether the column is nullable or not.
trait Given<T> {
    fn given(&self) -> Option<T>;
}

impl<T: Clone> Given<T> for Option<T> {
    fn given(&self) -> Self {
        self.clone()
    }
}

impl<T: Drawn + Clone> Given<T> for T {
    fn given(&self) -> Option<T> {
        Some(self.clone())
    }
}

/// A database whose only table is that of the model, created by its migrations.
async fn database() -> testkit::Database {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(dir.path());
    let schema = Models::new().model::<Kind>().to_schema().unwrap();
    let options = GenerateOptions::default();
    let now = crate::time("2026-01-01T00:00:00Z");
    generate(&folder, &schema, &options, now).unwrap();
    let migrations = Migrations::folder(dir.path()).unwrap();
    let options = ApplyOptions::default();
    apply(&mut conn, &migrations, &options, &mut |_| {})
        .await
        .unwrap();
    db
}

/// Records of the table, by `INSERT` and by `COPY`, in the order of their ids.
async fn records(pool: &PgPool) -> Vec<Kind> {
    let mut random = Random::new(36);
    let new: Vec<NewKind> = (0..60).map(|_| kind(&mut random)).collect();
    let mut stored = Vec::new();
    for one in &new[..6] {
        stored.push(Kind::records().create(pool, one.clone()).await.unwrap());
    }
    // One statement for a few records, a COPY for more.
    for some in [&new[6..10], &new[10..]] {
        let count = Kind::records().create_many(pool, some).await.unwrap();
        assert_eq!(count, u64::try_from(some.len()).unwrap());
    }
    let all = Kind::records()
        .order_by(Kind::id().asc())
        .limit(1_000)
        .list(pool)
        .await
        .unwrap()
        .data;
    assert_eq!(all.len(), new.len());
    assert_eq!(all[..6], stored);
    for (record, new) in all.iter().zip(&new) {
        assert_eq!(as_new(record), *new);
    }
    all
}

/// The values of a record, as a new record, by JSON.
fn as_new(record: &Kind) -> NewKind {
    let mut json = Json::from_serialize(record).unwrap();
    let Json::Object(fields) = &mut json else {
        panic!("{json} is not an object");
    };
    for common in ["id", "created_at", "updated_at"] {
        fields.remove(common);
    }
    serde_json::from_str(&json.to_string()).unwrap()
}

async fn ids(pool: &PgPool, query: QueryBuilder<Kind>) -> Vec<i64> {
    let query = query.order_by(Kind::id().asc()).limit(1_000);
    let page = query.list(pool).await;
    page.unwrap().data.iter().map(|kind| kind.id).collect()
}

#[tokio::test]
async fn migrations_of_every_type_leave_nothing_to_change() {
    let db = database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let models = Models::new().model::<Kind>().to_schema().unwrap();
    let live = introspect(&mut conn, &Scope::default()).await.unwrap();
    let plan =
        |from: &Schema, to: &Schema| diff(from, to, &Decisions::assuming_drops()).unwrap().sql();
    assert_eq!(plan(&live, &models), "");
    assert_eq!(canonical(&mut conn, &models).await.unwrap(), live);
    // What is pulled from the database describes the same table.
    let code = rust_code(&live);
    assert_eq!(code.notes, [""; 0]);
    insta::assert_snapshot!(code.text);
}

#[tokio::test]
async fn every_type_is_stored_read_and_filtered_in_both_forms() {
    let db = database().await;
    let pool = &db.pool;
    let all = records(pool).await;
    macro_rules! equal {
        (; $($field:ident)+) => {$(
            let name = stringify!($field);
            for (at, record) in all.iter().enumerate().step_by(7) {
                let typed = match record.$field.given() {
                    Some(value) => Kind::$field().eq(value),
                    None => Kind::$field().is_null(),
                };
                let text = typed.to_text().unwrap();
                let parsed = Filter::<Kind>::parse(&text).unwrap();
                assert_eq!(parsed, typed, "{text}");
                let grouped = typed.clone() | Kind::id().eq(0);
                assert_eq!(Filter::parse(&grouped.to_text().unwrap()).unwrap(), grouped);
                let expected: Vec<i64> = all
                    .iter()
                    .filter(|other| other.$field == record.$field)
                    .map(|other| other.id)
                    .collect();
                assert_eq!(ids(pool, Kind::records().filter(parsed)).await, expected, "{text}");
                let listed = all[at..].iter().take(3).filter_map(|other| other.$field.given());
                let listed: Vec<_> = listed.collect();
                let typed = Kind::$field().is_in(&listed);
                let text = typed.to_text().unwrap();
                assert_eq!(Filter::<Kind>::parse(&text).unwrap(), typed, "{text}");
                let expected: Vec<i64> = all
                    .iter()
                    .filter(|other| other.$field.given().is_some_and(|value| listed.contains(&value)))
                    .map(|other| other.id)
                    .collect();
                assert_eq!(ids(pool, Kind::records().filter(typed)).await, expected, "{name}: {text}");
            }
        )+};
    }
    columns! { equal equal!() }

    macro_rules! arrays {
        (; $($field:ident)+) => {$(
            for record in all.iter().step_by(11) {
                let typed = Kind::$field().array_contains(&record.$field);
                let text = typed.to_text().unwrap();
                assert_eq!(Filter::<Kind>::parse(&text).unwrap(), typed, "{text}");
                let expected: Vec<i64> = all
                    .iter()
                    .filter(|other| record.$field.iter().all(|item| other.$field.contains(item)))
                    .map(|other| other.id)
                    .collect();
                assert_eq!(ids(pool, Kind::records().filter(typed)).await, expected, "{text}");
                let typed = Kind::$field().eq(&record.$field[..]);
                assert_eq!(Filter::<Kind>::parse(&typed.to_text().unwrap()).unwrap(), typed);
                assert!(ids(pool, Kind::records().filter(typed)).await.contains(&record.id));
            }
        )+};
    }
    columns! { arrays arrays!() }
}

#[tokio::test]
async fn every_ordered_type_pages_by_cursor_in_the_order_of_postgresql() {
    let db = database().await;
    let pool = &db.pool;
    let all = records(pool).await;
    let record = |id: i64| all.iter().find(|record| record.id == id).unwrap();
    macro_rules! ordered {
        (; $($field:ident)+) => {$(
            let name = stringify!($field);
            // On the heap: together, the futures of all columns overflow the stack.
            Box::pin(async { for descending in [false, true] {
                let direction = if descending { "DESC" } else { "ASC" };
                // A text enum is in the order of its variants.
                let key = match name {
                    "shade" | "maybe_shade" => format!("array_position('{{white,grey,black}}', {name})"),
                    _ => name.to_owned(),
                };
                let sql = format!("SELECT id FROM kinds ORDER BY {key} {direction} NULLS LAST, id DESC");
                let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
                let expected: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
                let sign = if descending { "-" } else { "" };
                let order = Order::parse(&format!("{sign}{name}")).unwrap();
                assert_eq!(pages(pool, order).await, expected, "{name} {direction}");
                if !descending {
                    let given = |id: &&i64| record(**id).$field.given().is_some();
                    let values: Vec<i64> = expected.iter().filter(given).copied().collect();
                    let (first, last) = (values[0], *values.last().unwrap());
                    let extremes = (Kind::$field().min(), Kind::$field().max());
                    let (min, max) = Kind::records().aggregate(pool, extremes).await.unwrap();
                    assert_eq!((min, max), (record(first).$field.given(), record(last).$field.given()), "{name}");
                    let at = record(values[values.len() / 2]).$field.given().unwrap();
                    let above = Kind::$field().gt(&at);
                    let count = Kind::records().filter(above.clone()).count(pool).await.unwrap();
                    let below = Kind::records().filter(Kind::$field().lte(&at)).count(pool).await.unwrap();
                    assert_eq!(count.value() + below.value(), u64::try_from(values.len()).unwrap(), "{name}");
                    assert_eq!(Filter::<Kind>::parse(&above.to_text().unwrap()).unwrap(), above);
                }
            } }).await;
        )+};
    }
    columns! { ordered ordered!() }
}

/// The ids of all records, page by page, forward; they are the same backward.
async fn pages(pool: &PgPool, order: Order<Kind>) -> Vec<i64> {
    let page = async |query: QueryBuilder<Kind>| query.select(Kind::id()).list(pool).await.unwrap();
    let (mut found, mut next): (Vec<Vec<i64>>, Option<Cursor>) = (Vec::new(), None);
    let mut last;
    loop {
        let mut query = Kind::records().order_by(order.clone()).limit(17);
        if let Some(cursor) = &next {
            query = query.after(cursor);
        }
        let read = page(query).await;
        found.push(read.data);
        last = read.previous;
        match read.next {
            Some(cursor) => next = Some(cursor),
            None => break,
        }
    }
    let mut back = vec![found.last().unwrap().clone()];
    while let Some(cursor) = last {
        let read = page(
            Kind::records()
                .order_by(order.clone())
                .limit(17)
                .before(cursor),
        )
        .await;
        back.insert(0, read.data);
        last = read.previous;
    }
    assert_eq!(back, found);
    found.concat()
}

#[tokio::test]
async fn every_type_is_updated_and_its_default_is_that_of_the_table() {
    let db = database().await;
    let pool = &db.pool;
    let all = records(pool).await;
    let other = as_new(&all[1]);
    let patch = KindPatch::new()
        .small(5)
        .maybe_small(6)
        .single(0.25)
        .maybe_single(0.5)
        .price(Decimal::new(125, 2))
        .maybe_price(None)
        .key(other.key.unwrap())
        .day(other.day.unwrap())
        .span(other.span)
        .address([192, 168, 0, 1])
        .data(*b"abc")
        .vector(other.vector.clone())
        .maybe_half(other.half.clone())
        .prices(vec![Decimal::new(1, 2)])
        .datas(vec![vec![1], vec![]]);
    let updated = Kind::records()
        .update(pool, all[0].id, patch)
        .await
        .unwrap();
    assert_eq!((updated.small, updated.maybe_small), (5, Some(6)));
    assert_eq!((updated.single, updated.maybe_single), (0.25, Some(0.5)));
    assert_eq!(updated.price.to_string(), "1.25");
    assert_eq!(updated.address.to_string(), "192.168.0.1");
    assert_eq!(updated.data, b"abc");
    assert_eq!(updated.maybe_half, Some(other.half.clone()));
    assert_eq!(updated.datas, [vec![1], vec![]]);

    let mut plain = other;
    (plain.small, plain.single, plain.key, plain.day, plain.wait) = (None, None, None, None, None);
    let stored = Kind::records().create(pool, plain).await.unwrap();
    assert_eq!(stored.small, -7);
    assert_eq!(stored.single, 0.5);
    assert_eq!(stored.key.get_version_num(), 4);
    assert_eq!(stored.day.to_string(), "2026-01-31");
    assert_eq!(stored.wait, Duration::from_millis(1_500));
    let sql = "SELECT string_agg(column_name || ' ' || column_default, E'\\n' ORDER BY column_name) \
               FROM information_schema.columns WHERE table_name = 'kinds' AND column_name IN \
               ('small', 'single', 'key', 'day', 'wait')";
    let defaults: String = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
    insta::assert_snapshot!(defaults, @"
    day '2026-01-31'::date
    key gen_random_uuid()
    single 0.5
    small '-7'::integer
    wait '00:00:01.5'::interval
    ");
}

#[tokio::test]
async fn sums_of_every_type_of_numbers_are_exact_where_the_numbers_are() {
    let db = database().await;
    let pool = &db.pool;
    let all = records(pool).await;
    let sums = (
        Kind::small().sum(),
        Kind::price().sum(),
        Kind::exact().avg(),
    );
    let (small, price, exact) = Kind::records().aggregate(pool, sums).await.unwrap();
    let expected: i32 = all.iter().map(|kind| i32::from(kind.small)).sum();
    assert_eq!(small, Some(f64::from(expected)));
    let expected: Decimal = all.iter().map(|kind| kind.price).sum();
    assert_eq!(price.unwrap().to_string(), expected.normalize().to_string());
    let sql = "SELECT trim_scale(sum(exact) * 1.0000000000000000 / count(*))::text FROM kinds";
    let expected: String = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
    assert_eq!(exact.unwrap().to_string(), expected);
}

#[tokio::test]
async fn invalid_value_of_any_type_is_an_error_that_names_field_and_form() {
    let refused = |text: &str| Filter::<Kind>::parse(text).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            "small=40000",
            "single=1e39",
            "price=12,50",
            "key=67e55044",
            "day=2026-02-30",
            "day=-15m",
            "clock=25:00",
            "local=2026-01-31T08:30:00Z",
            "local=noon",
            "span=soon",
            "address=10.0.0",
            "network=10.1.2.3/8",
            "data=a%b",
            "vector__eq=[1]",
            "key__like=6%",
            "keys__arraycontains=x",
        ]
        .map(refused)
        .join("\n"),
        @r#"
        small: `40000` is not a whole number from -32768 to 32767
        single: `1e39` is not a number of at most 3.4e38
        price: `12,50` is not a number, such as 12.50
        key: `67e55044` is not a UUID, such as 67e55044-10b1-426f-9247-bb680e5fe0c8
        day: `2026-02-30` is not a date: 2026-01-31, today, yesterday, or -7d (days ago) with d or w
        day: `-15m` is not a date: 2026-01-31, today, yesterday, or -7d (days ago) with d or w
        clock: `25:00` is not a time of day, such as 08:30 or 08:30:00.5
        local: `2026-01-31T08:30:00Z` has a time zone, and the column has none; write the local time, such as 2026-01-31T08:30:00
        local: `noon` is not a time without a zone: 2026-01-31T08:30:00, 2026-01-31 (midnight), or, in UTC, now, today, yesterday or -15m (ago) with s, m, h, d or w
        span: `soon` is not an interval, such as PT1H30M, 90s, 1h 30m, 3 days or 01:30:00
        address: `10.0.0` is not an address, such as 192.168.0.1, 10.1.2.3/8 or ::1
        network: `10.1.2.3/8` has bits after its prefix; the network is 10.0.0.0/8
        data: `a%b` is not bytes in base64
        vector: the lookup eq is not for vector(3); it takes isnull, isnotnull
        key: the lookup like is not for uuid; it takes eq, exact, ne, gt, gte, lt, lte, in, notin, between, notbetween, isnull, isnotnull
        keys__arraycontains: `x` is not a UUID, such as 67e55044-10b1-426f-9247-bb680e5fe0c8
        "#
    );
    let mut random = Random::new(1);
    let valid = Json::from_serialize(&NewFields(kind(&mut random))).unwrap();
    let wrong = |field: &str, value: Json| {
        let Json::Object(mut fields) = valid.clone() else {
            panic!("not an object");
        };
        fields.insert(field.to_owned(), value);
        let read = serde_json::from_str::<NewKind>(&Json::Object(fields).to_string());
        match read.map(|new| lookback::query::check_new(&new)) {
            Ok(Ok(())) => format!("{field}: accepted"),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    };
    insta::assert_snapshot!(
        [
            wrong("small", json!(4_000)),
            wrong("small", json!("5")),
            wrong("single", json!("0.1")),
            wrong("price", json!("12.50")),
            wrong("price", json!(1_000.01)),
            wrong("price", "1.00000000000000000000000000001".parse::<JsonNumber>().unwrap().into()),
            wrong("exact", "1e200000".parse::<JsonNumber>().unwrap().into()),
            wrong("key", json!(5)),
            wrong("day", json!("31.01.2026")),
            wrong("day", json!("-5000-01-01")),
            wrong("local", json!("2026-01-31T08:30:00+01:00")),
            wrong("wait", json!("-1s")),
            wrong("wait", json!("P1M")),
            wrong("address", json!("10.0.0.1/8")),
            wrong("vector", json!([1, 2])),
            wrong("half", json!([1, 2, 1e6])),
        ]
        .join("\n"),
        @r#"
        small: 4000 is not from -3000 to 3000
        small: must be a whole number from -32768 to 32767, not the string `5`
        single: must be a number of at most 3.4e38, not the string `0.1`
        price: accepted
        price: 1000.01 is not from -1000 to 1000
        price: `1.00000000000000000000000000001` is not a Decimal, which has at most 28 digits; use JsonNumber
        exact: must be a number, such as 12.50, or a string of one, not the number 1e200000
        key: must be a UUID, such as "67e55044-10b1-426f-9247-bb680e5fe0c8", not the number 5
        day: `31.01.2026` is not a date, such as 2026-01-31
        day: must not be before 24 November 4714 BC, the first day that PostgreSQL stores
        local: `2026-01-31T08:30:00+01:00` has a time zone, and the column has none; write the local time, such as 2026-01-31T08:30:00
        wait: PT-1S is negative
        wait: P1M has no fixed length; read it as a PgInterval
        address: 10.0.0.1/8 is an address with a prefix; read it as an Inet
        vector: has 2 dimensions, not 3
        half: must have finite numbers, and number 2 is inf
        "#
    );
}

/// The fields of a new record as JSON.
struct NewFields(NewKind);

impl serde::Serialize for NewFields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use lookback::table::ColumnValues as _;
        use serde::ser::SerializeMap as _;
        let columns = Kind::TABLE.columns().iter().enumerate();
        let mut map = serializer.serialize_map(None)?;
        for (at, column) in columns {
            if let Some(value) = self.0.value(at) {
                map.serialize_entry(column.name(), &value.to_json())?;
            }
        }
        map.end()
    }
}

#[tokio::test]
async fn nearest_records_are_in_the_order_of_each_distance() {
    let db = database().await;
    let pool = &db.pool;
    let mut random = Random::new(7);
    let mut number = || f32::from(i16::try_from(random.below(2_000)).unwrap()) / 500.0 - 2.0;
    let mut new = Vec::new();
    for n in 0..400 {
        let mut one = kind(&mut Random::new(n));
        one.vector = Vector::from([number(), number(), number()]);
        one.maybe_half = (n % 5 > 0).then(|| HalfVector::from([number(), number(), number()]));
        new.push(one);
    }
    Kind::records().create_many(pool, &new).await.unwrap();
    let all = Kind::records().limit(1_000).list(pool).await.unwrap().data;
    let wanted = [0.5, -1.0, 0.25];
    let distance = |vector: &[f32], distance: Distance| -> f64 {
        let pairs = || {
            vector
                .iter()
                .zip(&wanted)
                .map(|(a, b)| (f64::from(*a), f64::from(*b)))
        };
        let product = |a: f64, b: f64| a * b;
        let dot: f64 = pairs().map(|(a, b)| product(a, b)).sum();
        match distance {
            Distance::L2 => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
            Distance::InnerProduct => -dot,
            _ => {
                let length =
                    |at: fn((f64, f64)) -> f64| pairs().map(at).map(|n| n * n).sum::<f64>().sqrt();
                1.0 - dot / (length(|pair| pair.0) * length(|pair| pair.1))
            }
        }
    };
    for kind in [Distance::Cosine, Distance::L2, Distance::InnerProduct] {
        // All of them, page by page, with a filter that leaves out a half. `vector` has an
        // index by L2: the pages go on behind its first rows.
        let flag = || Kind::flag().eq(true);
        let query = || {
            Kind::records()
                .filter(flag())
                .nearest_to(Kind::vector(), Vector::from(wanted))
                .distance(kind)
                .limit(30)
        };
        let found = distances(
            pool,
            query,
            Kind::vector().distance_to(Vector::from(wanted), kind),
        )
        .await;
        let mut expected: Vec<(i64, f64)> = all
            .iter()
            .filter(|one| one.flag)
            .map(|one| (one.id, distance(one.vector.as_slice(), kind)))
            .collect();
        expected.sort_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        assert_eq!(found.len(), expected.len(), "{kind:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found.1 - expected.1).abs() < 1e-5,
                "{kind:?}: {found:?} {expected:?}"
            );
        }
        // A nullable column: records without a vector are left out.
        let half = HalfVector::from(wanted);
        let query = || {
            let query = Kind::records().nearest_to(Kind::maybe_half(), &half);
            query.distance(kind).limit(100)
        };
        let found = distances(pool, query, Kind::maybe_half().distance_to(&half, kind)).await;
        assert_eq!(found.len(), 320);
        assert!(found.is_sorted_by(|a, b| a.1 <= b.1), "{kind:?}");
    }
    // The plan reads the index.
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let sql = "SET enable_seqscan = off; SET enable_sort = off";
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    let nearest = Kind::records()
        .nearest_to(Kind::vector(), Vector::from(wanted))
        .distance(Distance::L2)
        .limit(300)
        .list(&mut conn)
        .await
        .unwrap();
    assert_eq!(nearest.data.len(), 300);
    let setting: Option<String> =
        sqlx::query_scalar("SELECT current_setting('hnsw.ef_search', TRUE)")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(setting.as_deref(), Some("40"));

    let cursor = nearest.next.unwrap();
    let other = Kind::records()
        .nearest_to(Kind::vector(), Vector::from([1.0, 2.0, 3.0]))
        .distance(Distance::L2)
        .after(cursor)
        .list(pool)
        .await;
    assert!(other.unwrap_err().is_invalid());
    let not_finite = Kind::records().nearest_to(Kind::vector(), Vector::from([f32::NAN, 0.0, 0.0]));
    let error = not_finite.list(pool).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "vector: must have finite numbers, and number 0 is NaN"
    );
    assert!(
        not_finite
            .stream(pool)
            .try_next()
            .await
            .unwrap_err()
            .is_invalid()
    );
}

/// The ids and distances of all records, page by page.
async fn distances(
    pool: &PgPool,
    query: impl Fn() -> QueryBuilder<Kind>,
    distance: DistanceTo<Kind>,
) -> Vec<(i64, f64)> {
    let (mut found, mut next): (Vec<(i64, f64)>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let mut query = query();
        if let Some(cursor) = &next {
            query = query.after(cursor);
        }
        let page = query
            .select((Kind::id(), distance.clone()))
            .list(pool)
            .await
            .unwrap();
        found.extend(
            page.data
                .iter()
                .map(|(id, distance)| (*id, distance.unwrap())),
        );
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => break,
        }
    }
    let mut ids: Vec<i64> = found.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), found.len(), "no record is on two pages");
    found
}

/// A parcel, whose primary key is a UUID that its sender chooses.
#[model(
    table = "parcels",
    search(content),
    constraint(
        "parcels_pkey",
        "PRIMARY KEY (key)",
        problem(key, "is that of another parcel")
    ),
    constraint("parcels_id_key", "UNIQUE (id)")
)]
struct Parcel {
    id: i64,
    key: Uuid,
    #[column(sql_default = "gen_random_uuid()")]
    other: Uuid,
    content: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

#[tokio::test]
async fn uuid_is_the_primary_key_of_a_table() {
    let db = testkit::database().await;
    let pool = &db.pool;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let schema = Models::new().model::<Parcel>().to_schema().unwrap();
    for statement in testkit::schemas::create(&schema) {
        let statement = AssertSqlSafe(statement);
        sqlx::query(statement).execute(&mut conn).await.unwrap();
    }
    let key = Uuid::from_u128(7);
    let records = Parcel::records();
    let new = |content: &str| NewParcel::new(key, content);
    let created = records.create(pool, new("books")).await.unwrap();
    assert_eq!((created.key, created.other.get_version_num()), (key, 4));
    let twice = records.create(pool, new("shoes")).await.unwrap_err();
    assert!(twice.is_conflict());
    assert_eq!(twice.to_string(), "key: is that of another parcel");
    let by_key = Parcel::parcels_pkey();
    let kept = records.upsert(pool, new("shoes"), by_key).await.unwrap();
    assert_eq!((kept.created, kept.record.id), (false, created.id));
    let found = records
        .clone()
        .filter(Parcel::key().eq(key))
        .first(pool)
        .await;
    assert_eq!(found.unwrap().unwrap().content, "shoes");
    let found = records.clone().search("shoes").list(pool).await.unwrap();
    assert_eq!(found.data[0].key, key);
    let code = rust_code(&schema).text;
    assert!(
        code.contains("PRIMARY KEY (key)") && code.contains("pub key: Uuid,"),
        "{code}"
    );
}
