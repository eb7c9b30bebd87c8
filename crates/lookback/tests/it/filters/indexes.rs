//! Conditions that an index can serve, and queries at the limits.

use lookback::query::Total;
use lookback::{Filter, Level, Log, NewLog};

use super::thing::{CREATE, Thing};

/// Counts the scans of an index by a query with this filter.
async fn scans(db: &testkit::Database, index: &str, filter: &str) -> i64 {
    let mut transaction = db.pool.begin().await.unwrap();
    // The table is small; a scan of it would be cheaper.
    sqlx::query("SET LOCAL enable_seqscan = off")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let counted = "SELECT pg_stat_get_xact_numscans($1::regclass)";
    let counted = sqlx::query_scalar::<_, i64>(counted).bind(index);
    let before = counted.fetch_one(&mut *transaction).await.unwrap();
    let query = Thing::records().filter(Filter::parse(filter).unwrap());
    query.list(&mut transaction).await.unwrap();
    let counted = "SELECT pg_stat_get_xact_numscans($1::regclass)";
    let counted = sqlx::query_scalar::<_, i64>(counted).bind(index);
    counted.fetch_one(&mut *transaction).await.unwrap() - before
}

#[tokio::test]
async fn filters_use_matching_indexes() {
    let db = testkit::database().await;
    sqlx::raw_sql(CREATE).execute(&db.pool).await.unwrap();
    sqlx::raw_sql(
        "CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE INDEX by_small ON things (small); CREATE INDEX by_mood ON things (mood); \
         CREATE INDEX by_text ON things USING gin (text gin_trgm_ops); \
         CREATE INDEX by_tags ON things USING gin (tags); \
         CREATE INDEX by_doc ON things USING gin (doc jsonb_path_ops)",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    for (index, filter) in [
        ("by_small", "small=5"),
        ("by_small", "small__in=5,6"),
        ("by_small", "small__between=5,6"),
        ("by_small", "and(small__gt=5,not(id=1))"),
        ("by_mood", "mood__in=sad,ok"),
        ("by_text", "text__icontains=abc"),
        ("by_tags", "tags__arraycontains=a"),
        ("by_tags", "tags__arrayoverlaps=a,b"),
        ("by_doc", "doc.a.b=x"),
        ("by_doc", "doc.a.b=42"),
        ("by_doc", "doc.a.b__is=42"),
        ("by_doc", "doc.a.b__in=x,y"),
        ("by_doc", "doc.tags__arraycontains=a,b"),
        ("by_doc", "or(doc.a=x,doc.b=y)"),
    ] {
        assert!(scans(&db, index, filter).await > 0, "{filter}");
    }
    // Filters that the index cannot serve do not use it.
    assert_eq!(scans(&db, "by_doc", "doc.a.0=x").await, 0);
    assert_eq!(scans(&db, "by_doc", "not(doc.a=x)").await, 0);
}

#[tokio::test]
async fn is_in_with_long_list_binds_one_value() {
    let db = testkit::database().await;
    let logs: Vec<NewLog> = (0..100)
        .map(|n| NewLog::new("API", Level::Info, format!("line {n}")))
        .collect();
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let count = async |filter: Filter<Log>| Log::records().filter(filter).count(&db.pool).await;
    let many = count(Log::id().is_in(51..200_000)).await.unwrap();
    assert_eq!(many, Total::Exact(50));
    let texts: Vec<String> = (0..50_000).map(|n| format!("line {}", n * 2)).collect();
    let many = count(Log::message().is_in(texts.iter().map(String::as_str)))
        .await
        .unwrap();
    assert_eq!(many, Total::Exact(50));
    assert_eq!(
        count(!Log::id().is_in::<i64>([])).await.unwrap(),
        Total::Exact(100)
    );

    let wide = (0..999).fold(Filter::none(), |any, id| any | Log::id().eq(id));
    assert_eq!(count(wide.clone()).await.unwrap(), Total::Exact(100));
    let mut query = Log::records();
    for _ in 0..66 {
        query = query.filter(wide.clone());
    }
    let error = query.count(&db.pool).await.unwrap_err();
    assert!(error.is_invalid());
    assert_eq!(
        error.to_string(),
        "filter: holds more than 65000 values; many values of one field go into one list, by `in`"
    );

    // The deepest filter, in a query.
    let mut deep = Log::id().gte(1);
    for n in 0..31 {
        deep = (deep & Log::id().gte(1)) | Log::id().lt(n - 100);
    }
    assert_eq!(count(deep.clone()).await.unwrap(), Total::Exact(100));
    let deeper = !((deep & Log::id().gte(1)) | Log::id().lt(0));
    let error = count(deeper).await.unwrap_err();
    assert_eq!(error.to_string(), "filter: is nested more than 64 deep");
}
