// objective: from logits z[n,:] to the losses of the step and their gradient. c = class_of[n], p = softmax(z):
//   class logit          L_c  = -z_c + r log sum exp z     dL_c/dz_k  = -[k = c] + r p_k
//   probability variance L_pv = mean (p - 1/K)^2          dL_pv/dz_k = (2/K) p_k (p_k - sum p^2)      (softmax)
//                        L_pv = mean (z - mean z)^2       dL_pv/dz_k = (2/K) (z_k - mean z)           (logits)
// step: dlogits = w_class dL_c + w_pv dL_pv. values[n] = (L_pv, z_c, p_c, L_c). One workgroup an image. logits: [N,K].
// weighted: in place of L_c that of a sum, -f = -sum over i of w_i f_i, each f_i of a class c of its own:
//   logit f_i = z_c, df_i/dz_k = [k = c]    probability f_i = p_c, p_c ([k = c] - p_k)    its logarithm: log p_c, [k = c] - p_k
// values[n] = (L_pv, f, 0, -f). terms: [N,T].
#import lib/nan
#import lib/reduce
#import lib/schedule

struct Params {
    classes: u32,    // K
    pv_logits: u32,  // 0: variance of the softmax
    rivals: f32,     // r: 0 maximises the logit, 1 the log-probability
    terms: u32,      // weighted: T
}

const PROBABILITY: u32 = 1;
const LOG_PROBABILITY: u32 = 2;

// Mirrors `LogitRow` in src/ops/objective.rs.
struct Term {
    weight: f32,
    class_index: u32,
    form: u32,       // 0: logit
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> class_of: array<u32>;
@group(0) @binding(3) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(4) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(6) var<storage, read> terms: array<Term>;

@compute @workgroup_size(LANES)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let base = n * params.classes;
    let count = f32(params.classes);
    let row = schedule[clock[0]];
    let class_index = class_of[n];
    var high = logits[base];
    var sum = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        high = max(high, logits[base + k]);
        sum += logits[base + k];
    }
    let top = reduce_max(high, lane);
    let mean = reduce_sum(sum, lane) / count;
    var exps = 0.0;
    var squares = 0.0;
    var spread = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        let e = exp(logits[base + k] - top);
        exps += e;
        squares += e * e;
        spread += (logits[base + k] - mean) * (logits[base + k] - mean);
    }
    let total = reduce_sum(exps, lane);
    let sum_p2 = reduce_sum(squares, lane) / (total * total);
    let variance = reduce_sum(spread, lane) / count;
    var uneven = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        let z = logits[base + k];
        let p = exp(z - top) / total;
        uneven += (p - 1.0 / count) * (p - 1.0 / count);
        let d_class = select(0.0, -1.0, k == class_index) + params.rivals * p;
        let d_pv = select(p * (p - sum_p2), z - mean, params.pv_logits != 0u) * 2.0 / count;
        dlogits[base + k] = row.w_class * d_class + row.w_pv * d_pv;
    }
    let pv = select(reduce_sum(uneven, lane) / count, variance, params.pv_logits != 0u);
    if lane == 0u {
        let z = logits[base + class_index];
        values[n] = vec4f(pv, z, exp(z - top) / total, params.rivals * (top + log(total)) - z);
    }
}

@compute @workgroup_size(LANES)
fn weighted(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let base = n * params.classes;
    let count = f32(params.classes);
    let row = schedule[clock[0]];
    var high = logits[base];
    var sum = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        high = max(high, logits[base + k]);
        sum += logits[base + k];
    }
    let top = reduce_max(high, lane);
    let mean = reduce_sum(sum, lane) / count;
    var exps = 0.0;
    var squares = 0.0;
    var spread = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        let e = exp(logits[base + k] - top);
        exps += e;
        squares += e * e;
        spread += (logits[base + k] - mean) * (logits[base + k] - mean);
    }
    let total = reduce_sum(exps, lane);
    let sum_p2 = reduce_sum(squares, lane) / (total * total);
    let variance = reduce_sum(spread, lane) / count;
    var uneven = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        let z = logits[base + k];
        let p = exp(z - top) / total;
        uneven += (p - 1.0 / count) * (p - 1.0 / count);
        var d_f = 0.0;
        for (var i = 0u; i < params.terms; i++) {
            let term = terms[n * params.terms + i];
            let own = select(0.0, 1.0, k == term.class_index);
            let p_c = exp(logits[base + term.class_index] - top) / total;
            let scale = select(term.weight, term.weight * p_c, term.form == PROBABILITY);
            d_f += scale * select(own - p, own, term.form == 0u);
        }
        let d_pv = select(p * (p - sum_p2), z - mean, params.pv_logits != 0u) * 2.0 / count;
        dlogits[base + k] = row.w_pv * d_pv - row.w_class * d_f;
    }
    let pv = select(reduce_sum(uneven, lane) / count, variance, params.pv_logits != 0u);
    if lane == 0u {
        var f = 0.0;
        for (var i = 0u; i < params.terms; i++) {
            let term = terms[n * params.terms + i];
            let z = logits[base + term.class_index];
            let p_c = exp(z - top) / total;
            f += term.weight * select(select(z, p_c, term.form == PROBABILITY), z - top - log(total), term.form == LOG_PROBABILITY);
        }
        // Whichever class the terms are about.
        f = select(f, total, is_nan(total));
        values[n] = vec4f(pv, f, 0.0, -f);
    }
}
