//! Settings: which records are captured, and how much of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use lookback_json::secrets::Masking;

use crate::record::Level;

/// Settings of a capture: which records, and how much of them. They can be [changed](crate::Capture::update) at any time.
///
/// ```
/// use std::time::Duration;
/// use lookback_capture::Settings;
///
/// let mut settings = Settings::default();
/// settings.sample_rate = 0.1; // a tenth of the requests, and each that fails or is slow
/// settings.slow = Duration::from_millis(500);
/// settings.ignored_paths.push("/internal/*".to_owned());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Whether requests are captured; true by default.
    pub requests: bool,
    /// Whether events of `tracing` are captured; true by default.
    pub logs: bool,
    /// Whether requests are counted in windows; true by default.
    pub windows: bool,
    /// The share of requests that are captured, from 0 to 1; 1 by default.
    ///
    /// The requests of one trace are captured all or none, in every process with the same rate. A
    /// request that ends in a status of 500 or more, in no response, or is [slow](Self::slow) is
    /// always captured. Windows count each request.
    pub sample_rate: f64,
    /// From this duration on a request is slow; 1 s by default.
    pub slow: Duration,
    /// The most requests of a second that are captured, and of those that fail or are slow as many
    /// more; 300 by default, `None` for all.
    ///
    /// It bounds what capture costs an application under full load. Windows count each request.
    /// What is left out is [counted](crate::KindHealth::over_rate), and reported.
    pub requests_per_second: Option<u32>,
    /// The most log lines of a second that are captured, and of warnings and errors as many more;
    /// 1,500 by default, `None` for all.
    pub logs_per_second: Option<u32>,
    /// Whether headers are captured; true by default.
    pub headers: bool,
    /// Whether bodies of requests are captured; true by default.
    pub request_bodies: bool,
    /// Whether bodies of responses are captured; true by default.
    pub response_bodies: bool,
    /// The most bytes of a body that are kept; 64 KiB by default.
    ///
    /// It limits what is kept of a compressed body, too, and what that is when it is not
    /// compressed. Of a longer body the start is kept, and its size.
    pub body_limit: usize,
    /// Whether bodies that are neither JSON, a form nor text are kept, as base64; false by default:
    /// only their type and size are.
    pub binary_bodies: bool,
    /// The most bytes of a text of a log line: of its message, or of a field. 64 KiB by default.
    pub text_limit: usize,
    /// The least severity of the events that are captured; [`Level::Info`] by default.
    pub level: Level,
    /// Paths of requests that are not captured. `*` stands for any number of characters.
    ///
    /// By default those of health checks and of static files: [`IGNORED_PATHS`].
    pub ignored_paths: Vec<String>,
    /// The starts of the header `user-agent` of clients whose requests are captured only if they
    /// fail: with a status of 400 or more, or no response. Windows count them.
    ///
    /// By default those of probes: [`IGNORED_USER_AGENTS`].
    pub ignored_user_agents: Vec<String>,
    /// The most endpoints that have windows of their own in a minute; 1,000 by default. Requests of
    /// others are counted in one window, `other`.
    ///
    /// A minute has this limit in each process, however often its windows are stored. Each minute begins
    /// with none, so that a client that invents paths does not hide the endpoints of later ones.
    pub endpoints: usize,
    /// Which values are secrets.
    pub masking: Masking,
}

/// The paths that are ignored by default: health checks and static files.
pub const IGNORED_PATHS: &[&str] = &[
    "/health",
    "/healthz",
    "/health/*",
    "/healthcheck",
    "/livez",
    "/live",
    "/liveness",
    "/readyz",
    "/ready",
    "/readiness",
    "/ping",
    "/favicon.ico",
    "/robots.txt",
    "/.well-known/*",
    "*.css",
    "*.js",
    "*.mjs",
    "*.map",
    "*.png",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.svg",
    "*.ico",
    "*.webp",
    "*.avif",
    "*.woff",
    "*.woff2",
    "*.ttf",
];

/// The clients that are ignored by default: probes of platforms and load balancers.
pub const IGNORED_USER_AGENTS: &[&str] = &[
    "kube-probe/",
    "GoogleHC/",
    "ELB-HealthChecker/",
    "Amazon-Route53-Health-Check-Service",
    "Consul Health Check",
    "HealthCheck/",
    "Azure Traffic Manager",
    "AlwaysOn",
];

impl Default for Settings {
    fn default() -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            requests: true,
            logs: true,
            windows: true,
            sample_rate: 1.0,
            slow: Duration::from_secs(1),
            requests_per_second: Some(300),
            logs_per_second: Some(1_500),
            headers: true,
            request_bodies: true,
            response_bodies: true,
            body_limit: 64 * 1024,
            binary_bodies: false,
            text_limit: 64 * 1024,
            level: Level::Info,
            ignored_paths: owned(IGNORED_PATHS),
            ignored_user_agents: owned(IGNORED_USER_AGENTS),
            endpoints: 1_000,
            masking: Masking::default(),
        }
    }
}

/// Settings that are in force, prepared for each request.
#[derive(Debug)]
pub(crate) struct ActiveSettings {
    pub(crate) settings: Arc<Settings>,
    /// Ignored paths without `*`.
    exact: HashSet<String>,
    /// The ends of ignored paths that begin with `*` and have no other.
    ends: Vec<String>,
    others: Vec<String>,
}

impl ActiveSettings {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut active = Self {
            exact: HashSet::new(),
            ends: Vec::new(),
            others: Vec::new(),
            settings: Arc::new(settings),
        };
        for pattern in &active.settings.ignored_paths {
            match pattern.strip_prefix('*') {
                Some(end) if !end.contains('*') => active.ends.push(end.to_owned()),
                None if !pattern.contains('*') => {
                    active.exact.insert(pattern.clone());
                }
                _ => active.others.push(pattern.clone()),
            }
        }
        active
    }

    pub(crate) fn is_ignored(&self, path: &str) -> bool {
        self.exact.contains(path)
            || self.ends.iter().any(|end| path.ends_with(end))
            || self.others.iter().any(|pattern| matches(pattern, path))
    }

    /// Whether a client is a probe.
    pub(crate) fn is_probe(&self, user_agent: &[u8]) -> bool {
        let mut starts = self.settings.ignored_user_agents.iter();
        starts.any(|start| user_agent.starts_with(start.as_bytes()))
    }
}

/// Whether a text has the form of a pattern, in which `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let Some((middle, end)) = rest.rsplit_once('*') else {
        return text.ends_with(rest);
    };
    for part in middle.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::{ActiveSettings, Settings, matches};

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path, expected) in [
            ("/health", "/health", true),
            ("/health", "/health/db", false),
            ("/health/*", "/health/db", true),
            ("*.css", "/a/b.css", true),
            ("*.css", "/a/b.css/c", false),
            ("/a/*/c", "/a/b/c", true),
            ("/a/*/c", "/a/c", false),
            ("/a/*/c/*", "/a/b/c/d", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("/a*a", "/a", false),
            ("*", "", true),
            ("**", "x", true),
            ("", "", true),
            ("", "/", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn health_checks_and_static_files_are_ignored_by_default() {
        let settings = ActiveSettings::new(Settings::default());
        for path in ["/healthz", "/static/app.js", "/.well-known/security.txt"] {
            assert!(settings.is_ignored(path), "{path}");
        }
        assert!(settings.is_probe(b"kube-probe/1.29") && !settings.is_probe(b"curl/8.5"));
        for path in ["/", "/api/health", "/orders/42", "/js"] {
            assert!(!settings.is_ignored(path), "{path}");
        }
    }
}
