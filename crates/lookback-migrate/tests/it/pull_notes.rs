//! The notes of `pull` on what models cannot have.

use lookback_migrate::{PullOptions, Scope, pull};
use sqlx::{Connection as _, Executor as _, PgConnection};

/// One of each kind of object, and of each property, that no model has. `PULL=overwrite` writes the
/// expected notes.
const LEFT_OUT: &str = r#"
CREATE SCHEMA sales;
CREATE SCHEMA extensions;
CREATE EXTENSION citext SCHEMA extensions;
CREATE EXTENSION pg_trgm;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE things (
    id integer GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME numbers),
    old serial,
    body text NOT NULL,
    mood mood,
    during tsrange,
    CONSTRAINT things_pkey PRIMARY KEY (id) WITH (fillfactor = 70)
);
CREATE TABLE sales.parts (id integer, kind text, amount integer, CONSTRAINT id_there CHECK (id > 0))
    PARTITION BY RANGE (id);
CREATE TABLE sales.parts_1 PARTITION OF sales.parts FOR VALUES FROM (1) TO (10);
CREATE UNLOGGED TABLE sales.parts_2 PARTITION OF sales.parts FOR VALUES FROM (10) TO (20) WITH (fillfactor = 90);
CREATE INDEX things_body ON things (lower(body));
CREATE INDEX parts_kind ON sales.parts (kind);

-- Objects.
CREATE VIEW seen AS SELECT 1 AS one;
CREATE FUNCTION to_text(mood) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'x'$$;
CREATE FUNCTION less(mood, mood) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < $2';
CREATE FUNCTION compare(mood, mood) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE AGGREGATE all_moods(mood) (SFUNC = array_append, STYPE = mood[]);
CREATE CAST (mood AS text) WITH FUNCTION to_text(mood);
CREATE OPERATOR <<< (LEFTARG = mood, RIGHTARG = mood, FUNCTION = less);
CREATE OPERATOR FAMILY alone USING btree;
CREATE OPERATOR CLASS moods FOR TYPE mood USING btree AS OPERATOR 1 <<<, FUNCTION 1 compare(mood, mood);
CREATE TYPE shell;
CREATE DOMAIN percent AS integer;
CREATE COLLATION digits FROM "C";
CREATE CONVERSION latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple);
CREATE STATISTICS both_columns ON id, body FROM things;
CREATE RULE nothing AS ON DELETE TO things DO INSTEAD NOTHING;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watching ON sql_drop EXECUTE FUNCTION watch();
CREATE PUBLICATION of_things FOR TABLE things;
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA sales;
CREATE PUBLICATION of_nothing;
CREATE FOREIGN DATA WRAPPER wrapper;
CREATE SERVER there FOREIGN DATA WRAPPER wrapper;
CREATE USER MAPPING FOR public SERVER there;
CREATE FOREIGN TABLE far (a integer) SERVER there;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE other_method (a integer) USING heap2;

-- Properties.
ALTER TABLE things ALTER body SET STORAGE EXTERNAL, ALTER body SET COMPRESSION pglz,
    ALTER body SET STATISTICS 7, ALTER id SET (n_distinct = 5), REPLICA IDENTITY FULL,
    SET (toast.autovacuum_enabled = false), FORCE ROW LEVEL SECURITY, CLUSTER ON things_pkey;
ALTER INDEX things_body ALTER COLUMN 1 SET STATISTICS 9;
ALTER SEQUENCE numbers AS bigint;
CREATE SEQUENCE spare OWNED BY things.body;
CREATE INDEX parts_1_amount ON sales.parts_1 (amount);
ALTER TABLE sales.parts_1 ADD CONSTRAINT little CHECK (amount < 5), ALTER kind SET NOT NULL,
    ALTER amount SET DEFAULT 3, ENABLE ROW LEVEL SECURITY;
ALTER TABLE sales.parts ALTER kind SET DEFAULT 'same';
ALTER TABLE ONLY sales.parts_2 ALTER kind SET DEFAULT 'other';

COMMENT ON TABLE things IS 'in the models';
COMMENT ON COLUMN things.body IS 'in the models';
COMMENT ON CONSTRAINT things_pkey ON things IS 'c';
COMMENT ON INDEX things_body IS 'c';
COMMENT ON TYPE mood IS 'c';
COMMENT ON SCHEMA sales IS 'c';
COMMENT ON TABLE sales.parts_1 IS 'c';
COMMENT ON COLUMN sales.parts_1.kind IS 'c';
COMMENT ON SEQUENCE numbers IS 'c';

GRANT SELECT ON things, sales.parts_1 TO public;
GRANT UPDATE (body) ON things TO public;
GRANT USAGE ON SEQUENCE numbers TO public;
REVOKE USAGE ON TYPE mood FROM public;
GRANT USAGE ON SCHEMA sales TO public;
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO public;
"#;

/// Names of `NOT NULL` constraints, which servers have since PostgreSQL 18.
const NAMED: &str = "CREATE TABLE named (a integer CONSTRAINT a_there NOT NULL, \
    b integer CONSTRAINT named_b_not_null NOT NULL NO INHERIT, c integer NOT NULL)";

#[tokio::test]
async fn pull_notes_name_everything_that_models_lack() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute(LEFT_OUT).await.unwrap();
    let is_18 = conn.server_version_num().unwrap() >= 180_000;
    if is_18 {
        conn.execute(NAMED).await.unwrap();
    }
    let role: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let scope = Scope::schemas(["sales"]);
    let options = PullOptions::default();
    let code = pull(&mut conn, &scope, &options).await.unwrap();
    let mut expected = include_str!("pull_notes/expected.txt").to_owned();
    if !is_18 {
        let lines = expected.lines().filter(|line| !line.contains(" of named"));
        expected = lines.map(|line| format!("{line}\n")).collect();
    }
    let notes = code.notes.join("\n").replace(&format!(" {role}"), " ROLE");
    if std::env::var_os("PULL").is_some_and(|value| value == "overwrite") {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/pull_notes/expected.txt"
        );
        std::fs::write(file, format!("{notes}\n")).unwrap();
        return;
    }
    assert_eq!(format!("{notes}\n"), expected);
}

#[tokio::test]
async fn pull_of_plain_schema_has_no_notes() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute(
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok'); \
         CREATE TABLE people (id bigserial PRIMARY KEY, \
             number integer GENERATED BY DEFAULT AS IDENTITY, name citext NOT NULL UNIQUE, \
             mood mood DEFAULT 'ok', more text[], CHECK (number > 0)); \
         COMMENT ON TABLE people IS 'x'; COMMENT ON COLUMN people.name IS 'y'; \
         CREATE TABLE \"a very long name of a table that has a key and a sequence\" \
             (\"and a long name of a column, too\" serial NOT NULL); \
         CREATE TABLE parts (id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL \
             DEFAULT '2026-01-01', PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
         CREATE TABLE parts_1 PARTITION OF parts DEFAULT; \
         CREATE INDEX ON parts (at); \
         CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY); \
         GRANT SELECT ON _sqlx_migrations TO public",
    )
    .await
    .unwrap();
    let options = PullOptions::default();
    let code = pull(&mut conn, &Scope::default(), &options).await.unwrap();
    assert_eq!(code.notes, [""; 0]);
}
