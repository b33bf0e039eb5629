//! The likeliest classes, as records and reports list them.

use crate::analysis::similarity::Likely;
use crate::analysis::softmax;
use crate::labels::Labels;
use serde::{Deserialize, Serialize};

/// A class with its probability and logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Top {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) probability: f32,
    pub(crate) logit: f32,
}

impl From<Top> for Likely {
    fn from(top: Top) -> Self {
        Self { index: top.index, name: top.name, probability: f64::from(top.probability) }
    }
}

/// The `count` classes with the highest logits and their softmax probabilities. Equal classes stay in order.
pub(crate) fn top(logits: &[f32], count: usize, labels: &Labels) -> Vec<Top> {
    let probabilities = softmax(logits);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    let entry = |index: usize| Top {
        index,
        name: labels.name(index).to_owned(),
        probability: probabilities[index] as f32,
        logit: logits[index],
    };
    order.into_iter().take(count).map(entry).collect()
}

/// A probability as text: `97.30 %`.
pub(crate) fn percent(probability: f32) -> String {
    format!("{:.2} %", 100.0 * probability)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_first_and_probabilities_sum_to_one() {
        let all = top(&[1.0, 3.0, 3.0, -100.0, 200.0, 199.0], 9, &Labels::numbered(6));
        let order: Vec<usize> = all.iter().map(|t| t.index).collect();
        assert_eq!(order, [4, 5, 1, 2, 0, 3]);
        assert_eq!(all[0].name, "class 4");
        assert!((all[0].probability - 0.731_058_6).abs() < 1e-6);
        assert!((all.iter().map(|t| t.probability).sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(top(&[0.0; 4], 2, &Labels::numbered(4)).len(), 2);
    }
}
