//! Grad-CAM: which positions of the last layer that has positions speak for a class.

use crate::analysis::count_images;
use crate::error::{Error, Result};
use crate::gpu::{Context, Plan, Recording};
use crate::graph::{NodeId, Retain};
use crate::networks::Network;
use crate::ops::{ConvAlgorithms, Tensor};
use crate::shape::Shape;

/// A network's forward pass, and the backward pass to the last node whose output has positions.
pub(crate) struct GradCam {
    plan: Plan,
    input: Tensor,
    dlogits: Tensor,
    features: Tensor,
    dfeatures: Tensor,
    layer: String,
}

impl GradCam {
    /// Plans both passes for batches of up to `batch` images.
    ///
    /// # Errors
    /// If no node has positions, or the adapter does not have enough memory.
    pub(crate) fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        // Nothing is fused, as in `analysis::gradient`.
        let graph = network.graph();
        let last = (1..graph.nodes().len()).rev().find(|&at| graph.nodes()[at].shape.plane_len() > 1);
        let last = NodeId(last.ok_or_else(|| Error::input(format!("{network:?} has no layer with positions")))?);
        let (head, tail) = (graph.truncated(&[last]), graph.after(last)?);
        let algorithms = ConvAlgorithms::plain(context.capabilities());
        let mut rec = Recording::new();
        let input = Tensor::kept(&mut rec, "pixels", network.image().batch(batch.max(1)));
        let dlogits = Tensor::kept(&mut rec, "dlogits", Shape::new(batch.max(1), network.classes(), 1, 1));
        rec.section("step");
        let features = head.record_forward(&mut rec, &algorithms, input, Retain::All)?.of(head.output());
        let acts = tail.record_forward(&mut rec, &algorithms, features, Retain::All)?;
        let dfeatures = tail.record_backward(&mut rec, &algorithms, &acts, dlogits)?;
        let layer = graph.node(last).name.clone();
        Ok(Self { plan: Plan::new(context, rec)?, input, dlogits, features, dfeatures, layer })
    }

    /// The name of the node.
    pub(crate) fn layer(&self) -> &str {
        &self.layer
    }

    /// Rows and columns of a map.
    pub(crate) fn grid(&self) -> [usize; 2] {
        [self.features.shape.h(), self.features.shape.w()]
    }

    /// The map of each image for its class, `[h,w]`: `Σ_c α_c A_c`, where A are the node's activations and `α_c` is the mean over positions
    /// of the logit's gradient with respect to `A_c` (Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via
    /// gradient-based localization"). The ReLU that follows there is left out: in an order it would only make negative values equal.
    /// Blocks.
    ///
    /// # Errors
    /// If `pixels` are not one to `batch` whole images, there is not a class for each, or the device is lost.
    pub(crate) fn of(&self, pixels: &[f32], classes: &[usize]) -> Result<Vec<Vec<f32>>> {
        let count = count_images(pixels, self.input.shape, self.input.shape.n())?;
        let k = self.dlogits.shape.c();
        if classes.len() != count || classes.iter().any(|&class| class >= k) {
            return Err(Error::input(format!("classes {classes:?} of {k} are not one for each of {count} images")));
        }
        let mut weights = vec![0.0f32; self.dlogits.shape.len()];
        classes.iter().enumerate().for_each(|(image, class)| weights[image * k + class] = 1.0);
        self.plan.write(self.input.id, pixels)?;
        self.plan.write(self.dlogits.id, &weights)?;
        self.plan.submit("step", 1);
        let [a, da] = [self.features, self.dfeatures].map(|tensor| self.plan.read(tensor.id));
        let (len, plane) = (self.features.shape.image_len(), self.features.shape.plane_len());
        let map = |(a, da): (&[f32], &[f32])| {
            let mut map = vec![0.0f64; plane];
            for (a, da) in a.chunks_exact(plane).zip(da.chunks_exact(plane)) {
                let alpha = da.iter().map(|&x| f64::from(x)).sum::<f64>() / plane as f64;
                map.iter_mut().zip(a).for_each(|(sum, &a)| *sum += alpha * f64::from(a));
            }
            map.into_iter().map(|x| x as f32).collect()
        };
        Ok(a?.chunks_exact(len).zip(da?.chunks_exact(len)).take(count).map(map).collect())
    }
}
