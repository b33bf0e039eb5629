//! How networks recognise images of a class that they did not make: a judge's rank and probability of the class, and their summaries.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::kid::{Featured, Kid};
use super::pairwise::{Variety, mean_variety, varieties};
use super::similarity::Likely;
use super::softmax;
use super::study::Interval;
use super::study::proportion::Count;
use crate::labels::{Label, Labels, numbered_name};
use crate::networks::Preprocessing;
use crate::{Error, Result};

/// Every judge's table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judgement {
    /// The layout's name and version.
    pub(crate) format: String,
    pub(crate) judges: Vec<JudgeRow>,
    pub(crate) settings: Map<String, Value>,
    /// Images and folders that were left out, with the reasons.
    pub(crate) skipped: Vec<String>,
    /// How images and folders were read, where a person may have meant it otherwise.
    pub(crate) notes: Vec<String>,
}

/// A judge with its table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JudgeRow {
    /// The weights file, or the name of an embedded network.
    pub(crate) weights: String,
    pub(crate) sha256: String,
    pub(crate) architecture: String,
    /// The input that it got.
    pub(crate) input: Preprocessing,
    /// One for each given folder.
    pub(crate) groups: Vec<GroupRow>,
}

/// The prototypes of one given folder as a judge sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupRow {
    pub(crate) folder: String,
    /// The number of prototypes whose class the judge knows and that it made itself. If any, it is no stranger.
    pub(crate) made: usize,
    /// `None` if the judge knows none of the classes.
    pub(crate) prototypes: Option<Recognition>,
    /// Photographs of the same classes; `None` without any.
    pub(crate) photographs: Option<Recognition>,
    /// Controls of the classes that have photographs.
    pub(crate) controls: Vec<ControlRow>,
    /// The mean probability of prototypes divided by that of photographs, each the mean of the means of the classes that have both.
    pub(crate) ratio: Option<f64>,
    /// The distance of the prototypes' features from those of the photographs; `None` without photographs.
    pub(crate) kid: Option<Kid>,
    /// How different the prototypes of a class are from each other: the mean over the classes. `None` if no class has two prototypes.
    pub(crate) variety: Option<Variety>,
    pub(crate) classes: Vec<ClassRow>,
    /// The classes that the judge does not know. Their prototypes count nowhere else.
    pub(crate) unmapped: Vec<Unmapped>,
    /// Each prototype.
    pub(crate) each: Vec<PrototypeRow>,
}

/// The images of a row of a table by kind, as far as there are any: prototypes, photographs, then each control.
pub(crate) fn kinds(
    prototypes: Option<Recognition>,
    photographs: Option<Recognition>,
    controls: &[ControlRow],
) -> impl Iterator<Item = (&str, Recognition)> {
    let both = [("prototypes", prototypes), ("photographs", photographs)];
    let controls = controls.iter().map(|control| (control.name.as_str(), control.recognition));
    both.into_iter().filter_map(|(kind, found)| Some((kind, found?))).chain(controls)
}

/// One class of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClassRow {
    /// The judge's index of the class.
    pub(crate) index: usize,
    /// The judge's name of the class.
    pub(crate) name: String,
    pub(crate) prototypes: Option<Recognition>,
    pub(crate) photographs: Option<Recognition>,
    pub(crate) controls: Vec<ControlRow>,
    pub(crate) ratio: Option<f64>,
    /// How different its prototypes are from each other; `None` for fewer than two.
    pub(crate) variety: Option<Variety>,
}

/// A control as a judge sees it: an image that shows nothing of the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ControlRow {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) recognition: Recognition,
}

/// A class that a judge does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unmapped {
    pub(crate) name: String,
    /// The number of its prototypes.
    pub(crate) prototypes: usize,
    pub(crate) reason: String,
}

/// A prototype as a judge sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PrototypeRow {
    pub(crate) folder: String,
    #[serde(flatten)]
    pub(crate) seen: Seen,
    /// The judge's likeliest classes.
    pub(crate) top: Vec<Likely>,
}

/// An image of a class as a judge sees it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The judge's index of the class.
    pub(crate) class: usize,
    /// 1 + the number of larger logits + half the number of other equal ones.
    pub(crate) rank: f64,
    /// The softmax probability of the class.
    pub(crate) probability: f64,
}

impl Seen {
    /// The rank and probability of `class` in its image's logits `[K]`.
    pub(crate) fn of(logits: &[f32], class: usize) -> Self {
        let own = logits[class];
        let above = |&z: &f32| match z.partial_cmp(&own) {
            Some(std::cmp::Ordering::Less) => 0.0,
            Some(std::cmp::Ordering::Equal) => 0.5,
            // A NaN puts the class last, never first.
            _ => 1.0,
        };
        let others = logits.iter().enumerate().filter(|&(index, _)| index != class);
        let rank = 1.0 + others.map(|(_, z)| above(z)).sum::<f64>();
        Self { class, rank, probability: softmax(logits)[class] }
    }
}

/// How well a judge recognises a set of images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recognition {
    pub(crate) images: usize,
    /// The share of images whose class has rank 1, with Wilson's 95 % interval. A class that shares the first place does not count.
    pub(crate) top1: Interval,
    /// The same for ranks up to 5.
    pub(crate) top5: Interval,
    /// The mean probability of the class.
    pub(crate) probability: f64,
    /// The mean rank of the class.
    pub(crate) rank: f64,
}

impl Recognition {
    /// `None` for no image.
    pub(crate) fn of<'a>(seen: impl Iterator<Item = &'a Seen> + Clone) -> Option<Self> {
        let of = seen.clone().count();
        let share = |k: f64| Count { hits: seen.clone().filter(|seen| seen.rank <= k).count(), of }.wilson();
        let mean = |value: fn(&Seen) -> f64| seen.clone().map(value).sum::<f64>() / of as f64;
        (of > 0).then(|| Self {
            images: of,
            top1: share(1.0),
            top5: share(5.0),
            probability: mean(|seen| seen.probability),
            rank: mean(|seen| seen.rank),
        })
    }
}

impl GroupRow {
    /// The table of a group, without what features tell, from its prototypes, and from photographs and named controls, of which those of other classes are ignored.
    pub(crate) fn of(
        folder: String,
        made: usize,
        each: Vec<PrototypeRow>,
        photographs: &[Seen],
        controls: &[(String, Seen)],
        unmapped: Vec<Unmapped>,
        labels: &Labels,
    ) -> Self {
        let seen = || each.iter().map(|one| &one.seen);
        let mut indices: Vec<usize> = seen().map(|seen| seen.class).collect();
        indices.sort_unstable();
        indices.dedup();
        let class = |&index: &usize| {
            let of_class = |seen: &&Seen| seen.class == index;
            let prototypes = Recognition::of(seen().filter(of_class));
            let photographs = Recognition::of(photographs.iter().filter(of_class));
            let name = labels.name(index).to_owned();
            let ratio = ratio(prototypes.zip(photographs).into_iter());
            let controls = control_rows(controls, &[index]);
            ClassRow { index, name, prototypes, photographs, controls, ratio, variety: None }
        };
        let classes: Vec<ClassRow> = indices.iter().map(class).collect();
        let both = classes.iter().filter_map(|class| class.prototypes.zip(class.photographs));
        Self {
            folder,
            made,
            prototypes: Recognition::of(seen()),
            photographs: Recognition::of(photographs.iter().filter(|seen| indices.contains(&seen.class))),
            controls: control_rows(controls, &indices),
            ratio: ratio(both),
            kid: None,
            variety: None,
            classes,
            unmapped,
            each,
        }
    }

    /// The same table with the variety of prototypes, from features of these and of photographs.
    pub(crate) fn with_varieties(mut self, prototypes: &[Featured], photographs: &[Featured]) -> Self {
        let found = varieties(prototypes, photographs);
        self.classes.iter_mut().for_each(|class| class.variety = found.get(&class.index).copied());
        self.variety = mean_variety(&found.into_values().collect::<Vec<_>>());
        self
    }
}

/// A row for each control, over the classes of these indices.
fn control_rows(controls: &[(String, Seen)], classes: &[usize]) -> Vec<ControlRow> {
    let of_classes = || controls.iter().filter(|(_, seen)| classes.contains(&seen.class));
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in of_classes() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let row = |name: &String| {
        let seen = of_classes().filter(|(other, _)| other == name).map(|(_, seen)| seen);
        Some(ControlRow { name: name.clone(), recognition: Recognition::of(seen)? })
    };
    names.into_iter().filter_map(row).collect()
}

/// The ratio of prototypes to photographs. Each class has the same weight, however many images it has.
fn ratio(classes: impl Iterator<Item = (Recognition, Recognition)>) -> Option<f64> {
    let (a, b) = classes.fold((0.0, 0.0), |(a, b), (of, beside)| (a + of.probability, b + beside.probability));
    Some(a / b).filter(|ratio| ratio.is_finite())
}

/// The index of a class in a judge's labels: the class of the same WordNet id if the judge's classes have such ids too, otherwise
/// the class of the same name. If several have the name, it is the one at the same index. A name that only repeats the index, as
/// those of [`Labels::numbered`], is no name.
///
/// # Errors
/// The reason, if the judge does not have the class, or has several of its name, or if either has no names.
pub(crate) fn counterpart(index: usize, class: &Label, judge: &Labels) -> Result<usize> {
    let is_named = |index: usize, label: &Label| label.name != numbered_name(index);
    if !is_named(index, class) {
        let nameless = "the network that made the prototype has no names of its classes";
        return Err(Error::input(nameless).advised("; `protogpu run` with {labels} FILE gives it some"));
    }
    let all = (0..judge.len()).filter_map(|index| Some((index, judge.get(index)?)));
    let judges = || all.clone().filter(|&(index, label)| is_named(index, label));
    if judges().next().is_none() {
        return Err(Error::input("the judge has no names of its classes").advised("; give them with {labels} FILE"));
    }
    let has_ids = judges().any(|(_, label)| label.wnid.is_some());
    if let Some(wnid) = class.wnid.as_ref().filter(|_| has_ids) {
        let found = judges().find(|(_, label)| label.wnid.as_ref() == Some(wnid));
        return found
            .map(|(index, _)| index)
            .ok_or_else(|| Error::input(format!("no class has the WordNet id {wnid}")));
    }
    if judges().any(|(at, label)| at == index && label.name == class.name) {
        return Ok(index);
    }
    let mut named = judges().filter(|(_, label)| label.name == class.name).map(|(index, _)| index);
    let found = match (named.next(), named.next()) {
        (Some(index), None) => Some(index),
        // `find` takes a number for an index.
        _ if class.name.trim().bytes().all(|b| b.is_ascii_digit()) => None,
        _ => judge.find(&class.name).ok().filter(|&found| judges().any(|(index, _)| index == found)),
    };
    found.ok_or_else(|| Error::input(format!("no class, or more than one, is called `{}`", class.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(wnid: Option<&str>, name: &str) -> Label {
        Label { wnid: wnid.map(str::to_owned), name: name.to_owned() }
    }

    fn names(names: &[&str]) -> Labels {
        Labels::from_names(names.iter().map(|&name| name.to_owned()).collect()).unwrap()
    }

    #[test]
    fn ranks_count_larger_logits_and_half_the_ties() {
        let rank = |logits: &[f32], class| Seen::of(logits, class).rank;
        let logits = [1.0, 3.0, 3.0, 0.0, 3.0, 2.0];
        assert_eq!([0, 1, 2, 3, 4, 5].map(|class| rank(&logits, class)), [5.0, 2.0, 2.0, 6.0, 2.0, 4.0]);
        // A network that tells nothing apart recognises nothing.
        assert_eq!(rank(&[0.0; 11], 0), 6.0);
        assert_eq!([rank(&[f32::NAN; 3], 0), rank(&[1.0, f32::NAN, 0.0], 0)], [3.0, 2.0]);
        let seen = Seen::of(&[0.0, libm::logf(3.0)], 1);
        assert!(seen.rank == 1.0 && (seen.probability - 0.75).abs() < 1e-7, "{seen:?}");
    }

    #[test]
    fn shares_have_wilsons_intervals() {
        let ranks = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 9.0];
        let seen = ranks.map(|rank| Seen { class: 0, rank, probability: 1.0 / rank });
        let all = Recognition::of(seen.iter()).unwrap();
        // statsmodels' proportion_confint(8, 10, method="wilson") and (9, 10).
        let known = [(all.top1, [0.8, 0.490_162, 0.943_318]), (all.top5, [0.9, 0.595_850, 0.982_124])];
        for (Interval { value, low, high }, expected) in known {
            for (got, expected) in [value, low, high].into_iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{got} {expected}");
            }
        }
        assert_eq!((all.images, all.rank), (10, 1.85));
        assert!((all.probability - (8.0 + 1.0 / 1.5 + 1.0 / 9.0) / 10.0).abs() < 1e-12);
        assert_eq!(Recognition::of([].iter()), None);
    }

    #[test]
    fn classes_are_mapped_by_wordnet_id() {
        let imagenet = Labels::imagenet();
        for (name, wnid, index) in [("crane", "n02012849", 134), ("crane", "n03126707", 517)] {
            assert_eq!(counterpart(7, &label(Some(wnid), name), &imagenet).unwrap(), index);
        }
        // Another name of the same class, and a class that only shares a name.
        assert_eq!(counterpart(7, &label(Some("n01440764"), "Schleie"), &imagenet).unwrap(), 0);
        let error = counterpart(7, &label(Some("n00000001"), "tench"), &imagenet).unwrap_err().to_string();
        assert_eq!(error, "no class has the WordNet id n00000001");
    }

    #[test]
    fn other_classes_are_mapped_by_name() {
        let judge = names(&["cat", "Golden_Retriever", "crane", "crane", "8", "7"]);
        assert_eq!(counterpart(9, &label(Some("n02123045"), "cat"), &judge).unwrap(), 0);
        assert_eq!(counterpart(0, &label(None, "golden retriever"), &judge).unwrap(), 1);
        assert_eq!(counterpart(3, &label(None, "crane"), &judge).unwrap(), 3);
        assert_eq!(counterpart(0, &label(None, "tench"), &Labels::imagenet()).unwrap(), 0);
        // A name that is a number is a name.
        assert_eq!(counterpart(7, &label(None, "7"), &judge).unwrap(), 5);
        for name in ["3", "crane", "unicorn"] {
            let error = counterpart(0, &label(None, name), &judge).unwrap_err().to_string();
            assert_eq!(error, format!("no class, or more than one, is called `{name}`"));
        }
    }

    #[test]
    fn a_number_is_no_name() {
        let error =
            |index, name, judge: &Labels| counterpart(index, &label(None, name), judge).unwrap_err().to_string();
        let (numbered, partly) = (Labels::numbered(4), names(&["cat", "class 1", "class 3", "dog"]));
        for judge in [&numbered, &partly] {
            assert!(error(3, "class 3", judge).starts_with("the network that made the prototype has no names"));
        }
        assert_eq!(error(0, "cat", &numbered), "the judge has no names of its classes; give them with `labels` FILE");
        for name in ["class 1", "Class 1"] {
            assert_eq!(error(0, name, &partly), format!("no class, or more than one, is called `{name}`"));
        }
        assert_eq!(counterpart(9, &label(None, "class 3"), &partly).unwrap(), 2);
    }

    #[test]
    fn a_group_has_photographs_of_its_own_classes_only() {
        let seen = |class, rank, probability| Seen { class, rank, probability };
        let each = [seen(2, 1.0, 0.9), seen(1, 3.0, 0.3)].map(|seen| PrototypeRow {
            folder: String::new(),
            seen,
            top: Vec::new(),
        });
        let photographs = [seen(2, 1.0, 0.5), seen(0, 9.0, 0.0), seen(2, 6.0, 0.1)];
        let table = |each: Vec<PrototypeRow>, photographs: &[Seen], unmapped| {
            let controls = [("grey", 0, 0.7), ("noise", 2, 0.1), ("grey", 2, 0.2), ("grey", 1, 0.4)];
            let controls = controls.map(|(name, class, probability)| (name.into(), seen(class, 1.0, probability)));
            GroupRow::of("out".into(), 0, each, photographs, &controls, unmapped, &names(&["a", "b", "c"]))
        };
        let unmapped = vec![Unmapped { name: "key".into(), prototypes: 1, reason: "no class".into() }];
        let group = table(each.clone().into(), &photographs, unmapped);
        let (prototypes, beside) = (group.prototypes.unwrap(), group.photographs.unwrap());
        assert_eq!((prototypes.images, beside.images, group.unmapped.len()), (2, 2, 1));
        // Of class 1 there are no photographs, so its prototype does not count.
        assert!((group.ratio.unwrap() - 3.0).abs() < 1e-12);
        let classes: Vec<_> = group.classes.iter().map(|row| (row.index, &row.name[..], row.ratio)).collect();
        assert_eq!(classes, [(1, "b", None), (2, "c", Some(0.9 / 0.3))]);
        // Class 0 has no prototype.
        let found = |controls: &[ControlRow]| -> Vec<(String, usize, f64)> {
            let row = |row: &ControlRow| (row.name.clone(), row.recognition.images, row.recognition.probability);
            controls.iter().map(row).collect()
        };
        let [noise, grey] = ["noise", "grey"].map(str::to_owned);
        assert_eq!(found(&group.controls), [(noise.clone(), 1, 0.1), (grey.clone(), 2, (0.2 + 0.4) / 2.0)]);
        assert_eq!(found(&group.classes[0].controls), [(grey.clone(), 1, 0.4)]);
        assert_eq!(found(&group.classes[1].controls), [(noise, 1, 0.1), (grey, 1, 0.2)]);
        // Classes count equally: (0.9 + 0.3) / (0.3 + 0.2), although three of five photographs are of class 1.
        let more = [&photographs[..], &[seen(1, 1.0, 0.2); 3]].concat();
        let ratio = table(each.into(), &more, Vec::new()).ratio.unwrap();
        assert!((ratio - 2.4).abs() < 1e-12, "{ratio}");
    }
}
