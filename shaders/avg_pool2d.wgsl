// avg_pool2d: y[p] = sum of x over the window at p, by the window's size; dx[q] = sum of dy[p] by that size over the windows p that contain q.
// x: [N,C,H,W], y: [N,C,OH,OW]. x, y, z of the grid are the position in the plane, the channel and the image. Memory-bound; the backward
// gathers.
#import lib/index
#import lib/epilogue
#import lib/avg_pool2d

struct Params {
    channels: u32,
    h: u32,
    w: u32,
    oh: u32,
    ow: u32,
    pad_top: u32,
    pad_left: u32,
    pad_bottom: u32,
    pad_right: u32,
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

fn rows() -> Axis {
    return Axis(params.h, params.oh, params.pad_top, params.pad_bottom, KERNEL_H, STRIDE_H);
}

fn columns() -> Axis {
    return Axis(params.w, params.ow, params.pad_left, params.pad_right, KERNEL_W, STRIDE_W);
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.oh * params.ow {
        return;
    }
    let plane = id.z * params.channels + id.y;
    let p_row = id.x / params.ow;
    let down = window(p_row, rows());
    let right = window(id.x - p_row * params.ow, columns());
    var sum = 0.0;
    for (var row = down.start; row < down.end; row++) {
        for (var col = right.start; col < right.end; col++) {
            sum += x[(plane * params.h + row) * params.w + col];
        }
    }
    y[plane * params.oh * params.ow + id.x] = sum / f32(down.size * right.size);
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.h * params.w {
        return;
    }
    let plane = id.z * params.channels + id.y;
    let q_row = id.x / params.w;
    let p_rows = windows_with(q_row, rows());
    let p_cols = windows_with(id.x - q_row * params.w, columns());
    var sum = 0.0;
    for (var p_row = p_rows.x; p_row < p_rows.y; p_row++) {
        let height = window(p_row, rows()).size;
        for (var p_col = p_cols.x; p_col < p_cols.y; p_col++) {
            sum += dy[(plane * params.oh + p_row) * params.ow + p_col] / f32(height * window(p_col, columns()).size);
        }
    }
    let i = plane * params.h * params.w + id.x;
    dx[i] = epilogue(sum, i);
}
