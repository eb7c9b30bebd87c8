//! Where a request comes from: the address of its client, and whether the way there is encrypted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};

use crate::settings::Settings;

/// A mark of the requests that came over the server's own TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encrypted;

/// The client of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Client {
    /// Its address; `None` where the router is part of another app that does not tell it.
    pub(crate) address: Option<IpAddr>,
    /// Whether it sees an address with `https`.
    pub(crate) is_https: bool,
    /// Whether the other end of the connection is a trusted proxy.
    pub(crate) is_behind_proxy: bool,
}

impl Client {
    /// Finds out by the connection, and by the headers of a proxy that is trusted.
    pub(crate) fn new(headers: &HeaderMap, extensions: &Extensions, settings: &Settings) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(address)| address.ip());
        let proxies = &settings.trusted_proxies;
        let is_behind_proxy = peer.is_some_and(|peer| proxies.trusts(peer));
        let is_https = extensions.get::<Encrypted>().is_some()
            || (is_behind_proxy && last(headers, "x-forwarded-proto") == Some("https"));
        Self {
            address: proxies.client(peer, headers),
            is_https,
            is_behind_proxy,
        }
    }

    pub(crate) fn of(parts: &Parts) -> Self {
        parts.extensions.get().copied().unwrap_or_default()
    }

    /// Returns what is counted as one client: an address, or a network of IPv6, of which one
    /// customer has a whole.
    pub(crate) fn network(self) -> Option<IpAddr> {
        self.address.map(network)
    }
}

/// The /64 of an address of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// The last element of the last header of a name: the one that the nearest proxy added.
pub(crate) fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get_all(name).into_iter().next_back()?;
    value.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use axum::extract::ConnectInfo;
    use axum::http::{Extensions, HeaderMap};
    use lookback::capture::TrustedProxies;

    use super::{Client, Encrypted, network};
    use crate::settings::Settings;

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> Client {
        let settings = Settings {
            trusted_proxies: TrustedProxies::none().and("10.0.0.1").unwrap(),
            ..Settings::default()
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        extensions.insert(ConnectInfo(peer));
        Client::new(&map, &extensions, &settings)
    }

    #[test]
    fn forwarding_headers_are_those_of_a_trusted_proxy() {
        let headers = [
            ("x-forwarded-for", "203.0.113.5"),
            ("x-forwarded-proto", "https"),
        ];
        let forged = client("198.51.100.7", &headers);
        assert_eq!(forged.address, "198.51.100.7".parse().ok());
        assert!(!forged.is_https && !forged.is_behind_proxy);
        let proxied = client("10.0.0.1", &headers);
        assert_eq!(proxied.address, "203.0.113.5".parse().ok());
        assert!(proxied.is_https && proxied.is_behind_proxy);
    }

    #[test]
    fn scheme_is_the_one_that_the_nearest_proxy_added() {
        for (value, is_https) in [
            ("http, https", true),
            ("https, http", false),
            ("https", true),
            ("", false),
        ] {
            let client = client("10.0.0.1", &[("x-forwarded-proto", value)]);
            assert_eq!(client.is_https, is_https, "{value}");
        }
        let mut extensions = Extensions::new();
        extensions.insert(Encrypted);
        assert!(Client::new(&HeaderMap::new(), &extensions, &Settings::default()).is_https);
    }

    #[test]
    fn addresses_of_one_network_are_one_client() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(
            network(address("2001:db8:1:2:3:4:5:6")),
            address("2001:db8:1:2::")
        );
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_eq!(network(address("192.0.2.1")), address("192.0.2.1"));
    }
}
