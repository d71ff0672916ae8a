//! The fields of a Protocol Buffers message, read in place: a generated reader would make a structure
//! of two bytes into one of fifty, and a message into gigabytes.
//!
//! Encoding: <https://protobuf.dev/programming-guides/encoding/>. Groups (wire types 3 and 4) are refused,
//! as no message read here has any.

/// Bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireError;

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'b> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1: 8 bytes.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'b [u8]),
    /// Wire type 5: 4 bytes.
    Fixed32(u32),
}

impl<'b> Field<'b> {
    pub(crate) fn bytes(self) -> Result<&'b [u8], WireError> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(WireError) }
    }

    pub(crate) fn text(self) -> Result<&'b str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError)
    }

    pub(crate) fn double(self) -> Result<f64, WireError> {
        if let Self::Fixed64(bits) = self { Ok(f64::from_bits(bits)) } else { Err(WireError) }
    }

    pub(crate) fn int64(self) -> Result<i64, WireError> {
        if let Self::Varint(number) = self { Ok(number.cast_signed()) } else { Err(WireError) }
    }
}

/// The fields of a message, with their numbers, in the order they were written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'b>(pub(crate) &'b [u8]);

impl<'b> Fields<'b> {
    fn take(&mut self) -> Result<(u32, Field<'b>), WireError> {
        let key = varint(&mut self.0)?;
        let number = u32::try_from(key >> 3).map_err(|_| WireError)?;
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut self.0)?),
            1 => Field::Fixed64(u64::from_le_bytes(fixed(&mut self.0)?)),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| WireError)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(WireError)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(u32::from_le_bytes(fixed(&mut self.0)?)),
            _ => return Err(WireError),
        };
        if number == 0 { Err(WireError) } else { Ok((number, field)) }
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u32, Field<'b>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.take();
        if field.is_err() {
            // Behind what cannot be read, nothing can.
            self.0 = &[];
        }
        Some(field)
    }
}

/// Takes a number of at most ten bytes, seven bits each, the lowest first.
pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, WireError> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            *bytes = &bytes[index + 1..];
            return Ok(number);
        }
    }
    Err(WireError)
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], WireError> {
    let (head, rest) = bytes.split_first_chunk().ok_or(WireError)?;
    *bytes = rest;
    Ok(*head)
}
