//! Calls of functions, some of which have a grammar of their own: `EXTRACT (year FROM t)`.

use super::{Node, Parser, RANGE};
use crate::syntax::{TokenKind, unquoted};

/// Functions whose arguments are separated by words. The words are no columns.
const WITH_WORDS: [&str; 24] = [
    "extract",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_value",
    "normalize",
    "overlay",
    "substring",
    "treat",
    "trim",
    "xmlattributes",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
];

/// Words that no argument begins with.
const SEPARATORS: [&str; 8] = [
    "from", "for", "placing", "both", "leading", "trailing", "variadic", "distinct",
];

/// Words before the first argument.
const LEADING: [&str; 4] = ["document", "content", "name", "returning"];

/// Words that an argument follows.
const BEFORE_ARGUMENT: [&str; 8] = [
    "default", "escape", "from", "passing", "placing", "similar", "value", "version",
];

const FORMS: [&str; 4] = ["nfc", "nfd", "nfkc", "nfkd"];

impl Parser<'_, '_> {
    /// Parses a call after its parenthesis. `is_word` says whether the name is without quotes.
    pub(super) fn call(&mut self, mut name: Vec<String>, is_word: bool) -> Option<Node> {
        if name.len() == 2 && name[0] == "pg_catalog" {
            name.remove(0);
        }
        let is_word = is_word && name.len() == 1;
        let name = name.join(".");
        if name == "position" && is_word {
            return self.position();
        }
        let mut arguments = if is_word && WITH_WORDS.contains(&name.as_str()) {
            self.arguments_with_words(&name)?
        } else {
            self.arguments()?
        };
        match name.as_str() {
            "now" if arguments.is_empty() => {
                return Some(Node::Done("current_timestamp".to_owned()));
            }
            // The default is both ends.
            "trim" => {
                let word = |word: &str| arguments.iter().any(|argument| argument == word);
                let (sided, from) = (
                    word("both") || word("leading") || word("trailing"),
                    word("from"),
                );
                if !sided {
                    arguments.insert(0, "both".to_owned());
                }
                if !from {
                    arguments.insert(1, "from".to_owned());
                }
            }
            _ => {}
        }
        // The type that a string gets as the first argument of these functions.
        let of_first = match name.as_str() {
            "nextval" | "currval" | "setval" => Some("regclass"),
            "to_tsvector"
            | "to_tsquery"
            | "plainto_tsquery"
            | "phraseto_tsquery"
            | "websearch_to_tsquery"
                if arguments.len() > 1 =>
            {
                Some("regconfig")
            }
            _ => None,
        };
        if let (Some(ty), Some(first)) = (of_first, arguments.first_mut())
            && let Some(string) = first
                .strip_prefix("(cast '")
                .and_then(|rest| rest.strip_suffix(&format!(" {ty})")))
        {
            *first = format!("'{string}");
        }
        Some(Node::Done(format!("({name}! {})", arguments.join(" "))))
    }

    /// Parses `POSITION (part IN whole)`, after its parenthesis.
    fn position(&mut self) -> Option<Node> {
        let part = self.expression(RANGE)?;
        self.take_word("in").then_some(())?;
        let whole = self.expression(RANGE)?;
        self.take(")").then_some(())?;
        Some(Node::Done(format!(
            "(position! {} in {})",
            part.text(),
            whole.text()
        )))
    }

    /// Parses arguments with commas.
    fn arguments(&mut self) -> Option<Vec<String>> {
        let mut arguments = Vec::new();
        loop {
            if self.take(")") {
                return Some(arguments);
            }
            if self.take(",") {
                continue;
            }
            let token = self.peek()?;
            let word = token.text.to_lowercase();
            if token.kind == TokenKind::Word && SEPARATORS.contains(&word.as_str()) {
                self.at += 1;
                arguments.push(word);
                continue;
            }
            let named = self
                .found
                .get(self.at + 1)
                .is_some_and(|next| next.is("=>") || next.is(":="));
            if named {
                let name = unquoted(token.kind, token.text)?;
                self.at += 2;
                arguments.push(format!("{name}=>"));
            }
            arguments.push(self.expression(0)?.text());
        }
    }

    /// Parses arguments with words between them.
    fn arguments_with_words(&mut self, function: &str) -> Option<Vec<String>> {
        let mut arguments = Vec::new();
        if function == "extract" {
            arguments.push(self.field()?);
        }
        // Whether an argument is expected, not a word after one.
        let mut before_argument = true;
        loop {
            if self.take(")") {
                return Some(arguments);
            }
            if self.take(",") || self.take(":") {
                before_argument = true;
                if function == "normalize" {
                    arguments.push(self.form()?);
                }
                continue;
            }
            let token = self.peek()?;
            let word = token.text.to_lowercase();
            let is_word = token.kind == TokenKind::Word;
            let separates = is_word && SEPARATORS.contains(&word.as_str());
            let leads = is_word
                && arguments.is_empty()
                && LEADING.contains(&word.as_str())
                && leads(function, &word);
            if before_argument && !separates && !leads {
                arguments.push(self.expression(0)?.text());
                before_argument = false;
                continue;
            }
            is_word.then_some(())?;
            self.at += 1;
            arguments.push(word.clone());
            match word.as_str() {
                "as" if matches!(function, "treat" | "xmlserialize") => {
                    arguments.push(self.data_type()?.to_string());
                }
                "returning" => arguments.push(self.data_type()?.to_string()),
                "as" | "name" => {
                    let label = self.next()?;
                    arguments.push(unquoted(label.kind, label.text)?);
                }
                // `PASSING BY REF`, `PASSING BY VALUE`
                "passing" if self.take_word("by") => self.at += 1,
                _ => {}
            }
            before_argument = separates
                || BEFORE_ARGUMENT.contains(&word.as_str())
                || leads && matches!(word.as_str(), "document" | "content");
        }
    }

    /// Parses the field of `EXTRACT`, which may be a string.
    fn field(&mut self) -> Option<String> {
        let token = self.next()?;
        let field = match token.kind {
            TokenKind::String => super::string_content(token.text)?,
            _ => unquoted(token.kind, token.text)?,
        };
        self.peek()?.is_word("from").then(|| field.to_lowercase())
    }

    /// Parses the form of `NORMALIZE`.
    fn form(&mut self) -> Option<String> {
        let word = self.next()?.text.to_lowercase();
        FORMS.contains(&word.as_str()).then_some(word)
    }
}

/// Whether a word at the start of the arguments belongs to the grammar.
fn leads(function: &str, word: &str) -> bool {
    match word {
        "name" => matches!(function, "xmlelement" | "xmlpi"),
        "document" | "content" => matches!(function, "xmlparse" | "xmlserialize"),
        _ => function.starts_with("json"),
    }
}
