//! Compares with Pillow and torchvision; `tests/golden/pictures.py` made the expected images.

use std::path::PathBuf;

use image::DynamicImage;

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pictures").join(name)
}

/// Largest and mean difference, in levels of 255.
fn difference(a: &RgbImage, b: &RgbImage) -> (u8, f64) {
    assert_eq!(a.dimensions(), b.dimensions());
    let each = || a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b));
    (each().max().unwrap(), each().map(f64::from).sum::<f64>() / a.as_raw().len() as f64)
}

#[test]
fn every_form_is_read_as_pillow_shows_it() {
    let names = [
        "rgba.png",
        "grey_alpha.png",
        "palette.png",
        "bilevel.png",
        "rgb.bmp",
        "rgb.tiff",
        "rgba_lossless.webp",
        "palette.gif",
        "lossy.webp",
        "grey.jpg",
        "ycbcr420.jpg",
        "progressive444.jpg",
        "orientation.jpg",
        "cmyk.jpg",
        "ycck.jpg",
    ];
    let mut failures = Vec::new();
    for name in names {
        let expected = read(golden(&format!("{}.rgb.png", name.replace('.', "_")))).unwrap();
        let (max, mean) = difference(&read(golden(name)).unwrap(), &expected);
        if max > 0 {
            failures.push(format!("{name}: differs by up to {max}, {mean:.3} on average"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The Exif data that say how a picture is turned.
fn exif(orientation: u8) -> Vec<u8> {
    [&b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat()
}

#[test]
fn pictures_are_turned_upright_in_every_format_that_says_how() {
    let folder = tempfile::tempdir().unwrap();
    // Three pixels in a row: red, green, blue.
    let row = RgbImage::from_fn(3, 1, |x, _| image::Rgb([0, 1, 2].map(|c| if c == x { 255 } else { 0 })));
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif(6)).unwrap();
    row.write_with_encoder(encoder).unwrap();
    let mut webp = Vec::new();
    let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif(6)).unwrap();
    row.write_with_encoder(encoder).unwrap();
    for (name, bytes) in [("turned.png", png), ("turned.webp", webp)] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let upright = read(&path).unwrap();
        assert_eq!(upright.dimensions(), (1, 3), "{name}");
        assert_eq!(upright.as_raw(), row.as_raw(), "{name}");
    }
    // All eight orientations of a JPEG file, whose Exif data are changed in place.
    let jpeg = std::fs::read(golden("orientation.jpg")).unwrap();
    let at = jpeg.windows(4).position(|part| part == [0x01, 0x12, 0x00, 0x03]).unwrap() + 9;
    let turned = |orientation: u8| {
        let mut jpeg = jpeg.clone();
        jpeg[at] = orientation;
        decode(&jpeg).unwrap().into_rgb8()
    };
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    let as_stored = turned(1);
    assert_eq!(turned(2), flip_horizontal(&as_stored));
    assert_eq!(turned(3), rotate180(&as_stored));
    assert_eq!(turned(4), flip_vertical(&as_stored));
    assert_eq!(turned(5), flip_horizontal(&rotate90(&as_stored)));
    assert_eq!(turned(6), rotate90(&as_stored));
    assert_eq!(turned(7), flip_horizontal(&rotate270(&as_stored)));
    assert_eq!(turned(8), rotate270(&as_stored));
}

#[test]
fn transparent_parts_are_on_white_and_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let rgba = image::RgbaImage::from_raw(2, 1, vec![10, 20, 30, 0, 100, 0, 255, 128]).unwrap();
    let path = written(&folder, "clear.png", rgba.clone());
    let (levels, on_white) = read_levels(&path, 3).unwrap();
    assert_eq!((&levels.values[..], on_white), (&[255, 255, 255, 177, 127, 255][..], true));
    let (grey, on_white) = read_levels(&path, 1).unwrap();
    assert_eq!((&grey.values[..], on_white), (&[255, 157][..], true));
    // A network of four channels sees what is in the file.
    let (levels, on_white) = read_levels(&path, 4).unwrap();
    assert_eq!((&levels.values, on_white), (rgba.as_raw(), false));
    // A channel that is opaque everywhere is no transparency.
    let opaque = image::RgbaImage::from_pixel(2, 2, image::Rgba([1, 2, 3, 255]));
    let (levels, on_white) = read_levels(&written(&folder, "opaque.png", opaque), 3).unwrap();
    assert_eq!((&levels.values[..3], on_white), (&[1, 2, 3][..], false));
    let deep = image::ImageBuffer::from_pixel(1, 1, image::LumaA([0x8000u16, 0x40ff]));
    let (levels, on_white) = read_levels(&written(&folder, "deep.png", DynamicImage::ImageLumaA16(deep)), 3).unwrap();
    assert_eq!((&levels.values[..], on_white), (&[223; 3][..], true));
    for (name, is_clear) in [
        ("rgba.png", true),
        ("grey_alpha.png", true),
        ("palette.png", true),
        ("palette.gif", true),
        ("rgba_lossless.webp", true),
        ("lossy.webp", false),
        ("bilevel.png", false),
    ] {
        assert_eq!(read_levels(&golden(name), 3).unwrap().1, is_clear, "{name}");
    }
}

#[test]
fn resizing_and_cropping_are_torchvisions_to_the_bit() {
    // Earlier versions of Pillow always did the columns first. The version that made these files does the rows first for some sizes.
    // For this one, a quarter of the values changes by one level.
    let rows_first = ("tall", 24);
    for case in ["wide", "tall"].into_iter().flat_map(|name| [24, 32, 56].map(|side| (name, side))) {
        let (name, side) = case;
        let values = preprocess(golden(&format!("{name}.png")), rgb(side)).unwrap();
        let expected = read(golden(&format!("{name}.crop{side}.png"))).unwrap();
        let (max, mean) = difference(&written_and_read(&values, rgb(side)), &expected);
        let allowed = if case == rows_first { (1, 0.25) } else { (0, 0.0) };
        assert!(max <= allowed.0 && mean <= allowed.1, "{name}, {side}: differs by up to {max}, {mean} on average");
    }
}

/// An image of any size, whose values show their position.
fn gradient(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 7) as u8, (y * 11) as u8, (x + y) as u8]))
}

fn written(folder: &tempfile::TempDir, name: &str, picture: impl Into<DynamicImage>) -> PathBuf {
    let path = folder.path().join(name);
    picture.into().save(&path).unwrap();
    path
}

#[test]
fn a_picture_of_the_right_size_is_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let picture = gradient(16, 16);
    let values = preprocess(written(&folder, "a.png", picture.clone()), rgb(16)).unwrap();
    for (x, y, pixel) in picture.enumerate_pixels() {
        for channel in 0..3 {
            let at = channel * 256 + y as usize * 16 + x as usize;
            assert_eq!(values[at], f32::from(pixel.0[channel]) / 255.0, "element {at}");
        }
    }
}

#[test]
fn thin_pictures_do_not_grow_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(16384, 8), (8, 16384)] {
        let values = preprocess(written(&folder, "thin.png", gradient(width, height)), rgb(224)).unwrap();
        assert_eq!(values.len(), 3 * 224 * 224);
    }
    for (width, height) in [(1, 1), (7, 100), (100, 7)] {
        let message =
            preprocess(written(&folder, "small.png", gradient(width, height)), rgb(224)).unwrap_err().to_string();
        let expected = format!("small.png: is {width} x {height} pixels; at least 8 per side are needed");
        assert!(message.ends_with(&expected), "{message}");
    }
    let message = preprocess(written(&folder, "side.png", gradient(8, 8)), rgb(0)).unwrap_err().to_string();
    assert!(message.contains("side of 0 pixels"), "{message}");
}

#[test]
fn sixteen_bits_lose_their_lower_half() {
    let folder = tempfile::tempdir().unwrap();
    let rgb = image::ImageBuffer::from_fn(2, 1, |x, _| image::Rgb([0x12ffu16, 0xff80, 0x00ff + x as u16]));
    let read_back = read(written(&folder, "rgb.png", DynamicImage::ImageRgb16(rgb))).unwrap();
    assert_eq!(read_back.as_raw()[..], [0x12, 0xff, 0x00, 0x12, 0xff, 0x01]);
    let grey = image::ImageBuffer::from_pixel(1, 1, image::Luma([0xabcdu16]));
    let read_back = read(written(&folder, "grey.png", DynamicImage::ImageLuma16(grey))).unwrap();
    assert_eq!(read_back.as_raw()[..], [0xab; 3]);
}

#[test]
fn what_is_no_picture_or_too_large_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let message = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read(&path).unwrap_err().to_string()
    };
    assert!(message("a.png", b"hello").ends_with("a.png: is not a PNG, JPEG, WebP, BMP, GIF or TIFF picture"));
    assert!(message("empty.png", b"").contains("is not a PNG"));
    assert!(message("a.ppm", b"P6 1 1 255 abc").contains("is not a PNG"));

    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    let expected = "a.jpg: is a HEIC picture, which is not read; convert it to PNG, for example with `heif-convert in.heic out.png`";
    assert!(message("a.jpg", heic).ends_with(expected), "{}", message("a.jpg", heic));

    // 16000 x 16000 pixels of 3 bytes, in a file of 54.
    let mut bomb = *b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x80\x3e\0\0\x80\x3e\0\0\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let expected = "is too large: at most 16384 pixels a side and 512 MiB are read";
    assert!(message("bomb.bmp", &bomb).ends_with(expected), "{}", message("bomb.bmp", &bomb));
    // A width of 20000 and a height of 8.
    bomb[18..22].copy_from_slice(&20000u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&8u32.to_le_bytes());
    assert!(message("wide.bmp", &bomb).ends_with(expected), "{}", message("wide.bmp", &bomb));

    let float = image::Rgb32FImage::new(8, 8);
    let error = read(written(&folder, "float.tiff", DynamicImage::ImageRgb32F(float))).unwrap_err().to_string();
    assert!(error.contains("floating-point numbers"), "{error}");
    assert!(read(folder.path()).unwrap_err().to_string().ends_with("is a folder"));
    assert!(matches!(read(folder.path().join("none")).unwrap_err(), Error::Io { action: "read", .. }));
}

#[test]
fn pictures_cut_short_are_errors() {
    let names = ["rgba.png", "rgb.bmp", "rgb.tiff", "lossy.webp", "rgba_lossless.webp", "palette.gif"];
    let jpegs = ["ycbcr420.jpg", "progressive444.jpg", "cmyk.jpg", "grey.jpg"];
    for name in names.into_iter().chain(jpegs) {
        let whole = std::fs::read(golden(name)).unwrap();
        for kept in [whole.len() / 3, whole.len() / 2, whole.len() - 20] {
            assert!(decode(&whole[..kept]).is_err(), "{name}: {kept} of {} bytes are accepted", whole.len());
        }
        // Some programs append data.
        for more in [&b"\0\0 and more"[..], b"\xff\xd9 a film \xff\xda"] {
            assert!(decode(&[&whole[..], more].concat()).is_ok(), "{name}");
        }
    }
    let jpeg = std::fs::read(golden("ycbcr420.jpg")).unwrap();
    assert_eq!(decode(&jpeg[..jpeg.len() - 2]).unwrap_err(), "ends before its last line; is it a whole download?");
}

fn rgb(side: usize) -> ImageSpec {
    ImageSpec { channels: 3, height: side, width: side }
}

fn written_and_read(chw: &[f32], image: ImageSpec) -> RgbImage {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.png");
    write_png(&path, chw, image).unwrap();
    read(&path).unwrap()
}

#[test]
fn values_become_levels_and_files() {
    let values = [-1.0, 0.0, 0.5, 2.0, 0.1, 0.2, 0.3, 0.4, 1.0, 0.998, 127.4 / 255.0, f32::INFINITY];
    let levels = [0, 26, 255, 0, 51, 254, 128, 77, 127, 255, 102, 255];
    assert_eq!(written_and_read(&values, rgb(2)).as_raw()[..], levels);

    let message = |values: &[f32], image| png(values, image).unwrap_err().to_string();
    assert_eq!(message(&values, rgb(3)), "12 values are not a picture of 3 channels of 3 x 3 pixels");
    assert_eq!(message(&[], rgb(0)), "0 values are not a picture of 3 channels of 0 x 0 pixels");
    let two = ImageSpec { channels: 2, height: 2, width: 3 };
    assert_eq!(message(&values, two), "12 values are not a picture of 2 channels of 3 x 2 pixels");
    let folder = tempfile::tempdir().unwrap();
    let nan = write_png(folder.path().join("nan.png"), &[0.0, f32::NAN, 0.0], rgb(1)).unwrap_err();
    assert!(matches!(&nan, Error::NotFinite(what) if what.contains("element 1 of 3")), "{nan}");
    assert!(!folder.path().join("nan.png").exists());
}

/// An image of 2 rows and 3 columns is written with its number of channels, and read back bit by bit.
#[test]
fn grey_and_transparent_pictures_are_written_as_such() {
    let folder = tempfile::tempdir().unwrap();
    for (channels, colour) in [(1, image::ColorType::L8), (3, image::ColorType::Rgb8), (4, image::ColorType::Rgba8)] {
        let image = ImageSpec { channels, height: 2, width: 3 };
        let values: Vec<f32> = (0..image.len()).map(|i| i as f32 * 10.0 / 255.0).collect();
        let path = folder.path().join("written.png");
        write_png(&path, &values, image).unwrap();
        let written = image::open(&path).unwrap();
        assert_eq!((written.color(), written.width(), written.height()), (colour, 3, 2));
        // The second channel of the pixel in row 1, column 2.
        let plane = 6.min(image.len() - 6);
        assert_eq!(
            written.as_bytes()[5 * channels + usize::from(channels > 1)],
            ((plane + 5) % image.len() * 10) as u8
        );
        assert_eq!(to_rgb8(&values, image).unwrap(), read(&path).unwrap());
        let read = channels_first(&read_levels(&path, channels).unwrap().0.values, channels);
        assert_eq!(read, values);
        assert!(jpeg(&values, image).unwrap().starts_with(b"\xff\xd8"));
    }
}

/// Pillow's `convert("L")` and `convert("RGBA")` give these values.
#[test]
fn colours_become_grey_and_opaque() {
    let folder = tempfile::tempdir().unwrap();
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 100, 50], [7, 7, 7]];
    let picture = RgbImage::from_fn(5, 1, |x, _| image::Rgb(colours[x as usize]));
    let path = written(&folder, "colours.png", picture);
    assert_eq!(read_levels(&path, 1).unwrap().0.values, [76, 150, 29, 124, 7]);
    let opaque: Vec<u8> = colours.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
    assert_eq!(read_levels(&path, 4).unwrap().0.values, opaque);
    let error = read_levels(&path, 2).err().unwrap().to_string();
    assert!(error.ends_with("cannot be read as 2 channels; there are pictures of 1, 3 and 4"), "{error}");
}

/// Rows and columns have the same scale, and the centre is kept, for any shape.
#[test]
fn pictures_are_cropped_to_any_shape() {
    let folder = tempfile::tempdir().unwrap();
    // Columns rise by 2 levels of 255, rows by 1.
    let ramp = RgbImage::from_fn(112, 64, |x, y| image::Rgb([(2 * x) as u8, y as u8, 0]));
    let path = written(&folder, "ramp.png", ramp);
    for [height, width] in [[56, 28], [28, 56], [14, 98]] {
        let image = ImageSpec { channels: 3, height, width };
        let values = preprocess(&path, image).unwrap();
        assert_eq!(values.len(), image.len());
        let level = |channel: usize, row: usize, column: usize| {
            255.0 * f64::from(values[(channel * height + row) * width + column])
        };
        // Source pixels per output pixel: the smaller scale that covers both sides.
        let scale = (64.0 * 7.0 / 8.0 / height as f64).min(112.0 * 7.0 / 8.0 / width as f64);
        let middle = [level(0, height / 2, width / 2) / 2.0, level(1, height / 2, width / 2)];
        let corner = [level(0, height / 2, width / 2 - 8) / 2.0, level(1, height / 2 - 4, width / 2)];
        assert!((middle[0] - 56.0).abs() < scale + 1.0 && (middle[1] - 32.0).abs() < scale + 1.0, "{middle:?}");
        assert!((middle[0] - corner[0] - 8.0 * scale).abs() < 1.0, "columns: {middle:?} {corner:?} {scale}");
        assert!((middle[1] - corner[1] - 4.0 * scale).abs() < 1.0, "rows: {middle:?} {corner:?} {scale}");
    }
}
