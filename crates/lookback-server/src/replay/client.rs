//! The HTTP client of replays: HTTP/1.1, no redirects, no cookies.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lookback::replay::Target;

/// Sends captured requests again, to one target. It follows no redirects.
pub struct ReplayClient {
    connections: Connections,
    timeout: Duration,
    most_bytes: usize,
}

enum Connections {
    Plain(PooledClient<HttpConnector, Full<Bytes>>),
    Tls(PooledClient<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl ReplayClient {
    /// Creates a client. A response may take `timeout` (zero is any time), and have `most_bytes`.
    ///
    /// # Errors
    ///
    /// The target is of https, and the certificates of the machine cannot be read.
    pub fn new(target: &Target, timeout: Duration, most_bytes: usize) -> io::Result<Self> {
        let builder = PooledClient::builder(TokioExecutor::new());
        let connections = if target.to_string().starts_with("https:") {
            let connector = HttpsConnectorBuilder::new()
                .with_native_roots()?
                .https_only()
                .enable_http1()
                .build();
            Connections::Tls(builder.build(connector))
        } else {
            Connections::Plain(builder.build_http())
        };
        Ok(Self {
            connections,
            timeout,
            most_bytes,
        })
    }

    /// Sends a request, and reads the whole response; returns the time until its end, too.
    ///
    /// # Errors
    ///
    /// There is no response, or it is too long.
    pub async fn send(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<(Response<Vec<u8>>, Duration), ReplayClientError> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let begun = Instant::now();
        let response = async {
            let response = match &self.connections {
                Connections::Plain(client) => client.request(request).await,
                Connections::Tls(client) => client.request(request).await,
            };
            let (parts, body) = response
                .map_err(|error| ReplayClientError::Failed(error.into()))?
                .into_parts();
            let body = Limited::new(body, self.most_bytes).collect().await;
            let body = body.map_err(ReplayClientError::Failed)?;
            Ok::<_, ReplayClientError>(Response::from_parts(parts, body.to_bytes().to_vec()))
        };
        // 0 is any time, as for the database.
        if self.timeout.is_zero() {
            return Ok((response.await?, begun.elapsed()));
        }
        match tokio::time::timeout(self.timeout, response).await {
            Ok(response) => Ok((response?, begun.elapsed())),
            Err(_) => Err(ReplayClientError::TimedOut(self.timeout)),
        }
    }
}

impl fmt::Debug for ReplayClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayClient")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayClientError {
    /// It did not come in time.
    #[error("no response within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The connection failed, or the response is too long.
    #[error("{}", with_sources(&**.0))]
    Failed(Box<dyn StdError + Send + Sync>),
}

/// The message of an error with those of its sources, each once.
fn with_sources(error: &(dyn StdError + 'static)) -> String {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        next = error.source();
    }
    message
}
