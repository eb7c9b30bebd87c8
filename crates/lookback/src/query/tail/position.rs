//! Positions in the arrival of records.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::error::Error;
use crate::value::{Json, Problem};

/// A position in the arrival of records: the records that arrive after it are those that
/// [`Tail`](super::Tail) continues with.
///
/// It names the greatest id so far, and the smaller ids that may still arrive. Its text has letters,
/// digits, `-` and `_`, so that it fits into a URL or a header; it usually has less than 100
/// characters, and more if many transactions were rolled back while an older one was running. It
/// stays valid when the program, the server or Lookback is replaced by another version, and when
/// the database is restored from a dump.
///
/// ```
/// use lookback::query::Position;
///
/// let text = "WzEsImxvZ3MiLDQ3MTEsWzEwLDJdXQ";
/// let position: Position = text.parse()?;
/// assert_eq!(position.to_string(), text);
/// # Ok::<(), lookback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    table: String,
    seen: i64,
    /// The first and the last id of each range, in ascending order.
    open: Vec<(i64, i64)>,
}

impl Position {
    /// The version of the format. Every position that was ever written stays readable.
    const VERSION: u64 = 1;

    pub(super) fn new(table: &str, seen: i64, open: Vec<(i64, i64)>) -> Self {
        Self {
            table: table.to_owned(),
            seen,
            open,
        }
    }

    /// Whether a record with this id has arrived, or can no longer arrive.
    pub fn has(&self, id: i64) -> bool {
        id <= self.seen && {
            let behind = self.open.partition_point(|(first, _)| *first <= id);
            self.open[..behind]
                .last()
                .is_none_or(|(_, last)| *last < id)
        }
    }

    /// Whether the other position has seen a greater id.
    pub fn is_behind(&self, other: &Self) -> bool {
        self.seen < other.seen
    }

    /// The ranges of ids that may still arrive, the last of them without end.
    pub(super) fn pending(&self) -> Vec<(i64, i64)> {
        let mut pending = self.open.clone();
        if let Some(next) = self.seen.checked_add(1) {
            pending.push((next, i64::MAX));
        }
        pending
    }

    /// The position at which these ranges of ids may still arrive.
    pub(super) fn of_pending(table: &str, mut pending: Vec<(i64, i64)>) -> Self {
        let seen = match pending.last() {
            Some((first, i64::MAX)) => {
                let seen = first.saturating_sub(1);
                pending.pop();
                seen
            }
            _ => i64::MAX,
        };
        Self::new(table, seen, pending)
    }

    /// The table whose records arrive.
    pub(super) fn table(&self) -> &str {
        &self.table
    }

    /// The greatest id so far.
    pub(super) fn seen(&self) -> i64 {
        self.seen
    }

    /// The smaller ids that may still arrive: the first and the last one of each range.
    pub(super) fn open(&self) -> &[(i64, i64)] {
        &self.open
    }

    /// Reads the ranges: backwards from the greatest id, the number of ids before each range, and
    /// how many it has.
    fn open_from(seen: i64, numbers: &[Json]) -> Option<Vec<(i64, i64)>> {
        let (pairs, []) = numbers.as_chunks::<2>() else {
            return None;
        };
        let mut open = Vec::with_capacity(pairs.len());
        let mut end = seen;
        for [distance, length] in pairs {
            let last = end.checked_sub_unsigned(distance.as_u64().filter(|ids| *ids > 0)?)?;
            let first = last.checked_sub_unsigned(length.as_u64()?.checked_sub(1)?)?;
            open.push((first, last));
            end = first;
        }
        open.reverse();
        Some(open)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = Vec::with_capacity(2 * self.open.len());
        let mut end = self.seen;
        for (first, last) in self.open.iter().rev() {
            numbers.push(Json::from(end.abs_diff(*last)));
            numbers.push(Json::from(last.abs_diff(*first) + 1));
            end = *first;
        }
        let json = Json::Array(vec![
            Self::VERSION.into(),
            self.table.as_str().into(),
            self.seen.into(),
            Json::Array(numbers),
        ]);
        f.write_str(&BASE64.encode(json.to_string()))
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |problem: &'static str| {
            Error::invalid_field("records", "position", Problem::new(problem))
        };
        let not_a_position = "is not a position; give the text of one that a tail returned";
        let json: Json = BASE64
            .decode(text)
            .ok()
            .and_then(|bytes| Json::from_slice(&bytes).ok())
            .filter(Json::is_array)
            .ok_or_else(|| wrong(not_a_position))?;
        match json[0].as_u64() {
            Some(Self::VERSION) => {}
            Some(_) => return Err(wrong("is a position of a newer version of Lookback")),
            None => return Err(wrong(not_a_position)),
        }
        let parts = json[1]
            .as_str()
            .zip(json[2].as_i64())
            .zip(json[3].as_array());
        let read = parts.and_then(|((table, seen), numbers)| {
            Some(Self::new(table, seen, Self::open_from(seen, numbers)?))
        });
        read.ok_or_else(|| wrong("is a position that was changed, or cut"))
    }
}

impl serde::Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts of every version, which stay readable.
    #[test]
    fn stored_positions_stay_readable() {
        let stored = [
            ("WzEsImxvZ3MiLDQ3MTEsW11d", 4_711, vec![]),
            (
                "WzEsImxvZ3MiLDQ3MTEsWzEsMyw4LDFdXQ",
                4_711,
                vec![(4_700, 4_700), (4_708, 4_710)],
            ),
        ];
        for (text, seen, open) in stored {
            let position: Position = text.parse().unwrap();
            assert_eq!(position, Position::new("logs", seen, open), "{text}");
            assert_eq!(position.to_string(), text);
        }
    }

    #[test]
    fn text_that_is_no_position_is_an_error() {
        let encoded = |json: &str| BASE64.encode(json);
        for (text, problem) in [
            (String::new(), "is not a position"),
            ("4711".to_owned(), "is not a position"),
            (encoded(r#"["1","logs",1,[]]"#), "is not a position"),
            (encoded(r#"[2,"logs",1,[]]"#), "newer version"),
            (encoded(r#"[1,"logs",1,[1]]"#), "changed, or cut"),
            (encoded(r#"[1,"logs",9,[0,1]]"#), "changed, or cut"),
            (encoded(r#"[1,"logs",9,[1,0]]"#), "changed, or cut"),
            (encoded(r#"[1,"logs"]"#), "changed, or cut"),
        ] {
            let error = text.parse::<Position>().unwrap_err();
            assert!(error.is_invalid());
            let message = error.to_string();
            assert!(
                message.starts_with("position: ") && message.contains(problem),
                "{message}"
            );
        }
    }

    proptest! {
        #[test]
        fn position_survives_its_text(
            seen in any::<i64>(),
            steps in prop::collection::vec((1_u64..1 << 40, 1_u64..1 << 40), 0..20),
        ) {
            let mut open = Vec::new();
            let mut end = seen;
            for (distance, length) in steps {
                let Some(last) = end.checked_sub_unsigned(distance) else { break };
                let Some(first) = last.checked_sub_unsigned(length - 1) else { break };
                open.push((first, last));
                end = first;
            }
            open.reverse();
            let position = Position::new("logs", seen, open);
            prop_assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }
    }
}
