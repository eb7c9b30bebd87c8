//! Every answer is that of a plain evaluation over the same rows.

use std::cmp::Ordering;
use std::rc::Rc;
use std::time::Instant;

use lookback::query::Total;
use lookback::{Filter, QueryBuilder};
use testkit::sample::Random;

use super::drawn::{Folds, tree};
use super::plain::Fold;
use super::spelling::percent_encoded;
use super::thing::{CREATE, LETTERS, Thing, thing};

/// Filters in all, and for each table that is drawn.
const CASES: u32 = 2_400;
const FILTERS: u64 = 60;

/// How the database folds each letter, in a collation.
async fn fold(db: &testkit::Database, collation: &str) -> Fold {
    let mut fold = Fold::new();
    for letter in LETTERS
        .into_iter()
        .chain(["É", "M", "I", "L", "E", "C", "У", "К"])
    {
        let sql = format!("SELECT lower($1::text COLLATE {collation})");
        let lower: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(letter)
            .fetch_one(&db.pool)
            .await
            .unwrap();
        let one = |text: &str| text.chars().next().unwrap();
        fold.insert(one(letter), one(&lower));
    }
    fold
}

#[tokio::test]
async fn filter_finds_same_as_plain_evaluation() {
    let db = testkit::database().await;
    sqlx::raw_sql(CREATE).execute(&db.pool).await.unwrap();
    let folds = Rc::new(Folds {
        default: fold(&db, "\"default\"").await,
        c: fold(&db, "\"C\"").await,
    });
    assert_eq!((folds.default[&'É'], folds.c[&'É']), ('é', 'É'));
    let (cases, seed) = crate::random::cases_and_seed(CASES);
    let tables = u64::from(cases).div_ceil(FILTERS);
    let started = Instant::now();
    let (mut some, mut none, mut all) = (0, 0, 0);
    for table in 0..tables {
        let random = &mut Random::new(seed.wrapping_add(table));
        let again = format!("table {table}; again with PROPTEST_RNG_SEED={seed}");
        sqlx::query("TRUNCATE things")
            .execute(&db.pool)
            .await
            .unwrap();
        let new: Vec<_> = (0..40).map(|_| thing(random)).collect();
        Thing::records().create_many(&db.pool, &new).await.unwrap();
        let things = Thing::records()
            .limit(100)
            .list(&db.pool)
            .await
            .unwrap()
            .data;
        assert_eq!(things.len(), new.len());
        for _ in 0..FILTERS {
            let drawn = tree(random, &folds, 3);
            let read = |text: &str| {
                Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}; {again}"))
            };
            assert_eq!(read(&drawn.alone), drawn.typed, "{}; {again}", drawn.alone);
            assert_eq!(
                read(&format!("or({})", drawn.grouped)),
                Filter::none() | drawn.typed.clone(),
                "{again}"
            );
            let text = drawn.typed.to_text().unwrap();
            assert_eq!(
                read(&text),
                drawn.typed,
                "{} as {text}; {again}",
                drawn.alone
            );
            let query = percent_encoded(&text);
            assert_eq!(
                Filter::from_query(&query).unwrap(),
                drawn.typed,
                "{query}; {again}"
            );

            let order = order(random);
            let (limit, offset) = (random.below(50), random.below(20));
            let mut expected: Vec<&Thing> = things.iter().filter(|t| (drawn.plain)(t)).collect();
            let total = expected.len();
            match total {
                0 => none += 1,
                40 => all += 1,
                _ => some += 1,
            }
            expected.sort_by(|a, b| compared(&order, a, b));
            let ids: Vec<i64> = expected
                .iter()
                .skip(usize::try_from(offset).unwrap())
                .take(usize::try_from(limit).unwrap())
                .map(|t| t.id)
                .collect();
            let query = Thing::records()
                .filter(drawn.typed.clone())
                .limit(u32::try_from(limit).unwrap())
                .offset(offset);
            let ordered = |query: QueryBuilder<Thing>| {
                order
                    .iter()
                    .fold(query, |query, key| query.order_by_text(&key.text).unwrap())
            };
            let page = ordered(query.clone())
                .list(&db.pool)
                .await
                .unwrap_or_else(|error| panic!("{text}: {error:?}; {again}"));
            let found: Vec<i64> = page.data.iter().map(|t| t.id).collect();
            if let Some(next) = &page.next {
                let query = ordered(query.offset(0)).after(next);
                let next = query.list(&db.pool).await.unwrap();
                let from = usize::try_from(offset + limit).unwrap();
                let expected = expected.iter().skip(from).map(|t| t.id);
                let expected: Vec<i64> = expected.take(usize::try_from(limit).unwrap()).collect();
                let after: Vec<i64> = next.data.iter().map(|t| t.id).collect();
                assert_eq!(after, expected, "after the page of {text}; {again}");
            }
            if page.total != Total::Exact(total as u64) || found != ids {
                let whole = Thing::records()
                    .filter(drawn.typed.clone())
                    .limit(100)
                    .list(&db.pool)
                    .await
                    .unwrap();
                let wrong: Vec<&Thing> = things
                    .iter()
                    .filter(|t| (drawn.plain)(t) != whole.data.iter().any(|found| found.id == t.id))
                    .collect();
                panic!(
                    "{text}\norder {:?}\nfound {found:?} of {}\nnot {ids:?} of {total}\nwrong: {wrong:#?}\n{again}",
                    order.iter().map(|key| &key.text).collect::<Vec<_>>(),
                    page.total.value()
                );
            }
        }
    }
    eprintln!(
        "{} filters in {:.1} s ({some} found some, {none} none, {all} all); again with PROPTEST_RNG_SEED={seed}",
        tables * FILTERS,
        started.elapsed().as_secs_f64(),
    );
    // Filters that find nothing or everything would all be right.
    assert!(some > (none + all) / 2);
}

/// A column to order by.
struct Key {
    text: String,
    backwards: bool,
    nulls_first: bool,
    compare: fn(&Thing, &Thing) -> Option<Ordering>,
    is_null: fn(&Thing) -> bool,
}

/// Up to three columns, each forwards or backwards.
fn order(random: &mut Random) -> Vec<Key> {
    fn some<T: PartialOrd>(a: Option<T>, b: Option<T>) -> Option<Ordering> {
        a.zip(b).and_then(|(a, b)| a.partial_cmp(&b))
    }
    let keys = 1 + random.below(3);
    (0..random.below(keys + 1))
        .map(|_| {
            macro_rules! key {
                ($name:literal, $column:ident) => {
                    Key {
                        text: $name.to_owned(),
                        backwards: false,
                        nulls_first: false,
                        compare: |a, b| some(a.$column.as_ref(), b.$column.as_ref()),
                        is_null: |t| t.$column.is_none(),
                    }
                };
            }
            let mut key = match random.below(8) {
                0 => key!("small", small),
                1 => key!("ratio", ratio),
                2 => key!("at", at),
                3 => key!("shade", shade),
                4 => key!("mood", mood),
                5 => key!("flag", flag),
                6 => Key {
                    text: "name".to_owned(),
                    backwards: false,
                    nulls_first: false,
                    compare: |a, b| Some(a.name.cmp(&b.name)),
                    is_null: |_| false,
                },
                _ => Key {
                    text: "big.num__ber".to_owned(),
                    backwards: false,
                    nulls_first: false,
                    compare: |a, b| Some(a.big.cmp(&b.big)),
                    is_null: |_| false,
                },
            };
            if random.below(2) == 0 {
                key.text = format!("-{}", key.text);
                key.backwards = true;
            }
            if random.below(3) == 0 {
                key.text.push_str("__nullsfirst");
                key.nulls_first = true;
            }
            key
        })
        .collect()
}

/// Null is last both ways unless it is to be first, and the newest id is first among equals.
fn compared(order: &[Key], a: &Thing, b: &Thing) -> Ordering {
    let by_key = |key: &Key| match (key.compare)(a, b) {
        Some(found) if key.backwards => found.reverse(),
        Some(found) => found,
        None if key.nulls_first => (key.is_null)(b).cmp(&(key.is_null)(a)),
        None => (key.is_null)(a).cmp(&(key.is_null)(b)),
    };
    let found = order.iter().map(by_key).find(|found| found.is_ne());
    found.unwrap_or_else(|| b.id.cmp(&a.id))
}
