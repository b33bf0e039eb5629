//! Studies of folders of images.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::prototypes::Prototype;
use super::request::{EXAMPLES, Measured, StudyRequest, names};
use crate::analysis::Classifier;
use crate::analysis::study::{Asked, Group, Part, answer};
use crate::gpu::Context;
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::{Tally, classify, find_pictures};
use crate::lab::run::classes::classes;
use crate::picture::{jpeg, preprocess};
use crate::report::PartPictures;
use crate::{Error, ImageSpec, Result};

/// A folder with its images.
struct Folder {
    /// The name of the group.
    name: String,
    path: PathBuf,
    pictures: Vec<PathBuf>,
    /// Images in formats that are not read.
    left_out: Vec<String>,
    /// The names of the images: their paths relative to the folder.
    names: Vec<String>,
}

/// A study of folders.
pub(super) struct Folders<'a> {
    request: &'a StudyRequest<'a>,
    classes: Vec<usize>,
    folders: Vec<Folder>,
    paired: bool,
    prototypes: Vec<Prototype>,
}

impl<'a> Folders<'a> {
    /// Finds the images and the prototypes.
    pub(super) fn new(
        request: &'a StudyRequest<'a>,
        asked: &[String],
        images: &[PathBuf],
        paired: bool,
    ) -> Result<Self> {
        let network = request.network;
        let classes = classes(asked, None, network)?;
        let folders = folders(images)?;
        if paired {
            check_pairs(&folders)?;
        }
        request.check_report()?;
        let prototypes = request.given.of(&classes, network)?;
        if let (true, Some(first)) = (prototypes.is_empty(), request.given.first()) {
            let (asked, first) = (names(&classes, network), first.display());
            let asked = asked.replace('{', "{{");
            return Err(Error::input(format!("no prototype in {first} shows a class of"))
                .advised(format!(" {{class}} ({asked})")));
        }
        Ok(Self { request, classes, folders, paired, prototypes })
    }

    /// Measures the one part of the study.
    pub(super) fn measure(self, context: &Context, observer: &dyn Observer) -> Result<Vec<Measured>> {
        let (network, classes) = (self.request.network, &self.classes);
        let classifier = Classifier::new(context, network, self.request.batch)?;
        let total = Some(self.folders.iter().map(|folder| folder.pictures.len() as u64).sum());
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
        let (mut groups, mut skipped, mut pictures) = (Vec::new(), Vec::new(), PartPictures::default());
        let mut tally = Tally::default();
        for folder in &self.folders {
            let (mut places, mut answers) = (Vec::new(), Vec::new());
            let passed = classify(&classifier, &folder.pictures, |batch| {
                let count = batch.len();
                for (at, logits) in batch {
                    places.push(at);
                    answers.push(answer(folder.names[at].clone(), &logits, classes)?);
                }
                observer.count(count)
            })?;
            skipped.extend(passed.reasons().chain(folder.left_out.iter().cloned()));
            if let (true, Some((_, why))) = (answers.is_empty(), passed.unreadable.first()) {
                let path = folder.path.display();
                return Err(Error::input(format!("no image in {path} can be read, for example: {why}")));
            }
            tally.join(passed.tally);
            pictures.groups.push(examples(folder, &places, classifier.image())?);
            groups.push(Group { name: folder.name.clone(), folder: Some(shown(&folder.path)), answers });
        }
        observer.tell(Event::CountingEnded);
        if self.paired {
            check_pairs_left(&groups)?;
        }
        let title = names(classes, network);
        let asked = Asked { title, classes, groups: &groups, paired: self.paired };
        let mut part = Part::of(&asked, network.labels(), self.request.resampling());
        for prototype in self.prototypes {
            part.prototypes.push(prototype.seen(&classifier, network)?);
            pictures.prototypes.push(prototype.png(classifier.image())?);
        }
        Ok(vec![Measured { part, groups, pictures, skipped, notes: tally.note().into_iter().collect() }])
    }
}

/// The folders with their images, each with a unique name.
fn folders(given: &[PathBuf]) -> Result<Vec<Folder>> {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut folders: Vec<Folder> = Vec::new();
    for path in given {
        if !path.is_dir() {
            let path = path.display();
            return Err(
                Error::input(format!("{path}: not a folder; put the images of each group in a folder")).field("images")
            );
        }
        if folders.iter().any(|other| other.path.canonicalize().ok() == path.canonicalize().ok()) {
            return Err(Error::input(format!("{}: the folder is given twice", path.display())).field("images"));
        }
        let found = find_pictures(std::slice::from_ref(path))?;
        let (left_out, pictures) = (found.left_out(), found.paths);
        let names = pictures.iter().map(|picture| relative(path, picture)).collect();
        let others = given.iter().filter(|other| last(other) == last(path)).count();
        // The last part of the path, or the whole path if another folder has the same last part.
        let name = last(path).filter(|_| others == 1).unwrap_or_else(|| shown(path));
        folders.push(Folder { name, path: path.clone(), pictures, left_out, names });
    }
    Ok(folders)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A path relative to a folder, with `/` as the separator on every system.
fn relative(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).unwrap_or(path);
    inner.iter().map(OsStr::to_string_lossy).collect::<Vec<_>>().join("/")
}

/// Checks that every image has its partner.
fn check_pairs(folders: &[Folder]) -> Result<()> {
    let Some((first, others)) = folders.split_first() else { return Ok(()) };
    if others.is_empty() {
        return Err(Error::input("needs at least two folders of images")
            .field("paired")
            .advised(": add another {images}"));
    }
    let names: BTreeSet<&String> = first.names.iter().collect();
    for other in others {
        let theirs: BTreeSet<&String> = other.names.iter().collect();
        if let Some(name) = names.symmetric_difference(&theirs).next() {
            let (has, lacks) = if names.contains(name) { (first, other) } else { (other, first) };
            let (has, lacks) = (has.path.display(), lacks.path.display());
            return Err(Error::input(format!("{name} is in {has} but not in {lacks}"))
                .advised("; give both images of a pair the same file name, or drop {paired}"));
        }
    }
    Ok(())
}

/// Fails if no pair has two readable images.
fn check_pairs_left(groups: &[Group]) -> Result<()> {
    let names = |group: &Group| group.answers.iter().map(|answer| answer.picture.clone()).collect::<BTreeSet<_>>();
    for (at, first) in groups.iter().enumerate() {
        for second in &groups[at + 1..] {
            if names(first).is_disjoint(&names(second)) {
                let (first, second) = (&first.name, &second.name);
                return Err(Error::input(format!("no pair in {first} and {second} has two readable images")));
            }
        }
    }
    Ok(())
}

/// Some of the readable images, spread over the folder.
fn examples(folder: &Folder, places: &[usize], image: ImageSpec) -> Result<Vec<Vec<u8>>> {
    let count = places.len().min(EXAMPLES);
    let chosen = (0..count).map(|at| places[at * places.len() / count]);
    chosen.map(|at| jpeg(&preprocess(&folder.pictures[at], image)?, image)).collect()
}
