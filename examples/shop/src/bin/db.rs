//! `cargo db`: the migrations of the shop.

use std::process::ExitCode;

fn main() -> ExitCode {
    lookback_cli::db(shop::models())
}
