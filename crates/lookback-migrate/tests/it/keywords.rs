//! Keywords, which mean different things with and without quotes.

use lookback_schema::{Expression, quoted};
use sqlx::{Connection as _, PgConnection, Row as _};

/// A keyword without quotes is a column where the server takes it for one, and a name is written
/// in quotes where the server needs them.
#[tokio::test]
async fn keywords_are_those_of_the_server() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let rows = sqlx::query("SELECT word, catcode::text FROM pg_get_keywords()")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    for row in rows {
        let (word, category): (String, String) = (row.get(0), row.get(1));
        // An older server has fewer keywords.
        if version < 180_000 && category == "U" {
            continue;
        }
        assert_eq!(quoted(&word).starts_with('"'), category != "U", "{word}");
        let column = Expression::new(word.as_str()).unwrap().as_column();
        assert_eq!(
            column.is_some(),
            category == "U" || category == "C",
            "{word}"
        );
        let column = Expression::new(format!("\"{word}\"")).unwrap().as_column();
        assert_eq!(column, Some(word));
    }
}
