//! The wire format of protocol buffers: a message is a list of fields, each a number and a value.
//!
//! Values are borrowed from the file, and nothing is copied or counted in advance. So no length in the file can ask for memory. (The
//! crates that generate types from a schema make a struct of hundreds of bytes from two bytes of a hostile file.)

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    /// A string, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message, in order.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn next_field(&mut self) -> Result<(u32, Value<'a>), Damaged> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).map_err(|_| Damaged)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(fixed(&mut self.rest)?)),
            2 => {
                let len = usize::try_from(varint(&mut self.rest)?).map_err(|_| Damaged)?;
                Value::Bytes(self.rest.split_off(..len).ok_or(Damaged)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(fixed(&mut self.rest)?)),
            // Groups (3 and 4) are of older formats, and 6 and 7 have no meaning.
            _ => return Err(Damaged),
        };
        if number == 0 { Err(Damaged) } else { Ok((number, value)) }
    }
}

/// Ends after the first field that cannot be read.
impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.next_field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Takes a number of seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first().ok_or(Damaged)?;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return Err(Damaged);
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Damaged)
}

/// Numbers of a repeated field, where `each` takes one from packed bytes.
fn packed<'a, T>(mut bytes: &'a [u8], each: impl Fn(&mut &'a [u8]) -> Result<T, Damaged>) -> Result<Vec<T>, Damaged> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(each(&mut bytes)?);
    }
    Ok(values)
}

/// Takes a number of so many bytes.
fn fixed<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Damaged> {
    let (first, rest) = bytes.split_first_chunk().ok_or(Damaged)?;
    *bytes = rest;
    Ok(*first)
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Damaged> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Damaged),
        }
    }

    /// Text, with a replacement for what is not UTF-8.
    pub(super) fn text(self) -> Result<String, Damaged> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn int(self) -> Result<i64, Damaged> {
        match self {
            Self::Varint(value) => Ok(value as i64),
            _ => Err(Damaged),
        }
    }

    pub(super) fn float(self) -> Result<f32, Damaged> {
        match self {
            Self::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err(Damaged),
        }
    }

    /// One or more values of a repeated `int32`, `int64` or `uint64`.
    pub(super) fn ints(self) -> Result<Vec<i64>, Damaged> {
        match self {
            Self::Varint(value) => Ok(vec![value as i64]),
            Self::Bytes(bytes) => packed(bytes, |bytes| Ok(varint(bytes)? as i64)),
            _ => Err(Damaged),
        }
    }

    /// One or more values of a repeated `float`.
    pub(super) fn floats(self) -> Result<Vec<f32>, Damaged> {
        match self {
            Self::Fixed32(bits) => Ok(vec![f32::from_bits(bits)]),
            Self::Bytes(bytes) => packed(bytes, |bytes| Ok(f32::from_le_bytes(fixed(bytes)?))),
            _ => Err(Damaged),
        }
    }

    /// One or more values of a repeated `double`.
    pub(super) fn doubles(self) -> Result<Vec<f64>, Damaged> {
        match self {
            Self::Fixed64(bits) => Ok(vec![f64::from_bits(bits)]),
            Self::Bytes(bytes) => packed(bytes, |bytes| Ok(f64::from_le_bytes(fixed(bytes)?))),
            _ => Err(Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_the_specification_shows_them() {
        // The examples of https://protobuf.dev/programming-guides/encoding: 150; "testing"; packed 3, 270, 86942.
        let message =
            [&[0x08, 0x96, 0x01][..], &[0x12, 0x07], b"testing", &[0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]]
                .concat();
        let fields: Vec<_> = Fields::of(&message).collect::<Result<_, _>>().unwrap();
        assert_eq!(fields[0], (1, Value::Varint(150)));
        assert_eq!((fields[1].0, fields[1].1.text()), (2, Ok("testing".to_owned())));
        assert_eq!((fields[2].0, fields[2].1.ints()), (6, Ok(vec![3, 270, 86942])));
        let minus_two = [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Fields::of(&minus_two).next().unwrap().unwrap().1.int(), Ok(-2));
    }

    #[test]
    fn what_is_cut_short_or_lies_about_its_length_is_damaged() {
        for message in [
            &[0x08][..],
            &[0x08, 0x96],
            &[0x12, 0x07, b't'],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x0d, 1, 2, 3],
            &[0x0b],
            &[0x00, 0x01],
        ] {
            let fields: Vec<_> = Fields::of(message).collect();
            assert_eq!(fields, [Err(Damaged)], "{message:?}");
        }
    }
}
