//! Tests of the shop on a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lookback::migrate::{self, ApplyOptions, Folder, Migrations, Remedy};
use lookback::schema::Plan;
use lookback::{Level, Log, NewLog};
use shop::{NewProduct, Order, Product};
use testkit::Database;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")
}

/// Runs a program of the shop, in its folder.
fn run(program: &str, arguments: &[&str], database: Option<&Database>) -> Output {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear();
    if let Some(database) = database {
        command.env("DATABASE_URL", &database.url);
    }
    command.output().unwrap()
}

fn db(arguments: &[&str], database: Option<&Database>) -> Output {
    run(env!("CARGO_BIN_EXE_db"), arguments, database)
}

fn open(database: &Database) -> String {
    let output = run(env!("CARGO_BIN_EXE_tour"), &[], Some(database));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn migrations_match_the_models() {
    let models = shop::models().to_schema().unwrap();
    let difference = migrate::check_models(&Folder::new(folder()), &models).unwrap();
    assert_eq!(difference, Plan::default(), "{}", difference.sql());

    let output = db(&["check", "--offline"], None);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn compiled_migrations_equal_files_in_folder() {
    let files = Migrations::folder(&folder()).unwrap();
    let names = |migrations: &Migrations| -> Vec<String> {
        let names = migrations.files().iter().map(|file| file.up().name());
        names.map(str::to_owned).collect()
    };
    assert_eq!(names(&shop::migrations()), names(&files));
    assert_eq!(files.files().len(), 5);
}

#[tokio::test]
async fn migrated_database_matches_the_models() {
    let database = testkit::empty_database().await;
    let mut conn = database.pool.acquire().await.unwrap();
    let (migrations, options) = (shop::migrations(), ApplyOptions::default());
    let applied = migrate::apply(&mut conn, &migrations, &options, &mut |_| {})
        .await
        .unwrap();
    assert_eq!(applied.len(), 5);

    let difference = migrate::check_database(&Folder::new(folder()), &mut conn)
        .await
        .unwrap();
    assert_eq!(difference, Plan::default(), "{}", difference.sql());

    // The command line finds the same, and no pending migration.
    for arguments in [&["check"][..], &["migrate"]] {
        let output = db(arguments, Some(&database));
        assert!(output.status.success(), "{output:?}");
    }
}

#[tokio::test]
async fn manually_changed_database_fails_the_check() {
    let database = testkit::empty_database().await;
    assert!(db(&["migrate"], Some(&database)).status.success());
    sqlx::query("ALTER TABLE orders DROP COLUMN note")
        .execute(&database.pool)
        .await
        .unwrap();
    let output = db(&["check"], Some(&database));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let difference = String::from_utf8(output.stdout).unwrap();
    assert!(difference.contains("ADD COLUMN note text"), "{difference}");
}

#[tokio::test]
async fn shop_opens_on_an_empty_database_and_again() {
    let database = testkit::empty_database().await;
    let first = "\
for \"coffe grindr\":
  Coffee grinder for 89.00
  Kettle for 54.00
refused: quantity: must be at least 1
open orders of ada: 1
";
    assert_eq!(open(&database), first);
    assert_eq!(
        open(&database),
        first.replace("ada: 1", "ada: 2"),
        "existing records are found, and none is created twice"
    );
    assert_eq!(
        Product::records()
            .count(&database.pool)
            .await
            .unwrap()
            .value(),
        4
    );
}

#[tokio::test]
async fn order_of_an_unknown_product_names_the_field() {
    let database = testkit::empty_database().await;
    assert!(db(&["migrate"], Some(&database)).status.success());
    let refusal = shop::place(&database.pool, "ada", 7, 1).await.unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "product_id: is not the id of a product"
    );
    let orders = Order::records().count(&database.pool).await.unwrap();
    assert_eq!(orders.value(), 0);
}

#[tokio::test]
async fn lookback_and_shop_tables_share_one_database() {
    let database = testkit::empty_database().await;
    assert!(db(&["migrate"], Some(&database)).status.success());
    let mut conn = database.pool.acquire().await.unwrap();
    let options = ApplyOptions::default();

    let own = migrate::built_in_migrations();
    let refused = migrate::apply(&mut conn, &own, &options, &mut |_| {}).await;
    let refusal = refused.unwrap_err();
    assert_eq!(refusal.remedy(), Some(Remedy::UseOriginalFiles));

    let own = own.in_table("_lookback_migrations");
    for applied in [own.files().len(), 0] {
        let done = migrate::apply(&mut conn, &own, &options, &mut |_| {}).await;
        assert_eq!(done.unwrap().len(), applied);
    }
    let log = NewLog::new("SHOP", Level::Info, "open");
    Log::records().create(&mut *conn, log).await.unwrap();
    for arguments in [&["check"][..], &["migrate"], &["status"]] {
        let output = db(arguments, Some(&database));
        assert!(output.status.success(), "{output:?}");
    }
    // The same with a table name.
    let arguments = ["status", "--json", "--table", "_lookback_migrations"];
    let status = String::from_utf8(db(&arguments, Some(&database)).stdout).unwrap();
    assert!(status.contains("\"missing\""), "{status}");
}

#[tokio::test]
async fn unknown_table_name_is_rejected() {
    let database = testkit::empty_database().await;
    let mut conn = database.pool.acquire().await.unwrap();
    let odd = shop::migrations().in_table("t (version int); DROP TABLE x; --");
    let done = migrate::apply(&mut conn, &odd, &ApplyOptions::default(), &mut |_| {}).await;
    assert!(done.unwrap_err().is_generate());
}

#[tokio::test]
async fn shop_queries_and_updates_its_tables() {
    let database = testkit::empty_database().await;
    assert!(db(&["migrate"], Some(&database)).status.success());
    let pool = &database.pool;
    shop::stock_shelves(pool).await.unwrap();

    // Search with a misspelling; similar products; products by tag.
    let grinder = shop::find(pool, "grindr").await.unwrap().remove(0);
    assert_eq!(grinder.name, "Coffee grinder");
    let steel = shop::find(pool, "tags:steel -coffee").await.unwrap();
    assert!(steel.is_empty());
    let steel = shop::find(pool, "kettl tags:steel").await.unwrap();
    assert_eq!(steel[0].name, "Kettle");
    assert!(
        steel
            .iter()
            .all(|product| product.tags.contains(&"steel".to_owned()))
    );
    let like = shop::like(pool, grinder.id).await.unwrap();
    assert!(like.len() == 2 && like.iter().all(|product| product.id != grinder.id));
    let (first, next) = shop::catalogue(pool, "coffee", None).await.unwrap();
    assert_eq!(
        first,
        [
            ("Filter papers".to_owned(), 450),
            ("Kettle".to_owned(), 5400)
        ]
    );
    let (last, end) = shop::catalogue(pool, "coffee", next).await.unwrap();
    assert_eq!(
        (last.as_slice(), end),
        (&[("Coffee grinder".to_owned(), 8900)][..], None)
    );
    let light = shop::lighter_than(pool, 700).await.unwrap();
    assert_eq!(
        light
            .iter()
            .map(|product| &*product.name)
            .collect::<Vec<_>>(),
        ["Coffee grinder"]
    );

    // Deliveries of an existing and of a new product.
    assert!(
        !shop::deliver(pool, NewProduct::new("KETTLE", 4900))
            .await
            .unwrap()
    );
    assert!(
        shop::deliver(pool, NewProduct::new("Mug", 900))
            .await
            .unwrap()
    );
    assert_eq!(shop::find(pool, "kettle").await.unwrap()[0].price, 4900);
    let cheaper = shop::reprice(pool, &grinder, 7900).await.unwrap();
    assert!(
        shop::reprice(pool, &grinder, 6900)
            .await
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(
        shop::reprice(pool, &cheaper, 6900).await.unwrap().price,
        6900
    );

    // Best sellers, and sent orders.
    for (product, pieces) in [(grinder.id, 1), (3, 4), (3, 2), (2, 5)] {
        shop::place(pool, "ada", product, pieces).await.unwrap();
    }
    shop::place(pool, "bob", 4, 1).await.unwrap();
    let best = shop::best_sellers(pool).await.unwrap();
    assert_eq!(best, [(3, 6.0), (2, 5.0), (1, 1.0)]);
    assert_eq!(shop::ship_all(pool, "ada").await.unwrap(), 4);
    assert_eq!(shop::open_orders(pool, "ada").await.unwrap().len(), 0);
    assert_eq!(shop::open_orders(pool, "bob").await.unwrap().len(), 1);
}

/// The commands of `make demo`, without what is printed for people.
#[tokio::test]
async fn requests_of_customers_are_captured_with_their_log_lines_and_windows() {
    use std::io::{BufRead as _, BufReader};
    let observed = testkit::database().await;
    let own = testkit::empty_database().await;
    let mut shop = Command::new(env!("CARGO_BIN_EXE_shop"))
        .env_clear()
        .env("DATABASE_URL", &own.url)
        .env("LOOKBACK_DATABASE_URL", &observed.url)
        .env("ADDRESS", "127.0.0.1:0")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(shop.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("the shop is open: ")?;
            Some(address.to_owned())
        })
        .unwrap();
    // Nobody reads on, and the shop must not wait for it.
    std::thread::spawn(move || lines.for_each(drop));
    let traffic = Command::new(env!("CARGO_BIN_EXE_traffic"))
        .env_clear()
        .env("SHOP", &address)
        .env("SECONDS", "3")
        .output()
        .unwrap();
    assert!(traffic.status.success(), "{traffic:?}");
    let terminated = Command::new("kill")
        .arg(shop.id().to_string())
        .status()
        .unwrap();
    assert!(terminated.success());
    assert!(shop.wait().unwrap().success());

    let sent: u64 = String::from_utf8(traffic.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            line.split_once(": ")
                .unwrap()
                .1
                .split_once(' ')
                .unwrap()
                .0
                .parse::<u64>()
                .unwrap()
        })
        .sum();
    let count = async |sql: &'static str| -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&observed.pool)
            .await
            .unwrap()
    };
    let incoming = "SELECT count(*) FROM request_snapshots WHERE headers->>'direction' IS NULL";
    assert_eq!(count(incoming).await, i64::try_from(sent).unwrap());
    let counted = "SELECT coalesce(sum(traffic_count), 0)::bigint FROM metrics";
    assert_eq!(count(counted).await, i64::try_from(sent).unwrap());
    let with_request = "SELECT count(*) FROM logs JOIN request_snapshots USING (trace_id)";
    assert!(count(with_request).await > 0);
    let secrets = "SELECT count(*) FROM request_snapshots r
                   WHERE to_jsonb(r)::text ~ 'correct horse|4111 1111' OR body->>'cvc' = '123'";
    assert_eq!(count(secrets).await, 0);
}
