//! SQL that older servers reject.

use crate::syntax::lexer::{TokenKind, tokens};

/// The first part of a statement that servers before PostgreSQL 18 do not know, as SQL.
pub fn since_18(sql: &str) -> Option<&'static str> {
    let found = tokens(sql).ok()?;
    found
        .windows(3)
        .find_map(|next| {
            let [first, second, third] = next else {
                return None;
            };
            if first.is_word("without") && second.is_word("overlaps") {
                Some("WITHOUT OVERLAPS")
            } else if first.is_word("not") && second.is_word("enforced") {
                Some("NOT ENFORCED")
            } else if first.is(")") && second.is_word("virtual") {
                Some("VIRTUAL")
            } else if (first.is(",") || first.is("("))
                && second.is_word("period")
                && matches!(third.kind, TokenKind::Word | TokenKind::Quoted)
                && found.iter().any(|token| token.is_word("references"))
            {
                Some("PERIOD")
            } else {
                None
            }
        })
        .or_else(|| match found.as_slice() {
            [.., not, enforced] if not.is_word("not") && enforced.is_word("enforced") => {
                Some("NOT ENFORCED")
            }
            [.., close, word] if close.is(")") && word.is_word("virtual") => Some("VIRTUAL"),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::since_18;

    #[test]
    fn newer_sql_is_found() {
        for (sql, wanted) in [
            (
                "ALTER TABLE t ADD UNIQUE (a, b WITHOUT OVERLAPS)",
                Some("WITHOUT OVERLAPS"),
            ),
            (
                "ALTER TABLE t ADD CHECK (a > 0) NOT ENFORCED",
                Some("NOT ENFORCED"),
            ),
            ("FOREIGN KEY (a, PERIOD b) REFERENCES t", Some("PERIOD")),
            (
                "ADD COLUMN a int GENERATED ALWAYS AS (b) VIRTUAL",
                Some("VIRTUAL"),
            ),
            ("CREATE TABLE t (period int, virtual text)", None),
            ("SELECT period(a) FROM t", None),
        ] {
            assert_eq!(since_18(sql), wanted, "{sql}");
        }
    }
}
