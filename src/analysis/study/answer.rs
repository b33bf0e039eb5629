//! What a network says of each picture.

use std::path::PathBuf;

use crate::analysis::similarity::Streamed;
use crate::analysis::{Classifier, softmax};
use crate::error::{Error, Result};

/// What a network says of one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What the picture is called within its group; pairs are pictures of one name.
    pub picture: String,
    /// The likeliest class.
    pub top: usize,
    /// Its probability.
    pub top_probability: f64,
    /// Of the classes that are asked for, in their order.
    pub probabilities: Vec<f64>,
}

/// Pictures that have something in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// Where the pictures are; none if they were drawn.
    pub folder: Option<String>,
    /// One for each picture that could be read.
    pub answers: Vec<Answer>,
}

/// The answer that logits are, where `classes` are asked for; the first of equally likely classes is the likeliest.
///
/// # Errors
/// If a logit is NaN or infinite.
pub fn answer(picture: String, logits: &[f32], classes: &[usize]) -> Result<Answer> {
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

/// The answers of pictures in files, which are called by `names`; those that cannot be read are listed. `progress` hears of
/// each batch's number of pictures, and may end the work with an error.
///
/// # Errors
/// As [`answer`], if the device is lost, or if `progress` returns one.
pub fn classify_files(
    classifier: &Classifier,
    paths: &[PathBuf],
    names: &[String],
    classes: &[usize],
    progress: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Streamed<Answer>> {
    let mut seen = Vec::with_capacity(paths.len());
    let unreadable = classifier.stream(paths, |batch| {
        let count = batch.len();
        for (index, logits) in batch {
            seen.push((index, answer(names[index].clone(), &logits, classes)?));
        }
        progress(count)
    })?;
    Ok(Streamed { seen, unreadable })
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
