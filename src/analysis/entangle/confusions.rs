//! What a network takes photographs of a class for, and how often lists of candidates say so beforehand.

use serde::Serialize;

use super::numbers::log_softmax;
use crate::analysis::study::Interval;
use crate::analysis::study::proportion::Count;
use crate::labels::Labels;

/// The number of first candidates among which the most frequent confusion counts as found.
pub(crate) const TOP: usize = 3;

/// What a network takes the photographs of a class for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Confusions {
    pub(crate) photographs: usize,
    /// Those with a larger logit than the class's own.
    pub(crate) wrong: usize,
    /// The wrong classes, the most frequent first. Of equally frequent ones, the first has the higher mean probability.
    pub(crate) classes: Vec<Confused>,
}

/// A class that photographs of another class are taken for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Confused {
    pub(crate) index: usize,
    pub(crate) name: String,
    /// The number of photographs whose largest logit is that of this class.
    pub(crate) count: usize,
    /// The mean softmax probability over all photographs of the class.
    pub(crate) probability: f64,
}

impl Confusions {
    /// Of the logits `[K]` of each photograph of `class`.
    pub(crate) fn of(class: usize, logits: &[Vec<f32>], labels: &Labels) -> Self {
        let (mut counts, mut sums) = (vec![0; labels.len()], vec![0.0; labels.len()]);
        for logits in logits {
            // The own class wins ties; of others the first.
            let best = (0..logits.len()).fold(class, |best, at| if logits[at] > logits[best] { at } else { best });
            counts[best] += 1;
            for (sum, log) in sums.iter_mut().zip(log_softmax(logits)) {
                *sum += libm::exp(log);
            }
        }
        let confused = |index: usize| Confused {
            index,
            name: labels.name(index).to_owned(),
            count: counts[index],
            probability: sums[index] / logits.len() as f64,
        };
        let wrong = (0..labels.len()).filter(|&index| index != class && counts[index] > 0);
        let mut classes: Vec<Confused> = wrong.map(confused).collect();
        classes.sort_by(|a, b| b.count.cmp(&a.count).then(b.probability.total_cmp(&a.probability)));
        Self { photographs: logits.len(), wrong: classes.iter().map(|class| class.count).sum(), classes }
    }

    /// The most frequent confusion; `None` if every photograph is taken for what it is.
    pub(crate) fn most(&self) -> Option<&Confused> {
        self.classes.first()
    }
}

/// How often the most frequent confusion of a class is among its first candidates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Check {
    /// The number of first candidates that count.
    pub(crate) top: usize,
    /// The classes that the network confuses with another one. Only these count.
    pub(crate) classes: usize,
    /// The classes whose photographs are all taken for what they are.
    pub(crate) without_confusion: usize,
    /// The classes without photographs.
    pub(crate) without_photographs: usize,
    pub(crate) measures: Vec<Measure>,
    /// The share with the list of another class, as the mean over all other classes: what a list has that is not of its class.
    pub(crate) another_class: Option<f64>,
    /// The share with classes drawn at random.
    pub(crate) chance: f64,
}

/// A way to order candidates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measure {
    pub(crate) name: String,
    pub(crate) hits: usize,
    /// The share of classes, with Wilson's 95 % interval.
    pub(crate) share: Interval,
}

/// A way to order candidates, with its list for each class: the likeliest first, without the class itself.
pub(crate) struct Lists {
    pub(crate) measure: &'static str,
    pub(crate) of_classes: Vec<Vec<usize>>,
}

impl Check {
    /// From the photographs of each class, `None` if there are none, and lists, of which the first is compared with those of other
    /// classes. `count` is the number of the network's classes.
    pub(crate) fn of(confusions: &[Option<&Confusions>], lists: &[Lists], count: usize) -> Self {
        let found = |list: &[usize], most: usize| list.iter().take(TOP).any(|&index| index == most);
        let most: Vec<(usize, usize)> = (confusions.iter().enumerate())
            .filter_map(|(at, confusions)| Some((at, (*confusions)?.most()?.index)))
            .collect();
        let measure = |lists: &Lists| {
            let hits = most.iter().filter(|&&(at, most)| found(&lists.of_classes[at], most)).count();
            let share = Count { hits, of: most.len() }.wilson();
            Measure { name: lists.measure.to_owned(), hits, share }
        };
        let others = most.iter().flat_map(|&(at, most)| {
            let lists = lists.first().map_or(&[][..], |lists| &lists.of_classes).iter().enumerate();
            lists.filter(move |&(other, _)| other != at).map(move |(_, list)| found(list, most))
        });
        let others: Vec<bool> = others.collect();
        let share = others.iter().filter(|found| **found).count() as f64 / others.len() as f64;
        let photographed = confusions.iter().flatten().count();
        Self {
            top: TOP,
            classes: most.len(),
            without_confusion: photographed - most.len(),
            without_photographs: confusions.len() - photographed,
            // Without a class there is no share.
            measures: lists.iter().filter(|_| !most.is_empty()).map(measure).collect(),
            another_class: Some(share).filter(|share| share.is_finite()),
            chance: (TOP as f64 / count.saturating_sub(1).max(1) as f64).min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(best: &[usize]) -> Vec<Vec<f32>> {
        best.iter().map(|&best| (0..5).map(|at| if at == best { 2.0 } else { at as f32 * 0.1 }).collect()).collect()
    }

    #[test]
    fn the_most_frequent_confusion_comes_first() {
        let labels = Labels::numbered(5);
        let found = Confusions::of(1, &logits(&[1, 1, 0, 4, 3, 0, 4]), &labels);
        let counts: Vec<_> = found.classes.iter().map(|class| (class.index, class.count)).collect();
        // 0 and 4 are equally frequent, but 4 is the likelier one on the other photographs.
        assert_eq!((found.photographs, found.wrong, counts), (7, 5, vec![(4, 2), (0, 2), (3, 1)]));
        assert!(found.classes[0].probability > found.classes[1].probability);
        let right = Confusions::of(1, &logits(&[1, 1]), &labels);
        assert_eq!((right.wrong, right.most()), (0, None));
        // A class that shares the largest logit is not confused.
        assert_eq!(Confusions::of(2, &[vec![1.0; 5]], &labels).wrong, 0);
    }

    #[test]
    fn shares_are_of_classes_with_a_confusion() {
        let labels = Labels::numbered(5);
        let of = |class, best: &[usize]| Confusions::of(class, &logits(best), &labels);
        let (a, b, c) = (of(0, &[3, 3, 0]), of(1, &[2, 1]), of(2, &[2]));
        let first = Lists {
            measure: "first",
            of_classes: vec![vec![1, 2, 3, 4], vec![0, 3, 4, 2], vec![3, 0, 1, 4], vec![3, 1, 0, 2]],
        };
        let second = Lists { measure: "second", of_classes: vec![vec![4], vec![2], vec![], vec![]] };
        let check = Check::of(&[Some(&a), Some(&b), Some(&c), None], &[first, second], 5);
        assert_eq!((check.classes, check.without_confusion, check.without_photographs), (2, 1, 1));
        let hits: Vec<_> = check.measures.iter().map(|measure| (&measure.name[..], measure.hits)).collect();
        assert_eq!(hits, [("first", 1), ("second", 1)]);
        assert_eq!((check.measures[0].share.value, check.chance), (0.5, 0.75));
        // 3 is in the lists of 1, 2 and 3, and 2 in that of 0.
        assert_eq!(check.another_class, Some(4.0 / 6.0));
        let none = Check::of(&[Some(&c)], &[], 5);
        assert_eq!((none.classes, none.measures.len(), none.another_class), (0, 0, None));
    }
}
