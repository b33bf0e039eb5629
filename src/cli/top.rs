//! The likeliest classes, as `classify` prints them and `run.json` records them.

use serde::Serialize;

/// A class with what the network gives it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Top {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) probability: f32,
    pub(crate) logit: f32,
}

/// The `count` classes of the highest logits, the first of equals first, with their softmax probabilities.
pub(crate) fn top(logits: &[f32], count: usize, name: impl Fn(usize) -> String) -> Vec<Top> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp = |logit: f32| f64::from(logit - highest).exp();
    let sum: f64 = logits.iter().map(|&logit| exp(logit)).sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    let entry = |index: usize| Top {
        index,
        name: name(index),
        probability: (exp(logits[index]) / sum) as f32,
        logit: logits[index],
    };
    order.into_iter().take(count).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_first_and_probabilities_sum_to_one() {
        let all = top(&[1.0, 3.0, 3.0, -100.0, 200.0, 199.0], 9, |index| format!("c{index}"));
        let order: Vec<usize> = all.iter().map(|t| t.index).collect();
        assert_eq!(order, [4, 5, 1, 2, 0, 3]);
        assert_eq!(all[0].name, "c4");
        assert!((all[0].probability - 0.731_058_6).abs() < 1e-6);
        assert!((all.iter().map(|t| t.probability).sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(top(&[0.0; 4], 2, |_| String::new()).len(), 2);
    }
}
