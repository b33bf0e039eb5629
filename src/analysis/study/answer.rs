//! A network's answer for each image.

use crate::analysis::softmax;
use crate::error::{Error, Result};

/// A network's answer for one image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// The image's name within its group. Images with the same name in two groups are a pair.
    pub(crate) picture: String,
    /// The likeliest class.
    pub(crate) top: usize,
    /// Its probability.
    pub(crate) top_probability: f64,
    /// The probabilities of the requested classes, in their order.
    pub(crate) probabilities: Vec<f64>,
}

/// A group of images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// Its name.
    pub(crate) name: String,
    /// The folder of the images; `None` if they were drawn.
    pub(crate) folder: Option<String>,
    /// One answer per readable image.
    pub(crate) answers: Vec<Answer>,
}

/// The answer for `classes`, from logits. Of equally likely classes, the first counts as the likeliest.
///
/// # Errors
/// If a logit is NaN or infinite.
pub(crate) fn answer(picture: String, logits: &[f32], classes: &[usize]) -> Result<Answer> {
    if let Some(class) = logits.iter().position(|logit| !logit.is_finite()) {
        let logit = logits[class];
        return Err(Error::NotFinite(format!(
            "the logit of class {class} is {logit} for {picture}: the network's output is not finite; use other weights"
        )));
    }
    let probabilities = softmax(logits);
    let top = (0..logits.len()).fold(0, |top, class| if logits[class] > logits[top] { class } else { top });
    let asked = classes.iter().map(|&class| probabilities[class]).collect();
    Ok(Answer { picture, top, top_probability: probabilities[top], probabilities: asked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_the_answer() {
        let said = answer("a".into(), &[1.0, 3.0, 3.0, 0.0], &[2, 0]).unwrap();
        assert_eq!((said.top, said.probabilities.len()), (1, 2));
        assert!((said.top_probability - said.probabilities[0]).abs() < 1e-15);
        assert!(said.probabilities[0] > said.probabilities[1]);
        let error = answer("a.png".into(), &[1.0, f32::NAN], &[0]).unwrap_err().to_string();
        assert!(error.contains("class 1 is NaN for a.png"), "{error}");
    }
}
