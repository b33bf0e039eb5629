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
    steps: u32,
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

// Buffers hold the classes: none of them leads outside of an image's logits.
fn class_in(index: u32) -> u32 {
    return min(index, params.classes - 1u);
}

// What both losses need of an image's logits.
struct Sums {
    top: f32,       // the largest
    mean: f32,
    total: f32,     // sum exp (z - top)
    sum_p2: f32,
    variance: f32,  // mean (z - mean)^2
}

fn sums_of(base: u32, lane: u32) -> Sums {
    let count = f32(params.classes);
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
    return Sums(top, mean, total, reduce_sum(squares, lane) / (total * total), reduce_sum(spread, lane) / count);
}

// dL_pv/dz of a class with logit z and probability p.
fn d_variance(z: f32, p: f32, sums: Sums) -> f32 {
    return select(p * (p - sums.sum_p2), z - sums.mean, params.pv_logits != 0u) * 2.0 / f32(params.classes);
}

// L_pv, where uneven is the lane's part of the sum of (p - 1/K)^2.
fn variance_of(uneven: f32, sums: Sums, lane: u32) -> f32 {
    return select(reduce_sum(uneven, lane) / f32(params.classes), sums.variance, params.pv_logits != 0u);
}

@compute @workgroup_size(LANES)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let base = n * params.classes;
    let row = row_now();
    let class_index = class_in(class_of[n]);
    let sums = sums_of(base, lane);
    var uneven = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        let z = logits[base + k];
        let p = exp(z - sums.top) / sums.total;
        uneven += (p - 1.0 / f32(params.classes)) * (p - 1.0 / f32(params.classes));
        let d_class = select(0.0, -1.0, k == class_index) + params.rivals * p;
        dlogits[base + k] = row.w_class * d_class + row.w_pv * d_variance(z, p, sums);
    }
    let pv = variance_of(uneven, sums, lane);
    if lane == 0u {
        let z = logits[base + class_index];
        values[n] = vec4f(pv, z, exp(z - sums.top) / sums.total, params.rivals * (sums.top + log(sums.total)) - z);
    }
}

@compute @workgroup_size(LANES)
fn weighted(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let base = n * params.classes;
    let row = row_now();
    let sums = sums_of(base, lane);
    var uneven = 0.0;
    for (var k = lane; k < params.classes; k += LANES) {
        let z = logits[base + k];
        let p = exp(z - sums.top) / sums.total;
        uneven += (p - 1.0 / f32(params.classes)) * (p - 1.0 / f32(params.classes));
        var d_f = 0.0;
        for (var i = 0u; i < params.terms; i++) {
            let term = terms[n * params.terms + i];
            let class_index = class_in(term.class_index);
            let own = select(0.0, 1.0, k == class_index);
            let p_c = exp(logits[base + class_index] - sums.top) / sums.total;
            let scale = select(term.weight, term.weight * p_c, term.form == PROBABILITY);
            d_f += scale * select(own - p, own, term.form == 0u);
        }
        dlogits[base + k] = row.w_pv * d_variance(z, p, sums) - row.w_class * d_f;
    }
    let pv = variance_of(uneven, sums, lane);
    if lane == 0u {
        var f = 0.0;
        for (var i = 0u; i < params.terms; i++) {
            let term = terms[n * params.terms + i];
            let z = logits[base + class_in(term.class_index)];
            let p_c = exp(z - sums.top) / sums.total;
            let log_p = z - sums.top - log(sums.total);
            f += term.weight * select(select(z, p_c, term.form == PROBABILITY), log_p, term.form == LOG_PROBABILITY);
        }
        // Whichever class the terms are about.
        f = select(f, sums.total, is_nan(sums.total));
        values[n] = vec4f(pv, f, 0.0, -f);
    }
}
