//! The images that path similarity measures: prototypes of `protogpu run`, and given controls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bounded::read_at_most;
use crate::networks::Network;
use crate::picture::prepare;
use crate::tensor_file::Tensors;
use crate::{Error, Result};
use serde::Serialize;

use crate::lab::controls::{CONTROLS, Control};
use crate::lab::run::folder::{PIXELS, RECORD};
use crate::lab::run::record::{Config, Recorded};

/// The longest `prototype.safetensors` that is read.
const MAX_PIXELS_BYTES: u64 = 64 << 20;

/// The form in which the network gets a prototype's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pixels {
    /// As floats, which may exceed [0,1].
    Float,
    /// Clamped to [0,1].
    Clamped,
    /// Clamped and rounded to 8 bits, as in prototype.png.
    #[serde(rename = "8-bit")]
    EightBit,
}

impl Pixels {
    fn shown(self, x: f32) -> f32 {
        match self {
            Self::Float => x,
            Self::Clamped => x.clamp(0.0, 1.0),
            Self::EightBit => (x.clamp(0.0, 1.0) * 255.0).round() / 255.0,
        }
    }
}

/// A finished prototype.
pub(crate) struct Prototype {
    pub(crate) folder: PathBuf,
    pub(crate) class: usize,
    pub(crate) seed: u64,
    /// `[C,H,W]`, in the form that the network gets.
    pub(crate) pixels: Vec<f32>,
}

/// The records of the prototypes in some folders, sorted. Each folder is that of a prototype or contains such folders.
pub(crate) fn find(given: &[PathBuf]) -> Result<Vec<(PathBuf, Config)>> {
    let mut found = Vec::new();
    for path in given {
        if path.join(RECORD).is_file() {
            found.push((path.clone(), Config::read(&path.join(RECORD))?));
            continue;
        }
        let mut inner: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(path).map_err(Error::io("read", path))? {
            let folder = entry.map_err(Error::io("read", path))?.path();
            if folder.join(RECORD).is_file() {
                inner.push(folder);
            }
        }
        if inner.is_empty() {
            let none = format!("{} has no finished prototypes (no {RECORD} in it or in its folders)", path.display());
            return Err(Error::input(none).advised("; `protogpu run` with this folder as {out} makes some"));
        }
        inner.sort();
        for folder in inner {
            let record = Config::read(&folder.join(RECORD))?;
            found.push((folder, record));
        }
    }
    Ok(found)
}

/// The fields of a prototype's record besides its settings.
pub(crate) fn recorded<'a>(folder: &Path, config: &'a Config) -> Result<&'a Recorded> {
    config.recorded.as_ref().ok_or_else(|| {
        let record = folder.join(RECORD);
        Error::input(format!("{} has only settings and is not the record of a prototype", record.display()))
    })
}

/// The prototypes by class.
///
/// # Errors
/// If one was made with another network.
pub(crate) fn prototypes(
    found: &[(PathBuf, Config)],
    network: &Network,
    shown: Pixels,
) -> Result<BTreeMap<usize, Vec<Prototype>>> {
    let mut classes: BTreeMap<usize, Vec<Prototype>> = BTreeMap::new();
    for (folder, config) in found {
        let prototype = read(folder, config, network, shown)?;
        classes.entry(prototype.class).or_default().push(prototype);
    }
    Ok(classes)
}

fn read(folder: &Path, config: &Config, network: &Network, shown: Pixels) -> Result<Prototype> {
    let recorded = recorded(folder, config)?;
    let wrong = |what: String| Error::input(format!("{}: {what}", folder.join(RECORD).display()));
    let name = network.weights().name();
    let (there, here) = (&recorded.weights.sha256, network.weights().sha256());
    if there != here {
        let other = format!("the prototype was made with weights of sha256 {there}, but {name} has {here}");
        return Err(wrong(other).advised(": pass the prototype's weights with {weights}"));
    }
    if let Some(input) = recorded.weights.input.as_ref().filter(|&input| input != network.preprocessing()) {
        let here = network.preprocessing();
        return Err(wrong(format!("the prototype was made for the input {input}, but the network expects {here}")));
    }
    let class = recorded.class.as_ref().map(|class| class.index);
    let class = class.ok_or_else(|| {
        wrong("its objective is not a class, so there are no natural images to compare it with".into())
    })?;
    if class >= network.classes() {
        return Err(wrong(format!("its class is {class}, but {name} has {} classes", network.classes())));
    }
    let seed = config.settings.get("seed").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let path = folder.join(PIXELS);
    let pixels = pixels(&path, network)?;
    Ok(Prototype {
        folder: folder.to_owned(),
        class,
        seed,
        pixels: pixels.into_iter().map(|x| shown.shown(x)).collect(),
    })
}

fn pixels(path: &Path, network: &Network) -> Result<Vec<f32>> {
    let bytes = read_at_most(path, MAX_PIXELS_BYTES, "prototype's file of pixels")?;
    let image =
        Tensors::from_bytes(&bytes).and_then(|mut file| file.take_shaped("image", network.image().batch(1).extents()));
    image.map_err(|error| Error::input(format!("{}: {error}", path.display())))
}

/// A control from `NAME=PATH`.
pub(crate) struct GivenControl {
    name: String,
    of: Given,
    /// Its file, if it is an image, and whether this was put on white.
    pub(super) picture: Option<(PathBuf, bool)>,
}

impl GivenControl {
    /// The control for a class.
    pub(crate) fn of(&self, class: usize) -> Control {
        let pixels = match &self.of {
            Given::Picture(pixels) => pixels,
            Given::Prototypes(by_class) => &by_class[&class],
        };
        Control { name: self.name.clone(), pixels: pixels.clone() }
    }
}

enum Given {
    /// One image for every class.
    Picture(Vec<f32>),
    /// An image per class, such as the prototypes of another method.
    Prototypes(BTreeMap<usize, Vec<f32>>),
}

/// The given controls for `classes`.
pub(crate) fn given_controls(
    given: &[String],
    classes: &[usize],
    network: &Network,
    shown: Pixels,
) -> Result<Vec<GivenControl>> {
    let mut controls: Vec<GivenControl> = Vec::new();
    for text in given {
        let wrong = |what: &str| Error::input(format!("{text}: {what}")).field("control");
        let example = "write NAME=IMAGE or NAME=FOLDER, such as dog=dog.jpg or lucent=runs/lucent";
        let (name, path) = text.split_once('=').ok_or_else(|| wrong(example))?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(wrong("the name before `=` is empty or has control characters"));
        }
        if CONTROLS.contains(&name) || controls.iter().any(|control| control.name == name) {
            return Err(wrong("there is another control of this name"));
        }
        let mut picture = None;
        let of = if Path::new(path).is_dir() {
            Given::Prototypes(one_of_each(path, classes, network, shown)?)
        } else {
            let prepared = prepare(path, network.image())?;
            picture = Some((path.into(), prepared.on_white));
            Given::Picture(prepared.pixels)
        };
        controls.push(GivenControl { name: name.to_owned(), of, picture });
    }
    Ok(controls)
}

/// The prototypes in a folder.
///
/// # Errors
/// If it does not have exactly one of each class.
fn one_of_each(folder: &str, classes: &[usize], network: &Network, shown: Pixels) -> Result<BTreeMap<usize, Vec<f32>>> {
    let mut found = prototypes(&find(&[PathBuf::from(folder)])?, network, shown)?;
    let mut one_of = |&class: &usize| {
        let mut of_class = found.remove(&class).unwrap_or_default();
        match of_class.len() {
            1 => Ok((class, of_class.remove(0).pixels)),
            count => Err(Error::input(format!(
                "{folder} has {count} prototypes of class {class} ({}), but a control needs exactly one of each measured class",
                network.labels().name(class)
            ))
            .advised(": make them with `protogpu run`, its {class} and {out}")),
        }
    };
    classes.iter().map(&mut one_of).collect()
}
