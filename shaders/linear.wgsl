// linear: y[n,o] = sum over c of w[o,c] * x[n,c] + b[o]; dx[n,c] = sum over o of w[o,c] * dy[n,o].
// x: [N,C], y: [N,O], w: [O,C], wt: its transpose [C,O]. A dispatch computes `count` of the O, or backward of the C, from `first` on, and has
// only their columns of wt, or of w. Memory-bound at small N, 4 B a weight.
#import lib/index
#import lib/epilogue

struct Params {
    images: u32,
    inputs: u32,     // C
    outputs: u32,    // O
    epilogue: u32,
    first: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> wt: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> w: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.images * params.count {
        return;
    }
    let n = i / params.count;
    let column = i % params.count;
    let o = params.first + column;
    var sum = 0.0;
    for (var c = 0u; c < params.inputs; c++) {
        sum += wt[c * params.count + column] * x[n * params.inputs + c];
    }
    y[n * params.outputs + o] = sum + b[o];
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.images * params.count {
        return;
    }
    let n = i / params.count;
    let column = i % params.count;
    let to = n * params.inputs + params.first + column;
    var sum = 0.0;
    for (var o = 0u; o < params.outputs; o++) {
        sum += w[o * params.count + column] * dy[n * params.outputs + o];
    }
    dx[to] = epilogue(sum, to);
}
