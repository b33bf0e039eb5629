//! The images whose regions are looked for, and their classes.

use std::path::{Path, PathBuf};

use crate::lab::pictures::{Tally, find_pictures};
use crate::lab::run::record::{Config, WeightsRecord};
use crate::lab::similarity::choice::Choice;
use crate::lab::similarity::inputs::{Pixels, find, prototypes, recorded};
use crate::networks::Network;
use crate::picture::{Prepared, prepare};
use crate::{Error, Result};

/// Which classes of an image count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Classes {
    /// The likeliest class of a photograph, and the class of a prototype.
    Likeliest,
    /// The class of the folder or of the prototype.
    Own,
    /// These, of every image.
    Given(Vec<usize>),
}

/// An image.
pub(crate) struct Input {
    source: Source,
    /// The class of its folder.
    class: Option<usize>,
}

enum Source {
    Picture(PathBuf),
    /// Its folder and record.
    Prototype(Box<(PathBuf, Config)>),
}

impl Input {
    /// The file or folder.
    pub(super) fn path(&self) -> &Path {
        match &self.source {
            Source::Picture(path) => path,
            Source::Prototype(found) => &found.0,
        }
    }

    /// The pixels `[C,H,W]`; those of a prototype may exceed [0,1].
    pub(super) fn read(&self, network: &Network, tally: &mut Tally) -> Result<Vec<f32>> {
        let found = match &self.source {
            Source::Picture(path) => {
                let Prepared { pixels, on_white } = prepare(path, network.image())?;
                tally.add(path, on_white);
                return Ok(pixels);
            }
            Source::Prototype(found) => std::slice::from_ref(&**found),
        };
        let mut read = prototypes(found, network, Pixels::Float)?;
        let first = read.pop_first().and_then(|(_, mut of_class)| of_class.pop());
        Ok(first.expect("one prototype").pixels)
    }

    /// The classes that count, of an image whose likeliest class this is.
    pub(super) fn classes(&self, wanted: &Classes, likeliest: usize) -> Vec<usize> {
        let is_prototype = matches!(self.source, Source::Prototype(_));
        match (wanted, self.class) {
            (Classes::Given(classes), _) => classes.clone(),
            (Classes::Own, Some(class)) => vec![class],
            (Classes::Likeliest, Some(class)) if is_prototype => vec![class],
            (Classes::Own | Classes::Likeliest, _) => vec![likeliest],
        }
    }
}

/// All images.
#[derive(Default)]
pub(crate) struct Inputs {
    pub(super) all: Vec<Input>,
    /// What was left out, with the reasons.
    pub(super) skipped: Vec<String>,
    /// How the folder of photographs was read.
    pub(super) notes: Vec<String>,
    /// The network that made the first prototype.
    maker: Option<WeightsRecord>,
}

impl Inputs {
    /// Adds prototypes in folders. Those whose objective is not a class are left out, with the reason.
    ///
    /// # Errors
    /// If a folder has none.
    pub(crate) fn add_prototypes(&mut self, folders: &[PathBuf]) -> Result<()> {
        if folders.is_empty() {
            return Ok(());
        }
        for (folder, config) in find(folders)? {
            let record = recorded(&folder, &config)?;
            let class = record.class.as_ref().map(|class| class.index);
            self.maker.get_or_insert_with(|| record.weights.clone());
            match class {
                Some(_) => self.all.push(Input { source: Source::Prototype(Box::new((folder, config))), class }),
                None => self.skipped.push(format!("{}: its objective is not a class", folder.display())),
            }
        }
        Ok(())
    }

    /// Adds image files, and those in folders.
    ///
    /// # Errors
    /// If a file does not exist, or a folder contains no image.
    pub(crate) fn add_files(&mut self, given: &[PathBuf]) -> Result<()> {
        for path in given {
            std::fs::metadata(path).map_err(Error::io("read", path))?;
        }
        let found = find_pictures(given)?;
        self.skipped.extend(found.left_out());
        self.all.extend(found.paths.into_iter().map(|path| Input { source: Source::Picture(path), class: None }));
        Ok(())
    }

    /// Adds photographs of every class.
    pub(crate) fn add_photographs(&mut self, choice: &Choice<'_>) {
        for class in choice.folder.classes() {
            let of_class = choice.same(class).into_iter();
            self.all.extend(of_class.map(|path| Input { source: Source::Picture(path), class: Some(class) }));
        }
        self.skipped.extend_from_slice(choice.folder.skipped());
        self.notes.extend_from_slice(choice.folder.notes());
    }

    /// The network that made the first prototype.
    pub(crate) fn maker(&self) -> Option<&WeightsRecord> {
        self.maker.as_ref()
    }
}
