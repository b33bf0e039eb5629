// unary: y = f(x), dx = dy * f'(x): f is one of the functions of lib/unary. x, y: any shape. Memory-bound, 8 B an element forward.
#import lib/index
#import lib/epilogue
#import lib/unary

struct Params {
    len: u32,
    a: f32,          // parameters of f
    b: f32,
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
        y[i] = f(x[i], params.a, params.b);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        dx[i] = epilogue(dy[i] * df(x[i], params.a, params.b), i);
    }
}
