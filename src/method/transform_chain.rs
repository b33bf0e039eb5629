//! The transforms between the image and the network as commands, and their maps of a step. Each is an affine map of its own, from
//! extents to extents, sampled bilinearly: what Lucent composes is no single map, since every part fills and cuts.

use super::draws::Warp;
use super::settings::Settings;
use super::transforms::{Transform, scaled};
use crate::error::Result;
use crate::gpu::{Recording, TensorId};
use crate::ops::{AffineWarp, ChannelAffine, Clock, Interpolation, Tensor};
use crate::shape::Shape;

/// A map of one image at one step, see [`AffineWarp::row`].
pub(crate) type Map = [f32; AffineWarp::ROW];

struct Stage {
    warp: AffineWarp,
    /// `[window,N]` maps.
    maps: TensorId,
    /// The longest side behind it.
    side: usize,
}

/// What an image goes through, with what is needed to record it.
pub(super) struct Chain {
    stages: Vec<Stage>,
}

impl Chain {
    /// For `n` images and `window` steps. The last stage normalizes and has the network's side.
    pub(super) fn new(
        rec: &mut Recording,
        settings: &Settings,
        fill: [f32; 3],
        normalize: Option<ChannelAffine>,
        network_side: usize,
        [n, window]: [usize; 2],
    ) -> Result<Self> {
        let sides = settings.transforms.sides(settings.image_side as usize)?;
        let mut stages: Vec<Stage> = Vec::new();
        let mut push = |fill: [f32; 3], interpolation, side| {
            let warp = AffineWarp { interpolation, fill: fill.to_vec(), normalize: None };
            let maps = rec.kept(format!("theta {}", stages.len()), window * n * AffineWarp::ROW);
            stages.push(Stage { warp, maps, side });
        };
        for (transform, &side) in settings.transforms.0.iter().zip(&sides[1..]) {
            match transform {
                Transform::Affine => push(fill, settings.interpolation, side),
                Transform::Pad { value, .. } => push([*value as f32; 3], Interpolation::Bilinear, side),
                _ => push([0.0; 3], Interpolation::Bilinear, side),
            }
        }
        if resizes(settings, network_side) {
            push([0.0; 3], Interpolation::Bilinear, network_side);
        }
        if let Some(last) = stages.last_mut() {
            last.warp.normalize = normalize;
        }
        Ok(Self { stages })
    }

    /// Where the maps of each stage are.
    pub(super) fn maps(&self) -> Vec<TensorId> {
        self.stages.iter().map(|stage| stage.maps).collect()
    }

    /// What the network sees of the images.
    pub(super) fn forward(&self, rec: &mut Recording, image: Tensor, clock: Clock) -> Result<Tensor> {
        let mut x = image;
        for stage in &self.stages {
            let y = Tensor::transient(rec, "warped", with_side(image.shape, stage.side));
            stage.warp.forward(rec, x, stage.maps, clock, y)?;
            x = y;
        }
        Ok(x)
    }

    /// The gradient to the images, from that to what the network sees.
    pub(super) fn backward(&self, rec: &mut Recording, dseen: Tensor, clock: Clock, dimage: Tensor) -> Result<()> {
        let mut dy = dseen;
        for (at, stage) in self.stages.iter().enumerate().rev() {
            let dx = match at.checked_sub(1) {
                None => dimage,
                Some(before) => Tensor::transient(rec, "dwarped", with_side(dimage.shape, self.stages[before].side)),
            };
            stage.warp.backward(rec, dy, stage.maps, clock, dx)?;
            dy = dx;
        }
        Ok(())
    }
}

fn with_side(shape: Shape, side: usize) -> Shape {
    Shape::new(shape.n(), shape.c(), side, side)
}

/// Whether something must follow the transforms so that the image has the network's side and is normalized: not behind
/// the paper's warp of an image that has it.
fn resizes(settings: &Settings, network_side: usize) -> bool {
    let side = |sides: Vec<usize>| sides.last().copied();
    let last = settings.transforms.0.last();
    let has_side = settings.transforms.sides(settings.image_side as usize).is_ok_and(|s| side(s) == Some(network_side));
    !(last == Some(&Transform::Affine) && has_side)
}

/// From corner to corner, `align_corners` in PyTorch.
pub(super) fn resize(from: usize, to: usize) -> Map {
    let step = step_between(from, to);
    AffineWarp::row([step, 0.0, 0.0, 0.0, step, 0.0], [from; 2], [to; 2])
}

fn step_between(from: usize, to: usize) -> f32 {
    ((from - 1) as f64 / (to - 1) as f64) as f32
}

/// The maps of an image at a step, one a stage: `warp` is what `affine` does, and `draw` gives the two numbers of each transform.
pub(crate) fn maps_of(
    settings: &Settings,
    network_side: usize,
    theta: [f32; 6],
    draw: impl Fn(usize) -> [f64; 2],
) -> Vec<Map> {
    let mut side = settings.image_side as usize;
    let mut maps = Vec::with_capacity(settings.transforms.0.len() + 1);
    let shifted = |dx: f64, dy: f64| [1.0, 0.0, -dx as f32, 0.0, 1.0, -dy as f32];
    for (at, transform) in settings.transforms.0.iter().enumerate() {
        let [first, second] = draw(at);
        let (theta, after) = match transform {
            Transform::Affine => (theta, side),
            Transform::Pad { pixels, .. } => (shifted(*pixels as f64, *pixels as f64), side + 2 * pixels),
            Transform::Jitter(_) => (shifted(first, second), side),
            Transform::Scale(_) => {
                let scaled = scaled(side, first);
                let step = step_between(side, scaled.inner);
                let start = -(step * scaled.pad as f32);
                ([step, 0.0, start, 0.0, step, start], scaled.side())
            }
            // The warp turns clockwise.
            Transform::Rotate(_) => (Warp { angle_deg: -first, ..Warp::IDENTITY }.theta(side, side), side),
        };
        maps.push(AffineWarp::row(theta, [side; 2], [after; 2]));
        side = after;
    }
    if resizes(settings, network_side) {
        maps.push(resize(side, network_side));
    }
    maps
}
