//! Tests of the decoders, on samples of our own in the shapes of the loggers.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod accounted;
mod push;
mod samples;
