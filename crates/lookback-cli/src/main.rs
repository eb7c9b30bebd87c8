//! The binary `lookback`.

use std::process::ExitCode;

/// Records go from thread to thread, which the allocator of the C library does slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lookback_cli::main()
}
