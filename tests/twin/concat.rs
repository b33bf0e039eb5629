//! concat: y = the channels of every x, one after the other; dx = the channels of dy that came from it.
//!
//! x: [N,C_i,H,W] each, y: [N,Σ C_i,H,W].

use super::Tensor;

pub(crate) fn forward(xs: &[&Tensor]) -> Tensor {
    let [n, _, h, w] = xs[0].shape;
    let mut y = Tensor::zeros([n, xs.iter().map(|x| x.shape[1]).sum(), h, w]);
    let mut first = 0;
    for x in xs {
        assert_eq!([x.shape[0], x.shape[2], x.shape[3]], [n, h, w]);
        for at @ [n, c, h, w] in x.indices() {
            y[[n, first + c, h, w]] = x[at];
        }
        first += x.shape[1];
    }
    y
}

/// The gradient to each x, given their numbers of channels.
pub(crate) fn backward(dy: &Tensor, channels: &[usize]) -> Vec<Tensor> {
    let [n, c, h, w] = dy.shape;
    assert_eq!(channels.iter().sum::<usize>(), c);
    let mut first = 0;
    let part = |&channels: &usize| {
        let mut dx = Tensor::zeros([n, channels, h, w]);
        for at @ [n, c, h, w] in dx.indices() {
            dx[at] = dy[[n, first + c, h, w]];
        }
        first += channels;
        dx
    };
    channels.iter().map(part).collect()
}
