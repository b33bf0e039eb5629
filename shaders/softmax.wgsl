// softmax: y = exp(x - top) / total over the elements of a row, or LOG of it; dx = y (dy - sum(y dy)), or dy - exp(y) sum(dy). A row goes along
// one axis, so that its elements may lie apart. A workgroup takes a row. Of any shape. Memory-bound.
#import lib/reduce
#import lib/epilogue

override LOG: u32 = 0;

struct Params {
    rows: u32,
    len: u32,        // elements of a row
    inner: u32,      // the distance between them
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> chosen: array<f32>; // y of the forward
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

// Where a row begins.
fn begin(row: u32) -> u32 {
    let outer = row / params.inner;
    return outer * params.len * params.inner + row - outer * params.inner;
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
    let first = begin(row);
    var high = x[first];
    for (var i = lane; i < params.len; i += LANES) {
        high = max(high, x[first + i * params.inner]);
    }
    let top = reduce_max(high, lane);
    // A NaN may be lost in the maximum, but not in this sum.
    var exps = 0.0;
    for (var i = lane; i < params.len; i += LANES) {
        exps += exp(x[first + i * params.inner] - top);
    }
    let total = reduce_sum(exps, lane);
    for (var i = lane; i < params.len; i += LANES) {
        let at = first + i * params.inner;
        let below = x[at] - top;
        if LOG != 0u {
            y[at] = below - log(total);
        } else {
            y[at] = exp(below) / total;
        }
    }
}

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
    let first = begin(row);
    var partial = 0.0;
    for (var i = lane; i < params.len; i += LANES) {
        let at = first + i * params.inner;
        partial += dy[at] * select(chosen[at], 1.0, LOG != 0u);
    }
    let sum = reduce_sum(partial, lane);
    for (var i = lane; i < params.len; i += LANES) {
        let at = first + i * params.inner;
        if LOG != 0u {
            dx[at] = epilogue(dy[at] - exp(chosen[at]) * sum, at);
        } else {
            dx[at] = epilogue(chosen[at] * (dy[at] - sum), at);
        }
    }
}
