// cat: one input of a concatenation along any axis. forward: x goes to its part of y; backward: dx = its part of dy. Of any shape.
// Memory-bound, 8 B an element.
#import lib/index
#import lib/epilogue
#import lib/axes

struct Params {
    axes: array<vec4u, 6>, // of x: extent, stride in y
    len: u32,              // elements of x
    first: u32,            // the element of y at which the part begins
    epilogue: u32,
    unused: u32,
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
        y[params.first + places(i, 0u, AXES).x] = x[i];
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        dx[i] = epilogue(dy[params.first + places(i, 0u, AXES).x], i);
    }
}
