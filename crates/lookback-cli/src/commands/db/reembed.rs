//! `db reembed`

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lookback::migrate::{self, Models, Reembedded};
use sqlx::PgConnection;

use crate::failure::Failure;
use crate::output::{self, grouped};

pub(crate) async fn run(conn: &mut PgConnection, models: &Models) -> Result<(), Failure> {
    let bar = ProgressBar::new(0);
    // The template is a constant; should it not read, the default one does.
    if let Ok(style) = ProgressStyle::with_template(
        "{bar:30} {percent:>3} %  {msg}  {elapsed} of about {duration}",
    ) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut say = |at: &Reembedded| {
        if at.done == 0 {
            bar.set_length(at.rows);
            bar.reset();
        }
        bar.set_position(at.done);
        bar.set_message(format!("{}: {} rows", at.table, grouped(at.done)));
    };
    let done = tokio::select! {
        done = migrate::reembed(conn, models, &mut say) => done,
        _ = tokio::signal::ctrl_c() => {
            bar.finish_and_clear();
            return Err(Failure::interrupted("interrupted")
                .hint("what is done stays so: lookback db reembed goes on with the rest"));
        }
    };
    bar.finish_and_clear();
    let done = done?;
    for table in &done {
        output::note(&format!(
            "{}: {} of {} rows have another vector now",
            table.table,
            grouped(table.changed),
            grouped(table.done)
        ));
    }
    if done.is_empty() {
        output::note("nothing to do: no model has search fields");
    }
    Ok(())
}
