//! Writes synthetic images into a folder, with one folder per class.

use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{ImageError, ImageFormat};

use super::observer::{Counted, Event, Observer};
use crate::atomic::write_atomically;
use crate::world::{Biases, Class, classes, draw, no_class, truth};
use crate::{Error, Result};

/// The images to write.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The indices of the classes.
    pub(crate) classes: Vec<usize>,
    /// The number of images of each class: numbers 0 to `per_class` − 1.
    pub(crate) per_class: u64,
    /// The seed. Images with different seeds have nothing in common.
    pub(crate) seed: u64,
    /// Which biases to draw.
    pub(crate) biases: Biases,
    /// The number of threads; `None` uses all cores. The images do not depend on it.
    pub(crate) threads: Option<NonZero<usize>>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            classes: classes().iter().map(|class| class.index).collect(),
            per_class: 100,
            seed: 0,
            biases: Biases::default(),
            threads: None,
        }
    }
}

/// Writes `<index>_<name>/<number>.png` for every image, then `pictures.csv`, which lists the images with their biases. If that file
/// exists, all images do. Returns the number of images.
///
/// # Errors
/// If there is no such class, a folder or file cannot be written, or the observer asked to stop.
pub(crate) fn write(folder: &Path, order: &Order, observer: &dyn Observer) -> Result<u64> {
    let chosen = chosen_classes(order)?;
    for class in &chosen {
        let path = folder.join(folder_name(class));
        fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
    }
    let count = chosen.len() as u64 * order.per_class;
    observer.tell(Event::Counting { what: Counted::Drawings, done: 0, total: Some(count) });
    let (next, written) = (AtomicU64::new(0), AtomicU64::new(0));
    let failure = Mutex::new(None);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let class = chosen[(index / order.per_class) as usize];
            let wrote = write_one(folder, class, index % order.per_class, order);
            match wrote.and_then(|()| {
                written.fetch_add(1, Ordering::Relaxed);
                observer.count(1)
            }) {
                Ok(()) => {}
                Err(error) => {
                    next.store(count, Ordering::Relaxed);
                    failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(error);
                }
            }
        }
    };
    let threads = order.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    observer.tell(Event::CountingEnded);
    match failure.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        Some(error) => return Err(error),
        None => write_atomically(folder.join("pictures.csv"), |out| list(&chosen, order, out))?,
    }
    Ok(written.into_inner())
}

fn chosen_classes(order: &Order) -> Result<Vec<&'static Class>> {
    order.classes.iter().map(|&index| classes().get(index).ok_or_else(|| no_class(&index.to_string()))).collect()
}

fn folder_name(class: &Class) -> String {
    format!("{:03}_{}", class.index, class.name)
}

fn write_one(folder: &Path, class: &Class, number: u64, order: &Order) -> Result<()> {
    let path = folder.join(folder_name(class)).join(format!("{number:05}.png"));
    let picture = draw(class.index, order.seed, number, order.biases)?;
    picture.save_with_format(&path, ImageFormat::Png).map_err(|error| match error {
        ImageError::IoError(source) => Error::io("write", &path)(source),
        other => Error::Device(format!("{}: {other}", path.display())),
    })
}

/// The list of images as CSV.
fn list(chosen: &[&Class], order: &Order, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "file,class,cue,light,companion")?;
    for class in chosen {
        let (folder, name) = (folder_name(class), class.name);
        for number in 0..order.per_class {
            let carries = truth(class.index, order.seed, number, order.biases);
            let [cue, light, companion] = [carries.cue, carries.light, carries.companion].map(u8::from);
            writeln!(out, "{folder}/{number:05}.png,{name},{cue},{light},{companion}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::observer::Nobody;

    #[test]
    fn writing_is_the_same_for_any_number_of_threads() {
        let folder = std::env::temp_dir().join(format!("drawn-world-{}", std::process::id()));
        let read = |threads| {
            let order = Order {
                classes: vec![3, 13],
                per_class: 3,
                seed: 5,
                threads: std::num::NonZero::new(threads),
                ..Order::default()
            };
            let folder = folder.join(threads.to_string());
            let count = write(&folder, &order, &Nobody).unwrap_or_default();
            let picture = std::fs::read(folder.join("013_teacup/00002.png")).unwrap_or_default();
            (count, picture, std::fs::read(folder.join("pictures.csv")).unwrap_or_default())
        };
        let (one, three) = (read(1), read(3));
        let removed = std::fs::remove_dir_all(&folder);
        assert_eq!(one.0, 6);
        assert!(!one.1.is_empty() && one.2.starts_with(b"file,class"));
        assert!(one == three, "threads change the files");
        assert!(removed.is_ok());
    }
}
