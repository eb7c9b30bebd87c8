//! A command of curl for each request.

use lookback::RequestSnapshot;
use lookback::replay::{Refusal, ReplaySettings, Target, prepare};
use lookback::value::ColumnValue as _;

use super::{RequestEncoder, printable};
use crate::har;

/// A command of curl for each request, with secrets masked.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CurlEncoder;

impl CurlEncoder {
    /// Creates an encoder.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl RequestEncoder for CurlEncoder {
    fn request(&mut self, request: &RequestSnapshot, out: &mut Vec<u8>) {
        let mut settings = ReplaySettings::default();
        settings.unsafe_methods = true;
        settings.send_masked = true;
        let command = curl_command(&har::masked(request), None, &settings, ToString::to_string);
        out.extend_from_slice(command.as_bytes());
    }

    fn end(&mut self, _: &mut Vec<u8>) {}
}

/// Returns a request as a command of curl, with a comment of what it is. One that cannot be sent is
/// a comment alone, with the reason in words of the caller.
///
/// Without a target, it is sent where it was captured.
pub fn curl_command(
    snapshot: &RequestSnapshot,
    target: Option<&Target>,
    settings: &ReplaySettings,
    explain: impl Fn(&Refusal) -> String,
) -> String {
    let about = printable(&format!(
        "# request {}, {}: {} {}",
        snapshot.id,
        chrono::DateTime::text_of(&snapshot.timestamp.to_value()),
        snapshot.method,
        snapshot.path
    ));
    let prepared = target
        .cloned()
        .or_else(|| Target::captured(snapshot))
        .ok_or_else(|| "its host is not known".to_owned())
        .and_then(|target| {
            prepare(snapshot, &target, settings).map_err(|refusal| explain(&refusal))
        });
    match prepared {
        Ok(mut prepared) => {
            // One for all that use the command would be no new trace.
            prepared.headers.remove("traceparent");
            let masked = match prepared.masked.as_slice() {
                [] => String::new(),
                places => printable(&format!("# masked: {}", places.join(", "))) + "\n",
            };
            format!("{about}\n{masked}{}\n\n", prepared.curl())
        }
        Err(reason) => printable(&format!("{about} cannot be sent: {reason}")) + "\n\n",
    }
}
