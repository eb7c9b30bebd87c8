//! `_lookback` of an entry: the columns of a record that its other fields do not give.

use chrono::{DateTime, Utc};
use lookback::value::{ColumnValue as _, JsonMap, Patch};
use lookback::{Json, NewRequestSnapshot, RequestSnapshotPatch, json};

/// The columns of a record that its other fields do not give.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnColumns {
    patch: RequestSnapshotPatch,
    query: JsonMap,
    headers: JsonMap,
    response_headers: JsonMap,
    /// Columns that have the JSON value `null`.
    json_null: Vec<String>,
}

/// The name of the list of columns that have the JSON value `null`, which is not NULL.
const JSON_NULL: &str = "json_null";
/// The name of the members of an object that differ.
const MEMBERS: &str = "members";

macro_rules! columns {
    ($with:ident) => {
        $with!(
            method,
            path,
            query,
            body,
            headers,
            user_id,
            timestamp,
            version,
            stage,
            status_code,
            response_body,
            response_headers,
            duration,
            geo_country,
            geo_region,
            geo_city,
            geo_lat,
            geo_lon,
            geo_source,
            trace_id
        )
    };
}

/// Returns what makes one record of the other. It is read by [`OwnColumns::new`].
pub(super) fn changes(derived: &NewRequestSnapshot, record: &NewRequestSnapshot) -> JsonMap {
    let mut members = JsonMap::new();
    let mut own = JsonMap::new();
    let mut merged = derived.clone();
    for (name, derived, record) in [
        ("query", &mut merged.query, &record.query),
        ("headers", &mut merged.headers, &record.headers),
        (
            "response_headers",
            &mut merged.response_headers,
            &record.response_headers,
        ),
    ] {
        if let Some(changes) = member_changes(derived.as_ref(), record.as_ref()) {
            members.insert(name.to_owned(), Json::Object(changes));
            derived.clone_from(record);
        }
    }
    macro_rules! add {
        ($($column:ident),+) => {
            $(if merged.$column != record.$column {
                let value = Json::from_serialize(&record.$column).unwrap_or_default();
                own.insert(stringify!($column).to_owned(), value);
            })+
        };
    }
    columns!(add);
    // Serde has another form of times than columns.
    if own.contains_key("timestamp") {
        let time = DateTime::<Utc>::text_of(&record.timestamp.to_value());
        own.insert("timestamp".to_owned(), time.into());
    }
    let json_null = own
        .keys()
        .filter(|name| *column_of(record, name) == Some(Json::Null));
    let json_null: Vec<Json> = json_null.map(|name| name.as_str().into()).collect();
    if !json_null.is_empty() {
        own.insert(JSON_NULL.to_owned(), Json::Array(json_null));
    }
    if !members.is_empty() {
        own.insert(MEMBERS.to_owned(), Json::Object(members));
    }
    own
}

/// Returns a column with JSON.
fn column_of<'a>(record: &'a NewRequestSnapshot, name: &str) -> &'a Option<Json> {
    match name {
        "query" => &record.query,
        "body" => &record.body,
        "headers" => &record.headers,
        "response_body" => &record.response_body,
        "response_headers" => &record.response_headers,
        _ => &None,
    }
}

/// Returns the members of an object that differ, those to remove as NULL; `None` if that does not
/// say it, or is not shorter.
fn member_changes(derived: Option<&Json>, record: Option<&Json>) -> Option<JsonMap> {
    let (Json::Object(derived), Json::Object(record)) = (derived?, record?) else {
        return None;
    };
    let mut changes = JsonMap::new();
    for (name, value) in record {
        if derived.get(name) != Some(value) {
            if value.is_null() {
                return None;
            }
            changes.insert(name.clone(), value.clone());
        }
    }
    for name in derived.keys() {
        if !record.contains_key(name) {
            changes.insert(name.clone(), Json::Null);
        }
    }
    (!changes.is_empty()).then_some(changes)
}

impl OwnColumns {
    /// Reads `_lookback`.
    ///
    /// # Errors
    ///
    /// It has other columns or values.
    pub(crate) fn new(mut own: JsonMap) -> Result<Self, lookback::Error> {
        own.remove("id");
        let mut members = match own.remove(MEMBERS) {
            Some(Json::Object(members)) => members,
            _ => JsonMap::new(),
        };
        let mut of = |name: &str| match members.remove(name) {
            Some(Json::Object(changes)) => changes,
            _ => JsonMap::new(),
        };
        let json_null = match own.remove(JSON_NULL) {
            Some(Json::Array(names)) => names,
            _ => Vec::new(),
        };
        let json_null = json_null.iter().filter_map(Json::as_str).map(str::to_owned);
        Ok(Self {
            json_null: json_null.collect(),
            query: of("query"),
            headers: of("headers"),
            response_headers: of("response_headers"),
            patch: <RequestSnapshotPatch as lookback::table::ColumnValues>::from_json(own)?,
        })
    }

    /// Sets the columns of the record that was read from the other fields.
    pub(crate) fn apply(self, record: &mut NewRequestSnapshot) {
        for (column, changes) in [
            (&mut record.query, self.query),
            (&mut record.headers, self.headers),
            (&mut record.response_headers, self.response_headers),
        ] {
            if changes.is_empty() {
                continue;
            }
            let column = column.get_or_insert_with(|| json!({}));
            if let Json::Object(map) = column {
                for (name, value) in changes {
                    if value.is_null() {
                        map.remove(&name);
                    } else {
                        map.insert(name, value);
                    }
                }
            }
        }
        let patch = self.patch;
        macro_rules! set {
            ($($column:ident),+) => {
                $(if let Patch::Set(value) = patch.$column {
                    record.$column = value;
                })+
            };
        }
        columns!(set);
        for name in &self.json_null {
            match name.as_str() {
                "query" => record.query = Some(Json::Null),
                "body" => record.body = Some(Json::Null),
                "headers" => record.headers = Some(Json::Null),
                "response_body" => record.response_body = Some(Json::Null),
                "response_headers" => record.response_headers = Some(Json::Null),
                _ => {}
            }
        }
        record.created_at = Some(record.timestamp);
    }
}
