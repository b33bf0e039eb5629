//! Insertion and deletion of several orders of the same images.

use serde::Serialize;

use super::curve::Curve;
use crate::analysis::study::{Interval, Resampling, bootstrap_mean, sign_flips};

/// A way to order the pixels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Method {
    Isolation,
    /// Grad-CAM (Selvaraju et al. 2017).
    GradCam,
    /// The largest magnitude of the gradient over the channels (Simonyan et al. 2014).
    Gradient,
}

impl Method {
    /// The methods that are compared, ours first.
    pub(crate) const ALL: [Self; 3] = [Self::Isolation, Self::GradCam, Self::Gradient];

    /// The name on pages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::GradCam => "Grad-CAM",
            Self::Gradient => "gradient",
        }
    }
}

/// What a method's order of an image gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measured {
    pub(crate) method: Method,
    /// The probability while the first pixels are shown on the blurred image, and the area under it: higher is better.
    pub(crate) insertion: Curve,
    pub(crate) insertion_area: f64,
    /// The probability while the first pixels are replaced by the mean colour, and the area under it: lower is better.
    pub(crate) deletion: Curve,
    pub(crate) deletion_area: f64,
}

impl Measured {
    pub(crate) fn new(method: Method, insertion: Curve, deletion: Curve) -> Self {
        let [insertion_area, deletion_area] = [insertion.area(), deletion.area()];
        Self { method, insertion, insertion_area, deletion, deletion_area }
    }
}

/// A method over all images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Compared {
    pub(crate) method: Method,
    pub(crate) name: &'static str,
    /// The mean areas, with bootstrap intervals.
    pub(crate) insertion: Interval,
    pub(crate) deletion: Interval,
    /// By how much isolation is better, image by image: its insertion less the method's, and the method's deletion less its own. With
    /// bootstrap intervals and the p-values of sign flips; `None` for isolation itself.
    pub(crate) insertion_gain: Option<Interval>,
    pub(crate) insertion_p: Option<f64>,
    pub(crate) deletion_gain: Option<Interval>,
    pub(crate) deletion_p: Option<f64>,
}

/// The methods over the same images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Comparison {
    pub(crate) images: usize,
    pub(crate) methods: Vec<Compared>,
}

impl Comparison {
    /// Compares the methods on images that each have all of them, in the order of [`Method::ALL`]. `None` without images.
    pub(crate) fn of(images: &[&[Measured]], resampling: Resampling) -> Option<Self> {
        if images.is_empty() {
            return None;
        }
        let areas = |method: usize| -> [Vec<f64>; 2] {
            let area = |of: fn(&Measured) -> f64| images.iter().map(|image| of(&image[method])).collect();
            [area(|one| one.insertion_area), area(|one| one.deletion_area)]
        };
        let own = areas(0);
        let methods = Method::ALL.into_iter().enumerate().map(|(at, method)| {
            let [insertion, deletion] = areas(at);
            let less = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
            let gains = (at > 0).then(|| [less(&own[0], &insertion), less(&deletion, &own[1])]);
            let [insertion_gain, deletion_gain] =
                [0, 1].map(|which| gains.as_ref().map(|gains| bootstrap_mean(&gains[which], resampling)));
            let [insertion_p, deletion_p] =
                [0, 1].map(|which| gains.as_ref().map(|gains| sign_flips(&gains[which], resampling)));
            let [insertion, deletion] = [insertion, deletion].map(|areas| bootstrap_mean(&areas, resampling));
            let name = method.name();
            Compared { method, name, insertion, deletion, insertion_gain, insertion_p, deletion_gain, deletion_p }
        });
        Some(Self { images: images.len(), methods: methods.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(method: Method, insertion: f64, deletion: f64) -> Measured {
        let flat = |value: f64| Curve { shares: vec![0.0, 1.0], probabilities: vec![value; 2] };
        Measured::new(method, flat(insertion), flat(deletion))
    }

    #[test]
    fn gains_are_paired_and_positive_where_isolation_is_better() {
        let image = |shift: f64| {
            let of = [(0.5, 0.125), (0.25, 0.25), (0.625, 0.125)];
            let all = Method::ALL.into_iter().zip(of);
            all.map(|(method, (insertion, deletion))| measured(method, insertion + shift, deletion + shift)).collect()
        };
        let images: Vec<Vec<Measured>> = [0.0, 0.25, 0.125].map(image).to_vec();
        let images: Vec<&[Measured]> = images.iter().map(Vec::as_slice).collect();
        let found = Comparison::of(&images, Resampling { count: 200, seed: 0 }).unwrap();
        let [own, cam, gradient] = &found.methods[..] else { panic!("{found:?}") };
        assert_eq!((found.images, own.insertion.value, own.insertion_gain), (3, 0.625, None));
        let exactly = |value| Some(Interval { value, low: value, high: value });
        assert_eq!((cam.insertion_gain, cam.deletion_gain), (exactly(0.25), exactly(0.125)));
        assert_eq!((gradient.insertion_gain, gradient.deletion_gain), (exactly(-0.125), exactly(0.0)));
        assert_eq!((cam.insertion_p, gradient.deletion_p), (Some(0.25), Some(1.0)));
        assert!(own.insertion.low < 0.625 && own.insertion.high > 0.625);
        assert_eq!(Comparison::of(&[], Resampling { count: 200, seed: 0 }), None);
    }
}
