//! The frame of a JPEG file: the size of the image, and the planes of its components.

use super::fault::{Fault, Result};
use super::idct;

/// The place in a block of each coefficient in the order of the file.
pub(super) const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// The extents of an image.
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) is_progressive: bool,
    /// Rows and columns of the units of an interleaved scan.
    pub(super) units: [usize; 2],
    pub(super) components: Vec<Component>,
}

/// A component of an image, such as its luma.
pub(super) struct Component {
    pub(super) id: u8,
    /// Rows and columns of blocks in a unit of an interleaved scan.
    pub(super) sampling: [usize; 2],
    /// Rows and columns of the image's pixels for each sample.
    pub(super) spread: [usize; 2],
    /// Rows and columns of samples.
    pub(super) samples: [usize; 2],
    /// Columns of blocks, including those that fill the last unit.
    block_columns: usize,
    /// Which table of the file scales its coefficients.
    pub(super) table: usize,
    /// The table as it was at the first scan.
    pub(super) quantization: Option<[u16; 64]>,
    /// The coefficients of all blocks of a progressive image.
    coefficients: Vec<i16>,
    /// The samples, in rows of `block_columns · 8`.
    plane: Vec<u8>,
}

impl Frame {
    /// Reads the header of a frame. It may have `most_side` pixels a side and `most_bytes` bytes of three a pixel.
    pub(super) fn new(header: &[u8], is_progressive: bool, most_side: usize, most_bytes: u64) -> Result<Self> {
        let damaged = Fault::Damaged("the header of its frame is wrong");
        let [bits, h1, h0, w1, w0, count, components @ ..] = header else { return Err(damaged) };
        let [height, width] = [[*h1, *h0], [*w1, *w0]].map(|side| usize::from(u16::from_be_bytes(side)));
        if width == 0 || components.len() != 3 * usize::from(*count) {
            return Err(damaged);
        }
        // A height of 0 means that it follows later.
        if *bits != 8 || height == 0 || !matches!(count, 1 | 3 | 4) {
            return Err(Fault::Rare);
        }
        if width.max(height) > most_side || (width * height * 3) as u64 > most_bytes {
            return Err(Fault::TooLarge);
        }
        let parsed = |one: &[u8]| (one[0], [usize::from(one[1] & 15), usize::from(one[1] >> 4)], usize::from(one[2]));
        let mut parsed: Vec<(u8, [usize; 2], usize)> = components.chunks_exact(3).map(parsed).collect();
        if parsed.iter().any(|(_, sampling, table)| sampling.iter().any(|s| !(1..=4).contains(s)) || *table > 3) {
            return Err(damaged);
        }
        // The sampling of a single component means nothing.
        if let [(_, sampling, _)] = &mut parsed[..] {
            *sampling = [1, 1];
        }
        let most = [0, 1].map(|axis| parsed.iter().map(|(_, sampling, _)| sampling[axis]).max().unwrap_or(1));
        if parsed.iter().any(|(_, sampling, _)| (0..2).any(|axis| most[axis] % sampling[axis] != 0)) {
            return Err(Fault::Rare);
        }
        let extents = [height, width];
        let units = [0, 1].map(|axis| extents[axis].div_ceil(8 * most[axis]));
        let component = |(id, sampling, table): (u8, [usize; 2], usize)| {
            let blocks = [0, 1].map(|axis| units[axis] * sampling[axis]);
            let len = 64 * blocks[0] * blocks[1];
            Component {
                id,
                sampling,
                spread: [0, 1].map(|axis| most[axis] / sampling[axis]),
                samples: [0, 1].map(|axis| (extents[axis] * sampling[axis]).div_ceil(most[axis])),
                block_columns: blocks[1],
                table,
                quantization: None,
                coefficients: if is_progressive { vec![0; len] } else { Vec::new() },
                plane: vec![0; len],
            }
        };
        let components = parsed.into_iter().map(component).collect();
        Ok(Self { width, height, is_progressive, units, components })
    }
}

impl Component {
    /// The coefficients of a block of a progressive image.
    pub(super) fn coefficients(&mut self, row: usize, column: usize) -> &mut [i16] {
        let at = 64 * (row * self.block_columns + column);
        &mut self.coefficients[at..at + 64]
    }

    /// Makes the samples of a block from its coefficients.
    pub(super) fn finish(&mut self, row: usize, column: usize, coefficients: &[i16; 64]) {
        let stride = 8 * self.block_columns;
        let at = 8 * (row * stride + column);
        let table = self.quantization.as_ref().expect("a scan sets it");
        idct::block(coefficients, table, &mut self.plane[at..], stride);
    }

    /// Makes the samples of a progressive image, once all its scans are read.
    pub(super) fn finish_all(&mut self) {
        let coefficients = std::mem::take(&mut self.coefficients);
        for (at, block) in coefficients.as_chunks::<64>().0.iter().enumerate() {
            self.finish(at / self.block_columns, at % self.block_columns, block);
        }
    }

    /// A row of samples.
    pub(super) fn row(&self, row: usize) -> &[u8] {
        let at = 8 * row * self.block_columns;
        &self.plane[at..at + self.samples[1]]
    }
}
