//! An HTTP archive, HAR 1.2.

use lookback::RequestSnapshot;

use super::{RequestEncoder, escaped_json};
use crate::har;

/// An HTTP archive, with secrets masked.
#[derive(Debug, Default)]
pub struct HarEncoder {
    has_entries: bool,
}

impl HarEncoder {
    /// Appends the begin of the archive, or what separates two entries.
    fn separate(&mut self, out: &mut Vec<u8>) {
        if self.has_entries {
            out.extend_from_slice(b",\n");
        } else {
            out.extend_from_slice(har::begin(env!("CARGO_PKG_VERSION")).as_bytes());
        }
        self.has_entries = true;
    }
}

impl RequestEncoder for HarEncoder {
    fn request(&mut self, request: &RequestSnapshot, out: &mut Vec<u8>) {
        self.separate(out);
        // The same on a terminal and in a file: the characters that control a terminal are
        // escaped, as JSON may have them.
        let entry = escaped_json(&har::entry(request).to_string());
        out.extend_from_slice(entry.as_bytes());
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if !self.has_entries {
            self.separate(out);
        }
        out.extend_from_slice(har::END.as_bytes());
    }
}
