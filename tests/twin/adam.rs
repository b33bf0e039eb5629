//! adam, in the order in which PyTorch computes it, t counted from 1:
//!
//! m += (1 − beta1)·(dx − m);  v = beta2·v + (1 − beta2)·dx²
//! x −= decay·(x − towards[channel]) + lr / (1 − beta1^t) · m / (sqrt(v) / sqrt(1 − beta2^t) + eps);  then, if asked, x = clamp(x, 0, 1)
//!
//! where both sides have the x of before the step. x, dx, m, v: as many elements each, in planes of each channel in turn.

/// The constants of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adam {
    pub(crate) lr: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
    pub(crate) clamp: bool,
    pub(crate) decay: f64,
    /// A value for each channel.
    pub(crate) towards: &'static [f64],
    /// Elements of a plane.
    pub(crate) plane: usize,
}

impl Default for Adam {
    /// PyTorch's betas and eps, the paper's rate.
    fn default() -> Self {
        Self { lr: 0.05, beta1: 0.9, beta2: 0.999, eps: 1e-8, clamp: false, decay: 0.0, towards: &[0.0], plane: 1 }
    }
}

impl Adam {
    /// Step `t`, in place.
    pub(crate) fn step(&self, x: &mut [f64], dx: &[f64], m: &mut [f64], v: &mut [f64], t: i32) {
        let rate = self.lr / (1.0 - self.beta1.powi(t));
        let root = (1.0 - self.beta2.powi(t)).sqrt();
        for i in 0..x.len() {
            m[i] += (1.0 - self.beta1) * (dx[i] - m[i]);
            v[i] = self.beta2 * v[i] + (1.0 - self.beta2) * dx[i] * dx[i];
            let decayed = self.decay * (x[i] - self.towards[i / self.plane % self.towards.len()]);
            x[i] -= decayed + rate * m[i] / (v[i].sqrt() / root + self.eps);
            if self.clamp {
                x[i] = x[i].clamp(0.0, 1.0);
            }
        }
    }
}
