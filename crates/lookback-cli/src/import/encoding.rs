//! Inputs that are not text in UTF-8: compressed files, archives, other encodings.

use crate::failure::Failure;

/// The first bytes of a Parquet file.
pub(super) const PARQUET: &[u8] = b"PAR1";

/// The number of bytes at the start of an input that tell what it is.
pub(super) const MAX_START: usize = 8;

/// What an input is that import does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported {
    what: &'static str,
    /// The command that writes it as text in UTF-8; a file name follows.
    command: &'static str,
}

/// The first bytes of each.
const SIGNATURES: [(&[u8], Unsupported); 8] = [
    (b"\x1f\x8b", compressed("compressed by gzip", "gzip -dc")),
    (
        b"\x28\xb5\x2f\xfd",
        compressed("compressed by zstd", "zstd -dc"),
    ),
    (b"\xfd7zXZ\0", compressed("compressed by xz", "xz -dc")),
    (b"BZh", compressed("compressed by bzip2", "bzip2 -dc")),
    (
        b"\x04\x22\x4d\x18",
        compressed("compressed by lz4", "lz4 -dc"),
    ),
    (b"PK\x03\x04", compressed("a ZIP archive", "unzip -p")),
    (
        b"\xff\xfe",
        compressed("text in UTF-16", "iconv -f UTF-16 -t UTF-8"),
    ),
    (
        b"\xfe\xff",
        compressed("text in UTF-16", "iconv -f UTF-16 -t UTF-8"),
    ),
];

const fn compressed(what: &'static str, command: &'static str) -> Unsupported {
    Unsupported { what, command }
}

impl Unsupported {
    /// Recognises an input by its first bytes; `None` for everything else.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        SIGNATURES
            .iter()
            .find(|(signature, _)| start.starts_with(signature))
            .map(|(_, problem)| *problem)
    }

    /// The failure, with a command that imports the input.
    pub(super) fn failure(self, shown: &str, is_stdin: bool) -> Failure {
        let Self { what, command } = self;
        let (read, from) = if is_stdin {
            ("… |", String::new())
        } else {
            ("", format!(" {}", quoted(shown)))
        };
        let pipe = format!("{read} {command}{from} | lookback import - --name NAME");
        Failure::usage(format!(
            "{shown} is {what}: expected JSON lines, CSV or Parquet"
        ))
        .hint(format!("convert it on the way: {}", pipe.trim_start()))
    }
}

/// A path as an argument of a shell.
pub(super) fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./,:=+@%".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

/// A hint on a line that is not JSON, where records of Lookback were expected.
///
/// `None` for a line that seems to be a damaged JSON object.
pub(super) fn hint_on_text(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii();
    let what = match line.first()? {
        b'[' => "a JSON array",
        b'{' if line.len() == 1 => "JSON over several lines",
        b'{' => return None,
        _ => "plain text",
    };
    Some(format!(
        "this seems to be {what}, which import reads without --kind and --format"
    ))
}

#[cfg(test)]
mod tests {
    use super::{Unsupported, hint_on_text, quoted};

    #[test]
    fn unsupported_input_is_recognised_by_its_first_bytes() {
        let what = |start: &[u8]| Unsupported::of(start).map(|problem| problem.what);
        assert_eq!(what(b"\x1f\x8b\x08\0"), Some("compressed by gzip"));
        assert_eq!(what(b"\xff\xfe{\0"), Some("text in UTF-16"));
        assert_eq!(what(b"{\"message\""), None);
        assert_eq!(what(b"PAR1"), None);
        assert_eq!(what(b""), None);
    }

    #[test]
    fn text_hint_says_what_it_is() {
        let hint = |line: &str| hint_on_text(line.as_bytes());
        assert!(hint("[").is_some_and(|hint| hint.contains("a JSON array")));
        assert!(hint(" { ").is_some_and(|hint| hint.contains("over several lines")));
        assert!(hint("2026-01-01 INFO ready").is_some_and(|hint| hint.contains("plain text")));
        assert_eq!(hint("{\"message\": "), None);
        assert_eq!(hint(""), None);
        assert_eq!(quoted("a'b"), "'a'\\''b'");
    }
}
