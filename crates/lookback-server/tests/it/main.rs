//! Tests of the server over HTTP, with the real database.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod access;
mod aggregates;
mod alerts;
mod bodies;
mod capture;
mod exports;
mod hanging_up;
mod connections;
mod hostile;
mod grpc;
mod ingest;
mod operations;
mod openapi;
mod mcp;
mod protocols;
mod records;
mod replays;
mod security;
mod sessions;
mod support;
mod tail;
mod traces;
mod windows;
mod users;
mod syslog;
