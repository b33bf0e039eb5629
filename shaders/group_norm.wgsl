// group_norm: y = (x - mean) r w + b, with r = 1 / sqrt(variance + eps), mean and variance over a row of neighbouring elements;
// dx = r (g - mean(g) - z mean(g z)), with z = (x - mean) r and g = dy w. layer_norm and instance_norm are the same over other rows. A workgroup
// takes a row. Of any shape. Memory-bound.
#import lib/reduce
#import lib/epilogue

override WEIGHT: u32 = 0;   // 1: w is there, else it is 1
override BIAS: u32 = 0;     // 1: b is there, else it is 0

struct Params {
    rows: u32,
    len: u32,        // elements of a row
    period: u32,     // rows until w and b repeat
    run: u32,        // neighbouring elements that share one of w
    eps: f32,
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

// Which element of w and b is that of element i of a row.
fn place(row: u32, i: u32) -> u32 {
    return ((row % params.period) * params.len + i) / params.run;
}

fn weight(row: u32, i: u32) -> f32 {
    if WEIGHT == 0u {
        return 1.0;
    }
    return w[place(row, i)];
}

// Mean and r of a row; the variance from the differences to the mean, because that of squares cancels.
fn moments(first: u32, lane: u32) -> vec2f {
    let n = f32(params.len);
    var sum = 0.0;
    for (var i = lane; i < params.len; i += LANES) {
        sum += x[first + i];
    }
    let mean = reduce_sum(sum, lane) / n;
    var squares = 0.0;
    for (var i = lane; i < params.len; i += LANES) {
        let d = x[first + i] - mean;
        squares += d * d;
    }
    return vec2f(mean, 1.0 / sqrt(reduce_sum(squares, lane) / n + params.eps));
}

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.y * groups.x + group.x;
    if row >= params.rows {
        return;
    }
    let first = row * params.len;
    let m = moments(first, lane);
    for (var i = lane; i < params.len; i += LANES) {
        var v = (x[first + i] - m.x) * m.y * weight(row, i);
        if BIAS != 0u {
            v += b[place(row, i)];
        }
        y[first + i] = v;
    }
}

// The moments are computed again: cheaper than to write and read them.
@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.y * groups.x + group.x;
    if row >= params.rows {
        return;
    }
    let first = row * params.len;
    let m = moments(first, lane);
    var sum = 0.0;
    var along = 0.0;
    for (var i = lane; i < params.len; i += LANES) {
        let g = dy[first + i] * weight(row, i);
        sum += g;
        along += g * (x[first + i] - m.x) * m.y;
    }
    let n = f32(params.len);
    let mean_g = reduce_sum(sum, lane) / n;
    let mean_gz = reduce_sum(along, lane) / n;
    for (var i = lane; i < params.len; i += LANES) {
        let z = (x[first + i] - m.x) * m.y;
        let g = dy[first + i] * weight(row, i);
        dx[first + i] = epilogue(m.y * (g - mean_g - z * mean_gz), first + i);
    }
}
