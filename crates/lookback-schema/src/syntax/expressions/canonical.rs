//! The canonical form that all expressions with one meaning share.
//!
//! A precedence parser (PostgreSQL manual, 4.1.6 "Operator Precedence") writes every part in
//! parentheses. An expression that it cannot parse keeps its tokens: two such expressions are equal
//! if their tokens are.

use crate::syntax::DataType;
use crate::syntax::{Token, TokenKind};
use crate::syntax::{is_reserved, literal, quoted, unquoted};

mod calls;

/// The canonical form of an expression.
pub(super) fn canonical(found: &[Token<'_>]) -> String {
    match parse(found) {
        Some((node, _)) => node.text(),
        None => as_tokens(found),
    }
}

/// The names in an expression, as positions of tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Columns.
    pub(super) columns: Vec<usize>,
    /// Fields of a value: `(address).city`. If the value is a whole row, they are columns.
    pub(super) fields: Vec<usize>,
    /// Keywords without parentheses that have a value: `user`, `current_date`.
    pub(super) keywords: Vec<usize>,
}

/// The names in an expression; `None` if the parser does not know a part of it.
pub(super) fn names(found: &[Token<'_>]) -> Option<Names> {
    parse(found).map(|(_, names)| names)
}

/// The canonical form of the default of a column of type `ty`.
pub(super) fn canonical_default(found: &[Token<'_>], ty: &DataType) -> String {
    let node = match parse(found) {
        Some((node, _)) if node.is_literal() => node.cast(ty.clone()),
        Some((node, _)) => node,
        None => return as_tokens(found),
    };
    match node {
        // A literal has the type of its column, which the server prints without modifiers.
        Node::Cast(inner, to)
            if inner.is_literal()
                && to.name == ty.name
                && to.array == ty.array
                && (to.modifiers.is_none() || to.modifiers == ty.modifiers) =>
        {
            inner.text()
        }
        node => node.text(),
    }
}

fn parse(found: &[Token<'_>]) -> Option<(Node, Names)> {
    let mut parser = Parser {
        found,
        at: 0,
        depth: 0,
        names: Names::default(),
    };
    let node = parser.expression(0)?;
    (parser.at == found.len()).then_some((node, parser.names))
}

fn as_tokens(found: &[Token<'_>]) -> String {
    let words: Vec<String> = found
        .iter()
        .map(|token| match token.kind {
            TokenKind::Word => token.text.to_lowercase(),
            TokenKind::Quoted => match unquoted(token.kind, token.text) {
                Some(name) => quoted(&name).into_owned(),
                None => token.text.to_owned(),
            },
            _ => token.text.to_owned(),
        })
        .collect();
    words.join(" ")
}

/// A part of an expression.
#[derive(Clone)]
enum Node {
    /// A finished form.
    Done(String),
    /// The content of a string.
    String(String),
    /// A number, with its sign.
    Number(String),
    Cast(Box<Self>, DataType),
    And(Vec<Self>),
    Or(Vec<Self>),
    Array(Vec<Self>),
}

impl Node {
    fn is_literal(&self) -> bool {
        match self {
            Self::String(_) | Self::Number(_) => true,
            Self::Done(text) => matches!(text.as_str(), "null" | "true" | "false"),
            _ => false,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Done(text) => text.clone(),
            Self::String(content) => literal(content),
            Self::Number(digits) => digits.clone(),
            Self::Cast(inner, ty) => format!("(cast {} {ty})", inner.text()),
            Self::And(parts) => format!("(and {})", list(parts)),
            Self::Or(parts) => format!("(or {})", list(parts)),
            Self::Array(parts) => format!("(array {})", list(parts)),
        }
    }

    fn cast(self, ty: DataType) -> Self {
        // A cast of an array of literals is a cast of each literal.
        if let Self::Array(parts) = &self
            && ty.array
        {
            let element = DataType {
                array: false,
                ..ty.clone()
            };
            return Self::Array(
                parts
                    .iter()
                    .cloned()
                    .map(|part| part.cast(element.clone()))
                    .collect(),
            );
        }
        let text = ty.modifiers.is_none()
            && !ty.array
            && (ty.is_builtin("text") || ty.is_builtin("character varying"));
        match self {
            // A string is text unless it is cast to another type.
            Self::String(_) if text => self,
            Self::String(content) if is_numeric(&ty) && content.trim().parse::<f64>().is_ok() => {
                let number = Self::Number(content.trim().to_owned());
                if ty.is_builtin("integer") || (ty.is_builtin("numeric") && ty.modifiers.is_none())
                {
                    number
                } else {
                    Self::Cast(Box::new(number), ty)
                }
            }
            Self::String(content) if ty.is_builtin("boolean") && !ty.array => {
                match content.to_lowercase().as_str() {
                    "t" | "true" | "y" | "yes" | "on" | "1" => Self::Done("true".to_owned()),
                    "f" | "false" | "n" | "no" | "off" | "0" => Self::Done("false".to_owned()),
                    _ => Self::Cast(Box::new(Self::String(content)), ty),
                }
            }
            // The server adds casts to null, of any type.
            Self::Done(null) if null == "null" => Self::Done(null),
            other => Self::Cast(Box::new(other), ty),
        }
    }
}

fn is_numeric(ty: &DataType) -> bool {
    !ty.array
        && [
            "smallint",
            "integer",
            "bigint",
            "numeric",
            "real",
            "double precision",
        ]
        .iter()
        .any(|name| ty.is_builtin(name))
}

fn list(parts: &[Node]) -> String {
    let parts: Vec<String> = parts.iter().map(Node::text).collect();
    parts.join(" ")
}

struct Parser<'t, 'a> {
    found: &'t [Token<'a>],
    at: usize,
    depth: usize,
    names: Names,
}

// Binding strength of the operators, weakest first.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const IS: u8 = 4;
const COMPARISON: u8 = 5;
const RANGE: u8 = 6;
const OTHER: u8 = 7;
const SUM: u8 = 8;
const PRODUCT: u8 = 9;
const POWER: u8 = 10;
const AT: u8 = 11;
const COLLATE: u8 = 12;
const SIGN: u8 = 13;
const SUBSCRIPT: u8 = 14;
const CAST: u8 = 15;

/// Nesting limit: more than real expressions have, and far from a stack overflow.
const MAX_DEPTH: usize = 200;

impl<'a> Parser<'_, 'a> {
    fn expression(&mut self, above: u8) -> Option<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut left = self.prefix()?;
        while let Some(binding) = self.binding() {
            if binding <= above {
                break;
            }
            left = self.infix(left, binding)?;
        }
        self.depth -= 1;
        Some(left)
    }

    /// How strongly the next token binds to its left operand.
    fn binding(&self) -> Option<u8> {
        let token = self.peek()?;
        if token.kind == TokenKind::Operator {
            return Some(match token.text {
                "::" => CAST,
                "<" | ">" | "=" | "<=" | ">=" | "<>" | "!=" => COMPARISON,
                "+" | "-" => SUM,
                "*" | "/" | "%" => PRODUCT,
                "^" => POWER,
                _ => OTHER,
            });
        }
        if token.is("[") || token.is(".") {
            return Some(SUBSCRIPT);
        }
        if token.kind != TokenKind::Word {
            return None;
        }
        Some(match token.text.to_lowercase().as_str() {
            "or" => OR,
            "and" => AND,
            "is" | "isnull" | "notnull" => IS,
            "similar" => {
                // `SUBSTRING (… SIMILAR … ESCAPE …)` has the word alone.
                let to = self.found.get(self.at + 1)?;
                return to.is_word("to").then_some(RANGE);
            }
            "between" | "in" | "like" | "ilike" | "not" | "overlaps" => RANGE,
            "operator" => OTHER,
            "at" => AT,
            "collate" => COLLATE,
            _ => return None,
        })
    }

    fn infix(&mut self, left: Node, binding: u8) -> Option<Node> {
        match binding {
            OR | AND => {
                self.at += 1;
                let right = self.expression(binding)?;
                Some(joined(binding, left, right))
            }
            IS => self.is(&left),
            RANGE => self.range(left),
            CAST => {
                self.at += 1;
                Some(left.cast(self.data_type()?))
            }
            SUBSCRIPT => self.subscript(&left),
            COLLATE => {
                self.at += 1;
                let name = dotted(&self.qualified_name()?);
                Some(Node::Done(format!("(collate {} {name})", left.text())))
            }
            AT => {
                self.at += 1;
                if self.take_word("local") {
                    return Some(Node::Done(format!("(at local {})", left.text())));
                }
                (self.take_word("time") && self.take_word("zone")).then_some(())?;
                let zone = self.expression(AT)?;
                Some(Node::Done(format!("(at {} {})", left.text(), zone.text())))
            }
            _ => {
                let operator = self.operator()?;
                // `= ANY (…)` and similar.
                if let Some(quantifier) = self.quantifier() {
                    self.take("(").then_some(())?;
                    let right = self.expression(0)?;
                    self.take(")").then_some(())?;
                    return Some(quantified(&left, &operator, quantifier, &right));
                }
                let right = self.expression(binding)?;
                Some(binary(&left, &operator, &right))
            }
        }
    }

    fn operator(&mut self) -> Option<String> {
        let token = self.next()?;
        if token.is_word("operator") {
            self.take("(").then_some(())?;
            let mut name = String::new();
            while !self.take(")") {
                name.push_str(self.next()?.text);
            }
            return Some(name.strip_prefix("pg_catalog.").unwrap_or(&name).to_owned());
        }
        Some(match token.text {
            "!=" => "<>".to_owned(),
            other => other.to_owned(),
        })
    }

    fn quantifier(&mut self) -> Option<&'static str> {
        let follows = self.found.get(self.at + 1).is_some_and(|next| next.is("("));
        if !follows {
            return None;
        }
        if self.take_word("any") || self.take_word("some") {
            Some("any")
        } else if self.take_word("all") {
            Some("all")
        } else {
            None
        }
    }

    fn is(&mut self, left: &Node) -> Option<Node> {
        let word = self.next()?.text.to_lowercase();
        let left = left.text();
        Some(Node::Done(match word.as_str() {
            "isnull" => format!("(is null {left})"),
            "notnull" => format!("(is not null {left})"),
            _ => {
                let not = if self.take_word("not") { "not " } else { "" };
                if self.take_word("distinct") {
                    self.take_word("from").then_some(())?;
                    let right = self.expression(IS)?;
                    let distinct = format!("(is distinct {left} {})", right.text());
                    if not.is_empty() {
                        distinct
                    } else {
                        format!("(not {distinct})")
                    }
                } else {
                    let mut what = self.next()?.text.to_lowercase();
                    // IS JSON OBJECT, IS NFC NORMALIZED
                    while let Some(word) = self.peek()
                        && word.kind == TokenKind::Word
                        && self.binding().is_none()
                        && !["then", "else", "when", "end"]
                            .contains(&word.text.to_lowercase().as_str())
                    {
                        what.push(' ');
                        what.push_str(&word.text.to_lowercase());
                        self.at += 1;
                    }
                    format!("(is {not}{what} {left})")
                }
            }
        }))
    }

    /// `[NOT] BETWEEN`, `IN`, `LIKE`, `ILIKE`, `SIMILAR TO`.
    fn range(&mut self, left: Node) -> Option<Node> {
        let not = self.take_word("not");
        let word = self.next()?.text.to_lowercase();
        match word.as_str() {
            "between" => {
                let symmetric = self.take_word("symmetric");
                self.take_word("asymmetric");
                let low = self.expression(RANGE)?;
                self.take_word("and").then_some(())?;
                let high = self.expression(RANGE)?;
                let between = |low: &Node, high: &Node| {
                    if not {
                        Node::Or(vec![binary(&left, "<", low), binary(&left, ">", high)])
                    } else {
                        Node::And(vec![binary(&left, ">=", low), binary(&left, "<=", high)])
                    }
                };
                Some(if symmetric {
                    let parts = vec![between(&low, &high), between(&high, &low)];
                    if not {
                        Node::And(parts)
                    } else {
                        Node::Or(parts)
                    }
                } else {
                    between(&low, &high)
                })
            }
            "in" => {
                self.take("(").then_some(())?;
                let mut items = self.comma_list(")")?;
                let (operator, quantifier) = if not { ("<>", "all") } else { ("=", "any") };
                if items.len() == 1 {
                    return Some(binary(&left, operator, &items.remove(0)));
                }
                Some(quantified(&left, operator, quantifier, &Node::Array(items)))
            }
            "like" | "ilike" => {
                let operator = match (not, word.as_str()) {
                    (false, "like") => "~~",
                    (true, "like") => "!~~",
                    (false, _) => "~~*",
                    (true, _) => "!~~*",
                };
                if let Some(quantifier) = self.quantifier() {
                    self.take("(").then_some(())?;
                    let right = self.expression(0)?;
                    self.take(")").then_some(())?;
                    return Some(quantified(&left, operator, quantifier, &right));
                }
                let pattern = self.expression(RANGE)?;
                if self.take_word("escape") {
                    let escape = self.expression(RANGE)?;
                    let pattern = format!("(like_escape! {} {})", pattern.text(), escape.text());
                    return Some(binary(&left, operator, &Node::Done(pattern)));
                }
                Some(binary(&left, operator, &pattern))
            }
            "overlaps" => {
                let right = self.expression(RANGE)?;
                Some(binary(&left, "overlaps", &right))
            }
            "similar" => {
                self.take_word("to").then_some(())?;
                let pattern = self.expression(RANGE)?;
                let pattern = if self.take_word("escape") {
                    let escape = self.expression(RANGE)?;
                    format!("(similar_to_escape! {} {})", pattern.text(), escape.text())
                } else {
                    format!("(similar_to_escape! {})", pattern.text())
                };
                let operator = if not { "!~" } else { "~" };
                Some(binary(&left, operator, &Node::Done(pattern)))
            }
            _ => None,
        }
    }

    /// Parses `[i]`, `[i:j]` and `.field`.
    fn subscript(&mut self, left: &Node) -> Option<Node> {
        if self.take(".") {
            let token = self.next()?;
            let field = if token.is("*") {
                "*".to_owned()
            } else {
                self.names.fields.push(self.at - 1);
                quoted(&unquoted(token.kind, token.text)?).into_owned()
            };
            return Some(Node::Done(format!("(field {} {field})", left.text())));
        }
        self.take("[").then_some(())?;
        let mut parts = vec![left.text()];
        loop {
            if self.take("]") {
                return Some(Node::Done(format!("(subscript {})", parts.join(" "))));
            }
            if self.take(":") {
                parts.push(":".to_owned());
            } else {
                parts.push(self.expression(0)?.text());
            }
        }
    }

    fn prefix(&mut self) -> Option<Node> {
        let token = self.next()?;
        match token.kind {
            TokenKind::String => Some(Node::String(string_content(token.text)?)),
            TokenKind::Number => Some(Node::Number(number(token.text))),
            TokenKind::Bits => Some(Node::Done(token.text.to_lowercase())),
            TokenKind::Parameter => Some(Node::Done(token.text.to_owned())),
            TokenKind::Operator => {
                let binding = if matches!(token.text, "-" | "+") {
                    SIGN
                } else {
                    OTHER
                };
                let operand = self.expression(binding)?;
                Some(match (token.text, operand) {
                    ("+", operand) => operand,
                    ("-", Node::Number(digits)) if !digits.starts_with('-') => {
                        Node::Number(format!("-{digits}"))
                    }
                    (operator, operand) => Node::Done(format!("({operator} {})", operand.text())),
                })
            }
            TokenKind::Punctuation if token.is("(") => {
                let mut items = self.comma_list(")")?;
                Some(if items.len() == 1 {
                    items.remove(0)
                } else {
                    Node::Done(format!("(row {})", list(&items)))
                })
            }
            TokenKind::Punctuation => None,
            TokenKind::Quoted => self.reference(),
            TokenKind::Word => self.word(token),
        }
    }

    fn word(&mut self, token: Token<'a>) -> Option<Node> {
        let word = token.text.to_lowercase();
        let opens = self.peek().is_some_and(|next| next.is("("));
        match word.as_str() {
            "true" | "false" | "null" | "current_date" | "current_user" | "current_role"
            | "session_user" | "user" | "current_catalog" | "current_schema" | "system_user"
                if !opens =>
            {
                self.names.keywords.push(self.at - 1);
                Some(Node::Done(word))
            }
            "current_timestamp" | "current_time" | "localtime" | "localtimestamp" => {
                self.names.keywords.push(self.at - 1);
                let mut parts = vec![word];
                if self.take("(") {
                    parts.push(list(&self.comma_list(")")?));
                }
                Some(Node::Done(parts.join(" ")))
            }
            "collation" if self.take_word("for") => {
                self.take("(").then_some(())?;
                let inner = self.expression(0)?;
                self.take(")").then_some(())?;
                Some(Node::Done(format!("(collation for {})", inner.text())))
            }
            "not" => {
                let operand = self.expression(NOT)?;
                Some(Node::Done(format!("(not {})", operand.text())))
            }
            "case" => self.case(),
            "array" if self.take("[") => Some(Node::Array(self.array()?)),
            "row" if opens => {
                self.take("(");
                let items = self.comma_list(")")?;
                Some(Node::Done(format!("(row {})", list(&items))))
            }
            "cast" if opens => {
                self.take("(");
                let inner = self.expression(0)?;
                self.take_word("as").then_some(())?;
                let ty = self.data_type()?;
                self.take(")").then_some(())?;
                Some(inner.cast(ty))
            }
            _ => {
                // `interval '1 day'`: a type before a string is a cast.
                if let Some(node) = self.typed_string() {
                    return Some(node);
                }
                self.reference()
            }
        }
    }

    /// Parses a column or a function, perhaps qualified, after its first token.
    fn reference(&mut self) -> Option<Node> {
        self.at -= 1;
        let is_word = self.peek()?.kind == TokenKind::Word;
        let name = self.qualified_name()?;
        if self.take("(") {
            return self.call(name, is_word);
        }
        if let [word] = name.as_slice()
            && is_word
            && is_reserved(word)
        {
            return None;
        }
        // `t.*` is the whole row.
        let follows = |ahead: usize| self.found.get(self.at + ahead);
        let whole_row = follows(0).is_some_and(|token| token.is("."))
            && follows(1).is_some_and(|token| token.is("*"));
        if !whole_row {
            self.names.columns.push(self.at - 1);
        }
        Some(Node::Done(dotted(&name)))
    }

    fn case(&mut self) -> Option<Node> {
        let mut text = "(case".to_owned();
        let mut has_else = false;
        loop {
            let token = self.peek()?;
            let word = token.text.to_lowercase();
            if token.kind == TokenKind::Word
                && ["when", "then", "else", "end"].contains(&word.as_str())
            {
                self.at += 1;
                has_else |= word == "else";
                if word == "end" {
                    text.push_str(if has_else { ")" } else { " else null)" });
                    return Some(Node::Done(text));
                }
                text.push(' ');
                text.push_str(&word);
                continue;
            }
            text.push(' ');
            text.push_str(&self.expression(0)?.text());
        }
    }

    /// Parses the items of `ARRAY[…]`, which can be nested.
    fn array(&mut self) -> Option<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            if self.take("]") {
                return Some(items);
            }
            if self.take(",") {
                continue;
            }
            if self.take("[") {
                items.push(Node::Array(self.array()?));
            } else {
                items.push(self.expression(0)?);
            }
        }
    }

    fn comma_list(&mut self, close: &str) -> Option<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            if self.take(close) {
                return Some(items);
            }
            if !items.is_empty() {
                self.take(",").then_some(())?;
            }
            items.push(self.expression(0)?);
        }
    }

    fn typed_string(&mut self) -> Option<Node> {
        let start = self.at - 1;
        let (ty, taken) = DataType::read(&self.found[start..]).ok()?;
        let string = self.found.get(start + taken)?;
        if string.kind != TokenKind::String {
            return None;
        }
        self.at = start + taken + 1;
        let ty = self.interval_fields(ty);
        Some(Node::String(string_content(string.text)?).cast(ty))
    }

    /// Parses the fields of `INTERVAL '1' YEAR`, after the string.
    fn interval_fields(&mut self, ty: DataType) -> DataType {
        if !ty.is_builtin("interval") || ty.modifiers.is_some() || ty.array {
            return ty;
        }
        // A type is read from its first word, which is before the string.
        let mut words = vec![Token {
            kind: TokenKind::Word,
            text: "interval",
            start: 0,
        }];
        words.extend(self.found[self.at..].iter().copied());
        match DataType::read(&words) {
            Ok((with_fields, taken)) if with_fields.name != ty.name && !with_fields.array => {
                self.at += taken - 1;
                with_fields
            }
            _ => ty,
        }
    }

    fn data_type(&mut self) -> Option<DataType> {
        let (ty, taken) = DataType::read(&self.found[self.at..]).ok()?;
        self.at += taken;
        Some(ty)
    }

    fn qualified_name(&mut self) -> Option<Vec<String>> {
        let token = self.next()?;
        let mut name = vec![unquoted(token.kind, token.text)?];
        while self.peek().is_some_and(|next| next.is("."))
            && self
                .found
                .get(self.at + 1)
                .is_some_and(|next| matches!(next.kind, TokenKind::Word | TokenKind::Quoted))
        {
            self.at += 1;
            let token = self.next()?;
            name.push(unquoted(token.kind, token.text)?);
        }
        Some(name)
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.found.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn take(&mut self, text: &str) -> bool {
        let taken = self.peek().is_some_and(|token| token.is(text));
        self.at += usize::from(taken);
        taken
    }

    fn take_word(&mut self, word: &str) -> bool {
        let taken = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(taken);
        taken
    }
}

/// A name in its canonical form: `"user"` is a column, `user` is not.
fn dotted(name: &[String]) -> String {
    let parts: Vec<_> = name.iter().map(|part| quoted(part)).collect();
    parts.join(".")
}

fn joined(binding: u8, left: Node, right: Node) -> Node {
    let mut parts = Vec::new();
    for side in [left, right] {
        match (binding, side) {
            (AND, Node::And(inner)) | (OR, Node::Or(inner)) => parts.extend(inner),
            (_, other) => parts.push(other),
        }
    }
    if binding == AND {
        Node::And(parts)
    } else {
        Node::Or(parts)
    }
}

fn binary(left: &Node, operator: &str, right: &Node) -> Node {
    Node::Done(format!("({operator} {} {})", left.text(), right.text()))
}

fn quantified(left: &Node, operator: &str, quantifier: &str, right: &Node) -> Node {
    Node::Done(format!(
        "({operator} {quantifier} {} {})",
        left.text(),
        right.text()
    ))
}

/// Formats a number without underscores; whole numbers get base ten.
fn number(text: &str) -> String {
    let digits = text.replace('_', "").to_lowercase();
    let base = match digits.get(..2) {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ if digits.starts_with('.') => return format!("0{digits}"),
        _ => return digits,
    };
    u128::from_str_radix(&digits[2..], base).map_or(digits, |whole| whole.to_string())
}

/// The content of a string literal.
fn string_content(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('$') {
        let tag = rest.find('$')? + 2;
        return Some(text.get(tag..text.len() - tag)?.to_owned());
    }
    let quote = text.find('\'')?;
    let inner = text.get(quote + 1..text.len() - 1)?.replace("''", "'");
    match &text[..quote] {
        "" | "n" | "N" => Some(inner),
        "e" | "E" if !inner.contains('\\') => Some(inner),
        "e" | "E" => unescaped(&inner),
        _ => None,
    }
}

/// Removes escapes of one character; a text with other escapes stays as it is.
fn unescaped(text: &str) -> Option<String> {
    let mut content = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        content.push(
            match (char, if char == '\\' { rest.next() } else { None }) {
                ('\\', Some('n')) => '\n',
                ('\\', Some('t')) => '\t',
                ('\\', Some('r')) => '\r',
                ('\\', Some('b')) => '\u{8}',
                ('\\', Some('f')) => '\u{c}',
                ('\\', Some('0'..='9' | 'x' | 'u' | 'U') | None) => return None,
                ('\\', Some(itself)) => itself,
                (plain, _) => plain,
            },
        );
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use crate::syntax::Expression;

    fn same(a: &str, b: &str) -> bool {
        Expression::new(a).unwrap() == Expression::new(b).unwrap()
    }

    #[test]
    fn expression_equals_its_form_printed_by_server() {
        for (written, printed) in [
            ("now()", "CURRENT_TIMESTAMP"),
            (
                "level IN ('debug', 'info')",
                "(level = ANY (ARRAY['debug'::text, 'info'::text]))",
            ),
            (
                "level NOT IN ('a', 'b')",
                "(level <> ALL (ARRAY['a'::text, 'b'::text]))",
            ),
            ("level in ('a')", "(level = 'a'::text)"),
            (
                "status_code BETWEEN 100 AND 599",
                "((status_code >= 100) AND (status_code <= 599))",
            ),
            ("a NOT BETWEEN 1 AND 2", "((a < 1) OR (a > 2))"),
            ("message ~ '\\S'", "(message ~ '\\S'::text)"),
            ("a like 'x%' and not b", "((a ~~ 'x%'::text) AND (NOT b))"),
            ("a = -1", "(a = '-1'::integer)"),
            (
                "a != 0 or b is not null and c",
                "((a <> 0) OR ((b IS NOT NULL) AND c))",
            ),
            ("a and b and c", "(a AND (b AND c))"),
            (
                "cast(a as int8) > 1 + 2 * 3",
                "((a)::bigint > (1 + (2 * 3)))",
            ),
            ("interval '60 seconds'", "'60 seconds'::interval"),
            (
                "date_trunc('minute', t at time zone 'UTC')",
                "date_trunc('minute'::text, (t AT TIME ZONE 'UTC'::text))",
            ),
            ("lower(email)", "LOWER ( email )"),
            (
                "coalesce(a, '{}'::jsonb) ? 'k'",
                "(COALESCE(a, '{}'::jsonb) ? 'k'::text)",
            ),
            (
                "case when a then 1 else 2 end",
                "CASE WHEN a THEN 1 ELSE 2 END",
            ),
            (
                "extract(year from t) > 2000",
                "(EXTRACT(year FROM t) > (2000))",
            ),
            ("tags[1] = $$x$$", "(tags[1] = 'x'::text)"),
            ("'{a,b}'::text[]", "'{a,b}'::TEXT[]"),
            ("a::varchar(5)", "(a)::character varying(5)"),
            ("x IS DISTINCT FROM y", "(x IS DISTINCT FROM y)"),
            ("\"a\" > 0 -- why", "a > 0"),
            ("a IS NOT DISTINCT FROM b", "(NOT (a IS DISTINCT FROM b))"),
            (
                "a BETWEEN SYMMETRIC 3 AND 1",
                "(((a >= 3) AND (a <= 1)) OR ((a >= 1) AND (a <= 3)))",
            ),
            (
                "case when a then 1 end",
                "CASE WHEN a THEN 1 ELSE NULL::integer END",
            ),
            (
                "t like 'a!%' escape '!'",
                "(t ~~ like_escape('a!%'::text, '!'::text))",
            ),
            ("t similar to 'a'", "(t ~ similar_to_escape('a'::text))"),
            ("trim(t) <> ''", "(TRIM(BOTH FROM t) <> ''::text)"),
            ("trim('x' from t)", "TRIM(BOTH 'x'::text FROM t)"),
            (
                "position('@' in t) > 1",
                "(POSITION(('@'::text) IN (t)) > 1)",
            ),
            ("0xFF + 1_000 + .5", "((255 + 1000) + 0.5)"),
            ("t <> E'a\\tb\\'c'", "(t <> 'a\tb''c'::text)"),
            ("nextval('s')", "nextval('s'::regclass)"),
            ("\"time\" > now()", "time > now()"),
            ("substring(t, 1, 2)", "\"substring\"(t, 1, 2)"),
            ("extract('Year' from t)", "EXTRACT(year FROM t)"),
            (
                "substring(t similar 'a' escape '#')",
                "SUBSTRING(t SIMILAR 'a'::text ESCAPE '#'::text)",
            ),
            ("interval '1' year", "'1'::interval year"),
            ("(a, b) overlaps (c, d)", "((a, b) OVERLAPS (c, d))"),
            (
                "to_tsvector('english', t)",
                "to_tsvector('english'::regconfig, t)",
            ),
        ] {
            assert!(same(written, printed), "{written} | {printed}");
        }
    }

    #[test]
    fn expressions_of_different_meaning_differ() {
        for (a, b) in [
            ("a + b * c", "(a + b) * c"),
            ("a - (b - c)", "a - b - c"),
            ("a > 1", "a >= 1"),
            ("'2020-01-01'::date", "'2020-01-01'::timestamp"),
            ("a::int", "a"),
            ("'A'", "'a'"),
            ("\"A\"", "a"),
            ("not (a and b)", "not a and b"),
            ("f(a, b)", "f(b, a)"),
            ("a collate \"C\"", "a"),
            ("now()", "clock_timestamp()"),
            ("f(a)", "f"),
            ("a IS NOT DISTINCT FROM b", "a IS DISTINCT FROM b"),
            ("case when a then 1 else 0 end", "case when a then 1 end"),
            ("trim(leading from t)", "trim(t)"),
            ("position(a in b)", "position(b in a)"),
            ("nextval('s')", "nextval('t')"),
            ("E'\\n'", "'n'"),
            ("\"user\" <> ''", "user <> ''"),
            ("\"current_date\" > d", "current_date > d"),
            ("\"null\"", "null"),
            ("\"true\"", "true"),
            ("\"a.b\" > 1", "a.b > 1"),
            ("extract(year from t)", "extract(month from t)"),
            ("interval '1' year", "interval '1' month"),
            ("normalize(t, nfc)", "normalize(t, nfd)"),
        ] {
            assert!(!same(a, b), "{a} | {b}");
        }
    }

    #[test]
    fn is_same_default_ignores_cast_to_column_type() {
        let same = |a: &str, b: &str, ty: &str| {
            let (a, b) = (Expression::new(a).unwrap(), Expression::new(b).unwrap());
            a.is_same_default(&b, &ty.parse().unwrap())
        };
        assert!(same("'user'", "'user'::user_role", "user_role"));
        assert!(same("'{}'", "'{}'::jsonb", "jsonb"));
        assert!(same("0", "'0'::bigint", "bigint"));
        assert!(same("NULL", "NULL::text", "text"));
        assert!(same("'-1'", "'-1'::smallint", "smallint"));
        assert!(same("'yes'", "true", "boolean"));
        assert!(same("'[1,2]'", "'[1,2]'::vector", "vector(2)"));
        assert!(same("'NaN'", "'NaN'::numeric", "numeric(3,1)"));
        assert!(!same("'abc'::character(2)", "'abc'", "character(3)"));
        assert!(!same("'2020-01-01'", "'2020-01-01'::date", "timestamptz"));
        assert!(!same("'a'", "'b'::user_role", "user_role"));
    }

    #[test]
    fn expression_text_excludes_outer_comments_and_parentheses() {
        let text = |text: &str| Expression::new(text).unwrap().to_string();
        assert_eq!(text("/* why */ a > 0 -- because"), "a > 0");
        assert_eq!(text("a > /* all */ 0"), "a > /* all */ 0");
        let printed = |text: &str| Expression::printed(text).unwrap().to_string();
        assert_eq!(printed("((a + b))"), "a + b");
        assert_eq!(printed("(a) + (b)"), "(a) + (b)");
        assert_eq!(printed("((a, b))"), "(a, b)");
    }

    #[test]
    fn with_renamed_qualified_renames_only_types_and_their_literals() {
        let pair = |from: &str, to: &str| (from.parse().unwrap(), to.parse().unwrap());
        let names = [pair("s.mood", "t.\"Mood\""), pair("public.mood", "mood")].into();
        let renamed = Expression::new(
            "a = 'x'::s.mood OR 's.mood' = s.mood(b) OR mood = S.\"mood\" '1' or c = 'y'::public.mood[]",
        )
        .unwrap()
        .with_renamed_qualified(&names);
        assert_eq!(
            renamed.as_str(),
            "a = 'x'::t.\"Mood\" OR 's.mood' = s.mood(b) OR mood = t.\"Mood\" '1' or c = 'y'::mood[]"
        );
    }

    #[test]
    fn plain_columns_excludes_names_that_may_not_be_columns() {
        for (text, columns) in [
            ("level IN ('a', 'b') AND NOT total >= 0", "level total"),
            ("lower(\"E mail\") <> coalesce(a, b)", "E mail a b"),
            ("extract(epoch FROM x) > 1", ""),
            ("x::timestamp with time zone > now()", "x"),
            ("at AT TIME ZONE 'UTC' < date '2026-01-01'", ""),
            (
                "shape::geometry(point, 4326) && make_box(size => 3)",
                "shape",
            ),
            (
                "window_end = window_start + interval '60 seconds'",
                "window_end window_start",
            ),
            (
                "deleted_at IS NULL AND kind = 'x'::sales.mood",
                "deleted_at kind",
            ),
            ("a IS NOT UNKNOWN AND b IS UNKNOWN AND NOT c", "a b c"),
            ("(meta ->> 'user') COLLATE \"C\" > current_user", "meta"),
        ] {
            let found = Expression::new(text).unwrap().plain_columns();
            assert_eq!(found.join(" "), columns, "{text}");
        }
    }

    /// Words of the grammar are no columns, whatever the columns are called.
    #[test]
    fn columns_are_told_from_words_of_the_grammar() {
        let renamed = |text: &str| {
            let names = [
                "year", "at", "time", "zone", "nfc", "escape", "similar", "user", "document",
                "name", "value", "local", "to", "yes", "unknown", "json",
            ];
            let names = names
                .map(|name| (name.to_owned(), format!("{name}_2")))
                .into();
            let expression = Expression::new(text).unwrap();
            expression.with_renamed_columns(&names).to_string()
        };
        for (text, wanted) in [
            ("extract(year from at)", "extract(year from at_2)"),
            ("extract(year from year)", "extract(year from year_2)"),
            ("at at time zone zone", "at_2 at time zone zone_2"),
            ("at at local > now()", "at_2 at local > now()"),
            (
                "normalize(name, nfc) = nfc",
                "normalize(name_2, nfc) = nfc_2",
            ),
            ("name is nfc normalized", "name_2 is nfc normalized"),
            (
                "substring(name similar 'a' escape escape)",
                "substring(name_2 similar 'a' escape escape_2)",
            ),
            (
                "name like 'x' escape escape",
                "name_2 like 'x' escape escape_2",
            ),
            ("trim(both from name)", "trim(both from name_2)"),
            ("interval '1' year < year", "interval '1' year < year_2"),
            ("time > time '10:00'", "time_2 > time '10:00'"),
            ("cast(name as time) = time", "cast(name_2 as time) = time_2"),
            ("user = \"user\"", "user = user_2"),
            ("unknown is not unknown", "unknown_2 is not unknown"),
            (
                "xmlelement(name name, xmlattributes(name as year), value) is document",
                "xmlelement(name name, xmlattributes(name_2 as year), value_2) is document",
            ),
            (
                "xmlparse(document document) is not null",
                "xmlparse(document document_2) is not null",
            ),
            (
                "json_object('a' value value null on null)",
                "json_object('a' value value_2 null on null)",
            ),
            (
                "json_value(json, '$' returning time default time on error)",
                "json_value(json_2, '$' returning time default time_2 on error)",
            ),
            (
                "xmlserialize(content document as name)",
                "xmlserialize(content document_2 as name)",
            ),
            ("make(year => year)", "make(year => year_2)"),
            ("(t.*).year = t.year", "(t.*).year = t.year_2"),
            ("(at).year = 1", "(at_2).year = 1"),
            (
                "case time when year then at else zone end",
                "case time_2 when year_2 then at_2 else zone_2 end",
            ),
        ] {
            assert_eq!(renamed(text), wanted);
        }
        let keywords = Expression::new("user = \"user\" and d < current_date").unwrap();
        assert_eq!(keywords.keywords(), ["user", "current_date"]);
        assert!(Expression::new("interval '1' year").unwrap().is_a_default());
    }

    #[test]
    fn with_renamed_columns_renames_only_columns() {
        let names = [("msg".to_owned(), "Message".to_owned())].into();
        let renamed = Expression::new("msg <> 'msg' AND msg(msg) = x::msg")
            .unwrap()
            .with_renamed_columns(&names);
        assert_eq!(
            renamed.as_str(),
            "\"Message\" <> 'msg' AND msg(\"Message\") = x::msg"
        );
        assert!(renamed.mentions("Message") && !renamed.mentions("msg"));
    }

    #[test]
    fn expression_new_of_invalid_text_is_refused() {
        let error = |text: &str| Expression::new(text).unwrap_err().to_string();
        insta::assert_snapshot!([error(" "), error("a > (1"), error("a)"), error("'x"), error("1; drop table t")].join("\n"), @"
        `` is not an expression: it is empty
        `a > (1` is not an expression: a `(` is not closed
        `a)` is not an expression: unmatched `)`
        `'x` is not an expression: line 1: unterminated string
        `1; drop table t` is not an expression: it holds a semicolon
        ");
    }
}
