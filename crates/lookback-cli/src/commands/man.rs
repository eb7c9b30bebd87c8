//! `lookback man`

use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::{Man, generate_to};

use crate::args::Cli;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(dir: Option<&Path>) -> Result<(), Failure> {
    let command = Cli::command();
    match dir {
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            output::text(&String::from_utf8_lossy(&page))?;
        }
        Some(dir) => {
            let cannot = |error| {
                Failure::failed(format!("cannot write pages to {}: {error}", dir.display()))
            };
            std::fs::create_dir_all(dir).map_err(cannot)?;
            generate_to(command, dir).map_err(cannot)?;
            output::note(&format!("wrote the manual pages to {}", dir.display()));
        }
    }
    Ok(())
}
