//! Tests of the server over HTTP, with the real database.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod access;
mod aggregates;
mod alerts;
mod bodies;
mod capture;
mod connections;
mod exports;
mod grpc;
mod hanging_up;
mod hostile;
mod ingest;
mod mcp;
mod openapi;
mod operations;
mod page;
mod protocols;
mod records;
mod replays;
mod saved_searches;
mod security;
mod sessions;
mod storage;
mod support;
mod syslog;
mod tail;
mod traces;
mod users;
mod windows;
