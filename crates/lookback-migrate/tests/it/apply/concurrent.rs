//! Indexes built CONCURRENTLY, and leftovers of failed builds.

use std::time::Duration;

use lookback_migrate::Event;

use super::{Shop, run, until};

const TABLE: (&str, &str) = (
    "1_t.sql",
    "CREATE TABLE t (id int, name text, tags text[], \"Odd name\" text); \
     INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, 1000) AS n",
);
const INDEXES: &str = "SELECT indexrelid::regclass || ' ' || indisvalid || ' ' || indisunique \
                       FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1";

async fn shop(index: &str) -> Shop {
    let mut shop = Shop::new(&[TABLE]).await;
    shop.migrate().await.ok();
    shop.write("2_i.sql", &format!("-- no-transaction\n{index}"));
    shop
}

#[tokio::test]
async fn failed_index_build_drops_index_and_stays_pending() {
    let mut shop = shop("CREATE UNIQUE INDEX CONCURRENTLY i\n  ON public.t (id);").await;
    shop.run("INSERT INTO t VALUES (7, 'again')").await;
    let ran = shop.migrate().await;
    assert!(ran.has_event(
        |event| matches!(event, Event::DroppedInvalidIndex { index } if index == "public.i")
    ));
    insta::assert_snapshot!(ran.error(), @r#"
    error: 2_i.sql, line 2 (statement 1 of 1): could not create unique index "i" (SQLSTATE 23505)
        detail: Key (id)=(7) is duplicated.
        state: no statement of the file took effect; the database is as after 1_t.sql; the INVALID index public.i that it left was dropped
    hint: correct the file or the database, and run it again
    "#);
    assert_eq!(shop.lines(INDEXES).await, "");
    assert_eq!(shop.records().await, "1 t t t");
    assert_eq!(shop.status().await, "1 Applied\n2 Pending");

    shop.run("DELETE FROM t WHERE name = 'again'").await;
    shop.migrate().await.ok();
    assert_eq!(shop.lines(INDEXES).await, "i true true");
}

#[tokio::test]
async fn invalid_index_is_dropped_and_rebuilt() {
    for index in [
        "CREATE INDEX CONCURRENTLY i ON t (id)",
        // Without a check, this statement would silently skip the invalid index.
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY public.\"t\" (id)",
    ] {
        let mut shop = shop(index).await;
        shop.run("CREATE INDEX i ON t (name); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass")
            .await;
        let ran = shop.migrate().await;
        assert!(ran.has_event(|event| matches!(event, Event::DroppedInvalidIndex { .. })));
        ran.ok();
        assert_eq!(shop.lines(INDEXES).await, "i true false");
    }
}

/// A run was killed between the build and its record.
#[tokio::test]
async fn existing_index_is_recorded_and_not_rebuilt() {
    for rest in [
        "i ON t (id)",
        "\"I\" ON t USING btree (lower(name) text_pattern_ops DESC NULLS LAST, id) INCLUDE (tags) WHERE id > 7 AND name IS NOT NULL",
        "i ON t USING gin (tags) WITH (fastupdate = off)",
        "i ON t (\"Odd name\" COLLATE \"C\") WITH (fillfactor = 70)",
    ] {
        let mut shop = shop(&format!("CREATE INDEX CONCURRENTLY {rest};")).await;
        shop.run(&format!(
            "ALTER TABLE t DROP COLUMN name, ADD COLUMN name text; CREATE INDEX {rest}"
        ))
        .await;
        let oid = "SELECT indexrelid FROM pg_index WHERE indrelid = 't'::regclass";
        let before = shop.lines(oid).await;
        let ran = shop.migrate().await;
        assert!(
            ran.has_event(|event| matches!(event, Event::IndexExists { .. })),
            "{rest}: {:?}",
            ran.events
        );
        ran.ok();
        assert_eq!(shop.lines(oid).await, before);
        assert_eq!(shop.records().await, "1 t t t\n2 i t t");
        // The comparison leaves nothing.
        assert_eq!(
            shop.lines("SELECT relname FROM pg_class WHERE relname LIKE 'lookback_twin%'")
                .await,
            ""
        );
    }
}

#[tokio::test]
async fn index_with_same_name_and_other_definition_is_refused() {
    for (wanted, existing) in [
        ("i ON t (id)", "CREATE INDEX i ON t (name)"),
        ("i ON t (id)", "CREATE UNIQUE INDEX i ON t (id)"),
        ("i ON t (id)", "CREATE INDEX i ON t (id DESC)"),
        ("i ON t (id)", "CREATE INDEX i ON t (id) WHERE id > 1"),
        (
            "i ON t (name)",
            "CREATE INDEX i ON t (name text_pattern_ops)",
        ),
        ("i ON t (name)", "CREATE INDEX i ON t (name COLLATE \"C\")"),
        ("i ON t (name)", "CREATE INDEX i ON t (name) INCLUDE (id)"),
        (
            "i ON t (name)",
            "CREATE INDEX i ON t (name) WITH (fillfactor = 50)",
        ),
    ] {
        let mut shop = shop(&format!("CREATE INDEX CONCURRENTLY {wanted}")).await;
        shop.run(existing).await;
        let error = shop.migrate().await.error();
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"
            error: 2_i.sql, line 2: the table already has an index public.i with another definition
            hint: drop it (DROP INDEX CONCURRENTLY public.i) or give the new one another name
            ");
        }
        assert_eq!(shop.status().await, "1 Applied\n2 Pending", "{existing}");
    }
    // A table with this name: the error is the server's.
    let mut shop = shop("CREATE INDEX CONCURRENTLY i ON t (id)").await;
    shop.run("CREATE TABLE i ()").await;
    assert!(
        shop.migrate()
            .await
            .error()
            .contains("relation \"i\" already exists (SQLSTATE 42P07)")
    );
}

/// The index is not a leftover: another session is still building it.
#[tokio::test]
async fn index_that_another_session_builds_is_awaited() {
    let mut shop = shop("CREATE INDEX CONCURRENTLY i ON t (id)").await;
    shop.options.lock_timeout = Duration::from_secs(60);
    let mut old = shop.another().await;
    run(&mut old, "BEGIN; INSERT INTO t VALUES (0)").await;
    let mut builder = shop.another().await;
    let mut observer = shop.another().await;
    let building = tokio::spawn(async move {
        run(&mut builder, "CREATE INDEX CONCURRENTLY i ON t (id)").await;
    });
    until(&mut observer, INDEXES, "i false false").await;
    let (free, mut is_free) = tokio::sync::mpsc::unbounded_channel();
    let releasing = async {
        is_free.recv().await.unwrap();
        run(&mut old, "COMMIT").await;
    };
    let migrating = shop.migrate_with(move |event| {
        if matches!(event, Event::Retrying { .. }) {
            let _ = free.send(());
        }
    });
    let (ran, ()) = tokio::join!(migrating, releasing);
    building.await.unwrap();
    assert!(!ran.has_event(|event| matches!(event, Event::DroppedInvalidIndex { .. })));
    assert!(ran.has_event(|event| matches!(event, Event::IndexExists { .. })));
    ran.ok();
    assert_eq!(shop.lines(INDEXES).await, "i true false");
}

/// PostgreSQL's manual recommends this after a failed REINDEX CONCURRENTLY.
#[tokio::test]
async fn reindex_drops_indexes_left_by_interrupted_reindex() {
    for reindex in [
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX TABLE CONCURRENTLY t",
    ] {
        let mut shop = shop(reindex).await;
        shop.run(
            "CREATE INDEX i ON t (id); CREATE INDEX i_ccnew ON t (id); CREATE INDEX j_ccold1 ON t (id); \
             UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('i_ccnew'::regclass, 'j_ccold1'::regclass)",
        )
        .await;
        shop.migrate().await.ok();
        assert_eq!(shop.lines(INDEXES).await, "i true false");
    }
}
