//! The plots of a study: the accuracies of all groups, and for each part and class the accuracy and mean probability per group.

use super::plot::{Bar, Dot, Dots, Role, Scene};
use crate::analysis::study::{Interval, Part, Study};

/// Every plot with its name, which is also its file name.
pub(super) fn all(study: &Study) -> Vec<(String, Scene)> {
    let mut figures = Vec::new();
    if study.parts.len() > 1 {
        figures.push(("overall".to_string(), overall(study)));
    }
    for (at, part) in study.parts.iter().enumerate() {
        for class in 0..part.groups.first().map_or(0, |group| group.classes.len()) {
            figures.push((name(at, class), by_group(part, class)));
        }
    }
    figures
}

/// The name of the plot of a part's class.
pub(super) fn name(part: usize, class: usize) -> String {
    format!("part-{}-{}", part + 1, class + 1)
}

/// Groups of images look like other series.
fn dot(name: String, group: usize, interval: Interval) -> Dot {
    let bar = Some(Bar::Interval(interval.low, interval.high));
    Dot { name, role: Role::Other(group), value: Some(interval.value), bar }
}

fn overall(study: &Study) -> Scene {
    let rows = study.parts.iter().flat_map(|part| {
        let of = |(at, group): (usize, &crate::analysis::study::GroupRow)| {
            dot(format!("{}: {}", part.classes[0].name, group.name), at, group.classes[0].accuracy)
        };
        part.groups.iter().enumerate().map(of)
    });
    let (title, axis) =
        ("Accuracy with and without each cue", "share of the images that are classified as their class");
    Dots { title: title.to_string(), axis: axis.to_string(), range: Some((0.0, 1.0)), rows: rows.collect() }.scene()
}

fn by_group(part: &Part, class: usize) -> Scene {
    let groups = || part.groups.iter().enumerate();
    let accuracies = groups().map(|(at, g)| dot(format!("accuracy: {}", g.name), at, g.classes[class].accuracy));
    let probabilities =
        groups().map(|(at, g)| dot(format!("probability: {}", g.name), at, g.classes[class].probability));
    let rows = accuracies.chain(probabilities).collect();
    let title = format!("{}: accuracy and mean probability by group", part.groups[0].classes[class].class);
    Dots { title, axis: "share, or probability".to_string(), range: Some((0.0, 1.0)), rows }.scene()
}
