//! Where a request came from.

use std::fmt;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName};

use crate::record::{Location, LocationSource};

#[cfg(feature = "geoip")]
mod database;

#[cfg(feature = "geoip")]
pub use database::DatabaseError;

/// Finds where a request came from: in the headers of the [platform](Self::platform) that the
/// application names, then in [other headers](Self::headers), then in a
/// database of IP addresses (`Locator::database`, with the feature `geoip`).
///
/// By default nothing is looked at, since anyone can send any header. Headers are believed if the
/// other end of the connection is a [trusted proxy](crate::CaptureBuilder::trusted_proxies), or there
/// is no [hook](crate::CaptureBuilder::peer) that knows it.
#[derive(Debug, Default)]
pub struct Locator {
    platform: Option<Platform>,
    headers: Option<LocationHeaders>,
    #[cfg(feature = "geoip")]
    database: Option<database::Database>,
}

/// A platform that puts the location of the client into headers of the request.
///
/// Each replaces what a client sends under these names, if it sends them at all: switch them on there
/// before it is named here. A client that reaches the application past the platform can send
/// them, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// Google App Engine: `x-appengine-country` and so on.
    AppEngine,
    /// Cloudflare: `cf-ipcountry`, and with the managed transform *Add visitor location headers*
    /// `cf-ipcity` and so on.
    Cloudflare,
    /// Amazon CloudFront: `cloudfront-viewer-country` and so on, which an origin request policy adds.
    CloudFront,
    /// Fastly: `client-geo-country` and so on, as its tutorial sets them in VCL.
    Fastly,
    /// Fly.io: `fly-region`, the region that took the request.
    Fly,
    /// Vercel: `x-vercel-ip-country` and so on.
    Vercel,
}

/// The names of the headers that have a location.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LocationHeaders {
    /// The country.
    pub country: Option<HeaderName>,
    /// The region.
    pub region: Option<HeaderName>,
    /// The city.
    pub city: Option<HeaderName>,
    /// The latitude, in degrees.
    pub latitude: Option<HeaderName>,
    /// The longitude, in degrees.
    pub longitude: Option<HeaderName>,
}

/// The names of the headers of a platform.
struct PlatformHeaders {
    country: &'static str,
    region: &'static str,
    city: &'static str,
    latitude: &'static str,
    /// Empty if the header of the latitude has both.
    longitude: &'static str,
}

impl Platform {
    const fn headers(self) -> PlatformHeaders {
        match self {
            Self::AppEngine => PlatformHeaders {
                country: "x-appengine-country",
                region: "x-appengine-region",
                city: "x-appengine-city",
                latitude: "x-appengine-citylatlong",
                longitude: "",
            },
            Self::Cloudflare => PlatformHeaders {
                country: "cf-ipcountry",
                region: "cf-region",
                city: "cf-ipcity",
                latitude: "cf-iplatitude",
                longitude: "cf-iplongitude",
            },
            Self::CloudFront => PlatformHeaders {
                country: "cloudfront-viewer-country",
                region: "cloudfront-viewer-country-region-name",
                city: "cloudfront-viewer-city",
                latitude: "cloudfront-viewer-latitude",
                longitude: "cloudfront-viewer-longitude",
            },
            Self::Fastly => PlatformHeaders {
                country: "client-geo-country",
                region: "client-geo-region",
                city: "client-geo-city",
                latitude: "client-geo-latitude",
                longitude: "client-geo-longitude",
            },
            Self::Fly => PlatformHeaders {
                country: "",
                region: "fly-region",
                city: "",
                latitude: "",
                longitude: "",
            },
            Self::Vercel => PlatformHeaders {
                country: "x-vercel-ip-country",
                region: "x-vercel-ip-country-region",
                city: "x-vercel-ip-city",
                latitude: "x-vercel-ip-latitude",
                longitude: "x-vercel-ip-longitude",
            },
        }
    }
}

impl Locator {
    /// Creates a locator that looks at nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the headers of the platform that the application runs on, or behind.
    #[must_use]
    pub fn platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// Looks at these headers, too.
    #[must_use]
    pub fn headers(mut self, headers: LocationHeaders) -> Self {
        self.headers = Some(headers);
        self
    }

    /// Looks up the address of the client in a database in the format of MaxMind (`.mmdb`), such as
    /// `GeoLite2-City.mmdb`. A file that is replaced is read again within ten seconds.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no such database.
    #[cfg(feature = "geoip")]
    pub fn database(mut self, path: impl Into<std::path::PathBuf>) -> Result<Self, DatabaseError> {
        self.database = Some(database::Database::open(path.into())?);
        Ok(self)
    }

    /// Reads files again that were replaced. It is called on the thread that stores.
    #[cfg_attr(
        not(feature = "geoip"),
        expect(clippy::unused_self, reason = "as with the feature")
    )]
    pub(crate) fn refresh(&self) {
        #[cfg(feature = "geoip")]
        if let Some(database) = &self.database {
            database.refresh();
        }
    }

    pub(crate) fn locate(
        &self,
        headers: &HeaderMap,
        believes_headers: bool,
        client: Option<IpAddr>,
    ) -> Location {
        let by_headers = || {
            if !believes_headers {
                return None;
            }
            let platform = self
                .platform
                .and_then(|platform| platform.headers().locate(headers));
            platform.or_else(|| self.headers.as_ref()?.locate(headers))
        };
        by_headers()
            .or_else(|| self.by_address(client))
            .unwrap_or_default()
    }

    #[cfg(feature = "geoip")]
    fn by_address(&self, client: Option<IpAddr>) -> Option<Location> {
        self.database.as_ref()?.locate(client?)
    }

    #[cfg(not(feature = "geoip"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn by_address(&self, _client: Option<IpAddr>) -> Option<Location> {
        None
    }
}

impl PlatformHeaders {
    fn locate(&self, headers: &HeaderMap) -> Option<Location> {
        let coordinates = if self.longitude.is_empty() {
            text(headers, self.latitude).and_then(|both| {
                let (latitude, longitude) = both.split_once(',')?;
                coordinates(latitude, longitude)
            })
        } else {
            let pair = (text(headers, self.latitude), text(headers, self.longitude));
            pair.0.zip(pair.1).and_then(|(a, b)| coordinates(&a, &b))
        };
        located(Location {
            country: text(headers, self.country),
            region: text(headers, self.region),
            city: text(headers, self.city),
            coordinates,
            source: LocationSource::Platform,
        })
    }
}

impl LocationHeaders {
    fn locate(&self, headers: &HeaderMap) -> Option<Location> {
        let text = |name: &Option<HeaderName>| text(headers, name.as_ref()?.as_str());
        let pair = text(&self.latitude).zip(text(&self.longitude));
        located(Location {
            country: text(&self.country),
            region: text(&self.region),
            city: text(&self.city),
            coordinates: pair.and_then(|(latitude, longitude)| coordinates(&latitude, &longitude)),
            source: LocationSource::Header,
        })
    }
}

fn located(location: Location) -> Option<Location> {
    let is_known = location.country.is_some()
        || location.region.is_some()
        || location.city.is_some()
        || location.coordinates.is_some();
    is_known.then_some(location)
}

/// Reads a header, which may be percent-encoded or Latin-1. `None` if it says that it does not know.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    const MOST: usize = 256;
    if name.is_empty() {
        return None;
    }
    let value = headers.get(name)?.as_bytes();
    let decoded = percent_encoding::percent_decode(value).decode_utf8();
    let text = decoded.map_or_else(
        |_| value.iter().map(|byte| char::from(*byte)).collect(),
        std::borrow::Cow::into_owned,
    );
    let text = text.trim();
    let is_unknown =
        text.is_empty() || text.len() > MOST || matches!(text, "?" | "XX" | "ZZ" | "T1");
    (!is_unknown && !text.contains(char::is_control)).then(|| text.to_owned())
}

fn coordinates(latitude: &str, longitude: &str) -> Option<(f64, f64)> {
    let latitude: f64 = latitude.trim().parse().ok()?;
    let longitude: f64 = longitude.trim().parse().ok()?;
    let is_on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
    is_on_earth.then_some((latitude, longitude))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.city, &self.region, &self.country];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName};

    use super::{LocationHeaders, Locator, Platform};
    use crate::record::{Location, LocationSource};

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.insert(*name, http::HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    fn found(platform: Platform, pairs: &[(&'static str, &[u8])]) -> Location {
        let locator = Locator::new().platform(platform);
        locator.locate(&headers(pairs), true, None)
    }

    #[test]
    fn each_platform_is_known_by_its_headers() {
        let zurich = |country: &str, region: Option<&str>| Location {
            country: Some(country.to_owned()),
            region: region.map(str::to_owned),
            city: Some("Zürich".to_owned()),
            coordinates: Some((47.36, 8.55)),
            source: LocationSource::Platform,
        };
        let cloudflare: &[(&str, &[u8])] = &[
            ("cf-ipcountry", b"CH"),
            ("cf-region", "Zürich".as_bytes()),
            ("cf-ipcity", "Zürich".as_bytes()),
            ("cf-iplatitude", b"47.36"),
            ("cf-iplongitude", b"8.55"),
        ];
        assert_eq!(
            found(Platform::Cloudflare, cloudflare),
            zurich("CH", Some("Zürich"))
        );
        let vercel: &[(&str, &[u8])] = &[
            ("x-vercel-ip-country", b"CH"),
            ("x-vercel-ip-country-region", b"ZH"),
            ("x-vercel-ip-city", b"Z%C3%BCrich"),
            ("x-vercel-ip-latitude", b"47.36"),
            ("x-vercel-ip-longitude", b"8.55"),
        ];
        assert_eq!(found(Platform::Vercel, vercel), zurich("CH", Some("ZH")));
        let cloudfront: &[(&str, &[u8])] = &[
            ("cloudfront-viewer-country", b"CH"),
            ("cloudfront-viewer-city", b"Z\xfcrich"),
            ("cloudfront-viewer-latitude", b"47.36"),
            ("cloudfront-viewer-longitude", b"8.55"),
        ];
        assert_eq!(found(Platform::CloudFront, cloudfront), zurich("CH", None));
        let app_engine: &[(&str, &[u8])] = &[
            ("x-appengine-country", b"CH"),
            ("x-appengine-region", b"zh"),
            ("x-appengine-city", "Zürich".as_bytes()),
            ("x-appengine-citylatlong", b"47.36,8.55"),
        ];
        assert_eq!(
            found(Platform::AppEngine, app_engine),
            zurich("CH", Some("zh"))
        );
        let fly = found(Platform::Fly, &[("fly-region", b"fra")]);
        assert_eq!(
            (fly.region.as_deref(), fly.source),
            (Some("fra"), LocationSource::Platform)
        );
        let fastly = found(
            Platform::Fastly,
            &[("client-geo-country", b"CH"), ("client-geo-city", b"?")],
        );
        assert_eq!((fastly.country.as_deref(), fastly.city), (Some("CH"), None));
    }

    #[test]
    fn what_is_not_known_is_no_location() {
        for (platform, pairs) in [
            (Platform::Cloudflare, ("cf-ipcountry", b"XX".as_slice())),
            (Platform::AppEngine, ("x-appengine-country", b"ZZ")),
            (Platform::AppEngine, ("x-appengine-citylatlong", b"400,8")),
            (Platform::Vercel, ("user-agent", b"curl")),
        ] {
            assert_eq!(found(platform, &[pairs]), Location::default(), "{pairs:?}");
        }
    }

    #[test]
    fn headers_of_a_platform_that_is_not_named_are_not_believed() {
        let cloudflare: &[(&str, &[u8])] = &[("cf-ipcountry", b"CH")];
        assert_eq!(found(Platform::Vercel, cloudflare), Location::default());
        let cloudflare = headers(cloudflare);
        assert_eq!(
            Locator::new().locate(&cloudflare, true, None),
            Location::default()
        );
        let named = Locator::new().platform(Platform::Cloudflare);
        assert_eq!(named.locate(&cloudflare, false, None), Location::default());
    }

    #[test]
    fn own_headers_come_after_those_of_the_platform() {
        let names = LocationHeaders {
            country: Some(HeaderName::from_static("x-country")),
            ..LocationHeaders::default()
        };
        let locator = Locator::new().headers(names);
        let both = headers(&[("x-country", b"DE"), ("cf-ipcountry", b"CH")]);
        let own = locator.locate(&both, true, None);
        assert_eq!(
            (own.country.as_deref(), own.source),
            (Some("DE"), LocationSource::Header)
        );
        let locator = locator.platform(Platform::Cloudflare);
        assert_eq!(
            locator.locate(&both, true, None).country.as_deref(),
            Some("CH")
        );
    }
}
