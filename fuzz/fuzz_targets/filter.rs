//! Filters as text and as the query of a URL: of any input either a filter or an error that says
//! what is wrong.
#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use lookback::{Error, Filter, Log, Metric, Model, RequestSnapshot, User};

fuzz_target!(|texts: (Vec<&str>, &str)| {
    let (texts, query) = texts;
    check::<Log>(&texts, query);
    check::<RequestSnapshot>(&texts, query);
    check::<Metric>(&texts, query);
    check::<User>(&texts, query);
});

fn check<M: Model>(texts: &[&str], query: &str) {
    let now = DateTime::from_timestamp(1_791_720_000, 0).expect("a time of this century");
    let all = Filter::<M>::parse_all_at(texts, now);
    check_error(all.as_ref().err());
    // One after another they mean the same.
    let each: Result<Vec<_>, Error> = texts
        .iter()
        .map(|text| Filter::<M>::parse_all_at([text], now))
        .collect();
    assert_eq!(all.is_ok(), each.is_ok(), "{texts:?}");
    check_error(Filter::<M>::from_query_at(query, now).as_ref().err());
}

fn check_error(error: Option<&Error>) {
    if let Some(error) = error {
        assert!(error.is_invalid(), "{error}");
        assert!(!error.to_string().is_empty());
    }
}
