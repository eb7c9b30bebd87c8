//! Parsing constraints, indexes and partition keys from SQL.

use std::borrow::Cow;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::schema::{
    Action, Constraint, Deferral, Exclusion, ForeignKey, Index, IndexKey, Key, PartitionBy,
    PartitionStrategy,
};
use crate::syntax::{Expression, closing};
use crate::syntax::{Name, unquoted};
use crate::syntax::{Token, TokenKind, tokens};

/// A whole `CREATE INDEX` statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateIndex {
    /// The name of the index.
    pub name: String,
    /// The table.
    pub table: Name,
    /// Whether it is built without blocking writers.
    pub concurrently: bool,
    /// The index.
    pub index: Index,
}

impl FromStr for Constraint {
    type Err = Error;

    /// Parses a table constraint.
    ///
    /// These are `PRIMARY KEY (…)`, `UNIQUE (…)`, `CHECK (…)`, `FOREIGN KEY (…)
    /// REFERENCES …` and `EXCLUDE USING …`.
    fn from_str(text: &str) -> Result<Self, Error> {
        whole(text, "a constraint", Reader::constraint)
    }
}

impl FromStr for Index {
    type Err = Error;

    /// Parses the definition of an index; the method is `btree` by default.
    ///
    /// It is `[UNIQUE] [USING method] (keys) [INCLUDE (…)] [NULLS NOT DISTINCT]
    /// [WITH (…)] [WHERE …]`.
    fn from_str(text: &str) -> Result<Self, Error> {
        whole(text, "an index", |reader| {
            let unique = reader.word("unique");
            reader.index(unique)
        })
    }
}

impl FromStr for CreateIndex {
    type Err = Error;

    /// Parses a `CREATE INDEX` statement.
    ///
    /// It is `CREATE [UNIQUE] INDEX [CONCURRENTLY] [IF NOT EXISTS] name ON
    /// [ONLY] table …`.
    fn from_str(text: &str) -> Result<Self, Error> {
        whole(text, "an index", |reader| {
            reader.expect_word("create")?;
            let unique = reader.word("unique");
            reader.expect_word("index")?;
            let concurrently = reader.word("concurrently");
            reader.words(&["if", "not", "exists"]);
            let name = reader.name()?.name;
            reader.expect_word("on")?;
            reader.word("only");
            Ok(Self {
                name,
                table: reader.name()?,
                concurrently,
                index: reader.index(unique)?,
            })
        })
    }
}

impl FromStr for PartitionBy {
    type Err = Error;

    /// Parses `RANGE (…)`, `LIST (…)` and `HASH (…)`.
    fn from_str(text: &str) -> Result<Self, Error> {
        whole(text, "a partition key", |reader| {
            let strategy = if reader.word("range") {
                PartitionStrategy::Range
            } else if reader.word("list") {
                PartitionStrategy::List
            } else if reader.word("hash") {
                PartitionStrategy::Hash
            } else {
                return Err(reader.unexpected("RANGE, LIST or HASH"));
            };
            Ok(Self {
                strategy,
                keys: reader.index_keys()?,
            })
        })
    }
}

macro_rules! as_text {
    ($($ty:ty),*) => {$(
        impl Serialize for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Constraint, Index, PartitionBy);

/// Parses all of `text`.
fn whole<'a, T>(
    text: &'a str,
    what: &str,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    let of = || format!("cannot parse `{text}` as {what}");
    let found = tokens(text).map_err(|error| Error::new(error.to_string()).of(of()))?;
    let mut reader = Reader { text, found, at: 0 };
    let result = read(&mut reader).map_err(|error| error.of(of()))?;
    match reader.peek() {
        None => Ok(result),
        Some(rest) => Err(Error::new(format!("unexpected `{}`", rest.text)).of(of())),
    }
}

struct Reader<'a> {
    text: &'a str,
    found: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn constraint(&mut self) -> Result<Constraint, Error> {
        if self.words(&["primary", "key"]) {
            return Ok(Constraint::PrimaryKey(self.key(false)?));
        }
        if self.word("unique") {
            let nulls_not_distinct = self.words(&["nulls", "not", "distinct"]);
            self.words(&["nulls", "distinct"]);
            return Ok(Constraint::Unique(self.key(nulls_not_distinct)?));
        }
        if self.word("check") {
            let expression = self.parenthesised_expression()?;
            let no_inherit = self.words(&["no", "inherit"]);
            let (not_valid, not_enforced) = self.validity();
            return Ok(Constraint::Check {
                expression,
                no_inherit,
                not_valid,
                not_enforced,
            });
        }
        if self.words(&["foreign", "key"]) {
            return Ok(Constraint::ForeignKey(self.foreign_key()?));
        }
        if self.word("exclude") {
            return Ok(Constraint::Exclude(self.exclusion()?));
        }
        Err(self.unexpected("PRIMARY KEY, UNIQUE, CHECK, FOREIGN KEY or EXCLUDE"))
    }

    fn key(&mut self, nulls_not_distinct: bool) -> Result<Key, Error> {
        let (columns, without_overlaps) = self.key_columns()?;
        Ok(Key {
            columns,
            without_overlaps,
            nulls_not_distinct,
            include: self.include()?,
            deferral: self.deferral(),
        })
    }

    /// Parses `(a, b WITHOUT OVERLAPS)`.
    fn key_columns(&mut self) -> Result<(Vec<String>, bool), Error> {
        let mut without_overlaps = false;
        let columns = self.comma_separated(|reader, _| {
            if without_overlaps {
                return Err(Error::new("only the last column can be WITHOUT OVERLAPS"));
            }
            let name = reader.name()?.name;
            without_overlaps = reader.words(&["without", "overlaps"]);
            Ok(name)
        })?;
        Ok((columns, without_overlaps))
    }

    /// Parses `(a, PERIOD b)`.
    fn period_columns(&mut self) -> Result<(Vec<String>, bool), Error> {
        let mut period = false;
        let columns = self.comma_separated(|reader, end| {
            if period {
                return Err(Error::new("only the last column can be a PERIOD"));
            }
            // A column may have this name.
            period = reader.at + 1 < end && reader.word("period");
            Ok(reader.name()?.name)
        })?;
        Ok((columns, period))
    }

    /// Parses `NOT VALID` and `NOT ENFORCED`, whose opposites are the default.
    fn validity(&mut self) -> (bool, bool) {
        let (mut not_valid, mut not_enforced) = (false, false);
        loop {
            if self.words(&["not", "valid"]) {
                not_valid = true;
            } else if self.words(&["not", "enforced"]) {
                not_enforced = true;
            } else if !self.word("enforced") {
                // The server ignores the validity of a constraint that it does not enforce.
                return (not_valid && !not_enforced, not_enforced);
            }
        }
    }

    fn foreign_key(&mut self) -> Result<ForeignKey, Error> {
        let (columns, period) = self.period_columns()?;
        self.expect_word("references")?;
        let table = self.name()?;
        let (references, period_there) = if self.peek().is_some_and(|token| token.is("(")) {
            self.period_columns()?
        } else {
            (Vec::new(), period)
        };
        if period != period_there {
            return Err(Error::new(
                "PERIOD is before the last column of both tables, or of none",
            ));
        }
        let match_full = self.words(&["match", "full"]);
        self.words(&["match", "simple"]);
        let mut key = ForeignKey {
            columns,
            table,
            references,
            period,
            match_full,
            on_update: Action::NoAction,
            on_delete: Action::NoAction,
            set_columns: Vec::new(),
            deferral: Deferral::NotDeferrable,
            not_valid: false,
            not_enforced: false,
        };
        while self.word("on") {
            if self.word("update") {
                key.on_update = self.action()?;
            } else {
                self.expect_word("delete")?;
                key.on_delete = self.action()?;
                if self.peek().is_some_and(|token| token.is("(")) {
                    key.set_columns = self.columns()?;
                }
            }
        }
        key.deferral = self.deferral();
        (key.not_valid, key.not_enforced) = self.validity();
        Ok(key)
    }

    fn action(&mut self) -> Result<Action, Error> {
        if self.words(&["no", "action"]) {
            Ok(Action::NoAction)
        } else if self.word("restrict") {
            Ok(Action::Restrict)
        } else if self.word("cascade") {
            Ok(Action::Cascade)
        } else if self.words(&["set", "null"]) {
            Ok(Action::SetNull)
        } else if self.words(&["set", "default"]) {
            Ok(Action::SetDefault)
        } else {
            Err(self.unexpected("NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT"))
        }
    }

    fn exclusion(&mut self) -> Result<Exclusion, Error> {
        let method = self.method("btree")?;
        let elements = self.comma_separated(|reader, end| {
            let key = reader.index_key(end)?;
            reader.expect_word("with")?;
            Ok((key, reader.operator(end)?))
        })?;
        Ok(Exclusion {
            method,
            elements,
            include: self.include()?,
            with: self.with()?,
            predicate: if self.word("where") {
                Some(self.parenthesised_expression()?)
            } else {
                None
            },
            deferral: self.deferral(),
        })
    }

    fn operator(&mut self, end: usize) -> Result<String, Error> {
        if self.word("operator") {
            let open = self.at;
            let close = closing(&self.found, open)
                .ok_or_else(|| Error::new("`(` after OPERATOR is not closed"))?;
            let name: String = self.found[open + 1..close]
                .iter()
                .map(|token| token.text)
                .collect();
            self.at = close + 1;
            return Ok(match name.strip_prefix("pg_catalog.") {
                Some(plain) => plain.to_owned(),
                None => format!("OPERATOR({name})"),
            });
        }
        match self.peek() {
            Some(token) if token.kind == TokenKind::Operator && self.at < end => {
                self.at += 1;
                Ok(token.text.to_owned())
            }
            _ => Err(self.unexpected("an operator")),
        }
    }

    fn index(&mut self, unique: bool) -> Result<Index, Error> {
        let method = self.method("btree")?;
        let keys = self.index_keys()?;
        let include = self.include()?;
        let nulls_not_distinct = self.words(&["nulls", "not", "distinct"]);
        self.words(&["nulls", "distinct"]);
        let with = self.with()?;
        if self.word("tablespace") {
            self.name()?;
        }
        let predicate = if self.word("where") {
            let rest = self.found.len();
            Some(self.expression_until(rest)?)
        } else {
            None
        };
        Ok(Index {
            unique,
            method,
            keys,
            include,
            nulls_not_distinct,
            with,
            predicate,
        })
    }

    fn method(&mut self, default: &str) -> Result<String, Error> {
        if self.word("using") {
            Ok(self.name()?.name)
        } else {
            Ok(default.to_owned())
        }
    }

    fn index_keys(&mut self) -> Result<Vec<IndexKey>, Error> {
        self.comma_separated(Self::index_key)
    }

    /// Parses a key that ends before the token at `end`.
    fn index_key(&mut self, end: usize) -> Result<IndexKey, Error> {
        let expression = match self.peek() {
            Some(token) if token.is("(") => self.parenthesised_expression()?,
            Some(token) if matches!(token.kind, TokenKind::Word | TokenKind::Quoted) => {
                let start = self.at;
                self.at += 1;
                while self.found.get(self.at).is_some_and(|token| token.is(".")) {
                    self.at += 2;
                }
                if self.found.get(self.at).is_some_and(|token| token.is("(")) {
                    let close = closing(&self.found, self.at)
                        .ok_or_else(|| Error::new("a `(` is not closed"))?;
                    self.at = close + 1;
                }
                let until = self.at;
                self.at = start;
                self.expression_until(until)?
            }
            _ => return Err(self.unexpected("a column, or an expression in parentheses")),
        };
        let mut key = IndexKey::new(expression);
        if self.word("collate") {
            key.collation = Some(self.name()?);
        }
        let modifiers = ["asc", "desc", "nulls", "with"];
        if self.at < end
            && self.peek().is_some_and(|token| {
                matches!(token.kind, TokenKind::Word | TokenKind::Quoted)
                    && !modifiers.iter().any(|word| token.is_word(word))
            })
        {
            key.opclass = Some(self.opclass()?);
        }
        self.word("asc");
        key.descending = self.word("desc");
        key.nulls_first = key.descending;
        if self.words(&["nulls", "first"]) {
            key.nulls_first = true;
        } else if self.words(&["nulls", "last"]) {
            key.nulls_first = false;
        }
        Ok(key)
    }

    fn opclass(&mut self) -> Result<String, Error> {
        let name = self.name()?.to_string();
        if !self.peek().is_some_and(|token| token.is("(")) {
            return Ok(name);
        }
        let close =
            closing(&self.found, self.at).ok_or_else(|| Error::new("a `(` is not closed"))?;
        let parameters: String = self.found[self.at + 1..close]
            .iter()
            .map(|token| if token.is(",") { ", " } else { token.text })
            .collect();
        self.at = close + 1;
        Ok(format!("{name}({parameters})"))
    }

    fn include(&mut self) -> Result<Vec<String>, Error> {
        if self.word("include") {
            self.columns()
        } else {
            Ok(Vec::new())
        }
    }

    /// Parses `WITH (name = value, …)`, sorted by name.
    fn with(&mut self) -> Result<Vec<(String, String)>, Error> {
        if !self.word("with") {
            return Ok(Vec::new());
        }
        let mut with = self.comma_separated(|reader, end| {
            let name = reader.name()?.name;
            let mut value = String::new();
            if reader.at < end {
                reader.expect("=")?;
                while reader.at < end {
                    value.push_str(reader.found[reader.at].text.trim_matches('\''));
                    reader.at += 1;
                }
            }
            Ok((
                name,
                if value.is_empty() {
                    "true".to_owned()
                } else {
                    value
                },
            ))
        })?;
        with.sort();
        Ok(with)
    }

    fn deferral(&mut self) -> Deferral {
        let mut deferral = Deferral::NotDeferrable;
        if !self.words(&["not", "deferrable"]) && self.word("deferrable") {
            deferral = Deferral::Deferrable;
        }
        if self.words(&["initially", "deferred"]) {
            deferral = Deferral::InitiallyDeferred;
        }
        self.words(&["initially", "immediate"]);
        deferral
    }

    fn columns(&mut self) -> Result<Vec<String>, Error> {
        self.comma_separated(|reader, _| Ok(reader.name()?.name))
    }

    /// Parses a list in parentheses; each item ends at the given token.
    fn comma_separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self, usize) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        if !self.peek().is_some_and(|token| token.is("(")) {
            return Err(self.unexpected("`(`"));
        }
        let close =
            closing(&self.found, self.at).ok_or_else(|| Error::new("a `(` is not closed"))?;
        self.at += 1;
        let mut items = Vec::new();
        while self.at < close {
            let end = self.item_end(close);
            items.push(item(self, end)?);
            if self.at != end {
                return Err(self.unexpected("`,` or `)`"));
            }
            if end < close {
                self.at += 1;
            }
        }
        self.at = close + 1;
        if items.is_empty() {
            return Err(Error::new("the parentheses are empty"));
        }
        Ok(items)
    }

    /// The position of the comma that ends the current item, or `close`.
    fn item_end(&self, close: usize) -> usize {
        let mut at = self.at;
        while at < close {
            let token = self.found[at];
            if token.is(",") {
                return at;
            }
            if token.is("(") || token.is("[") {
                at = closing(&self.found, at).unwrap_or(close);
            }
            at += 1;
        }
        close
    }

    /// Parses `(expression)`, without redundant parentheses.
    fn parenthesised_expression(&mut self) -> Result<Expression, Error> {
        if !self.peek().is_some_and(|token| token.is("(")) {
            return Err(self.unexpected("`(`"));
        }
        let close =
            closing(&self.found, self.at).ok_or_else(|| Error::new("a `(` is not closed"))?;
        let after = close + 1;
        let expression = self.expression_until(after)?;
        Ok(expression)
    }

    /// Parses the expression up to the token at `end`.
    fn expression_until(&mut self, end: usize) -> Result<Expression, Error> {
        let (mut first, mut last) = (self.at, end);
        while last > first + 1
            && self.found[first].is("(")
            && closing(&self.found, first) == Some(last - 1)
        {
            first += 1;
            last -= 1;
        }
        if first >= last {
            return Err(Error::new("an expression is missing"));
        }
        self.at = end;
        Expression::new(&self.text[self.found[first].start..self.found[last - 1].end()])
    }

    /// Parses `name` or `schema.name`.
    fn name(&mut self) -> Result<Name, Error> {
        let first = self.name_part()?;
        if self.peek().is_some_and(|token| token.is(".")) {
            self.at += 1;
            return Ok(Name::within(Some(first), self.name_part()?));
        }
        Ok(Name::new(first))
    }

    fn name_part(&mut self) -> Result<String, Error> {
        let token = self.peek().ok_or_else(|| self.unexpected("a name"))?;
        let name = unquoted(token.kind, token.text).ok_or_else(|| self.unexpected("a name"))?;
        self.at += 1;
        Ok(name)
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.found.get(self.at).copied()
    }

    fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    fn words(&mut self, words: &[&str]) -> bool {
        let all = words.iter().enumerate().all(|(ahead, word)| {
            self.found
                .get(self.at + ahead)
                .is_some_and(|token| token.is_word(word))
        });
        if all {
            self.at += words.len();
        }
        all
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Error> {
        if self.word(word) {
            Ok(())
        } else {
            Err(self.unexpected(&word.to_uppercase()))
        }
    }

    fn expect(&mut self, text: &str) -> Result<(), Error> {
        if self.peek().is_some_and(|token| token.is(text)) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{text}`")))
        }
    }

    fn unexpected(&self, wanted: &str) -> Error {
        match self.peek() {
            Some(token) => Error::new(format!("expected {wanted}, got `{}`", token.text)),
            None => Error::new(format!("expected {wanted}, got the end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Constraint, CreateIndex, Index, PartitionBy};

    fn constraint(text: &str) -> String {
        text.parse::<Constraint>().unwrap().to_string()
    }

    fn index(text: &str) -> String {
        text.parse::<Index>().unwrap().to_string()
    }

    #[test]
    fn constraints_round_trip_through_text() {
        for text in [
            "PRIMARY KEY (id)",
            "PRIMARY KEY (a, \"B b\") INCLUDE (c)",
            "UNIQUE NULLS NOT DISTINCT (a) DEFERRABLE INITIALLY DEFERRED",
            "CHECK (total >= 0)",
            "CHECK (a OR (b AND c)) NO INHERIT NOT VALID",
            "FOREIGN KEY (a, b) REFERENCES sales.t (x, y) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL (b) DEFERRABLE NOT VALID",
            "PRIMARY KEY (id, valid WITHOUT OVERLAPS)",
            "UNIQUE (valid WITHOUT OVERLAPS) INCLUDE (b)",
            "CHECK (a > 0) NO INHERIT NOT ENFORCED",
            "FOREIGN KEY (a, PERIOD during) REFERENCES t (x, PERIOD valid)",
            "FOREIGN KEY (period) REFERENCES t (period) NOT ENFORCED",
            "FOREIGN KEY (PERIOD period) REFERENCES t (PERIOD period)",
            "EXCLUDE USING gist (room WITH =, (tsrange(a, b)) WITH &&) WHERE (NOT cancelled)",
        ] {
            let wanted = text
                .replace("((tsrange(a, b)))", "(tsrange(a, b))")
                .replace("(tsrange(a, b))", "tsrange(a, b)");
            assert_eq!(constraint(text), wanted);
            assert_eq!(constraint(&wanted), wanted);
        }
        assert_eq!(constraint("check (((a > 0)))"), "CHECK (a > 0)");
        for (text, wanted) in [
            ("CHECK (a > 0) ENFORCED", "CHECK (a > 0)"),
            (
                "CHECK (a > 0) NOT VALID NOT ENFORCED",
                "CHECK (a > 0) NOT ENFORCED",
            ),
            (
                "foreign key (a, period b) references t not enforced",
                "FOREIGN KEY (a, PERIOD b) REFERENCES t () NOT ENFORCED",
            ),
        ] {
            assert_eq!(constraint(text), wanted);
        }
        assert_eq!(
            constraint("foreign key(a) references t"),
            "FOREIGN KEY (a) REFERENCES t ()"
        );
    }

    #[test]
    fn indexes_round_trip_through_text() {
        for text in [
            "USING btree (a, b DESC, c NULLS FIRST, d DESC NULLS LAST)",
            "UNIQUE USING btree (lower(email)) WHERE deleted_at IS NULL",
            "USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 32, m = 8)",
            "USING gin (message gin_trgm_ops)",
            "USING btree ((meta ->> 'user'), a COLLATE \"C\" text_pattern_ops)",
            "UNIQUE USING btree (a) INCLUDE (b, c) NULLS NOT DISTINCT",
            "USING gist (path gist_ltree_ops(siglen=100))",
        ] {
            assert_eq!(index(text), text);
        }
        assert_eq!(index("(created_at desc)"), "USING btree (created_at DESC)");
        assert_eq!(
            index("(a) with (fillfactor='70')"),
            "USING btree (a) WITH (fillfactor = 70)"
        );
        let created: CreateIndex =
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS x ON ONLY sales.t (a)"
                .parse()
                .unwrap();
        assert_eq!(
            (created.name.as_str(), created.table.to_string().as_str()),
            ("x", "sales.t")
        );
        assert!(created.concurrently && created.index.unique);
    }

    #[test]
    fn partition_keys_round_trip_through_text() {
        for text in ["RANGE (id)", "LIST (lower(a))", "HASH (a, (b + 1))"] {
            assert_eq!(text.parse::<PartitionBy>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn invalid_constraint_or_index_error_names_the_place() {
        let error = |text: &str| text.parse::<Constraint>().unwrap_err().to_string();
        let errors = [
            error("CHEK (a > 0)"),
            error("CHECK a > 0"),
            error("CHECK (a > 0"),
            error("CHECK ()"),
            error("UNIQUE (a b)"),
            error("FOREIGN KEY (a) REFERENCES t (b) ON DELETE NOTHING"),
            error("PRIMARY KEY (a) WHERE b"),
            error("UNIQUE (a WITHOUT OVERLAPS, b)"),
            error("FOREIGN KEY (a, PERIOD b) REFERENCES t (c, d)"),
            error("FOREIGN KEY (PERIOD a, b) REFERENCES t (c, d)"),
            "USING gin".parse::<Index>().unwrap_err().to_string(),
            "(a) WHERE".parse::<Index>().unwrap_err().to_string(),
        ]
        .join("\n");
        insta::assert_snapshot!(errors, @"
        cannot parse `CHEK (a > 0)` as a constraint: expected PRIMARY KEY, UNIQUE, CHECK, FOREIGN KEY or EXCLUDE, got `CHEK`
        cannot parse `CHECK a > 0` as a constraint: expected `(`, got `a`
        cannot parse `CHECK (a > 0` as a constraint: a `(` is not closed
        cannot parse `CHECK ()` as a constraint: an expression is missing
        cannot parse `UNIQUE (a b)` as a constraint: expected `,` or `)`, got `b`
        cannot parse `FOREIGN KEY (a) REFERENCES t (b) ON DELETE NOTHING` as a constraint: expected NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT, got `NOTHING`
        cannot parse `PRIMARY KEY (a) WHERE b` as a constraint: unexpected `WHERE`
        cannot parse `UNIQUE (a WITHOUT OVERLAPS, b)` as a constraint: only the last column can be WITHOUT OVERLAPS
        cannot parse `FOREIGN KEY (a, PERIOD b) REFERENCES t (c, d)` as a constraint: PERIOD is before the last column of both tables, or of none
        cannot parse `FOREIGN KEY (PERIOD a, b) REFERENCES t (c, d)` as a constraint: only the last column can be a PERIOD
        cannot parse `USING gin` as an index: expected `(`, got the end
        cannot parse `(a) WHERE` as an index: an expression is missing
        ");
    }
}
