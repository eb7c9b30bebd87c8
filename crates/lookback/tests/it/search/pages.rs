//! Pages and totals of a search, and limits of vector candidates.

use lookback::embedding::Embedding;
use lookback::query::Total;
use lookback::{Level, Log, NewLog};

async fn store(pool: &sqlx::PgPool, messages: impl IntoIterator<Item = &str>) {
    let logs: Vec<NewLog> = messages
        .into_iter()
        .map(|message| NewLog::new("API", Level::Info, message))
        .collect();
    Log::records().create_many(pool, &logs).await.unwrap();
}

/// Candidates that are not hits count for the IDF of a word, equally on every page.
#[tokio::test]
async fn pages_by_cursor_equal_one_long_page() {
    let db = testkit::database().await;
    store(&db.pool, ["98822", "4711", "4711", "4711"]).await;
    store(&db.pool, std::iter::repeat_n("based", 300)).await;
    let query = Log::records().search("4711 8822 refused");
    let all = query.clone().list(&db.pool).await.unwrap();
    assert_eq!(all.total, Total::Exact(4));
    let all: Vec<i64> = all.data.iter().map(|log| log.id).collect();
    let mut paged = Vec::new();
    let mut page = query.clone().limit(1).list(&db.pool).await.unwrap();
    loop {
        paged.extend(page.data.iter().map(|log| log.id));
        // New records move nothing.
        store(&db.pool, ["4711 8822", "based"]).await;
        let Some(next) = page.next else { break };
        let next = query.clone().limit(1).after(next);
        page = next.list(&db.pool).await.unwrap();
    }
    assert_eq!(paged, all);
}

/// All of 150 distinct near lines are hits.
#[tokio::test]
async fn search_finds_all_near_lines_while_they_are_few() {
    let db = testkit::database().await;
    store(&db.pool, std::iter::repeat_n("denied", 150)).await;
    let near = Embedding::of("refused").unwrap();
    for id in 1..=150_u16 {
        let mut numbers = near.as_slice().to_vec();
        numbers[0] += f32::from(id) * 0.004;
        sqlx::query("UPDATE logs SET embedding = $1::text::vector WHERE id = $2")
            .bind(format!("{numbers:?}"))
            .bind(i64::from(id))
            .execute(&db.pool)
            .await
            .unwrap();
    }
    let query = Log::records().search("refused").limit(1_000);
    let page = query.list(&db.pool).await.unwrap();
    assert_eq!((page.data.len(), page.total), (150, Total::Exact(150)));
}

/// A vector of zeros has no direction.
#[tokio::test]
async fn zero_embedding_is_near_nothing() {
    for index in [
        "",
        "CREATE INDEX ON logs USING hnsw (embedding vector_cosine_ops)",
        "CREATE INDEX ON logs USING ivfflat (embedding vector_cosine_ops) WITH (lists = 1)",
    ] {
        let db = testkit::database().await;
        store(
            &db.pool,
            [
                "connection refused",
                "connection refused",
                "connections are refused",
            ],
        )
        .await;
        let zeros = format!("{:?}", [0.0_f32; lookback::embedding::DIMENSIONS]);
        sqlx::query("UPDATE logs SET embedding = $1::text::vector WHERE id = 2")
            .bind(zeros)
            .execute(&db.pool)
            .await
            .unwrap();
        if !index.is_empty() {
            sqlx::raw_sql(index).execute(&db.pool).await.unwrap();
        }
        let ids = async |search: &str| -> Vec<i64> {
            let page = Log::records().search(search).list(&db.pool).await.unwrap();
            page.data.iter().map(|log| log.id).collect()
        };
        assert_eq!(ids("connection refused").await, [2, 1, 3], "{index}");
        assert!(!ids("link was denied").await.contains(&2), "{index}");
        let near = Log::records().similar_to(1).list(&db.pool).await.unwrap();
        assert_eq!((near.data.len(), near.total), (1, Total::Exact(1)));
        assert_eq!(near.data[0].id, 3, "{index}");
        let error = Log::records()
            .similar_to(2)
            .list(&db.pool)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "similar_to: record 2 has an embedding of zeros, which has no similar records; update the record, or choose another"
        );
    }
}

#[tokio::test]
async fn total_is_counted_up_to_requested_limit() {
    let db = testkit::database().await;
    store(&db.pool, std::iter::repeat_n("connection refused", 6)).await;
    // The search has 6 hits; 5 records are similar to the first.
    for (query, count) in [
        (Log::records().search("connection"), 6),
        (Log::records().similar_to(1), 5),
    ] {
        let total = async |query: lookback::QueryBuilder<Log>| {
            let page = query.list(&db.pool).await.unwrap();
            (page.data.len(), page.total, page.next.is_some())
        };
        let page = query.clone().limit(2);
        assert_eq!(total(page.clone()).await, (2, Total::Exact(count), true));
        assert_eq!(
            total(page.clone().total_up_to(3)).await,
            (2, Total::AtLeast(3), true)
        );
        assert_eq!(
            total(page.clone().total_up_to(count)).await,
            (2, Total::Exact(count), true)
        );
        assert_eq!(
            total(page.clone().without_total()).await,
            (2, Total::AtLeast(3), true)
        );
        assert_eq!(
            total(page.clone().offset(count - 1).without_total()).await,
            (1, Total::AtLeast(count), false)
        );
        let capped = query.clone().total_up_to(3).count(&db.pool).await.unwrap();
        assert_eq!(capped, Total::AtLeast(3));
        assert!(query.exists(&db.pool).await.unwrap());
    }
}

/// The most selective word may be the last of many.
#[tokio::test]
async fn search_with_many_words_fetches_by_longest() {
    let db = testkit::database().await;
    store(&db.pool, ["a zookeeper", "hay"]).await;
    let words: String = ('a'..='z').map(|c| format!("{c}{c}{c}q ")).collect();
    let page = Log::records()
        .search(format!("{words} zookeeper"))
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!((page.data.len(), page.total), (1, Total::AtLeast(1)));
}
