//! How the prototypes of several runs differ: the same classes and seeds, made with the weights of different checkpoints.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::judge::{Recognition, Seen};

/// Runs side by side.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    /// The layout's name and version.
    pub(crate) format: String,
    pub(crate) runs: Vec<RunRow>,
    /// The networks of the runs, each once.
    pub(crate) networks: Vec<NetworkRow>,
    /// Settings that are not the same in all runs. If there are any, the weights alone do not explain a change.
    pub(crate) differing: Vec<Differing>,
    /// How each network recognises the prototypes of each run: by run, then by network; `None` without a common class, or if the network
    /// could not be opened.
    pub(crate) recognised: Vec<Vec<Option<Recognition>>>,
    /// From each run to the next.
    pub(crate) changes: Vec<Change>,
    /// Every class and seed.
    pub(crate) rows: Vec<Row>,
    pub(crate) settings: Map<String, Value>,
    /// Prototypes that were left out, with the reasons.
    pub(crate) skipped: Vec<String>,
    /// How images and folders were read, where a person may have meant it otherwise.
    pub(crate) notes: Vec<String>,
}

/// A run: a folder of prototypes of one network.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunRow {
    pub(crate) folder: String,
    /// Its network, as an index of `networks`.
    pub(crate) network: usize,
    pub(crate) prototypes: usize,
    /// The classes and seeds of other runs that it does not have.
    pub(crate) missing: usize,
    /// Prototypes of objectives other than a class, which are left out.
    pub(crate) without_class: usize,
}

/// A network that made prototypes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NetworkRow {
    /// The weights file as the run names it, or the name of a built-in network.
    pub(crate) weights: String,
    pub(crate) sha256: String,
    pub(crate) architecture: String,
    /// Why it judges nothing; `None` if it does.
    pub(crate) missing: Option<String>,
}

/// A setting with its value in each run; with several if its prototypes have different ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Differing {
    pub(crate) setting: String,
    pub(crate) values: Vec<String>,
}

/// How far prototypes are from those of the same class and seed in the next run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Change {
    pub(crate) from: String,
    pub(crate) to: String,
    /// The number of classes and seeds that both runs have.
    pub(crate) pairs: usize,
    pub(crate) distance: Distance,
    /// The yardsticks, in the later run: prototypes of the same class with other seeds, and of other classes.
    pub(crate) other_seed: Distance,
    pub(crate) other_class: Distance,
}

/// A distance between two images, or the mean of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Distance {
    /// The root mean square of the differences of pixels in `[0,1]`; `None` for images of different sizes.
    pub(crate) pixels: Option<f64>,
    /// 1 − the cosine of the penultimate features in the network of the last run that has one.
    pub(crate) features: Option<f64>,
}

impl Distance {
    /// The mean, each part over the distances that have it.
    pub(crate) fn mean(distances: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> Option<f64>| {
            let values: Vec<f64> = distances.iter().filter_map(of).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Self { pixels: mean(|one| one.pixels), features: mean(|one| one.features) }
    }
}

/// A class and a seed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) seed: u64,
    /// By run; `None` if the run does not have it.
    pub(crate) cells: Vec<Option<Cell>>,
}

/// A prototype.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) folder: String,
    /// What each network makes of it; `None` if it does not have the class, or could not be opened.
    pub(crate) seen: Vec<Option<SeenBy>>,
    /// From the same class and seed in the run before.
    pub(crate) distance: Option<Distance>,
}

/// A prototype as a network sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SeenBy {
    #[serde(flatten)]
    pub(crate) seen: Seen,
    /// The likeliest class.
    pub(crate) top: String,
}

/// The root mean square of the differences; `None` for images of different sizes.
pub(crate) fn pixel_distance(a: &[f32], b: &[f32]) -> Option<f64> {
    let squares = || a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
    (a.len() == b.len() && !a.is_empty()).then(|| (squares().sum::<f64>() / a.len() as f64).sqrt())
}

/// The settings that are not the same in all runs, from the settings of each prototype of each run. The seed is none.
pub(crate) fn differing(runs: &[Vec<Map<String, Value>>]) -> Vec<Differing> {
    let mut values: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
    for (run, prototypes) in runs.iter().enumerate() {
        for (name, value) in prototypes.iter().flatten().filter(|(name, _)| *name != "seed") {
            let of_run = &mut values.entry(name).or_insert_with(|| vec![Vec::new(); runs.len()])[run];
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !of_run.contains(&value) {
                of_run.push(value);
            }
        }
    }
    for of_run in values.values_mut().flatten() {
        of_run.sort();
    }
    let differs = |values: &Vec<Vec<String>>| values.iter().any(|of_run| *of_run != values[0]);
    let setting = |(name, values): (&str, Vec<Vec<String>>)| Differing {
        setting: name.to_owned(),
        values: values.into_iter().map(|of_run| of_run.join(", ")).collect(),
    };
    values.into_iter().filter(|(_, values)| differs(values)).map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pixels_differ_by_their_root_mean_square() {
        assert_eq!(pixel_distance(&[0.0, 1.0, 0.5, 0.5], &[1.0, 1.0, 0.5, 0.5]), Some(0.5));
        assert_eq!([pixel_distance(&[0.0], &[0.0, 1.0]), pixel_distance(&[], &[])], [None; 2]);
        let known = Distance { pixels: Some(1.0), features: None };
        let both = Distance { pixels: Some(2.0), features: Some(0.5) };
        assert_eq!(Distance::mean(&[known, both]), Distance { pixels: Some(1.5), features: Some(0.5) });
        assert_eq!(Distance::mean(&[]), Distance::default());
    }

    #[test]
    fn settings_that_differ_are_named() {
        let settings = |value: Value| value.as_object().unwrap().clone();
        let a = vec![
            settings(json!({"lr": 0.1, "seed": 0, "fill": "mean", "steps": 8})),
            settings(json!({"lr": 0.1, "seed": 1, "fill": "black", "steps": 8})),
        ];
        let same = vec![a[1].clone(), a[0].clone()];
        assert_eq!(differing(&[a.clone(), same]), []);
        let b = vec![settings(json!({"lr": 0.2, "seed": 5, "fill": "mean", "steps": 8, "l2_weight": 1.0}))];
        let found: Vec<_> = differing(&[a, b]).into_iter().map(|one| (one.setting, one.values)).collect();
        let expected = [("fill", ["black, mean", "mean"]), ("l2_weight", ["", "1.0"]), ("lr", ["0.1", "0.2"])];
        assert_eq!(found, expected.map(|(name, values)| (name.to_owned(), values.map(str::to_owned).to_vec())));
    }
}
