//! The images that judges see: the prototypes of some folders, and photographs of their classes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::lab::pictures::ImageFolder;
use crate::lab::run::folder::{PICTURE, RECORD};
use crate::lab::run::record::{ClassRecord, Config, WeightsRecord};
use crate::lab::similarity::choice::Choice;
use crate::lab::similarity::inputs::{find, recorded};
use crate::labels::{Label, Labels, check_name, numbered_name};
use crate::networks::embedded;
use crate::{Error, Result};

/// A record with a higher index of a class is refused. ImageNet-21k has 21,843 classes.
const MAX_CLASSES: usize = 1 << 20;

/// An image of a class.
pub(crate) struct Image {
    pub(super) path: PathBuf,
    /// The index and the label of its class in the network that made the prototypes.
    pub(super) index: usize,
    pub(super) label: Label,
    /// The name of a prototype in reports: its folder, or in a sweep the path of its image.
    pub(super) name: String,
}

/// A prototype's image, and the network that made it.
pub(super) struct Prototype {
    pub(super) image: Image,
    pub(super) maker: WeightsRecord,
}

/// The prototypes of one given folder.
pub(super) struct Group {
    pub(super) folder: PathBuf,
    pub(super) prototypes: Vec<Prototype>,
}

/// A prototype without a record.
pub(crate) struct Unrecorded {
    pub(crate) name: String,
    pub(crate) picture: PathBuf,
    /// The index of its class.
    pub(crate) class: usize,
}

/// Which photographs are judged.
pub(crate) struct Photographs<'a> {
    pub(crate) images: &'a Path,
    pub(crate) per_class: usize,
    /// The seed that selects them, and draws the noise of the controls.
    pub(crate) seed: u64,
}

/// All images that judges see.
pub(crate) struct Inputs {
    pub(super) groups: Vec<Group>,
    pub(super) photographs: Vec<Image>,
    /// Draws the noise of the controls.
    pub(super) seed: u64,
    /// Classes without photographs, and folders without a class.
    pub(super) skipped: Vec<String>,
    /// How the folder of photographs was read.
    pub(super) notes: Vec<String>,
}

/// A network that made prototypes, as far as their records tell.
struct Maker<'a> {
    weights: &'a WeightsRecord,
    classes: Vec<&'a ClassRecord>,
    labels: Labels,
}

impl Inputs {
    /// Finds the prototypes in each folder, and the photographs of their classes.
    ///
    /// # Errors
    /// If a folder has no prototype, if the objective of one is not a class, or if the folder of photographs has no class of any maker.
    pub(crate) fn find(folders: &[PathBuf], photographs: Option<Photographs<'_>>) -> Result<Self> {
        let found = folders.iter().map(|folder| Ok((folder.clone(), find(std::slice::from_ref(folder))?)));
        Self::of(&found.collect::<Result<Vec<_>>>()?, photographs)
    }

    /// Finds the prototypes in several folders, which are one group of this name.
    ///
    /// # Errors
    /// As [`Inputs::find`].
    pub(crate) fn find_group(name: &Path, folders: &[PathBuf], photographs: Option<Photographs<'_>>) -> Result<Self> {
        Self::of(&[(name.to_owned(), find(folders)?)], photographs)
    }

    /// Prototypes of one network that have no records, in groups with a name.
    pub(crate) fn without_records(
        groups: Vec<(String, Vec<Unrecorded>)>,
        maker: &WeightsRecord,
        labels: &Labels,
    ) -> Self {
        let prototype = |Unrecorded { name, picture: path, class: index }: Unrecorded| {
            let label = labels.get(index).expect("a class of the network").clone();
            Prototype { image: Image { path, index, label, name }, maker: maker.clone() }
        };
        let group = |(name, prototypes): (String, Vec<Unrecorded>)| Group {
            folder: name.into(),
            prototypes: prototypes.into_iter().map(prototype).collect(),
        };
        let groups = groups.into_iter().map(group).collect();
        Self { groups, photographs: Vec::new(), seed: 0, skipped: Vec::new(), notes: Vec::new() }
    }

    /// The groups, each with its name and prototypes.
    fn of(groups: &[(PathBuf, Vec<(PathBuf, Config)>)], photographs: Option<Photographs<'_>>) -> Result<Self> {
        let records = groups.iter().flat_map(|group| &group.1).map(|(folder, config)| {
            let recorded = recorded(folder, config)?;
            Ok((&recorded.weights, class(folder, recorded.class.as_ref())?))
        });
        let makers = makers(records.collect::<Result<_>>()?)?;
        let prototype = |(folder, config): &(PathBuf, Config)| {
            let record = recorded(folder, config)?;
            let class = class(folder, record.class.as_ref())?;
            let maker = makers.iter().find(|maker| maker.weights.sha256 == record.weights.sha256);
            let image = maker.expect("each record's maker is listed").image(class.index, folder.join(PICTURE));
            Ok(Prototype { image, maker: record.weights.clone() })
        };
        let group = |(folder, found): &(PathBuf, Vec<_>)| {
            let prototypes = found.iter().map(prototype).collect::<Result<_>>()?;
            Ok(Group { folder: folder.clone(), prototypes })
        };
        let groups = groups.iter().map(group).collect::<Result<_>>()?;
        let seed = photographs.as_ref().map_or(0, |photographs| photographs.seed);
        let mut inputs = Self { groups, photographs: Vec::new(), seed, skipped: Vec::new(), notes: Vec::new() };
        if let Some(photographs) = photographs {
            let mut known = HashSet::new();
            let added = makers.iter().map(|maker| inputs.add(maker, &photographs, &mut known));
            let mut failed: Vec<Error> = added.filter_map(Result::err).collect();
            if failed.len() == makers.len() {
                return Err(failed.swap_remove(0));
            }
            inputs.skipped.extend(failed.iter().map(Error::to_string));
        }
        Ok(inputs)
    }

    /// The prototypes of all groups.
    pub(super) fn prototypes(&self) -> impl Iterator<Item = &Image> {
        self.groups.iter().flat_map(|group| &group.prototypes).map(|prototype| &prototype.image)
    }

    /// The number of prototypes and photographs.
    pub(super) fn images(&self) -> usize {
        self.prototypes().count() + self.photographs.len()
    }

    /// How the prototypes' records take these weights; `None` if they made none of them.
    ///
    /// # Errors
    /// If two records differ in it.
    pub(crate) fn maker(&self, sha256: &str) -> Result<Option<&WeightsRecord>> {
        let all = self.groups.iter().flat_map(|group| &group.prototypes);
        let mut made = all.filter(|prototype| prototype.maker.sha256 == sha256);
        let Some(first) = made.next() else { return Ok(None) };
        let taken =
            |maker: &WeightsRecord| (maker.architecture, maker.input.clone(), maker.image_size, maker.labels.clone());
        match made.find(|other| taken(&other.maker) != taken(&first.maker)) {
            Some(other) => Err(Error::input(format!(
                "the same weights made {} and {}, but with another input, architecture or label file",
                first.image.path.display(),
                other.image.path.display()
            ))
            .advised("; judge them one after the other")),
            None => Ok(Some(&first.maker)),
        }
    }

    /// Adds photographs of a maker's classes, except the classes of the same label of another maker, whose photographs are `known`.
    fn add(&mut self, maker: &Maker<'_>, photographs: &Photographs<'_>, known: &mut HashSet<Label>) -> Result<()> {
        let Photographs { images, per_class, seed } = *photographs;
        let folder = ImageFolder::open(images, &maker.labels)?;
        self.skipped.extend_from_slice(folder.skipped());
        for note in folder.notes() {
            if !self.notes.contains(note) {
                self.notes.push(note.clone());
            }
        }
        let choice = Choice { folder: &folder, per_class, different: None, seed, leave_one_out: false };
        for class in &maker.classes {
            let label = maker.label(class.index);
            if known.contains(label) {
                continue;
            }
            let chosen = choice.same(class.index);
            if chosen.is_empty() {
                let line = format!("{} has no images of class {} ({})", images.display(), class.index, class.name);
                self.skipped.push(line);
                continue;
            }
            known.insert(label.clone());
            self.photographs.extend(chosen.into_iter().map(|path| maker.image(class.index, path)));
        }
        Ok(())
    }
}

impl Maker<'_> {
    fn label(&self, index: usize) -> &Label {
        self.labels.get(index).expect("the labels fit the records")
    }

    fn image(&self, index: usize, path: PathBuf) -> Image {
        let name = path.parent().unwrap_or(Path::new("")).display().to_string();
        Image { path, index, label: self.label(index).clone(), name }
    }
}

/// The class of a prototype.
fn class<'a>(folder: &Path, class: Option<&'a ClassRecord>) -> Result<&'a ClassRecord> {
    let wrong = |what: String| Error::input(format!("{}: {what}", folder.join(RECORD).display()));
    let class = class.ok_or_else(|| wrong("its objective is not a class, so there is no class to recognise".into()))?;
    if class.index >= MAX_CLASSES {
        return Err(wrong(format!("its class {} is not below {MAX_CLASSES}", class.index)));
    }
    check_name(&class.name).map_err(|what| wrong(format!("the name of its class {what}")))?;
    Ok(class)
}

/// The networks that made prototypes, each with its classes, without repetition.
fn makers<'a>(records: Vec<(&'a WeightsRecord, &'a ClassRecord)>) -> Result<Vec<Maker<'a>>> {
    let mut makers: Vec<(&WeightsRecord, Vec<&ClassRecord>)> = Vec::new();
    for (weights, class) in records {
        let at = makers.iter().position(|(known, _)| known.sha256 == weights.sha256).unwrap_or_else(|| {
            makers.push((weights, Vec::new()));
            makers.len() - 1
        });
        let classes = &mut makers[at].1;
        if classes.iter().all(|known| known.index != class.index) {
            classes.push(class);
        }
    }
    let maker = |(weights, classes): (_, Vec<_>)| Ok(Maker { labels: labels(weights, &classes)?, weights, classes });
    makers.into_iter().map(maker).collect()
}

/// The labels of a network that made prototypes: those of its label file, of the embedded network, or ImageNet's, whichever fits the
/// records first; otherwise only the names in the records.
fn labels(weights: &WeightsRecord, classes: &[&ClassRecord]) -> Result<Labels> {
    let file = weights.labels.as_ref().and_then(|path| Labels::from_file(path).ok());
    let embedded = weights.model.as_deref().filter(|_| weights.path.is_none());
    let embedded = embedded.and_then(|name| embedded::open(name).ok()).map(|network| network.labels().clone());
    let fits = |labels: &Labels| {
        classes.iter().all(|class| labels.get(class.index).is_some_and(|label| label.name == class.name))
    };
    if let Some(labels) = [file, embedded, Some(Labels::imagenet())].into_iter().flatten().find(fits) {
        return Ok(labels);
    }
    let count = classes.iter().map(|class| class.index + 1).max().unwrap_or(1);
    let mut names: Vec<String> = (0..count).map(numbered_name).collect();
    for class in classes {
        names[class.index].clone_from(&class.name);
    }
    Labels::from_names(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Architecture;

    #[test]
    fn labels_are_those_that_fit_the_records() {
        let weights = |model: Option<&str>| WeightsRecord {
            model: model.map(str::to_owned),
            path: model.is_none().then(|| "w.safetensors".into()),
            sha256: "ab".into(),
            architecture: Architecture::ResNet18,
            input: None,
            key: None,
            image_size: None,
            labels: None,
            notes: Vec::new(),
        };
        let class = |index, name: &str| ClassRecord { index, name: name.into() };
        let tench = labels(&weights(None), &[&class(0, "tench")]).unwrap();
        assert_eq!(tench.get(0).unwrap().wnid.as_deref(), Some("n01440764"));
        let world = embedded::default().unwrap().labels().clone();
        assert_eq!(labels(&weights(Some("resnet18")), &[&class(14, world.name(14))]).unwrap(), world);
        let own = labels(&weights(None), &[&class(2, "cat"), &class(0, "tench")]).unwrap();
        assert_eq!((own.len(), own.find("cat").unwrap(), own.get(0).unwrap().wnid.as_ref()), (3, 2, None));
    }
}
