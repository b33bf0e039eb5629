// max_pool2d: y[p] = max of x over the window at p, padding counts as -inf; argmax[p] = where, the first in row-major order.
// dx[q] = sum of dy[p] over the windows p whose argmax is q. x: [N,C,H,W], y, argmax: [N,C,OH,OW].
// x, y, z of the grid are the position in the plane, the channel and the image.
// Memory-bound; the backward gathers, so that no two invocations write one element.
#import lib/index
#import lib/nan
#import lib/epilogue

struct Params {
    channels: u32,
    h: u32,
    w: u32,
    oh: u32,
    ow: u32,
    pad_top: u32,
    pad_left: u32,
    epilogue: u32,
}

// Constants, so that neither loops nor divisions depend on a load.
override KERNEL_H: u32 = 3;
override KERNEL_W: u32 = 3;
override STRIDE_H: u32 = 2;
override STRIDE_W: u32 = 2;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> argmax: array<u32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> chosen: array<u32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.oh * params.ow {
        return;
    }
    let plane = id.z * params.channels + id.y;
    let i = plane * params.oh * params.ow + id.x;
    let y_row = id.x / params.ow;
    let top = i32(y_row * STRIDE_H) - i32(params.pad_top);
    let left = i32((id.x - y_row * params.ow) * STRIDE_W) - i32(params.pad_left);
    // The part of the window that is inside of x: never empty, see `MaxPool2d::output`.
    let row0 = u32(max(top, 0));
    let col0 = u32(max(left, 0));
    let row1 = min(u32(top + i32(KERNEL_H)), params.h);
    let col1 = min(u32(left + i32(KERNEL_W)), params.w);
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
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.h * params.w {
        return;
    }
    let plane = id.z * params.channels + id.y;
    let q = id.x;
    let x_row = q / params.w;
    let row = x_row + params.pad_top;
    let col = q - x_row * params.w + params.pad_left;
    // The windows that contain q: p*stride <= q + pad < p*stride + kernel.
    let p_row0 = (max(row + 1u, KERNEL_H) - KERNEL_H + STRIDE_H - 1u) / STRIDE_H;
    let p_col0 = (max(col + 1u, KERNEL_W) - KERNEL_W + STRIDE_W - 1u) / STRIDE_W;
    let p_row1 = min(row / STRIDE_H + 1u, params.oh);
    let p_col1 = min(col / STRIDE_W + 1u, params.ow);
    var sum = 0.0;
    for (var p_row = p_row0; p_row < p_row1; p_row++) {
        for (var p_col = p_col0; p_col < p_col1; p_col++) {
            let p = (plane * params.oh + p_row) * params.ow + p_col;
            if chosen[p] == q {
                sum += dy[p];
            }
        }
    }
    let i = plane * params.h * params.w + q;
    dx[i] = epilogue(sum, i);
}
