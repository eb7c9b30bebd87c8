//! Create or ignore, upserts of many, updates by an expression, deletes that return
//! records, and comparisons of two columns.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lookback::embedding::Embedding;
use lookback::migrate::Models;
use lookback::query::UniqueKey;
use lookback::value::Hidden;
use lookback::{ColumnEnum, Error, Filter, model};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};

/// Goods of a shop.
#[model(
    table = "goods",
    search(name),
    index("goods_code_key", "UNIQUE (code)", problem(code, "is taken")),
    index("goods_name_key", "UNIQUE (lower(name)) WHERE deleted_at IS NULL")
)]
struct Good {
    id: i64,
    code: i32,
    name: String,
    #[column(range(0, 100), sql_default = "0")]
    amount: i32,
    #[column(sql_default = "0")]
    reserved: i32,
    sold: Option<i64>,
    rating: Option<f64>,
    state: Option<State>,
    wanted: Option<State>,
    due_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    deleted_at: Hidden<Option<DateTime<Utc>>>,
    embedding: Hidden<Option<Embedding>>,
}

/// In an order that is not alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ColumnEnum)]
enum State {
    New,
    Known,
    Gone,
}

async fn database() -> testkit::Database {
    let db = testkit::database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let schema = Models::new().model::<Good>().to_schema().unwrap();
    for statement in testkit::schemas::create(&schema) {
        conn.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    db
}

fn good(code: i32, name: &str) -> NewGood {
    NewGood::new(code, name).amount(code % 10)
}

fn code_key() -> UniqueKey<Good> {
    Good::goods_code_key()
}

/// The codes, names and amounts of the live records, in the order of the codes.
async fn listed(pool: &PgPool) -> Vec<(i32, String, i32)> {
    let query = Good::records().order_by(Good::code().asc()).limit(10_000);
    let page = query
        .select((Good::code(), Good::name(), Good::amount()))
        .list(pool)
        .await;
    page.unwrap().data
}

fn conflict(error: &Error) -> String {
    assert!(error.is_conflict(), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn create_or_ignore_creates_a_record_once() {
    let db = database().await;
    let pool = &db.pool;
    let records = Good::records();
    let new = || good(1, "Lamp");
    let created = records.create_or_ignore(pool, new(), code_key()).await;
    let created = created.unwrap().unwrap();
    assert_eq!((created.code, created.name.as_str()), (1, "Lamp"));
    let other = good(1, "Table");
    let ignored = records.create_or_ignore(pool, other, code_key()).await;
    assert_eq!(ignored.unwrap(), None);
    assert_eq!(listed(pool).await, [(1, "Lamp".to_owned(), 1)]);

    // Of many at a time, one creates it.
    let calls = (0..20).map(|_| records.create_or_ignore(pool, good(2, "Chair"), code_key()));
    let done = futures_util::future::join_all(calls).await;
    let created = done
        .into_iter()
        .filter(|one| one.as_ref().unwrap().is_some());
    assert_eq!(created.count(), 1);

    // Another key is a conflict, and its error is that of `create`.
    let twice = records.create_or_ignore(pool, good(3, "LAMP"), code_key());
    insta::assert_snapshot!(conflict(&twice.await.unwrap_err()), @"name: is already used by another record (unique key goods_name_key)");
    // A deleted record has its key, unless the key is of live records only.
    records
        .delete(pool, created_id(pool, 1).await)
        .await
        .unwrap();
    let deleted = records.create_or_ignore(pool, good(1, "Lamp"), code_key());
    assert_eq!(deleted.await.unwrap(), None);
    let by_name = Good::goods_name_key();
    let live = records.create_or_ignore(pool, good(4, "lamp"), by_name);
    assert_eq!(live.await.unwrap().unwrap().code, 4);
    let invalid = records.create_or_ignore(pool, good(5, "x").amount(-1), code_key());
    insta::assert_snapshot!(invalid.await.unwrap_err(), @"amount: -1 is not from 0 to 100");
}

async fn created_id(pool: &PgPool, code: i32) -> i64 {
    let query = Good::records().filter(Good::code().eq(code));
    query.first(pool).await.unwrap().unwrap().id
}

#[tokio::test]
async fn create_many_or_ignore_creates_the_records_that_are_missing() {
    let db = database().await;
    let pool = &db.pool;
    let records = Good::records();
    records.create(pool, good(7, "Seven")).await.unwrap();
    // More than one statement, with records that omit different columns.
    let many: Vec<NewGood> = (0..1_000)
        .map(|code| {
            let mut new = good(code, &format!("Good {code}"));
            if code % 3 == 0 {
                new.amount = None;
            }
            new
        })
        .collect();
    let created = records.create_many_or_ignore(pool, &many, code_key()).await;
    assert_eq!(created.unwrap(), 999);
    let again = records.create_many_or_ignore(pool, &many, code_key()).await;
    assert_eq!(again.unwrap(), 0);
    let all = listed(pool).await;
    assert_eq!(all.len(), 1_000);
    assert_eq!(all[7].1, "Seven");
    // Of two with the same key, the first.
    let twice = [good(2_000, "First"), good(2_000, "Second")];
    let created = records
        .create_many_or_ignore(pool, &twice, code_key())
        .await;
    assert_eq!(created.unwrap(), 1);
    assert_eq!(listed(pool).await.last().unwrap().1, "First");
    // All or none, and the error names the record.
    let wrong = [good(3_000, "A"), good(3_001, "B"), good(3_002, "first")];
    let error = records
        .create_many_or_ignore(pool, &wrong, code_key())
        .await;
    insta::assert_snapshot!(conflict(&error.unwrap_err()), @"record 2, name: is already used by another record (unique key goods_name_key)");
    assert_eq!(listed(pool).await.len(), 1_001);
    let none = records.create_many_or_ignore(pool, &[], code_key()).await;
    assert_eq!(none.unwrap(), 0);
}

#[tokio::test]
async fn upsert_many_creates_or_updates_each_record() {
    let db = database().await;
    let pool = &db.pool;
    let records = Good::records();
    let many = |from: i32, to: i32, word: &str| -> Vec<NewGood> {
        (from..to)
            .map(|code| good(code, &format!("{word} {code}")))
            .collect()
    };
    let done = records
        .upsert_many(pool, &many(0, 600, "Old"), code_key())
        .await;
    let done = done.unwrap();
    assert_eq!((done.created, done.updated), (600, 0));
    let before = records
        .get(pool, created_id(pool, 599).await)
        .await
        .unwrap();
    let done = records
        .upsert_many(pool, &many(300, 900, "New"), code_key())
        .await;
    let done = done.unwrap();
    assert_eq!((done.created, done.updated), (300, 300));
    let after = records.get(pool, before.id).await.unwrap();
    assert_eq!(after.name, "New 599");
    assert_eq!(after.created_at, before.created_at);
    assert!(after.updated_at > before.updated_at);
    // A search finds the new text.
    let found = records
        .clone()
        .search("\"New 599\"")
        .list(pool)
        .await
        .unwrap();
    assert_eq!(found.data[0].id, before.id);

    // Of several with the same key, the last stays, as with single upserts.
    let twice = [
        good(5_000, "First"),
        good(5_001, "Other"),
        good(5_000, "Second"),
    ];
    let done = records.upsert_many(pool, &twice, code_key()).await.unwrap();
    assert_eq!((done.created, done.updated), (2, 1));
    let all = listed(pool).await;
    assert_eq!(all[900].1, "Second");

    // All or none: a record that violates another key, one whose key a deleted record has.
    let other_key = [good(6_000, "Fine"), good(6_001, "second")];
    let error = records.upsert_many(pool, &other_key, code_key()).await;
    insta::assert_snapshot!(conflict(&error.unwrap_err()), @"record 1, name: is already used by another record (unique key goods_name_key)");
    records.delete(pool, before.id).await.unwrap();
    let deleted = [good(6_000, "Fine"), good(599, "Back")];
    let error = records.upsert_many(pool, &deleted, code_key()).await;
    insta::assert_snapshot!(conflict(&error.unwrap_err()), @"record 1, code: is already used by a deleted record (unique key goods_code_key)");
    let wrong = [good(6_000, "Fine"), good(6_001, "Bad").amount(101)];
    let error = records.upsert_many(pool, &wrong, code_key()).await;
    insta::assert_snapshot!(error.unwrap_err(), @"record 1, amount: 101 is not from 0 to 100");
    assert_eq!(listed(pool).await.len(), 901);
    let with_deleted = records.clone().with_deleted();
    let done = with_deleted
        .upsert_many(pool, &deleted, code_key())
        .await
        .unwrap();
    assert_eq!((done.created, done.updated), (1, 1));

    // In the caller's transaction, which goes on after an error.
    let mut transaction = pool.begin().await.unwrap();
    let error = records
        .upsert_many(&mut *transaction, &other_key, code_key())
        .await;
    assert!(error.unwrap_err().is_conflict());
    let one = [good(7_000, "Mine")];
    records
        .upsert_many(&mut *transaction, &one, code_key())
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    assert!(!listed(pool).await.iter().any(|(code, ..)| *code == 7_000));
}

#[tokio::test]
async fn update_computes_a_column_from_its_own_value() {
    let db = database().await;
    let pool = &db.pool;
    let records = Good::records();
    let due = crate::time("2026-01-31T08:30:00Z");
    let new = good(5, "Lamp").sold(7).due_at(due).rating(0.5);
    let lamp = records.create(pool, new).await.unwrap();
    let none = GoodPatch::new;
    let query = || Good::records();
    let updated = query()
        .set(Good::amount().plus(2))
        .set(Good::sold().minus(10))
        .set(Good::rating().plus(0.25))
        .set(Good::due_at().plus(Duration::from_secs(90)))
        .update(pool, lamp.id, none().reserved(3))
        .await
        .unwrap();
    assert_eq!(
        (updated.amount, updated.sold, updated.reserved),
        (7, Some(-3), 3)
    );
    assert_eq!(updated.rating, Some(0.75));
    assert_eq!(updated.due_at, Some(crate::time("2026-01-31T08:31:30Z")));
    assert!(updated.updated_at > lamp.updated_at);
    let copied = query().set(Good::amount().copy_of(Good::reserved()));
    assert_eq!(
        copied.update(pool, lamp.id, none()).await.unwrap().amount,
        3
    );

    // No update is lost.
    let step = query().set(Good::amount().plus(1));
    let steps = (0..30).map(|_| step.update(pool, lamp.id, GoodPatch::new()));
    for done in futures_util::future::join_all(steps).await {
        done.unwrap();
    }
    assert_eq!(query().get(pool, lamp.id).await.unwrap().amount, 33);

    // NULL stays NULL.
    let table = query().create(pool, good(6, "Table")).await.unwrap();
    let sold = query()
        .set(Good::sold().plus(1))
        .update(pool, table.id, none())
        .await;
    assert_eq!(sold.unwrap().sold, None);

    // A result out of range changes nothing, in the caller's transaction, too.
    let mut errors = Vec::new();
    let low = query().set(Good::amount().minus(34));
    errors.push(low.update(pool, lamp.id, none()).await.unwrap_err());
    let mut transaction = pool.begin().await.unwrap();
    let error = low.update(&mut *transaction, lamp.id, none()).await;
    assert!(error.unwrap_err().is_invalid());
    let all = low.clone().filter(Filter::all());
    errors.push(all.update_all(&mut *transaction, none()).await.unwrap_err());
    transaction.commit().await.unwrap();
    assert_eq!(query().get(pool, lamp.id).await.unwrap().amount, 33);
    let large = query().set(Good::reserved().plus(i32::MAX));
    errors.push(large.update(pool, lamp.id, none()).await.unwrap_err());
    let twice = query().set(Good::reserved().plus(1));
    errors.push(
        twice
            .update(pool, lamp.id, none().reserved(1))
            .await
            .unwrap_err(),
    );
    let twice = twice.set(Good::reserved().plus(1));
    errors.push(twice.update(pool, lamp.id, none()).await.unwrap_err());
    let search = query().set(Good::name().copy_of(Good::name()));
    errors.push(search.update(pool, lamp.id, none()).await.unwrap_err());
    let common = query().set(Good::created_at().plus(Duration::from_secs(1)));
    errors.push(common.update(pool, lamp.id, none()).await.unwrap_err());
    let not_finite = query().set(Good::rating().plus(f64::NAN));
    errors.push(not_finite.update(pool, lamp.id, none()).await.unwrap_err());
    errors.push(step.list(pool).await.unwrap_err());
    errors.push(step.delete(pool, lamp.id).await.unwrap_err());
    errors.push(step.create(pool, good(9, "x")).await.unwrap_err());
    let missing = step.update(pool, 77, none()).await.unwrap_err();
    assert!(missing.is_not_found());
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    amount: -1 is not from 0 to 100
    amount: -28 is not from 0 to 100
    reserved: integer out of range
    reserved: is set twice
    reserved: is set twice
    name: is a search field, from which the embedding is computed; set it by a patch
    created_at: is filled in by Lookback or the database, and cannot be set
    rating: is changed by a number that is not finite
    set: cannot be combined with records to list: it applies to an update
    set: cannot be combined with a record deleted by its id
    set: cannot be combined with a record to create
    "#);

    // Many records, also together with a search field of one record.
    let more = query().set(Good::amount().plus(10)).filter(Filter::all());
    assert_eq!(more.update_all(pool, none().reserved(4)).await.unwrap(), 2);
    assert_eq!(
        listed(pool).await,
        [(5, "Lamp".to_owned(), 43), (6, "Table".to_owned(), 16)]
    );
    let renamed = query().set(Good::amount().minus(1));
    let renamed = renamed.update(pool, lamp.id, none().name("Torch")).await;
    assert_eq!(renamed.unwrap().amount, 42);
    let found = query().search("torch").list(pool).await.unwrap();
    assert_eq!(found.data[0].id, lamp.id);
}

#[tokio::test]
async fn deletes_return_the_records() {
    let db = database().await;
    let pool = &db.pool;
    let records = Good::records();
    let new: Vec<NewGood> = (0..10)
        .map(|code| good(code, &format!("Good {code}")))
        .collect();
    records.create_many(pool, &new).await.unwrap();
    let id = created_id(pool, 0).await;
    let codes = |records: Vec<Good>| {
        let mut codes: Vec<i32> = records.iter().map(|good| good.code).collect();
        codes.sort_unstable();
        codes
    };

    let before = records.get(pool, id).await.unwrap();
    let deleted = records.delete_returning(pool, id).await.unwrap();
    assert_eq!(deleted.name, "Good 0");
    assert!(deleted.updated_at > before.updated_at);
    assert!(records.get(pool, id).await.unwrap_err().is_not_found());
    let again = records.delete_returning(pool, id).await.unwrap_err();
    assert!(again.is_not_found());
    let some = records.clone().filter(Good::code().lt(4));
    assert_eq!(
        codes(some.delete_all_returning(pool).await.unwrap()),
        [1, 2, 3]
    );
    assert_eq!(some.delete_all_returning(pool).await.unwrap(), []);

    let id = created_id(pool, 4).await;
    let stale = records
        .clone()
        .if_updated_at(crate::time("2026-01-01T00:00:00Z"));
    assert!(
        stale
            .hard_delete_returning(pool, id)
            .await
            .unwrap_err()
            .is_conflict()
    );
    let gone = records.hard_delete_returning(pool, id).await.unwrap();
    assert_eq!(gone.code, 4);
    let with_deleted = records.clone().with_deleted();
    assert!(with_deleted.get(pool, id).await.unwrap_err().is_not_found());
    let some = with_deleted.clone().filter(Good::code().lt(6));
    assert_eq!(
        codes(some.hard_delete_all_returning(pool).await.unwrap()),
        [0, 1, 2, 3, 5]
    );
    assert_eq!(with_deleted.count(pool).await.unwrap().value(), 4);
    let unfiltered = records.delete_all_returning(pool).await.unwrap_err();
    assert!(unfiltered.is_invalid());
    assert!(
        records
            .hard_delete_all_returning(pool)
            .await
            .unwrap_err()
            .is_invalid()
    );
}

#[tokio::test]
async fn filters_compare_two_columns_in_both_forms() {
    let db = database().await;
    let pool = &db.pool;
    let new = [
        good(1, "a").reserved(0).sold(1),
        good(2, "b").reserved(2).sold(2),
        good(3, "c")
            .reserved(5)
            .state(State::Gone)
            .wanted(State::Known),
        good(4, "d")
            .reserved(4)
            .sold(3)
            .state(State::New)
            .wanted(State::Known),
        good(5, "e")
            .reserved(1)
            .sold(9)
            .state(State::Known)
            .wanted(State::Known),
    ];
    Good::records().create_many(pool, &new).await.unwrap();
    let codes = async |filter: Filter<Good>| {
        let query = Good::records().filter(filter).order_by(Good::code().asc());
        query.select(Good::code()).list(pool).await.unwrap().data
    };
    let amount = Good::amount();
    let state = Good::state();
    for (typed, text, expected) in [
        (
            amount.eq_column(Good::reserved()),
            "amount__field=reserved",
            vec![2, 4],
        ),
        (
            amount.ne_column(Good::reserved()),
            "amount__ne__field=reserved",
            vec![1, 3, 5],
        ),
        (
            amount.gt_column(Good::reserved()),
            "amount__gt__field=reserved",
            vec![1, 5],
        ),
        (
            amount.gte_column(Good::reserved()),
            "amount__gte__field=reserved",
            vec![1, 2, 4, 5],
        ),
        (
            amount.lt_column(Good::reserved()),
            "amount__lt__field=reserved",
            vec![3],
        ),
        (
            amount.lte_column(Good::reserved()),
            "amount__lte__field=reserved",
            vec![2, 3, 4],
        ),
        // An enum is in the order of its variants.
        (
            state.gt_column(Good::wanted()),
            "state__gt__field=wanted",
            vec![3],
        ),
        (
            state.lt_column(Good::wanted()),
            "state__lt__field=wanted",
            vec![4],
        ),
        (
            state.eq_column(Good::wanted()),
            "state__field=wanted",
            vec![5],
        ),
        // NULL equals nothing.
        (
            state.ne_column(Good::wanted()),
            "state__ne__field=wanted",
            vec![1, 2, 3, 4],
        ),
        (
            !(state.lt_column(Good::wanted()) | amount.eq(5)),
            "not=(or(state__lt__field=wanted,amount=5))",
            vec![1, 2, 3],
        ),
    ] {
        assert_eq!(Filter::parse(text).unwrap(), typed, "{text}");
        assert_eq!(
            Filter::parse(&typed.to_text().unwrap()).unwrap(),
            typed,
            "{text}"
        );
        assert_eq!(codes(typed).await, expected, "{text}");
    }
    // Numbers of different types.
    let sold = Filter::parse("sold__gt__field=amount").unwrap();
    assert_eq!(codes(sold).await, [5]);
    let errors = [
        "amount__field=name",
        "amount__in__field=reserved",
        "amount__gt__field=resreved",
        "name__like__field=name",
        "amount__field=embedding",
        "or=(amount__field=reserved,sold__filed=amount)",
    ]
    .map(|text| Filter::<Good>::parse(text).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @r#"
    amount__field: is integer and cannot be compared with name, which is text
    amount: only eq, ne, gt, gte, lt and lte of a field compare it with another field
    amount__gt__field: resreved: is not a field of goods; did you mean reserved?
    name: only eq, ne, gt, gte, lt and lte of a field compare it with another field
    amount__field: embedding: is not a field of goods, which has id, code, name, amount, reserved, sold, rating, state, wanted, due_at, created_at, updated_at, deleted_at
    sold: filed is not a lookup (bigint takes eq, exact, ne, gt, gte, lt, lte, in, notin, between, notbetween, isnull, isnotnull)
    "#);
}
