// silu: y = x * s, s = 1 / (1 + exp(-x)); dx = dy * s * (1 + x * (1 - s)). x, y: any shape. Memory-bound, 8 B an element forward.
#import lib/index
#import lib/epilogue
#import lib/special

struct Params {
    len: u32,
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        y[i] = x[i] * sigmoid(x[i]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        let s = sigmoid(x[i]);
        dx[i] = epilogue(dy[i] * s * (1.0 + x[i] * (1.0 - s)), i);
    }
}
