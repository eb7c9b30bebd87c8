//! The query of a URL (WHATWG URL, "application/x-www-form-urlencoded").

use crate::value::Problem;

/// Decodes a pair: `%41` is `A`, `+` a space.
pub(super) fn decoded(pair: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(pair.len());
    let mut rest = pair.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                match (digit(), digit()) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "two hexadecimal digits are less than 256"
                    )]
                    (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
                    _ => {
                        return Err(Problem::new(
                            "has a % without two hexadecimal digits; in a URL, write %25 for %",
                        ));
                    }
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::new("is not UTF-8 when its % are decoded"))
}
