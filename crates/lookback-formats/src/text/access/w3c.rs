//! Logs in W3C's extended format, as of CloudFront and IIS: a line names the columns of those
//! behind it.

use std::borrow::Cow;

use super::draft_of;
use crate::Format;
use lookback_json::form::{decoded, parameters};

use crate::draft::{Draft, Request, insert_beside};
use crate::time::Rules;

/// The names of the columns.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    names: Vec<Cow<'static, str>>,
    separator: char,
}

/// The columns of IIS and of CloudFront, of lines whose head was not read.
const IIS: [&str; 15] = [
    "date",
    "time",
    "s-ip",
    "cs-method",
    "cs-uri-stem",
    "cs-uri-query",
    "s-port",
    "cs-username",
    "c-ip",
    "cs(User-Agent)",
    "cs(Referer)",
    "sc-status",
    "sc-substatus",
    "sc-win32-status",
    "time-taken",
];
const CLOUDFRONT: [&str; 33] = [
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
    "cs(Referer)",
    "cs(User-Agent)",
    "cs-uri-query",
    "cs(Cookie)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "fle-status",
    "fle-encrypted-fields",
    "c-port",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
];

impl Columns {
    /// Reads `#Fields: date time cs-method …`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        const MAX_COLUMNS: usize = 1_024;
        let names: Vec<_> = line
            .strip_prefix("#Fields:")?
            .split_whitespace()
            .take(MAX_COLUMNS)
            .map(|name| Cow::Owned(name.to_owned()))
            .collect();
        let has_date = names.iter().any(|name| name == "date");
        // CloudFront separates the names by blanks, and the values by tabs.
        let is_tabbed = line.contains('\t') || names.iter().any(|name| name == "x-edge-location");
        let separator = if is_tabbed { '\t' } else { ' ' };
        has_date.then_some(Self { names, separator })
    }

    /// Returns the columns of a line whose head was not read, such as behind the place where an
    /// import goes on.
    fn of_line(line: &str) -> Option<Self> {
        let (names, separator): (&[&'static str], char) = match line.as_bytes().get(10)? {
            b'\t' => (&CLOUDFRONT, '\t'),
            b' ' => (&IIS, ' '),
            _ => return None,
        };
        let is_separator = |byte: &u8| char::from(*byte) == separator;
        let count = line.bytes().filter(|byte| is_separator(byte)).count() + 1;
        (count == names.len()).then(|| Self {
            names: names.iter().map(|name| Cow::Borrowed(*name)).collect(),
            separator,
        })
    }
}

/// Whether a line is one of those above the records.
pub(crate) fn is_directive(line: &str) -> bool {
    const NAMES: [&str; 8] = [
        "Version",
        "Fields",
        "Software",
        "Date",
        "Start-Date",
        "End-Date",
        "Remark",
        "GMT-Offset",
    ];
    let name = line.strip_prefix('#').and_then(|line| line.split_once(':'));
    name.is_some_and(|(name, _)| NAMES.contains(&name))
}

/// Reads a line, with the columns that were read last.
pub(crate) fn decode(line: &str, columns: Option<&Columns>, rules: Rules<'_>) -> Option<Draft> {
    let bytes = line.as_bytes();
    let starts_with_date = bytes.first()?.is_ascii_digit()
        && bytes.get(4) == Some(&b'-')
        && matches!(bytes.get(10), Some(b' ' | b'\t'));
    match columns {
        Some(columns) => of_columns(line, columns, rules),
        None if starts_with_date => {
            // Any other line may have as many words.
            let draft = of_columns(line, &Columns::of_line(line)?, rules)?;
            let request = draft.request.as_ref()?;
            request
                .status
                .filter(|_| super::is_method(&request.method))?;
            Some(draft)
        }
        None => None,
    }
}

fn of_columns(line: &str, columns: &Columns, rules: Rules<'_>) -> Option<Draft> {
    let Columns { names, separator } = columns;
    let values: Vec<&str> = line.split(*separator).collect();
    let value = |name: &str| {
        let at = names.iter().position(|column| column == name)?;
        values.get(at).copied().filter(|value| *value != "-")
    };
    // A line that is cut, or of something else.
    if values.len() != names.len() {
        return None;
    }
    let mut draft = Draft::new(Format::W3c);
    let time = match value("time") {
        Some(time) => format!("{}T{time}Z", value("date")?),
        None => format!("{}T00:00:00Z", value("date")?),
    };
    if !draft.read_time(rules.time_of_text(&time)) {
        return None;
    }
    let mut request = Request::default();
    for (name, value) in names.iter().zip(&values) {
        if *value == "-" || value.is_empty() {
            continue;
        }
        match &**name {
            "date" | "time" => {}
            "cs-method" => request.method = (*value).to_owned(),
            "cs-uri-stem" | "cs-uri" => request.target = (*value).to_owned(),
            "cs-uri-query" => request.query = Some(parameters(value)),
            "cs-username" => request.user_id = Some((*value).to_owned()),
            "cs-host" => {
                let host = (*value).into();
                insert_beside(&mut request.headers, "field", "host".to_owned(), host);
            }
            "x-forwarded-for" => {
                request.headers.insert((**name).to_owned(), (*value).into());
            }
            "sc-status" => match value.parse() {
                Ok(status @ 100..=599) => request.status = Some(status),
                // There was no response.
                _ => {
                    draft.meta.insert((**name).to_owned(), (*value).into());
                }
            },
            "time-taken" => {
                let number: Option<f64> = value.parse().ok();
                // CloudFront writes seconds, and IIS milliseconds.
                let per_unit = if value.contains('.') { 1000.0 } else { 1.0 };
                request.duration = number.map(|number| number * per_unit);
                let is_exact = request
                    .duration
                    .is_some_and(|ms| (ms - ms.round()).abs() < 1e-6);
                if !is_exact {
                    draft.meta.insert((**name).to_owned(), (*value).into());
                }
            }
            name => {
                let header = |start: &str| {
                    let name = name.strip_prefix(start)?.strip_suffix(')')?;
                    Some(name.to_ascii_lowercase())
                };
                if let Some(header) = header("cs(") {
                    // IIS writes a plus for a blank, and CloudFront `%20`.
                    let value = match header.as_str() {
                        "user-agent" | "cookie" => decoded(value),
                        _ => (*value).to_owned(),
                    };
                    insert_beside(&mut request.headers, "field", header, value.into());
                } else if let Some(header) = header("sc(") {
                    request.response_headers.insert(header, (*value).into());
                } else {
                    draft.meta.insert(name.to_owned(), (*value).into());
                }
            }
        }
    }
    if request.method.is_empty() && request.target.is_empty() {
        draft.message = Some(line.to_owned());
        return Some(draft);
    }
    Some(draft_of(request, draft))
}
