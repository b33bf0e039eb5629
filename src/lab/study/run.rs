//! Measures a study, and writes the report.

use super::demo::{Demo, PICTURES_SEED};
use super::folders::Folders;
use super::request::{StudyRequest, Subject};
use crate::Result;
use crate::analysis::study::{GroupRow, Part, Study, correct_for_many, findings, percent};
use crate::gpu::Context;
use crate::lab::disk::write_files;
use crate::lab::observer::Observer;
use crate::report::{StudyReport, study_files};
use crate::world::{Bias, biases};
use serde_json::json;

/// The layout's name and version.
const FORMAT: &str = "protogpu study 1";

/// A study, checked as far as possible before any work.
pub(crate) struct CheckedStudy<'a> {
    request: &'a StudyRequest<'a>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Demo(Box<Demo<'a>>),
    Folders(Folders<'a>),
}

impl<'a> CheckedStudy<'a> {
    /// Checks all that can be checked before any work.
    pub(crate) fn new(request: &'a StudyRequest<'a>) -> Result<Self> {
        let kind = match request.subject {
            Subject::Demo { pictures, steps } => Kind::Demo(Box::new(Demo::new(request, pictures, steps)?)),
            Subject::Folders { classes, images, paired } => {
                Kind::Folders(Folders::new(request, classes, images, paired)?)
            }
        };
        Ok(Self { request, kind })
    }

    /// Measures, and writes the report.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] if the observer asked to stop; nothing is written then.
    pub(crate) fn run(self, context: &Context, observer: &dyn Observer) -> Result<Study> {
        let (measured, demo) = match self.kind {
            Kind::Demo(demo) => {
                let about =
                    json!({"pictures": demo.pictures, "pictures_seed": PICTURES_SEED, "steps": demo.settings.steps});
                (demo.measure(context, observer)?, Some(about))
            }
            Kind::Folders(folders) => (folders.measure(context, observer)?, None),
        };
        let is_demo = demo.is_some();
        let (mut parts, mut groups, mut pictures) = (Vec::new(), Vec::new(), Vec::new());
        let (mut skipped, mut notes) = (Vec::new(), Vec::new());
        for one in measured {
            parts.push(one.part);
            groups.push(one.groups);
            pictures.push(one.pictures);
            skipped.extend(one.skipped);
            notes.extend(one.notes);
        }
        correct_for_many(&mut parts);
        for (at, part) in parts.iter_mut().enumerate() {
            part.findings = if is_demo { vec![sentence(part, &biases()[at])] } else { findings(part) };
        }
        let study = Study { format: FORMAT.to_owned(), parts, settings: self.request.settings(demo), skipped, notes };
        let labels = self.request.network.labels();
        let files = study_files(&StudyReport { study: &study, groups: &groups, pictures: &pictures, labels })?;
        write_files(self.request.out, &files)?;
        Ok(study)
    }
}

/// The sentence about a planted bias.
fn sentence(part: &Part, bias: &Bias) -> String {
    let [with, without] = part.groups.as_slice() else { return String::new() };
    let accuracy = |group: &GroupRow| percent(group.classes[0].accuracy.value);
    let (class, what) = (bias.class_name(), bias.what);
    let instead = without.instead.first();
    let instead = instead.map_or_else(String::new, |other| format!(" and {} as {}", percent(other.share), other.name));
    format!(
        "With {what}, the network classifies {} of the images as {class}; without it, {} of the same images{instead}: {}",
        accuracy(with),
        accuracy(without),
        part.comparisons[0].judged()
    )
}
