//! The results of a study in sentences.

use super::proportion::Interval;
use super::table::{Comparison, GroupRow, Outcome, Part};

/// The significance level: below it, the sentence says that a difference is more than chance explains.
const LEVEL: f64 = 0.05;

/// A sentence for each class and pair of groups, or for each class of a single group.
pub(crate) fn findings(part: &Part) -> Vec<String> {
    if let [only] = part.groups.as_slice() {
        return only.classes.iter().map(|outcome| alone(only, outcome)).collect();
    }
    part.comparisons.iter().filter_map(|comparison| between(part, comparison)).collect()
}

fn alone(group: &GroupRow, outcome: &Outcome) -> String {
    let (class, name, count) = (&outcome.class, &group.name, group.pictures);
    let Interval { value, low, high } = outcome.accuracy;
    let (value, low, high) = (percent(value), percent(low), percent(high));
    format!("The network classifies {value} of {count} images in {name} as {class} (95 % interval {low} to {high}).")
}

fn between(part: &Part, comparison: &Comparison) -> Option<String> {
    let accuracy = |group: &String| {
        let group = part.groups.iter().find(|row| row.name == *group)?;
        Some(group.classes.iter().find(|outcome| outcome.index == comparison.index)?.accuracy.value)
    };
    let Comparison { first, second, class, .. } = comparison;
    let (a, b) = (percent(accuracy(first)?), percent(accuracy(second)?));
    Some(format!("The network classifies {a} of {first} and {b} of {second} as {class}: {}", comparison.judged()))
}

impl Comparison {
    /// The difference in words: its size, its interval, and whether chance can explain it.
    pub(crate) fn judged(&self) -> String {
        let Interval { value, low, high } = self.accuracy.interval;
        let verdict = match self.accuracy.p_holm < LEVEL {
            true => "more than chance explains",
            false => "which chance can explain",
        };
        let size =
            format!("a difference of {} points (95 % interval {} to {})", points(value), points(low), points(high));
        let probability = format!("{:+.3}", self.probability.interval.value).replace('-', "\u{2212}");
        let (p, of_probability) = (told(self.accuracy.p_holm), told(self.probability.p_holm));
        format!("{size}, {verdict} ({p}); the mean probability differs by {probability} ({of_probability}).")
    }
}

/// A share: `98.8 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A difference of shares in points: `+31.0`.
pub(crate) fn points(difference: f64) -> String {
    // Adding 0 turns -0.0 into 0.0, which is written with a plus.
    let points = (difference * 1000.0).round() / 10.0 + 0.0;
    format!("{points:+.1}").replace('-', "\u{2212}")
}

/// A p-value: `0.0123`, or `< 0.0001`.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// A p-value in a sentence: `p = 0.0123`.
fn told(p: f64) -> String {
    let value = p_value(p);
    if value.starts_with('<') { format!("p {value}") } else { format!("p = {value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([points(0.3104), points(-0.05), points(-0.0001)], ["+31.0", "\u{2212}5.0", "+0.0"]);
        assert_eq!([p_value(3e-9), p_value(0.0001), p_value(1.0)], ["< 0.0001", "0.0001", "1.0000"]);
        assert_eq!([told(3e-9), told(0.01234)], ["p < 0.0001", "p = 0.0123"]);
        assert_eq!(percent(0.98765), "98.8 %");
    }
}
