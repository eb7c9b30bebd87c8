//! Tests of capture with real servers and clients.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod bodies;
mod client;
mod endings;
mod hostile;
mod http2;
#[cfg(feature = "http")]
mod http_sink;
mod logs;
mod masking;
mod overload;
mod records;
mod server;
mod settings;
mod uploads;
mod wire;
