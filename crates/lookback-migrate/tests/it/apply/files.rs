//! The files of a folder of migrations.

use std::path::Path;

use lookback_migrate::Migrations;

use super::{Shop, message};

fn refused(files: &[(&str, &[u8])]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let error = Migrations::folder(folder.path()).unwrap_err();
    assert!(error.is_folder());
    message(&error).replace(&folder.path().display().to_string(), "[folder]")
}

#[test]
fn migrations_folder_with_invalid_file_names_it() {
    let missing = Migrations::folder(Path::new("/nowhere/at/all")).unwrap_err();
    let all = [
        message(&missing),
        refused(&[("1_a.sql", b""), ("01_b.up.sql", b"")]),
        refused(&[("1_a.down.sql", b"")]),
        refused(&[("orders.sql", b"")]),
        refused(&[("first_orders.sql", b"")]),
        refused(&[("0_orders.sql", b"")]),
        refused(&[("1_a.sql", b"\xff")]),
        refused(&[("1_a.sql", b"SELECT 1;\nSELECT 'gr\xfc\xdfe'")]),
        refused(&[("1_a.sql", b"\xff\xfeS\0E\0")]),
        refused(&[("1_a.sql", b"\xef\xbb\xbf-- no-transaction\nSELECT 1")]),
        refused(&[
            ("20240131120000_add_orders/migration.sql", b""),
            ("migration_lock.toml", b""),
        ]),
        refused(&[("00000000000000_diesel_initial_setup/up.sql", b"")]),
        refused(&[("2024-01-31-120000_add_orders/up.sql", b"")]),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn migrations_folder_is_read_by_the_rules_of_sqlx() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("meta")).unwrap();
    for (name, text) in [
        ("meta/1_a.sql", "not this"),
        ("10_ten.sql", "-- no-transaction\nSELECT 1"),
        ("2_add_a_table.up.sql", "a"),
        ("2_add_a_table.down.sql", "b"),
        ("README.md", "nor this"),
        ("20_b.sql", " -- no-transaction"),
    ] {
        std::fs::write(at(name), text).unwrap();
    }
    let migrations = Migrations::folder(folder.path()).unwrap();
    let shown: Vec<String> = migrations
        .files()
        .iter()
        .map(|file| {
            format!(
                "{} {:?} {} {} {:?}",
                file.version(),
                file.description(),
                file.up().name(),
                file.up().no_transaction(),
                file.down().map(lookback_migrate::Script::name),
            )
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    2 "add a table" 2_add_a_table.up.sql false Some("2_add_a_table.down.sql")
    10 "ten" 10_ten.sql true None
    20 "b" 20_b.sql false None
    "#);
}

/// All files are checked before the first one is run.
#[tokio::test]
async fn apply_refuses_unsupported_file_before_running_any() {
    let mut messages = Vec::new();
    for sql in [
        "SELECT 'open",
        "\\d orders",
        "SELECT 1;\n\nCOMMIT;",
        "COPY orders FROM STDIN",
        "SELECT 1;\nCOPY public.orders (id, note) FROM stdin;\n1\tit's\n\\.\n",
        "SELECT 1;\nCOPY orders FROM stdin;\n1\n\\.\n",
        "SELECT 1;\n\\connect shop\n",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY ON orders (id)",
        "-- no-transaction\nSELECT 1; BEGIN;\nSELECT 2;",
    ] {
        let mut shop = Shop::new(&[
            ("1_orders.sql", "CREATE TABLE orders (id int)"),
            ("2_wrong.sql", sql),
        ])
        .await;
        messages.push(shop.migrate().await.error());
        assert_eq!(
            shop.lines("SELECT to_regclass('orders') IS NULL").await,
            "true"
        );
        assert_eq!(shop.records().await, "");
    }
    insta::assert_snapshot!(messages.join("\n\n"));
}
