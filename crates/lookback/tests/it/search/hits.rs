//! The reasons and the highlights of hits.

use lookback::json;
use lookback::search::MatchKind;
use lookback::{Level, Log, NewLog, NewRequestSnapshot, RequestSnapshot};

#[tokio::test]
async fn hit_lists_matched_words_with_kind_and_field() {
    let db = testkit::database().await;
    let logs = [
        NewLog::new(
            "dfs.DataNode",
            Level::Warn,
            "Reconnection to Ångström refused: authentication failed",
        ),
        NewLog::new("API", Level::Info, "nothing of the kind"),
    ];
    Log::records().create_many(&db.pool, &logs).await.unwrap();
    let hits = Log::records()
        .search("conection REFUSED authenticate ångström node warn kumquat")
        .hits(&db.pool)
        .await
        .unwrap();
    let hit = &hits.data[0];
    let shown: Vec<String> = hit
        .why
        .words
        .iter()
        .map(|word| {
            format!(
                "{} {} {} {}",
                word.word, word.kind, word.field, word.matched
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "conection misspelling message Reconnection",
            "refused exact message refused",
            "authenticate inflection message authentication",
            "ångström exact message Ångström",
            "node exact source Node",
            "warn exact level warn",
        ]
    );
    let weights: f32 = hit.why.words.iter().map(|word| word.weight).sum();
    assert!(
        weights < 1.0 && weights > 0.5,
        "kumquat counts too: {weights}"
    );
    assert!(!hit.why.phrase);
    let marked: Vec<(&str, Vec<&str>)> = hit
        .highlights
        .iter()
        .map(|h| {
            (
                h.field,
                h.ranges
                    .iter()
                    .map(|range| &h.text[range.clone()])
                    .collect(),
            )
        })
        .collect();
    assert_eq!(
        marked,
        [
            (
                "message",
                vec!["Reconnection", "Ångström", "refused", "authentication"]
            ),
            ("source", vec!["Node"]),
            ("level", vec!["warn"]),
        ]
    );
}

#[tokio::test]
async fn highlights_cover_parts_phrases_and_long_texts() {
    let db = testkit::database().await;
    let long = format!("{}then blk_-1608999 was lost", "hay ".repeat(5_000));
    Log::records()
        .create(&db.pool, NewLog::new("API", Level::Info, long.as_str()))
        .await
        .unwrap();
    let marked = async |search: &str| {
        let hits = Log::records().search(search).hits(&db.pool).await.unwrap();
        let hit = hits.data.into_iter().next().unwrap();
        let highlight = hit
            .highlights
            .iter()
            .find(|h| h.field == "message")
            .unwrap();
        let ranges = highlight
            .ranges
            .iter()
            .map(|range| highlight.text[range.clone()].to_owned());
        (hit.why, ranges.collect::<Vec<String>>())
    };
    let (why, ranges) = marked("08999").await;
    assert_eq!(
        (why.words[0].kind, ranges),
        (MatchKind::Part, vec!["08999".to_owned()])
    );
    let (why, ranges) = marked("\"-1608999 was\"").await;
    assert!(why.phrase);
    assert_eq!(ranges, ["-1608999 was"]);
    let (why, _) = marked("was lost").await;
    assert!(why.phrase);
}

#[tokio::test]
async fn highlights_of_json_refer_to_text_of_database() {
    let db = testkit::database().await;
    let at = crate::time("2026-01-01T00:00:00Z");
    let new = NewRequestSnapshot::new("POST", "/orders", at, "1", "test")
        .body(json!({"coupon": "SUMMER-2026"}));
    RequestSnapshot::records()
        .create(&db.pool, new)
        .await
        .unwrap();
    let hits = RequestSnapshot::records()
        .search("summer")
        .hits(&db.pool)
        .await
        .unwrap();
    let highlight = &hits.data[0].highlights[0];
    assert_eq!(
        (highlight.field, highlight.text.as_str()),
        ("body", r#"{"coupon": "SUMMER-2026"}"#)
    );
    assert_eq!(&highlight.text[highlight.ranges[0].clone()], "SUMMER");
}

#[tokio::test]
async fn hits_without_search_have_no_reasons() {
    let db = testkit::database().await;
    Log::records()
        .create(&db.pool, NewLog::new("API", Level::Info, "started"))
        .await
        .unwrap();
    for hits in [
        Log::records().hits(&db.pool).await.unwrap(),
        Log::records()
            .search("level:info")
            .hits(&db.pool)
            .await
            .unwrap(),
    ] {
        assert_eq!(hits.data.len(), 1);
        assert_eq!(
            (hits.data[0].score, &hits.data[0].why),
            (0.0, &lookback::search::Why::default())
        );
    }
}

/// A search of one or two words finds nothing that is merely near by chance.
#[tokio::test]
async fn hit_of_short_search_has_a_word_or_is_clearly_similar() {
    let db = testkit::database().await;
    let messages = [
        "the body is not valid JSON",
        "connection refused",
        "permission denied",
        "user logged in",
        "payment declined",
        "cannot parse the response",
        "invalid token",
        "cache miss",
    ];
    super::store(&db.pool, &messages).await;
    for (search, expected) in [
        (
            "conection refused",
            &["connection refused", "permission denied"][..],
        ),
        ("login", &["user logged in"]),
        ("payment failed", &["payment declined"]),
        ("database", &[]),
    ] {
        let found = super::found(&db.pool, search).await;
        assert_eq!(found, expected, "{search}");
    }
}
