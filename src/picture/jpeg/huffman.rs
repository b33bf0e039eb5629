//! The bits of a scan, and the Huffman codes in them.

use super::fault::{Fault, Result};

/// Codes of up to this many bits are found in one step.
const SHORT: u32 = 8;

/// A Huffman table: codes in ascending order of length, and of value within a length.
pub(super) struct Table {
    /// The length and the symbol of the short code at the start of these bits; length 0 if there is none.
    short: [(u8, u8); 1 << SHORT],
    /// For each length, the first value of 16 bits above its codes.
    ends: [u32; 17],
    /// For each length, what to add to a code to get its symbol's place.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// The table with `counts[l]` codes of `l + 1` bits.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self> {
        let mut table =
            Self { short: [(0, 0); 1 << SHORT], ends: [0; 17], offsets: [0; 17], symbols: symbols.to_vec() };
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            code <<= 1;
            table.offsets[length as usize] = place as i32 - code as i32;
            for _ in 0..count {
                if code >= 1 << length {
                    return Err(Fault::Damaged("a Huffman table has too many codes"));
                }
                if length <= SHORT {
                    let first = (code << (SHORT - length)) as usize;
                    let end = first + (1 << (SHORT - length));
                    table.short[first..end].fill((length as u8, symbols[place]));
                }
                code += 1;
                place += 1;
            }
            table.ends[length as usize] = code << (16 - length);
        }
        Ok(table)
    }
}

/// Reads the bits of a scan, up to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The place of the next byte.
    at: usize,
    /// The next bits, from the highest on.
    window: u64,
    /// How many of them there are.
    count: u32,
}

impl<'a> Bits<'a> {
    /// The bits from a place of the file on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, window: 0, count: 0 }
    }

    /// The place of the first byte that is not yet used.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            let escaped = byte == 0xff;
            if escaped && self.bytes.get(self.at + 1) != Some(&0) {
                return;
            }
            self.at += 1 + usize::from(escaped);
            self.window |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next 16 bits, with zeros after the last bit.
    fn peek(&mut self) -> u32 {
        if self.count < 16 {
            self.fill();
        }
        (self.window >> 48) as u32
    }

    fn skip(&mut self, bits: u32) -> Result<()> {
        if bits > self.count {
            return Err(Fault::Damaged("a part of its data is missing"));
        }
        self.window <<= bits;
        self.count -= bits;
        Ok(())
    }

    /// The next bits, at most 16, as a number.
    pub(super) fn take(&mut self, bits: u32) -> Result<u32> {
        let value = self.peek() >> (16 - bits);
        self.skip(bits)?;
        Ok(value)
    }

    /// The next bits as a signed number, as the format codes coefficients.
    pub(super) fn signed(&mut self, bits: u32) -> Result<i32> {
        if bits == 0 {
            return Ok(0);
        }
        let value = self.take(bits)? as i32;
        Ok(if value < 1 << (bits - 1) { value - (1 << bits) + 1 } else { value })
    }

    /// The symbol of the next code.
    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8> {
        let next = self.peek();
        let (length, symbol) = table.short[(next >> (16 - SHORT)) as usize];
        if length > 0 {
            self.skip(length.into())?;
            return Ok(symbol);
        }
        let length = (SHORT + 1..=16).find(|&length| next < table.ends[length as usize]);
        let length = length.ok_or(Fault::Damaged("a code is not in its Huffman table"))?;
        self.skip(length)?;
        let place = (next >> (16 - length)) as i32 + table.offsets[length as usize];
        let symbol = usize::try_from(place).ok().and_then(|place| table.symbols.get(place));
        symbol.copied().ok_or(Fault::Damaged("a code is not in its Huffman table"))
    }

    /// Goes on after the restart marker with this number.
    pub(super) fn restart(&mut self, number: usize) -> Result<()> {
        self.fill();
        (self.window, self.count) = (0, 0);
        while self.bytes.get(self.at..self.at + 2) == Some(&[0xff, 0xff]) {
            self.at += 1;
        }
        if self.bytes.get(self.at..self.at + 2) != Some(&[0xff, 0xd0 + (number % 8) as u8]) {
            return Err(Fault::Damaged("a restart marker is not where it should be"));
        }
        self.at += 2;
        Ok(())
    }
}
