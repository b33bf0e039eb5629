//! Folders of natural images, one per class, and a stream that decodes images while the adapter works.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use image::imageops::{FilterType, blur, resize};
use image::{ImageBuffer, Luma};
use rayon::prelude::*;

use crate::analysis::Classifier;
use crate::error::{Error, Result};
use crate::labels::Labels;
use crate::picture::{png, preprocess, read, to_chw};
use crate::shape::ImageSpec;

/// Endings of image files in folders. A file that is named explicitly may have any name.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"];

/// The longest side of an image on a page, in pixels.
const SHOWN_SIDE: u32 = 320;

/// `DIR/<class>/*`: natural images, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageFolder {
    root: PathBuf,
    classes: BTreeMap<usize, Vec<PathBuf>>,
    ignored: Vec<String>,
}

impl ImageFolder {
    /// Finds the images of every class in the folders of `root`. A folder's name is the class's index, alone or followed by
    /// `_`, `-` or a space and any text (`574_golf_ball`), its WordNet id or its name. Subfolders of a class folder are
    /// searched too. Other folders are [`ImageFolder::ignored`].
    ///
    /// # Errors
    /// If `root` cannot be read or has no class folder.
    pub(crate) fn open(root: impl AsRef<Path>, labels: &Labels) -> Result<Self> {
        let root = root.as_ref();
        let mut found = Self { root: root.to_owned(), classes: BTreeMap::new(), ignored: Vec::new() };
        let mut folders: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(root).map_err(Error::io("read", root))? {
            let path = entry.map_err(Error::io("read", root))?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        folders.sort();
        for folder in folders {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match class_of(&name, labels) {
                Ok(class) => {
                    let pictures = found.classes.entry(class).or_default();
                    add_pictures(&folder, pictures)?;
                    pictures.sort();
                }
                Err(why) => found.ignored.push(format!("{}: {why}", folder.display())),
            }
        }
        if found.classes.is_empty() {
            let why =
                found.ignored.first().map_or("it contains no folders".to_owned(), |first| format!("such as {first}"));
            return Err(Error::input(format!(
                "{} has no class folders ({why}); put the images of each class in a folder named by the class's index, \
                     WordNet id or name, such as {}_{}",
                root.display(),
                labels.len() - 1,
                labels.slug(labels.len() - 1)
            )));
        }
        Ok(found)
    }

    /// The folder that contains the class folders.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The classes that have a folder, in order.
    pub(crate) fn classes(&self) -> impl Iterator<Item = usize> {
        self.classes.keys().copied()
    }

    /// The images of a class, sorted by path; empty if it has none.
    pub(crate) fn pictures(&self, class: usize) -> &[PathBuf] {
        self.classes.get(&class).map_or(&[], Vec::as_slice)
    }

    /// Folders that do not belong to a class, each with the reason.
    pub(crate) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The path relative to the root, with `/` as the separator, for records.
    pub(crate) fn relative(&self, path: &Path) -> String {
        relative(&self.root, path)
    }
}

/// The path relative to a folder, with `/` as the separator, for records.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).unwrap_or(path);
    inner.iter().map(OsStr::to_string_lossy).collect::<Vec<_>>().join("/")
}

/// The class that a folder's name denotes, or the reason why it denotes none.
fn class_of(name: &str, labels: &Labels) -> std::result::Result<usize, String> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = name.split_at(digits);
    // A class may be called `3d printer`, so digits are an index only if they end like a word.
    if digits == 0 || !(rest.is_empty() || rest.starts_with(['_', '-', ' '])) {
        return labels.find(name).map_err(|error| error.to_string());
    }
    let class = labels.find(number).map_err(|error| error.to_string())?;
    // Otherwise a data set with other indices would be mistaken for this network's classes.
    match labels.find(rest.trim_start_matches(['_', '-', ' '])) {
        Ok(other) if other != class && !rest.is_empty() => {
            Err(format!("its index means {}, but its name means class {other}", labels.name(class)))
        }
        _ => Ok(class),
    }
}

/// The given image files, and the image files in the given folders, sorted.
///
/// # Errors
/// If a folder cannot be read or contains no image.
pub(crate) fn find_pictures(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in given {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        add_pictures(path, &mut found)?;
        if found.len() == before {
            let endings = ENDINGS.join(", ");
            return Err(Error::input(format!("{} contains no images ({endings})", path.display())));
        }
        found[before..].sort();
    }
    Ok(found)
}

fn add_pictures(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(Error::io("read", folder))?);
        let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        // Links to folders are not followed, because they may form a cycle.
        if kind.is_dir() {
            add_pictures(&path, found)?;
        } else if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
            found.push(path);
        }
    }
    Ok(())
}

/// A decoded image: its index, and its pixels `[C,H,W]` in `[0,1]`.
pub(crate) struct Decoded {
    /// The index of its path.
    pub(crate) index: usize,
    /// The output of [`preprocess`].
    pub(crate) pixels: Vec<f32>,
}

/// The pixels of several images, `[N,C,H,W]`.
pub(crate) fn together(pictures: &[Decoded]) -> Vec<f32> {
    pictures.iter().flat_map(|picture| picture.pixels.iter().copied()).collect()
}

/// Decodes images on all cores, and passes them to `consume` in order, up to `batch` at a time, while the next ones are decoded.
/// At most three batches are in memory. Returns the index of each image that could not be read, with the reason; the others
/// are not affected.
///
/// # Errors
/// The first error that `consume` returns, which ends the stream.
pub(crate) fn stream_pictures(
    paths: &[PathBuf],
    image: ImageSpec,
    batch: usize,
    mut consume: impl FnMut(Vec<Decoded>) -> Result<()>,
) -> Result<Vec<(usize, Error)>> {
    let batch = batch.max(1);
    let mut unreadable = Vec::new();
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || {
            for (chunk, paths) in paths.chunks(batch).enumerate() {
                let decode = |(at, path): (usize, &PathBuf)| (chunk * batch + at, preprocess(path, image));
                let decoded: Vec<(usize, Result<Vec<f32>>)> = paths.par_iter().enumerate().map(decode).collect();
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
                    Ok(pixels) => whole.push(Decoded { index, pixels }),
                    Err(error) => unreadable.push((index, error)),
                }
            }
            if !whole.is_empty() {
                consume(whole)?;
            }
        }
        Ok(unreadable)
    })
}

/// An image file as a page shows it: a PNG file with sides of at most 320 pixels, so that pages with many images stay below 100 MB.
///
/// # Errors
/// If it cannot be read as an image.
pub(crate) fn shown_png(path: &Path) -> Result<Vec<u8>> {
    let mut picture = read(path)?;
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest > SHOWN_SIDE {
        let [width, height] = [width, height].map(|side| (side * SHOWN_SIDE / longest).max(1));
        picture = resize(&picture, width, height, FilterType::CatmullRom);
    }
    let [height, width] = [picture.height(), picture.width()].map(|side| side as usize);
    png(&to_chw(&picture), ImageSpec { channels: 3, height, width })
}

/// A Gaussian blur of each channel of `[C,H,W]`. The standard deviation is a share of the longer side.
pub(crate) fn blurred(chw: &[f32], image: ImageSpec, deviation: f32) -> Vec<f32> {
    let (width, height) = (image.width as u32, image.height as u32);
    let channel = |values: &[f32]| {
        let channel: ImageBuffer<Luma<f32>, Vec<f32>> =
            ImageBuffer::from_raw(width, height, values.to_vec()).expect("a plane of the image");
        blur(&channel, width.max(height) as f32 * deviation).into_raw()
    };
    chw.chunks(image.height * image.width).flat_map(channel).collect()
}

/// The results of a stream of images.
pub(crate) struct Streamed<T> {
    /// The index and the result of each image that was read.
    pub(crate) seen: Vec<(usize, T)>,
    /// The index of each image that could not be read, with the reason.
    pub(crate) unreadable: Vec<(usize, Error)>,
}

/// The logits of image files. `consume` receives each batch: the indices of its paths, in order, with their logits. Returns the index of
/// each file that could not be read, with the reason; the others are not affected.
///
/// # Errors
/// If the device is lost, or the first error that `consume` returns.
pub(crate) fn classify(
    classifier: &Classifier,
    paths: &[PathBuf],
    mut consume: impl FnMut(Vec<(usize, Vec<f32>)>) -> Result<()>,
) -> Result<Vec<(usize, Error)>> {
    stream_pictures(paths, classifier.image(), classifier.batch(), |pictures| {
        let logits = classifier.logits(&together(&pictures))?;
        consume(pictures.iter().map(|picture| picture.index).zip(logits).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
            for picture in ["b.PNG", "a.jpg", "notes.txt"] {
                std::fs::write(root.path().join(name).join(picture), "").unwrap();
            }
        }
        root
    }

    #[test]
    fn folders_are_found_by_index_wnid_and_name() {
        let names =
            ["000_tench", "574", "n03394916", "church", "Gas_Pump", "1000_more", "1_tench", "cats", "0_x/deeper"];
        let root = folders(&names);
        let found = ImageFolder::open(root.path(), &Labels::imagenet()).unwrap();
        assert_eq!(found.classes().collect::<Vec<_>>(), [0, 497, 566, 571, 574]);
        let tench: Vec<String> = found.pictures(0).iter().map(|path| found.relative(path)).collect();
        assert_eq!(tench, ["000_tench/a.jpg", "000_tench/b.PNG", "0_x/deeper/a.jpg", "0_x/deeper/b.PNG"]);
        assert!(found.pictures(1).is_empty());
        let ignored: Vec<&str> = found.ignored().iter().map(|line| line.rsplit('/').next().unwrap()).collect();
        assert_eq!(ignored.len(), 3, "{ignored:?}");
        assert!(ignored[0].starts_with("1000_more: there is no class 1000"), "{ignored:?}");
        assert_eq!(ignored[1], "1_tench: its index means goldfish, but its name means class 0");
        assert!(ignored[2].starts_with("cats: no class"), "{ignored:?}");
    }

    #[test]
    fn a_folder_without_classes_says_what_it_wants() {
        let root = folders(&["cats"]);
        let error = ImageFolder::open(root.path(), &Labels::numbered(3)).unwrap_err();
        assert!(error.is_input() && error.to_string().contains("such as 2_class_2"), "{error}");
        let error = ImageFolder::open(root.path().join("none"), &Labels::numbered(3)).unwrap_err();
        assert!(error.is_input(), "{error}");
    }

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
        let unreadable = stream_pictures(&paths, image, 2, |batch| {
            assert!(batch.len() <= 2);
            seen.extend(batch.iter().map(|one| (one.index, (one.pixels[0] * 255.0).round() as usize)));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [0, 1, 2, 4, 5, 6].map(|level| (level, level)));
        assert_eq!(unreadable.len(), 1);
        assert!(unreadable[0].0 == 3 && unreadable[0].1.to_string().contains("3.png"));
        let mut calls = 0;
        let stopped = stream_pictures(&paths, image, 2, |_| {
            calls += 1;
            Err(Error::input("stop"))
        });
        assert!(stopped.is_err() && calls == 1);
    }
}
