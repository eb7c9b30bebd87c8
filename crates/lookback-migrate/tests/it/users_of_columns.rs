//! Columns whose types cannot change, because objects that no model has use them.

use lookback_migrate::{ApplyOptions, Migrations, Scope, apply, introspect, push};
use lookback_schema::{Decisions, Name, diff};
use sqlx::{Connection as _, Executor as _, PgConnection};

const START: &str = "\
CREATE TABLE t (id integer PRIMARY KEY, tenant integer NOT NULL, b text);
CREATE POLICY own ON t USING (tenant = 1);
CREATE VIEW seen AS SELECT tenant FROM t;
CREATE MATERIALIZED VIEW counted AS SELECT tenant, count(*) FROM t GROUP BY tenant;
CREATE RULE kept AS ON DELETE TO t WHERE old.tenant = 1 DO INSTEAD NOTHING;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER for_one BEFORE UPDATE ON t FOR EACH ROW WHEN (new.tenant = 1)
    EXECUTE FUNCTION nothing();
CREATE TRIGGER of_column BEFORE UPDATE OF tenant ON t FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER of_any BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE FUNCTION tenants() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT sum(tenant) FROM t; END;
CREATE PUBLICATION columns_only FOR TABLE t (id, tenant);
CREATE PUBLICATION of_one FOR TABLE t WHERE (tenant = 1);
CREATE VIEW other AS SELECT b FROM t;
";

/// All of them are named at once, in the words of the server, and nothing has changed.
#[tokio::test]
async fn refused_type_change_names_everything_that_uses_the_column() {
    let db = testkit::empty_database().await;
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    conn.execute(START).await.unwrap();
    let start = introspect(&mut conn, &Scope::default()).await.unwrap();
    let mut target = start.clone();
    let table = target.tables.get_mut(&Name::new("t")).unwrap();
    table.columns[1].data_type = "bigint".parse().unwrap();
    let plan = diff(&start, &target, &Decisions::default()).unwrap();

    let pushed = push(&mut conn, &plan, &[]).await.unwrap_err();
    let remedy = pushed.remedy().unwrap().to_string();
    insta::assert_snapshot!(remedy, @"
    before this statement, drop what uses the column, and after it create that again: function tenants(), materialized view counted, policy own on table t, publication of table t in publication of_one, rule kept on table t, trigger for_one on table t, trigger of_column on table t, view seen
    ");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("1_wider.sql");
    std::fs::write(file, plan.sql()).unwrap();
    let migrations = Migrations::folder(folder.path()).unwrap();
    let options = ApplyOptions::default();
    let applied = apply(&mut conn, &migrations, &options, &mut |_| {})
        .await
        .unwrap_err();
    assert_eq!(applied.remedy().unwrap().to_string(), remedy);

    let same = introspect(&mut conn, &Scope::default()).await.unwrap();
    assert_eq!(same, start);
}
