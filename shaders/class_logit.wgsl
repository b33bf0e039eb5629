// class_logit: L = -z_c + r log sum exp z, dL/dz_k = -[k = c] + r p_k, with p = softmax(z) and c = class_of[n].
// step: dx = w dL/dz, values = (L, z_c, p_c). One workgroup an image. logits z, dx: [N,K].
#import lib/softmax
#import lib/term

struct Params {
    term: Term,
    classes: u32, // K
    logsumexp_weight: f32, // r: 0 maximises the logit, 1 the log-probability
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> class_of: array<u32>;

@compute @workgroup_size(LANES)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let base = n * params.classes;
    let weight = weight_now();
    // A buffer holds the class: it does not lead outside of the image's logits.
    let class_index = min(class_of[n], params.classes - 1u);
    let soft = softmax_of(base, params.classes, lane);
    for (var k = lane; k < params.classes; k += LANES) {
        let p = probability(logits[base + k], soft);
        deliver(base + k, weight * (select(0.0, -1.0, k == class_index) + params.logsumexp_weight * p));
    }
    if lane == 0u {
        let z = logits[base + class_index];
        values[value_at(n, 0u)] = params.logsumexp_weight * (soft.top + log(soft.total)) - z;
        values[value_at(n, 1u)] = z;
        values[value_at(n, 2u)] = probability(z, soft);
    }
}
