// natural_statistics: how far each channel's mean and variance over the positions of an image are from those of photographs.
// For a module, with u[c] = km[c] (mean(x[c]) - m[c]) and v[c] = kv[c] (var(x[c]) - s[c]), both over the P = H*W positions:
//   norms    L = a |u| + b |v|, the lengths over channels      dL/dmean[c] = a km[c] u[c] / |u|       dL/dvar[c] = b kv[c] v[c] / |v|
//   squares  L = a mean of u^2 + b mean of w^2 over channels,  dL/dmean[c] = 2 a km[c] u[c] / C       dL/dvar[c] = b w[c] r[c] / C
//            with w[c] = sqrt(kv[c] var) - sqrt(kv[c] s[c])     with r[c] = sqrt(kv[c] / var)
// and dL/dx[c,p] = dL/dmean[c] / P + dL/dvar[c] 2 (x[c,p] - mean[c]) / P. A side of v and w may be free: see SIDE.
// measure: moments[n,c] = (mean, var), a workgroup each. distance: value, and slopes[n,c] = (dL/dmean / P, 2 dL/dvar / P), a workgroup an
// image. gradient: dx = weight * dL/dx. x: [N,C,H,W], natural: [C] of (m, s, km, kv). Memory-bound.
#import lib/reduce
#import lib/term

const SQUARES: u32 = 1;
const BELOW: u32 = 1;
const ABOVE: u32 = 2;
// No variance: its root has no slope.
const LEAST: f32 = 1e-12;

// 0: norms.
override FORM: u32 = 0;
// Which variances are punished. 0: both that are below the natural one and that are above it.
override SIDE: u32 = 0;

struct Params {
    term: Term,
    channels: u32,   // C
    plane: u32,      // P
    layer: u32,      // which of the term's values is the module's
    mean_weight: f32,       // a
    variance_weight: f32,   // b
}

struct Natural {
    mean: f32,
    variance: f32,
    mean_scale: f32,
    variance_scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> natural: array<Natural>;
@group(0) @binding(3) var<storage, read_write> moments: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> slopes: array<vec2f>;

// x and y of the grid are the channel and the image. The variance is a second pass, which keeps its digits.
@compute @workgroup_size(LANES)
fn measure(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = group.y * params.channels + group.x;
    let first = at * params.plane;
    var sum = 0.0;
    for (var p = lane; p < params.plane; p += LANES) {
        sum += x[first + p];
    }
    let mean = reduce_sum(sum, lane) / f32(params.plane);
    var squares = 0.0;
    for (var p = lane; p < params.plane; p += LANES) {
        let d = x[first + p] - mean;
        squares += d * d;
    }
    let variance = reduce_sum(squares, lane) / f32(params.plane);
    if lane == 0u {
        moments[at] = vec2f(mean, variance);
    }
}

// (u, v) of a channel, or (u, w).
fn differences(at: u32, c: u32) -> vec2f {
    let own = moments[at];
    let photo = natural[c];
    let u = photo.mean_scale * (own.x - photo.mean);
    var v = photo.variance_scale * (own.y - photo.variance);
    if FORM == SQUARES {
        v = sqrt(photo.variance_scale * own.y) - sqrt(photo.variance_scale * photo.variance);
    }
    if (SIDE == BELOW && v > 0.0) || (SIDE == ABOVE && v < 0.0) {
        v = 0.0;
    }
    return vec2f(u, v);
}

@compute @workgroup_size(LANES)
fn distance(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * params.channels;
    var sum = vec2f();
    for (var c = lane; c < params.channels; c += LANES) {
        let d = differences(first + c, c);
        sum += d * d;
    }
    let squared = vec2f(reduce_sum(sum.x, lane), reduce_sum(sum.y, lane));
    let channels = f32(params.channels);
    let lengths = sqrt(squared);
    let weights = vec2f(params.mean_weight, params.variance_weight);
    let positions = f32(params.plane);
    for (var c = lane; c < params.channels; c += LANES) {
        let photo = natural[c];
        let d = differences(first + c, c);
        var slope = vec2f();
        if FORM == SQUARES {
            let root = sqrt(photo.variance_scale / max(moments[first + c].y, LEAST));
            slope = weights * d * vec2f(2.0 * photo.mean_scale, root) / channels;
        } else {
            // Nothing leads away from where all are as they should be.
            let scaled = weights * d * vec2f(photo.mean_scale, photo.variance_scale);
            slope = select(vec2f(), scaled / lengths, lengths > vec2f());
        }
        slopes[first + c] = slope * vec2f(1.0, 2.0) / positions;
    }
    if lane == 0u {
        let parts = select(lengths, squared / channels, FORM == SQUARES);
        values[value_at(group.x, params.layer)] = dot(weights, parts);
    }
}

// x, y and z of the grid are the place, the channel and the image.
@compute @workgroup_size(LANES)
fn gradient(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let at = id.z * params.channels + id.y;
    let i = at * params.plane + id.x;
    let slope = slopes[at];
    deliver(i, weight_now() * (slope.x + slope.y * (x[i] - moments[at].x)));
}
