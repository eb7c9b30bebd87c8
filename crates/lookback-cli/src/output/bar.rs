//! How far a command is: on standard error, and on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of so many steps.
pub(crate) fn bar(length: u64) -> ProgressBar {
    bar_at(0, length)
}

/// A bar of which so many steps were done before.
pub(crate) fn bar_at(position: u64, length: u64) -> ProgressBar {
    // Before it shows: a leap after that would be taken for speed.
    shown(
        ProgressBar::new(length).with_position(position),
        "{bar:30} {percent:>3} %  {msg}  {elapsed} of about {duration}",
    )
}

/// What turns where nobody knows how much there is, in a template of indicatif.
pub(crate) fn spinner(template: &str) -> ProgressBar {
    shown(ProgressBar::new_spinner(), template)
}

fn shown(bar: ProgressBar, template: &str) -> ProgressBar {
    // Templates are constants; should one not read, the default one does.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
