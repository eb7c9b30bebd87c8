//! Replay: sends captured requests again, and compares the responses.
//!
//! The library has no HTTP client: the caller gives a function that sends a request. It can be any
//! client, or the application itself, without a server:
//!
//! ```
//! use lookback::RequestSnapshot;
//! use lookback::replay::{ReplaySettings, Replayed, Target, replay};
//!
//! # async fn example(
//! #     snapshot: RequestSnapshot,
//! #     answer: impl AsyncFn(http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, std::io::Error>,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let target: Target = "http://localhost:3000".parse()?;
//! let mut settings = ReplaySettings::default();
//! settings.ignore.push("$.items[*].updated_at".parse()?);
//! match replay(&snapshot, &target, &settings, answer).await {
//!     Replayed::Compared(comparison) => assert!(comparison.is_same(), "{comparison}"),
//!     Replayed::NotSent(refusal) => println!("not sent: {refusal}"),
//!     Replayed::Failed(error) => println!("no response: {error}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`prepare`] makes the request of a snapshot, or tells why it cannot be sent. [`compare`] compares
//! a response with the captured one. [`PreparedRequest::curl`] is the request as a command. All of
//! them are functions from values to values.
//!
//! The guide is [docs/guide/replay.md][guide].
//!
//! [guide]: https://github.com/lookback-db/lookback/blob/main/docs/guide/replay.md

use std::time::Instant;

use crate::RequestSnapshot;

mod alignment;
mod body;
mod comparison;
mod curl;
mod ignore;
mod json_diff;
mod masked;
mod refusal;
mod request;
mod response;
mod target;

pub use comparison::{Comparison, Difference, DifferenceKind, compare};
pub use ignore::{IGNORED_HEADERS, IgnoreRule, IgnoreRuleError};
pub use refusal::Refusal;
pub use request::{PreparedRequest, ReplaySettings, prepare};
pub use response::stored_response;
pub use target::{Target, TargetError};

/// What became of a request.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there are no other outcomes")]
pub enum Replayed<E> {
    /// It was not sent.
    NotSent(Refusal),
    /// It was sent, and there is no response.
    Failed(E),
    /// There is a response, which was compared with the captured one.
    Compared(Comparison),
}

/// Sends a captured request to a target, and compares the response.
pub async fn replay<E>(
    snapshot: &RequestSnapshot,
    target: &Target,
    settings: &ReplaySettings,
    send: impl AsyncFnOnce(http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, E>,
) -> Replayed<E> {
    let prepared = match prepare(snapshot, target, settings) {
        Ok(prepared) => prepared,
        Err(refusal) => return Replayed::NotSent(refusal),
    };
    let begun = Instant::now();
    match send(prepared.into_http()).await {
        Ok(response) => {
            let duration = begun.elapsed();
            let mut comparison = compare(snapshot, &response, &settings.ignore);
            comparison.duration = Some(duration);
            Replayed::Compared(comparison)
        }
        Err(error) => Replayed::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::request::tests::snapshot;
    use super::{Refusal, ReplaySettings, Replayed, Target, replay};
    use crate::json;

    #[tokio::test]
    async fn replay_sends_once_and_tells_what_became_of_it() {
        let target: Target = "http://t.example/v2".parse().unwrap();
        let settings = ReplaySettings::default();
        let mut captured = snapshot("GET", "/orders");
        captured.response_body = Some(json!({"total": 10}));

        let mut sent = Vec::new();
        let outcome = replay(&captured, &target, &settings, async |request| {
            sent.push(request.uri().to_string());
            let response = http::Response::builder().header("content-type", "application/json");
            response.body(b"{\"total\":12}".to_vec())
        });
        let Replayed::Compared(comparison) = outcome.await else {
            panic!("it was sent");
        };
        assert_eq!(comparison.to_string(), "$.total: 10 → 12");
        assert!(comparison.duration.is_some());
        assert_eq!(sent, ["http://t.example/v2/orders"]);

        let outcome = replay(&captured, &target, &settings, async |_| Err("refused"));
        assert!(matches!(outcome.await, Replayed::Failed("refused")));

        captured.method = "DELETE".to_owned();
        let outcome = replay(&captured, &target, &settings, async |_| -> Result<_, ()> {
            panic!("it must not be sent")
        });
        assert!(matches!(
            outcome.await,
            Replayed::NotSent(Refusal::UnsafeMethod(_))
        ));
    }
}
