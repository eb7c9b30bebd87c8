//! `list`, `export`, `search`, `like`, `stats`, `get`, `delete`, `purge` and `restore`, the
//! same for every model.

use lookback::{Cursor, Error, Filter, Model, QueryBuilder, Total};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::args::{Count, Deleted, PageArgs, RecordCommand};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell};
use crate::rights::{self, Need};

mod export;
mod found;
mod purge;
mod shown;
mod stats;

pub(crate) use shown::Shown;

pub(crate) async fn run<M: Model + Serialize + Shown>(
    config: &Config,
    command: RecordCommand,
) -> Result<(), Failure> {
    let needs = needs::<M>(&command);
    match carry_out::<M>(config, command).await {
        Err(failure) => Err(rights::explained(config, failure, &needs).await),
        done => done,
    }
}

/// What a command needs of the database.
fn needs<M: Model>(command: &RecordCommand) -> Vec<Need> {
    let name = M::TABLE.name;
    match command {
        RecordCommand::Search { .. } | RecordCommand::Like { .. } if M::TABLE.sealed => {
            let summaries = rights::on_summaries(rights::READ);
            [(name, rights::READ)]
                .into_iter()
                .chain(summaries)
                .collect()
        }
        RecordCommand::Delete { hard: true, .. } | RecordCommand::Purge { .. } => {
            vec![(name, rights::REMOVE)]
        }
        RecordCommand::Delete { .. } | RecordCommand::Restore { .. } => {
            vec![(name, rights::CHANGE)]
        }
        _ => vec![(name, rights::READ)],
    }
}

async fn carry_out<M: Model + Serialize + Shown>(
    config: &Config,
    command: RecordCommand,
) -> Result<(), Failure> {
    match command {
        RecordCommand::List {
            page,
            order_by,
            total,
            fields,
        } => {
            let mut query = query::<M>(config, &page)?;
            if let Count::UpTo(records) = total {
                query = query.total_up_to(records);
            }
            for order in &order_by {
                query = query.order_by_text(order).map_err(usage)?;
            }
            check_fields(&fields)?;
            match fields.is_empty() {
                true => list(config, &query, &page).await,
                false => list_fields(config, query, &fields, &page).await,
            }
        }
        RecordCommand::Export(args) => export::run::<M>(config, args).await,
        RecordCommand::Stats {
            what,
            by,
            top,
            deleted,
            json,
        } => {
            let asked = stats::Asked { what, by, top };
            let query = including(QueryBuilder::<M>::new(), deleted).timeout(config.timeout());
            stats::run(config, query, asked, json).await
        }
        RecordCommand::Purge {
            older_than,
            filters,
            json,
        } => purge::run::<M>(config, &older_than, &filters, json).await,
        RecordCommand::Search {
            words,
            explain,
            page,
        } => {
            let query = query::<M>(config, &page)
                .map_err(|failure| quote_hint::<M>(failure, &words, &page))?
                .search(&words);
            found::run(config, &query, &page, explain).await
        }
        RecordCommand::Like { id, page } => {
            let query = query::<M>(config, &page)?.similar_to(id);
            found::run(config, &query, &page, true).await
        }
        RecordCommand::Get {
            id,
            with_deleted,
            json,
        } => {
            let mut query = QueryBuilder::<M>::new().timeout(config.timeout());
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
                let deleted = query.delete(&mut conn, id).await;
                deleted.map_err(|error| match error.is_not_found() {
                    true => Failure::failed(error.to_string()).hint(format!(
                        "it may be deleted already: lookback {} list --deleted only id={id}",
                        M::COMMAND
                    )),
                    false => error.into(),
                })?;
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

fn query<M: Model>(config: &Config, page: &PageArgs) -> Result<QueryBuilder<M>, Failure> {
    let mut query = filtered(&page.filters)?
        .limit(page.limit)
        .offset(page.offset)
        .timeout(config.timeout());
    if let Some(cursor) = &page.after {
        query = query.after(cursor.as_str());
    }
    if let Some(cursor) = &page.before {
        query = query.before(cursor.as_str());
    }
    Ok(including(query, page.deleted))
}

fn filtered<M: Model>(filters: &[String]) -> Result<QueryBuilder<M>, Failure> {
    let query = QueryBuilder::new();
    if filters.is_empty() {
        return Ok(query);
    }
    let filters = filters.iter().map(String::as_str);
    Ok(query.filter(Filter::parse_all(filters).map_err(usage)?))
}

fn including<M: Model>(query: QueryBuilder<M>, deleted: Deleted) -> QueryBuilder<M> {
    match deleted {
        Deleted::Without => query,
        Deleted::With => query.with_deleted(),
        Deleted::Only => query.only_deleted(),
    }
}

async fn list<M: Model + Serialize + Shown>(
    config: &Config,
    query: &QueryBuilder<M>,
    args: &PageArgs,
) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let page = query.list(&mut conn).await.map_err(listed_wrongly)?;
    database::warn_of_encoder(&mut conn).await;
    let beside = Beside::of(&page.next, &page.previous);
    if args.json {
        return output::json(&envelope(&page.data, page.total, beside, args));
    }
    let rows: Vec<_> = page.data.iter().map(Shown::cells).collect();
    output::table(M::HEADINGS, &rows)?;
    note_of::<M>(page.data.len(), page.total, beside);
    Ok(())
}

/// The same, of fields that were named.
async fn list_fields<M: Model + Shown>(
    config: &Config,
    query: QueryBuilder<M>,
    fields: &[String],
    args: &PageArgs,
) -> Result<(), Failure> {
    let select = query.select_text(fields).map_err(usage)?;
    let mut conn = database::connect(config).await?;
    let page = select.list(&mut conn).await.map_err(listed_wrongly)?;
    let beside = Beside::of(&page.next, &page.previous);
    if args.json {
        return output::json(&envelope(&page.data, page.total, beside, args));
    }
    let headings: Vec<String> = fields.iter().map(|field| field.to_uppercase()).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let rows: Vec<Vec<Cell>> = page
        .data
        .iter()
        .map(|row| fields.iter().map(|field| cell(&row[field])).collect())
        .collect();
    output::table(&headings, &rows)?;
    note_of::<M>(page.data.len(), page.total, beside);
    Ok(())
}

/// A value in a table, a dash for null.
fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::new("-"),
        Value::String(text) => Cell::new(text.as_str()),
        other => Cell::new(other.to_string()),
    }
}

/// The cursors of the pages beside this one.
#[derive(Clone, Copy)]
struct Beside<'a> {
    next: Option<&'a Cursor>,
    previous: Option<&'a Cursor>,
}

impl<'a> Beside<'a> {
    fn of(next: &'a Option<Cursor>, previous: &'a Option<Cursor>) -> Self {
        Self {
            next: next.as_ref(),
            previous: previous.as_ref(),
        }
    }
}

/// A query that is wrong is a wrong call; another error a failed one.
fn asked_wrongly(error: Error) -> Failure {
    match error.is_invalid() {
        true => usage(error),
        false => error.into(),
    }
}

/// The same of a list, which has more that makes it faster.
fn listed_wrongly(error: Error) -> Failure {
    match error.is_too_slow() {
        true => Failure::from(error).hint(
            "narrow it by created_at or by another filter, leave the total out (--total none), go \
             by --after instead of a large --offset, or give it more time: --timeout 5m",
        ),
        false => asked_wrongly(error),
    }
}

/// The fields that are named: each has a name, and is named once.
fn check_fields(fields: &[String]) -> Result<(), Failure> {
    for (place, field) in fields.iter().enumerate() {
        if field.trim().is_empty() {
            return Err(Failure::usage("--fields: names a field without a name")
                .hint("separate the names by single commas: --fields id,message"));
        }
        if fields[..place].contains(field) {
            return Err(
                Failure::usage(format!("--fields: {field} is named more than once"))
                    .hint("name each field once"),
            );
        }
    }
    Ok(())
}

/// Says how many records there are.
fn note_of<M: Shown>(shown: usize, total: Total, beside: Beside<'_>) {
    output::note(&match total.value() {
        0 => format!("no {} found", M::COMMAND),
        count => format!(
            "{} of {}{} {}",
            output::grouped(shown as u64),
            output::grouped(count),
            if total.is_exact() { "" } else { " or more" },
            M::COMMAND,
        ),
    });
    // For a person; a program reads the JSON.
    if let (Some(next), Some(_)) = (beside.next, output::width()) {
        output::hint(&format!("the next page: --after {next}"));
    }
}

fn envelope(data: &impl Serialize, total: Total, beside: Beside<'_>, args: &PageArgs) -> Value {
    json!({
        "data": data,
        "metadata": {
            "limit": args.limit,
            "offset": args.offset,
            "total": total.value(),
            "total_is_exact": total.is_exact(),
            "next": beside.next,
            "previous": beside.previous,
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
        // There are no filters to narrow it by.
        false if error.is_too_slow() => {
            Failure::from(error).hint("give it more time: --timeout 5m")
        }
        true => Failure::failed(error.to_string())
            .hint(format!("if record {id} is deleted, add --with-deleted")),
        false => error.into(),
    })
}
