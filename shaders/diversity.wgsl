// diversity: f, how unlike an image's Gram matrix is to those of the other images of its group (Olah, Mordvintsev and Schubert, 2017).
//   gram       G[n,a,b] = sum over p of x[n,a,p] x[n,b,p]
//   similarity s[n,j] = <G[n], G[j]>, a workgroup each; |n| = sqrt(s[n,n]), cos[n,j] = s[n,j] / (|n| |j|)
//   value      partial[n,j] = -[j is another of n's group] cos[n,j] / (K-1), which add up to f[n] = -mean over these j of cos[n,j]
//   mix        M[n] = -1/(K-1) sum over these j of (G[j] / (|n| |j|) - cos[n,j] G[n] / |n|^2) = df[n]/dG[n], the others held still
//   gradient   dx[n] = -weight w 2 M[n] x[n], since M is symmetric
// K is the size of the group, whose number is the row's channel. x: [N,C,H,W], P = H*W, N at least 2. 2 C^2 P operations each for gram and gradient.
#import lib/feature_row
#import lib/reduce
#import lib/term

// So that an image whose Gram matrix is all zeros has no direction, and not NaN.
const LEAST: f32 = 1e-20;

struct Params {
    term: Term,
    images: u32,     // N
    channels: u32,   // C
    plane: u32,      // P
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> grams: array<f32>;
@group(0) @binding(4) var<storage, read> similar: array<f32>;
@group(0) @binding(5) var<storage, read> mixed: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

fn squared(n: u32) -> f32 {
    return max(similar[n * params.images + n], LEAST);
}

// 1 / (|n| |j|).
fn inverse(n: u32, j: u32) -> f32 {
    return 1.0 / (sqrt(squared(n)) * sqrt(squared(j)));
}

// Whether j is another image of n's group.
fn others(n: u32, j: u32) -> bool {
    return j != n && rows[j].channel == rows[n].channel;
}

// 1/(K-1); of an image that is alone 1, since there is nothing to divide.
fn share(n: u32) -> f32 {
    var count = 0u;
    for (var j = 0u; j < params.images; j++) {
        count += u32(others(n, j));
    }
    return 1.0 / f32(max(count, 1u));
}

// x, y and z of the grid are b, a and the image.
@compute @workgroup_size(LANES)
fn gram(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.channels {
        return;
    }
    let a = (id.z * params.channels + id.y) * params.plane;
    let b = (id.z * params.channels + id.x) * params.plane;
    var sum = 0.0;
    for (var p = 0u; p < params.plane; p++) {
        sum += x[a + p] * x[b + p];
    }
    out[(id.z * params.channels + id.y) * params.channels + id.x] = sum;
}

// x and y of the grid are j and n.
@compute @workgroup_size(LANES)
fn similarity(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let len = params.channels * params.channels;
    var sum = 0.0;
    for (var i = lane; i < len; i += LANES) {
        sum += grams[group.y * len + i] * grams[group.x * len + i];
    }
    let total = reduce_sum(sum, lane);
    if lane == 0u {
        out[group.y * params.images + group.x] = total;
    }
}

// x and y of the grid are j and n.
@compute @workgroup_size(LANES)
fn value(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.images {
        return;
    }
    let i = id.y * params.images + id.x;
    out[i] = select(0.0, -share(id.y) * similar[i] * inverse(id.y, id.x), others(id.y, id.x));
}

// x, y and z of the grid are b, a and n.
@compute @workgroup_size(LANES)
fn mix(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.channels {
        return;
    }
    let n = id.z;
    let len = params.channels * params.channels;
    let i = id.y * params.channels + id.x;
    var sum = 0.0;
    var cosines = 0.0;
    var count = 0u;
    for (var j = 0u; j < params.images; j++) {
        if others(n, j) {
            count += 1u;
            sum += grams[j * len + i] * inverse(n, j);
            cosines += similar[n * params.images + j] * inverse(n, j);
        }
    }
    let own = grams[n * len + i];
    out[n * len + i] = -(sum - cosines * own / squared(n)) / f32(max(count, 1u));
}

// x, y and z of the grid are the place, the channel and the image.
@compute @workgroup_size(LANES)
fn gradient(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.plane {
        return;
    }
    let row = (id.z * params.channels + id.y) * params.channels;
    let first = id.z * params.channels * params.plane + id.x;
    var sum = 0.0;
    for (var b = 0u; b < params.channels; b++) {
        sum += mixed[row + b] * x[first + b * params.plane];
    }
    let i = first + id.y * params.plane;
    deliver(i, -weight_now() * rows[id.z].weight * 2.0 * sum);
}
