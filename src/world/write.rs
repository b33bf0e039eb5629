//! Pictures into a folder, one folder per class.

use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{ImageError, ImageFormat};

use super::{Biases, Class, classes, draw, no_class, truth};
use crate::atomic::write_atomically;
use crate::error::{Error, Result};

/// Which pictures to write.
#[derive(Clone, Debug)]
pub struct Order {
    /// The indices of the classes.
    pub classes: Vec<usize>,
    /// How many pictures of each class: numbers 0 to `per_class` − 1.
    pub per_class: u64,
    /// The seed. Pictures of different seeds have nothing in common.
    pub seed: u64,
    /// The settings of the biases.
    pub biases: Biases,
    /// How many threads draw; none: as many as the machine offers. The pictures are the same for any number.
    pub threads: Option<NonZero<usize>>,
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

/// Writes `<index>_<name>/<number>.png` for every picture of an order, and at last `pictures.csv`, which lists them with the biases
/// each one carries: where it is, all of them are. `progress` is called with the number of pictures written so far, from any thread.
/// Returns how many pictures were written.
///
/// # Errors
/// If there is no such class, or a folder or file cannot be written.
pub fn write(folder: &Path, order: &Order, progress: &(dyn Fn(u64) + Sync)) -> Result<u64> {
    let chosen = chosen_classes(order)?;
    for class in &chosen {
        let path = folder.join(folder_name(class));
        fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
    }
    let count = chosen.len() as u64 * order.per_class;
    let (next, written) = (AtomicU64::new(0), AtomicU64::new(0));
    let failure = Mutex::new(None);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let class = chosen[(index / order.per_class) as usize];
            match write_one(folder, class, index % order.per_class, order) {
                Ok(()) => progress(written.fetch_add(1, Ordering::Relaxed) + 1),
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

/// The list of pictures, as comma-separated lines under a heading.
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
