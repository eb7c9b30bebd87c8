//! The columns whose types a statement changes.

use crate::syntax::expressions::closing;
use crate::syntax::lexer::{Token, tokens};
use crate::syntax::{Name, unquoted};

/// The table and the columns whose types an `ALTER TABLE` changes; `None` for another statement.
pub fn retyped_columns(sql: &str) -> Option<(Name, Vec<String>)> {
    let found = tokens(sql).ok()?;
    let mut at = 0;
    skip(&found, &mut at, &["alter", "table"]).then_some(())?;
    skip(&found, &mut at, &["if", "exists"]);
    skip(&found, &mut at, &["only"]);
    let first = name(&found, &mut at)?;
    let table = if found.get(at).is_some_and(|token| token.is(".")) {
        at += 1;
        Name::within(Some(first), name(&found, &mut at)?)
    } else {
        Name::new(first)
    };
    let mut columns = Vec::new();
    while at < found.len() {
        if let Some(column) = retyped(&found, at) {
            columns.push(column);
        }
        at = end_of_action(&found, at);
    }
    (!columns.is_empty()).then_some((table, columns))
}

/// The column whose type the action at `at` changes.
fn retyped(found: &[Token<'_>], mut at: usize) -> Option<String> {
    skip(found, &mut at, &["alter"]).then_some(())?;
    skip(found, &mut at, &["column"]);
    let column = name(found, &mut at)?;
    skip(found, &mut at, &["set", "data"]);
    skip(found, &mut at, &["type"]).then_some(column)
}

/// The position after the comma that ends the action at `at`.
fn end_of_action(found: &[Token<'_>], mut at: usize) -> usize {
    while let Some(token) = found.get(at) {
        if token.is(",") {
            return at + 1;
        }
        if token.is("(") || token.is("[") {
            at = closing(found, at).unwrap_or(found.len());
        }
        at += 1;
    }
    at
}

fn skip(found: &[Token<'_>], at: &mut usize, words: &[&str]) -> bool {
    let next = found.get(*at..*at + words.len());
    let all = next.is_some_and(|next| next.iter().zip(words).all(|(token, w)| token.is_word(w)));
    if all {
        *at += words.len();
    }
    all
}

fn name(found: &[Token<'_>], at: &mut usize) -> Option<String> {
    let token = found.get(*at)?;
    let name = unquoted(token.kind, token.text)?;
    *at += 1;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::retyped_columns;

    #[test]
    fn retyped_columns_of_alter_table_are_found() {
        let found = |sql| {
            retyped_columns(sql).map(|(table, columns)| format!("{table} {}", columns.join(" ")))
        };
        for (sql, wanted) in [
            ("ALTER TABLE t ALTER COLUMN a TYPE bigint", Some("t a")),
            (
                "alter table if exists only s.\"T\" alter a set data type int USING f(a, 1), \
                 ALTER \"B b\" TYPE numeric(1,2), alter c set default 1",
                Some("s.\"T\" a B b"),
            ),
            ("ALTER TABLE t ALTER COLUMN type SET NOT NULL", None),
            ("ALTER TABLE t ADD COLUMN a type", None),
            ("ALTER TABLE", None),
            ("SELECT 1", None),
            ("'", None),
        ] {
            assert_eq!(found(sql).as_deref(), wanted, "{sql}");
        }
    }
}
