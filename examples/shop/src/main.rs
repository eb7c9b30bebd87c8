//! Serves the shop: `cargo run --bin shop`.
//!
//! `DATABASE_URL` is the database of the shop, which is created if it is missing, and
//! `LOOKBACK_DATABASE_URL` that of Lookback, which has its tables (`lookback db migrate`). `ADDRESS`
//! is where it listens: `127.0.0.1:3000` by default.

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use lookback::capture::{Capture, CaptureAxum as _, PostgresSink};
use lookback::migrate::{self, ApplyOptions};
use sqlx::migrate::MigrateDatabase as _;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};
use tokio::net::TcpListener;
use tracing::info;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to a PostgreSQL")?;
    let observed = env::var("LOOKBACK_DATABASE_URL").unwrap_or_else(|_| url.clone());
    let address = env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());

    let capture = Capture::builder()
        .version(env!("CARGO_PKG_VERSION"))
        .stage("demo")
        .axum()
        .start(PostgresSink::connect(observed.parse()?))?;
    tracing_subscriber::registry()
        .with(capture.tracing_layer())
        .with(tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO))
        .init();

    let pool = open(&url).await?;
    let gateway = shop::gateway::serve().await?;
    let app = shop::api::router(pool, &capture, gateway).layer(capture.layer());

    let listener = TcpListener::bind(address).await?;
    info!("the shop is open: http://{}", listener.local_addr()?);
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(stopped())
        .await?;
    capture.flush(Duration::from_secs(5)).await?;
    Ok(())
}

/// Opens the database: creates it, applies pending migrations, and stocks the shelves.
async fn open(url: &str) -> Result<PgPool, Box<dyn Error>> {
    if !Postgres::database_exists(url).await? {
        Postgres::create_database(url).await?;
    }
    let mut connection = PgConnection::connect(url).await?;
    let mut tell = |event| info!("{event}");
    let options = ApplyOptions::default();
    migrate::apply(&mut connection, &shop::migrations(), &options, &mut tell).await?;
    connection.close().await?;
    let pool = PgPool::connect(url).await?;
    shop::stock_shelves(&pool).await?;
    Ok(pool)
}

/// Waits for Ctrl-C or SIGTERM.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _interrupted = interrupted.await;
}
