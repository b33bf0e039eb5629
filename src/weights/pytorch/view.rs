//! Tensors as views of the file: strided, shared, and copied out in rows.

use std::io::{self, Write};
use std::ops::Range;

use safetensors::Dtype;

use super::archive::Archive;
use super::value::Tensor;

/// A tensor whose values lie inside of the file, all of them.
#[derive(Clone, Debug)]
pub(in super::super) struct View {
    pub(in super::super) dtype: Dtype,
    pub(in super::super) shape: Vec<usize>,
    /// In elements.
    stride: Vec<usize>,
    /// From the first element on.
    bytes: Range<usize>,
}

impl View {
    /// Checks a tensor against its storage.
    pub(super) fn of(tensor: &Tensor, archive: &Archive) -> Result<Self, String> {
        let (dtype, bytes) = archive.storage(tensor.storage)?;
        let Tensor { offset, shape, stride, .. } = tensor;
        let size = dtype.bitsize() as u64 / 8;
        let len = bytes.len() as u64 / size;
        let is_empty = shape.contains(&0);
        // One past the last element that it reaches.
        let end = shape.iter().zip(stride).try_fold(offset.checked_add(1), |end, (&extent, &stride)| {
            Some(end?.checked_add(extent.saturating_sub(1).checked_mul(stride)?))
        });
        let fits = if is_empty { *offset <= len } else { end.flatten().is_some_and(|end| end <= len) };
        let bits = shape.iter().try_fold(dtype.bitsize() as u64, |product, &extent| product.checked_mul(extent));
        if !fits || bits.is_none() {
            return Err(format!(
                "is {dtype} {shape:?} with strides {stride:?} from element {offset}, which goes beyond its storage of {len}"
            ));
        }
        // What fits the file fits usize; an extent beside one of 0 may not.
        let usizes = |numbers: &[u64]| numbers.iter().map(|&n| usize::try_from(n)).collect::<Result<Vec<_>, _>>();
        let unfit = |_| "has an extent that this machine cannot count".to_owned();
        let begin = bytes.start + (offset * size) as usize;
        Ok(Self {
            dtype,
            shape: usizes(shape).map_err(unfit)?,
            stride: usizes(stride).map_err(unfit)?,
            bytes: begin..bytes.end,
        })
    }

    /// What it is written as: there are no weights in double precision.
    pub(in super::super) fn written_dtype(&self) -> Dtype {
        if self.dtype == Dtype::F64 { Dtype::F32 } else { self.dtype }
    }

    /// How long it is when written.
    pub(in super::super) fn written_len(&self) -> u64 {
        let elements: u64 = self.shape.iter().map(|&extent| extent as u64).product();
        elements.saturating_mul(self.written_dtype().bitsize() as u64 / 8)
    }

    /// Writes the values, row-major and little-endian.
    pub(in super::super) fn write(&self, file: &[u8], out: &mut impl Write) -> io::Result<()> {
        let size = self.dtype.bitsize() / 8;
        let data = &file[self.bytes.clone()];
        let mut rows = Rows::of(self);
        let mut row = Vec::new();
        while let Some(begin) = rows.next() {
            let at = |i: usize| (begin + i * rows.stride) * size;
            let is_run = rows.stride == 1 || rows.extent == 1;
            if is_run && self.dtype != Dtype::F64 {
                out.write_all(&data[at(0)..at(0) + rows.extent * size])?;
                continue;
            }
            row.clear();
            for i in 0..rows.extent {
                let element = &data[at(i)..at(i) + size];
                match (self.dtype, element.try_into()) {
                    (Dtype::F64, Ok(bytes)) => row.extend((f64::from_le_bytes(bytes) as f32).to_le_bytes()),
                    _ => row.extend_from_slice(element),
                }
                // A row may be long, and what is kept of it is not.
                if row.len() >= LONGEST_ROW {
                    out.write_all(&row)?;
                    row.clear();
                }
            }
            out.write_all(&row)?;
        }
        Ok(())
    }
}

/// How many bytes are collected before they are written.
const LONGEST_ROW: usize = 1 << 14;

/// Where the rows of a tensor begin, in elements; a row is as long as the strides allow.
struct Rows {
    /// Extent and stride of what is not within a row, the outermost first.
    outer: Vec<(usize, usize)>,
    extent: usize,
    stride: usize,
    index: Vec<usize>,
    begin: Option<usize>,
}

impl Rows {
    fn of(view: &View) -> Self {
        let mut outer: Vec<(usize, usize)> = Vec::new();
        for (&extent, &stride) in view.shape.iter().zip(&view.stride).filter(|&(&extent, _)| extent != 1) {
            match outer.last_mut() {
                // The outer one goes on where the inner one ends: together they are one.
                Some(last) if stride.checked_mul(extent) == Some(last.1) => *last = (last.0 * extent, stride),
                _ => outer.push((extent, stride)),
            }
        }
        let (extent, stride) = outer.pop().unwrap_or((1, 1));
        let begin = (!view.shape.contains(&0)).then_some(0);
        Self { index: vec![0; outer.len()], outer, extent, stride, begin }
    }

    fn next(&mut self) -> Option<usize> {
        let begin = self.begin?;
        let mut next = begin;
        self.begin = None;
        for ((extent, stride), index) in self.outer.iter().zip(&mut self.index).rev() {
            if *index + 1 < *extent {
                *index += 1;
                next += stride;
                self.begin = Some(next);
                break;
            }
            next -= *index * stride;
            *index = 0;
        }
        Some(begin)
    }
}
