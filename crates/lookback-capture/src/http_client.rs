//! An HTTP client: HTTP/1.1, no redirects, no cookies, answers up to a size.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::response::Parts;
use http_body_util::{BodyExt as _, Collected, Full, Limited};
#[cfg(feature = "https")]
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// The most bytes of an answer that are read.
const MOST_BYTES: usize = 64 * 1024;

/// The client of `HttpSink`, and of the webhooks of a Lookback server.
///
/// It follows no redirects, keeps no cookies, and reads 64 KiB of an answer at most.
#[derive(Debug)]
pub struct HttpClient {
    connections: Connections,
}

#[derive(Debug)]
enum Connections {
    Plain(PooledClient<HttpConnector, Full<Bytes>>),
    #[cfg(feature = "https")]
    Tls(PooledClient<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl HttpClient {
    /// Creates a client for URLs with `http`.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            connections: Connections::Plain(builder().build_http()),
        }
    }

    /// Creates a client for URLs with `https`.
    ///
    /// # Errors
    ///
    /// The certificates of the machine cannot be read.
    #[cfg(feature = "https")]
    pub fn tls() -> Result<Self, String> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| {
                format!(
                    "the certificates of this machine cannot be read: {error}; \
                     the variable SSL_CERT_FILE can name a file of them"
                )
            })?
            .https_only()
            .enable_http1()
            .build();
        Ok(Self {
            connections: Connections::Tls(builder().build(connector)),
        })
    }

    /// Creates a client for URLs with `https`.
    ///
    /// # Errors
    ///
    /// Always: it needs the feature `https`.
    #[cfg(not(feature = "https"))]
    pub fn tls() -> Result<Self, String> {
        Err(
            "a URL with https needs the feature `https` of `lookback-capture` \
             (`capture-https` of `lookback`)"
                .to_owned(),
        )
    }

    /// Sends a request, and returns the head and the body of the answer. A body that is too large
    /// or breaks off is empty.
    ///
    /// # Errors
    ///
    /// Why there is no answer in this time.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<(Parts, Bytes), String> {
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {timeout:?}")),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Bytes), String> {
        let response = match &self.connections {
            Connections::Plain(client) => client.request(request).await,
            #[cfg(feature = "https")]
            Connections::Tls(client) => client.request(request).await,
        };
        let (head, body) = response.map_err(|error| with_sources(&error))?.into_parts();
        // What the head says is enough, if the body is too large or breaks off.
        let body = Limited::new(body, MOST_BYTES).collect().await;
        Ok((head, body.map(Collected::to_bytes).unwrap_or_default()))
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = PooledClient::builder(TokioExecutor::new());
    // A server may close a connection that is idle for long.
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(20));
    builder
}

/// An error with its sources: the first only says that connecting failed.
fn with_sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _written = write!(text, ": {error}");
        source = error.source();
    }
    text
}
