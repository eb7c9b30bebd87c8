//! Filters as text, and groups of them.
//!
//! ```text
//! filter = key "=" value | group
//! group  = ("and" | "or" | "not") ["="] "(" [member {"," member}] ")"
//! member = key "=" value | group
//! ```
//!
//! On its own, a value goes to the end; in a group it ends at `,` or `)`, and
//! one that holds these is in quotes.

use chrono::{DateTime, Utc};

use crate::error::FieldError;
use crate::filter::key;
use crate::filter::lookup::fitting;
use crate::filter::node::{MAX_DEPTH, Tree};
use crate::filter::read;
use crate::filter::scan::{Scanner, shown};
use crate::filter::written::{Form, Raw};
use crate::model::Table;
use crate::value::Problem;

/// The longest text of a filter, in bytes.
const MAX_TEXT: usize = 1024 * 1024;

const USAGE: &str = "is not a filter; write field__lookup=value, such as level__eq=error, or a \
     group, such as or=(level=error,level=warn)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    And,
    Or,
    Not,
}

impl Group {
    const ALL: [(&'static str, Self); 3] =
        [("and", Self::And), ("or", Self::Or), ("not", Self::Not)];

    fn name(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
        }
    }

    /// Takes `or(` or `or=(`, if that is what comes.
    fn take(scanner: &mut Scanner<'_>) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(name, _)| {
            let after = scanner.rest().strip_prefix(name);
            after.is_some_and(|rest| rest.starts_with('(') || rest.starts_with("=("))
        });
        let (name, group) = found?;
        let _ = scanner.take(name);
        let _ = scanner.take("=");
        let _ = scanner.take("(");
        Some(group)
    }
}

pub(super) fn parse(
    table: &'static Table,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Tree, Vec<FieldError>> {
    let usage = || vec![FieldError::new(whole(text), USAGE)];
    if text.len() > MAX_TEXT {
        let problem = format!("is {} bytes long; at most {MAX_TEXT} are taken", text.len());
        return Err(vec![FieldError::new("filter", problem)]);
    }
    let mut scanner = Scanner::new(text);
    scanner.skip_spaces();
    if let Some(group) = Group::take(&mut scanner) {
        return whole_group(table, group, scanner, now);
    }
    let key =
        key_of(&mut scanner).map_err(|problem| vec![FieldError::new(whole(text), problem)])?;
    if !scanner.take("=") {
        return Err(usage());
    }
    pair(table, key.trim(), scanner.rest(), now)
}

/// The same of a key and a value that come apart.
pub(super) fn parse_pair(
    table: &'static Table,
    key: &str,
    value: &str,
    now: DateTime<Utc>,
) -> Result<Tree, Vec<FieldError>> {
    let is_group = Group::ALL.iter().any(|(name, _)| *name == key) && value.starts_with('(');
    if is_group || key.len() + value.len() > MAX_TEXT {
        return parse(table, &format!("{key}={value}"), now);
    }
    pair(table, key, value, now)
}

fn whole_group(
    table: &'static Table,
    group: Group,
    mut scanner: Scanner<'_>,
    now: DateTime<Utc>,
) -> Result<Tree, Vec<FieldError>> {
    let mut reader = Reader {
        table,
        now,
        wrong: Vec::new(),
    };
    let read = reader.group(group, &mut scanner, 1).and_then(|tree| {
        scanner.skip_spaces();
        match scanner.is_at_end() {
            true => Ok(tree),
            false => Err(scanner.unexpected("the end")),
        }
    });
    match read {
        Ok(tree) if reader.wrong.is_empty() => Ok(tree),
        Ok(_) => Err(reader.wrong),
        Err(problem) => {
            reader.wrong.push(FieldError::new(group.name(), problem));
            Err(reader.wrong)
        }
    }
}

/// A filter on its own.
fn pair(
    table: &'static Table,
    key: &str,
    value: &str,
    now: DateTime<Utc>,
) -> Result<Tree, Vec<FieldError>> {
    let mut scanner = Scanner::new(value);
    Asked::read(table, key)
        .and_then(|asked| {
            let raw = Raw::alone(asked.form, &mut scanner);
            raw.and_then(|raw| asked.tree(raw, now))
                .map_err(|problem| FieldError::new(shown(key), problem))
        })
        .map_err(|error| vec![error])
}

/// Where a filter asks, and what.
struct Asked {
    place: key::Place,
    lookup: super::Lookup,
    form: Form,
    table: &'static Table,
}

impl Asked {
    fn read(table: &'static Table, key: &str) -> Result<Self, FieldError> {
        let (place, lookup) = key::read(table, key)?;
        let column = &table.columns[place.column];
        let lookup = fitting(column, &place, lookup).map_err(|problem| {
            FieldError::new(shown(key.split("__").next().unwrap_or(key)), problem)
        })?;
        let form = Form::of(column, &place, lookup);
        Ok(Self {
            place,
            lookup,
            form,
            table,
        })
    }

    fn tree(self, raw: Raw, now: DateTime<Utc>) -> Result<Tree, Problem> {
        read::tree(self.table, self.place, self.lookup, raw, now)
    }
}

struct Reader {
    table: &'static Table,
    now: DateTime<Utc>,
    wrong: Vec<FieldError>,
}

impl Reader {
    /// Reads the members, up to and with the `)`. What is wrong with one of
    /// them is kept for later; an error here is one of the grammar.
    fn group(
        &mut self,
        group: Group,
        scanner: &mut Scanner<'_>,
        depth: usize,
    ) -> Result<Tree, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::new(format!(
                "at character {}, groups are nested more than {MAX_DEPTH} deep",
                scanner.position()
            )));
        }
        let mut members = Vec::new();
        scanner.skip_spaces();
        while !scanner.take(")") {
            if !members.is_empty() {
                scanner.expect(',', "`,` or `)`")?;
                scanner.skip_spaces();
            }
            members.push(self.member(scanner, depth)?);
            scanner.skip_spaces();
        }
        let mut members = members.into_iter();
        match group {
            Group::And => Ok(members.fold(Tree::all(), Tree::and)),
            Group::Or => Ok(members.fold(Tree::none(), Tree::or)),
            Group::Not => match (members.next(), members.next()) {
                (Some(member), None) => Ok(member.not()),
                _ => Err(Problem::new(format!(
                    "the group that ends before character {} is `not` of one filter; of several, \
                     write not(and(…)) or not(or(…))",
                    scanner.position()
                ))),
            },
        }
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<Tree, Problem> {
        if let Some(group) = Group::take(scanner) {
            return self.group(group, scanner, depth + 1);
        }
        let start = scanner.clone();
        let key = key_of(scanner)?.trim();
        if key.is_empty() || scanner.peek() != Some('=') {
            return Err(start.unexpected("field__lookup=value or a group, and(…), or(…), not(…)"));
        }
        scanner.expect('=', "`=`")?;
        let asked = match Asked::read(self.table, key) {
            Ok(asked) => asked,
            Err(error) => {
                self.wrong.push(error);
                Raw::skip(scanner)?;
                return Ok(Tree::all());
            }
        };
        let raw = Raw::in_group(asked.form, scanner)?;
        asked.tree(raw, self.now).or_else(|problem| {
            self.wrong.push(FieldError::new(shown(key), problem));
            Ok(Tree::all())
        })
    }
}

/// What stands before the `=`; a name in quotes may hold anything.
fn key_of<'a>(scanner: &mut Scanner<'a>) -> Result<&'a str, Problem> {
    let rest = scanner.rest();
    let start = scanner.at();
    loop {
        scanner.until(&['"', '=', ',', '(', ')']);
        if scanner.peek() != Some('"') {
            return Ok(&rest[..scanner.at() - start]);
        }
        scanner.quoted()?;
    }
}

/// What stands for a field where there is none.
fn whole(text: &str) -> String {
    match text.trim().is_empty() {
        true => "filter".to_owned(),
        false => shown(text),
    }
}
