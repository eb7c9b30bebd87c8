//! The pages of the documentation, whose blocks tests run and compare.

use std::fs;
use std::path::{Path, PathBuf};

/// A block between fences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What follows the opening fence, for example `sh`.
    pub language: String,
    /// Its lines.
    pub text: String,
}

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads a page, by its path in the repository.
pub fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Returns the blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut block: Option<Block> = None;
    for line in page.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut block, fence) {
            (None, Some(language)) => {
                block = Some(Block {
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some(Block { text, .. }), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Compares what a program printed with the text of a page that begins so, but for what
/// differs from run to run.
///
/// A line of the page that ends in `…` is the start of a longer one.
#[track_caller]
pub fn assert_printed(path: &str, start: &str, printed: &str) {
    assert_same(
        path,
        &self::printed(path, start),
        printed,
        &mut Versions::default(),
    );
}

/// Returns the printed text of a page that begins so.
#[track_caller]
pub fn printed(path: &str, start: &str) -> String {
    let is_it = |block: &Block| block.language == "text" && block.text.starts_with(start);
    let page = page(path);
    let found = blocks(&page).into_iter().find(is_it);
    found.expect("a block that begins so").text
}

/// The versions of migrations in the texts of a page and in what was printed, by their order.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    shown: Vec<String>,
    printed: Vec<String>,
}

/// Compares a text of a page with what was printed, as [`assert_printed`] does.
#[track_caller]
pub fn assert_same(path: &str, shown: &str, printed: &str, versions: &mut Versions) {
    let shown = masked(shown, &mut versions.shown);
    let printed = masked(printed, &mut versions.printed);
    let is_line = |(shown, printed): (&str, &str)| match shown.strip_suffix('…') {
        Some(start) => printed.starts_with(start),
        None => shown == printed,
    };
    let is_same = shown.lines().count() == printed.lines().count()
        && shown.lines().zip(printed.lines()).all(is_line);
    assert!(
        is_same,
        "{path} shows:\n{shown}\nbut it printed:\n{printed}"
    );
}

/// Replaces what differs from run to run: times, rates, ports, trace ids, and versions of
/// migrations.
fn masked(text: &str, versions: &mut Vec<String>) -> String {
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let mut masked = String::new();
    let text = without_traces(text);
    let mut rest = &*text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        masked.push_str(&rest[..at]);
        let length = rest[at..].find(|c: char| !is_of_number(c));
        let number = &rest[at..][..length.unwrap_or(rest.len() - at)];
        // A sentence or the name of a file may go on behind it.
        let number = number.trim_end_matches(['.', ',']);
        let after = &rest[at + number.len()..];
        rest = after;
        let is_some = ["ms", "s (", "records/s"]
            .iter()
            .any(|unit| after.starts_with(&format!(" {unit}")));
        if number.len() == 14 {
            let place = versions.iter().position(|version| version == number);
            let place = place.unwrap_or_else(|| {
                versions.push(number.to_owned());
                versions.len() - 1
            });
            masked.push_str(&format!("[version {place}]"));
        } else if is_some {
            masked.push_str("[some]");
        } else if masked.ends_with("127.0.0.1:") || masked.ends_with("localhost:") {
            masked.push_str("[port]");
        } else {
            masked.push_str(number);
        }
    }
    masked + rest
}

/// Replaces trace ids: words of 32 hexadecimal digits.
fn without_traces(text: &str) -> String {
    let is_trace = |word: &&str| word.len() == 32 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(is_trace).fold(text.to_owned(), |text, trace| {
        text.replace(trace, "[trace]")
    })
}

#[cfg(test)]
mod tests {
    use super::{Block, blocks, masked};

    #[test]
    fn blocks_have_their_language_and_lines() {
        let page = "a\n```sh\nls\n\npwd\n```\nb\n  ```\n  x\n  ```\n```text\nnever closed\n";
        let block = |language: &str, text: &str| Block {
            language: language.to_owned(),
            text: text.to_owned(),
        };
        assert_eq!(
            blocks(page),
            [block("sh", "ls\n\npwd\n"), block("", "  x\n")]
        );
    }

    #[test]
    fn what_differs_from_run_to_run_is_masked() {
        let text = "20261123134954_a.sql in 12 ms, 20261123134955_b.sql in 0.1 s (3,818 records/s)\n\
            20261123134954 of 1,204 at http://127.0.0.1:4000/: 200 → 201\n    \
            trace_id 6f0c5e3a8d1b4c7e9f2a0b3d5c7e9f1a, d1d960376629f4531b5f318c6c73ffb3, \
            and 6f0c5e3a\n";
        assert_eq!(
            masked(text, &mut Vec::new()),
            "[version 0]_a.sql in [some] ms, [version 1]_b.sql in [some] s ([some] records/s)\n\
             [version 0] of 1,204 at http://127.0.0.1:[port]/: 200 → 201\n    \
             trace_id [trace], [trace], and 6f0c5e3a\n"
        );
    }
}
