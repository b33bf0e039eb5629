// masked: y = x where a constant condition c holds, and z elsewhere: where; or a number elsewhere: masked_fill. The gradient goes where the
// operand was read. c is repeated along axes where it has extent 1. Of any shape. Memory-bound, 12 B an element.
#import lib/index
#import lib/epilogue
#import lib/axes

override HOLDS: u32 = 1; // backward: the gradient of the operand that is read where c is this

struct Params {
    axes: array<vec4u, 6>, // of y: extent, stride in c
    len: u32,
    value: f32,            // fill: where c does not hold
    epilogue: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

fn holds(i: u32) -> u32 {
    return c[places(i, 0u, AXES).x];
}

@compute @workgroup_size(WORKGROUP)
fn choose(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        y[i] = select(z[i], x[i], holds(i) != 0u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn fill(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        y[i] = select(params.value, x[i], holds(i) != 0u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        dx[i] = epilogue(select(0.0, dy[i], holds(i) == HOLDS), i);
    }
}
