//! Places of a response that are not compared.

use std::fmt;
use std::str::FromStr;

use super::json_diff::PathStep;
use crate::value::Json;

/// Headers of responses that are never compared: they differ from response to response, say how a
/// body was sent, or follow from the body.
pub const IGNORED_HEADERS: [&str; 26] = [
    "age",
    "alt-svc",
    "cf-ray",
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "etag",
    "expires",
    "keep-alive",
    "last-modified",
    "nel",
    "proxy-connection",
    "report-to",
    "server-timing",
    "set-cookie",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "via",
    "x-amzn-trace-id",
    "x-correlation-id",
    "x-request-id",
    "x-response-time",
    "x-runtime",
];

/// A place of a response that is not compared, with all that is within it.
///
/// | text | place |
/// |---|---|
/// | `status` | the status |
/// | `headers.date`, `headers.x-*`, `headers` | a header, those whose names begin so, all of them |
/// | `$.user.seen_at` | a value in the JSON body |
/// | `$.items[*].updated_at`, `$.items[0]` | each item of an array, one of them |
/// | `$.*.id` | any member |
/// | `$..updated_at` | a member at any depth |
/// | `$["a key"]` | a member whose name has other letters |
/// | `$`, `body` | the whole body |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreRule(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Status,
    /// The name of a header, or the start of several.
    Header {
        name: String,
        is_start: bool,
    },
    Body(Vec<RuleStep>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RuleStep {
    Key(String),
    Index(usize),
    Any,
    AnyDepth,
}

/// A text that is not a place of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreRuleError(String);

impl fmt::Display for IgnoreRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected status, headers.NAME, or a path into the body such as $.items[*].updated_at, \
             got `{}`",
            self.0
        )
    }
}

impl std::error::Error for IgnoreRuleError {}

impl FromStr for IgnoreRule {
    type Err = IgnoreRuleError;

    fn from_str(text: &str) -> Result<Self, IgnoreRuleError> {
        let error = || IgnoreRuleError(text.to_owned());
        let rule = match text {
            "status" => Rule::Status,
            "headers" => Rule::Header {
                name: String::new(),
                is_start: true,
            },
            "body" => Rule::Body(Vec::new()),
            _ => {
                if let Some(name) = text.strip_prefix("headers.") {
                    let (name, is_start) = match name.strip_suffix('*') {
                        Some(start) => (start, true),
                        None => (name, false),
                    };
                    if name.contains('*') || name.is_empty() && !is_start {
                        return Err(error());
                    }
                    let name = name.to_ascii_lowercase();
                    Rule::Header { name, is_start }
                } else if let Some(path) = text.strip_prefix('$') {
                    Rule::Body(steps(path).ok_or_else(error)?)
                } else {
                    return Err(error());
                }
            }
        };
        Ok(Self(rule))
    }
}

fn steps(mut path: &str) -> Option<Vec<RuleStep>> {
    let mut steps = Vec::new();
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix('[') {
            let (step, rest) = bracketed(rest)?;
            steps.push(step);
            path = rest;
            continue;
        }
        let rest = path.strip_prefix('.')?;
        let rest = match rest.strip_prefix('.') {
            Some(rest) => {
                steps.push(RuleStep::AnyDepth);
                rest
            }
            None => rest,
        };
        if rest.starts_with('[') && matches!(steps.last(), Some(RuleStep::AnyDepth)) {
            path = rest;
            continue;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (key, rest) = rest.split_at(end);
        match key {
            "" => return None,
            "*" => steps.push(RuleStep::Any),
            key => steps.push(RuleStep::Key(key.to_owned())),
        }
        path = rest;
    }
    (steps.last() != Some(&RuleStep::AnyDepth)).then_some(steps)
}

/// Reads what is in brackets, and returns the rest behind it.
fn bracketed(text: &str) -> Option<(RuleStep, &str)> {
    if let Some(rest) = text.strip_prefix('\'') {
        let (key, rest) = rest.split_once("']")?;
        return Some((RuleStep::Key(key.to_owned()), rest));
    }
    if text.starts_with('"') {
        // The end of a string of JSON: a quote that is not escaped.
        let mut is_escaped = false;
        let (end, _) = text.char_indices().skip(1).find(|(_, c)| {
            let is_end = *c == '"' && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            is_end
        })?;
        let key: Json = text[..=end].parse().ok()?;
        let rest = text[end + 1..].strip_prefix(']')?;
        return Some((RuleStep::Key(key.as_str()?.to_owned()), rest));
    }
    let (index, rest) = text.split_once(']')?;
    let step = match index {
        "*" => RuleStep::Any,
        index => RuleStep::Index(index.parse().ok()?),
    };
    Some((step, rest))
}

/// Whether a rule leads to a place, or to one around it.
fn leads_to(rule: &[RuleStep], place: &[PathStep]) -> bool {
    let Some((first, rest)) = rule.split_first() else {
        return true;
    };
    if *first == RuleStep::AnyDepth {
        return (0..place.len()).any(|depth| leads_to(rest, &place[depth..]));
    }
    let Some((step, within)) = place.split_first() else {
        return false;
    };
    let is_match = match (first, step) {
        (RuleStep::Key(key), PathStep::Key(name)) => key == name,
        (RuleStep::Index(index), PathStep::Index(number)) => index == number,
        (RuleStep::Any, _) => true,
        _ => false,
    };
    is_match && leads_to(rest, within)
}

/// The places that are not compared.
pub(super) struct Ignored<'a> {
    rules: &'a [IgnoreRule],
}

impl<'a> Ignored<'a> {
    pub(super) fn new(rules: &'a [IgnoreRule]) -> Self {
        Self { rules }
    }

    pub(super) fn status(&self) -> bool {
        self.rules.iter().any(|rule| rule.0 == Rule::Status)
    }

    /// Whether a header is ignored, whose name is in lower case.
    pub(super) fn header(&self, header: &str) -> bool {
        IGNORED_HEADERS.contains(&header)
            || self.rules.iter().any(|rule| match &rule.0 {
                Rule::Header {
                    name,
                    is_start: true,
                } => header.starts_with(name.as_str()),
                Rule::Header { name, .. } => header == name,
                _ => false,
            })
    }

    pub(super) fn body(&self, place: &[PathStep]) -> bool {
        self.rules.iter().any(|rule| match &rule.0 {
            Rule::Body(steps) => leads_to(steps, place),
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{IgnoreRule, Ignored};

    #[test]
    fn invalid_rules_are_refused() {
        for text in [
            "",
            "date",
            "headers.",
            "headers.a*b",
            "$.",
            "$..",
            "$.a..",
            "$[",
            "$[x]",
            "$.a[1",
            "$a",
            "$[\"a]",
            "$['a]",
        ] {
            assert!(text.parse::<IgnoreRule>().is_err(), "{text}");
        }
    }

    #[test]
    fn headers_are_ignored_by_name_and_by_start() {
        let rules = ["headers.X-Served-By", "headers.x-cache*"].map(|rule| rule.parse().unwrap());
        let ignored = Ignored::new(&rules);
        for (name, is_ignored) in [
            ("date", true),
            ("x-served-by", true),
            ("x-served-by-2", false),
            ("x-cache", true),
            ("x-cache-hits", true),
            ("content-type", false),
        ] {
            assert_eq!(ignored.header(name), is_ignored, "{name}");
        }
        assert!(!ignored.status());
    }
}
