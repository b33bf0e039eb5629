//! The plots of a comparison of methods: mean curves of insertion and deletion.

use super::plot::{Axis, Curves, Line, Role, Scene};
use crate::analysis::isolate::{Curve, Isolations, Measured, Method};

/// One of the two curves.
type Game = fn(&Measured) -> &Curve;

/// Every plot with its name, which is also its file name; none without a comparison.
pub(super) fn all(table: &Isolations) -> Vec<(String, Scene)> {
    if table.comparison.is_none() {
        return Vec::new();
    }
    let games: [(&str, &str, Game); 2] = [
        ("insertion", "Insertion: the most important pixels are shown first", |one| &one.insertion),
        ("deletion", "Deletion: the most important pixels vanish first", |one| &one.deletion),
    ];
    games.map(|(name, title, of)| (name.to_owned(), curves(table, title, of))).to_vec()
}

fn curves(table: &Isolations, title: &str, of: Game) -> Scene {
    let roles = [Role::Prototype, Role::Same, Role::Different];
    let line = |(at, role): (usize, Role)| {
        let curves: Vec<&Curve> = table.images.iter().map(|image| of(&image.methods[at])).collect();
        let mean = |point: usize| curves.iter().map(|one| one.probabilities[point]).sum::<f64>() / curves.len() as f64;
        let points = curves[0].shares.iter().enumerate().map(|(point, &share)| (share, Some(mean(point))));
        Line::new(Method::ALL[at].name(), role, points.collect())
    };
    Curves {
        title: title.to_owned(),
        x: Axis { title: "share of the pixels".to_owned(), range: Some((0.0, 1.0)), names: Vec::new() },
        y: Axis { title: "mean probability".to_owned(), range: Some((0.0, 1.0)), names: Vec::new() },
        lines: roles.into_iter().enumerate().map(line).collect(),
        ..Curves::default()
    }
    .scene()
}
