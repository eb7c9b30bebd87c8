//! `db check`

use lookback::migrate::{self, Folder, Migration, MigrationState, Migrations, Scope};
use lookback_schema::{Plan, Schema};
use sqlx::PgConnection;

use crate::commands::db::generate::warn;
use crate::commands::db::push::show;
use crate::failure::Failure;
use crate::output;

pub(super) fn models(folder: &Folder, models: &Schema) -> Result<(), Failure> {
    let plan = migrate::check_models(folder, models)?;
    warn(models);
    report(
        &plan,
        "the models and the newest schema snapshot",
        "write the difference as a migration: db generate",
    )
}

pub(super) async fn database(
    folder: &Folder,
    table: Option<String>,
    conn: &mut PgConnection,
) -> Result<(), Failure> {
    let pending = Pending::read(folder, table, conn).await?;
    let plan = match migrate::check_database(folder, conn).await {
        Ok(plan) => plan,
        // A function, for example, that the snapshot needs and a pending file creates.
        Err(error) if error.is_schema() && !pending.files.is_empty() => {
            return Err(pending.failure().and_hint(&format!(
                "before that, the newest schema snapshot cannot be compared: {error}"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let snapshot = folder.newest()?.map(|snapshot| snapshot.schema);
    tell_more(conn, &Scope::of(&snapshot), &plan).await?;
    if plan.is_empty() && pending.decides {
        return Err(pending.failure());
    }
    if !plan.is_empty() {
        pending.tell();
    }
    report(
        &plan,
        "the database and the newest schema snapshot",
        "apply what is pending (db migrate), or revert changes that were made by hand",
    )
}

/// The migrations of a folder that are pending.
struct Pending {
    files: Vec<String>,
    /// Whether they matter even if the database equals the newest schema snapshot.
    ///
    /// Handwritten files do, unless no file of the folder is recorded at all: then the database was
    /// made in another way.
    decides: bool,
}

impl Pending {
    async fn read(
        folder: &Folder,
        table: Option<String>,
        conn: &mut PgConnection,
    ) -> Result<Self, Failure> {
        if !folder.path().exists() {
            return Ok(Self {
                files: Vec::new(),
                decides: false,
            });
        }
        let mut migrations = Migrations::folder(folder.path())?;
        if let Some(table) = table {
            migrations = migrations.in_table(table);
        }
        let snapshots = folder.snapshots()?;
        let is_generated = |version| snapshots.iter().any(|one| one.files.contains(&version));
        let all = migrate::status(conn, &migrations).await?;
        let is_pending = |migration: &&Migration| {
            matches!(
                migration.state,
                MigrationState::Pending | MigrationState::Partial { .. }
            )
        };
        let mut recorded = (all.iter()).filter(|one| one.file.is_some() && !is_pending(one));
        let is_recorded = recorded.next().is_some() || snapshots.is_empty();
        let pending = || all.iter().filter(is_pending);
        Ok(Self {
            files: pending().filter_map(|one| one.file.clone()).collect(),
            decides: is_recorded && pending().any(|one| !is_generated(one.version)),
        })
    }

    fn tell(&self) {
        for file in &self.files {
            output::note(&format!("pending: {file}"));
        }
    }

    fn failure(&self) -> Failure {
        self.tell();
        let message = match self.files.len() {
            1 => "1 migration is pending".to_owned(),
            count => format!("{count} migrations are pending"),
        };
        Failure::failed(message).hint("apply what is pending: db migrate")
    }
}

/// Prints warnings about unsupported objects, and about definitions that could
/// not be compared.
pub(super) async fn tell_more(
    conn: &mut PgConnection,
    scope: &Scope,
    plan: &Plan,
) -> Result<(), Failure> {
    let live = migrate::read(conn, scope).await?;
    for index in &live.invalid_indexes {
        output::warning(&format!(
            "the index {index} is INVALID: a build of it failed"
        ));
        output::hint(&format!("it serves no query: DROP INDEX {index}"));
    }
    for note in &live.notes {
        output::warning(note);
    }
    if !plan.is_empty() && !migrate::can_canonicalize(conn).await? {
        output::warning(
            "this role may not create schemas, or the server is read-only: definitions are not \
             compared in canonical form, and some differences may mean nothing",
        );
        output::hint("GRANT CREATE ON DATABASE to the role, or use another one");
    }
    Ok(())
}

fn report(plan: &Plan, what: &str, hint: &str) -> Result<(), Failure> {
    if plan.is_empty() {
        output::note(&format!("{what} match"));
        return Ok(());
    }
    show(plan)?;
    Err(Failure::failed(format!("{what} differ")).hint(hint))
}

#[cfg(test)]
mod tests {
    use lookback::migrate::{Folder, GenerateOptions, generate};
    use lookback_schema::{Column, Name, Schema, Table};
    use sqlx::{Connection as _, PgConnection};

    use super::database;

    /// The newest snapshot needs a function that a pending file creates: that is not a mistake of
    /// the models.
    #[tokio::test]
    async fn check_before_a_pending_function_says_that_it_is_pending() {
        let db = testkit::empty_database().await;
        let mut conn = PgConnection::connect(&db.url).await.unwrap();
        let path = tempfile::tempdir().unwrap();
        let folder = Folder::new(path.path());
        let mut table = Table {
            columns: vec![Column::new("a", "text".parse().unwrap())],
            ..Table::default()
        };
        let check = "CHECK (rank_of(a) > 0)".parse().unwrap();
        table.constraints.insert("ranked".to_owned(), check);
        let schema = Schema {
            tables: [(Name::new("t"), table)].into(),
            ..Schema::default()
        };
        let mut options = GenerateOptions::default();
        options.version = Some(2);
        generate(&folder, &schema, &options, chrono::DateTime::UNIX_EPOCH).unwrap();
        std::fs::write(path.path().join("1_rank.sql"), "SELECT 1;\n").unwrap();

        let failure = database(&folder, None, &mut conn).await.unwrap_err();
        insta::assert_snapshot!(format!("{failure:#?}"), @r#"
        Failure {
            kind: Failed,
            message: "2 migrations are pending",
            hint: Some(
                "apply what is pending: db migrate; before that, the newest schema snapshot cannot be compared: table t, check ranked: function rank_of(text) does not exist",
            ),
            causes: [],
            is_of_setup: false,
            is_of_connection: false,
            is_of_split: false,
        }
        "#);
    }
}
