//! The address of the client behind proxies.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The proxies whose headers are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// A text that is no address and no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address such as 10.0.0.1 or a range such as 10.0.0.0/8, got {0:?}")]
pub struct ProxyError(String);

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Loopback, private and link-local addresses, and those of carrier-grade NAT.
const PRIVATE: [&str; 9] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

impl TrustedProxies {
    /// Believes no proxy: the client is the other end of the connection.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Believes proxies with a loopback, private or link-local address.
    #[must_use]
    pub fn private() -> Self {
        Self(
            PRIVATE
                .iter()
                .filter_map(|range| range.parse().ok())
                .collect(),
        )
    }

    /// Believes proxies in this range, too, such as `173.245.48.0/20`, or at this address.
    ///
    /// # Errors
    ///
    /// It is neither a range nor an address.
    pub fn and(mut self, range: &str) -> Result<Self, ProxyError> {
        let address = || IpAddr::from_str(range).map(IpNet::from);
        let parsed = IpNet::from_str(range).or_else(|_| address());
        self.0
            .push(parsed.map_err(|_| ProxyError(range.to_owned()))?);
        Ok(self)
    }

    /// Whether this is the address of a trusted proxy.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }

    /// Returns the address of the client: the last address of `forwarded` or `x-forwarded-for` that
    /// is not that of a trusted proxy, if the other end of the connection is one. If the two headers
    /// disagree, it is that end.
    #[must_use]
    pub fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?.to_canonical();
        if !self.trusts(peer) {
            return Some(peer);
        }
        let forwarded = self.last_unknown(peer, headers, FORWARDED, forwarded_for);
        let listed = self.last_unknown(peer, headers, X_FORWARDED_FOR, address);
        // A proxy sets one of them, and may pass on the other as the client sent it.
        match (forwarded, listed) {
            (Some(client), Some(other)) if client != other => Some(peer),
            (client, other) => client.or(other).or(Some(peer)),
        }
    }

    /// Returns the last address of a header that is not that of a trusted proxy; `None` if there is no
    /// such header. What a proxy that is not known says of those before it is not known.
    fn last_unknown(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: HeaderName,
        read: fn(&str) -> Option<IpAddr>,
    ) -> Option<IpAddr> {
        const MOST: usize = 1_000;
        let mut client = None;
        let mut hops = 0;
        // From the end, to which a proxy adds: a client can send any number before it.
        for line in headers.get_all(name).into_iter().rev() {
            let line = String::from_utf8_lossy(line.as_bytes());
            for hop in line.rsplit(',') {
                let Some(address) = read(hop).filter(|_| hops < MOST) else {
                    return client.or(Some(peer));
                };
                hops += 1;
                let address = address.to_canonical();
                client = Some(address);
                if !self.trusts(address) {
                    return client;
                }
            }
        }
        client
    }
}

impl Default for TrustedProxies {
    fn default() -> Self {
        Self::private()
    }
}

/// Reads `for=` of an element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    address(values.next()?.1.trim().trim_matches('"'))
}

/// Reads an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    IpAddr::from_str(inner.unwrap_or(text))
        .or_else(|_| SocketAddr::from_str(text).map(|address| address.ip()))
        .ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::TrustedProxies;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted = TrustedProxies::private().and("203.0.113.7").unwrap();
        trusted.client(peer.parse().ok(), &map).unwrap().to_string()
    }

    #[test]
    fn headers_are_believed_from_trusted_proxies_only() {
        let spoofed = [("x-forwarded-for", "1.2.3.4")];
        assert_eq!(client("198.51.100.9", &spoofed), "198.51.100.9");
        assert_eq!(client("10.0.0.1", &spoofed), "1.2.3.4");
        assert_eq!(client("203.0.113.7", &spoofed), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn client_is_the_last_address_that_is_not_a_proxy() {
        let chain = [("x-forwarded-for", "6.6.6.6, 198.51.100.9, 10.1.1.1")];
        assert_eq!(client("127.0.0.1", &chain), "198.51.100.9");
        let lines = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "198.51.100.9:4711"),
        ];
        assert_eq!(client("::1", &lines), "198.51.100.9");
        let hidden = [("x-forwarded-for", "6.6.6.6, unknown, 10.1.1.1")];
        assert_eq!(client("127.0.0.1", &hidden), "10.1.1.1");
        assert_eq!(client("::ffff:10.0.0.1", &chain), "198.51.100.9");
    }

    #[test]
    fn forwarded_is_read_in_its_forms() {
        for (value, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=6.6.6.6, for=198.51.100.17", "198.51.100.17"),
            ("proto=https;for=\"198.51.100.17:80\"", "198.51.100.17"),
            ("for=_hidden", "10.0.0.1"),
        ] {
            assert_eq!(
                client("10.0.0.1", &[("forwarded", value)]),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn headers_that_disagree_are_not_believed() {
        let spoofed = [
            ("forwarded", "for=6.6.6.6"),
            ("x-forwarded-for", "198.51.100.9"),
        ];
        assert_eq!(client("10.0.0.1", &spoofed), "10.0.0.1");
        let same = [
            ("forwarded", "for=198.51.100.9"),
            ("x-forwarded-for", "198.51.100.9"),
        ];
        assert_eq!(client("10.0.0.1", &same), "198.51.100.9");
    }

    #[test]
    fn any_number_of_forged_addresses_before_that_of_the_proxy_changes_nothing() {
        let forged = format!("{}198.51.100.9", "6.6.6.6, ".repeat(5_000));
        assert_eq!(
            client("10.0.0.1", &[("x-forwarded-for", &forged)]),
            "198.51.100.9"
        );
        let forwarded = format!("{}for=198.51.100.9", "for=6.6.6.6, ".repeat(5_000));
        assert_eq!(
            client("10.0.0.1", &[("forwarded", &forwarded)]),
            "198.51.100.9"
        );
        // A quote that the client opens does not swallow what the proxy adds.
        for start in ["for=\"", "for=\"6.6.6.6", "for=6.6.6.6;by=\""] {
            let quoted = format!("{start}, for=198.51.100.9");
            assert_eq!(
                client("10.0.0.1", &[("forwarded", &quoted)]),
                "198.51.100.9"
            );
        }
        // Nor do bytes that are no text.
        let mut map = HeaderMap::new();
        let value = http::HeaderValue::from_bytes(b"\xff\xfe, 198.51.100.9").unwrap();
        map.append("x-forwarded-for", value);
        let found = TrustedProxies::private().client("10.0.0.1".parse().ok(), &map);
        assert_eq!(found.unwrap().to_string(), "198.51.100.9");
        let trusted = "10.0.0.2, ".repeat(5_000) + "10.0.0.3";
        assert_eq!(
            client("10.0.0.1", &[("x-forwarded-for", &trusted)]),
            "10.0.0.2"
        );
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        let error = TrustedProxies::none().and("10.0.0.0/99").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"expected an address such as 10.0.0.1 or a range such as 10.0.0.0/8, got "10.0.0.0/99""#
        );
    }
}
