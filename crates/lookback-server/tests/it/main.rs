//! Tests of the server over HTTP, with the real database.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod access;
mod bodies;
mod capture;
mod ingest;
mod operations;
mod protocols;
mod records;
mod support;
mod tail;
