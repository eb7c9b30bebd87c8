//! `list`, `search`, `get`, `delete` and `restore`, the same for every model.

use lookback::{Error, Filter, Model, Page, QueryBuilder};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::args::{Deleted, PageArgs, RecordCommand};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output;

mod shown;

pub(crate) use shown::Shown;

pub(crate) async fn run<M: Model + Serialize + Shown>(
    config: &Config,
    command: RecordCommand,
) -> Result<(), Failure> {
    match command {
        RecordCommand::List { page, order_by } => {
            let mut query = query::<M>(&page)?;
            for order in &order_by {
                query = query.order_by_text(order).map_err(usage)?;
            }
            list(config, &query, &page, &[]).await
        }
        RecordCommand::Search { words, page } => {
            let query = query::<M>(&page)
                .map_err(|failure| quote_hint::<M>(failure, &words, &page))?
                .search(&words);
            let marked: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
            list(config, &query, &page, &marked).await
        }
        RecordCommand::Get {
            id,
            with_deleted,
            json,
        } => {
            let mut query = QueryBuilder::<M>::new();
            if with_deleted {
                query = query.with_deleted();
            }
            let mut conn = database::connect(config).await?;
            let record = found(query.get(&mut conn, id).await, id, with_deleted)?;
            if json {
                output::json(&json!({ "data": record }))
            } else {
                Ok(print_fields(&record)?)
            }
        }
        RecordCommand::Delete {
            id,
            hard,
            with_deleted,
        } => {
            let mut query = QueryBuilder::<M>::new();
            if with_deleted {
                query = query.with_deleted();
            }
            let mut conn = database::connect(config).await?;
            let name = M::NAME;
            if hard {
                found(query.hard_delete(&mut conn, id).await, id, with_deleted)?;
                output::note(&format!("deleted {name} {id} for good"));
            } else {
                query.delete(&mut conn, id).await?;
                output::note(&format!(
                    "deleted {name} {id}; to bring it back: lookback {} restore {id}",
                    M::COMMAND
                ));
            }
            Ok(())
        }
        RecordCommand::Restore { id } => {
            let mut conn = database::connect(config).await?;
            QueryBuilder::<M>::new()
                .restore(&mut conn, id)
                .await
                .map_err(|error| match error.is_not_found() {
                    true => Failure::failed(format!("no deleted {} {id}", M::NAME)),
                    false => error.into(),
                })?;
            output::note(&format!("restored {} {id}", M::NAME));
            Ok(())
        }
    }
}

fn query<M: Model>(page: &PageArgs) -> Result<QueryBuilder<M>, Failure> {
    let filter = Filter::parse_all(&page.filters).map_err(usage)?;
    let query = QueryBuilder::new()
        .limit(page.limit)
        .offset(page.offset)
        .filter(filter);
    Ok(match page.deleted {
        Deleted::Without => query,
        Deleted::With => query.with_deleted(),
        Deleted::Only => query.only_deleted(),
    })
}

async fn list<M: Model + Serialize + Shown>(
    config: &Config,
    query: &QueryBuilder<M>,
    args: &PageArgs,
    marked: &[String],
) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let page = query
        .list(&mut conn)
        .await
        .map_err(|error| match error.is_invalid() {
            true => usage(error),
            false => error.into(),
        })?;
    database::warn_of_encoder(&mut conn).await;
    if args.json {
        return output::json(&envelope(&page, args));
    }
    let rows: Vec<_> = page.data.iter().map(Shown::cells).collect();
    output::table(M::HEADINGS, &rows, marked)?;
    let shown = page.data.len() as u64;
    output::note(&match page.total.value() {
        0 => format!("no {} found", M::COMMAND),
        total => format!(
            "{} of {}{} {}",
            output::grouped(shown),
            output::grouped(total),
            if page.total.is_exact() {
                ""
            } else {
                " or more"
            },
            M::COMMAND,
        ),
    });
    Ok(())
}

fn envelope<M: Serialize>(page: &Page<M>, args: &PageArgs) -> Value {
    json!({
        "data": page.data,
        "metadata": {
            "limit": args.limit,
            "offset": args.offset,
            "total": page.total.value(),
            "total_is_exact": page.total.is_exact(),
        }
    })
}

/// Every visible field, one a line.
fn print_fields(record: &impl Serialize) -> std::io::Result<()> {
    let fields = match serde_json::to_value(record)? {
        Value::Object(fields) => fields,
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &fields {
        let value = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => output::printable_lines(text),
            other => output::printable_lines(&other.to_string()),
        };
        let dim = output::DIM;
        output::line(&format!("{dim}{name:width$}{dim:#}  {value}"))?;
    }
    Ok(())
}

fn usage(error: Error) -> Failure {
    Failure::usage(error.to_string())
}

/// Words without quotes look like filters: say so.
fn quote_hint<M: Shown>(failure: Failure, words: &str, page: &PageArgs) -> Failure {
    if page.filters.iter().all(|filter| filter.contains('=')) {
        return failure;
    }
    failure.hint(format!(
        "give all words as one argument: lookback {} search \"{words} {}\"",
        M::COMMAND,
        page.filters.join(" ")
    ))
}

/// A record that is not there may be there deleted.
fn found<T>(result: Result<T, Error>, id: i64, with_deleted: bool) -> Result<T, Failure> {
    result.map_err(|error| match error.is_not_found() && !with_deleted {
        true => Failure::failed(error.to_string())
            .hint(format!("if record {id} is deleted, add --with-deleted")),
        false => error.into(),
    })
}
