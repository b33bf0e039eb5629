// probability_variance: how unequal the classes are, p = softmax(z).
//   softmax: L = mean (p - 1/K)^2          dL/dz_k = (2/K) p_k (p_k - sum p^2)
//   logits:  L = mean (z - mean z)^2       dL/dz_k = (2/K) (z_k - mean z)
// step: dx = w dL/dz, values = L. One workgroup an image. logits z, dx: [N,K].
#import lib/softmax
#import lib/term

struct Params {
    term: Term,
    classes: u32,    // K
    of_logits: u32,  // 0: of the softmax
}

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let base = n * params.classes;
    let weight = weight_now();
    let count = f32(params.classes);
    var sum = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        sum += logits[base + k];
    }
    let mean = reduce_sum(sum, lane) / count;
    let soft = softmax_of(base, params.classes, lane);
    var squares = 0.0;
    var spread = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        let e = exp(logits[base + k] - soft.top);
        squares += e * e;
        spread += (logits[base + k] - mean) * (logits[base + k] - mean);
    }
    let sum_p2 = reduce_sum(squares, lane) / (soft.total * soft.total);
    let variance = reduce_sum(spread, lane) / count;
    var uneven = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        let z = logits[base + k];
        let p = probability(z, soft);
        uneven += (p - 1.0 / count) * (p - 1.0 / count);
        deliver(base + k, weight * (select(p * (p - sum_p2), z - mean, params.of_logits != 0u) * 2.0 / count));
    }
    let uneven_sum = reduce_sum(uneven, lane);
    if lane == 0u {
        values[value_at(n, 0u)] = select(uneven_sum / count, variance, params.of_logits != 0u);
    }
}
