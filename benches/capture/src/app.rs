//! The application that is measured.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use axum::routing::{get, post};
use axum::{Json, Router};
use lookback::capture::{Capture, CaptureAxum as _, PostgresSink};
use outlet::{RequestLoggerConfig, RequestLoggerLayer};
use outlet_postgres::PostgresHandler;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tower_http::trace::TraceLayer;
use tracing::info;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{Result, allocations};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bare,
    Trace,
    Outlet,
    Lookback,
}

const KINDS: [(&str, Kind); 4] = [
    ("bare", Kind::Bare),
    ("trace", Kind::Trace),
    ("outlet", Kind::Outlet),
    ("lookback", Kind::Lookback),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let found = KINDS.iter().find(|(name, _)| *name == text);
        found.map(|(_, kind)| *kind).ok_or_else(|| format!("{text} is no application"))
    }
}

#[derive(Deserialize, Serialize)]
struct Order {
    customer: String,
    note: String,
    items: Vec<Item>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Item {
    sku: String,
    name: String,
    quantity: u32,
    price: f64,
}

/// A body of about 1 KB.
pub(crate) fn body() -> String {
    let item = |number: u32| Item {
        sku: format!("SKU-{number:06}"),
        name: "Coffee grinder, burr mill of steel, by hand".to_owned(),
        quantity: 1 + number % 3,
        price: 89.0,
    };
    let order = Order {
        customer: "ada@shop.test".to_owned(),
        note: "Please leave it with the neighbours, the bell does not ring".to_owned(),
        items: (0..8).map(item).collect(),
    };
    serde_json::to_string(&order).unwrap_or_default()
}

#[derive(Serialize)]
struct Answer {
    id: u64,
    state: &'static str,
    items: Vec<Item>,
}

/// Answers with about 4 KB.
async fn order(Json(order): Json<Order>) -> Json<Answer> {
    info!(customer = order.customer, items = order.items.len(), "order placed");
    let items = order.items.iter().cycle().take(35).cloned().collect();
    Json(Answer {
        id: 4_711,
        state: "open",
        items,
    })
}

/// Serves an application until it is killed.
pub(crate) async fn serve(kind: Kind, port: u16, url: &str) -> Result<()> {
    let app = Router::new().route("/orders", post(order));
    let app = match kind {
        Kind::Bare => app,
        Kind::Trace => {
            let to_nowhere = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
            let filter = tracing_subscriber::EnvFilter::new("debug");
            tracing_subscriber::registry().with(filter).with(to_nowhere).init();
            app.layer(TraceLayer::new_for_http())
        }
        Kind::Outlet => {
            let handler = PostgresHandler::<_, Value, Value>::new(url).await?;
            app.layer(RequestLoggerLayer::new(RequestLoggerConfig::default(), handler))
        }
        Kind::Lookback => {
            let capture = Capture::builder()
                .version("1.0.0")
                .stage("bench")
                .axum()
                .start(PostgresSink::connect(url.parse()?))?;
            tracing_subscriber::registry().with(capture.tracing_layer()).init();
            let layer = capture.layer();
            let health = move || async move { format!("{:#?}", capture.health()) };
            app.layer(layer).route("/captured", get(health))
        }
    };
    let app = app
        .route("/count", get(async || allocations::start()))
        .route("/counted", get(async || allocations::count().to_string()));
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}
