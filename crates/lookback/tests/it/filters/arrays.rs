//! Array columns: created, stored, read, patched, checked and refused.

use lookback::json;
use lookback::{Filter, Json, Model as _, QueryBuilder};

use super::thing::{CREATE, NewThing, Shade, Thing, ThingPatch};

async fn database() -> testkit::Database {
    let db = testkit::database().await;
    sqlx::raw_sql(CREATE).execute(&db.pool).await.unwrap();
    db
}

#[tokio::test]
async fn array_columns_round_trip() {
    let db = database().await;
    let at = crate::time("2026-01-31T08:30:00.123456Z");
    let mut new = NewThing::new("n", 1, [i64::MIN, 0, i64::MAX]);
    new.tags = Some(vec![
        "a,b".into(),
        String::new(),
        "\"{NULL}\\".into(),
        "é".into(),
    ]);
    new.shades = Some(vec![Shade::Grey, Shade::White]);
    new.times = Some(vec![at, at]);
    let made = Thing::records()
        .create(&db.pool, new.clone())
        .await
        .unwrap();
    Thing::records()
        .create_many(&db.pool, &[new.clone(), NewThing::new("empty", 1, [])])
        .await
        .unwrap();
    let all = Thing::records()
        .order_by_text("id")
        .unwrap()
        .list(&db.pool)
        .await
        .unwrap()
        .data;
    for thing in &all[..2] {
        assert_eq!(Some(&thing.numbers), Some(&made.numbers));
        assert_eq!(thing.numbers, [i64::MIN, 0, i64::MAX]);
        assert_eq!((&thing.tags, &thing.shades), (&new.tags, &new.shades));
        assert_eq!(thing.times, Some(vec![at, at]));
    }
    assert_eq!((all[2].numbers.len(), &all[2].tags), (0, &None));
    assert_eq!(
        lookback::Json::from_serialize(&all[0]).unwrap()["tags"],
        json!(["a,b", "", "\"{NULL}\\", "é"])
    );
    // PostgreSQL has the same values after `create` and after `create_many`.
    let texts: Vec<(String, i64)> = sqlx::query_as(
        "SELECT tags::text, cardinality(numbers)::bigint FROM things WHERE tags IS NOT NULL",
    )
    .fetch_all(&db.pool)
    .await
    .unwrap();
    assert_eq!(texts[0], texts[1]);

    let patch = ThingPatch::new().tags(vec!["x".to_owned()]).numbers(vec![]);
    let patched = Thing::records()
        .update(&db.pool, made.id, patch)
        .await
        .unwrap();
    assert_eq!(
        (patched.tags, patched.numbers),
        (Some(vec!["x".to_owned()]), vec![])
    );
}

#[tokio::test]
async fn invalid_array_is_refused() {
    let from_json = |json: Json| {
        let Json::Object(map) = json else {
            unreachable!()
        };
        <<Thing as lookback::Model>::New as lookback::table::ColumnValues>::from_json(map)
    };
    let refused = |field: &str, value: Json| {
        let Json::Object(mut map) = json!({"name": "n", "big.num__ber": 1, "numbers": []}) else {
            unreachable!("an object")
        };
        map.insert(field.to_owned(), value);
        let json = Json::Object(map);
        from_json(json).unwrap_err().to_string()
    };
    let mut blank = NewThing::new("n", 1, []);
    blank.tags = Some(vec!["a".into(), "b\0".into()]);
    let mut large = NewThing::new("n", 1, []);
    large.tags = Some(vec![String::new(); 300_000]);
    let messages = [
        refused("tags", json!("a")),
        refused("tags", json!(["a", null])),
        refused("tags", json!(["a", 5])),
        refused("numbers", json!([1, 1.5])),
        refused("shades", json!(["white", "red"])),
        refused("times", json!(["2026-01-31"])),
        lookback::query::check_new(&blank).unwrap_err().to_string(),
        lookback::query::check_new(&large).unwrap_err().to_string(),
        Filter::<Thing>::parse("numbers__arraycontains=1,x")
            .unwrap_err()
            .to_string(),
        Filter::<Thing>::parse("shades__arrayoverlaps=red")
            .unwrap_err()
            .to_string(),
        Filter::<Thing>::parse("tags__contains=a")
            .unwrap_err()
            .to_string(),
        Filter::<Thing>::parse("tags=[\"a\",null]")
            .unwrap_err()
            .to_string(),
    ];
    insta::assert_snapshot!(messages.join("\n"));

    // Arrays that other programs stored: with NULL elements, or with more dimensions.
    let db = database().await;
    for (tags, problem) in [
        ("{a,NULL}", "element 1 of the array is null"),
        (
            "{{a},{b}}",
            "the array has 2 dimensions, and only one is read",
        ),
    ] {
        sqlx::query(
            "INSERT INTO things (name, \"big.num__ber\", numbers, tags, created_at, updated_at) \
             VALUES ('n', 1, '{}', $1::text[], now(), now())",
        )
        .bind(tags)
        .execute(&db.pool)
        .await
        .unwrap();
        let query: QueryBuilder<Thing> = Thing::records();
        let error = query.first(&db.pool).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert!(format!("{source:?}").contains(problem), "{source:?}");
        sqlx::query("TRUNCATE things")
            .execute(&db.pool)
            .await
            .unwrap();
    }
    assert_eq!(
        Thing::TABLE.column("tags").unwrap().column_type().sql(),
        "text[]"
    );
}

/// A word of a list stands for values of every type that it spells.
#[tokio::test]
async fn array_lookups_on_json_match_words_of_any_type() {
    let db = database().await;
    let docs = [
        json!({"l": ["a", 42]}),
        json!({"l": ["a", "42"]}),
        json!({"l": ["a", true, null]}),
        json!({"l": ["a", [42]]}),
        json!({"l": "a"}),
        json!({"l": {"a": 42}}),
        json!(["a", 42]),
    ];
    for (name, doc) in docs.iter().enumerate() {
        let new = NewThing::new(name.to_string(), 1, []).doc(doc.clone());
        Thing::records().create(&db.pool, new).await.unwrap();
    }
    for (text, names) in [
        ("doc.l__arraycontains=a,42", vec!["0", "1"]),
        ("doc.l__arraycontains=a, \"42\"", vec!["1"]),
        ("doc.l__arraycontains=[\"a\",42]", vec!["0"]),
        ("doc.l__arraycontains=[[42]]", vec!["3"]),
        ("doc.l__arraycontains=true,null", vec!["2"]),
        ("doc.l__arraycontains=", vec!["0", "1", "2", "3"]),
        ("doc.l__arraycontained=a,42", vec!["0", "1"]),
        ("doc.l__arraycontained=", vec![]),
        ("doc.l__arrayoverlaps=42,true", vec!["0", "1", "2"]),
        (
            "not(doc.l__arrayoverlaps=(42,true))",
            vec!["3", "4", "5", "6"],
        ),
        ("doc.1=42", vec!["6"]),
        ("doc.-1=42", vec!["6"]),
        ("doc.l.1=42", vec!["0", "1"]),
        ("doc.l.a=42", vec!["5"]),
    ] {
        let filter = Filter::parse(text).unwrap();
        let again = filter.to_text().unwrap();
        assert_eq!(Filter::parse(&again).unwrap(), filter, "{text} as {again}");
        let query = Thing::records().filter(filter).order_by_text("id").unwrap();
        let found = query.list(&db.pool).await.unwrap().data;
        let found: Vec<&str> = found.iter().map(|thing| thing.name.as_str()).collect();
        assert_eq!(found, names, "{text}");
    }
}

/// A model whose arrays have defaults.
#[lookback::model(table = "boxes", search(tags))]
struct Box {
    id: i64,
    #[column(default = vec!["a".to_owned(), "it's".to_owned()])]
    tags: Vec<String>,
    #[column(default = Vec::new())]
    sizes: Vec<i32>,
    marks: Option<Vec<bool>>,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
    deleted_at: lookback::value::Hidden<Option<chrono::DateTime<chrono::Utc>>>,
    embedding: lookback::value::Hidden<Option<lookback::embedding::Embedding>>,
}

#[tokio::test]
async fn migration_of_model_creates_array_columns() {
    use lookback::migrate::{Models, Scope, canonical, read};

    let db = testkit::database().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let schema = Models::new().model::<Box>().to_schema().unwrap();
    let made = testkit::schemas::create(&schema);
    for sql in &made {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
            .execute(&mut *conn)
            .await
            .unwrap();
    }
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a \
         WHERE a.attrelid = 'boxes'::regclass AND a.attnum BETWEEN 2 AND 4 ORDER BY a.attnum",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let types: Vec<&str> = columns.iter().map(|(_, ty)| ty.as_str()).collect();
    assert_eq!(types, ["text[]", "integer[]", "boolean[]"]);

    // The database matches the model, so that the next migration is empty.
    let wanted = canonical(&mut conn, &schema).await.unwrap();
    let live = read(&mut conn, &Scope::default()).await.unwrap().schema;
    let (name, table) = wanted.tables.iter().next().unwrap();
    assert_eq!(live.tables.get(name), Some(table));

    let made = Box::records()
        .create(&db.pool, NewBox::new().marks(vec![true, false]))
        .await
        .unwrap();
    assert_eq!(
        (made.tags, made.sizes),
        (vec!["a".to_owned(), "it's".to_owned()], vec![])
    );
    assert_eq!(made.marks, Some(vec![true, false]));
    // The embedding covers the elements, whether they were created or updated.
    let embedding = async || {
        let query = Box::records().with_hidden(Box::embedding());
        let found = query.get(&db.pool, made.id).await.unwrap();
        found.embedding.into_inner().flatten().unwrap()
    };
    let tags = || vec!["payment".to_owned(), "time-out".to_owned()];
    let patch = BoxPatch::new().tags(tags());
    Box::records()
        .update(&db.pool, made.id, patch)
        .await
        .unwrap();
    let first = embedding().await;
    let again = Box::records()
        .create(&db.pool, NewBox::new().tags(tags()))
        .await
        .unwrap();
    let query = Box::records().with_hidden(Box::embedding());
    let second = query.get(&db.pool, again.id).await.unwrap();
    assert_eq!(second.embedding.into_inner().flatten().unwrap(), first);
    let found = Box::records()
        .search("payment")
        .list(&db.pool)
        .await
        .unwrap();
    assert_eq!(found.data.len(), 2);
}
