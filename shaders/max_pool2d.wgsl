// max_pool2d: y[p] = max of x over the window at p, padding counts as -inf; argmax[p] = where, the first in row-major order.
// dx[q] = sum of dy[p] over the windows p whose argmax is q. x: [N,C,H,W], y, argmax: [N,C,OH,OW].
// Memory-bound; the backward gathers, so that no two invocations write one element.
#import lib/index
#import lib/nan
#import lib/sink

struct Params {
    planes: u32,     // N*C
    h: u32,
    w: u32,
    oh: u32,
    ow: u32,
    kernel_h: u32,
    kernel_w: u32,
    stride_h: u32,
    stride_w: u32,
    pad_top: u32,
    pad_left: u32,
    sink: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> argmax: array<u32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> chosen: array<u32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.planes * params.oh * params.ow {
        return;
    }
    let plane = i / (params.oh * params.ow);
    let p = i % (params.oh * params.ow);
    let top = i32(p / params.ow * params.stride_h) - i32(params.pad_top);
    let left = i32(p % params.ow * params.stride_w) - i32(params.pad_left);
    // The part of the window that is inside of x: never empty, see `MaxPool2d::output`.
    let row0 = u32(max(top, 0));
    let col0 = u32(max(left, 0));
    let row1 = min(u32(top + i32(params.kernel_h)), params.h);
    let col1 = min(u32(left + i32(params.kernel_w)), params.w);
    var best = x[(plane * params.h + row0) * params.w + col0];
    var at = row0 * params.w + col0;
    for (var row = row0; row < row1; row++) {
        for (var col = col0; col < col1; col++) {
            let v = x[(plane * params.h + row) * params.w + col];
            // NaN wins and stays, as in PyTorch: a fault must not disappear in a pool.
            if v > best || (is_nan(v) && !is_nan(best)) {
                best = v;
                at = row * params.w + col;
            }
        }
    }
    y[i] = best;
    argmax[i] = at;
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.planes * params.h * params.w {
        return;
    }
    let plane = i / (params.h * params.w);
    let q = i % (params.h * params.w);
    let row = q / params.w + params.pad_top;
    let col = q % params.w + params.pad_left;
    // The windows that contain q: p*stride <= q + pad < p*stride + kernel.
    let p_row0 = (max(row + 1u, params.kernel_h) - params.kernel_h + params.stride_h - 1u) / params.stride_h;
    let p_col0 = (max(col + 1u, params.kernel_w) - params.kernel_w + params.stride_w - 1u) / params.stride_w;
    let p_row1 = min(row / params.stride_h + 1u, params.oh);
    let p_col1 = min(col / params.stride_w + 1u, params.ow);
    var sum = 0.0;
    for (var p_row = p_row0; p_row < p_row1; p_row++) {
        for (var p_col = p_col0; p_col < p_col1; p_col++) {
            let p = (plane * params.oh + p_row) * params.ow + p_col;
            if chosen[p] == q {
                sum += dy[p];
            }
        }
    }
    dx[i] = sink(sum, i);
}
