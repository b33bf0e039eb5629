//! Compares with the pixels that Pillow reads; `tests/corpus/jpeg/make.py` made the files.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/jpeg");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "jpg")).collect();
    paths.sort();
    paths
}

fn decoded(bytes: &[u8]) -> std::result::Result<Decoded<'_>, &'static str> {
    decode(bytes, 1000, 1 << 20)
}

#[test]
fn every_kind_is_decoded_to_pillows_pixels() {
    let mut failures = Vec::new();
    for path in corpus() {
        let expected = image::open(path.with_extension("png")).unwrap().into_rgb8();
        let bytes = std::fs::read(&path).unwrap();
        let Ok(Decoded::Picture { width, height, values, .. }) = decoded(&bytes) else { panic!("{}", path.display()) };
        assert_eq!((width as u32, height as u32), expected.dimensions(), "{}", path.display());
        let channels = values.len() / (width * height);
        let expected = expected.as_raw().chunks_exact(3).flat_map(|rgb| &rgb[..channels]);
        let largest = values.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        if largest > 0 {
            failures.push(format!("{}: differs by up to {largest} levels", path.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn damage_is_said_and_rare_kinds_are_left() {
    let path = corpus().into_iter().find(|path| path.ends_with("420_restart.jpg")).unwrap();
    let whole = std::fs::read(path).unwrap();
    let with = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|part| part == from).unwrap();
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    let damage = |bytes: &[u8]| decoded(bytes).unwrap_err();
    assert_eq!(damage(&with(b"\xff\xd0", b"\xff\xd3")), "a restart marker is not where it should be");
    assert_eq!(damage(&with(b"\xff\xd0", b"\xff\xd9")), "a restart marker is not where it should be");
    assert_eq!(damage(&whole[..whole.len() / 2]), "a part of its data is missing");
    assert_eq!(damage(b"\xff\xd8\xff\xd9"), "it has no frame");
    // Arithmetic codes, and 12 bits.
    assert!(matches!(decoded(&with(b"\xff\xc0", b"\xff\xc9")), Ok(Decoded::Rare)));
    assert!(matches!(decoded(&with(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c")), Ok(Decoded::Rare)));
    assert!(matches!(decode(&whole, 44, 1 << 20), Ok(Decoded::TooLarge)));
    assert!(matches!(decode(&whole, 45, 37 * 45 * 3 - 1), Ok(Decoded::TooLarge)));
}

proptest! {
    #[test]
    fn damaged_files_end_in_a_picture_or_an_error(
        which in any::<prop::sample::Index>(),
        kept in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = std::fs::read(which.get(&corpus())).unwrap();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = decoded(&bytes);
        let _ = decoded(&bytes[..kept.index(bytes.len())]);
        let _ = is_cut_short(&bytes);
    }
}
