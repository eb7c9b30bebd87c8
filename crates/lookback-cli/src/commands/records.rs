//! `list`, `tail`, `export`, `search`, `patterns`, `similar`, `stats`, `get`, `delete`, `purge` and `restore`, for any
//! model.

use lookback::query::{Cursor, Total};
use lookback::table::{ColumnDef, ColumnRole, Table};
use lookback::value::{ColumnType, JsonMap};
use lookback::{Error, Filter, Json, Model, QueryBuilder, json};
use serde::Serialize;

use crate::args::{Count, Deleted, PageArgs, RecordCommand};
use crate::config::Config;
use crate::database;
use crate::failure::Failure;
use crate::output::{self, Cell, Heading};
use crate::privileges::{self, Required};

mod export;
mod hits;
mod patterns;
mod purge;
mod stats;
mod table_row;
mod tail;

pub(crate) use export::interrupted;
pub(crate) use table_row::TableRow;

pub(crate) async fn run<M: Model + Serialize + TableRow>(
    config: &Config,
    mut command: RecordCommand,
) -> Result<(), Failure> {
    command.match_to_filter();
    let needs = needs::<M>(&command);
    match execute::<M>(config, command).await {
        Err(failure) => Err(privileges::explain(config, failure, &needs).await),
        done => done,
    }
}

/// Returns the privileges that a command requires.
fn needs<M: Model>(command: &RecordCommand) -> Vec<Required> {
    let name = M::TABLE.name();
    match command {
        RecordCommand::Search { .. }
        | RecordCommand::Patterns { .. }
        | RecordCommand::Similar { .. }
            if M::TABLE.is_sealed() =>
        {
            let summaries = privileges::on_summaries(privileges::READ);
            [(name, privileges::READ)]
                .into_iter()
                .chain(summaries)
                .collect()
        }
        RecordCommand::Delete { hard: true, .. } | RecordCommand::Purge { .. } => {
            vec![(name, privileges::REMOVE)]
        }
        RecordCommand::Delete { .. } | RecordCommand::Restore { .. } => {
            vec![(name, privileges::CHANGE)]
        }
        _ => vec![(name, privileges::READ)],
    }
}

async fn execute<M: Model + Serialize + TableRow>(
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
            if fields.is_empty() {
                list(config, &query, &page).await
            } else {
                list_fields(config, query, &fields, &page).await
            }
        }
        RecordCommand::Tail(args) => tail::run::<M>(config, args).await,
        RecordCommand::Export(args) => export::run::<M>(config, args).await,
        RecordCommand::Stats {
            what,
            by,
            top,
            deleted,
            json,
            ..
        } => {
            let request = stats::StatsRequest { what, by, top };
            let query = apply_deleted(QueryBuilder::<M>::new(), deleted).timeout(config.timeout());
            stats::run(config, query, request, json).await
        }
        RecordCommand::Purge {
            older_than,
            filters,
            json,
            ..
        } => purge::run::<M>(config, &older_than, &filters, json).await,
        RecordCommand::Search {
            words,
            explain,
            all,
            page,
        } => {
            let query = query::<M>(config, &page)
                .map_err(|failure| quote_hint::<M>(failure, &words, &page))?
                .search(&words);
            hits::run(config, fold(query, all), &page, explain).await
        }
        RecordCommand::Patterns {
            what,
            new_since,
            exact,
            limit,
            offset,
            deleted,
            json,
        } => {
            let query = QueryBuilder::<M>::new()
                .limit(limit)
                .offset(offset)
                .timeout(config.timeout());
            let request = patterns::PatternsRequest {
                what,
                new_since,
                exact,
                json,
            };
            patterns::run(config, apply_deleted(query, deleted), request).await
        }
        RecordCommand::Similar { id, all, page } => {
            let query = query::<M>(config, &page)?.similar_to(id);
            hits::run(config, fold(query, all), &page, true).await
        }
        RecordCommand::Get { id, deleted, json } => {
            let query = QueryBuilder::<M>::new().timeout(config.timeout());
            let query = apply_deleted(query, deleted);
            let mut conn = database::connect(config).await?;
            let record = found(query.get(&mut conn, id).await, id, deleted)?;
            let record = with_deleted_at(&record, Json::from_serialize(&record)?);
            if json {
                output::json(&data(&record)?)
            } else {
                print_fields(record)
            }
        }
        RecordCommand::Delete { id, hard, deleted } => {
            let query = apply_deleted(QueryBuilder::<M>::new(), deleted);
            let mut conn = database::connect(config).await?;
            let name = M::NAME;
            if hard {
                found(query.hard_delete(&mut conn, id).await, id, deleted)?;
                output::note(&format!("permanently deleted {name} {id}"));
            } else {
                let deleted = query.delete(&mut conn, id).await;
                deleted.map_err(|error| {
                    if error.is_not_found() {
                        Failure::failed(error.to_string()).hint(format!(
                            "it may be deleted already: lookback {} list --deleted only id={id}",
                            M::COMMAND
                        ))
                    } else {
                        error.into()
                    }
                })?;
                output::note(&format!(
                    "deleted {name} {id}; to restore it: lookback {} restore {id}",
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
                .map_err(|error| {
                    if error.is_not_found() {
                        Failure::failed(format!("no deleted {} {id}", M::NAME))
                    } else {
                        error.into()
                    }
                })?;
            output::note(&format!("restored {} {id}", M::NAME));
            Ok(())
        }
    }
}

/// Folds copies, unless all hits are asked for.
fn fold<M: Model>(query: QueryBuilder<M>, all: bool) -> QueryBuilder<M> {
    if all { query } else { query.fold_copies() }
}

fn query<M: TableRow>(config: &Config, page: &PageArgs) -> Result<QueryBuilder<M>, Failure> {
    let mut query = filter_query(&page.filters)?
        .limit(page.limit)
        .offset(page.offset)
        .timeout(config.timeout());
    if let Some(cursor) = &page.after {
        query = query.after(cursor.as_str());
    }
    if let Some(cursor) = &page.before {
        query = query.before(cursor.as_str());
    }
    Ok(apply_deleted(query, page.deleted))
}

pub(crate) fn filter_query<M: Model>(filters: &[String]) -> Result<QueryBuilder<M>, Failure> {
    let query = QueryBuilder::new();
    if filters.is_empty() {
        return Ok(query);
    }
    let filters = filters.iter().map(String::as_str);
    Ok(query.filter(Filter::parse_all(filters).map_err(usage)?))
}

/// Sets which records a query sees. If they may be deleted, it reads when they were.
fn apply_deleted<M: TableRow>(query: QueryBuilder<M>, deleted: Deleted) -> QueryBuilder<M> {
    match deleted {
        Deleted::Without => query,
        Deleted::With => M::read_deleted_at(query.with_deleted()),
        Deleted::Only => M::read_deleted_at(query.only_deleted()),
    }
}

/// Adds the time of deletion to the JSON of a record, if it was read.
fn with_deleted_at<M: TableRow>(record: &M, mut json: Json) -> Json {
    if let (Some(deleted_at), Json::Object(fields)) = (record.deleted_at(), &mut json) {
        let time = deleted_at.map_or(Json::Null, |time| output::time(time).into());
        fields.insert("deleted_at".to_owned(), time);
    }
    json
}

/// Inserts a column before the last one: when each record was deleted.
///
/// It does nothing for a query that reads no deleted records.
fn insert_deleted_column<'a, M: TableRow>(
    deleted: Deleted,
    records: impl Iterator<Item = &'a M>,
    headings: &mut Vec<Heading>,
    rows: &mut [Vec<Cell>],
) {
    if deleted == Deleted::Without {
        return;
    }
    let place = headings.len().saturating_sub(1);
    headings.insert(place, Heading::new("DELETED"));
    for (row, record) in rows.iter_mut().zip(records) {
        let time = record.deleted_at().flatten();
        let text = time.map_or_else(|| "-".to_owned(), output::time);
        row.insert(place, Cell::new(text).style(output::RED));
    }
}

async fn list<M: Model + Serialize + TableRow>(
    config: &Config,
    query: &QueryBuilder<M>,
    args: &PageArgs,
) -> Result<(), Failure> {
    let mut conn = database::connect(config).await?;
    let page = query.list(&mut conn).await.map_err(list_failure)?;
    database::warn_about_encoder(&mut conn).await;
    let cursors = PageCursors::of(&page.next, &page.previous);
    if args.json {
        let data = page
            .data
            .iter()
            .map(|record| Ok(with_deleted_at(record, Json::from_serialize(record)?)));
        let data = data.collect::<Result<Vec<Json>, Failure>>()?;
        return output::json(&envelope(&data, page.total, cursors, args)?);
    }
    let mut headings = M::headings();
    let mut rows: Vec<_> = page.data.iter().map(TableRow::cells).collect();
    insert_deleted_column(args.deleted, page.data.iter(), &mut headings, &mut rows);
    output::table(&headings, &rows)?;
    print_count::<M>(page.data.len(), page.total, cursors);
    Ok(())
}

/// Lists records with the given fields, and with the time of their deletion if they may be
/// deleted.
async fn list_fields<M: Model + TableRow>(
    config: &Config,
    query: QueryBuilder<M>,
    fields: &[String],
    args: &PageArgs,
) -> Result<(), Failure> {
    let mut fields = fields.to_vec();
    let deletion = deletion_column(M::TABLE, args.deleted).map(|column| column.name().to_owned());
    fields.extend(deletion.filter(|name| !fields.contains(name)));
    let select = query.select_text(&fields).map_err(usage)?;
    let mut conn = database::connect(config).await?;
    let page = select.list(&mut conn).await.map_err(list_failure)?;
    let cursors = PageCursors::of(&page.next, &page.previous);
    if args.json {
        return output::json(&envelope(&page.data, page.total, cursors, args)?);
    }
    let headings: Vec<Heading> = fields.iter().map(|field| heading::<M>(field)).collect();
    let rows: Vec<Vec<Cell>> = page
        .data
        .iter()
        .map(|row| fields.iter().map(|field| cell(&row[field])).collect())
        .collect();
    output::table(&headings, &rows)?;
    print_count::<M>(page.data.len(), page.total, cursors);
    Ok(())
}

/// The column of the time of deletion, if records may be deleted.
fn deletion_column(table: &'static Table, deleted: Deleted) -> Option<&'static ColumnDef> {
    if deleted == Deleted::Without {
        return None;
    }
    let mut columns = table.columns().iter();
    columns.find(|column| column.role() == ColumnRole::DeletedAt)
}

/// The heading of a field: numbers and times are not cut.
fn heading<M: Model>(field: &str) -> Heading {
    let name = field.to_uppercase();
    let column_type = M::TABLE.column(field).map(ColumnDef::column_type);
    match column_type {
        None
        | Some(
            ColumnType::Text
            | ColumnType::Enum(_)
            | ColumnType::Jsonb
            | ColumnType::Bytea
            | ColumnType::Array(_),
        ) => Heading::text(name),
        Some(_) => Heading::new(name),
    }
}

/// Converts a value to a cell, a dash for NULL.
fn cell(value: &Json) -> Cell {
    match value {
        Json::Null => Cell::new("-"),
        Json::String(text) => Cell::new(text.as_str()),
        other => Cell::new(other.to_string()),
    }
}

/// The cursors of the next and the previous page.
#[derive(Clone, Copy)]
struct PageCursors<'a> {
    next: Option<&'a Cursor>,
    previous: Option<&'a Cursor>,
}

impl<'a> PageCursors<'a> {
    fn of(next: &'a Option<Cursor>, previous: &'a Option<Cursor>) -> Self {
        Self {
            next: next.as_ref(),
            previous: previous.as_ref(),
        }
    }
}

/// Converts the error of a query: an invalid query counts as wrong usage.
pub(crate) fn query_failure(error: Error) -> Failure {
    if error.is_invalid() {
        usage(error)
    } else {
        error.into()
    }
}

/// Converts the error of a list; a slow list gets a hint about options that make it faster.
fn list_failure(error: Error) -> Failure {
    if error.is_too_slow() {
        Failure::from(error).hint(
            "narrow it by created_at or by another filter, leave the total out (--total none), go \
             by --after instead of a large --offset, or give it more time: --timeout 5m",
        )
    } else {
        query_failure(error)
    }
}

/// Checks that the given fields have names, without duplicates.
fn check_fields(fields: &[String]) -> Result<(), Failure> {
    for (place, field) in fields.iter().enumerate() {
        if field.trim().is_empty() {
            return Err(Failure::usage("--fields: a field name must not be empty")
                .hint("separate the names by single commas: --fields id,message"));
        }
        if fields[..place].contains(field) {
            return Err(Failure::usage(format!("--fields: duplicate field {field}"))
                .hint("name each field once"));
        }
    }
    Ok(())
}

/// Prints the number of records.
fn print_count<M: TableRow>(shown: usize, total: Total, cursors: PageCursors<'_>) {
    output::note(&match total.value() {
        0 => format!("no {} found", M::COMMAND),
        _ => format!(
            "{} of {} {}",
            output::grouped(shown as u64),
            output::total(total),
            noun::<M>(total),
        ),
    });
    print_next(cursors);
}

/// Returns the noun for a number of records.
fn noun<M: TableRow>(total: Total) -> &'static str {
    match total {
        Total::Exact(1) => M::NAME,
        _ => M::COMMAND,
    }
}

/// Returns the noun for a number of patterns.
fn noun_of_patterns(total: Total) -> &'static str {
    match total {
        Total::Exact(1) => "pattern",
        _ => "patterns",
    }
}

/// Prints how to get the next page.
fn print_next(cursors: PageCursors<'_>) {
    // For users on a terminal; programs read the JSON.
    if let (Some(next), Some(_)) = (cursors.next, output::terminal_width()) {
        output::hint(&format!("the next page: --after {next}"));
    }
}

fn envelope(
    data: &impl Serialize,
    total: Total,
    cursors: PageCursors<'_>,
    args: &PageArgs,
) -> Result<Json, Failure> {
    let metadata = json!({
        "limit": args.limit,
        "offset": args.offset,
        "total": total.value(),
        "total_is_exact": total.is_exact(),
        "next": cursors.next,
        "previous": cursors.previous,
    });
    Ok(Json::Object(JsonMap::from([
        ("data".to_owned(), Json::from_serialize(data)?),
        ("metadata".to_owned(), metadata),
    ])))
}

/// Wraps a value as the `data` of a response, with all digits of its numbers.
fn data(value: &impl Serialize) -> Result<Json, Failure> {
    let data = Json::from_serialize(value)?;
    Ok(Json::Object(JsonMap::from([("data".to_owned(), data)])))
}

/// Prints every visible field, one per line.
fn print_fields(record: Json) -> Result<(), Failure> {
    let fields = match record {
        Json::Object(fields) => fields,
        other => JsonMap::from([("value".to_owned(), other)]),
    };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &fields {
        let value = match value {
            Json::Null => "-".to_owned(),
            Json::String(text) => output::printable_lines(text),
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

/// Adds a hint if words without quotes were parsed as filters. Filters stay filters.
fn quote_hint<M: TableRow>(failure: Failure, words: &str, page: &PageArgs) -> Failure {
    let (filters, more): (Vec<&str>, Vec<&str>) = page
        .filters
        .iter()
        .map(String::as_str)
        .partition(|argument| argument.contains('='));
    if more.is_empty() {
        return failure;
    }
    let all: Vec<&str> = [words].into_iter().chain(more).collect();
    let mut command = format!(
        "lookback {} search {}",
        M::COMMAND,
        in_shell_quotes(&all.join(" "))
    );
    for filter in filters {
        push_argument(filter, &mut command);
    }
    failure.hint(format!("give all words as one argument: {command}"))
}

/// Appends an argument to a command that can be pasted into a shell.
fn push_argument(argument: &str, command: &mut String) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:=/@+%".contains(c);
    command.push(' ');
    if argument.chars().all(is_plain) {
        command.push_str(argument);
    } else {
        command.push_str(&in_shell_quotes(argument));
    }
}

/// Quotes an argument for a shell.
fn in_shell_quotes(text: &str) -> String {
    if text.contains(['"', '\\', '$', '`', '!']) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        format!("\"{text}\"")
    }
}

/// Adds a hint that a missing record may be deleted.
fn found<T>(result: Result<T, Error>, id: i64, deleted: Deleted) -> Result<T, Failure> {
    result.map_err(|error| {
        if error.is_not_found() && deleted == Deleted::Without {
            Failure::failed(error.to_string())
                .hint(format!("if record {id} is deleted, add --deleted with"))
        } else if error.is_not_found() && deleted == Deleted::Only {
            Failure::failed(error.to_string()).hint(format!(
                "if record {id} is not deleted, leave out --deleted only"
            ))
        } else if error.is_too_slow() {
            // `get` has no filters that could be added.
            Failure::from(error).hint("give it more time: --timeout 5m")
        } else {
            error.into()
        }
    })
}
