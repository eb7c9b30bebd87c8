//! `stats`: statistics of records.

use super::data;
use lookback::query::TextMeasures;
use lookback::value::JsonMap;
use lookback::{Json, Model, QueryBuilder};

use super::{TableRow, cell, query_failure, usage};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading};

pub(super) struct StatsRequest {
    /// Statistics and filters; a filter has a `=`.
    pub(super) what: Vec<String>,
    pub(super) by: Vec<String>,
    pub(super) top: Option<u32>,
}

pub(super) async fn run<M: Model + TableRow>(
    config: &Config,
    query: QueryBuilder<M>,
    request: StatsRequest,
    json: bool,
) -> Result<(), Failure> {
    let (filters, mut measures): (Vec<String>, Vec<String>) = request
        .what
        .into_iter()
        .partition(|word| word.contains('='));
    if measures.is_empty() {
        measures.push("count".to_owned());
    }
    let query = if filters.is_empty() {
        query
    } else {
        query.filter(parse_filters(&filters)?)
    };
    let measured = TextMeasures::parse::<M>(&measures).map_err(usage)?;
    let mut conn = database::connect(config).await?;

    if request.by.is_empty() {
        let all = query
            .aggregate(&mut conn, measured)
            .await
            .map_err(query_failure)?;
        if json {
            return output::json(&data(&all)?);
        }
        return table(&[], &measures, &[(JsonMap::new(), all)]);
    }
    let mut groups = query.group_by_text(&request.by).map_err(usage)?;
    if let Some(top) = request.top {
        groups = groups.top(top);
    }
    let groups = groups
        .aggregate(&mut conn, measured)
        .await
        .map_err(query_failure)?;
    if json {
        let rows: Vec<Json> = groups
            .iter()
            .map(|(keys, measures)| {
                Json::Object(JsonMap::from([
                    ("by".to_owned(), Json::Object(keys.clone())),
                    ("of".to_owned(), Json::Object(measures.clone())),
                ]))
            })
            .collect();
        return output::json(&data(&rows)?);
    }
    table(&request.by, &measures, &groups)?;
    let count = groups.len() as u64;
    output::note(&match count {
        0 => format!("no {} found", M::COMMAND),
        count => output::counted(count, "group"),
    });
    Ok(())
}

fn parse_filters<M: Model>(filters: &[String]) -> Result<lookback::Filter<M>, Failure> {
    lookback::Filter::parse_all(filters.iter().map(String::as_str)).map_err(usage)
}

fn table(keys: &[String], measures: &[String], rows: &[(JsonMap, JsonMap)]) -> Result<(), Failure> {
    let keys_first = keys.iter().map(|name| Heading::text(name.to_uppercase()));
    let numbers = measures
        .iter()
        .map(|name| Heading::new(name.to_uppercase()));
    let headings: Vec<Heading> = keys_first.chain(numbers).collect();
    let cells: Vec<Vec<Cell>> = rows
        .iter()
        .map(|(by, values)| {
            let keys = keys.iter().map(|key| cell(&by[key]));
            keys.chain(measures.iter().map(|measure| number(&values[measure])))
                .collect()
        })
        .collect();
    Ok(output::table(&headings, &cells)?)
}

/// Formats a number for people, with at most three decimal places.
fn number(value: &Json) -> Cell {
    match value {
        Json::Number(number) if number.as_i64().is_none() => {
            let rounded = number.as_f64().map(|number| (number * 1e3).round() / 1e3);
            Cell::new(rounded.map_or_else(|| number.to_string(), |number| number.to_string()))
        }
        other => cell(other),
    }
}
