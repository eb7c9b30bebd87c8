//! Bodies of OpenTelemetry's logs in protobuf.
#![no_main]

use fuzz::{Body, check_push};
use libfuzzer_sys::fuzz_target;
use lookback_formats::push::{self, Push};

fuzz_target!(|body: Body| {
    let body = body.encode();
    check_push(Push::OtlpLogs, &body);
    let _ = push::detect(&body);
    for frame in push::frames(&body) {
        let _ = frame.map(push::detect);
    }
});
