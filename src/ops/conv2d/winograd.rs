//! Winograd's transform of 3x3 windows, for `shaders/conv2d/winograd.wgsl` and `shaders/conv2d/texels/winograd.wgsl`.

use super::gemm::ImplicitGemm;
use super::{Conv2d, Tile};

/// G of F(2x2, 3x3), by rows.
const G2: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

/// G of F(4x4, 3x3), by rows.
const G4: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

impl Tile {
    /// The number of outputs along a side.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F2x3 => 2,
            Self::F4x3 => 4,
        }
    }

    fn side(self) -> usize {
        self.size() + 2
    }

    /// The number of elements of a transformed tile.
    pub(super) fn elements(self) -> usize {
        self.side() * self.side()
    }

    pub(super) fn input(self) -> &'static str {
        match self {
            Self::F2x3 => "input2",
            Self::F4x3 => "input4",
        }
    }

    pub(super) fn output(self) -> &'static str {
        match self {
            Self::F2x3 => "output2",
            Self::F4x3 => "output4",
        }
    }

    fn g(self) -> &'static [[f64; 3]] {
        match self {
            Self::F2x3 => &G2,
            Self::F4x3 => &G4,
        }
    }

    /// `G g Gᵀ` of a window, computed in f64 and rounded once.
    fn transform(self, g: &[f64; 9], out: &mut [f32]) {
        for (i, a) in self.g().iter().enumerate() {
            let row = [0, 1, 2].map(|j| a[0] * g[j] + a[1] * g[3 + j] + a[2] * g[6 + j]);
            for (j, b) in self.g().iter().enumerate() {
                out[i * self.side() + j] = (row[0] * b[0] + row[1] * b[1] + row[2] * b[2]) as f32;
            }
        }
    }

    /// Calls `put` with element, channel, row and value of each transformed weight.
    pub(super) fn each_weight(self, gemm: &ImplicitGemm, conv: &Conv2d, mut put: impl FnMut(usize, usize, usize, f32)) {
        let mut out = vec![0.0; self.elements()];
        let windows = gemm.windows(conv);
        for channel in 0..gemm.channels[1] {
            for row in 0..gemm.channels[0] {
                let g = windows(channel, row);
                self.transform(&g, &mut out);
                out.iter().enumerate().for_each(|(element, &value)| put(element, channel, row, value));
            }
        }
    }
}
