//! Sends the requests of some customers to the shop: `cargo run --bin traffic`.
//!
//! `SHOP` is its address (`http://127.0.0.1:3000`), `SECONDS` how long they come (20), `PAUSE` the most
//! milliseconds between two requests of one (60).

#![expect(clippy::print_stdout, reason = "a program for a person at a terminal")]

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use shop::api::{CUSTOMERS, PASSWORD};

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let shop = env::var("SHOP").unwrap_or_else(|_| "http://127.0.0.1:3000".to_owned());
    let seconds: u64 = env::var("SECONDS").map_or(Ok(20), |seconds| seconds.parse())?;
    let pause: u64 = env::var("PAUSE").map_or(Ok(60), |pause| pause.parse())?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let visits: Vec<_> = CUSTOMERS
        .iter()
        .map(|customer| {
            let visitor = Visitor {
                client: client.clone(),
                shop: shop.clone(),
                customer,
                token: String::new(),
                pause: pause.max(6),
                sent: 0,
                failed: 0,
            };
            tokio::spawn(visitor.visit(end))
        })
        .collect();
    for visit in visits {
        let Visitor {
            customer,
            sent,
            failed,
            ..
        } = visit.await??;
        println!("{customer}: {sent} requests, {failed} of them failed");
    }
    Ok(())
}

type Failure = Box<dyn Error + Send + Sync>;

/// A customer in the shop.
struct Visitor {
    client: Client<HttpConnector, Body>,
    shop: String,
    customer: &'static str,
    token: String,
    /// The most milliseconds between two requests.
    pause: u64,
    sent: u32,
    failed: u32,
}

impl Visitor {
    async fn visit(mut self, end: Instant) -> Result<Self, Failure> {
        // There is a report that failed, however few are asked for.
        self.report(13).await?;
        while Instant::now() < end {
            match fastrand::u8(0..20) {
                0 => self.log_in("wrong").await?,
                1..=4 => drop(self.get("/products?search=coffe+grindr").await?),
                5..=8 => drop(
                    self.get(&format!("/products/{}", fastrand::u8(1..6)))
                        .await?,
                ),
                9..=10 => drop(self.get("/products/1/similar").await?),
                11 => self.report(fastrand::u8(0..14)).await?,
                12 => drop(self.get("/orders").await?),
                _ => self.buy().await?,
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(5..self.pause))).await;
        }
        Ok(self)
    }

    async fn log_in(&mut self, password: &str) -> Result<(), Failure> {
        let body = json!({ "email": self.customer, "password": password });
        let (_, answer) = self.send(Method::POST, "/login", Some(&body)).await?;
        self.token = answer["token"].as_str().unwrap_or_default().to_owned();
        Ok(())
    }

    async fn report(&mut self, month: u8) -> Result<(), Failure> {
        self.get(&format!("/report?month={month}")).await.map(drop)
    }

    async fn buy(&mut self) -> Result<(), Failure> {
        if self.token.is_empty() {
            self.log_in(PASSWORD).await?;
        }
        let order = json!({ "product_id": fastrand::u8(1..6), "quantity": fastrand::u8(0..4) });
        let (status, order) = self.send(Method::POST, "/orders", Some(&order)).await?;
        if status == StatusCode::CREATED {
            let card = json!({ "card_number": "4111 1111 1111 1111", "cvc": "123" });
            let path = format!("/orders/{}/pay", order["id"]);
            self.send(Method::POST, &path, Some(&card)).await?;
        }
        Ok(())
    }

    async fn get(&mut self, path: &str) -> Result<Value, Failure> {
        Ok(self.send(Method::GET, path, None).await?.1)
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.shop))
            .header(header::USER_AGENT, "traffic");
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self.client.request(request.body(body)?).await?;
        self.sent += 1;
        let status = response.status();
        self.failed += u32::from(status.is_server_error());
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}
