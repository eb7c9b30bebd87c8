//! Progress of a command: on standard error, on a terminal only, and not with `--quiet`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Verbosity, says};

/// Creates a bar with this number of steps.
pub(crate) fn bar(length: u64) -> ProgressBar {
    bar_at(0, length)
}

/// Creates a bar with some steps already done.
pub(crate) fn bar_at(position: u64, length: u64) -> ProgressBar {
    // Set before it is drawn, because a later jump would count as speed.
    shown(
        ProgressBar::new(length).with_position(position),
        "{bar:30} {percent:>3} %  {msg}  {elapsed} of about {duration}",
    )
}

/// Creates a spinner for an unknown number of steps, with a template of indicatif.
pub(crate) fn spinner(template: &str) -> ProgressBar {
    shown(ProgressBar::new_spinner(), template)
}

fn shown(bar: ProgressBar, template: &str) -> ProgressBar {
    if !says(Verbosity::Normal) {
        return ProgressBar::hidden();
    }
    // Templates are constants; an invalid one would result in the default style.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
