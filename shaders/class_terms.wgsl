// class_terms: f = sum over i of w_i f_i, each f_i of a class c of its own, and L = -f. p = softmax(z).
//   logit f_i = z_c, df_i/dz_k = [k = c]    probability f_i = p_c, p_c ([k = c] - p_k)    its logarithm: log p_c, [k = c] - p_k
// step: dx = w dL/dz, values = (L, f). One workgroup an image. logits z, dx: [N,K], terms: [N,T].
#import lib/nan
#import lib/softmax
#import lib/term

struct Params {
    term: Term,
    classes: u32,    // K
    terms: u32,      // T
}

const PROBABILITY: u32 = 1;
const LOG_PROBABILITY: u32 = 2;

// Mirrors `ClassRow` in src/method/losses/class_terms.rs.
struct ClassRow {
    weight: f32,
    class_index: u32,
    form: u32,       // 0: logit
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> terms: array<ClassRow>;

// A buffer holds the classes: none leads outside of an image's logits.
fn class_in(index: u32) -> u32 {
    return min(index, params.classes - 1u);
}

@compute @workgroup_size(LANES)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let base = n * params.classes;
    let weight = weight_now();
    let soft = softmax_of(base, params.classes, lane);
    for (var k = lane; k < params.classes; k += LANES) {
        let p = probability(logits[base + k], soft);
        var d_f = 0.0;
        for (var i = 0u; i < params.terms; i++) {
            let row = terms[n * params.terms + i];
            let class_index = class_in(row.class_index);
            let own = select(0.0, 1.0, k == class_index);
            let p_c = probability(logits[base + class_index], soft);
            let scale = select(row.weight, row.weight * p_c, row.form == PROBABILITY);
            d_f += scale * select(own - p, own, row.form == 0u);
        }
        deliver(base + k, -weight * d_f);
    }
    if lane == 0u {
        var f = 0.0;
        for (var i = 0u; i < params.terms; i++) {
            let row = terms[n * params.terms + i];
            let z = logits[base + class_in(row.class_index)];
            let p_c = probability(z, soft);
            let log_p = z - soft.top - log(soft.total);
            f += row.weight * select(select(z, p_c, row.form == PROBABILITY), log_p, row.form == LOG_PROBABILITY);
        }
        // Whichever class the terms are about.
        f = select(f, soft.total, is_nan(soft.total));
        values[value_at(n, 0u)] = -f;
        values[value_at(n, 1u)] = f;
    }
}
