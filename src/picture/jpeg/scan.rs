//! The scans of a JPEG file: the coefficients of some components, coded with Huffman codes.

use super::fault::{Fault, Result};
use super::frame::{Component, Frame, ZIGZAG};
use super::huffman::{Bits, Table};

/// The tables of a file, which its segments may replace between scans.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) quantization: [Option<[u16; 64]>; 4],
    /// For the first coefficient of a block, and for the others.
    pub(super) huffman: [[Option<Table>; 4]; 2],
    /// Units between two restart markers; 0 without such markers.
    pub(super) restart: usize,
}

/// The header of a scan.
pub(super) struct Scan {
    /// The place in the frame of each component, with its Huffman tables.
    components: Vec<(usize, [usize; 2])>,
    /// The first and last coefficient.
    band: [usize; 2],
    /// The lowest bit of the coefficients that earlier scans have given, and that this one gives.
    bits: [u32; 2],
}

/// What a scan remembers from block to block.
#[derive(Default)]
struct State {
    /// The last first coefficient of each component.
    first: [i32; 4],
    /// Blocks that have no more coefficients in this scan.
    empty: u32,
}

impl Scan {
    /// Reads the header of a scan.
    pub(super) fn new(header: &[u8], frame: &Frame) -> Result<Self> {
        let damaged = || Fault::Damaged("the header of a scan is wrong");
        let (&count, rest) = header.split_first().ok_or_else(damaged)?;
        let (named, last) = rest.split_at_checked(2 * usize::from(count)).ok_or_else(damaged)?;
        let &[start, end, bits] = last else { return Err(damaged()) };
        let mut components = Vec::new();
        for pair in named.chunks_exact(2) {
            let place = frame.components.iter().position(|component| component.id == pair[0]).ok_or_else(damaged)?;
            let tables = [usize::from(pair[1] >> 4), usize::from(pair[1] & 15)];
            if tables.iter().any(|&table| table > 3) || components.iter().any(|&(other, _)| other == place) {
                return Err(damaged());
            }
            components.push((place, tables));
        }
        let scan = Self { components, band: [start.into(), end.into()], bits: [bits >> 4, bits & 15].map(u32::from) };
        let [start, end] = scan.band;
        let is_right = match frame.is_progressive {
            false => scan.bits == [0, 0],
            true => {
                let has_one_part = if start == 0 { end == 0 } else { scan.components.len() == 1 };
                has_one_part && start <= end && end < 64 && scan.bits[1] <= 13
            }
        };
        if scan.components.is_empty() || !is_right {
            return Err(damaged());
        }
        Ok(scan)
    }

    /// Reads the scan's data, and returns the place after it.
    pub(super) fn read(&self, frame: &mut Frame, tables: &Tables, bytes: &[u8], at: usize) -> Result<usize> {
        for &(place, _) in &self.components {
            let component = &mut frame.components[place];
            let table = tables.quantization[component.table];
            component.quantization = component.quantization.or(table);
            component.quantization.ok_or(Fault::Damaged("a quantization table is missing"))?;
        }
        let (mut bits, mut state) = (Bits::new(bytes, at), State::default());
        // A scan of one component has a unit for each of its blocks.
        let units = match self.components[..] {
            [(place, _)] => frame.components[place].samples.map(|side| side.div_ceil(8)),
            _ => frame.units,
        };
        for unit in 0..units[0] * units[1] {
            if tables.restart > 0 && unit > 0 && unit % tables.restart == 0 {
                bits.restart(unit / tables.restart - 1)?;
                state = State::default();
            }
            let [row, column] = [unit / units[1], unit % units[1]];
            for &(place, huffman) in &self.components {
                let component = &mut frame.components[place];
                let [rows, columns] = if self.components.len() == 1 { [1, 1] } else { component.sampling };
                for block in 0..rows * columns {
                    let at = [row * rows + block / columns, column * columns + block % columns];
                    let coder = Coder { scan: self, tables, huffman, place };
                    coder.block(frame.is_progressive, component, at, &mut bits, &mut state)?;
                }
            }
        }
        Ok(bits.at())
    }
}

/// Decodes the blocks of a component.
struct Coder<'a> {
    scan: &'a Scan,
    tables: &'a Tables,
    huffman: [usize; 2],
    /// The component's place in the frame.
    place: usize,
}

impl Coder<'_> {
    fn block(
        &self,
        is_progressive: bool,
        component: &mut Component,
        [row, column]: [usize; 2],
        bits: &mut Bits<'_>,
        state: &mut State,
    ) -> Result<()> {
        if !is_progressive {
            let mut block = [0; 64];
            block[0] = self.first(bits, state)? as i16;
            self.others(bits, &mut block)?;
            component.finish(row, column, &block);
            return Ok(());
        }
        let block = component.coefficients(row, column);
        let [given, lowest] = self.scan.bits;
        match (self.scan.band[0], given) {
            (0, 0) => block[0] = (self.first(bits, state)? << lowest) as i16,
            (0, _) => block[0] |= (bits.take(1)? << lowest) as i16,
            (_, 0) => self.begin(bits, state, block)?,
            _ => self.refine(bits, state, block)?,
        }
        Ok(())
    }

    /// A Huffman table: 0 for the first coefficient, 1 for the others.
    fn table(&self, which: usize) -> Result<&Table> {
        let table = self.tables.huffman[which][self.huffman[which]].as_ref();
        table.ok_or(Fault::Damaged("a Huffman table is missing"))
    }

    /// The first coefficient, which is coded as its difference from that of the block before.
    fn first(&self, bits: &mut Bits<'_>, state: &mut State) -> Result<i32> {
        let size = bits.symbol(self.table(0)?)?;
        if size > 15 {
            return Err(Fault::Damaged("a coefficient is too large"));
        }
        let value = &mut state.first[self.place];
        *value = value.wrapping_add(bits.signed(size.into())?);
        Ok(*value)
    }

    /// The other coefficients of an image that is not progressive.
    fn others(&self, bits: &mut Bits<'_>, block: &mut [i16; 64]) -> Result<()> {
        let table = self.table(1)?;
        let mut at = 1;
        while at < 64 {
            let symbol = bits.symbol(table)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, size) {
                (15, 0) => at += 16,
                (_, 0) => break,
                _ => {
                    at += zeros;
                    *block.get_mut(place(at)?).expect("a place in a block") = bits.signed(size)? as i16;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// The upper bits of the coefficients of a band.
    fn begin(&self, bits: &mut Bits<'_>, state: &mut State, block: &mut [i16]) -> Result<()> {
        if state.empty > 0 {
            state.empty -= 1;
            return Ok(());
        }
        let table = self.table(1)?;
        let ([mut at, end], lowest) = (self.scan.band, self.scan.bits[1]);
        while at <= end {
            let symbol = bits.symbol(table)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, size) {
                (15, 0) => at += 16,
                (_, 0) => {
                    state.empty = (1 << zeros) - 1 + bits.take(zeros as u32)?;
                    break;
                }
                _ => {
                    at += zeros;
                    block[place(at)?] = (bits.signed(size)? << lowest) as i16;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of the coefficients of a band.
    fn refine(&self, bits: &mut Bits<'_>, state: &mut State, block: &mut [i16]) -> Result<()> {
        let ([mut at, end], bit) = (self.scan.band, 1i16 << self.scan.bits[1]);
        if state.empty == 0 {
            let table = self.table(1)?;
            while at <= end {
                let symbol = bits.symbol(table)?;
                let (mut zeros, size) = (usize::from(symbol >> 4), symbol & 15);
                let new = match (zeros, size) {
                    (_, 1) => {
                        if bits.take(1)? == 1 {
                            bit
                        } else {
                            -bit
                        }
                    }
                    (15, 0) => 0,
                    (_, 0) => {
                        state.empty = (1 << zeros) + bits.take(zeros as u32)?;
                        break;
                    }
                    _ => return Err(Fault::Damaged("a new coefficient has more than one bit")),
                };
                // Coefficients that are not zero get a bit each; the zeros are counted.
                while at <= end {
                    let value = &mut block[ZIGZAG[at]];
                    if *value != 0 {
                        more(bits, value, bit)?;
                    } else if zeros == 0 {
                        *value = new;
                        at += 1;
                        break;
                    } else {
                        zeros -= 1;
                    }
                    at += 1;
                }
            }
        }
        if state.empty > 0 {
            for &place in &ZIGZAG[at..=end] {
                if block[place] != 0 {
                    more(bits, &mut block[place], bit)?;
                }
            }
            state.empty -= 1;
        }
        Ok(())
    }
}

/// Reads whether a coefficient grows by a bit that it does not have.
fn more(bits: &mut Bits<'_>, value: &mut i16, bit: i16) -> Result<()> {
    if bits.take(1)? == 1 && *value & bit == 0 {
        *value = value.wrapping_add(if *value < 0 { -bit } else { bit });
    }
    Ok(())
}

/// The place in a block of a coefficient.
fn place(at: usize) -> Result<usize> {
    ZIGZAG.get(at).copied().ok_or(Fault::Damaged("a block has too many coefficients"))
}
