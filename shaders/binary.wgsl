// binary: y = f(x, z), with x and z repeated along axes where they have extent 1 and y has not; f is one of the functions of lib/binary. The
// gradient of x or z is the sum of dy * f' over the axes along which it was repeated. Of any shape. Memory-bound, 12 B an element.
#import lib/index
#import lib/reduce
#import lib/epilogue
#import lib/axes
#import lib/binary

struct Params {
    axes: array<vec4u, 6>, // extent; strides in x, in z and in y
    len: u32,              // elements of y, or of the gradient
    outer: u32,            // backward: axes of the gradient; the others are those along which its operand was repeated
    terms: u32,            // backward: elements of dy for each of the gradient
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        let at = places(i, 0u, AXES);
        y[i] = f(x[at.x], z[at.y]);
    }
}

fn term(at: vec3u) -> f32 {
    return dy[at.z] * df(x[at.x], z[at.y]);
}

// dx is the gradient of the operand OPERAND.
@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.len {
        return;
    }
    let at = places(i, 0u, params.outer);
    var sum = 0.0;
    for (var t = 0u; t < params.terms; t++) {
        sum += term(at + places(t, params.outer, AXES));
    }
    dx[i] = epilogue(sum, i);
}

// The same by a workgroup an element, for long sums.
@compute @workgroup_size(LANES)
fn backward_long(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group.y * groups.x + group.x;
    if i >= params.len {
        return;
    }
    let at = places(i, 0u, params.outer);
    var partial = 0.0;
    for (var t = lane; t < params.terms; t += LANES) {
        partial += term(at + places(t, params.outer, AXES));
    }
    let sum = reduce_sum(partial, lane);
    if lane == 0u {
        dx[i] = epilogue(sum, i);
    }
}
