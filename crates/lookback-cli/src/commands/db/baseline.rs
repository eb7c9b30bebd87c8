//! `db baseline`

use lookback::migrate::{self, ApplyOptions, Baseline, Folder};
use sqlx::PgConnection;

use crate::commands::db::push::show;
use crate::failure::Failure;
use crate::output;

pub(super) async fn run(
    conn: &mut PgConnection,
    folder: &Folder,
    table: Option<String>,
    options: &ApplyOptions,
) -> Result<(), Failure> {
    match migrate::baseline(conn, folder, table, options, &mut super::say).await? {
        Baseline::Recorded(recorded) if recorded.is_empty() => {
            output::note("nothing to record: every migration is applied");
        }
        Baseline::Recorded(recorded) => {
            let snapshots = folder.snapshots()?;
            let is_generated = |version| snapshots.iter().any(|one| one.files.contains(&version));
            for file in recorded
                .iter()
                .filter_map(|migration| migration.file.as_ref())
            {
                output::note(&format!("recorded {file} as applied, without running it"));
            }
            for migration in recorded.iter().filter(|one| !is_generated(one.version)) {
                output::warning(&format!(
                    "{} is handwritten: its effects on the database were not checked",
                    migration.file.as_deref().unwrap_or_default()
                ));
            }
        }
        Baseline::Differs(plan) => {
            show(&plan)?;
            return Err(
                Failure::failed("the database differs from the migrations").hint(
                    "nothing was recorded; correct the models (db pull shows the database), or \
                     change the database by the statements above",
                ),
            );
        }
    }
    Ok(())
}
