//! `lookback db`

use crate::support::{Lookback, transcript};

#[tokio::test]
async fn migrations_are_applied_once_and_shown() {
    let lookback = Lookback::with(Some(testkit::empty_database().await));
    transcript!(lookback.run(&["logs", "list"]), @"
$ lookback logs list
! error: the database has no table logs
! hint: apply the migrations: lookback db migrate
[exit code 1]
");
    transcript!(lookback.run(&["db", "status"]), @"
$ lookback db status
VERSION         STATE    DESCRIPTION
20261123000000  pending  create tables
");
    transcript!(lookback.run(&["db", "migrate"]), @"
$ lookback db migrate
! applied 20261123000000 create tables
");
    transcript!(lookback.run(&["db", "migrate"]), @"
$ lookback db migrate
! nothing to apply: the database is up to date
");
    transcript!(lookback.run(&["db", "status", "--json"]), @r#"
$ lookback db status --json
{"data":[{"applied":true,"description":"create tables","version":20261123000000}]}
"#);
    lookback.run(&["logs", "list"]).succeeded();
}

#[test]
fn a_time_to_wait_is_at_most_a_day() {
    let lookback = Lookback::with(None);
    let call = ["db", "migrate", "--lock-timeout", "18446744073709551615"];
    let ran = lookback.run(&call).failed(2);
    assert!(ran.err.contains("0..=86400"), "{}", ran.err);
}
