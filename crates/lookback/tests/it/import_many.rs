//! Records with ids, times of changes and of deletion.

use chrono::{DateTime, Utc};
use lookback::query::Imported;
use lookback::table::ColumnValues as _;
use lookback::{Level, Log, NewLog, NewUser, User, json};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn log(id: i64, message: &str) -> Imported<NewLog> {
    let mut log = Imported::new(NewLog::new("API", Level::Info, message));
    log.id = Some(id);
    log
}

#[tokio::test]
async fn import_many_stores_what_is_given() {
    let db = testkit::database().await;
    let mut first = log(50, "connection refused");
    first.record.created_at = Some(at("2026-01-01T00:00:00Z"));
    first.updated_at = Some(at("2026-01-02T00:00:00Z"));
    first.deleted_at = Some(at("2026-01-03T00:00:00Z"));
    let second = log(7, "ready");
    let stored = Log::records().import_many(&db.pool, &[first, second]).await;
    assert_eq!(stored.unwrap(), 2);

    let record = Log::records()
        .only_deleted()
        .with_hidden(Log::deleted_at())
        .with_hidden(Log::embedding())
        .get(&db.pool, 50)
        .await
        .unwrap();
    assert_eq!(record.created_at, at("2026-01-01T00:00:00Z"));
    assert_eq!(record.updated_at, at("2026-01-02T00:00:00Z"));
    assert_eq!(
        record.deleted_at.get(),
        Some(&Some(at("2026-01-03T00:00:00Z")))
    );
    assert!(record.embedding.get().is_some_and(Option::is_some));
    let live = Log::records().get(&db.pool, 7).await.unwrap();
    assert_eq!(live.message, "ready");

    // The sequence is behind the greatest id.
    let next = Log::records()
        .create(&db.pool, NewLog::new("API", Level::Info, "next"))
        .await
        .unwrap();
    assert_eq!(next.id, 51);
    // And is never set back.
    Log::records()
        .import_many(&db.pool, &[log(9, "earlier")])
        .await
        .unwrap();
    let next = Log::records()
        .create(&db.pool, NewLog::new("API", Level::Info, "next"))
        .await
        .unwrap();
    assert_eq!(next.id, 52);
}

#[tokio::test]
async fn import_many_of_taken_id_is_a_conflict_of_its_record() {
    let db = testkit::database().await;
    Log::records()
        .import_many(&db.pool, &[log(8, "mine")])
        .await
        .unwrap();
    for records in [
        vec![log(7, "a"), log(8, "b"), log(9, "c")],
        vec![log(8, "b")],
    ] {
        let error = Log::records()
            .import_many(&db.pool, &records)
            .await
            .unwrap_err();
        assert!(error.is_conflict(), "{error}");
        let row = records.len() / 2;
        assert_eq!(
            error.to_string(),
            format!("record {row}, id: 8 is the id of another record")
        );
    }
    // All or none.
    assert_eq!(Log::records().count(&db.pool).await.unwrap().value(), 1);
    assert_eq!(
        Log::records().get(&db.pool, 8).await.unwrap().message,
        "mine"
    );
    let taken = Log::records().existing_ids(&db.pool, &[9, 8, 7]).await;
    assert_eq!(taken.unwrap(), [8]);
}

#[tokio::test]
async fn import_many_keeps_unique_keys() {
    let db = testkit::database().await;
    let user = |id, email: &str, deleted: bool| {
        let mut user = Imported::new(NewUser::new(email, "!"));
        user.id = Some(id);
        user.deleted_at = deleted.then(|| at("2026-01-01T00:00:00Z"));
        user
    };
    let users = [user(1, "a@x.org", true), user(2, "a@x.org", false)];
    User::records().import_many(&db.pool, &users).await.unwrap();
    let error = User::records()
        .import_many(
            &db.pool,
            &[user(3, "b@x.org", false), user(4, "A@X.org", false)],
        )
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "record 1, email: is the e-mail of another user"
    );
}

#[tokio::test]
async fn import_many_with_some_ids_is_invalid() {
    let db = testkit::database().await;
    let mut without = log(1, "b");
    without.id = None;
    let error = Log::records()
        .import_many(&db.pool, &[log(5, "a"), without.clone()])
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "record 1, id: is required, because other records have one"
    );
    let error = Log::records()
        .import_many(&db.pool, &[log(1, "a"), log(i64::MAX, "b")])
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "record 1, id: 9223372036854775807 must be less than 9223372036854775807, the last id of \
         the sequence of logs"
    );
    Log::records()
        .import_many(&db.pool, &[without])
        .await
        .unwrap();
    assert_eq!(Log::records().count(&db.pool).await.unwrap().value(), 1);
}

#[test]
fn imported_from_json_reports_all_fields() {
    let read = |json: lookback::Json| {
        let lookback::Json::Object(map) = json else {
            panic!("an object");
        };
        Imported::<NewLog>::from_json(map)
    };
    let log = read(json!({
        "id": 5, "source": "API", "level": "info", "message": "x", "updated_at": null,
        "deleted_at": "2026-01-01T00:00:00Z",
    }))
    .unwrap();
    assert_eq!(log.id, Some(5));
    assert_eq!(log.updated_at, None);
    assert_eq!(log.deleted_at, Some(at("2026-01-01T00:00:00Z")));
    let error = read(json!({
        "id": "five", "source": 1, "level": "info", "deleted_at": "soon", "embedding": [],
    }))
    .unwrap_err();
    insta::assert_snapshot!(error, @"id: must be a whole number of 64 bits, not the string `five`; deleted_at: `soon` is not a time with its zone, such as 2026-01-31T08:30:00Z; source: must be a string, not the number 1; message: is required; embedding: is filled in by Lookback and cannot be set");
}
