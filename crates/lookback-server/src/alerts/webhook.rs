//! Delivering to a webhook.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use bytes::Bytes;
use http_body_util::Full;
use lookback::Json;
use lookback_capture::HttpClient;

/// The clients, created when they are needed: that of `https` reads the certificates of the
/// machine.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    plain: OnceLock<HttpClient>,
    tls: OnceLock<HttpClient>,
}

impl Webhooks {
    /// Sends a change, and returns the status of the answer, or why there is none. The URL is not
    /// in the text: it often has a secret.
    pub(super) async fn send(
        &self,
        url: &str,
        delivery_key: &str,
        payload: &Json,
        timeout: Duration,
    ) -> Result<u16, String> {
        let client = self.client(url)?;
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("lookback/", env!("CARGO_PKG_VERSION")))
            .header("idempotency-key", delivery_key)
            .body(Full::new(Bytes::from(payload.to_string())))
            .map_err(|_| "the URL is invalid".to_owned())?;
        // Redirects are not followed, and of the answer only the status is of interest.
        let (head, _) = client.send(request, timeout).await?;
        Ok(head.status.as_u16())
    }

    fn client(&self, url: &str) -> Result<&HttpClient, String> {
        if !url.starts_with("https:") {
            return Ok(self.plain.get_or_init(HttpClient::plain));
        }
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let client = HttpClient::tls()?;
        Ok(self.tls.get_or_init(|| client))
    }
}
