//! The HTTP interface of the shop.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lookback::capture::{self, Capture, CaptureService, TeeBody};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::{Layer as _, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{error, info, instrument, warn};

use crate::{Order, OrderState, Product, counter};

/// The client of the payment gateway, whose calls are captured, too.
type Gateway = CaptureService<Client<HttpConnector, TeeBody<Body>>>;

#[derive(Clone)]
struct Shop {
    pool: PgPool,
    gateway: Gateway,
    gateway_address: SocketAddr,
    /// The customer of each session, by token.
    sessions: Arc<Mutex<HashMap<String, String>>>,
    /// The hash of the password of each customer, by e-mail.
    customers: Arc<HashMap<String, String>>,
}

/// The customers of the demo. Each has this password.
pub const CUSTOMERS: [&str; 3] = ["ada@shop.test", "bob@shop.test", "cleo@shop.test"];
/// The password of the customers of the demo.
pub const PASSWORD: &str = "correct horse";

/// Returns the routes of the shop.
///
/// # Panics
///
/// The system has no random numbers for the salt of a password.
pub fn router(pool: PgPool, capture: &Capture, gateway_address: SocketAddr) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    #[expect(clippy::expect_used, reason = "at the start of a demo")]
    let hash = lookback::password::hash(PASSWORD).expect("a hash");
    let customers = CUSTOMERS.map(|customer| (customer.to_owned(), hash.clone()));
    let shop = Shop {
        pool,
        gateway: capture.client_layer().layer(client),
        gateway_address,
        sessions: Arc::default(),
        customers: Arc::new(customers.into()),
    };
    Router::new()
        .route("/health", get(async || "open"))
        .route("/login", post(log_in))
        .route("/products", get(find))
        .route("/products/{id}", get(product))
        .route("/products/{id}/similar", get(similar))
        .route("/orders", get(orders).post(order))
        .route("/orders/{id}/pay", post(pay))
        .route("/report", get(report))
        .layer(CatchPanicLayer::new())
        .with_state(shop)
}

/// A failure, as the client sees it.
struct Failure(StatusCode, String);

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(status, message.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, message) = self;
        if status.is_server_error() {
            error!(status = status.as_u16(), "{message}");
        } else {
            warn!(status = status.as_u16(), "{message}");
        }
        (status, Json(json!({ "error": message }))).into_response()
    }
}

impl From<lookback::Error> for Failure {
    fn from(error: lookback::Error) -> Self {
        let status = if error.is_not_found() {
            StatusCode::NOT_FOUND
        } else if error.is_invalid() {
            StatusCode::UNPROCESSABLE_ENTITY
        } else if error.is_conflict() {
            StatusCode::CONFLICT
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        Self::new(status, error.to_string())
    }
}

/// The customer who makes a request, by the token of the session.
struct Customer(String);

impl FromRequestParts<Shop> for Customer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shop: &Shop) -> Result<Self, Failure> {
        let customer = token(&parts.headers).and_then(|token| {
            let sessions = shop.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.get(token).cloned()
        });
        let refusal = || Failure::new(StatusCode::UNAUTHORIZED, "log in first: POST /login");
        let customer = customer.ok_or_else(refusal)?;
        // From here on it is known whose request it is.
        capture::set_user_id(&customer);
        Ok(Self(customer))
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

#[derive(Deserialize)]
struct LogIn {
    email: String,
    password: String,
}

#[instrument(skip_all, fields(email = log_in.email))]
async fn log_in(
    State(shop): State<Shop>,
    Json(log_in): Json<LogIn>,
) -> Result<Json<Value>, Failure> {
    let hash = shop.customers.get(&log_in.email);
    let is_right = hash
        .is_some_and(|hash| lookback::password::verify(&log_in.password, hash).unwrap_or(false));
    if !is_right {
        return Err(Failure::new(
            StatusCode::UNAUTHORIZED,
            "e-mail or password is wrong",
        ));
    }
    capture::set_user_id(&log_in.email);
    let token = format!("{:032x}", fastrand::u128(..));
    let mut sessions = shop.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.insert(token.clone(), log_in.email);
    info!("logged in");
    Ok(Json(json!({ "token": token })))
}

#[derive(Deserialize)]
struct Find {
    #[serde(default)]
    search: String,
}

async fn find(State(shop): State<Shop>, Query(find): Query<Find>) -> Result<Json<Value>, Failure> {
    let products = if find.search.is_empty() {
        Product::records().list(&shop.pool).await?.data
    } else {
        counter::find(&shop.pool, &find.search).await?
    };
    info!(
        search = find.search,
        found = products.len(),
        "searched for products"
    );
    Ok(Json(json!({ "products": products })))
}

async fn product(State(shop): State<Shop>, Path(id): Path<i64>) -> Result<Json<Product>, Failure> {
    Ok(Json(Product::records().get(&shop.pool, id).await?))
}

async fn similar(State(shop): State<Shop>, Path(id): Path<i64>) -> Result<Json<Value>, Failure> {
    let products = counter::like(&shop.pool, id).await?;
    Ok(Json(json!({ "products": products })))
}

async fn orders(State(shop): State<Shop>, customer: Customer) -> Result<Json<Value>, Failure> {
    let orders = counter::open_orders(&shop.pool, &customer.0).await?;
    Ok(Json(json!({ "orders": orders })))
}

#[derive(Deserialize)]
struct NewOrder {
    product_id: i64,
    quantity: i32,
}

#[instrument(skip_all, fields(product_id = new.product_id, quantity = new.quantity))]
async fn order(
    State(shop): State<Shop>,
    customer: Customer,
    Json(new): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), Failure> {
    let order = counter::place(&shop.pool, &customer.0, new.product_id, new.quantity).await?;
    info!(order_id = order.id, "order placed");
    Ok((StatusCode::CREATED, Json(order)))
}

#[derive(Deserialize)]
struct Payment {
    card_number: String,
}

#[instrument(skip_all, fields(order_id = id))]
async fn pay(
    State(shop): State<Shop>,
    _customer: Customer,
    Path(id): Path<i64>,
    Json(payment): Json<Payment>,
) -> Result<Json<Value>, Failure> {
    let order = Order::records().get(&shop.pool, id).await?;
    if order.state != OrderState::Open {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            "the order is paid and shipped",
        ));
    }
    let product = Product::records().get(&shop.pool, order.product_id).await?;
    let amount = product.price * i64::from(order.quantity);
    info!(amount, "charging the card");
    let charge = json!({ "amount": amount, "card_number": payment.card_number });
    let request = Request::post(format!("http://{}/charges", shop.gateway_address))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(charge.to_string()));
    let request = request
        .map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let unreachable = |error: hyper_util::client::legacy::Error| {
        Failure::new(StatusCode::BAD_GATEWAY, format!("payment gateway: {error}"))
    };
    let response = shop.gateway.oneshot(request).await.map_err(unreachable)?;
    if !response.status().is_success() {
        let message = format!("payment gateway answered {}", response.status());
        return Err(Failure::new(StatusCode::BAD_GATEWAY, message));
    }
    counter::ship_all(&shop.pool, &order.customer).await?;
    info!(amount, "order paid");
    Ok(Json(json!({ "paid": amount })))
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    month: usize,
}

/// A slow route, with a fault: nobody has thought of a month 13.
async fn report(
    State(shop): State<Shop>,
    Query(report): Query<Report>,
) -> Result<Json<Value>, Failure> {
    const MONTHS: [&str; 13] = [
        "the year",
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    info!(month = report.month, "makes a report");
    let month = MONTHS[report.month];
    tokio::time::sleep(Duration::from_millis(400 + fastrand::u64(0..800))).await;
    let sold = counter::best_sellers(&shop.pool).await?;
    Ok(Json(json!({ "month": month, "best_sellers": sold })))
}
