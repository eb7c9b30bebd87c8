//! The payment gateway: another service, which is slow at times, and fails.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Debug, Deserialize)]
struct Charge {
    amount: i64,
}

/// Serves the gateway on a port of its own, and returns its address.
///
/// # Errors
///
/// The system has no free port.
pub async fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/charges", post(charge));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the payment gateway has stopped");
        }
    });
    Ok(address)
}

/// Charges a card. Of ten calls one takes long; amounts of 10,000 and more are refused.
async fn charge(Json(charge): Json<Charge>) -> (StatusCode, Json<Value>) {
    if fastrand::u8(0..10) == 0 {
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    if charge.amount >= 10_000 {
        let refusal = json!({ "error": "the bank does not answer" });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(refusal));
    }
    (StatusCode::OK, Json(json!({ "charged": charge.amount })))
}
