//! Ids that are written with and without separators: UUIDs, and numbers of cards and phones.

/// The most separators between two digits of a number: `(555) 123`.
const MAX_SEPARATORS: usize = 2;

/// Returns whether a character separates the groups of a UUID.
fn separates_letters(byte: u8) -> bool {
    matches!(byte, b'-' | b' ')
}

/// Returns whether a character separates the digits of a number: of a card or a phone.
fn separates_digits(byte: u8) -> bool {
    matches!(byte, b'-' | b' ' | b'.' | b'/' | b'(' | b')')
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns an id without its separators, if a typed word is one with or without
/// them: a UUID, or a number of a card or a phone.
pub(crate) fn id_of(typed: &str) -> Option<String> {
    let number = typed.strip_prefix('+').unwrap_or(typed);
    if is_written_phone(number) {
        return Some(digits_of(number));
    }
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !ends_well(number.chars().next()) || !ends_well(number.chars().next_back()) {
        return None;
    }
    let compact = number.replace(['-', ' '], "");
    let is_separated = compact.len() < number.len();
    let is_uuid = compact.len() == 32 && compact.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_long_number = is_number(&compact) && (7..=19).contains(&compact.len());
    let is_id = is_uuid || is_long_number && (is_separated || compact.len() >= 10);
    (is_id && !number.contains("--")).then(|| compact.to_ascii_lowercase())
}

/// Returns whether a word without blanks is a phone number with separators that others have,
/// too: `555.123.4567`, `030/1234567` or `(555)123-4567`, but no address or date.
fn is_written_phone(word: &str) -> bool {
    let groups: Vec<&str> = word.split(|c: char| !c.is_ascii_digit()).collect();
    let groups: Vec<&str> = groups
        .into_iter()
        .filter(|group| !group.is_empty())
        .collect();
    let rest = |separators: &[char]| {
        word.trim_matches(separators).len() == word.len()
            && is_number(&word.replace(separators, ""))
            && !word.contains("--")
    };
    let is_phone = if word.contains('.') {
        // Neither an address nor a number with a fraction.
        rest(&['.'])
            && groups.len() > 2
            && (groups.len() != 4 || groups.iter().any(|group| group.len() > 3))
    } else if word.contains('/') {
        rest(&['/', '-'])
    } else {
        let inner = word.strip_prefix('(').and_then(|word| word.split_once(')'));
        inner.is_some_and(|(area, others)| {
            !area.is_empty()
                && is_number(area)
                && is_number(&others.replace('-', ""))
                && ends_in_digit(others)
        })
    };
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    is_phone
        && groups.len() > 1
        && PHONE_DIGITS.contains(&digits)
        && groups.iter().all(|group| group.len() <= MAX_GROUP)
}

/// The digits of a phone number that is known by its separators.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 9..=15;

/// The most digits of a group of a phone number.
const MAX_GROUP: usize = 8;

fn ends_in_digit(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_digit())
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Returns the number of typed words that are an id with blanks in it, and the id: that of
/// a card, by its check digit, or of a phone with a `+` or an area code in parentheses.
pub(crate) fn spaced_id(words: &[&str]) -> Option<(usize, String)> {
    let first = words.first()?;
    let others = words[1..].iter();
    let others = others.take_while(|word| is_group(word) && !word.starts_with('+'));
    let groups = 1 + others.count();
    if groups < 2 || !is_group(first) {
        return None;
    }
    (2..=groups).rev().find_map(|count| {
        let id = words[..count].concat();
        let digits = digits_of(&id);
        let has_area_code = words[..count.min(2)]
            .iter()
            .any(|word| word.starts_with('('));
        let is_id = ends_in_digit(&id)
            && if first.starts_with('+') {
                (8..=15).contains(&digits.len())
            } else if has_area_code {
                PHONE_DIGITS.contains(&digits.len())
            } else {
                (13..=19).contains(&digits.len()) && is_number(&id) && has_check_digit(&id)
            };
        is_id.then_some((count, digits))
    })
}

/// Returns whether a word may be a part of a number with blanks: digits, an area code in
/// parentheses, or digits with separators within.
fn is_group(word: &str) -> bool {
    let group = word.strip_prefix('+').unwrap_or(word);
    let area = group
        .strip_prefix('(')
        .and_then(|group| group.strip_suffix(')'));
    if let Some(area) = area {
        return (1..=MAX_GROUP).contains(&area.len()) && is_number(area);
    }
    let starts_in_digit = group.starts_with(|c: char| c.is_ascii_digit());
    let digits = group.bytes().filter(u8::is_ascii_digit).count();
    starts_in_digit
        && ends_in_digit(group)
        && (1..=12).contains(&digits)
        && group
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'/'))
}

/// Returns whether the last digit of a number is that of Luhn's formula.
fn has_check_digit(number: &str) -> bool {
    let digits = number.bytes().rev().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| match digit * (1 + place as u32 % 2) {
            doubled @ 10.. => doubled - 9,
            digit => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Returns the regular expression of an id with separators.
pub(crate) fn separated(id: &str) -> String {
    let letters: Vec<String> = id.chars().map(String::from).collect();
    letters.join(if is_number(id) {
        "[-. /()]?[-. /()]?"
    } else {
        "[- ]?"
    })
}

/// Returns the ranges of a folded text that are an id, with or without separators.
pub(crate) fn find_id(text: &str, id: &str) -> Vec<std::ops::Range<usize>> {
    let is_number = is_number(id);
    let (text, id) = (text.as_bytes(), id.as_bytes());
    let separators_at = |at: usize| {
        let rest = text[at.min(text.len())..].iter();
        if is_number {
            let separators = rest.take(MAX_SEPARATORS);
            separators
                .take_while(|byte| separates_digits(**byte))
                .count()
        } else {
            let separators = rest.take(1);
            separators
                .take_while(|byte| separates_letters(**byte))
                .count()
        }
    };
    let end_of = |start: usize| {
        let mut at = start;
        for (index, letter) in id.iter().enumerate() {
            if index > 0 {
                at += separators_at(at);
            }
            if text.get(at) != Some(letter) {
                return None;
            }
            at += 1;
        }
        Some(at)
    };
    let starts = (0..text.len()).filter(|at| id.first() == text.get(*at));
    starts
        .filter_map(|start| Some(start..end_of(start)?))
        .collect()
}

/// Passes each four digits that stand together in a number but for separators, of the numbers
/// that [`separated`] may find: with seven digits or more.
pub(crate) fn separated_fours(text: &[u8], mut found: impl FnMut([u8; 4])) {
    const FEWEST: usize = 7;
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let (end, digits, has_separators) = number_at(text, at);
        if digits >= FEWEST && has_separators {
            // The last four digits, and where they began.
            let mut four: [u8; 4] = [0; 4];
            let mut starts = [0; 4];
            let number = text[at..end].iter().enumerate();
            let number = number.filter(|(_, byte)| byte.is_ascii_digit());
            for (index, (place, digit)) in number.enumerate() {
                four.rotate_left(1);
                starts.rotate_left(1);
                (four[3], starts[3]) = (*digit, place);
                // Those of one group are known.
                if index >= 3 && place - starts[0] > 3 {
                    found(four);
                }
            }
        }
        at = end;
    }
}

/// Returns the end of the number that begins at `start`, its digits, and whether it has
/// separators.
fn number_at(text: &[u8], start: usize) -> (usize, usize, bool) {
    let (mut end, mut digits, mut has_separators) = (start, 0, false);
    let mut at = start;
    while let Some(byte) = text.get(at) {
        if byte.is_ascii_digit() {
            has_separators |= at > end;
            digits += 1;
            end = at + 1;
        } else if !separates_digits(*byte) || at - end >= MAX_SEPARATORS {
            break;
        }
        at += 1;
    }
    (end, digits, has_separators)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{find_id, id_of, separated, separated_fours, spaced_id};

    #[test]
    fn id_of_reads_uuids_cards_and_phones() {
        let uuid = "550e8400e29b41d4a716446655440000";
        assert_eq!(
            id_of("550E8400-E29B-41D4-A716-446655440000").as_deref(),
            Some(uuid)
        );
        assert_eq!(id_of(uuid).as_deref(), Some(uuid));
        assert_eq!(
            id_of("4111-1111-1111-1111").as_deref(),
            Some("4111111111111111")
        );
        assert_eq!(id_of("+49-30-1234567").as_deref(), Some("49301234567"));
        for phone in [
            "555.123.4567",
            "555/123-4567",
            "(555)123-4567",
            "(555)1234567",
            "555/1234567",
        ] {
            assert_eq!(id_of(phone).as_deref(), Some("5551234567"), "{phone}");
        }
        for word in [
            "192.168.100.12",
            "1732953600.123456",
            "2026.11.28",
            "2026/11/28",
            "1608999687/2",
            "555.123.4567.",
            "/555/1234567",
            "(555)",
            "(555)123-4567-",
            "node-77",
            "10.0.0.12",
            "50011",
            "a-b",
            "-1608999687",
            "2-1",
            "1608999687-",
        ] {
            assert_eq!(id_of(word), None, "{word}");
        }
    }

    #[test]
    fn spaced_id_reads_cards_and_phones() {
        let read = |text: &str| spaced_id(&text.split(' ').collect::<Vec<_>>());
        let card = Some((4, "4111111111111111".to_owned()));
        assert_eq!(read("4111 1111 1111 1111"), card);
        assert_eq!(read("4111 1111 1111 1111 declined"), card);
        assert_eq!(read("4111 1111 1111 1111 17"), card);
        assert_eq!(
            read("3782 822463 10005"),
            Some((3, "378282246310005".to_owned()))
        );
        assert_eq!(read("+49 30 1234567"), Some((3, "49301234567".to_owned())));
        for text in [
            "(555) 123-4567",
            "(555) 123 4567 17",
            "555 (123) 4567",
            "(555) 123.4567",
        ] {
            let (count, id) = read(text).unwrap();
            assert_eq!(
                id,
                format!("5551234567{}", if text.ends_with("17") { "17" } else { "" })
            );
            assert_eq!(count, text.split(' ').count());
        }
        assert_eq!(
            read("+1 (555) 123-4567 called"),
            Some((3, "15551234567".to_owned()))
        );
        for text in [
            "4111 1111 1111 1112",
            "port (8080) 443",
            "(5) of 1000",
            "10.0.0.12 200 5316",
            "2026-11-28 10 15 30",
            "took (12) 34 ms",
            "8080 443 22 3306",
            "2026 11 28 10 15 30",
            "1 2 3",
            "49 30 1234567",
            "4111111111111111",
            "a 4111 1111 1111 1111",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn find_id_skips_separators() {
        assert_eq!(separated("12a"), "1[- ]?2[- ]?a");
        assert_eq!(separated("12"), "1[-. /()]?[-. /()]?2");
        let text = "card 4111-1111 11111111, 4111111111111111";
        let found: Vec<&str> = find_id(text, "4111111111111111")
            .into_iter()
            .map(|range| &text[range])
            .collect();
        assert_eq!(found, ["4111-1111 11111111", "4111111111111111"]);
        let text = "(555) 123-4567, 555.123.4567, 555 - 1234567";
        let found = find_id(text, "5551234567").into_iter();
        let found: Vec<&str> = found.map(|range| &text[range]).collect();
        assert_eq!(found, ["555) 123-4567", "555.123.4567"]);
    }

    #[test]
    fn separated_fours_cross_separators_of_long_numbers() {
        let fours = |text: &str| {
            let mut all = Vec::new();
            separated_fours(text.as_bytes(), |four| {
                all.push(String::from_utf8(four.to_vec()).unwrap());
            });
            all
        };
        assert_eq!(
            fours("tel 030-1234-56 or 12 34"),
            ["0301", "3012", "0123", "2345", "3456"]
        );
        assert_eq!(fours("a1 (23) 4567b"), ["1234", "2345", "3456"]);
        for text in [
            "1234567",
            "123 456",
            "555 - 1234567",
            "1,234,567",
            "日12 34 5 6",
            "",
        ] {
            assert_eq!(fours(text), [""; 0], "{text}");
        }
    }

    proptest! {
        #[test]
        fn found_number_has_known_fours(
            groups in prop::collection::vec(("[0-9]{1,5}", "[-. /()]{0,3}"), 1..8), from in 0usize..4,
        ) {
            let text: String = groups.iter().flat_map(|(group, separators)| [group.as_str(), separators]).collect();
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            for length in 7..=digits.len().saturating_sub(from) {
                let id = &digits[from..from + length];
                if find_id(&text, id).is_empty() {
                    continue;
                }
                let mut fours: Vec<Vec<u8>> = Vec::new();
                separated_fours(text.as_bytes(), |four| fours.push(four.to_vec()));
                for four in id.as_bytes().windows(4) {
                    let together = text.as_bytes().windows(4).any(|bytes| bytes == four);
                    prop_assert!(together || fours.iter().any(|known| known == four), "{text} {id}");
                }
            }
        }
    }
}
