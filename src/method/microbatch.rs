//! Microbatches: parts of a batch that go through transforms and network one after the other, so that they share the memory for
//! activations. With several views, each part goes through once for each view.

use std::borrow::Cow;
use std::ops::Range;

use super::settings::Settings;
use super::terms::{Step, Terms};
use super::transform_chain::Chain;
use crate::error::Result;
use crate::gpu::{Recording, TensorId, VIEW_ALIGN};
use crate::ops::{ChannelAffine, GradEpilogue, Tensor, finish_gradient};
use crate::shape::{ImageSpec, Shape};

/// The largest microbatch on a software adapter. With more images, the output of a layer no longer fits in the processor's caches
/// when the next layer reads it; on some processors an image then takes longer than alone.
pub const MICROBATCH_IN_SOFTWARE: usize = 8;

/// Some images of a batch in one view, and their tensors that outlive a step.
pub(super) struct Microbatch {
    /// The images' indices in the batch.
    pub(super) images: Range<usize>,
    /// The view.
    pub(super) view: u64,
    /// Whether it belongs to the coarse steps.
    pub(super) coarse: bool,
    /// For each transform, maps `[window,n]`.
    pub(super) maps: Vec<TensorId>,
    /// Rows `[window,n]`: the loss, and the columns of the terms.
    pub(super) history: TensorId,
    /// The names of the columns.
    pub(super) names: Vec<Cow<'static, str>>,
}

/// The parts of a step that every microbatch goes through.
pub(super) struct Through<'a> {
    pub(super) terms: &'a Terms,
    /// The network up to the last node that the terms read, the clock, and the weights of the terms.
    pub(super) step: Step<'a>,
    pub(super) settings: &'a Settings,
    /// The colour outside the image, one value per channel.
    pub(super) fill: Vec<f32>,
    /// Normalisation, which the last transform applies to its output.
    pub(super) normalize: Option<ChannelAffine>,
    /// The network's images, at their full size.
    pub(super) network: ImageSpec,
    /// Whether the network gets them at half this size.
    pub(super) coarse: bool,
}

impl Through<'_> {
    /// The microbatches of a batch. A graphics card gets the whole batch at once, and so does a term that compares images.
    pub(super) fn split(&self, batch: Shape) -> Vec<Range<usize>> {
        let software = self.step.algorithms.capabilities().prefers_texels();
        split(batch, if software && !self.terms.compare_images() { MICROBATCH_IN_SOFTWARE } else { batch.n() })
    }

    /// For some images of the batch, appends the commands from the images `x` to their gradient `dx`, which is the sum over the views, and
    /// those that write the history. Returns a microbatch for each view.
    pub(super) fn record(
        &self,
        rec: &mut Recording,
        images: Range<usize>,
        x: Tensor,
        dx: Tensor,
    ) -> Result<Vec<Microbatch>> {
        let [x, dx] = [x.images(rec, images.clone())?, dx.images(rec, images.clone())?];
        let views = u64::from(self.settings.views);
        let mut sum: Option<Tensor> = None;
        let mut microbatches = Vec::new();
        for view in 0..views {
            let last = view + 1 == views;
            let of_view = if views == 1 { dx } else { Tensor::transient(rec, "dview", x.shape) };
            microbatches.push(self.view(rec, view, images.clone(), x, of_view)?);
            sum = Some(match sum {
                None => of_view,
                Some(before) => {
                    let to = if last { dx } else { Tensor::transient(rec, "dviews", x.shape) };
                    let epilogue = GradEpilogue { add: Some(before.id), mask: None };
                    finish_gradient(rec, "views", of_view, to, epilogue)?;
                    to
                }
            });
        }
        Ok(microbatches)
    }

    fn view(&self, rec: &mut Recording, view: u64, images: Range<usize>, x: Tensor, dx: Tensor) -> Result<Microbatch> {
        let (n, clock, terms, coarse) = (images.len(), self.step.clock, self.terms, self.coarse);
        let normalize = self.normalize.clone();
        let chain = Chain::new(rec, self.settings, self.network, &self.fill, normalize, [n, clock.steps], coarse)?;
        let input = chain.forward(rec, x, clock)?;
        let ledger = terms.ledger(&self.step, rec, x)?;
        let dinput = terms.through_network(&self.step, rec, &ledger, images.clone(), input)?;
        chain.backward(rec, dinput, clock, dx)?;
        terms.on_image(rec, &ledger, images.clone(), [x, dx])?;
        ledger.write(rec)?;
        let (maps, history, names) = (chain.maps(), ledger.history, ledger.names().to_vec());
        Ok(Microbatch { images, view, coarse, maps, history, names })
    }
}

/// As few microbatches of at most `most` images as possible, of even sizes. A view must begin at a multiple of [`VIEW_ALIGN`]; if the
/// first images of microbatches would not, the batch stays whole.
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
        // 8 images of 3 x 30 x 30 have 21,600 elements, and 8 of 3 x 2 x 2 have 96: neither is a multiple of 64.
        assert_eq!([lens(16, 30), lens(16, 2)], [[16], [16]]);
        assert_eq!(split(Shape::new(10, 3, 224, 224), 8), [0..5, 5..10]);
    }
}
