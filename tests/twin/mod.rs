//! CPU twins: every op once more in plain f64 loops, written from its formula, to be read beside the shader and compared with it.
//!
//! One file per op, forward then backward (the gradient to the input only), in the letters of the rest of the project: `x y w b`, their
//! gradients `dx dy`. NCHW; weights OIHW; `stride: [h, w]`; `pad: [top, left, bottom, right]`. Nothing here calls into the library, so that
//! a mistake cannot stand on both sides of a comparison. `tests/twins.rs` holds the twins themselves against central differences and PyTorch.
#![allow(dead_code, reason = "every test target that declares `mod twin` uses another part of it")]

pub(crate) mod activations;
pub(crate) mod adam;
pub(crate) mod add;
pub(crate) mod affine_warp;
pub(crate) mod avg_pool2d;
pub(crate) mod batch_norm;
pub(crate) mod binary;
pub(crate) mod check;
pub(crate) mod class_logit;
pub(crate) mod class_terms;
pub(crate) mod colour;
pub(crate) mod concat;
pub(crate) mod conv2d;
pub(crate) mod diversity;
pub(crate) mod feature;
pub(crate) mod generated;
pub(crate) mod golden;
pub(crate) mod group_norm;
pub(crate) mod irfft2;
pub(crate) mod l2;
pub(crate) mod linear;
pub(crate) mod local_response_norm;
pub(crate) mod matmul;
pub(crate) mod max_pool2d;
pub(crate) mod moves;
pub(crate) mod natural_statistics;
pub(crate) mod nd;
pub(crate) mod noise;
pub(crate) mod normalize;
pub(crate) mod phase;
pub(crate) mod probability_variance;
pub(crate) mod random;
pub(crate) mod reduce;
pub(crate) mod relu;
pub(crate) mod reveal;
pub(crate) mod roll;
pub(crate) mod soft_top_k;
pub(crate) mod softmax;
pub(crate) mod total_variation;

/// `[N, C, H, W]`, row-major with W fastest; vectors are `[N, C, 1, 1]`. Read and written as `x[[n, c, h, w]]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: [usize; 4],
    pub(crate) data: Vec<f64>,
}

impl Tensor {
    /// Takes the elements in row-major order.
    pub(crate) fn new(shape: [usize; 4], data: Vec<f64>) -> Self {
        assert_eq!(data.len(), shape.iter().product::<usize>(), "elements for {shape:?}");
        Self { shape, data }
    }

    pub(crate) fn filled(shape: [usize; 4], value: f64) -> Self {
        Self { shape, data: vec![value; shape.iter().product()] }
    }

    pub(crate) fn zeros(shape: [usize; 4]) -> Self {
        Self::filled(shape, 0.0)
    }

    /// What came back from the GPU.
    pub(crate) fn from_f32(shape: [usize; 4], data: &[f32]) -> Self {
        Self::new(shape, data.iter().map(|&v| f64::from(v)).collect())
    }

    /// What goes to the GPU.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        self.data.iter().map(|&v| v as f32).collect()
    }

    /// Every element by itself.
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { shape: self.shape, data: self.data.iter().map(|&v| f(v)).collect() }
    }

    /// Two tensors of one shape, element by element.
    pub(crate) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!(self.shape, other.shape);
        Self { shape: self.shape, data: self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect() }
    }

    /// The inner product ⟨self, other⟩.
    pub(crate) fn dot(&self, other: &Self) -> f64 {
        assert_eq!(self.shape, other.shape);
        self.data.iter().zip(&other.data).map(|(a, b)| a * b).sum()
    }

    /// All indices in row-major order.
    pub(crate) fn indices(&self) -> impl Iterator<Item = [usize; 4]> + use<> {
        indices(self.shape)
    }

    fn offset(&self, [n, c, h, w]: [usize; 4]) -> usize {
        let [_, channels, height, width] = self.shape;
        debug_assert!(c < channels && h < height && w < width, "{:?} in {:?}", [n, c, h, w], self.shape);
        ((n * channels + c) * height + h) * width + w
    }
}

/// All indices of a shape in row-major order.
pub(crate) fn indices([n, c, h, w]: [usize; 4]) -> impl Iterator<Item = [usize; 4]> {
    (0..n * c * h * w).map(move |i| [i / (c * h * w), i / (h * w) % c, i / w % h, i % w])
}

impl std::ops::Index<[usize; 4]> for Tensor {
    type Output = f64;

    fn index(&self, index: [usize; 4]) -> &f64 {
        &self.data[self.offset(index)]
    }
}

impl std::ops::IndexMut<[usize; 4]> for Tensor {
    fn index_mut(&mut self, index: [usize; 4]) -> &mut f64 {
        let offset = self.offset(index);
        &mut self.data[offset]
    }
}

/// The input position `o·stride + k − before` on one axis, if it lies inside `0..len` and not in the padding.
pub(crate) fn tap(o: usize, k: usize, stride: usize, before: usize, len: usize) -> Option<usize> {
    (o * stride + k).checked_sub(before).filter(|&i| i < len)
}
