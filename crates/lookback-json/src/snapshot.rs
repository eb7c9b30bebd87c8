//! The JSON of a captured request: names that capture writes, and that replay and archives read.

use crate::{Json, JsonMap};

/// The names of the fields that stand among the headers and are none.
///
/// A header that has such a name itself is stored with [`RENAMED_HEADER`] before it.
pub const OWN_FIELDS: [&str; 9] = [
    "client_ip",
    "direction",
    "error",
    "http_version",
    "parent_span_id",
    "request_size",
    "response_size",
    "route",
    "span_id",
];

/// Stands before the name of a header that is one of [`OWN_FIELDS`].
pub const RENAMED_HEADER: &str = "header.";

/// The only name of an object that describes a body which is not stored as it is.
pub const DESCRIBED_BODY: &str = "$body";

/// Returns the description of a body that is not stored as it is; `None` for one that is.
#[must_use]
pub fn described_body(body: &Json) -> Option<&JsonMap> {
    let map = body.as_object().filter(|map| map.len() == 1)?;
    map.get(DESCRIBED_BODY)?.as_object()
}
