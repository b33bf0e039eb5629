// total_variation: how much neighbouring pixels differ, over all channels. With u = x[.,w+1] - x[.,w], v = x[h+1,.] - x[h,.]:
//   l1:        mean |u| + mean |v|          l2:        mean u^2 + mean v^2
//   l1-sum:    sum |u| + sum |v|            isotropic: sum sqrt(u^2 + v^2 + eps), u and v zero past the border
// value: partial[n, c*H + h] = the row's terms; gradient: dx += w_hf * d value / dx. sign(0) = 0. x: [N,C,H,W]. Memory-bound.
#import lib/index
#import lib/reduce
#import lib/schedule

const L2: u32 = 1;
const ISOTROPIC: u32 = 3;
const EPS: f32 = 1e-8;

struct Params {
    h: u32,
    w: u32,
    form: u32,       // 0: l1, 1: l2, 2: l1-sum, 3: isotropic
    scale_u: f32,    // 1 / number of differences for the means, 1 for the sums
    scale_v: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

// (u, v) at element i of row `row`, column `col`; zero past the border.
fn differences(i: u32, row: u32, col: u32) -> vec2f {
    var d = vec2f();
    if col + 1u < params.w {
        d.x = x[i + 1u] - x[i];
    }
    if row + 1u < params.h {
        d.y = x[i + params.w] - x[i];
    }
    return d;
}

fn value_of(d: vec2f) -> f32 {
    switch params.form {
        case L2: {
            return d.x * d.x * params.scale_u + d.y * d.y * params.scale_v;
        }
        case ISOTROPIC: {
            return sqrt(d.x * d.x + d.y * d.y + EPS);
        }
        default: {
            return abs(d.x) * params.scale_u + abs(d.y) * params.scale_v;
        }
    }
}

// d value_of / d (u, v).
fn slope_of(d: vec2f) -> vec2f {
    switch params.form {
        case L2: {
            return 2.0 * d * vec2f(params.scale_u, params.scale_v);
        }
        case ISOTROPIC: {
            return d / sqrt(d.x * d.x + d.y * d.y + EPS);
        }
        default: {
            return sign(d) * vec2f(params.scale_u, params.scale_v);
        }
    }
}

@compute @workgroup_size(LANES)
fn value(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * params.h + group.x;          // of N*C*H
    var sum = 0.0;
    for (var col = lane; col < params.w; col += LANES) {
        sum += value_of(differences(row * params.w + col, group.x, col));
    }
    let total = reduce_sum(sum, lane);
    if lane == 0u {
        partial[row] = total;
    }
}

@compute @workgroup_size(WORKGROUP)
fn gradient(@builtin(global_invocation_id) id: vec3u) {
    let row = id.y;
    let col = id.x;
    if col >= params.w {
        return;
    }
    let i = (id.z * params.h + row) * params.w + col;
    let here = slope_of(differences(i, row, col));
    var g = -here.x - here.y;
    if col > 0u {
        g += slope_of(differences(i - 1u, row, col - 1u)).x;
    }
    if row > 0u {
        g += slope_of(differences(i - params.w, row - 1u, col)).y;
    }
    dx[i] += schedule[clock[0]].w_hf * g;
}
