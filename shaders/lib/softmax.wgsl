// softmax: what an image's logits have in common, p_k = exp(z_k - top) / total. logits: [N,K], a workgroup each.
#import lib/reduce

@group(0) @binding(1) var<storage, read> logits: array<f32>;

struct Softmax {
    top: f32,        // the largest
    total: f32,      // sum exp (z - top)
}

fn softmax_of(base: u32, classes: u32, lane: u32) -> Softmax {
    var high = logits[base];
    for (var k = lane; k < classes; k += LANES) {
        high = max(high, logits[base + k]);
    }
    let top = reduce_max(high, lane);
    var exps = 0.0;
    for (var k = lane; k < classes; k += LANES) {
        exps += exp(logits[base + k] - top);
    }
    return Softmax(top, reduce_sum(exps, lane));
}

fn probability(z: f32, soft: Softmax) -> f32 {
    return exp(z - soft.top) / soft.total;
}
