//! Why a request was not sent.

use std::fmt;

/// Why a request was not sent.
///
/// Its text tells the reason, in the words of this library: a program adds how to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The application sent it to another server.
    Outgoing,
    /// It may change data, and [`unsafe_methods`](super::ReplaySettings::unsafe_methods) is not set.
    UnsafeMethod(String),
    /// The method cannot be sent: it is not one, or opens a tunnel.
    Method(String),
    /// The path is not one, or names no place on a server.
    Path(String),
    /// It opened a connection for another protocol, such as a WebSocket.
    Upgrade,
    /// Values in the path, the query or the body are masked: the names of their places.
    Masked(Vec<String>),
    /// Only the start of the body was captured; its whole size in bytes, if it is known.
    TruncatedBody(Option<u64>),
    /// The body was not captured; its size in bytes, if it is known.
    BodyNotStored(Option<u64>),
    /// A header to set has a value that cannot be sent.
    Header(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |size: &Option<u64>| match size {
            Some(size) => format!(" ({size} bytes)"),
            None => String::new(),
        };
        match self {
            Self::Outgoing => f.write_str("the application sent this request itself"),
            Self::UnsafeMethod(method) => write!(f, "{method} may change data"),
            Self::Method(method) => write!(f, "the method `{method}` cannot be sent"),
            Self::Path(path) => write!(f, "the path `{path}` cannot be sent"),
            Self::Upgrade => f.write_str("it changed to another protocol"),
            Self::Masked(places) => write!(f, "masked: {}", places.join(", ")),
            Self::TruncatedBody(bytes) => {
                write!(f, "only the start of its body{} was captured", size(bytes))
            }
            Self::BodyNotStored(bytes) => write!(f, "its body{} was not captured", size(bytes)),
            Self::Header(name) => write!(f, "the header {name} has a value that cannot be sent"),
        }
    }
}

impl std::error::Error for Refusal {}
