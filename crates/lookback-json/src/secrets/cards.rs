//! Numbers of payment cards.

use std::ops::Range;

use super::Masking;
use super::text::{self, Masked};

/// The fewest and the most digits of a number.
pub(super) const FEWEST: usize = 13;
const MOST: usize = 19;

/// Masks the numbers of cards in a text: in one piece, or in groups with blanks or dashes.
pub(super) fn mask_cards(masking: &Masking, text: &str) -> Option<String> {
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(run) = next_run(text, from) {
        from = run.end;
        mask_run(&mut masked, run.start, run.end);
    }
    masked.finish()
}

/// Returns the next run of digits, blanks and dashes.
pub(super) fn next_run(text: &str, from: usize) -> Option<Range<usize>> {
    text::next_run::<FEWEST>(text, from, |byte| {
        byte.is_ascii_digit() || matches!(byte, b' ' | b'-')
    })
}

/// Masks the numbers in a run of digits, blanks and dashes.
fn mask_run(masked: &mut Masked<'_>, start: usize, end: usize) {
    let text = masked.text;
    let bytes = text.as_bytes();
    let mut at = start;
    while at < end {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        match length(&text[at..end]) {
            Some(length) if is_apart(bytes, at, at + length) => {
                let quote = if is_json_number(text, at, at + length) {
                    "\""
                } else {
                    ""
                };
                masked.mask_quoted(at..at + length, quote);
                at += length;
            }
            // The next group.
            _ => {
                let digits = bytes[at..end].iter();
                at += digits.take_while(|byte| byte.is_ascii_digit()).count();
            }
        }
    }
}

/// Whether this is a number of JSON, instead of which a mask needs quotes.
fn is_json_number(text: &str, start: usize, end: usize) -> bool {
    text.starts_with(['{', '['])
        && text[..start].trim_end().ends_with([':', '[', ','])
        && text[end..].trim_start().starts_with([',', ']', '}'])
}

/// Whether a number is not part of a word, of a longer number or of a mask.
fn is_apart(bytes: &[u8], start: usize, end: usize) -> bool {
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let before = &bytes[..start];
    let after = &bytes[end..];
    let is_fraction = match (before, after) {
        ([.., digit, b'.' | b','], _) if digit.is_ascii_digit() => true,
        (_, [b'.' | b',', digit, ..]) => digit.is_ascii_digit(),
        _ => false,
    };
    let is_negative = before.strip_suffix(b"-").is_some_and(|before| {
        !before
            .last()
            .is_some_and(|byte| is_of_word(byte) || *byte == b'-')
    });
    !before.last().is_some_and(is_of_word)
        && !is_negative
        && !after.first().is_some_and(is_of_word)
        && !is_fraction
        && !before.ends_with(super::MASK_WITH_HASH.as_bytes())
}

/// Returns the number of bytes of the card's number that a text begins with.
fn length(text: &str) -> Option<usize> {
    let mut digits = [0; MOST];
    let mut count = 0;
    let mut group = 0;
    let mut groups = 0;
    let mut sign = None;
    let mut found = None;
    for (at, byte) in text.bytes().enumerate() {
        if byte.is_ascii_digit() {
            if count == MOST {
                // A longer number, or another one behind this.
                return found.filter(|_| groups > 0);
            }
            digits[count] = byte - b'0';
            count += 1;
            group += 1;
        } else {
            let is_group = groups == 0 || (2..=6).contains(&group);
            if count >= FEWEST && is_group && is_card(&digits[..count]) {
                found = Some(at);
            }
            // In groups: 4-4-4-4, 4-6-5, 4-6-4 and the like, with the same sign between them.
            if groups == 0 && group != 4
                || !(2..=6).contains(&group)
                || sign.is_some_and(|sign| sign != byte)
            {
                return found;
            }
            sign = Some(byte);
            group = 0;
            groups += 1;
        }
    }
    let is_group = groups == 0 || (2..=6).contains(&group);
    if count >= FEWEST && is_group && is_card(&digits[..count]) {
        return Some(text.len());
    }
    found
}

/// Whether this is the text of a number of a card.
pub(super) fn is_card_number(text: &str) -> bool {
    (FEWEST..=MOST).contains(&text.len()) && length(text) == Some(text.len())
}

/// Whether digits begin as those of a known issuer, have its length and the right last digit.
fn is_card(digits: &[u8]) -> bool {
    let start = digits[..4].iter().fold(0, |n, d| n * 10 + u32::from(*d));
    let is_issued = match start {
        // Visa
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        // Mastercard, Mir
        5100..=5599 | 2221..=2720 | 2200..=2204 => digits.len() == 16,
        // American Express
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        // Diners Club
        3000..=3059 | 3600..=3699 | 3800..=3999 => matches!(digits.len(), 14 | 16),
        // Discover, JCB, UnionPay
        6011 | 6440..=6599 | 3528..=3589 | 6200..=6299 => digits.len() >= 16,
        // Maestro
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => true,
        _ => false,
    };
    is_issued && is_valid(digits)
}

/// Whether the last digit is right (ISO/IEC 7812-1, annex B: "Luhn").
fn is_valid(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (at, digit)| {
        let digit = u32::from(*digit);
        sum + match at % 2 {
            0 => digit,
            _ if digit > 4 => 2 * digit - 9,
            _ => 2 * digit,
        }
    });
    sum.is_multiple_of(10)
}
