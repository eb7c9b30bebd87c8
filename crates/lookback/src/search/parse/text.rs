//! Splitting text into words.

use std::ops::Range;

pub(in crate::search) use crate::letters::is_in_word;

/// Returns the text in lower case, character by character: a final sigma is
/// like any other.
pub(in crate::search) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Returns the ranges of the words of a text: its runs of letters and digits,
/// and the parts of a run in camel case (`addStoredBlock`, `HTTPServer`) or
/// with both letters and digits.
pub(in crate::search) fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        match (is_in_word(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                push_run(text, from..at, &mut words);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        push_run(text, from..text.len(), &mut words);
    }
    words
}

fn push_run(text: &str, run: Range<usize>, words: &mut Vec<Range<usize>>) {
    words.push(run.clone());
    let mut from = run.start;
    let mut characters = text[run.clone()].char_indices().peekable();
    let mut before: Option<char> = None;
    let mut parts = 0;
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let splits = before.is_some_and(|before| {
            c.is_uppercase() && (before.is_lowercase() || next.is_some_and(char::is_lowercase))
                || before.is_numeric() != c.is_numeric()
        });
        if splits {
            words.push(from..run.start + at);
            from = run.start + at;
            parts += 1;
        }
        before = Some(c);
    }
    if parts > 0 {
        words.push(from..run.end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<&str> {
        super::words(text)
            .into_iter()
            .map(|range| &text[range])
            .collect()
    }

    #[test]
    fn words_split_camel_case() {
        assert_eq!(
            words("NameSystem.addBlock: 7"),
            [
                "NameSystem",
                "Name",
                "System",
                "addBlock",
                "add",
                "Block",
                "7"
            ]
        );
        assert_eq!(
            words("HTTPServer jk2_init"),
            ["HTTPServer", "HTTP", "Server", "jk2", "jk", "2", "init"]
        );
        assert!(words(" ?! ").is_empty());
    }

    proptest! {
        #[test]
        fn words_are_of_letters_and_digits(text in "\\PC{0,40}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty() && word.chars().all(super::is_in_word));
            }
        }
    }
}
