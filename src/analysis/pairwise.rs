//! How different the images of a class are from each other: the mean pairwise cosine distance of their features,
//!
//! `Σ_{i<j} (1 − x_i·x_j / (|x_i| |x_j|)) / (n(n−1)/2)`.
//!
//! The features are the inputs of a network's last layer, in which a direction says what an image shows, and the norm how strongly. Prototypes
//! maximise a logit, so their norms differ from those of photographs; a Euclidean distance would take that for variety. The cosine distance
//! ignores norms. It is 0 for images with the same features up to a factor. Features behind a ReLU have no negative values, so it is at most 1
//! for these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kid::Featured;

/// How different the prototypes of a class are from each other, beside its photographs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Variety {
    /// The mean pairwise distance of the prototypes.
    pub(crate) prototypes: f64,
    /// That of the photographs; `None` for fewer than two.
    pub(crate) photographs: Option<f64>,
    /// The first divided by the second.
    pub(crate) ratio: Option<f64>,
}

/// The variety of each class with at least two prototypes.
pub(crate) fn varieties(prototypes: &[Featured], photographs: &[Featured]) -> BTreeMap<usize, Variety> {
    let mut beside = by_class(photographs);
    let variety = |(class, features): (usize, Vec<&[f32]>)| {
        let prototypes = mean_distance(&features)?;
        let photographs = beside.remove(&class).and_then(|features| mean_distance(&features));
        Some((
            class,
            Variety { prototypes, photographs, ratio: photographs.and_then(|other| ratio(prototypes, other)) },
        ))
    };
    by_class(prototypes).into_iter().filter_map(variety).collect()
}

/// The mean over classes, each with the same weight. If some classes have photographs, the others do not count, so that both means are of the
/// same classes. `None` for no class.
pub(crate) fn mean_variety(classes: &[Variety]) -> Option<Variety> {
    let both: Vec<(f64, f64)> = classes.iter().filter_map(|one| Some((one.prototypes, one.photographs?))).collect();
    let mean = |values: &mut dyn ExactSizeIterator<Item = f64>| {
        let count = values.len();
        (count > 0).then(|| values.sum::<f64>() / count as f64)
    };
    let photographs = mean(&mut both.iter().map(|both| both.1));
    let prototypes = match photographs {
        Some(_) => mean(&mut both.iter().map(|both| both.0)),
        None => mean(&mut classes.iter().map(|one| one.prototypes)),
    }?;
    Some(Variety { prototypes, photographs, ratio: photographs.and_then(|other| ratio(prototypes, other)) })
}

fn ratio(a: f64, b: f64) -> Option<f64> {
    Some(a / b).filter(|ratio| ratio.is_finite())
}

fn by_class(images: &[Featured]) -> BTreeMap<usize, Vec<&[f32]>> {
    let mut classes: BTreeMap<usize, Vec<&[f32]>> = BTreeMap::new();
    for image in images {
        classes.entry(image.class).or_default().push(&image.features);
    }
    classes
}

/// The mean distance of all pairs; `None` for fewer than two vectors. A vector that is zero or not finite has no direction, and is left out.
/// With unit vectors u, the mean cosine is `(|Σ u|² − n) / (n(n−1))`, which takes one pass over the vectors.
fn mean_distance(vectors: &[&[f32]]) -> Option<f64> {
    let mut sum = vec![0.0; vectors.first()?.len()];
    let mut n = 0.0;
    for vector in vectors {
        let norm = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        if norm > 0.0 && norm.is_finite() {
            sum.iter_mut().zip(*vector).for_each(|(sum, &x)| *sum += f64::from(x) / norm);
            n += 1.0;
        }
    }
    let mean = (sum.iter().map(|x| x * x).sum::<f64>() - n) / (n * (n - 1.0));
    // Equal vectors may differ by a rounding.
    (n > 1.0).then_some((1.0 - mean).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::entangle::cosine;

    fn featured(class: usize, features: &[f32]) -> Featured {
        Featured { class, features: features.to_vec() }
    }

    #[test]
    fn distances_by_hand() {
        // The cosines of the three pairs are 0.6, 0 and 0.8; lengths do not matter.
        let three: [&[f32]; 3] = [&[2.0, 0.0], &[0.3, 0.4], &[0.0, 7.0]];
        let expected = 1.0 - (0.6 + 0.0 + 0.8) / 3.0;
        assert!((mean_distance(&three).unwrap() - expected).abs() < 1e-7);
        assert!((mean_distance(&[&[1.0, 0.0], &[-3.0, 0.0]]).unwrap() - 2.0).abs() < 1e-12);
        assert!(mean_distance(&[&[0.1, 0.7], &[0.2, 1.4], &[0.1, 0.7]]).unwrap() < 1e-7);
        // One direction has no pair.
        assert_eq!(mean_distance(&[&[1.0, 2.0]]), None);
        assert_eq!(mean_distance(&[&[1.0, 2.0], &[0.0, 0.0], &[f32::NAN, 1.0]]), None);
        assert_eq!(mean_distance(&[]), None);
    }

    #[test]
    fn the_mean_is_that_of_every_pair() {
        let value = |at: usize| ((at * 7919 + 13) % 101) as f32 / 50.0 - 0.9;
        let vectors: Vec<Vec<f32>> = (0..9).map(|row| (0..17).map(|at| value(row * 17 + at)).collect()).collect();
        let pairs = (0..9).flat_map(|a| (0..a).map(move |b| (a, b)));
        let distances: Vec<f64> = pairs.map(|(a, b)| 1.0 - cosine(&vectors[a], &vectors[b]).unwrap()).collect();
        let slices: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
        let expected = distances.iter().sum::<f64>() / distances.len() as f64;
        let ours = mean_distance(&slices).unwrap();
        assert!((ours - expected).abs() < 1e-12 && distances.len() == 36, "{ours} {expected}");
    }

    #[test]
    fn classes_have_the_same_weight_beside_their_photographs() {
        let (x, y) = ([1.0, 0.0], [0.0, 1.0]);
        let near = [0.6, 0.8];
        let prototypes =
            [featured(3, &x), featured(1, &x), featured(3, &near), featured(7, &y), featured(1, &y), featured(1, &y)];
        let photographs = [featured(3, &x), featured(3, &y), featured(7, &x), featured(7, &y), featured(9, &x)];
        let found = varieties(&prototypes, &photographs);
        // Class 7 has one prototype.
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1, 3]);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-7;
        let (one, three) = (found[&1], found[&3]);
        assert!(close(one.prototypes, 2.0 / 3.0) && one.photographs.is_none() && one.ratio.is_none(), "{one:?}");
        assert!(close(three.prototypes, 0.4) && close(three.photographs.unwrap(), 1.0), "{three:?}");
        assert!(close(three.ratio.unwrap(), 0.4));
        // Class 1 has no photographs, so both means are of class 3.
        assert_eq!(mean_variety(&[one, three]), Some(three));
        let without = mean_variety(&[one, Variety { photographs: None, ratio: None, ..three }]).unwrap();
        assert!(close(without.prototypes, (2.0 / 3.0 + 0.4) / 2.0) && without.photographs.is_none(), "{without:?}");
        let other = Variety { prototypes: 0.2, photographs: Some(0.5), ratio: Some(0.4) };
        let both = mean_variety(&[three, other]).unwrap();
        // (0.4 + 0.2) / (1 + 0.5), each class once.
        assert!(close(both.ratio.unwrap(), 0.4) && close(both.prototypes, 0.3), "{both:?}");
        assert_eq!(mean_variety(&[]), None);
    }
}
