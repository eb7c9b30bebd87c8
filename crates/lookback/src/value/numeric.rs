//! Decimal numbers of `numeric` columns, as text and in PostgreSQL's binary format.
//!
//! The format is that of `numeric_send` in PostgreSQL's source (`utils/adt/numeric.c`):
//! digits to the base 10,000, the power of the first one, a sign, and the number of
//! decimal digits after the point.

use std::cmp::Ordering;

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArgumentBuffer;

/// The most digits before and after the point (PostgreSQL manual, "Numeric Types").
const MAX_WHOLE: usize = 131_072;
const MAX_FRACTION: usize = 16_383;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// A decimal number, split into its parts.
struct Decimal<'a> {
    is_negative: bool,
    /// Digits before the point, without zeros at the start.
    whole: &'a str,
    /// Digits after the point.
    fraction: &'a str,
}

/// Splits a number that [`normalized`] formats.
fn parts(text: &str) -> Option<Decimal<'_>> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (are_digits(whole) && are_digits(fraction) && digits.len() > usize::from(digits.contains('.')))
        .then(|| Decimal {
            is_negative,
            whole: whole.trim_start_matches('0'),
            fraction,
        })
}

/// The name of a value that is not a number, as PostgreSQL prints it.
fn special(text: &str) -> Option<(&'static str, u16)> {
    let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(text));
    if is(&["NaN"]) {
        Some(("NaN", NAN))
    } else if is(&["Infinity", "+Infinity", "inf", "+inf"]) {
        Some(("Infinity", INFINITY))
    } else if is(&["-Infinity", "-inf"]) {
        Some(("-Infinity", NEGATIVE_INFINITY))
    } else {
        None
    }
}

/// Whether it is the text of a finite number.
pub(crate) fn is_finite(text: &str) -> bool {
    special(text).is_none()
}

/// Formats a number as PostgreSQL prints a `numeric`: without an exponent, and with every
/// digit after the point. `None` if it is not a number, or has more digits than PostgreSQL
/// stores.
pub(crate) fn normalized(text: &str) -> Option<String> {
    if let Some((name, _)) = special(text) {
        return Some(name.to_owned());
    }
    let (sign, unsigned) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (if text.starts_with('-') { "-" } else { "" }, digits),
        None => ("", text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let number = parts(mantissa).filter(|number| !number.is_negative)?;
    // Moves the point by the exponent.
    let digits = format!("{}{}", number.whole, number.fraction);
    let before = i64::try_from(number.whole.len())
        .ok()?
        .checked_add(exponent)?;
    let limit = i64::try_from(MAX_WHOLE + MAX_FRACTION).ok()?;
    if before.abs() > limit {
        return None;
    }
    let (whole, fraction) = match usize::try_from(before) {
        Ok(before) if before >= digits.len() => (format!("{digits:0<before$}"), String::new()),
        Ok(before) => (digits[..before].to_owned(), digits[before..].to_owned()),
        Err(_) => {
            let zeros = usize::try_from(-before).ok()?;
            (String::new(), "0".repeat(zeros) + &digits)
        }
    };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    if whole.len() > MAX_WHOLE || fraction.len() > MAX_FRACTION {
        return None;
    }
    // There is no negative zero.
    let is_zero = whole == "0" && fraction.bytes().all(|digit| digit == b'0');
    let sign = if is_zero { "" } else { sign };
    Some(if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    })
}

/// Compares a number, which is finite, with a whole number.
pub(crate) fn compare(text: &str, with: i64) -> Option<Ordering> {
    let number = parts(text)?;
    let whole = if number.whole.is_empty() {
        "0"
    } else {
        number.whole
    };
    let other = with.unsigned_abs().to_string();
    let has_fraction = number.fraction.bytes().any(|digit| digit != b'0');
    let is_zero = whole == "0" && !has_fraction;
    let size = whole
        .len()
        .cmp(&other.len())
        .then_with(|| whole.cmp(&other))
        .then(if has_fraction {
            Ordering::Greater
        } else {
            Ordering::Equal
        });
    Some(match (number.is_negative && !is_zero, with < 0) {
        (false, false) => size,
        (true, true) => size.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

/// Appends the binary form of a number that [`normalized`] formats.
pub(super) fn encode(text: &str, buffer: &mut PgArgumentBuffer) -> Result<(), BoxDynError> {
    let mut push = |number: u16| buffer.extend_from_slice(&number.to_be_bytes());
    if let Some((_, sign)) = special(text) {
        [0, 0, sign, 0].into_iter().for_each(push);
        return Ok(());
    }
    let number = parts(text).ok_or("a numeric that is not a number")?;
    let scale = u16::try_from(number.fraction.len())?;
    // Whole groups of four digits on both sides of the point.
    let width = number.whole.len().div_ceil(4) * 4;
    let after = number.fraction.len().div_ceil(4) * 4;
    let digits = format!("{:0>width$}{:0<after$}", number.whole, number.fraction);
    let groups: Result<Vec<u16>, _> = digits
        .as_bytes()
        .chunks(4)
        .map(|group| std::str::from_utf8(group).unwrap_or_default().parse())
        .collect();
    let groups = groups?;
    let first = groups.iter().position(|group| *group != 0);
    let Some(first) = first else {
        [0, 0, 0, scale].into_iter().for_each(push);
        return Ok(());
    };
    let last = groups
        .iter()
        .rposition(|group| *group != 0)
        .unwrap_or(first);
    let weight = i16::try_from(width / 4)? - 1 - i16::try_from(first)?;
    let sign = if number.is_negative { NEGATIVE } else { 0 };
    let groups = &groups[first..=last];
    push(u16::try_from(groups.len())?);
    push(u16::from_be_bytes(weight.to_be_bytes()));
    push(sign);
    push(scale);
    groups.iter().copied().for_each(push);
    Ok(())
}

/// Formats a number from its binary form.
pub(super) fn decode(bytes: &[u8]) -> Result<String, BoxDynError> {
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return Err("a numeric of an odd number of bytes".into());
    };
    let mut numbers = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    let mut next = || numbers.next().ok_or("a numeric that is cut short");
    let (count, weight, sign, scale) = (next()?, next()?, next()?, next()?);
    let sign = match sign {
        0 => "",
        NEGATIVE => "-",
        NAN => return Ok("NaN".to_owned()),
        INFINITY => return Ok("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Ok("-Infinity".to_owned()),
        _ => return Err("a numeric with an unknown sign".into()),
    };
    let weight = i32::from(i16::from_be_bytes(weight.to_be_bytes()));
    let groups: Vec<u16> = numbers.collect();
    if groups.len() != usize::from(count) {
        return Err("a numeric that is cut short".into());
    }
    let group = |power: i32| -> u16 {
        usize::try_from(weight - power)
            .ok()
            .and_then(|at| groups.get(at).copied())
            .unwrap_or(0)
    };
    let mut whole = String::new();
    for power in (0..=weight).rev() {
        whole.push_str(&format!("{:04}", group(power)));
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let scale = usize::from(scale);
    let mut fraction = String::new();
    let mut power = -1;
    while fraction.len() < scale {
        fraction.push_str(&format!("{:04}", group(power)));
        power -= 1;
    }
    fraction.truncate(scale);
    Ok(if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;
    use sqlx::postgres::PgArgumentBuffer;

    use super::{compare, decode, encode, normalized};

    fn through_binary(text: &str) -> String {
        let mut buffer = PgArgumentBuffer::default();
        encode(text, &mut buffer).expect("an encoding");
        decode(&buffer).expect("a number")
    }

    #[test]
    fn normalized_number_has_no_exponent_and_every_digit() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.00", "0.00"),
            ("007", "7"),
            ("+1.50", "1.50"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e5", "100000"),
            ("1.25e1", "12.5"),
            ("-12.5e-4", "-0.00125"),
            ("1E+2", "100"),
            ("nan", "NaN"),
            ("-inf", "-Infinity"),
        ] {
            assert_eq!(normalized(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "", ".", "-", "1,5", "1e", "e1", "1e999999", "1 ", "--1", "0x1", "1.2.3",
        ] {
            assert_eq!(normalized(text), None, "{text}");
        }
    }

    #[test]
    fn number_compares_with_whole_numbers_exactly() {
        for (text, with, expected) in [
            ("5", 5, Ordering::Equal),
            ("5.00", 5, Ordering::Equal),
            ("5.01", 5, Ordering::Greater),
            ("-5.01", -5, Ordering::Less),
            ("-0.5", 0, Ordering::Less),
            ("0.00", 0, Ordering::Equal),
            ("10", 9, Ordering::Greater),
            ("99999999999999999999", i64::MAX, Ordering::Greater),
            ("-99999999999999999999", i64::MIN, Ordering::Less),
        ] {
            assert_eq!(compare(text, with), Some(expected), "{text} and {with}");
        }
    }

    proptest! {
        #[test]
        fn decode_of_encoded_number_returns_it(
            text in "-?[0-9]{0,30}(\\.[0-9]{1,30})?(e-?[0-9]{1,2})?"
        ) {
            if let Some(number) = normalized(&text) {
                prop_assert_eq!(through_binary(&number), number);
            }
        }
    }

    #[test]
    fn decode_of_encoded_special_value_returns_it() {
        for text in [
            "NaN",
            "Infinity",
            "-Infinity",
            "10000",
            "0.0001",
            "0.00010000",
            "100000000",
        ] {
            assert_eq!(through_binary(text), text);
        }
    }
}
