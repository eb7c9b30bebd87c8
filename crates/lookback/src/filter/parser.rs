//! The parser of filters in text.
//!
//! ```text
//! filter = key "=" value | group
//! group  = ("and" | "or" | "not") ["="] "(" [member {"," member}] ")"
//! member = key "=" value | group
//! ```
//!
//! The value of a single filter goes to the end of the text. In a group it ends
//! at `,` or `)`; a value that contains these is in quotes.

use chrono::{DateTime, Utc};

use self::operand::{OperandSyntax, RawOperand};
use crate::error::FieldError;
use crate::filter::key;
use crate::filter::lexer::{Lexer, excerpt};
use crate::filter::lookup::lookup_for;
use crate::filter::matching::{MATCH, Matching};
use crate::filter::tree::{MAX_DEPTH, Node, Tree};
use crate::model::Table;
use crate::value::Problem;

mod condition;
mod operand;

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

    /// Takes `or(` or `or=(`, if it is next.
    fn take(lexer: &mut Lexer<'_>) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(name, _)| {
            let after = lexer.rest().strip_prefix(name);
            after.is_some_and(|rest| rest.starts_with('(') || rest.starts_with("=("))
        });
        let (name, group) = found?;
        let _ = lexer.take(name);
        let _ = lexer.take("=");
        let _ = lexer.take("(");
        Some(group)
    }
}

pub(super) fn parse(
    table: &'static Table,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Tree, Vec<FieldError>> {
    let usage = || vec![FieldError::new(field_or_filter(text), USAGE)];
    if text.len() > MAX_TEXT {
        let problem = format!("is {} bytes long, over the limit of {MAX_TEXT}", text.len());
        return Err(vec![FieldError::new("filter", problem)]);
    }
    let mut lexer = Lexer::new(text);
    lexer.skip_spaces();
    if let Some(group) = Group::take(&mut lexer) {
        return whole_group(table, group, lexer, now);
    }
    let key = key_of(&mut lexer)
        .map_err(|problem| vec![FieldError::new(field_or_filter(text), problem)])?;
    if !lexer.take("=") {
        return Err(usage());
    }
    pair(table, key.trim(), lexer.rest(), now)
}

/// Parses a filter from its key and its value.
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
    mut lexer: Lexer<'_>,
    now: DateTime<Utc>,
) -> Result<Tree, Vec<FieldError>> {
    let mut parser = GroupParser {
        table,
        now,
        errors: Vec::new(),
    };
    let parsed = parser.group(group, &mut lexer, 1).and_then(|tree| {
        lexer.skip_spaces();
        if lexer.is_at_end() {
            Ok(tree)
        } else {
            Err(lexer.unexpected("the end"))
        }
    });
    match parsed {
        Ok(tree) if parser.errors.is_empty() => Ok(tree),
        Ok(_) => Err(parser.errors),
        Err(problem) => {
            parser.errors.push(FieldError::new(group.name(), problem));
            Err(parser.errors)
        }
    }
}

/// Returns whether a key is that of words, and not of a column with this name.
fn is_match(table: &'static Table, key: &str) -> bool {
    key == MATCH && key::column_index(table, key).is_none()
}

/// Parses the words of `match=…`.
fn matching(table: &'static Table, raw: RawOperand) -> Result<Tree, Problem> {
    Matching::parse(table, &raw.one().text).map(|matching| Tree::leaf(Node::Matching(matching)))
}

/// Parses a single filter.
fn pair(
    table: &'static Table,
    key: &str,
    value: &str,
    now: DateTime<Utc>,
) -> Result<Tree, Vec<FieldError>> {
    let mut lexer = Lexer::new(value);
    if is_match(table, key) {
        // All of it: a quotation mark is that of a phrase.
        return RawOperand::standalone(OperandSyntax::Plain, &mut lexer)
            .and_then(|raw| matching(table, raw))
            .map_err(|problem| vec![FieldError::new(MATCH, problem)]);
    }
    ParsedKey::parse(table, key)
        .and_then(|parsed| {
            let raw = RawOperand::standalone(parsed.syntax, &mut lexer);
            raw.and_then(|raw| parsed.tree(raw, now))
                .map_err(|problem| FieldError::new(excerpt(key), problem))
        })
        .map_err(|error| vec![error])
}

/// A parsed key: a field, a path into it, and a lookup.
struct ParsedKey {
    target: key::FieldPath,
    lookup: &'static super::Lookup,
    syntax: OperandSyntax,
    table: &'static Table,
}

impl ParsedKey {
    fn parse(table: &'static Table, key: &str) -> Result<Self, FieldError> {
        let own = key::without_field_suffix(table, key);
        let (target, lookup) = key::parse(table, own.unwrap_or(key))?;
        let column = &table.columns[target.column];
        let field = || excerpt(key.split("__").next().unwrap_or(key));
        let lookup = lookup_for(column, &target, lookup)
            .map_err(|problem| FieldError::new(field(), problem))?;
        let syntax = match own {
            None => OperandSyntax::of(column, &target, lookup),
            Some(_) if target.is_in_json() || !lookup.compares() => {
                let problem = "only eq, ne, gt, gte, lt and lte of a field compare it with another \
                               field";
                return Err(FieldError::new(field(), problem));
            }
            Some(_) => OperandSyntax::Field,
        };
        Ok(Self {
            target,
            lookup,
            syntax,
            table,
        })
    }

    fn tree(self, raw: RawOperand, now: DateTime<Utc>) -> Result<Tree, Problem> {
        condition::tree(self.table, self.target, self.lookup, raw, now)
    }
}

struct GroupParser {
    table: &'static Table,
    now: DateTime<Utc>,
    /// Invalid members.
    errors: Vec<FieldError>,
}

impl GroupParser {
    /// Parses the members, up to and including the `)`. Returns syntax errors, and
    /// collects the errors of members.
    fn group(
        &mut self,
        group: Group,
        lexer: &mut Lexer<'_>,
        depth: usize,
    ) -> Result<Tree, Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::new(format!(
                "at character {}, groups are nested more than {MAX_DEPTH} deep",
                lexer.position()
            )));
        }
        let mut members = Vec::new();
        lexer.skip_spaces();
        while !lexer.take(")") {
            if !members.is_empty() {
                lexer.expect(',', "`,` or `)`")?;
                lexer.skip_spaces();
            }
            members.push(self.member(lexer, depth)?);
            lexer.skip_spaces();
        }
        let mut members = members.into_iter();
        match group {
            Group::And => Ok(members.fold(Tree::all(), Tree::and)),
            Group::Or => Ok(members.fold(Tree::none(), Tree::or)),
            Group::Not => match (members.next(), members.next()) {
                (Some(member), None) => Ok(member.not()),
                _ => Err(Problem::new(format!(
                    "the group that ends before character {} must have one filter in `not`; for several, \
                     write not(and(…)) or not(or(…))",
                    lexer.position()
                ))),
            },
        }
    }

    fn member(&mut self, lexer: &mut Lexer<'_>, depth: usize) -> Result<Tree, Problem> {
        if let Some(group) = Group::take(lexer) {
            return self.group(group, lexer, depth + 1);
        }
        let start = lexer.clone();
        let key = key_of(lexer)?.trim();
        if key.is_empty() || lexer.peek() != Some('=') {
            return Err(start.unexpected("field__lookup=value or a group, and(…), or(…), not(…)"));
        }
        lexer.expect('=', "`=`")?;
        if is_match(self.table, key) {
            let raw = RawOperand::in_group(OperandSyntax::Quotable, lexer)?;
            return matching(self.table, raw).or_else(|problem| {
                self.errors.push(FieldError::new(MATCH, problem));
                Ok(Tree::all())
            });
        }
        let parsed = match ParsedKey::parse(self.table, key) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.errors.push(error);
                RawOperand::skip(lexer)?;
                return Ok(Tree::all());
            }
        };
        let raw = RawOperand::in_group(parsed.syntax, lexer)?;
        parsed.tree(raw, self.now).or_else(|problem| {
            self.errors.push(FieldError::new(excerpt(key), problem));
            Ok(Tree::all())
        })
    }
}

/// Takes the text before the `=`; a name in quotes may contain any character.
fn key_of<'a>(lexer: &mut Lexer<'a>) -> Result<&'a str, Problem> {
    let rest = lexer.rest();
    let start = lexer.at();
    loop {
        lexer.until(&['"', '=', ',', '(', ')']);
        if lexer.peek() != Some('"') {
            return Ok(&rest[..lexer.at() - start]);
        }
        lexer.quoted()?;
    }
}

/// The field that an error names when the text has none.
fn field_or_filter(text: &str) -> String {
    if text.trim().is_empty() {
        "filter".to_owned()
    } else {
        excerpt(text)
    }
}
