//! class_terms: weighted logits, probabilities and log-probabilities, the part of an objective on the logits; value and gradient.

use super::class_logit::logits;
use super::{Read, Slot, TermParams};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId, bytemuck};

crate::params! {
    /// Mirrors `Params` of shaders/class_terms.wgsl.
    struct ClassTermsParams { term: TermParams, classes: u32, terms: u32 }
}

/// A term on a class. Mirrors `ClassRow` of shaders/class_terms.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct ClassRow {
    /// The term's weight.
    pub weight: f32,
    /// The class.
    pub class: u32,
    /// 0: its logit; 1: its probability; 2: the logarithm of its probability.
    pub form: u32,
}

impl ClassRow {
    /// The number of 32-bit words in a row.
    pub(in crate::method) const LEN: usize = 3;
}

/// Sums of terms on classes, `[N,T]`: each image has T terms of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassTerms {
    /// The terms of the first image, then those of the next.
    pub rows: Vec<ClassRow>,
}

impl ClassTerms {
    /// Writes `−Σ w f` and `Σ w f` to the slot, and delivers the gradient `−weight · Σ w df/dz`.
    ///
    /// # Errors
    /// If a class does not exist, or shapes do not fit.
    pub fn step(&self, rec: &mut Recording, label: &str, read: Read, slot: &Slot) -> Result<()> {
        let [n, ..] = read.nchw("class_terms")?;
        let (n, classes) = logits("class_terms", read, &(0..n))?;
        let terms = self.rows.len() / n;
        if terms * n != self.rows.len() {
            let all = self.rows.len();
            return Err(Error::input(format!(
                "class_terms ({label}): {all} terms cannot be equally many for each of {n} images"
            )));
        }
        if let Some(row) = self.rows.iter().find(|row| row.class as usize >= classes) {
            return Err(Error::input(format!("class_terms ({label}): there is no class {} of {classes}", row.class)));
        }
        let rows = rec.table(format!("{label} rows"), Layout::Words, bytemuck::cast_slice(&self.rows).to_vec());
        Self::step_of(rec, label, read, slot, (rows, terms))
    }

    /// The same for `rows`, `[N,T]` of [`ClassRow`] in a tensor, and T. The kernel clamps its classes.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub(in crate::method) fn step_of(
        rec: &mut Recording,
        label: &str,
        read: Read,
        slot: &Slot,
        (rows, terms): (TensorId, usize),
    ) -> Result<()> {
        let [n, ..] = read.nchw("class_terms")?;
        let (n, classes) = logits("class_terms", read, &(0..n))?;
        let rows = ("terms", rows, n * terms * ClassRow::LEN);
        let [weights, clock] = slot.weight();
        let bindings = [read.x.bind("logits"), rows, weights, clock, slot.values(n, 2)?, read.dx.bind("dx")];
        let params = ClassTermsParams { term: slot.params(), classes: classes as u32, terms: terms as u32 };
        let kernel = read.kernel(Kernel::new("class_terms", "step"));
        let flops = (12 + 8 * terms as u64) * read.x.shape.len() as u64;
        rec.dispatch(label, kernel, &bindings, &params, Grid::Workgroups([n, 1, 1]), flops)
    }
}
