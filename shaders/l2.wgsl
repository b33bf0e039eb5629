// l2: how far the pixels are from a colour m, L = mean over c, h, w of (x - m[c])^2, dL/dx = 2 (x - m[c]) / (C H W).
// A workgroup takes a row: partial sum c*H + h of the value is its terms, and dx = weight * dL/dx. x: [N,C,H,W]. Memory-bound.
#import lib/reduce
#import lib/term

struct Params {
    term: Term,
    channels: u32,
    h: u32,
    w: u32,
    scale: f32,      // 1 / (C H W)
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> colour: array<f32>;   // [C]

@compute @workgroup_size(LANES)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let image = group.y / params.channels;
    let c = group.y - image * params.channels;
    let first = (group.y * params.h + group.x) * params.w;     // of the row
    let weight = weight_now();
    var sum = 0.0;
    for (var col = lane; col < params.w; col += LANES) {
        let d = x[first + col] - colour[c];
        sum += d * d;
        deliver(first + col, weight * 2.0 * d * params.scale);
    }
    let total = reduce_sum(sum, lane);
    if lane == 0u {
        values[value_at(image, c * params.h + group.x)] = total * params.scale;
    }
}
