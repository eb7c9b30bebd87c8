//! The wire format of protobuf: the fields of a message, without a copy.
//!
//! A message is read field by field, so that a record that cannot be read costs no other one, and
//! nothing is allocated for what a length claims.

/// A field's value, as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    /// A text, bytes, or a message.
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message: their numbers and values. After an error there are none.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    /// Whether the end of the message may be missing.
    is_start: bool,
}

const CUT: &str = "ends within a field";

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self {
            rest: message,
            is_start: false,
        }
    }

    /// The fields of the start of a message: the last one may be cut.
    pub(super) fn of_start(message: &'a [u8]) -> Self {
        Self {
            rest: message,
            is_start: true,
        }
    }

    /// The bytes behind the fields so far.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << (place * 7);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("has a number of more than 64 bits")
    }

    fn field(&mut self) -> Result<(u32, Wire<'a>), &'static str> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or("has a field without a valid number")?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.take(8)?.try_into().map_or(0, u64::from_le_bytes)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                if self.is_start && length > self.rest.len() {
                    Wire::Bytes(std::mem::take(&mut self.rest))
                } else {
                    Wire::Bytes(self.take(length)?)
                }
            }
            5 => Wire::Fixed32(self.take(4)?.try_into().map_or(0, u32::from_le_bytes)),
            3 | 4 => return Err("has a group, which proto3 does not have"),
            _ => return Err("has a field of no known type"),
        };
        Ok((number, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
            if self.is_start && field == Err(CUT) {
                return None;
            }
        }
        Some(field)
    }
}
