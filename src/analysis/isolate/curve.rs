//! Curves of a class's probability while pixels are inserted or deleted.

use serde::Serialize;

/// A class's probability at shares of an image, from no pixel to all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Curve {
    pub(crate) shares: Vec<f64>,
    pub(crate) probabilities: Vec<f64>,
}

impl Curve {
    /// The area under the curve by trapezoids: 1 if the class is certain throughout (Petsiuk, Das and Saenko 2018, "RISE: randomized input
    /// sampling for explanation of black-box models").
    pub(crate) fn area(&self) -> f64 {
        let points: Vec<(f64, f64)> = self.shares.iter().copied().zip(self.probabilities.iter().copied()).collect();
        points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * 0.5 * (pair[0].1 + pair[1].1)).sum()
    }
}

/// The first share of a curve at which the class has at least the probability `least`, and the share before it, between which the
/// smallest such share lies. `None` if there is none.
pub(crate) fn smallest_share(curve: &Curve, least: f64) -> Option<[f64; 2]> {
    let at = curve.probabilities.iter().position(|&probability| probability >= least)?;
    Some([curve.shares[at.saturating_sub(1)], curve.shares[at]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(f64, f64)]) -> Curve {
        let (shares, probabilities) = points.iter().copied().unzip();
        Curve { shares, probabilities }
    }

    #[test]
    fn the_area_is_that_of_the_trapezoids() {
        assert_eq!(curve(&[(0.0, 1.0), (1.0, 1.0)]).area(), 1.0);
        assert_eq!(curve(&[(0.0, 0.0), (0.25, 1.0), (1.0, 1.0)]).area(), 0.875);
        assert_eq!(curve(&[(0.0, 1.0), (0.5, 0.0), (1.0, 0.5)]).area(), 0.375);
    }

    #[test]
    fn the_smallest_share_is_the_first_that_suffices() {
        let curve = curve(&[(0.0, 0.1), (0.1, 0.4), (0.2, 0.8), (0.5, 0.6), (1.0, 0.9)]);
        assert_eq!(smallest_share(&curve, 0.7), Some([0.1, 0.2]));
        assert_eq!(smallest_share(&curve, 0.05), Some([0.0, 0.0]));
        assert_eq!(smallest_share(&curve, 0.95), None);
    }
}
