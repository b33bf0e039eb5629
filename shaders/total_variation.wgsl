// total_variation: how much neighbouring pixels differ, over all channels. With u = x[.,w+1] - x[.,w], v = x[h+1,.] - x[h,.]:
//   l1:        mean |u| + mean |v|          l2:        mean u^2 + mean v^2
//   l1-sum:    sum |u| + sum |v|            isotropic: sum sqrt(u^2 + v^2 + eps), u and v zero past the border
// A workgroup takes a row: partial sum c*H + h of the value is its terms, and dx += weight * d value / dx. sign(0) = 0. x: [N,C,H,W].
// Memory-bound.
#import lib/reduce
#import lib/term

const L2: u32 = 1;
const ISOTROPIC: u32 = 3;
const EPS: f32 = 1e-8;

// 0: l1, 1: l2, 2: l1-sum, 3: isotropic.
override FORM: u32 = 0;

struct Params {
    term: Term,
    channels: u32,
    h: u32,
    w: u32,
    scale_u: f32,    // 1 / number of differences for the means, 1 for the sums
    scale_v: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;

// The term of a pixel with the differences d = (u, v).
fn value_of(d: vec2f) -> f32 {
    if FORM == ISOTROPIC {
        return sqrt(d.x * d.x + d.y * d.y + EPS);
    }
    let scale = vec2f(params.scale_u, params.scale_v);
    return dot(select(abs(d), d * d, FORM == L2), scale);
}

// d value_of / d (u, v).
fn slope_of(d: vec2f) -> vec2f {
    if FORM == ISOTROPIC {
        return d / sqrt(d.x * d.x + d.y * d.y + EPS);
    }
    let scale = vec2f(params.scale_u, params.scale_v);
    return select(sign(d), 2.0 * d, FORM == L2) * scale;
}

@compute @workgroup_size(LANES)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * params.h + group.x) * params.w;     // of the row
    // From a pixel to those below and above it; none past the border, where the pixel is its own neighbour.
    let down = select(0u, params.w, group.x + 1u < params.h);
    let up = select(0u, params.w, group.x > 0u);
    let weight = weight_now();
    var sum = 0.0;
    for (var col = lane; col < params.w; col += LANES) {
        let i = first + col;
        let right = u32(col + 1u < params.w);
        let left = u32(col > 0u);
        let v = x[i];
        let x_left = x[i - left];
        let x_up = x[i - up];
        let here = vec2f(x[i + right] - v, x[i + down] - v);
        // What the pixels to the left and above differ by; of their other difference only the isotropic form knows.
        var to_left = vec2f(v - x_left, 0.0);
        var to_up = vec2f(0.0, v - x_up);
        if FORM == ISOTROPIC {
            to_left.y = x[i - left + down] - x_left;
            to_up.x = x[i - up + right] - x_up;
        }
        let slope = slope_of(here);
        sum += value_of(here);
        // At the border the neighbour is the pixel itself, whose term counts above alone.
        let pulled = select(0.0, slope_of(to_left).x, left != 0u) + select(0.0, slope_of(to_up).y, up != 0u);
        dx[i] += weight * (pulled - slope.x - slope.y);
    }
    let total = reduce_sum(sum, lane);
    if lane == 0u {
        let image = group.y / params.channels;
        values[value_at(image, (group.y - image * params.channels) * params.h + group.x)] = total;
    }
}
