//! The commands of the transforms, and their maps at a step. Each transform but noise is an affine map with its own sizes. They are not merged
//! into a single map, because each one cuts and fills.

use super::draws::Warp;
use super::settings::Settings;
use super::transform::{Scaled, Transform, scaled};
use crate::error::Result;
use crate::gpu::{Recording, TensorId};
use crate::ops::{AffineWarp, ChannelAffine, Clock, Interpolation, Noise, Roll, Tensor};
use crate::shape::{ImageSpec, Shape};

/// The map of an image at a step, see [`AffineWarp::row`]; of noise, the two numbers of [`Noise`], then zeros.
pub(crate) type Map = [f32; AffineWarp::ROW];

enum Kind {
    Warp(AffineWarp),
    Roll,
    Noise(Noise),
}

struct Stage {
    kind: Kind,
    /// `[window,N]` maps.
    maps: TensorId,
    /// The largest `[height, width]` after it.
    size: [usize; 2],
}

/// The transforms of a microbatch, with their kernels and tensors.
pub(super) struct Chain {
    stages: Vec<Stage>,
}

impl Chain {
    /// The chain for `n` images and `window` steps. Its last stage normalises, and its output has the size of the network's images; half of
    /// it in coarse steps.
    pub(super) fn new(
        rec: &mut Recording,
        settings: &Settings,
        network: ImageSpec,
        fill: &[f32],
        normalize: Option<ChannelAffine>,
        [n, window]: [usize; 2],
        coarse: bool,
    ) -> Result<Self> {
        let ImageSpec { channels, height, width } = settings.image(network);
        let sizes = settings.transforms.sizes([height, width])?;
        let mut stages: Vec<Stage> = Vec::new();
        let mut push = |kind, size| {
            let maps = rec.kept(format!("theta {}", stages.len()), window * n * AffineWarp::ROW);
            stages.push(Stage { kind, maps, size });
        };
        let warp = |fill, interpolation| Kind::Warp(AffineWarp { interpolation, fill, normalize: None });
        let bilinear = |fill: f32| warp(vec![fill; channels], Interpolation::Bilinear);
        for (transform, &size) in settings.transforms.0.iter().zip(&sizes[1..]) {
            let kind = match transform.inner() {
                Transform::Affine => warp(fill.to_vec(), settings.interpolation),
                Transform::Pad { value, .. } => bilinear(*value as f32),
                Transform::Roll(_) | Transform::Flip(_) => Kind::Roll,
                Transform::Noise(deviation) => Kind::Noise(Noise { deviation: *deviation as f32 }),
                _ => bilinear(0.0),
            };
            push(kind, size);
        }
        if resizes(settings, network) {
            push(bilinear(0.0), [network.height, network.width]);
        }
        if coarse {
            push(bilinear(0.0), [network.height / 2, network.width / 2]);
        }
        // The last stage is a warp: `affine`, or a resize.
        if let Some(Stage { kind: Kind::Warp(warp), .. }) = stages.last_mut() {
            warp.normalize = normalize;
        }
        Ok(Self { stages })
    }

    /// The tensors with the maps of each stage.
    pub(super) fn maps(&self) -> Vec<TensorId> {
        self.stages.iter().map(|stage| stage.maps).collect()
    }

    /// Appends the transforms of the images, and returns the network's input.
    pub(super) fn forward(&self, rec: &mut Recording, image: Tensor, clock: Clock) -> Result<Tensor> {
        let mut x = image;
        for stage in &self.stages {
            let y = Tensor::transient(rec, "warped", with_size(image.shape, stage.size));
            match &stage.kind {
                Kind::Warp(warp) => warp.forward(rec, x, stage.maps, clock, y)?,
                Kind::Roll => Roll.forward(rec, x, stage.maps, clock, y)?,
                Kind::Noise(noise) => noise.forward(rec, x, stage.maps, clock, y)?,
            }
            x = y;
        }
        Ok(x)
    }

    /// Appends the commands from the gradient of the network's input, `dinput`, to that of the images.
    pub(super) fn backward(&self, rec: &mut Recording, dinput: Tensor, clock: Clock, dimage: Tensor) -> Result<()> {
        let mut dy = dinput;
        // The gradient passes through noise unchanged. Noise keeps the size.
        let moving = |(_, stage): &(usize, &Stage)| !matches!(stage.kind, Kind::Noise(_));
        let mut stages = self.stages.iter().enumerate().filter(moving).rev().peekable();
        while let Some((at, stage)) = stages.next() {
            let dx = match stages.peek() {
                None => dimage,
                Some(_) => Tensor::transient(rec, "dwarped", with_size(dimage.shape, self.stages[at - 1].size)),
            };
            match &stage.kind {
                Kind::Warp(warp) => warp.backward(rec, dy, stage.maps, clock, dx)?,
                _ => Roll.backward(rec, dy, stage.maps, clock, dx)?,
            }
            dy = dx;
        }
        Ok(())
    }
}

fn with_size(shape: Shape, [height, width]: [usize; 2]) -> Shape {
    Shape::new(shape.n(), shape.c(), height, width)
}

/// Whether a resize follows the transforms. It gives the image the network's size and normalises it. If the last transform is `affine`
/// and the image has that size already, the warp normalises and no resize is needed.
fn resizes(settings: &Settings, network: ImageSpec) -> bool {
    let ImageSpec { height, width, .. } = settings.image(network);
    let last = settings.transforms.0.last();
    let sizes = settings.transforms.sizes([height, width]);
    let has_size = sizes.is_ok_and(|sizes| sizes.last() == Some(&[network.height, network.width]));
    !(last == Some(&Transform::Affine) && has_size)
}

/// A resize from corner to corner (`align_corners` in PyTorch); both sizes are `[height, width]`.
pub(super) fn resize(from: [usize; 2], to: [usize; 2]) -> Map {
    let [step_y, step_x] = [0, 1].map(|axis| step_between(from[axis], to[axis]));
    AffineWarp::row([step_x, 0.0, 0.0, 0.0, step_y, 0.0], from, to)
}

fn step_between(from: usize, to: usize) -> f32 {
    ((from - 1) as f64 / (to - 1) as f64) as f32
}

/// A resize to half of both sides, rounded down. Each pixel is the mean of four if the sides are even.
fn halve([height, width]: [usize; 2]) -> Map {
    let half = [height / 2, width / 2];
    let [step_y, step_x] = [height as f32 / half[0] as f32, width as f32 / half[1] as f32];
    // Pixels are places of their centres.
    AffineWarp::row([step_x, 0.0, 0.5 * step_x - 0.5, 0.0, step_y, 0.5 * step_y - 0.5], [height, width], half)
}

/// The maps of an image at a step, one per stage of [`Chain`]. `theta` is the warp of `affine`, and `draw` returns the two draws of the transform with
/// this index.
pub(crate) fn maps_of(
    settings: &Settings,
    network: ImageSpec,
    theta: [f32; 6],
    coarse: bool,
    draw: impl Fn(usize) -> [f64; 3],
) -> Vec<Map> {
    let image = settings.image(network);
    let mut size = [image.height, image.width];
    let mut maps = Vec::with_capacity(settings.transforms.0.len() + 1);
    let shifted = |dx: f64, dy: f64| [1.0, 0.0, -dx as f32, 0.0, 1.0, -dy as f32];
    let warps = theta != Warp::IDENTITY.theta(size[1], size[0]);
    for (at, transform) in settings.transforms.0.iter().enumerate() {
        // Zeros leave the image as it is.
        let idle = warps && matches!(transform, Transform::Unwarped(_));
        let [first, second, third] = if idle { [0.0; 3] } else { draw(at) };
        let (theta, after) = match transform.inner() {
            Transform::Affine => (theta, size),
            Transform::Pad { pixels, .. } => {
                (shifted(*pixels as f64, *pixels as f64), size.map(|side| side + 2 * pixels))
            }
            Transform::Jitter(_) => (shifted(first, second), size),
            Transform::Scale(_) => {
                let scaled = size.map(|side| scaled(side, first));
                let [step_y, step_x] = [0, 1].map(|axis| step_between(size[axis], scaled[axis].inner));
                let [start_y, start_x] = [-(step_y * scaled[0].pad as f32), -(step_x * scaled[1].pad as f32)];
                ([step_x, 0.0, start_x, 0.0, step_y, start_y], scaled.map(Scaled::side))
            }
            Transform::Roll(_) => (shifted(first, second), size),
            Transform::Flip(_) if first == 0.0 => (shifted(0.0, 0.0), size),
            Transform::Flip(_) => ([-1.0, 0.0, (size[1] - 1) as f32, 0.0, 1.0, 0.0], size),
            // A pixel's place is that of its centre.
            Transform::Crop(_) => {
                let [start_y, start_x] = [(third, size[0]), (second, size[1])]
                    .map(|(at, side)| at * (1.0 - first) * side as f64 + 0.5 * first - 0.5);
                ([first, 0.0, start_x, 0.0, first, start_y].map(|v| v as f32), size)
            }
            Transform::Noise(_) => ([first as f32, second as f32, 0.0, 0.0, 0.0, 0.0], size),
            // A warp turns clockwise.
            Transform::Rotate(_) => {
                let [height, width] = size;
                (Warp { angle_deg: -first, ..Warp::IDENTITY }.theta(width, height), size)
            }
            Transform::Unwarped(_) => unreachable!("an unwarped transform has another one within"),
        };
        maps.push(AffineWarp::row(theta, size, after));
        size = after;
    }
    if resizes(settings, network) {
        maps.push(resize(size, [network.height, network.width]));
    }
    if coarse {
        maps.push(halve([network.height, network.width]));
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place in the input that an output pixel shows.
    fn at(map: Map, ox: f32, oy: f32) -> [f32; 2] {
        [map[0] * ox + map[1] * oy + map[2], map[3] * ox + map[4] * oy + map[5]]
    }

    #[test]
    fn resizes_go_from_corner_to_corner_along_each_side() {
        let network = ImageSpec { channels: 1, height: 20, width: 28 };
        let settings = Settings { image_side: 28, transforms: "scale 0.5".parse().unwrap(), ..Settings::default() };
        let maps = maps_of(&settings, network, [0.0; 6], false, |_| [0.5, 0.0, 0.0]);
        // 10 x 14 pixels between 5 rows and 7 columns of zeros; the resize after it changes nothing.
        assert_eq!(maps.iter().map(|map| map[6..].to_vec()).collect::<Vec<_>>(), [[20.0, 28.0, 20.0, 28.0]; 2]);
        let near = |[x, y]: [f32; 2], corner: [f32; 2]| (x - corner[0]).abs() < 1e-5 && (y - corner[1]).abs() < 1e-5;
        assert!(near(at(maps[0], 7.0, 5.0), [0.0, 0.0]), "{:?}", maps[0]);
        assert!(near(at(maps[0], 20.0, 14.0), [27.0, 19.0]), "{:?}", maps[0]);
        assert!(near(at(resize([20, 28], [5, 13]), 12.0, 4.0), [27.0, 19.0]));
        // The first pixel is the mean of the four in the corner, the last that of the four in the other.
        assert!(near(at(halve([20, 28]), 0.0, 0.0), [0.5, 0.5]) && near(at(halve([20, 28]), 13.0, 9.0), [26.5, 18.5]));
        // A quarter of the sides, in the corner at the right and the bottom; the centres of pixels lie half a pixel within the edges.
        let settings = Settings { image_side: 28, transforms: "crop 0.25 1".parse().unwrap(), ..Settings::default() };
        let crop = maps_of(&settings, network, [0.0; 6], false, |_| [0.25, 1.0, 1.0]).remove(0);
        assert!(near(at(crop, -0.5, -0.5), [20.5, 14.5]) && near(at(crop, 27.5, 19.5), [27.5, 19.5]), "{crop:?}");
        let all = maps_of(&settings, network, [0.0; 6], false, |_| [1.0, 0.5, 0.5]).remove(0);
        assert_eq!(all[..6], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        // Mirrored, and only where `affine` leaves the image as it is.
        let settings =
            Settings { image_side: 28, transforms: "unwarped flip,affine".parse().unwrap(), ..Settings::default() };
        let still = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let flip = |theta| maps_of(&settings, network, theta, false, |_| [1.0, 0.0, 0.0]).remove(0);
        assert_eq!(flip(still)[..6], [-1.0, 0.0, 27.0, 0.0, 1.0, 0.0]);
        assert_eq!(flip([1.0, 0.0, 2.0, 0.0, 1.0, 0.0])[..6], still);
        // A quarter turn about the centre.
        let settings = Settings { image_side: 28, transforms: "rotate 90".parse().unwrap(), ..Settings::default() };
        let turned = maps_of(&settings, network, [0.0; 6], false, |_| [90.0, 0.0, 0.0]).remove(0);
        assert!(near(at(turned, 13.5, 9.5), [13.5, 9.5]) && near(at(turned, 13.5, 0.0), [23.0, 9.5]), "{turned:?}");
    }
}
