//! The results of filters, compared with a plain evaluation of the same rows.

use std::cell::Cell;
use std::cmp::Ordering;
use std::rc::Rc;
use std::time::Instant;

use lookback::query::Total;
use lookback::{Filter, QueryBuilder};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use sqlx::PgPool;
use testkit::sample::Random;
use tokio::runtime::Runtime;

use super::drawn::{Folds, GeneratedFilter, tree};
use super::plain::Fold;
use super::spelling::percent_encoded;
use super::thing::{CREATE, LETTERS, Thing, thing};

/// The number of filters, in total and for each generated table.
const CASES: u32 = 2_400;
const FILTERS: u32 = 60;

/// Rows of a table.
const ROWS: usize = 40;

/// Asks the database how it folds each letter in a collation that knows all.
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

#[test]
fn filter_finds_same_as_plain_evaluation() {
    let runtime = Runtime::new().unwrap();
    let (db, folds) = runtime.block_on(async {
        let db = testkit::database().await;
        sqlx::raw_sql(CREATE).execute(&db.pool).await.unwrap();
        // The collation of a column makes no difference to lookups that ignore case.
        let unicode = fold(&db, "\"default\"").await;
        let folds = Rc::new(Folds {
            default: unicode.clone(),
            c: unicode,
        });
        (db, folds)
    });
    assert_eq!(folds.c[&'É'], 'é');
    let (cases, seed) = crate::random::cases_and_seed(CASES);
    let tables = cases.div_ceil(FILTERS);
    let started = Instant::now();
    let found = FoundCounts::default();
    for table in 0..tables {
        let seed = seed.wrapping_add(table.into());
        let things = runtime.block_on(new_table(&db.pool, &mut Random::new(seed)));
        let config = Config {
            cases: FILTERS,
            rng_seed: RngSeed::Fixed(seed),
            ..crate::random::config(FILTERS)
        };
        let checked = TestRunner::new(config).run(&vec(any::<u64>(), 0..250), |choices| {
            let random = &mut Random::of_choices(choices);
            let filter = tree(random, &folds, 3);
            let case = Case::new(random, &filter, &things);
            found.count(case.expected.len());
            case.check_text();
            runtime.block_on(case.check_pages(&db.pool));
            Ok(())
        });
        if let Err(error) = checked {
            panic!("table {table}: {error}");
        }
    }
    let [none, some, all] = found.0.map(|count| count.get());
    eprintln!(
        "{} filters in {:.1} s ({some} found some, {none} none, {all} all)",
        tables * FILTERS,
        started.elapsed().as_secs_f64(),
    );
    // Filters that find nothing or everything would test little.
    assert!(some > (none + all) / 2);
}

/// The number of filters that found no row, some, and all.
#[derive(Default)]
struct FoundCounts([Cell<u32>; 3]);

impl FoundCounts {
    fn count(&self, rows: usize) {
        let count = match rows {
            0 => &self.0[0],
            ROWS => &self.0[2],
            _ => &self.0[1],
        };
        count.set(count.get() + 1);
    }
}

/// Replaces the rows of the table.
async fn new_table(pool: &PgPool, random: &mut Random) -> Vec<Thing> {
    sqlx::query("TRUNCATE things").execute(pool).await.unwrap();
    let new: Vec<_> = (0..ROWS).map(|_| thing(random)).collect();
    Thing::records().create_many(pool, &new).await.unwrap();
    let page = Thing::records().limit(100).list(pool).await.unwrap();
    assert_eq!(page.data.len(), ROWS);
    page.data
}

/// A filter, an order and a page, with the records that they have to find.
struct Case<'t> {
    filter: &'t GeneratedFilter,
    things: &'t [Thing],
    order: Vec<Key>,
    limit: usize,
    offset: usize,
    expected: Vec<&'t Thing>,
}

impl<'t> Case<'t> {
    fn new(random: &mut Random, filter: &'t GeneratedFilter, things: &'t [Thing]) -> Self {
        let order = order(random);
        let mut expected: Vec<&Thing> = things.iter().filter(|t| (filter.plain)(t)).collect();
        expected.sort_by(|a, b| compared(&order, a, b));
        Self {
            filter,
            things,
            order,
            limit: usize::try_from(random.below(50)).unwrap(),
            offset: usize::try_from(random.below(20)).unwrap(),
            expected,
        }
    }

    /// Checks that each text of the filter is parsed as the typed one.
    fn check_text(&self) {
        let GeneratedFilter {
            typed,
            grouped,
            alone,
            ..
        } = self.filter;
        let parse = |text: &str| {
            Filter::parse(text).unwrap_or_else(|error| panic!("cannot parse {text}: {error}"))
        };
        assert_eq!(parse(alone), *typed, "{alone}");
        assert_eq!(
            parse(&format!("or({grouped})")),
            Filter::none() | typed.clone()
        );
        let text = typed.to_text().unwrap();
        assert_eq!(parse(&text), *typed, "{alone} as {text}");
        let query = percent_encoded(&text);
        assert_eq!(Filter::from_query(&query).unwrap(), *typed, "{query}");
    }

    /// Checks the page and the one after it.
    async fn check_pages(&self, pool: &PgPool) {
        let text = &self.filter.alone;
        let query = Thing::records()
            .filter(self.filter.typed.clone())
            .limit(u32::try_from(self.limit).unwrap());
        let ordered = |query: QueryBuilder<Thing>| {
            self.order
                .iter()
                .fold(query, |query, key| query.order_by_text(&key.text).unwrap())
        };
        let order: Vec<&String> = self.order.iter().map(|key| &key.text).collect();
        let first = ordered(query.clone().offset(self.offset as u64));
        let page = first
            .list(pool)
            .await
            .unwrap_or_else(|error| panic!("{text}: {error:?}"));
        if ids(&page.data) != self.expected_ids(self.offset)
            || page.total != Total::Exact(self.expected.len() as u64)
        {
            panic!(
                "{text}, ordered by {order:?}\nfound {:?} of {}, expected {:?} of {}\n\
                 records that the filter matches only here or there: {:#?}",
                ids(&page.data),
                page.total.value(),
                self.expected_ids(self.offset),
                self.expected.len(),
                self.mismatches(pool).await,
            );
        }
        if let Some(next) = &page.next {
            let page = ordered(query).after(next).list(pool).await.unwrap();
            let expected = self.expected_ids(self.offset + self.limit);
            assert_eq!(ids(&page.data), expected, "after the page of {text}");
        }
    }

    /// The ids of the page at this offset.
    fn expected_ids(&self, offset: usize) -> Vec<i64> {
        let page = self.expected.iter().skip(offset).take(self.limit);
        page.map(|thing| thing.id).collect()
    }

    /// The records that only one of the two evaluations matches.
    async fn mismatches(&self, pool: &PgPool) -> Vec<&Thing> {
        let query = Thing::records().filter(self.filter.typed.clone());
        let found = ids(&query.limit(100).list(pool).await.unwrap().data);
        let is_mismatch = |thing: &&Thing| (self.filter.plain)(thing) != found.contains(&thing.id);
        self.things.iter().filter(is_mismatch).collect()
    }
}

fn ids(things: &[Thing]) -> Vec<i64> {
    things.iter().map(|thing| thing.id).collect()
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

/// Compares two things: NULL is last in either direction unless it is to be first, and the
/// newest id is first among equals.
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
