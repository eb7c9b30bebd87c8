//! The HTTP client: HTTP/1.1, no redirects, no cookies.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lookback::replay::Target;

use crate::failure::{Failure, with_sources};

/// The largest body of a response that is read.
const MOST_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Client {
    connections: Connections,
    timeout: Duration,
}

enum Connections {
    Plain(PooledClient<HttpConnector, Full<Bytes>>),
    Tls(PooledClient<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Client {
    pub(super) fn new(target: &Target, timeout: Duration) -> Result<Self, Failure> {
        let builder = PooledClient::builder(TokioExecutor::new());
        let connections = if target.to_string().starts_with("https:") {
            let connector = HttpsConnectorBuilder::new()
                .with_native_roots()
                .map_err(|error| {
                    Failure::failed(format!(
                        "cannot read the certificates of this machine: {error}"
                    ))
                    .hint("name a file of certificates: SSL_CERT_FILE=ca.pem lookback replay …")
                })?
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
        })
    }

    /// Sends a request, and reads the whole response; returns the time until its end, too.
    pub(super) async fn send(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<(Response<Vec<u8>>, Duration), String> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let begun = Instant::now();
        let response = async {
            let response = match &self.connections {
                Connections::Plain(client) => client.request(request).await,
                Connections::Tls(client) => client.request(request).await,
            };
            let (parts, body) = response.map_err(|error| with_sources(&error))?.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await;
            let body = body.map_err(|error| with_sources(&*error))?;
            Ok::<_, String>(Response::from_parts(parts, body.to_bytes().to_vec()))
        };
        // 0 is any time, as for the database.
        if self.timeout.is_zero() {
            return Ok((response.await?, begun.elapsed()));
        }
        match tokio::time::timeout(self.timeout, response).await {
            Ok(response) => Ok((response?, begun.elapsed())),
            Err(_) => Err(format!(
                "no response within {} ms (--response-timeout)",
                self.timeout.as_millis()
            )),
        }
    }
}
