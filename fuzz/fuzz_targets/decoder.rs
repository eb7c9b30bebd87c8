//! Any bytes, as lines.
#![no_main]

use fuzz::{AnyOptions, check_lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (AnyOptions, &[u8])| {
    let (options, bytes) = input;
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    check_lines(&lines, options.get());
});
