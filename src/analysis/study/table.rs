//! A study as a table: the contents of `study.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::Group;
use super::proportion::{Count, Interval, Pairs, cohens_h, difference, fisher};
use super::resample::{Resampling, bootstrap_difference, bootstrap_mean, cliffs_delta, holm, permutation, sign_flips};
use crate::analysis::similarity::Likely;
use crate::labels::Labels;

/// The name for "any of the requested classes".
pub(crate) const ANY: &str = "any of them";
/// The number of other classes listed for each group.
const INSTEAD: usize = 5;

/// One or more experiments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Study {
    /// The name and version of the layout.
    pub(crate) format: String,
    /// The experiments.
    pub(crate) parts: Vec<Part>,
    /// The network, the images and the options: everything that the numbers depend on.
    pub(crate) settings: Map<String, Value>,
    /// Images that could not be read, with the reason.
    pub(crate) skipped: Vec<String>,
    /// How images and folders were read, where a person may have meant it otherwise.
    pub(crate) notes: Vec<String>,
}

/// One experiment: groups of images and the requested classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The title.
    pub(crate) title: String,
    /// The results in words, one sentence each.
    pub(crate) findings: Vec<String>,
    /// The requested classes.
    pub(crate) classes: Vec<AskedClass>,
    /// Whether images with the same name in two groups are a pair.
    pub(crate) paired: bool,
    /// The network's answers for each group.
    pub(crate) groups: Vec<GroupRow>,
    /// Each pair of groups, for each class.
    pub(crate) comparisons: Vec<Comparison>,
    /// Prototypes of the classes.
    pub(crate) prototypes: Vec<PrototypeSeen>,
}

/// A requested class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AskedClass {
    /// Its index.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: String,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupRow {
    /// Its name.
    pub(crate) name: String,
    /// The folder of the images; `None` if they were drawn.
    pub(crate) folder: Option<String>,
    /// The number of readable images.
    pub(crate) pictures: usize,
    /// One outcome per class; if there are several classes, also one for any of them.
    pub(crate) classes: Vec<Outcome>,
    /// The classes that the network says in place of the requested ones, most frequent first.
    pub(crate) instead: Vec<Instead>,
}

/// The network's answers for a group, with regard to one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The class's name, or [`ANY`].
    pub(crate) class: String,
    /// The class's index; `None` for [`ANY`].
    pub(crate) index: Option<usize>,
    /// The number of images for which it is the likeliest.
    pub(crate) correct: usize,
    /// Their share, with Wilson's interval.
    pub(crate) accuracy: Interval,
    /// Its mean probability, with a bootstrap interval.
    pub(crate) probability: Interval,
}

/// A class that the network says in place of the requested ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instead {
    /// Its index.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: String,
    /// The number of images.
    pub(crate) pictures: usize,
    /// Their share of the group.
    pub(crate) share: f64,
}

/// A comparison of two groups, with regard to one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// The name of the first group.
    pub(crate) first: String,
    /// The name of the second group.
    pub(crate) second: String,
    /// The class's name, or [`ANY`].
    pub(crate) class: String,
    /// The class's index; `None` for [`ANY`].
    pub(crate) index: Option<usize>,
    /// The number of pairs, if images are paired.
    pub(crate) pairs: Option<usize>,
    /// The difference of the accuracies: Newcombe's interval, Fisher's exact test (McNemar's for pairs), Cohen's h.
    pub(crate) accuracy: Difference,
    /// The difference of the mean probabilities: a bootstrap interval, a permutation test, Cliff's delta.
    pub(crate) probability: Difference,
}

/// The first minus the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Difference {
    /// The difference and its interval.
    #[serde(flatten)]
    pub(crate) interval: Interval,
    /// The probability of a difference at least as large under chance alone.
    pub(crate) p: f64,
    /// The same after Holm's correction over all tests of this kind in the study.
    pub(crate) p_holm: f64,
    /// The effect size, which has no unit.
    pub(crate) effect: f64,
}

/// A prototype beside the groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PrototypeSeen {
    /// Its class.
    pub(crate) class: AskedClass,
    /// Its folder; `None` if it was made for the study.
    pub(crate) folder: Option<String>,
    /// Its seed.
    pub(crate) seed: u64,
    /// Its likeliest classes.
    pub(crate) top: Vec<Likely>,
}

/// The input of [`Part::of`].
pub(crate) struct Asked<'a> {
    /// The title.
    pub(crate) title: String,
    /// The requested classes.
    pub(crate) classes: &'a [usize],
    /// The network's answers. No group is empty, and if images are paired, every two groups share at least one name.
    pub(crate) groups: &'a [Group],
    /// Whether images with the same name in two groups are a pair.
    pub(crate) paired: bool,
}

impl Part {
    /// Makes the table, without findings. The p-values are not yet corrected, see [`correct_for_many`].
    pub(crate) fn of(asked: &Asked<'_>, labels: &Labels, resampling: Resampling) -> Self {
        let targets = Target::all(asked.classes, labels);
        let mut comparisons = Vec::new();
        for (at, first) in asked.groups.iter().enumerate() {
            for second in &asked.groups[at + 1..] {
                comparisons
                    .extend(targets.iter().map(|target| target.compare(first, second, asked.paired, resampling)));
            }
        }
        let name = |&index: &usize| AskedClass { index, name: labels.name(index).to_owned() };
        Self {
            title: asked.title.clone(),
            findings: Vec::new(),
            classes: asked.classes.iter().map(name).collect(),
            paired: asked.paired,
            groups: asked.groups.iter().map(|group| row(group, &targets, asked.classes, labels, resampling)).collect(),
            comparisons,
            prototypes: Vec::new(),
        }
    }
}

/// Corrects the p-values of all comparisons for multiple testing: those of accuracies together, and those of probabilities together.
pub(crate) fn correct_for_many(parts: &mut [Part]) {
    let kinds: [fn(&mut Comparison) -> &mut Difference; 2] = [|c| &mut c.accuracy, |c| &mut c.probability];
    for of in kinds {
        let mut all: Vec<&mut Difference> = parts.iter_mut().flat_map(|part| &mut part.comparisons).map(of).collect();
        let adjusted = holm(&all.iter().map(|difference| difference.p).collect::<Vec<_>>());
        all.iter_mut().zip(adjusted).for_each(|(difference, p)| difference.p_holm = p);
    }
}

fn row(group: &Group, targets: &[Target], asked: &[usize], labels: &Labels, resampling: Resampling) -> GroupRow {
    let of = group.answers.len();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for answer in group.answers.iter().filter(|answer| !asked.contains(&answer.top)) {
        *counts.entry(answer.top).or_default() += 1;
    }
    let mut counts: Vec<(usize, usize)> = counts.into_iter().collect();
    // A stable sort: among equals, the lower index comes first.
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let instead = |&(index, pictures): &(usize, usize)| Instead {
        index,
        name: labels.name(index).to_owned(),
        pictures,
        share: pictures as f64 / of as f64,
    };
    GroupRow {
        name: group.name.clone(),
        folder: group.folder.clone(),
        pictures: of,
        classes: targets.iter().map(|target| target.outcome(group, resampling)).collect(),
        instead: counts.iter().take(INSTEAD).map(instead).collect(),
    }
}

/// A class, or any of the requested classes.
struct Target {
    name: String,
    index: Option<usize>,
    /// The positions of its classes among the requested ones, and their class indices.
    classes: Vec<(usize, usize)>,
}

impl Target {
    fn all(asked: &[usize], labels: &Labels) -> Vec<Self> {
        let places: Vec<(usize, usize)> = asked.iter().copied().enumerate().collect();
        let one = |&(place, index): &(usize, usize)| Self {
            name: labels.name(index).to_owned(),
            index: Some(index),
            classes: vec![(place, index)],
        };
        let mut all: Vec<Self> = places.iter().map(one).collect();
        if all.len() > 1 {
            all.push(Self { name: ANY.to_owned(), index: None, classes: places });
        }
        all
    }

    /// For each image of a group: its name, whether it is classified as the class, and the probability.
    fn seen<'a>(&self, group: &'a Group) -> Vec<(&'a str, bool, f64)> {
        let of = |answer: &'a super::Answer| {
            let hit = self.classes.iter().any(|&(_, index)| index == answer.top);
            let probability = self.classes.iter().map(|&(place, _)| answer.probabilities[place]).sum();
            (answer.picture.as_str(), hit, probability)
        };
        group.answers.iter().map(of).collect()
    }

    fn outcome(&self, group: &Group, resampling: Resampling) -> Outcome {
        let (count, probabilities) = apart(&self.seen(group));
        Outcome {
            class: self.name.clone(),
            index: self.index,
            correct: count.hits,
            accuracy: count.wilson(),
            probability: bootstrap_mean(&probabilities, resampling),
        }
    }

    fn compare(&self, first: &Group, second: &Group, paired: bool, resampling: Resampling) -> Comparison {
        let (a, b) = (self.seen(first), self.seen(second));
        let (pairs, accuracy, probability) = if paired {
            let (a, b) = in_pairs(a, b);
            let (accuracy, probability) = compare_pairs(&a, &b, resampling);
            (Some(a.len()), accuracy, probability)
        } else {
            let (accuracy, probability) = compare_groups(&a, &b, resampling);
            (None, accuracy, probability)
        };
        Comparison {
            first: first.name.clone(),
            second: second.name.clone(),
            class: self.name.clone(),
            index: self.index,
            pairs,
            accuracy,
            probability,
        }
    }
}

type Seen<'a> = (&'a str, bool, f64);

/// The hits and the probabilities.
fn apart(seen: &[Seen<'_>]) -> (Count, Vec<f64>) {
    let hits = seen.iter().filter(|(_, hit, _)| *hit).count();
    (Count { hits, of: seen.len() }, seen.iter().map(|(_, _, probability)| *probability).collect())
}

/// The images that both groups have, in the order of the first.
fn in_pairs<'a>(a: Vec<Seen<'a>>, b: Vec<Seen<'a>>) -> (Vec<Seen<'a>>, Vec<Seen<'a>>) {
    let partners: BTreeMap<&str, Seen<'_>> = b.into_iter().map(|seen| (seen.0, seen)).collect();
    a.into_iter().filter_map(|seen| Some((seen, *partners.get(seen.0)?))).unzip()
}

fn compare_groups(a: &[Seen<'_>], b: &[Seen<'_>], resampling: Resampling) -> (Difference, Difference) {
    let ((a, x), (b, y)) = (apart(a), apart(b));
    let accuracy = Difference { interval: difference(a, b), p: fisher(a, b), p_holm: 1.0, effect: cohens_h(a, b) };
    let probability = Difference {
        interval: bootstrap_difference(&x, &y, resampling),
        p: permutation(&x, &y, resampling),
        p_holm: 1.0,
        effect: cliffs_delta(&x, &y),
    };
    (accuracy, probability)
}

fn compare_pairs(a: &[Seen<'_>], b: &[Seen<'_>], resampling: Resampling) -> (Difference, Difference) {
    let pairs = Pairs::of(a.iter().zip(b).map(|(a, b)| (a.1, b.1)));
    let ((a, x), (b, y)) = (apart(a), apart(b));
    let differences: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x - y).collect();
    let accuracy = Difference { interval: pairs.difference(), p: pairs.mcnemar(), p_holm: 1.0, effect: cohens_h(a, b) };
    let probability = Difference {
        interval: bootstrap_mean(&differences, resampling),
        p: sign_flips(&differences, resampling),
        p_holm: 1.0,
        effect: cliffs_delta(&x, &y),
    };
    (accuracy, probability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::study::Answer;

    const RESAMPLING: Resampling = Resampling { count: 199, seed: 1 };

    /// Images `0`, `1` and so on, given the likeliest class of each. The requested classes are 1 and 2.
    fn group(name: &str, tops: &[usize]) -> Group {
        let answer = |(number, &top): (usize, &usize)| Answer {
            picture: number.to_string(),
            top,
            top_probability: 0.75,
            probabilities: [1, 2].map(|class| if class == top { 0.75 } else { 0.125 }).to_vec(),
        };
        Group { name: name.to_owned(), folder: None, answers: tops.iter().enumerate().map(answer).collect() }
    }

    fn part(groups: &[Group], paired: bool) -> Part {
        let asked = Asked { title: "t".to_owned(), classes: &[1, 2], groups, paired };
        Part::of(&asked, &Labels::numbered(5), RESAMPLING)
    }

    #[test]
    fn counts_are_counts() {
        let groups = [group("a", &[1, 1, 2, 4, 4, 0, 3]), group("b", &[2, 2, 0])];
        let found = part(&groups, false);
        let correct = |row: &GroupRow| row.classes.iter().map(|o| (o.index, o.correct)).collect::<Vec<_>>();
        assert_eq!(correct(&found.groups[0]), [(Some(1), 2), (Some(2), 1), (None, 3)]);
        assert_eq!(correct(&found.groups[1]), [(Some(1), 0), (Some(2), 2), (None, 2)]);
        let any = &found.groups[1].classes[2];
        assert_eq!((any.class.as_str(), any.accuracy.value), (ANY, 2.0 / 3.0));
        assert!((any.probability.value - (0.875 + 0.875 + 0.25) / 3.0).abs() < 1e-15);
        // Most frequent first, then by index.
        let instead: Vec<(usize, usize)> = found.groups[0].instead.iter().map(|i| (i.index, i.pictures)).collect();
        assert_eq!(instead, [(4, 2), (0, 1), (3, 1)]);
        assert_eq!(found.comparisons.len(), 3);
        let first = &found.comparisons[0];
        assert_eq!((first.class.as_str(), first.pairs), ("class 1", None));
        assert_eq!(first.accuracy.interval.value, 2.0 / 7.0);
        assert_eq!(first.accuracy.p, fisher(Count { hits: 2, of: 7 }, Count { hits: 0, of: 3 }));
        // With a single class, there is no row for any of them.
        let mut alone = group("a", &[2, 0]);
        alone.answers.iter_mut().for_each(|answer| answer.probabilities = answer.probabilities.split_off(1));
        let asked = Asked { title: String::new(), classes: &[2], groups: &[alone], paired: false };
        let found = Part::of(&asked, &Labels::numbered(5), RESAMPLING);
        assert_eq!((found.groups[0].classes.len(), found.comparisons.len()), (1, 0));
    }

    #[test]
    fn pairs_are_found_by_name() {
        let mut groups = [group("a", &[1, 1, 1, 0]), group("b", &[1, 0, 0, 0])];
        let whole = part(&groups, true);
        let pairs = Pairs { both: 1, first: 2, second: 0, neither: 1 };
        let found = &whole.comparisons[0];
        assert_eq!((found.pairs, found.accuracy.p), (Some(4), pairs.mcnemar()));
        assert_eq!(found.accuracy.interval, pairs.difference());
        // In another order, and without the partner of the second image.
        groups[1].answers.reverse();
        assert_eq!(part(&groups, true).comparisons, whole.comparisons);
        groups[1].answers.remove(2);
        let found = part(&groups, true);
        assert_eq!((found.comparisons[0].pairs, found.groups[0].pictures), (Some(3), 4));
        assert_eq!(found.comparisons[0].accuracy.p, Pairs { both: 1, first: 1, second: 0, neither: 1 }.mcnemar());
    }

    #[test]
    fn corrections_are_over_all_parts_and_of_one_kind() {
        let groups = [group("a", &[1; 12]), group("b", &[0; 12])];
        let mut parts = [part(&groups, false), part(&groups, true)];
        let all = |parts: &[Part], of: fn(&Comparison) -> f64| -> Vec<f64> {
            parts.iter().flat_map(|part| &part.comparisons).map(of).collect()
        };
        correct_for_many(&mut parts);
        assert_eq!(all(&parts, |c| c.accuracy.p_holm), holm(&all(&parts, |c| c.accuracy.p)));
        assert_eq!(all(&parts, |c| c.probability.p_holm), holm(&all(&parts, |c| c.probability.p)));
        assert!(parts[0].comparisons[0].accuracy.p_holm > parts[0].comparisons[0].accuracy.p);
    }
}
