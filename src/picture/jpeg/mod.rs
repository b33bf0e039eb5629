//! Decodes JPEG files to the bit as libjpeg-turbo does with its default settings, which Pillow and torchvision use.
//!
//! Decoders differ by some levels: in the rounding of the inverse DCT and of colours, and most in how they enlarge colour planes. A
//! network's probability can differ by some points between them, and no crate without unsafe code agrees with libjpeg.
//!
//! This decoder reads sequential and progressive files with Huffman codes and 8 bits, which nearly all are. It leaves others to the
//! crate `image`. A file that breaks the rules of the format is an error; libjpeg would fill the rest of the image with grey.

mod colour;
mod fault;
mod frame;
mod huffman;
mod idct;
mod scan;
mod upsample;

use colour::Colours;
use fault::{Fault, Result};
use frame::{Frame, ZIGZAG};
use huffman::Table;
use scan::{Scan, Tables};

/// The most scans of a file. Encoders write about ten.
const MOST_SCANS: usize = 500;

/// A decoded file.
#[derive(Debug)]
pub(super) enum Decoded<'a> {
    /// `[H,W,C]` with 1 or 3 channels, and the Exif data, if there are any.
    Picture { width: usize, height: usize, values: Vec<u8>, exif: Option<&'a [u8]> },
    /// A rare kind of file, for another decoder.
    Rare,
    /// More pixels than are read.
    TooLarge,
}

/// Decodes a file. The image may have `most_side` pixels a side, and `most_bytes` bytes of three a pixel.
///
/// # Errors
/// If the file breaks the rules of the format.
pub(super) fn decode(
    bytes: &[u8],
    most_side: usize,
    most_bytes: u64,
) -> std::result::Result<Decoded<'_>, &'static str> {
    let mut file = File { bytes, tables: Tables::default(), is_jfif: false, adobe: None, exif: None };
    match file.decode(most_side, most_bytes) {
        Ok((frame, values)) => {
            Ok(Decoded::Picture { width: frame.width, height: frame.height, values, exif: file.exif })
        }
        Err(Fault::Rare) => Ok(Decoded::Rare),
        Err(Fault::TooLarge) => Ok(Decoded::TooLarge),
        Err(Fault::Damaged(what)) => Err(what),
    }
}

/// What the segments of a file have told so far.
struct File<'a> {
    bytes: &'a [u8],
    tables: Tables,
    is_jfif: bool,
    adobe: Option<u8>,
    exif: Option<&'a [u8]>,
}

impl<'a> File<'a> {
    fn decode(&mut self, most_side: usize, most_bytes: u64) -> Result<(Frame, Vec<u8>)> {
        let (mut at, mut frame, mut scans) = (2, None, 0);
        loop {
            let (marker, body) = self.segment(at)?;
            at = body;
            if marker == 0xd9 {
                break;
            }
            let content = self.content(at)?;
            at += 2 + content.len();
            match marker {
                0xc0..=0xc2 if frame.is_none() => {
                    frame = Some(Frame::new(content, marker == 0xc2, most_side, most_bytes)?);
                }
                0xc0..=0xc2 => return Err(Fault::Damaged("it has two frames")),
                // Lossless and hierarchical images, and arithmetic codes.
                0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Err(Fault::Rare),
                0xc4 => self.huffman(content)?,
                0xdb => self.quantization(content)?,
                0xdd => {
                    let &[high, low] = content else { return Err(Fault::Damaged("its restart interval is wrong")) };
                    self.tables.restart = u16::from_be_bytes([high, low]).into();
                }
                0xda => {
                    let frame = frame.as_mut().ok_or(Fault::Damaged("a scan comes before the frame"))?;
                    scans += 1;
                    if scans > MOST_SCANS {
                        return Err(Fault::Damaged("it has too many scans"));
                    }
                    at = Scan::new(content, frame)?.read(frame, &self.tables, self.bytes, at)?;
                }
                0xe0 if content.starts_with(b"JFIF\0") => self.is_jfif = true,
                0xe1 if content.starts_with(b"Exif\0\0") => self.exif = self.exif.or(content.get(6..)),
                0xee if content.starts_with(b"Adobe") => self.adobe = content.get(11).copied(),
                _ => {}
            }
        }
        let mut frame = frame.ok_or(Fault::Damaged("it has no frame"))?;
        if frame.components.iter().any(|component| component.quantization.is_none()) {
            return Err(Fault::Damaged("a part of its data is missing"));
        }
        if frame.is_progressive {
            frame.components.iter_mut().for_each(frame::Component::finish_all);
        }
        let pixels = self.pixels(&frame);
        Ok((frame, pixels))
    }

    /// The next marker, and the place after it. Other bytes before a marker are skipped.
    fn segment(&self, mut at: usize) -> Result<(u8, usize)> {
        loop {
            let pair = self.bytes.get(at..at + 2).ok_or(Fault::Damaged("it ends before its last line"))?;
            match *pair {
                // Padding, and markers that stand alone.
                [0xff, 0x00 | 0x01 | 0xd0..=0xd8 | 0xff] => at += 1,
                [0xff, marker] => return Ok((marker, at + 2)),
                _ => at += 1,
            }
        }
    }

    /// The content of the segment at a place, which begins with its length.
    fn content(&self, at: usize) -> Result<&'a [u8]> {
        let cut = Fault::Damaged("it ends before its last line");
        let Some(&[high, low]) = self.bytes.get(at..at + 2) else { return Err(cut) };
        let len = usize::from(u16::from_be_bytes([high, low]));
        self.bytes.get(at + 2..at + len).ok_or(cut)
    }

    fn quantization(&mut self, mut content: &[u8]) -> Result<()> {
        let damaged = || Fault::Damaged("a quantization table is wrong");
        while let Some((&which, rest)) = content.split_first() {
            let (bytes, place) = (1 + usize::from(which >> 4), usize::from(which & 15));
            let (values, rest) = rest.split_at_checked(64 * bytes).ok_or_else(damaged)?;
            let table = self.tables.quantization.get_mut(place).filter(|_| bytes <= 2).ok_or_else(damaged)?;
            let mut found = [0; 64];
            for (value, place) in values.chunks_exact(bytes).zip(ZIGZAG) {
                found[place] = value.iter().fold(0, |value, &byte| value << 8 | u16::from(byte));
            }
            *table = Some(found);
            content = rest;
        }
        Ok(())
    }

    fn huffman(&mut self, mut content: &[u8]) -> Result<()> {
        let damaged = || Fault::Damaged("a Huffman table is wrong");
        while let Some((&which, rest)) = content.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
            let len = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(len).ok_or_else(damaged)?;
            let tables = self.tables.huffman.get_mut(usize::from(which >> 4)).ok_or_else(damaged)?;
            let table = tables.get_mut(usize::from(which & 15)).ok_or_else(damaged)?;
            *table = Some(Table::new(counts, symbols)?);
            content = rest;
        }
        Ok(())
    }

    fn pixels(&self, frame: &Frame) -> Vec<u8> {
        let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        let colours = Colours::of(&ids, self.is_jfif, self.adobe);
        let channels = if colours == Colours::Grey { 1 } else { 3 };
        let mut pixels = Vec::with_capacity(frame.width * frame.height * channels);
        let mut rows = vec![vec![0; frame.width]; ids.len()];
        for y in 0..frame.height {
            for (component, row) in frame.components.iter().zip(&mut rows) {
                upsample::row(component, y, row);
            }
            colours.append(&rows, &mut pixels);
        }
        pixels
    }
}

/// Whether a file ends before its image does. Anything may follow the image, such as a phone's video. So this follows the segments
/// from the first to the end of the image, by their lengths. The data of a scan, in which 0xFF is always escaped, ends at the next
/// marker.
pub(super) fn is_cut_short(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xd9;
    let mut at = 2;
    while let Some(len) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)) {
        at += len;
        let Some(&marker) = bytes.get(at + 1) else { return true };
        match marker {
            END_OF_IMAGE => return false,
            // An escaped 0xFF, or a marker without a length.
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            // Padding.
            0xff => at += 1,
            _ => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return true };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
        }
    }
    true
}

#[cfg(test)]
mod tests;
