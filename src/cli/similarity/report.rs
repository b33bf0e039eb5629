//! The table of a measurement, what is printed of it, and its files.

use std::process::ExitCode;

use crate::Result;
use crate::analysis::ImageFolder;
use crate::analysis::similarity::{Compared, Layers, Similarity, Spread, overall, warnings, ways};
use crate::analysis::study::{Interval, p_value};
use crate::networks::Network;
use crate::picture::{jpeg, png, preprocess};
use crate::report::{ClassPictures, Pictures, write_similarity};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Measured, SimilarityArgs};
use crate::cli::terminal::{note, print, print_json, table};
use crate::lab::similarity::inputs::CONTROLS;

/// The layout's name and version.
const FORMAT: &str = "protogpu similarity 1";
/// Natural pictures of a class that the report shows.
const EXAMPLES: usize = 6;

impl SimilarityArgs {
    /// The whole table.
    pub(super) fn similarity(
        &self,
        measured: &[Measured],
        layers: &Layers,
        network: &Network,
        folder: &ImageFolder,
    ) -> Similarity {
        let classes = |semantics, over| {
            measured.iter().map(|measured| measured.class(network, layers, semantics, over)).collect::<Vec<_>>()
        };
        let shown = classes(self.semantics, self.over);
        let overall = overall(&shown);
        let mut skipped: Vec<String> = folder.ignored().to_vec();
        skipped.extend(measured.iter().flat_map(|measured| measured.natural.skipped.iter().cloned()));
        skipped.sort();
        skipped.dedup();
        Similarity {
            format: FORMAT.to_owned(),
            warnings: warnings(&overall),
            ways: ways(classes),
            overall,
            classes: shown,
            settings: self.settings(network),
            skipped,
        }
    }

    fn settings(&self, network: &Network) -> Map<String, Value> {
        let weights = network.weights();
        let about = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "network": {
                "architecture": network.architecture(),
                "classes": network.classes(),
                "weights": weights.name(),
                "sha256": weights.sha256(),
                "input": network.preprocessing(),
            },
            "images": self.images.display().to_string(),
            "per_class": self.per_class,
            "different": self.different,
            "seed": self.seed,
            "semantics": self.semantics,
            "over": self.over,
            "leave_one_out": self.leave_one_out,
            "pixels": self.pixels,
            "controls": CONTROLS.iter().map(|&name| name.to_owned()).chain(self.controls.iter().cloned()).collect::<Vec<_>>(),
            "means": self.mean.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        });
        match about {
            Value::Object(map) => map,
            _ => unreachable!("an object was written down"),
        }
    }

    /// Writes the report, and prints what matters of it.
    pub(super) fn write(&self, similarity: &Similarity, measured: &[Measured], side: usize) -> Result<ExitCode> {
        let classes = measured.iter().map(|measured| pictures(measured, side)).collect::<Result<_>>()?;
        write_similarity(&self.out, similarity, &Pictures { classes })?;
        if self.json {
            print_json(similarity)?;
            return Ok(ExitCode::SUCCESS);
        }
        for line in &similarity.skipped {
            self.note(&format!("skipped: {line}"));
        }
        if !self.quiet {
            print(&format!("{}{}\n", shown(similarity), self.out.join("report.html").display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }
}

/// What the report shows of a class.
fn pictures(measured: &Measured, side: usize) -> Result<ClassPictures> {
    let prototypes = measured.prototypes.iter().map(|prototype| png(&prototype.pixels, side));
    let controls = measured.controls.iter().map(|control| Ok((control.name.clone(), png(&control.pixels, side)?)));
    // What could not be read was left out of the measurement, and is here.
    let natural = measured.natural.examples.iter().filter_map(|path| preprocess(path, side).ok());
    Ok(ClassPictures {
        prototypes: prototypes.collect::<Result<_>>()?,
        controls: controls.collect::<Result<_>>()?,
        natural: natural.take(EXAMPLES).map(|pixels| jpeg(&pixels, side)).collect::<Result<_>>()?,
    })
}

/// The rows that people read.
fn shown(similarity: &Similarity) -> String {
    let mut rows =
        vec![["class", "prototype", "same", "different", "normalised", "holds", "top 1"].map(str::to_owned).to_vec()];
    for class in &similarity.classes {
        let top = class.prototypes.iter().filter_map(|one| one.top.first());
        let top: Vec<String> = top.map(|top| format!("{} {:.2}", top.name, top.probability)).collect();
        rows.push(vec![
            format!("{} {}", class.index, class.name),
            figure(class.prototype),
            figure(class.same),
            figure(class.different),
            figure(class.normalised),
            format!("{}/{}", class.holds.layers, class.holds.of),
            top.join(", "),
        ]);
    }
    let all = &similarity.overall;
    let spread = |spread: &Spread| match (spread.mean, spread.std) {
        (Some(mean), Some(std)) => format!("{mean:.3}±{std:.3}"),
        (mean, _) => figure(mean),
    };
    rows.push(vec![
        "all".to_owned(),
        spread(&all.prototype),
        spread(&all.same),
        spread(&all.different),
        figure(all.normalised),
        format!("{}/{}", all.holds.layers, all.holds.of),
    ]);
    let mut text = table(&rows);
    text += &table(&controls(&all.controls));
    for warning in &similarity.warnings {
        text += &format!("{warning}\n");
    }
    text
}

/// Each control, and how much more similar the prototypes are, over several classes.
fn controls(controls: &Map<String, Value>) -> Vec<Vec<String>> {
    let row = |(name, value): (&String, &Value)| {
        let Compared { spread, difference, p } = Compared::deserialize(value).unwrap_or_default();
        let mut row = vec![format!("control {name}"), figure(spread.mean)];
        if let Some((Interval { value, low, high }, p)) = difference.zip(p) {
            row.push(format!("prototypes {value:+.3} [{low:+.3}, {high:+.3}], p {}", p_value(p)));
        }
        row
    };
    controls.iter().map(row).collect()
}

fn figure(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}
