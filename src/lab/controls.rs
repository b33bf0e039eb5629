//! Controls: images that show nothing of a class. A measure of how well prototypes show their class must be lower for them.

use super::pictures::blurred;
use crate::method::draws::uniform_image;
use crate::shape::ImageSpec;

/// The controls of every class.
pub(crate) const CONTROLS: [&str; 4] = ["noise", "grey", "mean", "blurred-mean"];
/// The standard deviation of the blur of the mean image, as a fraction of the side.
const BLUR: f32 = 1.0 / 16.0;

/// An image that is measured beside a class's prototypes.
pub(crate) struct Control {
    pub(crate) name: String,
    /// `[C,H,W]` in `[0,1]`.
    pub(crate) pixels: Vec<f32>,
}

/// The controls of a class: uniform noise, flat grey, the mean image of its photographs, and the mean image blurred.
pub(crate) fn controls(class: usize, seed: u64, mean: &[f32], image: ImageSpec) -> impl Iterator<Item = Control> {
    let blurred = blurred(mean, image, BLUR);
    let made = [uniform_image(seed, class, mean.len()), vec![0.5; mean.len()], mean.to_vec(), blurred];
    CONTROLS.into_iter().zip(made).map(|(name, pixels)| Control { name: name.to_owned(), pixels })
}

/// The mean of images that are added one after the other, in f64.
#[derive(Default)]
pub(crate) struct MeanImage {
    sum: Vec<f64>,
    count: usize,
}

impl MeanImage {
    /// Adds the pixels of an image, `[C,H,W]`.
    pub(crate) fn add(&mut self, pixels: &[f32]) {
        self.sum.resize(pixels.len(), 0.0);
        self.sum.iter_mut().zip(pixels).for_each(|(sum, &x)| *sum += f64::from(x));
        self.count += 1;
    }

    /// The mean; `None` without images.
    pub(crate) fn mean(&self) -> Option<Vec<f32>> {
        (self.count > 0).then(|| self.sum.iter().map(|sum| (sum / self.count as f64) as f32).collect())
    }
}
