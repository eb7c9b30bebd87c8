//! The binary `lookback`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lookback_cli::main()
}
