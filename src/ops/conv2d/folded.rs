//! A convolution of stride 2 as one of stride 1 over two rows and two columns at once: each becomes a channel, so that an image's
//! few channels fill texels and the windows are a quarter as long.
//!
//! `y[p] = Σ_k w[k] x[2p + k − pad]`: with `k − pad = 2t + r`, r of 0 and 1, x is read at `2(p + t) + r`, which is row r of the
//! folded x at `p + t`. Windows are rounded to even begins and ends with zeros.

use super::product::Product;
use super::{Algorithm, Conv2d, Pass};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::ops::{Format, Sink, Tensor};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/texels_folded.wgsl.
    struct FoldedParams { channels: u32, h: u32, w: u32, folded_h: u32, folded_w: u32, sink: u32 }
}

impl Conv2d {
    /// Whether folding fits and can pay: of stride 2, and channels that do not fill a texel.
    pub(super) fn folds(&self) -> bool {
        self.stride == [2, 2] && self.w_shape[1] < 4
    }

    /// The same over the folded x.
    fn folded(&self) -> Self {
        let [o, c, kh, kw] = self.w_shape;
        // The first t and how many there are.
        let along = |size: usize, pad: usize| {
            let first = pad.div_ceil(2);
            (first, (size - 1 + 2 * first - pad) / 2 + 1)
        };
        let ((top, rows), (left, cols)) = (along(kh, self.pad[0]), along(kw, self.pad[1]));
        let mut w = vec![0.0; o * 4 * c * rows * cols];
        for (i, &value) in self.w.iter().enumerate() {
            let (filter, k) = (i / (kh * kw), [i / kw % kh + 2 * top - self.pad[0], i % kw + 2 * left - self.pad[1]]);
            let channel = 4 * filter + 2 * (k[0] % 2) + k[1] % 2;
            w[(channel * rows + k[0] / 2) * cols + k[1] / 2] = value;
        }
        // What comes after x does not matter: nothing outside of it is read.
        let pad = [top, left, 0, 0];
        Self { w: w.into(), w_shape: [o, 4 * c, rows, cols], b: self.b.clone(), stride: [1, 1], pad }
    }
}

fn folded_shape(Shape([n, c, h, w]): Shape) -> Shape {
    Shape::new(n, 4 * c, h.div_ceil(2), w.div_ceil(2))
}

fn params(x: Shape, sink: Sink) -> FoldedParams {
    let [folded_h, folded_w] = [x.h(), x.w()].map(|size| size.div_ceil(2) as u32);
    let [channels, h, w] = [x.c(), x.h(), x.w()].map(|size| size as u32);
    FoldedParams { channels, h, w, folded_h, folded_w, sink: sink.flags() }
}

fn grid(x: Shape) -> Grid {
    Grid::Planes { planes: x.n(), h: x.c(), w: folded_shape(x).plane_len() }
}

impl Pass<'_> {
    /// Folds the image, which is in a buffer, before the product or unfolds it after that.
    pub(super) fn over_folded(self, rec: &mut Recording) -> Result<()> {
        let backward = self.product.backward;
        if [self.x, self.y][usize::from(backward)].format == Format::Texels {
            return self.over_texels(rec, Algorithm::Direct);
        }
        let (conv, label) = (self.conv.folded(), format!("{} folded", self.label));
        let folded = |rec: &mut Recording, x: Tensor| {
            Tensor::transient_texels(rec, &format!("{label} x"), folded_shape(x.shape))
        };
        if backward {
            let (dx, sink) = (self.y, self.sink);
            let y = folded(rec, dx);
            let product = Product::backward(&conv, y.shape);
            let pass = Pass { conv: &conv, label: &label, product, y, sink: Sink::default(), ..self };
            pass.over_texels(rec, Algorithm::Direct)?;
            // What the sink does not need is bound to a tensor that the kernel does not write.
            let spare = sink.add.or(sink.mask).unwrap_or_else(|| rec.constant("zero", 1, || Ok(vec![0])));
            let [add, mask] = sink.bind(spare, dx.shape.len());
            let bindings = [y.bind("texels"), dx.bind("y"), add, mask];
            let kernel = Kernel::new("texels_folded", "unfold");
            return rec.dispatch(
                &format!("{label} unfold"),
                kernel,
                &bindings,
                &params(dx.shape, sink),
                grid(dx.shape),
                0,
            );
        }
        let x = folded(rec, self.x);
        let bindings = [self.x.bind("x"), x.bind("packed")];
        let (kernel, params) = (Kernel::new("texels_folded", "fold"), params(self.x.shape, Sink::default()));
        rec.dispatch(&format!("{label} fold"), kernel, &bindings, &params, grid(self.x.shape), 0)?;
        let product = Product::forward(&conv, self.y.shape);
        Pass { conv: &conv, label: &label, product, x, ..self }.over_texels(rec, Algorithm::Direct)
    }
}
