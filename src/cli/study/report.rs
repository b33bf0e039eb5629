//! A study's table, what is printed of it, and its files.

use std::process::ExitCode;

use crate::Result;
use crate::analysis::study::{
    Comparison, GroupRow, Interval, Outcome, Study, correct_for_many, findings, p_value, percent, points,
};
use crate::networks::Network;
use crate::report::{StudyReport, write_study};
use crate::world::biases;
use serde_json::{Map, Value, json};

use super::demo::{PICTURES_SEED, sentence};
use super::{Measured, StudyArgs};
use crate::cli::terminal::{print, print_json, table};

/// The layout's name and version.
const FORMAT: &str = "protogpu study 1";

impl StudyArgs {
    /// Writes the report, and prints what matters of it.
    pub(super) fn write(&self, network: &Network, measured: Vec<Measured>) -> Result<ExitCode> {
        let (mut parts, mut groups, mut pictures, mut skipped) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for one in measured {
            parts.push(one.part);
            groups.push(one.groups);
            pictures.push(one.pictures);
            skipped.extend(one.skipped);
        }
        correct_for_many(&mut parts);
        for (at, part) in parts.iter_mut().enumerate() {
            part.findings = if self.demo { vec![sentence(part, &biases()[at])] } else { findings(part) };
        }
        let study = Study { format: FORMAT.to_owned(), parts, settings: self.settings(network), skipped };
        let report = StudyReport { study: &study, groups: &groups, pictures: &pictures, labels: network.labels() };
        write_study(&self.out, &report)?;
        for line in &study.skipped {
            self.note(&format!("skipped: {line}"));
        }
        if self.json {
            print_json(&study)?;
        } else if !self.quiet {
            print(&format!("{}{}\n", shown(&study), self.out.join("report.html").display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn settings(&self, network: &Network) -> Map<String, Value> {
        let weights = network.weights();
        let mut settings = Map::new();
        let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
        let paths =
            |paths: &[std::path::PathBuf]| json!(paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>());
        set("version", json!(env!("CARGO_PKG_VERSION")));
        set(
            "network",
            json!({
                "architecture": network.architecture(),
                "classes": network.classes(),
                "weights": weights.name(),
                "sha256": weights.sha256(),
                "input": network.preprocessing(),
            }),
        );
        if self.demo {
            let prototypes = self.demo_settings();
            set(
                "demo",
                json!({"pictures": self.demo_pictures(), "pictures_seed": PICTURES_SEED, "steps": prototypes.steps}),
            );
        } else {
            set("classes", json!(self.classes));
            set("images", paths(&self.images));
        }
        set("prototypes", paths(&self.prototypes));
        set("paired", json!(self.paired || self.demo));
        set("seed", json!(self.seed));
        set("resamples", json!(self.resamples));
        settings
    }
}

/// The tables that people read, and the sentences.
fn shown(study: &Study) -> String {
    let mut text = String::new();
    for part in &study.parts {
        let head = ["group", "class", "correct", "accuracy", "95 %", "probability", "95 %", "mistaken for"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(part.groups.iter().flat_map(|group| group.classes.iter().map(move |outcome| row(group, outcome))));
        text += &format!("{}\n{}", part.title, table(&rows));
        if !part.comparisons.is_empty() {
            let head = ["difference", "class", "accuracy", "95 %", "p", "p (Holm)", "probability", "p", "p (Holm)"];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            rows.extend(part.comparisons.iter().map(compared));
            text += &format!("\n{}", table(&rows));
        }
        text += &format!("\n{}\n\n", part.findings.join("\n"));
    }
    text
}

fn row(group: &GroupRow, outcome: &Outcome) -> Vec<String> {
    let (accuracy, probability) = (outcome.accuracy, outcome.probability);
    let otherwise = group.instead.iter().take(2).map(|other| format!("{} {}", other.name, percent(other.share)));
    vec![
        group.name.clone(),
        outcome.class.clone(),
        format!("{}/{}", outcome.correct, group.pictures),
        percent(accuracy.value),
        format!("{} to {}", percent(accuracy.low), percent(accuracy.high)),
        format!("{:.3}", probability.value),
        format!("{:.3} to {:.3}", probability.low, probability.high),
        otherwise.collect::<Vec<_>>().join(", "),
    ]
}

fn compared(comparison: &Comparison) -> Vec<String> {
    let Comparison { first, second, accuracy, probability, .. } = comparison;
    let Interval { value, low, high } = accuracy.interval;
    vec![
        format!("{first} − {second}"),
        comparison.class.clone(),
        points(value),
        format!("{} to {}", points(low), points(high)),
        p_value(accuracy.p),
        p_value(accuracy.p_holm),
        format!("{:+.3}", probability.interval.value),
        p_value(probability.p),
        p_value(probability.p_holm),
    ]
}
