//! `lookback completions`

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::args::Cli;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(shell: Shell) -> Result<(), Failure> {
    // Written to memory first: clap panics if its output is closed.
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "lookback", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(())
}
