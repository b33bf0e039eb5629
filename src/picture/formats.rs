//! The formats of images, by the first bytes of a file.

use std::fmt;

pub(super) use image::ImageFormat as Format;

/// The number of bytes that tell the format of a file.
pub(crate) const FIRST_BYTES: usize = 1024;

/// The formats that are read.
const READ: [Format; 6] = [Format::Png, Format::Jpeg, Format::WebP, Format::Bmp, Format::Gif, Format::Tiff];

/// What a file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// An image in a format that is read.
    Picture(Format),
    /// An image in another format.
    Foreign(Foreign),
    /// No image, as far as is known.
    Other,
}

/// A format that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Foreign {
    /// Its name.
    pub(crate) name: &'static str,
    /// A command that converts it.
    pub(crate) cure: &'static str,
}

const HEIC: Foreign = Foreign { name: "HEIC", cure: "heif-convert in.heic out.png" };
const AVIF: Foreign = Foreign { name: "AVIF", cure: "heif-convert in.avif out.png" };
const JPEG_XL: Foreign = Foreign { name: "JPEG XL", cure: "djxl in.jxl out.png" };
const JPEG_2000: Foreign = Foreign { name: "JPEG 2000", cure: "opj_decompress -i in.jp2 -o out.png" };
const SVG: Foreign = Foreign { name: "SVG", cure: "rsvg-convert in.svg -o out.png" };

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if matches!(self.name, "AVIF" | "SVG") { "an" } else { "a" };
        write!(
            f,
            "{article} {} picture, which is not read; convert it to PNG, for example with `{}`",
            self.name, self.cure
        )
    }
}

impl Content {
    /// Tells by the first bytes of a file.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match image::guess_format(bytes).ok().filter(|format| READ.contains(format)) {
            // Two letters at the start of a text are no proof.
            Some(Format::Bmp) if !is_bmp(bytes) => {}
            Some(format) => return Self::Picture(format),
            None => {}
        }
        foreign(bytes).map_or(Self::Other, Self::Foreign)
    }
}

/// Whether the size of the second header is one of those that there are.
fn is_bmp(bytes: &[u8]) -> bool {
    let size = bytes.get(14..18).and_then(|size| size.first_chunk()).map(|&size| u32::from_le_bytes(size));
    matches!(size, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

fn foreign(bytes: &[u8]) -> Option<Foreign> {
    match bytes {
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some(JPEG_XL),
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => Some(JPEG_2000),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => of_brands(bytes),
        _ => is_svg(bytes).then_some(SVG),
    }
}

/// The format of an ISO media file: its main brand, and those that it is compatible with.
fn of_brands(bytes: &[u8]) -> Option<Foreign> {
    let len = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let brands = &bytes.get(8..len.min(bytes.len()))?.as_chunks::<4>().0;
    let has = |wanted: &[&[u8; 4]]| brands.iter().any(|brand| wanted.contains(&brand));
    if has(&[b"avif", b"avis"]) {
        return Some(AVIF);
    }
    has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]).then_some(HEIC)
}

/// Whether a text has an `svg` element at its start, or after declarations and comments. Pages with such an element are no pictures.
fn is_svg(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let starts: [&[u8]; 4] = [b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg"];
    let has = |wanted: &[u8]| text.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted));
    starts.iter().any(|start| text.starts_with(start)) && has(b"<svg") && !has(b"<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_are_not_read_are_named() {
        let cases: [(&[u8], Foreign); 9] = [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", HEIC),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heix", HEIC),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", AVIF),
            (b"\xff\x0a\0\0", JPEG_XL),
            (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
            (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
            (b"\xff\x4f\xff\x51", JPEG_2000),
            (b" <svg xmlns='http://www.w3.org/2000/svg'/>", SVG),
            (b"\xef\xbb\xbf<?xml version='1.0'?><!-- drawn --><svg/>", SVG),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Content::of(bytes), Content::Foreign(expected), "{bytes:?}");
        }
        let heic = HEIC.to_string();
        assert_eq!(
            heic,
            "a HEIC picture, which is not read; convert it to PNG, for example with `heif-convert in.heic out.png`"
        );
    }

    #[test]
    fn other_files_are_no_pictures() {
        let texts: [&[u8]; 6] = [
            b"",
            b"BMW and others",
            b"<!DOCTYPE html><svg/>",
            b"<?xml version='1.0'?><html><svg/></html>",
            b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
            b"\0\x05\x16\x07 what a Mac leaves beside a file",
        ];
        for bytes in texts {
            assert_eq!(Content::of(bytes), Content::Other, "{bytes:?}");
        }
    }
}
