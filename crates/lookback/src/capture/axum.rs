//! What axum knows of a request.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath};
use lookback_capture::CaptureBuilder;

/// Hooks for axum.
pub trait CaptureAxum {
    /// Reads the route of a request from axum's `MatchedPath`, and the address of its peer from
    /// `ConnectInfo`, if the application is served with
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    ///
    /// Put the layer on the router by `Router::layer`: outside of it no route is known.
    #[must_use]
    fn axum(self) -> Self;
}

impl CaptureAxum for CaptureBuilder {
    fn axum(self) -> Self {
        self.route(|request| {
            let path = request.extensions.get::<MatchedPath>()?;
            Some(path.as_str().to_owned())
        })
        .peer(|request| {
            let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(peer.ip())
        })
    }
}
