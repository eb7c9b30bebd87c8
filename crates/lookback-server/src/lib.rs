//! The HTTP server of Lookback: takes in records, and reads them.
//!
//! ```no_run
//! use lookback_server::{Server, Settings};
//!
//! # async fn example(pool: sqlx::PgPool) -> std::io::Result<()> {
//! let server = Server::new(pool, Settings::default());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:4000").await?;
//! server.serve(listener, std::future::pending()).await
//! # }
//! ```
//!
//! The pages [docs/http.md] and [docs/otlp.md] are for those who send and read.
//!
//! [docs/http.md]: https://github.com/lookback-db/lookback/blob/main/docs/http.md
//! [docs/otlp.md]: https://github.com/lookback-db/lookback/blob/main/docs/otlp.md
//!
//! In reading order: `settings`; `connections`, with `tls`; `guard`, what holds for every request,
//! with `client` and `rates`; `problem`, how each error is answered; `access`, who may do what, with
//! [`keys`], `sessions`, [`users`] and [`passwords`]; `body`, a body with its limits; `ingest`, from a
//! body to stored records; `parameters`, what a query may say; `records`, reading, counting, exporting
//! and changing them; `windows`, `traces` and `replay`; `tail`, following records as they arrive;
//! `openapi`, the document of all of it; `health`; `observe`, what is done for every request;
//! `cancel`, requests whose client has gone; `telemetry`, what the server measures of itself;
//! [`syslog`], which does not come over HTTP; [`mcp`], reading for agents; [`alerts`]; `saved_searches`; `storage` and `status`; `page`, the web
//! page.

mod access;
mod addresses;
pub mod alerts;
mod body;
mod cancel;
mod client;
mod connections;
mod guard;
mod health;
mod ingest;
pub mod keys;
pub mod mcp;
mod observe;
mod openapi;
mod page;
mod parameters;
pub mod passwords;
mod problem;
mod rates;
mod records;
mod replay;
mod saved_searches;
mod server;
mod sessions;
mod settings;
mod status;
mod storage;
pub mod syslog;
mod tail;
mod telemetry;
mod tls;
mod traces;
pub mod users;
mod windows;

pub use access::origin::{Origin, OriginError};
pub use cancel::prepare_connection;
pub use page::has_page;
pub use replay::{ReplayClient, ReplayClientError};
pub use server::Server;
pub use settings::Settings;
pub use tail::TailSettings;
pub use telemetry::MetricsAccess;
pub use tls::{Tls, TlsError};
