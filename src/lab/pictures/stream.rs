//! A stream of images: some are decoded while the adapter works on others.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

use super::tally::Tally;
use crate::analysis::Classifier;
use crate::error::{Error, Result};
use crate::picture::{Prepared, prepare};
use crate::shape::ImageSpec;

/// A decoded image: its index, and its pixels `[C,H,W]` in `[0,1]`.
pub(crate) struct Decoded {
    /// The index of its path.
    pub(crate) index: usize,
    /// The output of [`prepare`].
    pub(crate) pixels: Vec<f32>,
}

/// How the images of a stream were read.
#[derive(Default)]
pub(crate) struct Passed {
    /// The index of each image that could not be read, with the reason.
    pub(crate) unreadable: Vec<(usize, Error)>,
    /// The images that were read.
    pub(crate) tally: Tally,
}

impl Passed {
    /// The reasons for images that could not be read.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = String> {
        self.unreadable.iter().map(|(_, error)| error.to_string())
    }
}

/// The pixels of several images, `[N,C,H,W]`.
pub(crate) fn together(pictures: &[Decoded]) -> Vec<f32> {
    pictures.iter().flat_map(|picture| picture.pixels.iter().copied()).collect()
}

/// Decodes images on all cores, and passes them to `consume` in order, up to `batch` at a time, while the next ones are decoded.
/// At most three batches are in memory. An image that could not be read does not affect the others.
///
/// # Errors
/// The first error that `consume` returns, which ends the stream.
pub(crate) fn stream_pictures(
    paths: &[PathBuf],
    image: ImageSpec,
    batch: usize,
    mut consume: impl FnMut(Vec<Decoded>) -> Result<()>,
) -> Result<Passed> {
    let batch = batch.max(1);
    let mut passed = Passed::default();
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || {
            for (chunk, paths) in paths.chunks(batch).enumerate() {
                let decode = |(at, path): (usize, &PathBuf)| (chunk * batch + at, prepare(path, image));
                let decoded: Vec<(usize, Result<Prepared>)> = paths.par_iter().enumerate().map(decode).collect();
                // The receiver is gone because an error ended the stream.
                if sender.send(decoded).is_err() {
                    return;
                }
            }
        });
        for decoded in receiver {
            let mut whole = Vec::with_capacity(decoded.len());
            for (index, result) in decoded {
                match result {
                    Ok(Prepared { pixels, on_white }) => {
                        passed.tally.add(&paths[index], on_white);
                        whole.push(Decoded { index, pixels });
                    }
                    Err(error) => passed.unreadable.push((index, error)),
                }
            }
            if !whole.is_empty() {
                consume(whole)?;
            }
        }
        Ok(passed)
    })
}

/// The results of a stream of images.
pub(crate) struct Streamed<T> {
    /// The index and the result of each image that was read.
    pub(crate) seen: Vec<(usize, T)>,
    pub(crate) passed: Passed,
}

/// The logits of image files. `consume` receives each batch: the indices of its paths, in order, with their logits.
/// A file that could not be read does not affect the others.
///
/// # Errors
/// If the device is lost, or the first error that `consume` returns.
pub(crate) fn classify(
    classifier: &Classifier,
    paths: &[PathBuf],
    mut consume: impl FnMut(Vec<(usize, Vec<f32>)>) -> Result<()>,
) -> Result<Passed> {
    stream_pictures(paths, classifier.image(), classifier.batch(), |pictures| {
        let logits = classifier.logits(&together(&pictures))?;
        consume(pictures.iter().map(|picture| picture.index).zip(logits).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_keep_the_order_and_go_on_after_what_is_unreadable() {
        let root = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for level in 0..7u8 {
            let path = root.path().join(format!("{level}.png"));
            match level {
                3 => std::fs::write(&path, "no image").unwrap(),
                _ => image::RgbImage::from_pixel(16, 16, image::Rgb([level; 3])).save(&path).unwrap(),
            }
            paths.push(path);
        }
        let mut seen = Vec::new();
        let image = ImageSpec { channels: 3, height: 16, width: 16 };
        let Passed { unreadable, tally } = stream_pictures(&paths, image, 2, |batch| {
            assert!(batch.len() <= 2);
            seen.extend(batch.iter().map(|one| (one.index, (one.pixels[0] * 255.0).round() as usize)));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [0, 1, 2, 4, 5, 6].map(|level| (level, level)));
        assert_eq!(unreadable.len(), 1);
        assert!(unreadable[0].0 == 3 && unreadable[0].1.to_string().contains("3.png"));
        assert_eq!(tally.note(), None);
        let mut calls = 0;
        let stopped = stream_pictures(&paths, image, 2, |_| {
            calls += 1;
            Err(Error::input("stop"))
        });
        assert!(stopped.is_err() && calls == 1);
    }
}
