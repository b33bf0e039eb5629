//! Tensors of any rank, for the ops that take one, and NumPy's broadcasting.

use super::Tensor;
use super::random::Random;

/// Extents, and the elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Nd {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f64>,
}

impl Nd {
    pub(crate) fn new(shape: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(data.len(), shape.iter().product::<usize>(), "elements for {shape:?}");
        Self { shape: shape.to_vec(), data }
    }

    pub(crate) fn filled(shape: &[usize], value: f64) -> Self {
        Self::new(shape, vec![value; shape.iter().product()])
    }

    /// Uniform in [lo, hi), rounded to f32.
    pub(crate) fn random(random: &mut Random, shape: &[usize], lo: f64, hi: f64) -> Self {
        Self::new(shape, random.vec(shape.iter().product(), lo, hi)).map(|v| f64::from(v as f32))
    }

    /// The elements as `[N, rest, 1, 1]`, for comparisons.
    pub(crate) fn flat(&self) -> Tensor {
        let n = self.shape.first().copied().unwrap_or(1);
        Tensor::new([n, self.data.len() / n, 1, 1], self.data.clone())
    }

    /// The same shape with other elements.
    pub(crate) fn with(&self, x: &Tensor) -> Self {
        Self::new(&self.shape, x.data.clone())
    }

    /// The same shape with the first elements of another tensor.
    pub(crate) fn with_first_of(&self, other: &Self) -> Self {
        Self::new(&self.shape, other.data[..self.data.len()].to_vec())
    }

    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { shape: self.shape.clone(), data: self.data.iter().map(|&v| f(v)).collect() }
    }

    /// Some images of a batch.
    pub(crate) fn images(&self, which: &[usize]) -> Self {
        let len = self.data.len() / self.shape[0];
        let mut shape = self.shape.clone();
        shape[0] = which.len();
        let image = |&n: &usize| self.data[n * len..(n + 1) * len].iter().copied();
        Self::new(&shape, which.iter().flat_map(image).collect())
    }

    /// All indices in row-major order.
    pub(crate) fn indices(&self) -> Vec<Vec<usize>> {
        indices(&self.shape)
    }

    /// The position of an element. An index is that of a tensor of which the last axes stand over these; along axes of extent 1 it is 0.
    pub(crate) fn at(&self, index: &[usize]) -> usize {
        let index = &index[index.len() - self.shape.len()..];
        index.iter().zip(&self.shape).fold(0, |at, (&i, &extent)| at * extent + if extent == 1 { 0 } else { i })
    }

    pub(crate) fn dot(&self, other: &Self) -> f64 {
        self.data.iter().zip(&other.data).map(|(a, b)| a * b).sum()
    }
}

/// All indices of a shape in row-major order.
pub(crate) fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for &extent in shape {
        all = all.iter().flat_map(|index| (0..extent).map(move |i| [&index[..], &[i]].concat())).collect();
    }
    all
}

/// The shape of both together.
pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| {
        if axis + shape.len() < rank { 1 } else { shape[axis + shape.len() - rank] }
    };
    (0..rank).map(|axis| if extent(a, axis) == 1 { extent(b, axis) } else { extent(a, axis) }).collect()
}
