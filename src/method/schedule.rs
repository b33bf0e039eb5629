//! Values that differ between steps and are computed in advance: the stage, Adam's step size and bias corrections, the transforms.

use super::draws::{draw_transform, draw_warp};
use super::losses::{Moment, Stage};
use super::settings::Settings;
use crate::ops::AdamRow;

impl Settings {
    /// The stage of a step, counted from 0 through both stages, and the step of that stage.
    pub fn moment(&self, step: u64) -> Moment {
        let (baseline, steps) = (u64::from(self.baseline_steps), u64::from(self.steps));
        match step.checked_sub(baseline) {
            None => Moment { stage: Stage::Baseline, step, steps: baseline },
            Some(step) => Moment { stage: Stage::Prototype, step, steps },
        }
    }

    /// Whether the network sees the image at half its size in a step, counted from 0 through both stages.
    pub fn is_coarse(&self, step: u64) -> bool {
        let Moment { stage, step, steps } = self.moment(step);
        stage == Stage::Prototype && (step as f64) < (self.coarse_fraction * steps as f64).round()
    }
}

/// Adam's row for a step, counted from 0 through both stages.
pub(super) fn adam_row(settings: &Settings, step: u64) -> AdamRow {
    let baseline = u64::from(settings.baseline_steps);
    let fresh = settings.baseline_reset && step >= baseline;
    let t = if fresh { step - baseline } else { step } + 1;
    let lr = learning_rate(settings, step);
    AdamRow {
        decay: (lr * settings.weight_decay) as f32,
        reset: if fresh && step == baseline { 1.0 } else { 0.0 },
        ..AdamRow::of(t, lr, [settings.beta1, settings.beta2])
    }
}

/// The learning rate at a step, counted through both stages. It is constant, then falls linearly over the last
/// `lr_decay_fraction · steps` steps, and would reach 0 one step after the last.
fn learning_rate(settings: &Settings, step: u64) -> f64 {
    let falling = settings.lr_decay_fraction * f64::from(settings.steps);
    let left = u64::from(settings.total_steps()).saturating_sub(step) as f64;
    if left < falling { settings.lr * left / falling } else { settings.lr }
}

/// The step for which a view of a step draws. View 0 draws as a step without other views does.
pub(super) fn of_view(step: u64, view: u64) -> u64 {
    // Far more than the steps of a run, and with views below 2¹⁶ a stream's number still fits.
    step + (view << 40)
}

/// A source of warps for the transform `affine`: six numbers for each image and step, as shaders/affine_warp.wgsl takes them.
pub trait Warps: Send {
    /// The warp of an image at a step. For view v of a step with several views, `step` is that step plus 2⁴⁰ v.
    fn theta(&self, image: usize, step: u64) -> [f32; 6];
}

/// A source of draws for the other transforms.
pub trait TransformDraws: Send {
    /// The draws for an image at a step (as for [`Warps::theta`]) of the transform with this index in [`Settings::transforms`]. Jitter and
    /// roll: pixels to the right and downwards. Scale: the factor. Rotate: the angle in degrees. Flip: 1 to mirror the image, else 0. Crop: the side,
    /// then the position in each direction, from 0 (left, top) to 1. Noise: two whole numbers from 0 to 2²⁴ − 1, the key of the generator. The rest
    /// is 0.
    fn draw(&self, image: usize, step: u64, transform: usize) -> [f64; 3];
}

/// The method's own draws, from each image's class and seed.
#[derive(Clone)]
pub(super) struct Drawn {
    pub(super) settings: Settings,
    pub(super) keys: Vec<(u64, usize)>,
    /// `[height, width]` of the image that `affine` warps.
    pub(super) size: [usize; 2],
}

impl Warps for Drawn {
    fn theta(&self, image: usize, step: u64) -> [f32; 6] {
        let (seed, class) = self.keys[image];
        let [height, width] = self.size;
        draw_warp(&self.settings, seed, class, step, width, height).theta(width, height)
    }
}

impl TransformDraws for Drawn {
    fn draw(&self, image: usize, step: u64, transform: usize) -> [f64; 3] {
        let (seed, class) = self.keys[image];
        draw_transform(&self.settings.transforms.0[transform], transform, seed, class, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::choices::{BaselineForm, TvForm};
    use crate::method::losses::{LossTerm, ProbabilityVariance, TotalVariation};

    #[test]
    fn the_learning_rate_falls_at_the_end_and_the_decay_with_it() {
        let settings = Settings { steps: 8, lr: 0.5, lr_decay_fraction: 0.5, baseline_steps: 2, ..Settings::default() };
        let rates: Vec<f64> = (0..10).map(|step| learning_rate(&settings, step) / settings.lr).collect();
        assert_eq!(rates, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]);
        let settings = Settings { weight_decay: 0.5, ..settings };
        assert_eq!([6, 9].map(|step| adam_row(&settings, step).decay), [0.25, 0.0625]);
        assert_eq!(learning_rate(&Settings { lr_decay_fraction: 0.0, ..settings }, 9), 0.5);
    }

    #[test]
    fn the_baseline_comes_first_and_alone_and_adam_starts_anew_after_it() {
        let settings = Settings { baseline_steps: 2, ..Settings::default() };
        let rows: Vec<_> = (0..4).map(|step| adam_row(&settings, step)).collect();
        assert_eq!([0, 1, 2, 3].map(|step| rows[step].reset), [0.0, 0.0, 1.0, 0.0]);
        let baseline = ProbabilityVariance { form: BaselineForm::Softmax, weight: 1.5 };
        let variation = TotalVariation { form: TvForm::L1, weight: 0.25, start: 1.0 };
        let weights =
            [0, 1, 2, 3].map(|step| settings.moment(step)).map(|at| (baseline.weight(at), variation.weight(at)));
        assert_eq!(weights, [(1.5, 0.0), (1.5, 0.0), (0.0, 0.25), (0.0, 0.25)]);
        assert_eq!(rows[2].step_size, rows[0].step_size);
        let kept = Settings { baseline_reset: false, ..settings };
        let row = adam_row(&kept, 2);
        assert_eq!(row.reset, 0.0);
        assert!((row.step_size - (0.05 / (1.0 - 0.9f64.powi(3))) as f32).abs() < 1e-7);
    }
}
