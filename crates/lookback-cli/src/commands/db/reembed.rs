//! `db reembed`

use lookback::migrate::{self, Models, Reembedded};
use sqlx::PgConnection;

use crate::failure::Failure;
use crate::output::{self, counted, grouped};

pub(crate) async fn run(conn: &mut PgConnection, models: &Models) -> Result<(), Failure> {
    let bar = output::bar(0);
    let mut say = |at: &Reembedded| {
        if at.done == 0 {
            bar.set_length(at.rows);
            bar.reset();
        }
        bar.set_position(at.done);
        bar.set_message(format!("{}: {}", at.table, counted(at.done, "row")));
    };
    let done = tokio::select! {
        done = migrate::reembed(conn, models, &mut say) => done,
        _ = tokio::signal::ctrl_c() => {
            bar.finish_and_clear();
            return Err(Failure::interrupted("interrupted")
                .hint("finished batches are kept: lookback db reembed continues with the rest"));
        }
    };
    bar.finish_and_clear();
    let done = done?;
    for table in &done {
        output::note(&format!(
            "{}: changed the vector of {} of {}",
            table.table,
            grouped(table.changed),
            counted(table.done, "row")
        ));
    }
    if done.is_empty() {
        output::note("nothing to do: no model has search fields");
    }
    Ok(())
}
