//! All random draws. They depend only on integers and counters, so they are the same on every machine, and the draws of a step do not
//! need those of earlier steps.
//!
//! The generator is ChaCha with 8 rounds. Its 32-byte key is `b"protogpu"`, then seed, class and purpose, each a
//! little-endian `u64`; its 64-bit stream number is the step; its block counter starts at 0. The 32-bit words are used
//! in order. A word `u` becomes the number `(u >> 8)·2⁻²⁴` of [0,1), which is exact in `f32`.
//!
//! Values are computed from draws in `f64`, with sine and cosine from the `libm` crate, because those of the standard library differ
//! in the last bits between platforms.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::settings::Settings;
use super::transform::Transform;

/// The purpose of a stream of draws, which is the last word of its key.
#[derive(Clone, Copy)]
enum Purpose {
    Warp = 0,
    UniformImage = 1,
    NormalSpectrum = 2,
    Transform = 3,
    UniformPhases = 4,
}

/// The stream of numbers in [0,1) for one purpose, seed, class and step.
struct Draws(ChaCha8Rng);

impl Draws {
    fn new(purpose: Purpose, seed: u64, class: usize, step: u64) -> Self {
        let words = [u64::from_le_bytes(*b"protogpu"), seed, class as u64, purpose as u64];
        let mut key = [0; 32];
        for (word, bytes) in words.iter().zip(key.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(step);
        Self(rng)
    }

    /// The next number of [0,1), a multiple of 2⁻²⁴.
    fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// The next number of [low, high).
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.unit())
    }
}

/// `len` uniform pixels in [0,1), in the order of the tensor: the start of an optimisation.
pub(crate) fn uniform_image(seed: u64, class: usize, len: usize) -> Vec<f32> {
    let mut draws = Draws::new(Purpose::UniformImage, seed, class, 0);
    (0..len).map(|_| draws.unit()).collect()
}

/// `len` numbers from the standard normal distribution, two from each pair of uniform numbers (Box and Muller, 1958).
pub(super) fn normal_numbers(seed: u64, class: usize, len: usize) -> Vec<f64> {
    let mut draws = Draws::new(Purpose::NormalSpectrum, seed, class, 0);
    let mut numbers = Vec::with_capacity(len + 1);
    while numbers.len() < len {
        // In (0,1], where the logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - f64::from(draws.unit())));
        let angle = std::f64::consts::TAU * f64::from(draws.unit());
        numbers.extend([radius * libm::cos(angle), radius * libm::sin(angle)]);
    }
    numbers.truncate(len);
    numbers
}

/// `len` numbers, uniform in [−π,π).
pub(super) fn uniform_phases(seed: u64, class: usize, len: usize) -> Vec<f32> {
    let mut draws = Draws::new(Purpose::UniformPhases, seed, class, 0);
    (0..len).map(|_| draws.between(-std::f64::consts::PI, std::f64::consts::PI) as f32).collect()
}

/// The draws of a transform at a step, see [`TransformDraws`](super::TransformDraws). Each index `at` in the list of transforms has its
/// own stream, so a transform does not change the draws of the others.
pub(super) fn draw_transform(transform: &Transform, at: usize, seed: u64, class: usize, step: u64) -> [f64; 3] {
    // There are at most 16 transforms, and far fewer than 2^56 steps.
    let mut draws = Draws::new(Purpose::Transform, seed, class, step << 8 | at as u64);
    let mut below = |count: usize| (f64::from(draws.unit()) * count as f64) as usize;
    match transform {
        Transform::Affine | Transform::Pad { .. } => [0.0; 3],
        Transform::Jitter(d) => [below(*d) as f64, below(*d) as f64, 0.0],
        Transform::Scale(values) | Transform::Rotate(values) => [values[below(values.len())], 0.0, 0.0],
        Transform::Roll(d) => {
            let mut shift = || below(2 * d + 1) as f64 - *d as f64;
            [shift(), shift(), 0.0]
        }
        Transform::Flip(p) => [f64::from(u8::from(f64::from(draws.unit()) < *p)), 0.0, 0.0],
        Transform::Crop([low, high]) => [draws.between(*low, *high), draws.between(0.0, 1.0), draws.between(0.0, 1.0)],
        Transform::Noise(_) => [below(1 << 24) as f64, below(1 << 24) as f64, 0.0],
        Transform::Unwarped(inner) => draw_transform(inner, at, seed, class, step),
    }
}

/// One affine warp, as torchvision's `RandomAffine` draws it: rotate and scale about the centre, then shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warp {
    /// Rotation in degrees, clockwise on the screen.
    pub angle_deg: f64,
    /// Shift to the right in whole pixels.
    pub tx: f64,
    /// Shift downwards in whole pixels.
    pub ty: f64,
    /// Enlargement, the same in both directions.
    pub scale: f64,
}

/// The warp of a step, or the identity. Every value is drawn even if its range is empty, so a setting does not change the draws of
/// the others.
pub(super) fn draw_warp(settings: &Settings, seed: u64, class: usize, step: u64, width: usize, height: usize) -> Warp {
    let mut draws = Draws::new(Purpose::Warp, seed, class, step);
    let angle_deg = draws.between(-settings.rotation, settings.rotation);
    let reach_x = settings.translate * width as f64;
    let tx = draws.between(-reach_x, reach_x).round_ties_even();
    let reach_y = settings.translate * height as f64;
    let ty = draws.between(-reach_y, reach_y).round_ties_even();
    let scale = draws.between(settings.scale[0], settings.scale[1]);
    let warps = f64::from(draws.unit()) < settings.warp_probability;
    if warps { Warp { angle_deg, tx, ty, scale } } else { Warp::IDENTITY }
}

impl Warp {
    /// The warp that changes nothing.
    pub const IDENTITY: Self = Self { angle_deg: 0.0, tx: 0.0, ty: 0.0, scale: 1.0 };

    /// The inverse map `[t0..t5]` in pixel indices: output pixel (ox, oy) shows the input at
    /// `px = t0·ox + t1·oy + t2, py = t3·ox + t4·oy + t5`, where (0, 0) is the centre of the first pixel.
    ///
    /// With q = (ox + ½ − W/2, oy + ½ − H/2) and t = (tx, ty), the point is p = R(−angle)(q − t)/scale, and
    /// (px, py) = (p_x + W/2 − ½, p_y + H/2 − ½). Computed in `f64` and rounded once.
    pub fn theta(&self, width: usize, height: usize) -> [f32; 6] {
        let angle_rad = self.angle_deg * (std::f64::consts::PI / 180.0);
        let (cos, sin) = (libm::cos(angle_rad) / self.scale, libm::sin(angle_rad) / self.scale);
        // The first output pixel's q − t, and the centre in pixel indices.
        let (qx, qy) = (0.5 - width as f64 / 2.0 - self.tx, 0.5 - height as f64 / 2.0 - self.ty);
        let (centre_x, centre_y) = (width as f64 / 2.0 - 0.5, height as f64 / 2.0 - 0.5);
        [cos, sin, cos * qx + sin * qy + centre_x, -sin, cos, cos * qy - sin * qx + centre_y].map(|t| t as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(theta: [f32; 6], ox: f32, oy: f32) -> [f32; 2] {
        [theta[0] * ox + theta[1] * oy + theta[2], theta[3] * ox + theta[4] * oy + theta[5]]
    }

    /// Settings that warp in every step.
    fn always() -> Settings {
        Settings { warp_probability: 1.0, ..Settings::default() }
    }

    /// The values are part of the format: a change here changes every recorded run. An independent implementation of this module's
    /// documentation computed them.
    #[test]
    fn draws_are_pinned() {
        let image = uniform_image(7, 3, 4).map_bits();
        assert_eq!(image, PINNED_IMAGE, "{image:#010x?}");
        let warp = draw_warp(&always(), 7, 3, 11, 224, 224);
        let theta = warp.theta(224, 224).to_vec().map_bits();
        assert_eq!(theta, PINNED_THETA, "{warp:?} {theta:#010x?}");
    }

    const PINNED_IMAGE: [u32; 4] = [0x3f07_9b13, 0x3e77_22a0, 0x3f52_c519, 0x3e81_0efc];
    const PINNED_THETA: [u32; 6] = [0x3f8f_25b4, 0x3f39_d6e8, 0xc366_659f, 0xbf39_d6e8, 0x3f8f_25b4, 0x424d_248d];

    trait MapBits {
        fn map_bits(self) -> Vec<u32>;
    }

    impl MapBits for Vec<f32> {
        fn map_bits(self) -> Vec<u32> {
            self.into_iter().map(f32::to_bits).collect()
        }
    }

    #[test]
    fn transforms_draw_from_their_values() {
        let angles = Transform::Rotate(vec![-3.0, 0.0, 5.0, 0.0]);
        let drawn = |transform: &Transform, at| -> Vec<[f64; 3]> {
            (0..2000).map(|step| draw_transform(transform, at, 7, 3, step)).collect()
        };
        let count = |list: &[[f64; 3]], value: f64| list.iter().filter(|d| d[0] == value).count();
        let turned = drawn(&angles, 2);
        let counts = [-3.0, 0.0, 5.0].map(|angle| count(&turned, angle));
        assert_eq!(counts.iter().sum::<usize>(), 2000);
        // 0 is listed twice. The standard deviations are about 20.
        assert!(counts[0].abs_diff(500) < 100 && counts[1].abs_diff(1000) < 100, "{counts:?}");
        let jitter = drawn(&Transform::Jitter(4), 0);
        for axis in [0, 1] {
            for pixels in 0..4 {
                let count = jitter.iter().filter(|d| d[axis] == f64::from(pixels)).count();
                assert!(count.abs_diff(500) < 100, "{axis} {pixels}: {count}");
            }
        }
        assert_ne!(jitter, drawn(&Transform::Jitter(4), 1));
        let roll = drawn(&Transform::Roll(2), 0);
        for axis in [0, 1] {
            for pixels in -2..=2 {
                let count = roll.iter().filter(|d| d[axis] == f64::from(pixels)).count();
                assert!(count.abs_diff(400) < 100, "{axis} {pixels}: {count}");
            }
        }
        let flips = drawn(&Transform::Flip(0.25), 0);
        assert!(count(&flips, 1.0).abs_diff(500) < 100 && count(&flips, 0.0) == 2000 - count(&flips, 1.0));
        assert_eq!(flips, drawn(&Transform::Unwarped(Box::new(Transform::Flip(0.25))), 0));
        assert!([0.0, 1.0].iter().all(|p| count(&drawn(&Transform::Flip(*p), 0), *p) == 2000));
        let crops = drawn(&Transform::Crop([0.25, 0.75]), 0);
        for (at, [low, high]) in [[0.25, 0.75], [0.0, 1.0], [0.0, 1.0]].into_iter().enumerate() {
            let below = crops.iter().filter(|d| d[at] < low + (high - low) / 4.0).count();
            assert!(crops.iter().all(|d| (low..high).contains(&d[at])) && below.abs_diff(500) < 100, "{at} {below}");
        }
        let mut keys = drawn(&Transform::Noise(0.1), 0);
        assert!(keys.iter().flatten().all(|key| key.fract() == 0.0 && (0.0..16_777_216.0).contains(key)));
        keys.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        keys.dedup();
        assert_eq!(keys.len(), 2000);
    }

    #[test]
    fn uniform_is_uniform() {
        let image = uniform_image(0, 1, 150_528);
        assert!(image.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = image.iter().map(|&x| f64::from(x)).sum::<f64>() / image.len() as f64;
        // The standard error is .2887/√150528 = .00074.
        assert!((mean - 0.5).abs() < 0.003, "{mean}");
    }

    #[test]
    fn every_key_word_matters() {
        let reference = uniform_image(0, 0, 8);
        assert_ne!(uniform_image(1, 0, 8), reference);
        assert_ne!(uniform_image(0, 1, 8), reference);
        assert_ne!(uniform_image(1 << 63, 0, 8), reference);
        let settings = always();
        let warp = |seed, class, step| draw_warp(&settings, seed, class, step, 224, 224);
        assert_ne!(warp(0, 0, 0), warp(0, 0, 1));
        assert_ne!(warp(0, 0, 0), warp(0, 1, 0));
        assert_ne!(warp(0, 0, 0), warp(1, 0, 0));
        assert_eq!(warp(5, 6, 7), warp(5, 6, 7));
    }

    #[test]
    fn warps_fill_their_ranges() {
        let settings = always();
        let warps: Vec<Warp> = (0..2000).map(|step| draw_warp(&settings, 0, 0, step, 200, 100)).collect();
        let range = |f: fn(&Warp) -> f64| {
            warps.iter().map(f).fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)))
        };
        let (low, high) = range(|w| w.angle_deg);
        assert!((-180.0..-178.0).contains(&low) && (178.0..180.0).contains(&high), "{low} {high}");
        assert_eq!((range(|w| w.tx), range(|w| w.ty)), ((-100.0, 100.0), (-50.0, 50.0)));
        let (low, high) = range(|w| w.scale);
        assert!((0.7..0.701).contains(&low) && (1.299..1.3).contains(&high), "{low} {high}");
        assert!(warps.iter().all(|w| w.tx == w.tx.round() && w.ty == w.ty.round()));
    }

    #[test]
    fn empty_ranges_give_the_identity_exactly() {
        let settings = Settings { rotation: 0.0, translate: 0.0, scale: [1.0, 1.0], ..always() };
        let warp = draw_warp(&settings, 3, 4, 5, 224, 223);
        assert_eq!(warp, Warp::IDENTITY);
        assert_eq!(warp.theta(224, 223), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn one_setting_does_not_move_anothers_draws() {
        let settings = always();
        let still = Settings { rotation: 0.0, ..always() };
        let (a, b) = (draw_warp(&settings, 0, 0, 9, 224, 224), draw_warp(&still, 0, 0, 9, 224, 224));
        assert_eq!((a.tx, a.ty, a.scale), (b.tx, b.ty, b.scale));
    }

    #[test]
    fn a_step_warps_with_its_probability() {
        let drawn =
            |warp_probability, step| draw_warp(&Settings { warp_probability, ..always() }, 0, 0, step, 224, 224);
        let warped = (0..2000).filter(|&step| drawn(0.25, step) != Warp::IDENTITY).collect::<Vec<_>>();
        // The standard deviation is 19.
        assert!(warped.len().abs_diff(500) < 80, "{}", warped.len());
        // A warped step has the same warp at any probability, and a higher probability warps all of these steps too.
        assert!(
            warped.iter().all(|&step| drawn(0.25, step) == drawn(1.0, step) && drawn(0.5, step) == drawn(1.0, step))
        );
        assert!((0..2000).all(|step| drawn(1.0, step) != Warp::IDENTITY && drawn(0.0, step) == Warp::IDENTITY));
    }

    #[test]
    fn theta_does_what_it_says() {
        let shift = Warp { tx: 3.0, ty: -2.0, ..Warp::IDENTITY };
        assert_eq!(at(shift.theta(10, 8), 5.0, 4.0), [2.0, 6.0]);
        // The centre stays. At twice the size, one output pixel is half an input pixel wide.
        let double = Warp { scale: 2.0, ..Warp::IDENTITY };
        assert_eq!(at(double.theta(9, 5), 4.0, 2.0), [4.0, 2.0]);
        assert_eq!(at(double.theta(9, 5), 6.0, 2.0), [5.0, 2.0]);
        // A quarter turn clockwise: the right edge of the output shows the top of the input.
        let turn = Warp { angle_deg: 90.0, ..Warp::IDENTITY };
        let [px, py] = at(turn.theta(5, 5), 4.0, 2.0);
        assert!((px - 2.0).abs() < 1e-6 && py.abs() < 1e-6, "{px} {py}");
        // The shift comes last and is not scaled.
        let both = Warp { scale: 2.0, tx: 2.0, ..Warp::IDENTITY };
        assert_eq!(at(both.theta(9, 9), 6.0, 4.0), [4.0, 4.0]);
    }
}
