//! `lookback db pull`

use sqlx::Executor as _;

use crate::support::{Lookback, transcript};

async fn shop() -> Lookback {
    let db = testkit::empty_database().await;
    db.pool
        .execute(
            "CREATE TYPE state AS ENUM ('open', 'paid'); \
             CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL); \
             CREATE TABLE orders (id int PRIMARY KEY, country char(2) REFERENCES countries, \
                 state state NOT NULL DEFAULT 'open', total numeric(10,2) CHECK (total >= 0)); \
             CREATE VIEW open_orders AS SELECT id FROM orders WHERE state = 'open'; \
             CREATE SCHEMA archive; \
             CREATE TABLE archive.orders (id int)",
        )
        .await
        .unwrap();
    Lookback::with(Some(db))
}

#[tokio::test]
async fn pull_prints_models() {
    let lookback = shop().await;
    transcript!(lookback.run(&["db", "pull"]), @r#"
    $ lookback db pull
    //! The tables of a database.
    //!
    //! From here on they are the source, edited by hand: migrations are generated from
    //! their changes.
    //! Needs the feature `rust_decimal` of `lookback`.

    use lookback::migrate::Models;
    use lookback::value::Decimal;
    use lookback::{ColumnEnum, model};

    /// A row of the table `countries`.
    #[model(
        table = "countries",
        schema_only,
        constraint("countries_pkey", "PRIMARY KEY (code)")
    )]
    pub struct Country {
        #[column(type = "char(2)")]
        pub code: String,
        pub name: String,
    }

    /// A row of the table `orders`.
    #[model(
        table = "orders",
        schema_only,
        constraint(
            "orders_country_fkey",
            "FOREIGN KEY (country) REFERENCES countries (code)"
        ),
        constraint("orders_pkey", "PRIMARY KEY (id)"),
        constraint("orders_total_check", "CHECK (total >= (0)::numeric)")
    )]
    pub struct Order {
        pub id: i32,
        #[column(type = "char(2)")]
        pub country: Option<String>,
        #[column(sql_default = "'open'")]
        pub state: State,
        #[column(type = "numeric(10,2)")]
        pub total: Option<Decimal>,
    }

    /// The enum type `state`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]
    #[column_enum(type = "state")]
    pub enum State {
        Open,
        Paid,
    }

    /// All of these.
    pub fn models() -> Models {
        Models::new().model::<Country>().model::<Order>()
    }
    ! warning: not in the models: view open_orders
    ! warning: the schema archive has 1 table that is not read
    "#);
}

#[tokio::test]
async fn pull_with_out_writes_only_a_new_file() {
    let lookback = shop().await;
    let call = ["db", "pull", "--schema", "archive", "--out", "models.rs"];
    transcript!(lookback.run(&call), @"
    $ lookback db pull --schema archive --out models.rs
    models.rs
    ! warning: not in the models: view open_orders
    ");
    let text = String::from_utf8(lookback.read("models.rs")).unwrap();
    assert!(text.contains("schema = \"archive\""), "{text}");
    assert!(text.contains(".model::<ArchiveOrder>()"), "{text}");

    lookback.write("models.rs", "// by hand\n");
    transcript!(lookback.run(&call), @"
    $ lookback db pull --schema archive --out models.rs
    ! error: models.rs already exists
    ! hint: give a new file, and copy from it by hand
    [exit code 1]
    ");
    assert_eq!(lookback.read("models.rs"), b"// by hand\n");
    transcript!(lookback.run(&["db", "pull", "--out", "nowhere/models.rs"]), @"
    $ lookback db pull --out nowhere/models.rs
    ! warning: not in the models: view open_orders
    ! warning: the schema archive has 1 table that is not read
    ! error: cannot write nowhere/models.rs: No such file or directory (os error 2)
    ! hint: --out must be a file in an existing folder
    [exit code 1]
    ");
    transcript!(lookback.run(&["db", "pull", "--schema", "sails"]), @"
    $ lookback db pull --schema sails
    ! error: the database has no schema sails
    ! hint: write the name as the database has it, without quotes
    [exit code 1]
    ");
}

/// Uses the built-in models, whose migrations are written again here.
#[tokio::test]
async fn baseline_records_migrations_once_database_matches() {
    let lookback = Lookback::new().await;
    let sql = "DROP TABLE _sqlx_migrations";
    lookback
        .db
        .as_ref()
        .unwrap()
        .pool
        .execute(sql)
        .await
        .unwrap();
    transcript!(lookback.run(&["db", "baseline"]), @"
    $ lookback db baseline
    ! error: migrations has no schema snapshot
    ! hint: generate the migrations from the models: db generate
    [exit code 1]
    ");
    let folder = lookback.folder().join("migrations");
    crate::rebase::write(&folder, &crate::rebase::models(|_| {}), "10:00");
    let file = "20261124100000_create_tables.sql";
    let sql = "ALTER TABLE settings ADD COLUMN stray text";
    lookback
        .db
        .as_ref()
        .unwrap()
        .pool
        .execute(sql)
        .await
        .unwrap();
    transcript!(lookback.run(&["db", "baseline"]), @"
    $ lookback db baseline
    -- LOSES DATA: the values of settings.stray
    ALTER TABLE settings DROP COLUMN stray;
    ! error: the database differs from the migrations
    ! hint: nothing was recorded; correct the models (db pull shows the database), or change the database by the statements above
    [exit code 1]
    ");
    let sql = "ALTER TABLE settings DROP COLUMN stray";
    lookback
        .db
        .as_ref()
        .unwrap()
        .pool
        .execute(sql)
        .await
        .unwrap();
    let ran = lookback.run(&["db", "baseline"]).succeeded();
    assert_eq!(
        ran.err,
        format!("recorded {file} as applied, without running it\n")
    );
    transcript!(lookback.run(&["db", "baseline"]), @"
    $ lookback db baseline
    ! nothing to record: every migration is applied
    ");
    transcript!(lookback.run(&["db", "migrate", "--dir", "migrations"]), @"
    $ lookback db migrate --dir migrations
    ! nothing to apply: the database is up to date
    ");
}
