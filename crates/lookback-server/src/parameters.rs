//! The parameters of queries: which a path takes, and what a client sent.
//!
//! A path lists the parameters that it takes; a client that sends another gets an error, and the
//! document of the API has the same list.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use lookback::query::Bucket;
use lookback::value::parse_time;
use lookback::{Error, Filter, Json, Model, QueryBuilder, json};
use lookback_json::form;

use crate::problem::{Kind, Problem, WrongField};

/// The largest limit of a page.
pub(crate) const MAX_LIMIT: u64 = 10_000;
/// The records of a page, if a client does not say how many.
pub(crate) const DEFAULT_LIMIT: u32 = 50;
/// The most lines before and after one.
const MAX_LINES: u64 = 500;
/// The most of the last records, before those that arrive.
const MAX_LAST: u64 = 10_000;

/// A parameter that is no filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    Search,
    Hits,
    Fold,
    OrderBy,
    Limit,
    /// A limit of all records, and not of a page.
    Most,
    Offset,
    After,
    Before,
    Total,
    Deleted,
    Hard,
    Measure,
    By,
    Top,
    Bucket,
    NewSince,
    Exact,
    Lines,
    Last,
    Format,
    Fields,
    ForSpreadsheets,
    From,
    Until,
    Compare,
    Percentiles,
    Latency,
}

/// What a path takes in its query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Takes {
    pub(crate) parameters: &'static [Parameter],
    /// Whether every other parameter is a filter.
    pub(crate) filters: bool,
}

impl Takes {
    /// Filters, and these.
    pub(crate) const fn filters_and(parameters: &'static [Parameter]) -> Self {
        Self {
            parameters,
            filters: true,
        }
    }

    /// These alone.
    pub(crate) const fn only(parameters: &'static [Parameter]) -> Self {
        Self {
            parameters,
            filters: false,
        }
    }
}

impl Parameter {
    pub(crate) const ALL: [Self; 28] = [
        Self::Search,
        Self::Hits,
        Self::Fold,
        Self::OrderBy,
        Self::Limit,
        Self::Most,
        Self::Offset,
        Self::After,
        Self::Before,
        Self::Total,
        Self::Deleted,
        Self::Hard,
        Self::Measure,
        Self::By,
        Self::Top,
        Self::Bucket,
        Self::NewSince,
        Self::Exact,
        Self::Lines,
        Self::Last,
        Self::Format,
        Self::Fields,
        Self::ForSpreadsheets,
        Self::From,
        Self::Until,
        Self::Compare,
        Self::Percentiles,
        Self::Latency,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Hits => "hits",
            Self::Fold => "fold",
            Self::OrderBy => "order_by",
            Self::Limit | Self::Most => "limit",
            Self::Offset => "offset",
            Self::After => "after",
            Self::Before => "before",
            Self::Total => "total",
            Self::Deleted => "deleted",
            Self::Hard => "hard",
            Self::Measure => "measure",
            Self::By => "by",
            Self::Top => "top",
            Self::Bucket => "bucket",
            Self::NewSince => "new_since",
            Self::Exact => "exact",
            Self::Lines => "lines",
            Self::Last => "last",
            Self::Format => "format",
            Self::Fields => "fields",
            Self::ForSpreadsheets => "for_spreadsheets",
            Self::From => "from",
            Self::Until => "until",
            Self::Compare => "compare",
            Self::Percentiles => "percentiles",
            Self::Latency => "latency",
        }
    }

    /// What it does, in a sentence of the document.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Search => {
                "Words, \"phrases\", -exclusions and field:value. A list has the best hits first; \
                 counts and exports have the records with all the words."
            }
            Self::Hits => "Adds `hit` to each record: its score, why it was found, and where.",
            Self::Fold => {
                "Makes one row of the hits that differ only in numbers and ids, with their number."
            }
            Self::OrderBy => {
                "Fields to order by; `-field` for descending, `field__nullsfirst` for NULL first."
            }
            Self::Limit => "The most records of the page: 50 by default, and 1,000 of a trace.",
            Self::Most => "The most records; by default all.",
            Self::Offset => "The number of records to skip.",
            Self::After => {
                "The cursor `metadata.next` of another page; of a tail, the id of the last event."
            }
            Self::Before => "The cursor `metadata.previous` of another page.",
            Self::Total => "How records are counted: exactly, not at all, or up to a number.",
            Self::Deleted => "Whether deleted records are seen.",
            Self::Hard => "Whether the record is deleted for good.",
            Self::Measure => {
                "What is computed: count, field__avg, __sum, __min, __max, __p95 (any percentile), \
                 __distinct."
            }
            Self::By => {
                "Fields to group by; a time in buckets: created_at__5m, __1h, __day, \
                 __month@Europe/Berlin."
            }
            Self::Top => "Only this many groups, those with the largest first measure.",
            Self::Bucket => {
                "The length of the buckets of time: 1m, 5m, 1h, day, week, month, quarter, year; \
                 with a zone, day@Europe/Berlin."
            }
            Self::NewSince => "Only patterns whose first record is of this time or later.",
            Self::Exact => "Reads every record, instead of the counts of sealed ones.",
            Self::Lines => "The most lines before, and after, the line.",
            Self::Last => "How many of the last records come first.",
            Self::Format => "The format of the export.",
            Self::Fields => "The fields to write, in this order; by default all.",
            Self::ForSpreadsheets => {
                "With csv: puts a ' before text that a spreadsheet would take as a formula."
            }
            Self::From => "The start of the time: RFC 3339, -1h, today.",
            Self::Until => "The end of the time, which is not part of it.",
            Self::Compare => "Adds the same for the time before, which is as long.",
            Self::Percentiles => "The percentiles of the latency, whole numbers from 0 to 100.",
            Self::Latency => {
                "Adds how many requests took how long: pairs of milliseconds and requests."
            }
        }
    }

    /// Whether it is a list with commas between its items.
    pub(crate) const fn is_list(self) -> bool {
        matches!(
            self,
            Self::OrderBy | Self::Measure | Self::By | Self::Fields | Self::Percentiles
        )
    }

    /// Its schema in the document.
    pub(crate) fn schema(self) -> Json {
        let texts = || json!({ "type": "array", "items": { "type": "string" } });
        let flag = || json!({ "type": "boolean", "default": false });
        match self {
            Self::Search | Self::After | Self::Before => json!({ "type": "string" }),
            Self::Hits | Self::Fold | Self::Hard | Self::Exact => flag(),
            Self::ForSpreadsheets | Self::Latency => flag(),
            Self::OrderBy | Self::Measure | Self::By | Self::Fields => texts(),
            Self::Limit => json!({ "type": "integer", "minimum": 0, "maximum": MAX_LIMIT }),
            Self::Most => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
            Self::Offset => json!({ "type": "integer", "minimum": 0, "default": 0 }),
            Self::Total => json!({
                "anyOf": [
                    { "enum": ["exact", "none"] },
                    { "type": "integer", "minimum": 0 },
                ],
            }),
            Self::Deleted => json!({ "enum": ["without", "with", "only"], "default": "without" }),
            Self::Top => json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT }),
            Self::Bucket => json!({ "type": "string", "default": "1h" }),
            Self::NewSince | Self::From | Self::Until => time_schema(),
            Self::Lines => {
                json!({ "type": "integer", "minimum": 0, "maximum": MAX_LINES, "default": 20 })
            }
            Self::Last => {
                json!({ "type": "integer", "minimum": 0, "maximum": MAX_LAST, "default": 0 })
            }
            Self::Format => json!({ "type": "string", "default": "jsonl" }),
            Self::Compare => json!({ "enum": ["none", "previous"], "default": "none" }),
            Self::Percentiles => json!({
                "type": "array",
                "items": { "type": "integer", "minimum": 0, "maximum": 100 },
                "default": [50, 95, 99],
            }),
        }
    }
}

/// The schema of a time in text.
pub(crate) fn time_schema() -> Json {
    json!({
        "anyOf": [
            { "type": "string", "format": "date-time" },
            { "type": "string", "pattern": "^[+-][0-9]{1,6}[smhdw]$" },
            { "enum": ["now", "today", "yesterday"] },
        ],
    })
}

/// Which records are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deleted {
    #[default]
    Without,
    With,
    Only,
}

/// The parameters of a query.
#[derive(Default)]
pub(crate) struct Parameters {
    pub(crate) search: Option<String>,
    pub(crate) hits: bool,
    pub(crate) fold: bool,
    pub(crate) order_by: Vec<String>,
    pub(crate) limit: Option<u32>,
    pub(crate) offset: u64,
    pub(crate) after: Option<String>,
    pub(crate) before: Option<String>,
    /// The number to count to; `None` for an exact total.
    pub(crate) total: Option<u64>,
    pub(crate) deleted: Deleted,
    pub(crate) is_hard: bool,
    pub(crate) measures: Vec<String>,
    pub(crate) by: Option<Vec<String>>,
    pub(crate) top: Option<u32>,
    pub(crate) bucket: Option<String>,
    pub(crate) new_since: Option<DateTime<Utc>>,
    pub(crate) exact: bool,
    pub(crate) lines: Option<u32>,
    pub(crate) format: Option<String>,
    pub(crate) fields: Vec<String>,
    pub(crate) for_spreadsheets: bool,
    pub(crate) from: Option<DateTime<Utc>>,
    pub(crate) until: Option<DateTime<Utc>>,
    pub(crate) compare: bool,
    pub(crate) percentiles: Option<Vec<u8>>,
    pub(crate) latency: bool,
    pub(crate) last: u32,
    /// The others, as they were sent.
    filters: Vec<String>,
}

impl Parameters {
    /// Parses a query.
    pub(crate) fn parse(query: Option<&str>, takes: Takes) -> Result<Self, Problem> {
        let now = Utc::now();
        let mut parameters = Self::default();
        let mut wrong = Vec::new();
        let mut seen: Vec<Parameter> = Vec::new();
        let pairs = query.unwrap_or_default().split('&');
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Two may have one name, of which a path takes one.
            let known = takes.parameters.iter().chain(&Parameter::ALL).copied();
            let known = { known }.find(|known| known.name() == name);
            let taken = match known {
                Some(known) if !takes.parameters.contains(&known) => Err(not_taken(takes)),
                Some(known) if seen.contains(&known) && !known.is_list() => {
                    Err("is given twice".to_owned())
                }
                Some(known) => {
                    seen.push(known);
                    form::try_decoded(value)
                        .map_err(str::to_owned)
                        .and_then(|value| parameters.take(known, &value, now))
                }
                None if takes.filters => {
                    parameters.filters.push(pair.to_owned());
                    Ok(())
                }
                None => Err(not_taken(takes)),
            };
            if let Err(problem) = taken {
                wrong.push(WrongField {
                    record: None,
                    field: form::decoded(name),
                    problem,
                });
            }
        }
        if parameters.after.is_some() && parameters.before.is_some() {
            wrong.push(WrongField {
                record: None,
                field: Parameter::Before.name().to_owned(),
                problem: "cannot be combined with after: give one of them".to_owned(),
            });
        }
        if wrong.is_empty() {
            return Ok(parameters);
        }
        Err(wrong_parameters(wrong))
    }

    fn take(&mut self, name: Parameter, value: &str, now: DateTime<Utc>) -> Result<(), String> {
        let number = |least: u64, most: u64| {
            let number = value.parse().ok();
            let number = number.filter(|number: &u64| (least..=most).contains(number));
            number.ok_or_else(|| format!("expected a number from {least} to {most}, got {value}"))
        };
        // All of them are below the largest.
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let flag = || match value {
            "true" | "1" | "" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(format!("expected true or false, got {other}")),
        };
        let time = || parse_time(value, now).map_err(|problem| problem.to_string());
        let items = || value.split(',').map(|item| item.trim().to_owned());
        const ANY: u64 = i64::MAX.unsigned_abs();
        match name {
            Parameter::Search if value.contains('\0') => {
                return Err("contains a NUL character, which no record contains".to_owned());
            }
            Parameter::Search => self.search = Some(value.to_owned()),
            Parameter::Hits => self.hits = flag()?,
            Parameter::Fold => self.fold = flag()?,
            Parameter::OrderBy => self.order_by.extend(items()),
            Parameter::Limit => self.limit = Some(small(number(0, MAX_LIMIT)?)),
            Parameter::Most => self.limit = Some(small(number(0, u64::from(u32::MAX))?)),
            Parameter::Offset => self.offset = number(0, ANY)?,
            Parameter::After => self.after = Some(value.to_owned()),
            Parameter::Before => self.before = Some(value.to_owned()),
            Parameter::Total => {
                self.total = match value {
                    "exact" => None,
                    "none" => Some(0),
                    _ => Some(number(0, ANY).map_err(|_| {
                        "expected exact, none, or the number to count to".to_owned()
                    })?),
                }
            }
            Parameter::Deleted => {
                self.deleted = match value {
                    "without" => Deleted::Without,
                    "with" => Deleted::With,
                    "only" => Deleted::Only,
                    other => return Err(format!("expected without, with or only, got {other}")),
                }
            }
            Parameter::Hard => self.is_hard = flag()?,
            Parameter::Measure => self.measures.extend(items()),
            Parameter::By => {
                let by = self.by.get_or_insert_with(Vec::new);
                // Nothing is no group.
                by.extend(items().filter(|field| !field.is_empty()));
            }
            Parameter::Top => self.top = Some(small(number(1, MAX_LIMIT)?)),
            Parameter::Bucket => {
                // What is wrong with it is named by this parameter, and not by the field.
                let _bucket: Bucket = value
                    .parse()
                    .map_err(|problem: lookback::value::Problem| problem.to_string())?;
                self.bucket = Some(value.to_owned());
            }
            Parameter::NewSince => self.new_since = Some(time()?),
            Parameter::Exact => self.exact = flag()?,
            Parameter::Lines => self.lines = Some(small(number(0, MAX_LINES)?)),
            Parameter::Last => self.last = small(number(0, MAX_LAST)?),
            Parameter::Format => self.format = Some(value.to_owned()),
            Parameter::Fields => self.fields.extend(items()),
            Parameter::ForSpreadsheets => self.for_spreadsheets = flag()?,
            Parameter::From => self.from = Some(time()?),
            Parameter::Until => self.until = Some(time()?),
            Parameter::Compare => {
                self.compare = match value {
                    "previous" => true,
                    "none" => false,
                    other => return Err(format!("expected previous or none, got {other}")),
                }
            }
            Parameter::Percentiles => {
                let percentiles = self.percentiles.get_or_insert_with(Vec::new);
                for item in items() {
                    let percent: Option<u8> = item.parse().ok().filter(|percent| *percent <= 100);
                    percentiles.push(percent.ok_or_else(|| {
                        format!("expected whole numbers from 0 to 100, got {item}")
                    })?);
                }
            }
            Parameter::Latency => self.latency = flag()?,
        }
        Ok(())
    }

    /// Returns which records are seen, and nothing else.
    pub(crate) fn without_filters(&self) -> Self {
        Self {
            deleted: self.deleted,
            ..Self::default()
        }
    }

    /// What restricts the records, as text: the same text for the same records.
    pub(crate) fn restriction(&self) -> String {
        format!("{:?} {}", self.deleted, self.filters.join("&"))
    }

    /// Returns the query of the filters.
    pub(crate) fn filtered<M: Model>(&self) -> Result<QueryBuilder<M>, Problem> {
        let mut query = QueryBuilder::new();
        if !self.filters.is_empty() {
            let filter = Filter::from_query(&self.filters.join("&")).map_err(invalid)?;
            query = query.filter(filter);
        }
        Ok(match self.deleted {
            Deleted::Without => query,
            Deleted::With => query.with_deleted(),
            Deleted::Only => query.only_deleted(),
        })
    }

    /// Returns the query of the filters and of all words of the search, to count or to export.
    pub(crate) fn matching<M: Model>(&self) -> Result<QueryBuilder<M>, Problem> {
        let query = self.filtered()?;
        Ok(match &self.search {
            Some(words) => query.matching_search(words),
            None => query,
        })
    }

    /// Adds the page to a query.
    pub(crate) fn paged<M: Model>(
        &self,
        mut query: QueryBuilder<M>,
    ) -> Result<QueryBuilder<M>, Problem> {
        query = query
            .limit(self.limit.unwrap_or(DEFAULT_LIMIT))
            .offset(self.offset);
        if let Some(cursor) = &self.after {
            query = query.after(cursor.as_str());
        }
        if let Some(cursor) = &self.before {
            query = query.before(cursor.as_str());
        }
        if let Some(records) = self.total {
            query = query.total_up_to(records);
        }
        self.ordered(query)
    }

    /// Adds the order to a query.
    pub(crate) fn ordered<M: Model>(
        &self,
        mut query: QueryBuilder<M>,
    ) -> Result<QueryBuilder<M>, Problem> {
        for order in &self.order_by {
            query = query.order_by_text(order).map_err(invalid)?;
        }
        Ok(query)
    }
}

/// The parameter of a path.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(Kind::NotFound, "the path is not UTF-8"))?;
        Ok(Self(text))
    }
}

fn not_taken(takes: Takes) -> String {
    let names: Vec<&str> = takes.parameters.iter().map(|known| known.name()).collect();
    match (names.is_empty(), takes.filters) {
        (true, _) => "is no parameter of this path, which takes none".to_owned(),
        (false, true) => format!(
            "is no parameter of this path, which takes filters, {}",
            names.join(", ")
        ),
        (false, false) => format!(
            "is no parameter of this path, which takes {}",
            names.join(", ")
        ),
    }
}

/// The problem of parameters that are wrong.
pub(crate) fn wrong_parameters(wrong: Vec<WrongField>) -> Problem {
    let texts = wrong.iter();
    let texts: Vec<String> = texts
        .map(|wrong| format!("{}: {}", wrong.field, wrong.problem))
        .collect();
    Problem::new(Kind::InvalidQuery, texts.join("; ")).with_fields(wrong)
}

/// The problem of a parameter that is wrong.
pub(crate) fn wrong_parameter(name: &str, problem: impl Into<String>) -> Problem {
    wrong_parameters(vec![WrongField {
        record: None,
        field: name.to_owned(),
        problem: problem.into(),
    }])
}

/// The problem of an error, of which invalid fields are parameters.
pub(crate) fn invalid(error: Error) -> Problem {
    Problem::of(&error, Kind::InvalidQuery)
}

#[cfg(test)]
mod tests {
    use lookback::{Log, Metric, Model, RequestSnapshot, User};

    use super::{Parameter, Parameters, Takes};

    #[test]
    fn no_field_has_the_name_of_a_parameter() {
        fn check<M: Model>() {
            for column in M::TABLE.columns() {
                let names = Parameter::ALL.map(Parameter::name);
                assert!(!names.contains(&column.name()), "{}", column.name());
            }
        }
        check::<Log>();
        check::<RequestSnapshot>();
        check::<Metric>();
        check::<User>();
    }

    #[test]
    fn parameters_that_a_path_does_not_take_are_refused() {
        let takes = Takes::only(&[Parameter::Deleted]);
        for (query, expected) in [
            (
                "limit=1",
                "limit: is no parameter of this path, which takes deleted",
            ),
            (
                "level=error",
                "level: is no parameter of this path, which takes deleted",
            ),
            ("deleted=with&deleted=with", "deleted: is given twice"),
        ] {
            let problem = Parameters::parse(Some(query), takes).err().unwrap();
            assert_eq!(problem.detail(), expected);
        }
        assert!(Parameters::parse(Some("deleted=only"), takes).is_ok());
        assert!(Parameters::parse(None, takes).is_ok());
    }
}
