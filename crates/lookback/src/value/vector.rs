//! Vectors of an application's own embeddings, as pgvector stores them.

use std::fmt;

use super::{ColumnType, ColumnValue, Problem, Value};

/// The most dimensions of pgvector's types.
const MAX_DIMENSIONS: usize = 16_000;

/// A vector of `N` numbers of 32 bits: pgvector's `vector(N)`.
///
/// [`QueryBuilder::nearest_to`](crate::QueryBuilder::nearest_to) orders by the distance
/// from one.
///
/// ```
/// use lookback::value::Vector;
///
/// let vector = Vector::from([0.5, -1.0, 0.25]);
/// assert_eq!(vector.as_slice(), [0.5, -1.0, 0.25]);
/// assert!(Vector::<3>::try_from(vec![0.5]).is_err());
/// ```
#[derive(Clone, PartialEq)]
pub struct Vector<const N: usize>(Vec<f32>);

/// A vector of `N` numbers of 16 bits: pgvector's `halfvec(N)`, of half the size.
///
/// Each number is rounded to the nearest one that has 16 bits.
///
/// ```
/// use lookback::value::HalfVector;
///
/// let vector = HalfVector::from([0.5, 0.1]);
/// assert_eq!(vector.as_slice(), [0.5, 0.099_975_586]);
/// ```
#[derive(Clone, PartialEq)]
pub struct HalfVector<const N: usize>(Vec<f32>);

const fn dimensions(count: usize) -> u16 {
    assert!(
        count >= 1 && count <= MAX_DIMENSIONS,
        "a vector must have 1 to 16,000 dimensions"
    );
    #[expect(clippy::cast_possible_truncation, reason = "at most 16,000")]
    let count = count as u16;
    count
}

macro_rules! vector {
    ($name:ident, $kind:ident, $number:expr) => {
        impl<const N: usize> $name<N> {
            /// The numbers.
            pub fn as_slice(&self) -> &[f32] {
                &self.0
            }
        }

        impl<const N: usize> From<[f32; N]> for $name<N> {
            fn from(numbers: [f32; N]) -> Self {
                Self(numbers.into_iter().map($number).collect())
            }
        }

        impl<const N: usize> TryFrom<Vec<f32>> for $name<N> {
            type Error = Problem;

            fn try_from(numbers: Vec<f32>) -> Result<Self, Problem> {
                if numbers.len() == N {
                    Ok(Self(numbers.into_iter().map($number).collect()))
                } else {
                    Err(Problem::new(format!(
                        "must have {N} dimensions, got {}",
                        numbers.len()
                    )))
                }
            }
        }

        impl<const N: usize> TryFrom<&[f32]> for $name<N> {
            type Error = Problem;

            fn try_from(numbers: &[f32]) -> Result<Self, Problem> {
                numbers.to_vec().try_into()
            }
        }

        impl<const N: usize> fmt::Debug for $name<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(&self.0).finish()
            }
        }

        impl<const N: usize> ColumnValue for $name<N> {
            const TYPE: ColumnType = ColumnType::$kind(dimensions(N));

            fn to_value(&self) -> Value<'_> {
                Value::$kind(self.0.as_slice().into())
            }

            fn from_value(value: Value<'_>) -> Result<Self, Problem> {
                match value {
                    Value::$kind(numbers) => numbers.into_owned().try_into(),
                    other => Err(other.mismatch(Self::TYPE)),
                }
            }
        }

        impl<const N: usize> Nearness for $name<N> {}
    };
}

vector!(Vector, Vector, std::convert::identity);
vector!(HalfVector, HalfVector, as_half);

/// A column value that has a distance: a [`Vector`] or a [`HalfVector`].
#[diagnostic::on_unimplemented(
    message = "a column of `{Self}` has no distance from a vector",
    note = "`nearest_to` is for columns of Vector<N> and HalfVector<N>"
)]
pub trait Nearness: ColumnValue {}

/// Rounds a number to one that has 16 bits.
pub(super) fn as_half(number: f32) -> f32 {
    from_half(to_half(number))
}

/// Rounds a number to 16 bits (IEEE 754, binary16), to the nearest one, ties to even.
pub(super) fn to_half(number: f32) -> u16 {
    let bits = number.to_bits();
    let (sign, exponent, fraction) = (bits >> 16 & 0x8000, bits >> 23 & 0xFF, bits & 0x7F_FFFF);
    let magnitude = match exponent {
        0xFF => 0x7C00 | u32::from(fraction != 0) << 9,
        // At least 2^16.
        143.. => 0x7C00,
        // At least 2^-14: the exponent is that of a normal number.
        113.. => rounded((exponent - 112) << 23 | fraction, 13),
        // At least 2^-25: a subnormal number.
        102.. => rounded(fraction | 0x80_0000, 126 - exponent),
        _ => 0,
    };
    u16::try_from(sign | magnitude).unwrap_or(0x7C00)
}

/// Shifts to the right, and rounds to the nearest, ties to even.
fn rounded(number: u32, shift: u32) -> u32 {
    let (kept, rest) = (number >> shift, number & ((1 << shift) - 1));
    let half = 1 << (shift - 1);
    kept + u32::from(rest > half || (rest == half && kept & 1 == 1))
}

/// Converts a number of 16 bits, exactly.
pub(super) fn from_half(half: u16) -> f32 {
    let (sign, exponent, fraction) = (
        u32::from(half & 0x8000) << 16,
        u32::from(half >> 10 & 0x1F),
        u32::from(half & 0x3FF),
    );
    let magnitude = match exponent {
        // Multiples of 2^-24.
        0 => {
            let number = f32::from(half & 0x3FF) / 16_777_216.0;
            number.to_bits()
        }
        0x1F => 0x7F80_0000 | fraction << 13,
        exponent => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::{from_half, to_half};

    #[test]
    fn half_of_every_16_bits_is_itself() {
        for bits in 0..=u16::MAX {
            let number = from_half(bits);
            if !number.is_nan() {
                assert_eq!(to_half(number), bits, "{number}");
            }
        }
    }

    #[test]
    fn half_is_the_nearest_number_ties_to_even() {
        for (number, expected) in [
            (0.1, 0.099_975_586),
            (65_504.0, 65_504.0),
            (65_519.9, 65_504.0),
            (65_520.0, f32::INFINITY),
            (-1e9, f32::NEG_INFINITY),
            (2_049.0, 2_048.0),
            (2_051.0, 2_052.0),
            (5.960_464_5e-8, 5.960_464_5e-8),
            (2.980_232_2e-8, 0.0),
            (3e-8, 5.960_464_5e-8),
            (1e-30, 0.0),
        ] {
            assert_eq!(from_half(to_half(number)), expected, "{number}");
        }
        assert!(from_half(to_half(f32::NAN)).is_nan());
    }
}
