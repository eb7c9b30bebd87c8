//! Tests of the decoders, on samples of our own in the shapes of the loggers.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod accounted;
mod har;
mod json;
mod options;
mod push;
mod requests;
mod samples;
mod split;
mod syslog;
mod times;
mod traces;
mod tracing_subscriber;
