// soft_top_k: y[n,i] = 1/(1 + exp(q[n] - x[n,i])), with the q[n] for which the mean of y[n,.] over an image is its area a[n]: the largest
// values of x are chosen, softly. dx[i] = s[i] (dy[i] - sum(s dy)/sum(s)), s = y (1 - y). The threshold has this form because it is the
// optimal transport from values to {chosen, not} with entropy (Xie et al. 2020). x, y: [N,1,H,W], areas: [steps,N]. A workgroup takes an
// image and finds q by bisection. Compute-bound.
#import lib/clock
#import lib/nan
#import lib/reduce

struct Params {
    steps: u32,
    images: u32,
    len: u32,        // elements of an image
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> areas: array<f32>;    // [steps,N]
@group(0) @binding(3) var<storage, read> chosen: array<f32>;   // y of the forward
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

// Halvings of the interval that holds q: until it is a few units in the last place.
const HALVINGS: u32 = 32;
// Areas closer to 0 or 1 count as this far from them.
const LEAST_AREA: f32 = 1e-4;

// Without an exponential that overflows.
fn sigmoid(v: f32) -> f32 {
    let e = exp(-abs(v));
    return select(1.0, e, v < 0.0) / (1.0 + e);
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * params.len;
    let area = clamp(areas[step_now() * params.images + group.x], LEAST_AREA, 1.0 - LEAST_AREA);
    var highest = x[first];
    var lowest = x[first];
    var fault = 0.0;
    for (var i = lane; i < params.len; i += LANES) {
        let v = x[first + i];
        highest = max(highest, v);
        lowest = min(lowest, v);
        fault = select(fault, v, is_nan(v));
    }
    // If all values were the highest, the threshold would be this far above or below it.
    let beyond = log(1.0 - area) - log(area);
    var high = reduce_max(highest, lane) + beyond;
    var low = beyond - reduce_max(-lowest, lane);
    for (var halving = 0u; halving < HALVINGS; halving++) {
        let middle = low + 0.5 * (high - low);
        var sum = 0.0;
        for (var i = lane; i < params.len; i += LANES) {
            sum += sigmoid(x[first + i] - middle);
        }
        let above = reduce_sum(sum, lane) > area * f32(params.len);
        low = select(low, middle, above);
        high = select(middle, high, above);
    }
    // A NaN anywhere leaves no threshold.
    let q = low + 0.5 * (high - low) + reduce_sum(fault, lane);
    for (var i = lane; i < params.len; i += LANES) {
        y[first + i] = sigmoid(x[first + i] - q);
    }
}

@compute @workgroup_size(LANES)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * params.len;
    var slopes = 0.0;
    var sum = 0.0;
    for (var i = lane; i < params.len; i += LANES) {
        let v = chosen[first + i];
        let slope = v * (1.0 - v);
        slopes += slope;
        sum += slope * dy[first + i];
    }
    let total = reduce_sum(slopes, lane);
    let all = reduce_sum(sum, lane);
    // Where every value is 0 or 1, nothing moves.
    let mean = select(0.0, all / total, total != 0.0);
    for (var i = lane; i < params.len; i += LANES) {
        let v = chosen[first + i];
        dx[first + i] = v * (1.0 - v) * (dy[first + i] - mean);
    }
}
