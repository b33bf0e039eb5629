//! How the points of a sweep are ranked: by one measure, or by Pareto fronts of several.

use crate::analysis::pareto::{fronts, mean_ranks};
use crate::report::sweep::{Measure, SweepPoint};
use crate::suggest::{near_misses, shown};
use crate::{Error, Result};

/// A ranking by one measure or more.
#[derive(Clone, Debug)]
pub(crate) struct Ranking {
    measures: Vec<Measure>,
}

impl Ranking {
    /// Finds measures by name, in a table with judges of these names. `seeds`: whether there are several prototypes of a class.
    ///
    /// # Errors
    /// If there is no measure of a name, if one is named twice, or if none is named.
    pub(crate) fn new(names: &[String], judges: &[String], seeds: bool) -> Result<Self> {
        let known = Measure::all(judges, seeds);
        let mut measures: Vec<Measure> = Vec::new();
        for name in names {
            let Some(measure) = known.iter().find(|measure| measure.name == *name) else {
                return Err(unknown(name, &known, judges).field("rank-by"));
            };
            if measures.contains(measure) {
                return Err(Error::input(format!("has {name} twice")).field("rank-by"));
            }
            measures.push(measure.clone());
        }
        if measures.is_empty() {
            return Err(Error::input("names no measure").field("rank-by"));
        }
        Ok(Self { measures })
    }

    /// The names of the measures.
    pub(crate) fn name(&self) -> String {
        self.measures.iter().map(|measure| measure.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The first two measures, if there are several.
    pub(crate) fn pair(&self) -> Option<[&Measure; 2]> {
        self.measures.first_chunk().map(|[x, y]| [x, y])
    }

    /// Whether there are no more than two.
    pub(crate) fn is_plane(&self) -> bool {
        self.measures.len() <= 2
    }

    /// Sorts the points, the best first. Points that are equal in everything stay as they are.
    ///
    /// With one measure, equal points are sorted by path similarity, then by the number that are top 1. With several, the points of an earlier
    /// Pareto front come first, and those of one front are sorted by the mean of their ranks among all points.
    pub(crate) fn sort(&self, points: Vec<SweepPoint>) -> Vec<SweepPoint> {
        let merits: Vec<Vec<f64>> =
            points.iter().map(|point| self.measures.iter().map(|measure| measure.merit(point)).collect()).collect();
        if self.measures.len() == 1 {
            let key = |(point, merits): (&SweepPoint, Vec<f64>)| [merits[0], point.order(), point.top1.count as f64];
            let keys = points.iter().zip(merits).map(key).collect();
            return sorted(points, keys);
        }
        let (fronts, ranks) = (fronts(&merits), mean_ranks(&merits));
        let keys = fronts.iter().zip(ranks).map(|(&front, rank)| [-(front as f64), -rank, 0.0]).collect();
        let placed = points.into_iter().zip(fronts);
        sorted(placed.map(|(point, front)| SweepPoint { front: Some(front), ..point }).collect(), keys)
    }
}

/// The points with the greatest keys first.
fn sorted(points: Vec<SweepPoint>, keys: Vec<[f64; 3]>) -> Vec<SweepPoint> {
    let mut all: Vec<([f64; 3], SweepPoint)> = keys.into_iter().zip(points).collect();
    all.sort_by(|(a, _), (b, _)| b[0].total_cmp(&a[0]).then(b[1].total_cmp(&a[1])).then(b[2].total_cmp(&a[2])));
    all.into_iter().map(|(_, point)| point).collect()
}

fn unknown(name: &str, known: &[Measure], judges: &[String]) -> Error {
    let names = || known.iter().map(|measure| measure.name.as_str());
    let near = near_misses(name, names().map(|name| (name, ())));
    let near = near.first().map_or_else(String::new, |(near, ())| format!("; did you mean `{near}`?"));
    let list = names().collect::<Vec<_>>().join(", ");
    let error = Error::input(format!(
        "has an unknown measure `{}`{near}{} are {list}",
        shown(name),
        if near.is_empty() { "; the measures" } else { " The measures" }
    ));
    if judges.is_empty() { error.advised("; {judge} adds those of a judge") } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::similarity::{Holds, Spread};
    use crate::report::sweep::Share;

    fn point(name: &str, similarity: Option<f64>, probability: f64, loss: f64) -> SweepPoint {
        let spread = |mean| Spread { mean, std: None };
        SweepPoint {
            name: name.into(),
            values: serde_json::Map::new(),
            similarity: spread(similarity),
            same: spread(None),
            different: spread(None),
            normalised: None,
            holds: Holds::default(),
            top1: Share { count: 1, of: 1 },
            probability,
            loss,
            classes: Vec::new(),
            front: None,
            judges: Vec::new(),
        }
    }

    fn table() -> Vec<SweepPoint> {
        vec![
            point("undefined", None, 0.1, 9.0),
            point("middle", Some(0.5), 0.5, 2.0),
            point("behind", Some(0.4), 0.5, 3.0),
            point("likely", Some(0.3), 0.9, 4.0),
            point("alike", Some(0.6), 0.1, 5.0),
        ]
    }

    fn ranked(names: &[&str]) -> Vec<(String, Option<usize>)> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let sorted = Ranking::new(&names, &[], false).unwrap().sort(table());
        sorted.into_iter().map(|point| (point.name, point.front)).collect()
    }

    #[test]
    fn one_measure_ranks_and_several_make_fronts() {
        let names = |ranked: Vec<(String, Option<usize>)>| -> Vec<String> {
            assert!(ranked.iter().all(|(_, front)| front.is_none()));
            ranked.into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(ranked(&["similarity"])), ["alike", "middle", "behind", "likely", "undefined"]);
        // Of equal ones the more similar comes first.
        assert_eq!(names(ranked(&["probability"])), ["likely", "middle", "behind", "alike", "undefined"]);
        // Less is better.
        assert_eq!(names(ranked(&["loss"])), ["middle", "behind", "likely", "alike", "undefined"]);
        let fronts = ranked(&["similarity", "probability"]);
        // Mean ranks: alike (1 + 4.5) / 2, middle (2 + 2.5) / 2, likely (4 + 1) / 2.
        let expected = [("middle", 1), ("likely", 1), ("alike", 1), ("behind", 2), ("undefined", 3)];
        assert_eq!(fronts, expected.map(|(name, front)| (name.to_owned(), Some(front))));
    }

    #[test]
    fn unknown_measures_are_named_with_those_that_exist() {
        let error = |names: &[&str], judges: &[&str], seeds| {
            let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
            Ranking::new(&own(names), &own(judges), seeds).unwrap_err().to_string()
        };
        let text = error(&["similarty"], &[], false);
        assert!(
            text.contains("unknown measure `similarty`; did you mean `similarity`? The measures are similarity, nor"),
            "{text}"
        );
        assert!(text.ends_with("probability, loss; `judge` adds those of a judge"), "{text}");
        let text = error(&["probability", "vgg:tpo1"], &["vgg"], false);
        assert!(text.contains("did you mean `vgg:top1`?") && text.ends_with(", vgg:probability, vgg:rank"), "{text}");
        // One seed has no distance to others.
        assert!(error(&["x"], &["vgg"], true).ends_with("vgg:rank, vgg:distance"));
        assert!(error(&["loss", "loss"], &[], false).contains("has loss twice"));
        assert!(error(&[], &[], false).contains("names no measure"));
    }
}
