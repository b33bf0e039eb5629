//! Microbatches: images of a batch that go through transforms and network together, one microbatch after the other, so that their
//! activations take the same memory.

use std::borrow::Cow;
use std::ops::Range;

use super::settings::Settings;
use super::terms::{Step, Terms};
use super::transform_chain::Chain;
use crate::error::Result;
use crate::gpu::{Recording, TensorId, VIEW_ALIGN};
use crate::ops::{ChannelAffine, Tensor};
use crate::shape::{ImageSpec, Shape};

/// On a processor, the most images that go through the network together: with more, what a layer leaves for the next is no longer in
/// its caches when that begins, and on some an image then costs more than alone.
pub const MICROBATCH_IN_SOFTWARE: usize = 8;

/// Some images of a batch, and the tensors of theirs that outlive a step.
pub(super) struct Microbatch {
    /// Which images of the batch.
    pub(super) images: Range<usize>,
    /// `[window,n]` maps of each transform.
    pub(super) maps: Vec<TensorId>,
    /// `[window,n]` rows: the loss, and the terms' columns.
    pub(super) history: TensorId,
    /// The names of the columns.
    pub(super) names: Vec<Cow<'static, str>>,
}

/// What a microbatch goes through.
pub(super) struct Through<'a> {
    pub(super) terms: &'a Terms,
    /// The network as far as the terms need it, the clock, and the terms' weights.
    pub(super) step: Step<'a>,
    pub(super) settings: &'a Settings,
    /// What the warp shows beyond the picture.
    pub(super) fill: Vec<f32>,
    /// What the last transform does to what it writes.
    pub(super) normalize: Option<ChannelAffine>,
    /// The network's images.
    pub(super) network: ImageSpec,
}

impl Through<'_> {
    /// The images of a batch in microbatches: all in one, but on a processor; and in one where an objective is about all.
    pub(super) fn split(&self, batch: Shape) -> Vec<Range<usize>> {
        let software = self.step.choices.capabilities().prefers_texels();
        split(batch, if software && !self.terms.compare_images() { MICROBATCH_IN_SOFTWARE } else { batch.n() })
    }

    /// Appends all that lies between the batch's images `x` and their gradient `dx` for some of them, and writes their losses down.
    pub(super) fn record(
        &self,
        rec: &mut Recording,
        images: Range<usize>,
        x: Tensor,
        dx: Tensor,
    ) -> Result<Microbatch> {
        let (n, clock, terms) = (images.len(), self.step.clock, self.terms);
        let [x, dx] = [x.images(rec, images.clone())?, dx.images(rec, images.clone())?];
        let chain = Chain::new(rec, self.settings, self.network, &self.fill, self.normalize.clone(), [n, clock.steps])?;
        let seen = chain.forward(rec, x, clock)?;
        let ledger = terms.ledger(&self.step, rec, x)?;
        let dseen = terms.through_network(&self.step, rec, &ledger, images.clone(), seen)?;
        chain.backward(rec, dseen, clock, dx)?;
        terms.on_image(rec, &ledger, images.clone(), [x, dx])?;
        ledger.write(rec)?;
        Ok(Microbatch { images, maps: chain.maps(), history: ledger.history, names: ledger.names().to_vec() })
    }
}

/// As few microbatches as there can be of at most `most` images, and as even as they can be; a single one where a view cannot begin
/// with every image that it would have to.
fn split(batch: Shape, most: usize) -> Vec<Range<usize>> {
    let n = batch.n();
    let len = n.div_ceil(n.div_ceil(most));
    let len = if (len * batch.image_len()).is_multiple_of(VIEW_ALIGN) { len } else { n };
    (0..n).step_by(len).map(|first| first..n.min(first + len)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microbatches_are_few_and_even_and_begin_where_a_view_can() {
        let lens = |n, side| split(Shape::new(n, 3, side, side), 8).iter().map(Range::len).collect::<Vec<_>>();
        assert_eq!([lens(1, 224), lens(8, 224)], [[1], [8]]);
        assert_eq!(lens(9, 224), [5, 4]);
        assert_eq!(lens(17, 224), [6, 6, 5]);
        assert_eq!(lens(64, 224), [8; 8]);
        // 8 pictures of 3 x 30 x 30 are 21,600 numbers, no multiple of 64; 16 of 3 x 2 x 2 in eights are 96.
        assert_eq!([lens(16, 30), lens(16, 2)], [[16], [16]]);
        assert_eq!(split(Shape::new(10, 3, 224, 224), 8), [0..5, 5..10]);
    }
}
