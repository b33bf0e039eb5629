//! Reads `tests/golden/*.safetensors`, which `tests/golden/make.py` wrote with PyTorch.

use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};

use super::Tensor;

/// One golden file in memory.
pub(crate) struct Golden {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Golden {
    /// `tests/golden/<name>.safetensors`; a test without its golden has nothing to say, so it fails here.
    pub(crate) fn open(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { path, bytes }
    }

    /// All keys, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.file().names().into_iter().map(str::to_owned).collect();
        keys.sort();
        keys
    }

    /// The rest of each key that begins with `prefix`, up to the next `/`; sorted and each once.
    pub(crate) fn children(&self, prefix: &str) -> Vec<String> {
        let child = |key: &String| Some(key.strip_prefix(prefix)?.split('/').next()?.to_owned());
        let mut children: Vec<_> = self.keys().iter().filter_map(child).collect();
        children.dedup();
        children
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.file().tensor(key).is_ok()
    }

    /// Dimensions as stored, elements as f64.
    pub(crate) fn read(&self, key: &str) -> (Vec<usize>, Vec<f64>) {
        let file = self.file();
        let view = file.tensor(key).unwrap_or_else(|e| panic!("{}: {key}: {e}", self.path.display()));
        let data = view.data();
        let data = match view.dtype() {
            Dtype::F32 => data.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
            Dtype::F64 => data.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
            Dtype::I64 => data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect(),
            other => panic!("{}: {key} is {other:?}", self.path.display()),
        };
        (view.shape().to_vec(), data)
    }

    /// As a tensor; missing dimensions follow as 1: [N,K] is [N,K,1,1].
    pub(crate) fn tensor(&self, key: &str) -> Tensor {
        let (dims, data) = self.read(key);
        assert!(dims.len() <= 4, "{key} has {dims:?}");
        let mut shape = [1; 4];
        shape[..dims.len()].copy_from_slice(&dims);
        Tensor::new(shape, data)
    }

    /// The elements alone.
    pub(crate) fn vec(&self, key: &str) -> Vec<f64> {
        self.read(key).1
    }

    /// A tensor of one element.
    pub(crate) fn number(&self, key: &str) -> f64 {
        let data = self.vec(key);
        assert_eq!(data.len(), 1, "{key}");
        data[0]
    }

    /// Whole numbers: strides, indices.
    pub(crate) fn sizes(&self, key: &str) -> Vec<usize> {
        self.vec(key).iter().map(|&v| v as usize).collect()
    }

    /// An entry of the header: `script`, `seed`, `versions`, `command`, ...
    pub(crate) fn metadata(&self, key: &str) -> Option<String> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).expect("golden header");
        header.metadata().as_ref()?.get(key).cloned()
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap_or_else(|e| panic!("{}: {e}", self.path.display()))
    }
}

/// Which elements of a tensor of `len` a golden keeps: all, or `count` of them spread out by a prime.
pub(crate) fn sample_indices(len: usize, count: usize) -> Vec<usize> {
    if len <= count { (0..len).collect() } else { (0..count).map(|j| (j * 1_000_003 + 7) % len).collect() }
}

/// The L2 norm.
pub(crate) fn norm(data: &[f64]) -> f64 {
    data.iter().map(|v| v * v).sum::<f64>().sqrt()
}
